/** Prints each datagram on one line; answers the barrier of systemd-notify by closing what it was sent. */
export const receiver = `
import socket, sys, os, array
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    data, extra, _, _ = s.recvmsg(4096, 1024)
    for level, kind, payload in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds = array.array('i'); fds.frombytes(payload)
            for fd in fds: os.close(fd)
    print(data.decode().replace(chr(10), '|'), flush=True)
`;
