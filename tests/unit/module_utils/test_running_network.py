"""The network that a device has, in the words of systemd-networkd: it is read as what it was told is."""

from __future__ import annotations

import json
from copy import deepcopy
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.podwright.cloud.plugins.module_utils import (
    host_network,
    networkd_files,
    openvswitch,
    running_network,
)

from podwright.model.views import Device, devices
from podwright.proof.linux_network import network_wiring
from podwright.proof.ownership import Ownership
from podwright.proof.wiring import Point, Wiring
from podwright.proof.zone_routers import zone_switch_routing
from podwright.rendering.linux_network import OVS_DATABASE, TABLES, network_files
from podwright.rendering.ovs_database import reply_text
from tests.unit.plan.clouds import cloud_of, lab_declaration

CASES = Path(__file__).parents[2] / "cases" / "host_network"
CLOUD = cloud_of(lab_declaration())
OWNERSHIP = Ownership(CLOUD)
Links = list[dict[str, Any]]


def recorded(name: str) -> Any:
    return json.loads((CASES / "recorded" / f"{name}.json").read_text())


def wiring_of(files: dict[str, str], device: str = "east-zsw1") -> Wiring:
    return network_wiring(declared(device), files, OWNERSHIP)


def declared(name: str) -> Device:
    return next(device for device in devices(CLOUD) if device.name == name)


def below(files: dict[str, str]) -> dict[str, str]:
    return {path.lstrip("/"): text for path, text in files.items()}


def rendered(network: str) -> dict[str, str]:
    return network_files(yaml.safe_load((CASES / "networks" / f"{network}.yml").read_text()))


def with_database(files: dict[str, str], network: str) -> dict[str, str]:
    return {**below(files), OVS_DATABASE: rendered(network)[OVS_DATABASE]}


def linux_links() -> Links:
    """Of a switch with bridges of Linux; its ports were dummies when it was recorded."""
    links: Links = recorded("linux-ip-address")
    for link in links:
        if link["ifname"].startswith("swp"):
            link["linkinfo"].pop("info_kind")
    return links


def link(links: Links, name: str) -> dict[str, Any]:
    return next(link for link in links if link["ifname"] == name)


def alike(one: Wiring, other: Wiring) -> bool:
    """Whether frames get to the same places, but for virtual interfaces, which nobody declares to networkd."""
    joins = [frozenset(join) for join in other.joins if not any("vrrp-" in str(node) for node in join)]
    return (
        {*map(frozenset, one.joins)} == {*joins}
        and {*one.legs} == {*other.legs}
        and one.isolated == other.isolated
        and {*one.attachments} == {*other.attachments}
        and {*one.tunnels} == {*other.tunnels}
        and one.passing == other.passing
        and one.doubts == other.doubts == []
    )


def test_bridges_of_linux_are_read_as_they_were_told_to_be() -> None:
    files = below(running_network.files(linux_links(), recorded("linux-bridge-vlan"), []))
    assert alike(wiring_of(rendered("zone-switch-linux")), wiring_of(files))


@pytest.mark.parametrize("name", sorted(path.stem for path in (CASES / "networks").glob("*-linux.yml")))
def test_every_link_of_linux_is_read_as_it_was_told_to_be(name: str) -> None:
    network = yaml.safe_load((CASES / "networks" / f"{name}.yml").read_text())
    files = below(running_network.files(*kernel(networkd_files.wanted(host_network.complete(network)))))
    assert alike(wiring_of(rendered(name)), wiring_of(files))


def kernel(wanted: dict[str, Any]) -> tuple[Links, Links, Links]:
    """Links, VLANs of bridges and peers, as iproute2 would print what a host with these links has."""
    trunks = {link["master"] for name, link in wanted["links"].items() if name in wanted["vlans"]}
    links: Links = []
    for name, link in wanted["links"].items():
        data = {"id": link["vlan"]} if link["vlan"] else {"vlan_filtering": int(name in trunks)}
        info = {"info_kind": link["kind"], "info_data": data} if link["kind"] else {}
        links.append({"ifname": name, "link": link["over"], "master": link["master"], "linkinfo": info})
    for name, tunnel in wanted["tunnels"].items():
        info = {"info_kind": "vxlan", "info_data": {"id": tunnel["vni"], "local": tunnel["local"]}}
        links.append({"ifname": name, "master": tunnel["bridge"], "linkinfo": info})
    links += [{"ifname": name} for name in wanted["addresses"].keys() - wanted["links"].keys()]
    for one in links:
        of = {**wanted["links"], **wanted["tunnels"]}.get(one["ifname"], {})
        one.setdefault("linkinfo", {})["info_slave_data"] = {"isolated": of.get("isolated", False)}
        addresses = [IPv4Interface(address) for address in wanted["addresses"].get(one["ifname"], [])]
        one["addr_info"] = [
            {"family": "inet", "local": str(address.ip), "prefixlen": address.network.prefixlen}
            for address in addresses
        ]
        one |= {"flags": ["UP"], "address": "02:00:00:00:00:01"}
    vlans = [{"ifname": port, "vlans": [{"vlan": int(vlan)} for vlan in ids]} for port, ids in wanted["vlans"].items()]
    peers = [
        {"ifname": name, "mac": networkd_files.EVERYBODY, "dst": remote}
        for name, tunnel in wanted["tunnels"].items()
        for remote in tunnel["remotes"]
    ]
    return links, vlans, peers


