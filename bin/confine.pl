# Takes from a process all that trying a model does not need, then becomes the program named:
#   perl confine.pl [--read PATH]... -- PROGRAM [ARGUMENT]...
# Linux itself holds it to that, native code too: it writes and makes no file, opens no connection, starts no program,
# signals and looks into no other process (seccomp); of files it reads those of the system and PATHs alone (Landlock).
# It may go on reading and writing what it was given open. Perl, because it is on every Debian, and nothing has to be
# compiled. What the kernel does not offer is left out and said by the variable KIKITORI_CONFINED: "seccomp landlock".
use strict;
use warnings;
use POSIX ();

my @read;
while (@ARGV && $ARGV[0] eq '--read') { shift; push @read, shift }
die "usage: perl confine.pl [--read PATH]... -- PROGRAM [ARGUMENT]...\n" unless (shift // '') eq '--' && @ARGV;

# Numbers of system calls: the kernel's tables for the two processors. Those from 424 on are the same for all.
my $machine = (POSIX::uname())[4];
my %processors = (
  x86_64 => {
    audit => 0xC000003E, prctl => 157, prlimit => 302, execve => 59, clone => 56, kill => 62, tgkill => 234,
    open => [ [ 2, 1 ], [ 257, 2 ] ],
    denied => [
      41, 42, 43, 49, 50, 53, 288,                                     # socket, connect, accept, bind, listen, socketpair, accept4
      57, 58, 322,                                                     # fork, vfork, execveat
      200, 129, 297, 101, 310, 311, 312,                               # tkill, rt_(tg)sigqueueinfo, ptrace, process_vm_*, kcmp
      76, 82, 83, 84, 85, 86, 87, 88, 133, 258, 259, 263, 264, 265, 266, 316, # truncate, rename, mkdir, rmdir, creat, link, ...
      90, 91, 92, 93, 94, 260, 268, 132, 235, 261, 280,                # chmod, chown, utimes
      188, 189, 190, 197, 198, 199,                                    # setxattr, removexattr
      272, 308, 321, 323, 298, 248, 249, 250, 304,                     # unshare, setns, bpf, userfaultfd, perf, keys, handles
      29, 30, 31, 64, 66, 68, 69, 71, 240, 241, 242, 244,              # shared memory, semaphores and queues of others
    ],
  },
  aarch64 => {
    audit => 0xC00000B7, prctl => 167, prlimit => 261, execve => 221, clone => 220, kill => 129, tgkill => 131,
    open => [ [ 56, 2 ] ],
    denied => [
      198, 199, 200, 201, 202, 203, 242,
      281,
      130, 138, 240, 117, 270, 271, 272,
      45, 33, 34, 35, 36, 37, 38, 276,
      52, 53, 54, 55, 88,
      5, 6, 7, 14, 15, 16,
      97, 268, 280, 282, 241, 217, 218, 219, 265,
      194, 195, 196, 190, 191, 186, 187, 189, 180, 181, 182, 184,
    ],
  },
);
my $of = $processors{$machine};
my ( $no_new_privs, $set_seccomp, $filter_mode ) = ( 38, 22, 2 );
# pidfd_send_signal, io_uring, open_tree, move_mount, fs*, pidfd_open, pidfd_getfd, process_madvise, mount_setattr,
# fchmodat2, setxattrat, removexattrat: all newer than 5.0.
my @denied_everywhere = ( 424 .. 434, 438, 440, 442, 452, 463, 466 );
my ( $clone3, $openat2, $perm, $absent ) = ( 435, 437, 0x50001, 0x50026 );
my @done;

sub confine_files {
  my $abi = syscall( 444, 0, 0, 1 );
  return if $abi < 1;
  # Everything about files but starting them, which is seccomp's; then TCP; then signals and abstract sockets.
  my $files = $abi >= 5 ? 0xFFFE : $abi >= 3 ? 0x7FFE : $abi >= 2 ? 0x3FFE : 0x1FFE;
  my $attributes = pack 'Q3', $files, ( $abi >= 4 ? 3 : 0 ), ( $abi >= 6 ? 3 : 0 );
  my $ruleset = syscall( 444, $attributes, ( $abi >= 6 ? 24 : $abi >= 4 ? 16 : 8 ), 0 );
  return if $ruleset < 0;
  for my $path ( qw(/usr /lib /lib64 /etc/ld.so.cache /etc/ssl /proc /sys /dev/null /dev/urandom), @read ) {
    sysopen my $at, $path, 0x200000 or next;    # O_PATH
    syscall 445, $ruleset, 1, pack( 'Q l', ( -d $path ? 0xC : 0x4 ), fileno $at ), 0;
  }
  push @done, 'landlock' if syscall( 446, $ruleset, 0 ) == 0;
}

# A filter in the kernel's own code (BPF): [code, jump if true, jump if false, operand]. `$cookie`: the one start of a
# program that is let through has it as a further argument, which the kernel passes over and nobody else knows.
sub filter {
  my ($cookie) = @_;
  my ( $load, $equal, $any_bit, $at_least, $return ) = ( 0x20, 0x15, 0x45, 0x35, 0x06 );
  my ( $low, $high ) = ( sub { 16 + 8 * $_[0] }, sub { 20 + 8 * $_[0] } );
  my ( $say, $allow ) = ( sub { [ $return, 0, 0, $_[0] ] }, [ $return, 0, 0, 0x7FFF0000 ] );
  # `then` follows where the number is this one, and ends in an answer.
  my $for = sub { my ( $number, @then ) = @_; ( [ $equal, 0, scalar @then, $number ], @then ) };
  my $only = sub { my ( $argument, $value ) = @_; ( [ $load, 0, 0, $low->($argument) ], [ $equal, 0, 1, $value ], $allow, $say->($perm) ) };
  my @code = (
    [ $load, 0, 0, 4 ], [ $equal, 1, 0, $of->{audit} ], $say->($perm),
    [ $load, 0, 0, 0 ],
    [ $at_least, 0, 1, 0x40000000 ], $say->($perm),    # x32, another table of numbers
    $for->( $of->{execve},
      [ $load, 0, 0, $low->(3) ], [ $equal, 0, 3, $cookie & 0xFFFFFFFF ],
      [ $load, 0, 0, $high->(3) ], [ $equal, 0, 1, $cookie >> 32 ], $allow, $say->($perm) ),
    # Threads are begun, processes are not (CLONE_THREAD).
    $for->( $of->{clone}, [ $load, 0, 0, $low->(0) ], [ $any_bit, 0, 1, 0x10000 ], $allow, $say->($perm) ),
    $for->( $of->{kill}, $only->( 0, $$ ) ),
    $for->( $of->{tgkill}, $only->( 0, $$ ) ),
    # Opened to be read: without O_WRONLY, O_RDWR, O_CREAT, O_TRUNC.
    ( map { $for->( $_->[0], [ $load, 0, 0, $low->( $_->[1] ) ], [ $any_bit, 0, 1, 0x243 ], $say->($perm), $allow ) } @{ $of->{open} } ),
    # As from a kernel that has them not: the C library then takes the older ones, whose arguments can be seen.
    ( map { $for->( $_, $say->($absent) ) } $clone3, $openat2 ),
    ( map { $for->( $_, $say->($perm) ) } @{ $of->{denied} }, @denied_everywhere ),
    $allow,
  );
  return join '', map { pack 'S C C L', @$_ } @code;
}

sub become {
  my ($cookie) = @_;
  my @environment = map { "$_=$ENV{$_}" } keys %ENV;
  my $arguments = pack( 'p*', @ARGV ) . pack 'Q', 0;
  my $variables = pack( 'p*', @environment ) . pack 'Q', 0;
  my $program = $ARGV[0];
  syscall $of->{execve}, $program, $arguments, $variables, $cookie;
  die "$program cannot be started: $!\n";
}

if ( defined $of ) {
  # No core dump.
  my $nothing = "\0" x 16;
  syscall $of->{prlimit}, 0, 4, $nothing, 0;
  syscall $of->{prctl}, $no_new_privs, 1, 0, 0, 0;
  open my $random, '<:raw', '/dev/urandom' or die "/dev/urandom: $!\n";
  sysread( $random, my $bytes, 8 ) == 8 or die "/dev/urandom: $!\n";
  close $random;
  # Not negative, else perl passes another number.
  my $cookie = unpack( 'Q', $bytes ) >> 1;
  confine_files();
  my $code = filter($cookie);
  my $program = pack 'S x6 P', length($code) / 8, $code;
  $ENV{KIKITORI_CONFINED} = join ' ', 'seccomp', @done;
  become($cookie) if syscall( $of->{prctl}, $set_seccomp, $filter_mode, $program, 0, 0 ) == 0;
}
$ENV{KIKITORI_CONFINED} = "@done";
exec { $ARGV[0] } @ARGV or die "$ARGV[0] cannot be started: $!\n";
