"""The network that a Linux device has, in the words of systemd-networkd (systemd.netdev(5), systemd.network(5)).

The files of a device say what networkd was told; what somebody did since by `ip` or
`bridge` is in the kernel alone. So these are written from what the kernel has, of all
links and not of podwright's alone.

A link that is down passes nothing and has no file. One without a `.netdev` leads out of
the device: a NIC, or what a program such as Open vSwitch or a virtual machine forwards on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import networkd
from ansible_collections.podwright.cloud.plugins.module_utils.networkd_files import (
    DIRECTORY,
    EVERYBODY,
    Option,
    Section,
    sections_text,
)

HEADER = "# As the kernel had it when this was collected.\n"

Link = dict[str, Any]

# What a link is in, by the kind of that.
_MEMBER_OF = {"bridge": "Bridge", "bond": "Bond", "vrf": "VRF"}

# What a link carries, by the kind of that.
_CARRIER_OF = {"vlan": "VLAN", "macvlan": "MACVLAN"}


def read() -> dict[str, str]:
    """Read the network of this host: {path: text}.

    Raises:
        RuntimeError: A program failed.
    """
    seen = networkd.see()
    return files(seen.links, seen.vlans, seen.peers)


def files(links: list[Link], vlans: list[dict[str, Any]], peers: list[dict[str, Any]]) -> dict[str, str]:
    """Write what iproute2 prints as JSON, of all links, VLANs of bridges and forwarding databases: {path: text}."""
    up = {link["ifname"]: link for link in links if _counts(link)}
    port_vlans = {port["ifname"]: port["vlans"] for port in vlans}
    texts: dict[str, str] = {}
    for name, link in sorted(up.items()):
        if kind := _made_as(link):
            texts[f"{DIRECTORY}/{name}.netdev"] = HEADER + sections_text(list(_netdev(link, kind)))
        flooded = [peer["dst"] for peer in peers if networkd.is_flooded(peer, name)]
        sections = _network(link, up, port_vlans.get(name, []), sorted(flooded))
        texts[f"{DIRECTORY}/{name}.network"] = HEADER + sections_text(list(sections))
    return texts


def _counts(link: Link) -> bool:
    """Tell whether a link is up, and neither the loopback nor a tunnel that Open vSwitch made for ports of its own."""
    info = link.get("linkinfo", {})
    is_inner = info.get("info_slave_kind") == "openvswitch" and info.get("info_data", {}).get("external")
    flags = link.get("flags", ())
    return "UP" in flags and "LOOPBACK" not in flags and not is_inner


def _made_as(link: Link) -> str | None:
    """Name the kind of a link that was made in this device and does not lead out of it."""
    kind = networkd.kind_of(link)
    if kind == "openvswitch" or (kind == "veth" and "link_netnsid" in link):
        return None
    # Frames go to the program that holds a tap device; what it takes from a tun device are packets.
    return None if kind == "tun" and _data(link).get("type") == "tap" else kind


def _netdev(link: Link, kind: str) -> Iterator[Section]:
    data = _data(link)
    yield "NetDev", [("Name", link["ifname"]), ("Kind", kind)]
    if kind == "vlan":
        yield "VLAN", [("Id", data["id"])]
    elif kind == "bridge":
        yield "Bridge", [("VLANFiltering", "yes" if data.get("vlan_filtering") else "no")]
    elif kind == "vxlan":
        words = {"VNI": "id", "Local": "local", "Remote": "remote", "Group": "group"}
        yield "VXLAN", [(word, data[key]) for word, key in words.items() if key in data]


def _network(link: Link, up: dict[str, Link], vlans: list[dict[str, Any]], peers: list[str]) -> Iterator[Section]:
    # What takes packets and no frames has no address (MAC).
    address = [("MACAddress", link["address"])] if "address" in link else []
    yield "Match", [*address, ("Name", link["ifname"])]
    yield "Network", [*_stacking(link, up), *(("Address", address) for address in networkd.addresses_of(link))]
    if networkd.is_isolated(link):
        yield "Bridge", [("Isolated", "yes")]
    for peer in peers:
        yield "BridgeFDB", [("MACAddress", EVERYBODY), ("Destination", peer)]
    if vlans and any(map(networkd.is_trunk, (link, up.get(link.get("master", ""), {})))):
        for entry in vlans:
            yield "BridgeVLAN", list(_bridge_vlan(entry))


def _stacking(link: Link, up: dict[str, Link]) -> Iterator[Option]:
    """Say what a link is in, and what is on it."""
    master = up.get(link.get("master", ""), {})
    if word := _MEMBER_OF.get(networkd.kind_of(master) or ""):
        yield word, master["ifname"]
    for name, upper in sorted(up.items()):
        word = _CARRIER_OF.get(networkd.kind_of(upper) or "")
        if word and upper.get("link") == link["ifname"]:
            yield word, name


def _bridge_vlan(entry: dict[str, Any]) -> Iterator[Option]:
    flags = entry.get("flags", ())
    yield "VLAN", entry["vlan"]
    if "PVID" in flags:
        yield "PVID", entry["vlan"]
    if "Egress Untagged" in flags:
        yield "EgressUntagged", entry["vlan"]


def _data(link: Link) -> dict[str, Any]:
    data: dict[str, Any] = link.get("linkinfo", {}).get("info_data", {})
    return data
