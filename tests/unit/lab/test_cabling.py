"""The commands that lay and plug a small lab, whole."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from podwright.lab.cabling import lay, plug, unplug
from podwright.lab.topology import Bridge, Host, LabCable, Provider, Socket, Topology

SWITCH = Host("sw1", "pod_switch", IPv4Interface("192.168.1.11/24"), "mgmt-p1", (22, 830))
TOPOLOGY = Topology(
    bridges=(Bridge("mgmt-p1", IPv4Interface("192.168.1.254/24")), Bridge("upstream", None)),
    hosts=(SWITCH,),
    cables=(
        LabCable("cable0", Socket("sw1", "swp1"), Socket("hv1", "eth1")),
        LabCable("cable1", Socket("upstream", None), Socket("sw1", "swp2")),
    ),
    providers=(
        Provider(
            "upstream",
            IPv4Interface("198.51.100.254/24"),
            ((IPv4Network("203.0.113.0/24"), IPv4Address("198.51.100.1")),),
        ),
    ),
)


def test_cables_are_laid_to_the_patch_panel() -> None:
    assert lay(TOPOLOGY) == [
        "ip link add mgmt-p1 type bridge",
        "ip address add 192.168.1.254/24 dev mgmt-p1",
        "ip link set mgmt-p1 up",
        "ip link add upstream type bridge",
        "ip link set upstream up",
        "ip netns add patch-panel",
        "ip link add cable0a netns patch-panel type veth peer name cable0b netns patch-panel",
        "ip link add cable1a master upstream type veth peer name cable1b netns patch-panel",
        "ethtool -K cable1a tx off",
        "ip link set cable1a up",
        "ip netns add outside",
        "ip -n outside link set lo up",
        "ip netns exec outside sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'",
        "ip link add outside0 master upstream type veth peer name eth0 netns outside",
        "ethtool -K outside0 tx off",
        "ip link set outside0 up",
        "nsenter --net=/run/netns/outside ethtool -K eth0 tx off",
        "ip -n outside link set eth0 up",
        "ip -n outside address add 198.51.100.254/24 dev eth0",
        "ip -n outside route add 203.0.113.0/24 via 198.51.100.1",
    ]


def test_a_host_is_plugged_into_its_management_network_and_its_cables() -> None:
    assert plug(TOPOLOGY, SWITCH) == [
        "ip netns add sw1",
        "ip -n sw1 link set lo up",
        "ip link add m-sw1 master mgmt-p1 type veth peer name eth0 netns sw1",
        "ethtool -K m-sw1 tx off",
        "ip link set m-sw1 up",
        "nsenter --net=/run/netns/sw1 ethtool -K eth0 tx off",
        "ip -n sw1 link set eth0 up",
        "ip -n sw1 link set eth0 address 02:6c:c0:a8:01:0b",
        "ip -n sw1 address add 192.168.1.11/24 broadcast + dev eth0",
        "ip -n patch-panel link set cable0a netns sw1 name swp1",
        "nsenter --net=/run/netns/sw1 ethtool -K swp1 tx off",
        "ip -n sw1 link set swp1 up",
        "ip -n patch-panel link set cable1b netns sw1 name swp2",
        "nsenter --net=/run/netns/sw1 ethtool -K swp2 tx off",
        "ip -n sw1 link set swp2 up",
    ]


def test_an_unplugged_host_leaves_its_cables_in_the_patch_panel() -> None:
    assert unplug(TOPOLOGY, SWITCH) == [
        "! ip -n sw1 link show swp1 >/dev/null 2>&1 || ip -n sw1 link set swp1 netns patch-panel name cable0a",
        "! ip -n sw1 link show swp2 >/dev/null 2>&1 || ip -n sw1 link set swp2 netns patch-panel name cable1b",
        "! ip link show m-sw1 >/dev/null 2>&1 || ip link delete m-sw1",
        "test ! -e /run/netns/sw1 || ip netns delete sw1",
    ]