@pytest.mark.parametrize(
    ("network", "links", "peers"),
    [
        ("zone-switch", "ip-address", None),
        ("hypervisor-in-two-pods", "hypervisor-ip-address", "bridge-fdb"),
    ],
)
def test_open_vswitch_is_read_as_it_was_told_to_be(network: str, links: str, peers: str | None) -> None:
    files = running_network.files(recorded(links), [], recorded(peers) if peers else [])
    assert alike(wiring_of(rendered(network)), wiring_of(with_database(files, network)))


def test_port_of_a_bridge_in_words() -> None:
    links, vlans = linux_links(), recorded("linux-bridge-vlan")
    vlans[0]["vlans"].append({"vlan": 40, "flags": ["PVID", "Egress Untagged"]})
    link(links, "swp1")["linkinfo"]["info_slave_data"]["isolated"] = True
    files = running_network.files(links, vlans, [])
    assert files["/etc/systemd/network/swp1.network"] == (
        "# As the kernel had it when this was collected.\n"
        "[Match]\nMACAddress=1e:fe:5d:19:94:a6\nName=swp1\n\n"
        "[Network]\nBridge=br0\n\n"
        "[Bridge]\nIsolated=yes\n\n"
        "[BridgeVLAN]\nVLAN=10\n\n[BridgeVLAN]\nVLAN=30\n\n[BridgeVLAN]\nVLAN=40\nPVID=40\nEgressUntagged=40\n"
    )
    assert "/etc/systemd/network/swp1.netdev" not in files
    assert files["/etc/systemd/network/br0.netdev"].endswith(
        "[NetDev]\nName=br0\nKind=bridge\n\n[Bridge]\nVLANFiltering=yes\n"
    )


def test_vlan_added_by_hand_passes_the_port() -> None:
    vlans = recorded("linux-bridge-vlan")
    vlans[0]["vlans"].append({"vlan": 101})
    files = below(running_network.files(linux_links(), vlans, []))
    assert wiring_of(files).passing["east-zsw1", "swp1"] == {10, 30, 101}


def test_link_that_is_down_passes_nothing() -> None:
    links = linux_links()
    link(links, "vlan10")["flags"].remove("UP")
    files = running_network.files(links, recorded("linux-bridge-vlan"), [])
    assert not [path for path in files if "vlan10" in path]
    assert "VLAN=vlan10" not in files["/etc/systemd/network/br0.network"]
    link(links, "br0")["flags"].remove("UP")
    files = running_network.files(links, recorded("linux-bridge-vlan"), [])
    assert "Bridge=" not in files["/etc/systemd/network/swp1.network"]


def test_virtual_router_is_where_its_interface_is() -> None:
    """On a port of a switch, on a VLAN, and on what Open vSwitch makes: none of it is a port without a cable."""
    links = recorded("ip-address")
    for name, address in (("vrrp-swp3", "198.51.100.1"), ("vrrp-vlan10", "192.168.1.1")):
        link(links, name)["addr_info"] = [{"family": "inet", "local": address, "prefixlen": 32}]
    wiring = wiring_of(with_database(running_network.files(links, [], []), "zone-switch"))
    owners = {str(attachment.node): str(attachment.owner) for attachment in wiring.attachments}
    assert owners["east-zsw1 vrrp-swp3"] == "upstream east"
    assert owners["east-zsw1 vrrp-vlan10"] == "management east/p1"
    assert (Point("east-zsw1", "vrrp-vlan10"), Point("east-zsw1", "vlan10")) in wiring.joins
    assert {port for _, port in wiring.passing} == {"swp1", "swp2", "swp3"}
    assert wiring.passing["east-zsw1", "swp3"] == {None}


@pytest.mark.parametrize(
    ("recording", "network", "port"),
    [("hypervisor-ip-address", "hypervisor-in-two-pods", "eth1"), ("ip-address", "zone-switch", "swp1")],
)
def test_vlan_made_by_hand_leaves_by_a_port_that_open_vswitch_has(recording: str, network: str, port: str) -> None:
    links = recorded(recording)
    by_hand = deepcopy(link(links, port))
    by_hand |= {"ifname": "byhand", "link": port, "linkinfo": {"info_kind": "vlan", "info_data": {"id": 102}}}
    files = running_network.files([*links, by_hand], [], [])
    wiring = wiring_of(with_database(files, network))
    assert (Point("east-zsw1", "byhand"), Point("east-zsw1", port, 102)) in wiring.joins
    assert 102 in wiring.passing["east-zsw1", port]


def test_what_is_not_followed_is_said() -> None:
    links = recorded("hypervisor-ip-address")
    inner = deepcopy(link(links, "eth1")) | {"ifname": "veth0"}
    inner.pop("link_netnsid")
    files = running_network.files([*links, inner], [], recorded("bridge-fdb"))
    assert wiring_of(with_database(files, "hypervisor-in-two-pods")).doubts == [
        "east-zsw1: veth0 is of the kind veth, which the proof cannot follow"
    ]


