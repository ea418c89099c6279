#!/bin/bash
# Runs the tests of containers on a kernel whose controllers are on cgroup v2, and of
# disks on XFS with project quotas, in an emulated machine: it needs neither a
# machine of that kind nor hardware that helps with emulation. The kernel is
# Debian's; nothing is installed but the packages below, and nothing of this machine
# is changed. RUN=regexp chooses tests and SKIP=regexp leaves some out, as flags of go
# test do; those left out by themselves are about numbers, not about the kernel.
#
# The machine has its files in memory. It writes what the tests say to its console,
# and at the end a line that this script looks for.
set -euo pipefail
cd "$(dirname "$0")/.."

packages="qemu-system-x86 cpio xfsprogs busybox-static"
limit=${LIMIT:-900} # seconds, for an emulated machine that never ends
cache=.cache/guest
mkdir -p "$cache"

missing=""
for p in $packages; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
	root=""
	[ "$(id -u)" = 0 ] || root="sudo -n"
	if ! command -v apt-get >/dev/null || ! $root true 2>/dev/null; then
		echo "please install these packages (names as in Debian):$missing" >&2
		exit 1
	fi
	echo "installing:$missing"
	$root apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# The kernel is unpacked beside the tests and nowhere else.
kernel=$cache/kernel
if [ ! -e "$kernel/done" ]; then
	name=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -1)
	[ -n "$name" ] || { echo "no package linux-image-cloud-amd64: run apt-get update" >&2; exit 1; }
	echo "fetching $name"
	rm -rf "$kernel"
	mkdir -p "$kernel"
	(cd "$kernel" && apt-get -q -o APT::Sandbox::User=root download "$name" >/dev/null && dpkg-deb -x "$name"_*.deb .)
	touch "$kernel/done"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,usr/bin,sbin,dev,proc,sys,tmp,run,etc,root,modules,test}
cp /bin/busybox "$root/bin/busybox"
for applet in $(/bin/busybox --list); do
	[ "$applet" = busybox ] || ln -s /bin/busybox "$root/bin/$applet"
done
ln -s /bin/busybox "$root/usr/bin/env"
printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
modules=$(echo "$kernel"/lib/modules/*/kernel)
for m in lib/libcrc32c drivers/virtio/virtio drivers/virtio/virtio_ring drivers/virtio/virtio_pci_modern_dev \
	drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci drivers/block/virtio_blk fs/xfs/xfs fs/overlayfs/overlay; do
	if [ -e "$modules/$m.ko" ]; then cp "$modules/$m.ko" "$root/modules/"; fi
done

CGO_ENABLED=1 go build -trimpath -tags netgo,osusergo,seccomp -ldflags '-s -w -extldflags "-static"' -o "$root/test/souk-containerizer" ./cmd/souk-containerizer
tests="agent/disk agent/containerizer/runc/cgroup agent/containerizer/runc"
for package in $tests; do
	mkdir -p "$root/test/$package"
	CGO_ENABLED=0 go test -c -ldflags '-s -w' -o "$root/test/$package/test" "./$package"
done

cat >"$root/init" <<-'INIT'
	#!/bin/sh
	# A root that is an initramfs cannot be left by pivot_root, which containers do.
	if [ "$1" != moved ]; then
		mkdir /new
		mount -t tmpfs -o size=80% none /new
		cp -a /bin /usr /sbin /etc /root /modules /test /init /new/
		mkdir -p /new/dev /new/proc /new/sys /new/tmp /new/run /new/mnt /new/var/tmp
		exec switch_root /new /init moved
	fi
	export PATH=/bin:/sbin:/usr/bin HOME=/root SOUK_TEST_HELPER=/test/souk-containerizer
	mount -t proc none /proc
	mount -t sysfs none /sys
	mount -t devtmpfs none /dev
	mkdir -p /dev/shm /dev/pts /dev/mqueue
	ln -s /proc/self/fd /dev/fd
	mount -t tmpfs none /dev/shm
	mount -t devpts none /dev/pts
	mount -t mqueue none /dev/mqueue
	mount -t cgroup2 none /sys/fs/cgroup
	mount -t tmpfs none /tmp
	mount --make-rshared /
	ip link set lo up
	for pass in 1 2 3 4; do
		for m in /modules/*.ko; do insmod $m 2>/dev/null; done
	done
	mkdir -p /run/xfs
	mount -t xfs -o prjquota /dev/vda /run/xfs && export SOUK_TEST_XFS=/run/xfs
	failed=""
	for package in TESTS; do
		cd /test/$package
		echo "=== $package"
		./test -test.v -test.timeout 15m -test.run "RUN" -test.skip "SKIP" 2>&1 | tee /run/out | grep -E '^ *--- '
		if ! grep -q '^PASS$' /run/out; then
			failed="$failed $package"
			tail -n 300 /run/out
		fi
	done
	if [ -z "$failed" ]; then echo "souk: all passed"; else echo "souk: failed:$failed"; fi
	poweroff -f
INIT
sed -i "s|TESTS|$tests|; s/\"RUN\"/\"${RUN:-.}\"/; s/\"SKIP\"/\"${SKIP:-^(TestManyContainersLeaveNothing|TestEveryExitStatusIsFound)$}\"/" "$root/init"
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$work/initramfs"
truncate -s 512M "$work/xfs"
PATH=$PATH:/sbin:/usr/sbin mkfs.xfs -q "$work/xfs"

timeout "$limit" qemu-system-x86_64 -nographic -no-reboot -m 2048 -smp 2 -cpu max \
	-accel kvm -accel tcg -kernel "$kernel"/boot/vmlinuz-* -initrd "$work/initramfs" -append 'console=ttyS0 quiet panic=-1 psi=1' \
	-drive "file=$work/xfs,if=virtio,format=raw" -net none </dev/null | tr -d '\r' | tee "$work/log"
grep -q '^souk: all passed' "$work/log"
