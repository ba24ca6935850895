#!/bin/sh
# Routers in network namespaces, each with a disk of its own over one image; all of it ends with this process.
# Usage: unshare --mount --net --pid --fork --propagation private sh routers.sh DIRECTORY IMAGE NETWORK
# DIRECTORY/files/NAME is what router NAME has beside the image; NETWORK has the commands that lay cables.
set -eu
directory=$1 image=$2 network=$3

mount -t proc proc /proc
mkdir -p /run/netns "$directory/disks"
mount -t tmpfs tmpfs /run/netns
mount -t tmpfs tmpfs "$directory/disks"
ip link set lo up
sh -eu "$network"

for files in "$directory"/files/*; do
    name=$(basename "$files") disk=$directory/disks/$(basename "$files")
    mkdir -p "$disk/upper" "$disk/work" "$disk/root"
    mount -t overlay -o "lowerdir=$image,upperdir=$disk/upper,workdir=$disk/work" overlay "$disk/root"
    mount -t tmpfs tmpfs "$disk/root/run"
    mount -t proc proc "$disk/root/proc"
    mount --bind /dev "$disk/root/dev"
    cp -R "$files/." "$disk/root"
    ip netns exec "$name" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    ip netns exec "$name" chroot "$disk/root" sh -eu -c '
        mkdir -p /run/frr
        chown frr:frr /run/frr
        for rules in /etc/podwright/*.nft; do nft --file "$rules"; done
        for daemon in zebra bfdd ospfd; do "/usr/lib/frr/$daemon" -d -F traditional; done
        vtysh -b
        keepalived --use-file /etc/keepalived/keepalived.conf'
done
touch "$directory/ready"
exec sleep infinity
