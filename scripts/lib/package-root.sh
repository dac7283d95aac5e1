# Sourced by scripts/package-test: empty Debian systems, and what is tried in them.
mirror=http://deb.debian.org/debian

leave() {
  shut_down
  if [ -n "${registered-}" ]; then echo -1 >/proc/sys/fs/binfmt_misc/kikitori-aarch64; fi
  umount -R "$work"/*/root 2>/dev/null
  rm -rf "$work"
}

# One check that counts: its name, then the command. The time is the command's.
timed() {
  local name=$1 begin=$EPOCHREALTIME
  shift
  if "$@" >"$work/said" 2>&1; then
    passed=$((passed + 1))
    echo "ok: $name ($(seconds_since "$begin") s)"
  else
    failed=$((failed + 1))
    echo "NOT OK: $name ($(seconds_since "$begin") s)"
    tail -n 40 "$work/said"
    return 1
  fi
}
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

made_packages() {
  [ -e "$packages/kikitori_${version}_amd64.deb" ] && [ -e "$packages/kikitori_${version}_arm64.deb" ] || scripts/package --out "$packages" || return 1
  # The older one is only there to be replaced: not compressed.
  [ -e "$packages/kikitori_${old}_amd64.deb" ] || scripts/package --out "$packages" --arch amd64 --version $old --level 0
}

# An empty system, made once.
base() { # SUITE ARCH
  local suite=$1 arch=$2 foreign=''
  local at=$roots/$suite-$arch
  [ ! -e "$at.made" ] || return 0
  rm -rf "$at"
  [ "$arch" = amd64 ] || foreign=--foreign
  debootstrap $foreign --arch="$arch" --variant=minbase --include=ca-certificates "$suite" "$at" $mirror || return 1
  if [ -n "$foreign" ]; then chroot "$at" /debootstrap/debootstrap --second-stage || return 1; fi
  touch "$at.made"
}

# $root becomes a layer over that system, with /proc and the way to Debian's mirror and the npm registry.
fresh() { # SUITE ARCH NAME
  base "$1" "$2" || return 1
  root=$work/$3/root
  mkdir -p "$work/$3"/{up,under,root}
  mount -t overlay overlay -o "lowerdir=$roots/$1-$2,upperdir=$work/$3/up,workdir=$work/$3/under" "$root" || return 1
  mount -t proc proc "$root/proc"
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  # qemu hands the host's processor through, which ONNX Runtime cannot read as an ARM one.
  if [ "$2" = arm64 ]; then
    printf 'processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n' >"$work/cpuinfo"
    mount --bind "$work/cpuinfo" "$root/proc/cpuinfo"
  fi
}

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
apt() { inside apt-get -q -y -o DPkg::Lock::Timeout=600 --no-install-recommends "$@"; }
put() { # VERSION ARCH
  cp "$packages/kikitori_$1_$2.deb" "$root/root/" && apt install "/root/kikitori_$1_$2.deb"
}

# Everything that is in the system, but for what dpkg and apt write down.
inventory() {
  (cd "$root" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./root -o -path ./tmp -o -path ./var/cache -o -path ./var/log \
    -o -path ./var/lib/dpkg -o -path ./var/lib/apt \) -prune -o -print | LC_ALL=C sort)
}

as_laid_out() {
  inside sh -eux -c '
    [ "$(stat -c "%U:%G %a" /etc/kikitori)" = "root:kikitori 750" ]
    [ "$(stat -c "%U:%G %a" /etc/kikitori/secrets)" = "root:root 700" ]
    [ "$(stat -c "%U:%G %a" /var/lib/kikitori)" = "kikitori:kikitori 750" ]
    id -nG kikitori | grep -qw audio
    test -L /etc/systemd/system/multi-user.target.wants/kikitori.service
    dpkg -V kikitori
    kikitori config check /etc/kikitori/config.yaml
    # The user of the service can read it, others cannot.
    setpriv --reuid kikitori --regid kikitori --clear-groups kikitori config check /etc/kikitori/config.yaml
    ! setpriv --reuid nobody --regid nogroup --clear-groups cat /etc/kikitori/config.yaml'
}

# A network of its own, so that the broker is at its usual port and nobody else is met.
doctor_is_green() {
  unshare --net sh -c "ip link set lo up; chroot '$root' /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c '
    mosquitto -p 1883 >/dev/null 2>&1 & broker=\$!
    sleep 3
    kikitori doctor --json
    kill \$broker'" | tee "$work/doctor" || true
  node -e '
    const found = require("node:fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map((line) => JSON.parse(line));
    const wrong = found.filter(({ check, status }) => (check === "microphone" ? status !== "failed" : status !== "ok"));
    if (found.length < 7 || wrong.length > 0) throw new Error(JSON.stringify(wrong));
  ' "$work/doctor"
}

version_is() { inside kikitori --version | tee /dev/stderr | grep -qxF "kikitori ${1/\~/-}"; }

own_files() {
  inside sh -eu -c '
    echo "# mine" >>/etc/kikitori/config.yaml
    echo secret >/etc/kikitori/secrets/password
    echo "intents: {}" >/etc/kikitori/other.yaml
    echo state >/var/lib/kikitori/kept'
}
own_files_are_there() {
  inside sh -eu -c '
    tail -n 1 /etc/kikitori/config.yaml | grep -qx "# mine"
    grep -qx secret /etc/kikitori/secrets/password
    grep -qx state /var/lib/kikitori/kept
    test -e /etc/kikitori/other.yaml
    ! ls /etc/kikitori/*.dpkg-*'
}
removed_but_kept() {
  inside sh -eu -c '! test -e /usr/bin/kikitori && ! test -e /usr/lib/kikitori && ! test -e /usr/share/doc/kikitori' && own_files_are_there
}
nothing_left() {
  # The operator's own file is left, and Debian leaves the system user.
  inside sh -eu -c 'test -e /etc/kikitori/other.yaml && rm -r /etc/kikitori' || return 1
  inventory >"$work/after"
  diff "$work/before" "$work/after"
}

# From nothing to nothing, as a machine on which it is installed, upgraded and removed.
life() { # SUITE
  timed 'an empty system' fresh "$1" amd64 "$1" || return
  timed 'lists of packages, and the packages that kikitori depends on' prepared || return
  inventory >"$work/before"
  timed "install $old" put $old amd64 || return
  timed 'owners, modes, user, unit enabled, files as in md5sums' as_laid_out
  timed 'version' version_is $old
  timed 'own configuration, secret and state' own_files
  timed "upgrade to $version, with nobody to answer" put "$version" amd64
  timed 'version' version_is "$version"
  timed 'own configuration, secret and state are there' own_files_are_there
  timed 'self-test of the model, logits the same' heard_the_same
  timed 'doctor: all well but the microphone' doctor_is_green
  timed 'remove' apt remove kikitori
  timed 'the program is gone, the rest is kept' removed_but_kept
  timed 'install again' put "$version" amd64
  timed 'own configuration, secret and state are there' own_files_are_there
  timed 'purge' apt purge kikitori
  timed 'nothing is left' nothing_left
  timed 'refused where scripts/install has been' refuses_beside_the_other
}
# What is there before, so that what is there after can be compared.
prepared() {
  # No time service runs here; on a board one does.
  apt update && apt install adduser alsa-utils libjemalloc2 libstdc++6 mosquitto procps &&
    inside mkdir -p /run/systemd/timesync && inside touch /run/systemd/timesync/synchronized
}
heard_the_same() { inside kikitori model selftest | tee /dev/stderr | grep -q 'logits same'; }
refuses_beside_the_other() {
  mkdir -p "$root/etc/systemd/system"
  sed 's#^ExecStart=\S*#ExecStart=/opt/node#' systemd/kikitori.service >"$root/etc/systemd/system/kikitori.service"
  if put "$version" amd64 >"$work/refused" 2>&1; then return 1; fi
  grep 'sudo ./scripts/install --uninstall' "$work/refused"
}

binfmt() {
  mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || return 1
  if grep -qs enabled /proc/sys/fs/binfmt_misc/*aarch64*; then return 0; fi
  # F: opened now, so that it need not be inside.
  printf '%s' ':kikitori-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:F' \
    >/proc/sys/fs/binfmt_misc/register || return 1
  registered=yes
}

step_arm64() {
  timed 'ARM programs run, by qemu' binfmt || return
  timed 'an empty system' fresh bookworm arm64 arm64 || return
  timed 'lists of packages' apt update || return
  timed "install $version" put "$version" arm64 || return
  timed 'owners, modes, user, unit enabled, files as in md5sums' as_laid_out
  timed 'version' version_is "$version"
  timed 'self-test of the model, logits the same' heard_the_same
  timed 'purge' apt purge kikitori
}

# `npm pack`, and its file into a system with Debian's own Node.
step_npm() {
  timed 'npm pack' npm_packed || return
  timed 'an empty system' fresh trixie amd64 npm || return
  timed "Debian's nodejs and npm" npm_prepared || return
  timed 'npm install -g --ignore-scripts --omit=optional' npm_installed
  timed 'version' version_is "$version"
  timed 'self-test of the model, logits the same' heard_the_same
  timed 'nothing of tests or trainings' npm_lean
}
npm_packed() {
  require_node && install_node_modules && build && npm pack --ignore-scripts --silent --pack-destination "$work" && ls -l "$work"/*.tgz
}
npm_prepared() { apt update && apt install nodejs npm alsa-utils libjemalloc2; }
npm_installed() {
  cp "$work"/kikitori-*.tgz "$root/root/" &&
    inside NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt sh -c 'npm install -g --ignore-scripts --omit=optional --no-fund --no-audit /root/kikitori-*.tgz'
}
npm_lean() {
  inside sh -c 'cd /usr/local/lib/node_modules/kikitori && ! ls -d test trainer bench models/dense models/compressed dist/test dist/bench 2>/dev/null && ls'
}
