# Sourced by scripts/package-test: a Debian system that is booted, with its own systemd as process 1 of a namespace, and
# the service under it. No network, so what the package depends on is installed before.

# Prints the process of that systemd once it answers.
boot() {
  local all=/sys/fs/cgroup
  [ ! -d $all/unified ] || all=$all/unified
  group=$all/kikitori-package-$$
  mkdir -p "$group"
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    exec unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup bash -eu -c '
      ip link set lo up
      mount --rbind "$1" "$1"
      cd "$1"
      umount proc
      mount -t proc proc proc
      mount -t sysfs -o ro sysfs sys
      mount -t cgroup2 cgroup2 sys/fs/cgroup
      mount -t tmpfs tmpfs run
      mkdir "$2"
      mount -t tmpfs -o mode=755 tmpfs "$2"
      for device in null zero full random urandom tty; do
        touch "$2/$device"
        mount --bind "/dev/$device" "$2/$device"
      done
      mkdir "$2/shm" "$2/pts"
      ln -s /proc/self/fd "$2/fd"
      touch "$2/console"
      mount --move "$2" dev
      # As nspawn does it: credentials of a unit are mounted by a child and come to the others this way.
      mount --make-rshared .
      exec env -i container=chroot PATH=/usr/sbin:/usr/bin chroot . /sbin/init --log-target=console --show-status=1
    ' boot "$root" "$root/tmp/dev" >"$work/boot.log" 2>&1 </dev/null
  ) &
  local unshared=$! tries=120
  until init=$(pgrep -P "$(pgrep -P $unshared || echo $unshared)" -x 'init|systemd' || pgrep -P $unshared -x 'init|systemd') && booted systemctl is-system-running --wait; do
    tries=$((tries - 1))
    if [ $tries -eq 0 ] || ! kill -0 $unshared 2>/dev/null; then cat "$work/boot.log"; return 1; fi
    # Something of a bare system always fails; what matters is that it has finished.
    case $(booted systemctl is-system-running 2>/dev/null) in degraded) return 0 ;; esac
    sleep 1
  done
}
booted() { nsenter --target "$init" --mount --pid --uts --ipc --net --cgroup --root --wd /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
shut_down() {
  [ -z "${init-}" ] || kill -s KILL "$init" 2>/dev/null
  init=''
  for _ in $(seq 50); do rmdir "${group:-/nowhere}" 2>/dev/null && break || sleep 0.2; done
}

property() { booted systemctl show --value -p "$1" kikitori.service; }
until_active() {
  for _ in $(seq 180); do
    if [ "$(property ActiveState)" = active ]; then return 0; fi
    sleep 1
  done
  booted journalctl --no-pager -n 30 -u kikitori
  return 1
}
said() { # EVENT, within a while
  for _ in $(seq 120); do
    if booted journalctl --no-pager -o cat -u kikitori | grep -q "\"event\":\"$1\""; then return 0; fi
    sleep 1
  done
  booted journalctl --no-pager -n 30 -o cat -u kikitori
  return 1
}
installed_in_booted() { # VERSION
  cp "$packages/kikitori_$1_amd64.deb" "$root/root/" && booted dpkg -i "/root/kikitori_$1_amd64.deb"
}
runs_as_installed() {
  [ "$(property User)" = kikitori ] && [ "$(property NRestarts)" = 0 ] && booted systemctl is-enabled kikitori.service &&
    [ "$(stat -c %U "/proc/$init/root/proc/$(property MainPID)")" != root ]
}
took_over() { # PID of the old one
  [ "$(property MainPID)" != "$1" ] && [ "$(property NRestarts)" = 0 ] && own_state
}
own_state() { booted grep -qx kept /var/lib/kikitori/kept; }
# WatchdogSec is 30: a service that is not fed, or does not feed it, is ended before.
outlives_watchdog() {
  local pid
  pid=$(property MainPID)
  sleep 45
  [ "$(property MainPID)" = "$pid" ] && [ "$(property NRestarts)" = 0 ] && [ "$(property ActiveState)" = active ]
}
stopped() { [ "$(property ActiveState)" = inactive ]; }
stays_disabled() {
  booted systemctl disable --now kikitori.service && installed_in_booted "$version" && stopped &&
    [ "$(booted systemctl is-enabled kikitori.service)" = disabled ] && booted systemctl enable --now kikitori.service
}
unit_is_good() {
  booted systemd-analyze verify /usr/lib/systemd/system/kikitori.service &&
    booted systemd-analyze --no-pager security kikitori.service | tee /dev/stderr | grep -E 'Overall exposure level.* [01]\.[0-9]'
}
gone() {
  booted sh -c '! systemctl cat kikitori.service 2>/dev/null && ! test -e /var/lib/kikitori && ! test -e /etc/kikitori'
}

step_systemd() {
  local pid
  timed 'an empty system' fresh trixie amd64 systemd || return
  timed 'lists of packages, systemd, and the packages that kikitori depends on' systemd_prepared || return
  timed 'it boots' boot || { shut_down; return; }
  timed "install $old" installed_in_booted $old
  timed 'the service runs' until_active
  timed 'it hears' said agent.ready
  timed 'as its own user, enabled, never restarted' runs_as_installed
  timed 'the broker has it' said mqtt.up
  booted sh -c 'echo kept >/var/lib/kikitori/kept'
  pid=$(property MainPID)
  timed "upgrade to $version" installed_in_booted "$version"
  timed 'the service runs' until_active
  timed 'it is another process, and its state is there' took_over "$pid"
  timed 'a reload takes the files again' booted systemctl reload kikitori.service
  timed 'and says so' said config.reloaded
  timed 'it outlives the watchdog' outlives_watchdog
  timed 'the unit: verify has nothing to say, exposure below 2' unit_is_good
  timed 'disabled by the operator, it stays so in an upgrade' stays_disabled
  timed 'remove' booted dpkg --remove kikitori
  timed 'it is stopped' stopped
  timed 'purge' booted dpkg --purge kikitori
  timed 'unit, state and configuration are gone' gone
  shut_down
}
systemd_prepared() { apt update && apt install systemd systemd-sysv dbus mosquitto adduser alsa-utils libjemalloc2 libstdc++6 procps; }