def test_tunnel_that_open_vswitch_makes_for_its_own_ports_is_left_to_its_database() -> None:
    links = recorded("hypervisor-ip-address")
    tunnel = deepcopy(link(links, "vxlan5001")) | {"ifname": "vxlan_sys_4789", "master": "ovs-system"}
    tunnel["linkinfo"] = {"info_kind": "vxlan", "info_data": {"external": True}, "info_slave_kind": "openvswitch"}
    files = running_network.files([*links, tunnel], [], recorded("bridge-fdb"))
    assert not [path for path in files if "vxlan_sys" in path]


def with_management(*, router_in: str | None = None) -> Links:
    """A switch whose management interface has a virtual router on it, which may be in a bridge."""
    links = linux_links()
    management: dict[str, Any] = deepcopy(link(links, "swp3")) | {"ifname": "eth0"}
    management["addr_info"][0]["local"] = "192.168.1.7"
    router = deepcopy(link(recorded("ip-address"), "vrrp-swp3")) | {"ifname": "vrrp-eth0", "link": "eth0"}
    router["addr_info"] = [{"family": "inet", "local": "192.168.1.8", "prefixlen": 32}]
    plain: dict[str, Any] = deepcopy(link(links, "br0")) | {"ifname": "other", "linkinfo": {"info_kind": "bridge"}}
    return [*links, management, router | {"master": router_in}, plain]


def test_management_interface_is_beside_all_that_is_proved() -> None:
    files = below(running_network.files(with_management(), recorded("linux-bridge-vlan"), []))
    wiring = wiring_of(files)
    assert "Address=192.168.1.7/24" in files["etc/systemd/network/eth0.network"]
    assert not [attachment for attachment in wiring.attachments if "eth0" in str(attachment.node)]
    assert ("east-zsw1", "eth0") not in wiring.passing
    assert wiring.doubts == []


def test_management_interface_that_leads_elsewhere_counts() -> None:
    """By a bridge that its virtual router was put in; a VLAN on it comes out of a port without a cable."""
    files = below(running_network.files(with_management(router_in="other"), recorded("linux-bridge-vlan"), []))
    there = [attachment for attachment in wiring_of(files).attachments if "eth0" in str(attachment.node)]
    assert {str(attachment.owner) for attachment in there} == {"management east/p1"}
    by_hand = {"ifname": "byhand", "link": "eth0", "linkinfo": {"info_kind": "vlan", "info_data": {"id": 7}}}
    vlan: dict[str, Any] = deepcopy(link(linux_links(), "vlan10")) | by_hand
    files = below(running_network.files([*with_management(), vlan], recorded("linux-bridge-vlan"), []))
    assert wiring_of(files).passing["east-zsw1", "eth0"] == {7}


def test_what_takes_no_frames_has_no_address_of_them() -> None:
    """As strongSwan's tunnels where the kernel does not encrypt."""
    links = linux_links()
    tunnel = deepcopy(link(links, "swp3")) | {"ifname": "ipsec0", "link_type": "none"}
    tunnel["linkinfo"] = {"info_kind": "tun", "info_data": {"type": "tun"}}
    tunnel.pop("address")
    files = below(running_network.files([*links, tunnel], recorded("linux-bridge-vlan"), []))
    assert "[Match]\nName=ipsec0\n" in files["etc/systemd/network/ipsec0.network"]
    assert ("east-zsw1", "ipsec0") not in wiring_of(files).passing


def test_vrf_keeps_what_it_is_in() -> None:
    links = linux_links()
    assert forwarded(links) == {("swp3", "vlan30"), ("vlan30", "swp3")}
    link(links, "vlan30")["master"] = "customers"
    vrf = deepcopy(link(links, "br0")) | {"ifname": "customers", "linkinfo": {"info_kind": "vrf"}}
    assert forwarded([*links, vrf]) == set()


def forwarded(links: Links) -> set[tuple[str, str]]:
    """Between which of its interfaces a zone switch without rules forwards."""
    files = below(running_network.files(links, recorded("linux-bridge-vlan"), []))
    files["etc/sysctl.d/50-podwright-zone-gateway.conf"] = "net.ipv4.ip_forward = 1\n"
    routing = zone_switch_routing(declared("east-zsw1"), files, OWNERSHIP)
    return {(crossing.source[0].place, crossing.target[0].place) for crossing in routing.crossings}


def test_options_that_do_not_say_where_frames_go_are_left_out() -> None:
    options = ["map", [["key", "5001"], ["psk", "swordfish"], ["remote_ip", "192.0.2.1"]]]
    rows = {
        "Bridge": [],
        "Port": [],
        "Interface": [{"_uuid": ["uuid", "1"], "name": "vx", "type": "vxlan", "options": options}],
        "QoS": [],
    }
    text = reply_text(openvswitch.without_secrets(rows), TABLES)
    assert "swordfish" not in text
    assert '"options": ["map", [["key", "5001"], ["remote_ip", "192.0.2.1"]]]' in text
