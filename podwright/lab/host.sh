#!/bin/sh
# The power of one lab host: boots it, and boots it again whenever it reboots.
# Usage, inside the lab's world: host.sh CGROUP HOST ROOT [option of systemd-nspawn]...
set -eu
cgroup=$1 host=$2 root=$3
shift 3

mkdir -p "$cgroup"
echo $$ >"$cgroup/cgroup.procs"
# Now the host counts as on: whoever waits for the lab may go on.
exec </dev/null
# The host's own network settings (/proc/sys/net) are its to change.
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
status=133 # systemd-nspawn(1), EXIT STATUS: the container rebooted
while [ "$status" = 133 ]; do
    status=0
    # Its namespace is entered here: systemd-nspawn's own way in mounts a /sys of another namespace.
    nsenter --net="/run/netns/$host" systemd-nspawn --quiet --settings=no --register=no --keep-unit \
        --directory="$root" --machine="$host" --hostname="$host" --console=read-only \
        --capability=CAP_NET_ADMIN,CAP_NET_RAW --bind=/dev/net/tun --resolv-conf=off --timezone=off \
        "$@" --boot </dev/null || status=$?
done
exit "$status"
