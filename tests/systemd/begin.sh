#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# begin.sh FOLDER SHARED: the first process of new namespaces (see machine.py) makes itself a root
# out of the machine's own, on which it may do what it likes, and becomes its systemd. What it
# writes goes to a file system in memory, mounted on FOLDER; SHARED is seen inside as /shared.
set -euo pipefail
folder=$1
shared=$2
root=$folder/root

mount -t tmpfs -o mode=0755 none "$folder"
mkdir "$folder"/{changes,scratch,root}
mount -t overlay -o "lowerdir=/,upperdir=$folder/changes,workdir=$folder/scratch" none "$root"

# ---- file systems of the kernel ----

mount -t proc -o nosuid,nodev,noexec none "$root/proc"
mount -t sysfs -o nosuid,nodev,noexec none "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec none "$root/sys/fs/cgroup"
# Settings of the whole machine are out of reach; those of the network namespace are its own.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,ro "$root/proc/sys"
for trigger in sysrq-trigger latency_stats; do
    [ ! -e "$root/proc/$trigger" ] || mount --bind /dev/null "$root/proc/$trigger"
done

# ---- devices ----

mount -t tmpfs -o mode=0755,nosuid none "$root/dev"
device() { mknod -m "$4" "$root/dev/$1" c "$2" "$3"; }
device null 1 3 0666
device zero 1 5 0666
device full 1 7 0666
device random 1 8 0666
device urandom 1 9 0666
device tty 5 0 0666
mkdir "$root"/dev/{pts,shm}
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 none "$root/dev/pts"
mount -t tmpfs -o mode=1777 none "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"

# ---- what is fresh at each boot ----

mount -t tmpfs -o mode=0755,nosuid,nodev none "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev none "$root/tmp"
mkdir -p "$root/shared"
mount --bind "$shared" "$root/shared"
: >"$root/etc/machine-id"
: >"$root/etc/fstab"
echo testbed >"$root/etc/hostname"

# ---- a boot without what only real machines need ----

units=$root/etc/systemd/system
mkdir -p "$units" "$root/etc/systemd/journald.conf.d"
find "$units" \( -name '*.wants' -o -name '*.requires' \) -prune -exec rm -rf {} +
system=$root$(realpath /lib/systemd/system)
find "$system/sysinit.target.wants" "$system/sockets.target.wants" -type l \
    ! -name 'systemd-journald*' ! -name 'systemd-tmpfiles-setup.service' -delete
# what tmpfiles.d asks to be made is made; nothing is cleaned
mkdir -p "$units/systemd-tmpfiles-setup.service.d"
printf '[Service]\nExecStart=\nExecStart=systemd-tmpfiles --create --boot --exclude-prefix=/dev\n' \
    >"$units/systemd-tmpfiles-setup.service.d/create.conf"
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\n' \
    >"$root/etc/systemd/journald.conf.d/testbed.conf"
# Packages are installed as on a real machine: services are started. No index of manuals is made.
rm -f "$root/usr/sbin/policy-rc.d" "$root/var/lib/man-db/auto-update"
printf '[Unit]\nDescription=Test bed\nRequires=basic.target\nAfter=basic.target\n' \
    >"$units/testbed.target"

cd "$root"
mkdir -p .before
pivot_root . .before
umount -l /.before
rmdir /.before
mount --make-rshared /
ip link set lo up
exec env -i container=testbed PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    /lib/systemd/systemd --system --unit=testbed.target --log-target=journal --show-status=no
