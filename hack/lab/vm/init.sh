#!/bin/sh
# First process of the lab's machine: brings the host's files, devices and links, then runs /vm/main and powers off.
# Everything up to switch_root runs in the initramfs with busybox alone. The settings come from /vm/settings.

/bin/busybox mkdir -p /proc /sys /dev /host /upper /new
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
. /vm/settings

say() { echo "vm: $*"; }
off() { sleep 0.2; poweroff -f; } # the console needs a moment to get rid of its last line
broken() { say "broken: $*"; off; }

for module in $VM_INSERT; do
	insmod "/modules/$module" || broken "module $module"
done
if grep -q vm.trial /proc/cmdline; then # does this accelerator boot this kernel at all? It does.
	say "ready $(uname -r)"
	off
fi

# cache=loose: the host's programs do not change while the machine runs. What does change lies in a shared folder.
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose root /host || broken "the host's files"
mount -t tmpfs -o size=75% upper /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/host,upperdir=/upper/files,workdir=/upper/work overlay /new || broken "overlay"

mount -t proc proc /new/proc
mount -t sysfs sysfs /new/sys
mount -t cgroup2 cgroup2 /new/sys/fs/cgroup || broken "cgroup2"
mount -t bpf bpf /new/sys/fs/bpf
mount -t devtmpfs dev /new/dev
mkdir -p /new/dev/pts /new/dev/shm
mount -t devpts -o ptmxmode=666 devpts /new/dev/pts
mount -t tmpfs shm /new/dev/shm
for link in fd:/proc/self/fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
	[ -e "/new/dev/${link%%:*}" ] || ln -s "${link#*:}" "/new/dev/${link%%:*}"
done
mount -t tmpfs -o mode=755 run /new/run
mkdir -p "/new/lib/modules/$(uname -r)"
mount -o bind "/host$VM_MODULES" "/new/lib/modules/$(uname -r)" || broken "the kernel's modules"

IFS='
'
# The overlay copies what is touched, with all folders above it, into memory.
for file in $VM_RESIDENT; do
	set -- "$@" "/new$file"
done
[ $# = 0 ] || touch -hca "$@" || broken "the resident files"

# cache=mmap: no caching beyond what a mapped file needs, host and machine see each other's writes.
for mount in $VM_MOUNTS; do
	source=${mount%% *} dir=${mount#* }
	mkdir -p "/new$dir"
	case $source in
	tmpfs) mount -t tmpfs -o mode=755 tmpfs "/new$dir" ;;
	*) mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=mmap "$source" "/new$dir" ;;
	esac || broken "$source on $dir"
done

# Without a usable real-time clock every certificate is from the future.
epoch=$(sed 's/.*vm.epoch=\([0-9]*\).*/\1/' /proc/cmdline)
[ "$(date +%s)" -ge "$epoch" ] || date -s "@$epoch"
hostname "$VM_NAME"
ip link set lo up
# Several kubelets and containerds share this kernel.
echo 8192 >/proc/sys/fs/inotify/max_user_instances
echo 1048576 >/proc/sys/fs/inotify/max_user_watches
ulimit -n 1048576
# The kernel rewrites its scheduler when the first group of processes gets a quota and when the last one is gone (the key
# __cfs_bandwidth_used). Emulated, a processor can go on to see the breakpoint that stands there meanwhile, and is stuck
# with its locks held. So one group has a quota for as long as the machine runs.
echo +cpu >/new/sys/fs/cgroup/cgroup.subtree_control && mkdir /new/sys/fs/cgroup/quota &&
	echo 100000 100000 >/new/sys/fs/cgroup/quota/cpu.max || broken "a quota"
for module in $VM_LOAD; do
	chroot /new /sbin/modprobe "$module" || broken "module $module"
done
unset IFS

mkdir -p /new/run/vm
cp /bin/busybox /vm/main /new/run/vm/
cat >/new/run/vm/first <<EOF
box=/run/vm/busybox
echo "vm: ready \$(\$box uname -r)"
\$box sh /run/vm/main
code=\$?
echo "\$code" >'$VM_DIR/exit'
\$box sync
echo "vm: exit \$code"
\$box sleep 0.2
\$box poweroff -f
EOF
umount /proc /sys
exec switch_root /new /run/vm/busybox sh /run/vm/first
