#!/bin/sh
# The first process of a lab's world: everything in the lab ends with it, however it ends.
# Usage: unshare --mount --net --uts --pid --fork --propagation private sh world.sh DIRECTORY
set -eu
directory=$1
name=$(basename "$directory")

mount -t proc proc /proc
# The lab sees cgroups through a mount of its own; the machine's must never be within a container's reach.
if mountpoint -q /sys/fs/cgroup; then umount -l /sys/fs/cgroup; fi
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/podwright-$name"
# Names of network namespaces, and what systemd-nspawn notes of its machines.
mkdir -p /run/netns /run/systemd
mount -t tmpfs tmpfs /run/netns
mount -t tmpfs tmpfs /run/systemd
# The hosts' disks.
mkdir -p "$directory/hosts"
mount -t tmpfs -o mode=755,size=90% tmpfs "$directory/hosts"
hostname "$name"
ip link set lo up
echo ready
exec >/dev/null

# Reap whatever is left to us.
trap 'exit 0' TERM
while :; do
    sleep 3600 &
    wait $! || true
done
