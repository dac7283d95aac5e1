# Sourced by scripts/package-test: the first evening of docs/home-assistant.md, walked in a booted system by a user with
# sudo, beside a real Home Assistant and a real broker on another network address. Nothing but the microphone stands in.
# KIKITORI_PICTURES=FOLDER: also makes the pictures of the page, in Debian's Chromium.

step_evening() {
  local script=${KIKITORI_HOME_ASSISTANT_START:-../shared/peers/home-assistant/start} said
  local home=${KIKITORI_HOME_ASSISTANT:-tmp/home-assistant}
  if [ ! -e "$script" ]; then
    echo "left out: there is no $script, which makes a Home Assistant"
    return
  fi
  install_debian_packages curl python3 mosquitto flite sox
  install_node_modules
  mkdir -p "$home"
  timed 'an empty system' fresh trixie amd64 evening || return
  timed 'lists of packages, systemd, sudo, and the packages that kikitori depends on' evening_prepared || return
  timed 'it boots' boot || { shut_down; return; }
  # On a board the time service does it.
  booted sh -c 'mkdir -p /run/systemd/timesync && touch /run/systemd/timesync/synchronized'
  said=$work/evening.txt
  KIKITORI_HOME_ASSISTANT_START=$(realpath "$script") KIKITORI_HOME_ASSISTANT=$(realpath "$home") \
    unshare --net node --import ./scripts/lib/transpiled.js test/real/evening.ts "$init" "$root" \
    "$packages/kikitori_${version}_amd64.deb" | tee "$said"
  passed=$((passed + $(grep -c '^ok: ' "$said")))
  failed=$((failed + $(grep -c '^NOT OK: ' "$said")))
  if ! grep -q '^ok: Home Assistant has no complaint' "$said"; then
    failed=$((failed + 1))
    echo 'NOT OK: the evening ended before its end'
    tail -n 20 "$work/boot.log"
  fi
  shut_down
}

# A user who may use sudo, a name for Home Assistant as a home's router or mDNS gives it, and a microphone that one
# program at a time can have.
evening_prepared() {
  apt update && apt install systemd systemd-sysv dbus adduser alsa-utils libjemalloc2 libstdc++6 procps sudo || return 1
  inside adduser --disabled-password --gecos '' user
  echo 'user ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/user"
  chmod 440 "$root/etc/sudoers.d/user"
  echo '192.168.77.1 homeassistant.local' >>"$root/etc/hosts"
  mkdir "$root/opt/microphone"
  cp test/real/room-microphone.js "$root/opt/microphone/microphone.mjs"
  touch "$root/opt/microphone/say.txt" "$root/opt/microphone/lock"
  cat >"$root/usr/local/bin/arecord" <<'END'
#!/bin/sh
exec 9</opt/microphone/lock
if ! flock --nonblock 9; then
  echo 'arecord: main:831: audio open error: Device or resource busy' >&2
  exit 1
fi
exec /usr/lib/kikitori/bin/node /opt/microphone/microphone.mjs
END
  chmod 755 "$root/usr/local/bin/arecord"
}
