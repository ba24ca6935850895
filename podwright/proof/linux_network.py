"""Linux devices: bonds, bridges, VLANs and addresses, by systemd-networkd's files and the database of Open vSwitch."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.podwright.cloud.plugins.module_utils.host_network import MANAGEMENT_INTERFACE

from podwright.model.views import Device
from podwright.proof.networkd_text import UnitFile, is_yes, unit_files, vlan_ids
from podwright.proof.ovs_rows import switch_wiring
from podwright.proof.ownership import Ownership
from podwright.proof.wiring import ALL_VLANS, Attachment, Overlay, Owner, Point, Tunnel, Wiring

_ALL = "00:00:00:00:00:00"
# What a link is, of those kinds that carry frames on (systemd.netdev(5), ip-link(8)); all others only end them.
_UNFOLLOWED = {"ipvlan", "ipvtap", "macvtap", "veth", "team", "hsr", "macsec"}
_UNFOLLOWED |= {"gre", "gretap", "ip6gre", "ip6gretap", "erspan", "ip6erspan", "geneve", "batadv", "wireguard", "vcan"}


def network_wiring(device: Device, files: Mapping[str, str], ownership: Ownership) -> Wiring:
    """Read the network of a Linux device, and who is in it by the addresses that it has."""
    wiring = switch_wiring(device.name, device.zone, files)
    places = {node.place for join in wiring.joins for node in join if isinstance(node, Point)}
    made_by_switch = places - {name for _, name in wiring.passing}
    links = _Links(device, unit_files(files, ".netdev"), unit_files(files, ".network"), made_by_switch)
    for name in links.netdevs:  # what networkd makes has no cable, also where Open vSwitch has it for a port
        wiring.passing.pop((device.name, name), None)
    in_switch = {name for _, name in wiring.passing}
    for name, bond in links.bonds.items():
        links.members[name] = [member for member in bond if member not in in_switch]
    wiring.add([_links_wiring(links)])
    everywhere = frozenset(address.partition("/")[0] for _, address in links.addresses())
    wiring.tunnels = [
        tunnel if tunnel.addresses else tunnel._replace(addresses=everywhere) for tunnel in wiring.tunnels
    ]
    inside = {node for join in wiring.joins for node in join}
    beside = _beside(links, wiring)
    for link, address in links.addresses():
        if Point(device.name, link) in beside:
            continue
        owner = ownership.of_address(device.zone, device.pod, address)
        unknown = Owner("address", f"{address} of {device.name}, which is in no declared network")
        wiring.attachments.append(Attachment(Point(device.name, link), owner or unknown))
        if link in links.physical and Point(device.name, link) not in inside:
            wiring.passing[device.name, link].add(None)
    return wiring


@dataclass
class _Links:
    """The links that networkd's files speak of."""

    device: Device
    netdev_files: Iterable[UnitFile]
    network_files: Iterable[UnitFile]
    made_by_switch: Container[str]
    """the ports that Open vSwitch makes itself, which have no cable"""
    netdevs: dict[str, UnitFile] = field(init=False)
    networks: dict[str, UnitFile] = field(init=False)
    """{link: the first file that is about it, by name}"""
    members: dict[str, list[str]] = field(default_factory=dict)
    """{bond: its links}"""

    def __post_init__(self) -> None:
        self.netdevs = {unit.value("NetDev", "Name"): unit for unit in self.netdev_files}
        self.networks = {}
        units = list(self.network_files)
        patterns = {word for unit in units for word in unit.value("Match", "Name").split()}
        names = sorted({*self.netdevs, *(word for word in patterns if not set(word) & set("*?["))})
        for unit in units:
            for name in unit.matched(names):
                self.networks.setdefault(name, unit)

    @property
    def bonds(self) -> dict[str, list[str]]:
        """Every bond and the links that are in it."""
        return {name: self._in("Bond", name) for name in self.netdevs if self.kind(name) == "bond"}

    @property
    def physical(self) -> set[str]:
        """The links that networkd only finds."""
        return self.networks.keys() - self.netdevs.keys()

    def kind(self, name: str) -> str:
        """What networkd makes, in lower case; of what it only finds, nothing."""
        return self.netdevs[name].value("NetDev", "Kind").lower() if name in self.netdevs else ""

    def tells_vlans_apart(self, bridge: str) -> bool:
        """Whether a bridge filters VLANs."""
        return is_yes(self.netdevs[bridge].value("Bridge", "VLANFiltering"))

    def is_isolated(self, name: str) -> bool:
        """Whether a link of a bridge is isolated from the others that are."""
        return is_yes(self.networks[name].value("Bridge", "Isolated"))

    def peers(self, name: str) -> frozenset[str]:
        """The addresses to which a VXLAN link sends what is for all: the entries of the address 0 (bridge(8))."""
        remote = self.netdevs[name].value("VXLAN", "Remote")
        entries = self.networks[name].each("BridgeFDB") if name in self.networks else []
        flooded = {
            entry["Destination"] for entry in entries if entry.get("MACAddress") == _ALL and "Destination" in entry
        }
        return frozenset(flooded | ({remote} if remote else set()))

    def of(self, name: str, key: str) -> list[str]:
        """The values of a key in `[Network]` of a link."""
        unit = self.networks.get(name)
        return list(unit.values("Network", key)) if unit else []

    def addresses(self) -> Iterator[tuple[str, str]]:
        """(link, address) of every IPv4 address that a link is given."""
        for name, unit in sorted(self.networks.items()):
            for address in [*unit.values("Network", "Address"), *unit.values("Address", "Address")]:
                if ":" not in address:
                    yield name, address

    def bridged_vlans(self, name: str) -> Iterator[tuple[int, int | None]]:
        """(VLAN, tag on the link) of what a link of a bridge that tells VLANs apart lets pass."""
        unit = self.networks[name]
        untagged = {vlan for value in unit.values("BridgeVLAN", "EgressUntagged") for vlan in vlan_ids(value)}
        untagged |= {int(value) for value in unit.values("BridgeVLAN", "PVID") if value.isdigit()}
        tagged = {vlan for value in unit.values("BridgeVLAN", "VLAN") for vlan in vlan_ids(value)}
        yield from ((vlan, None) for vlan in sorted(untagged))
        yield from ((vlan, vlan) for vlan in sorted(tagged - untagged))

    def _in(self, key: str, master: str) -> list[str]:
        return sorted(name for name in self.networks if master in self.of(name, key))


def _links_wiring(links: _Links) -> Wiring:
    wiring = Wiring()
    for name in sorted({*links.netdevs, *links.networks}):
        for vlan in links.of(name, "VLAN"):
            _stack(wiring, links, name, vlan)
        for bridge in links.of(name, "Bridge"):
            _bridge(wiring, links, name, bridge)
        for upper in links.of(name, "MACVLAN"):
            _share(wiring, links, name, upper)
        if links.kind(name) == "vxlan":
            _tunnel(wiring, links, name)
        elif links.kind(name) in _UNFOLLOWED:
            kind = links.kind(name)
            wiring.doubts.append(f"{links.device.name}: {name} is of the kind {kind}, which the proof cannot follow")
    return wiring


def _beside(links: _Links, wiring: Wiring) -> set[Point]:
    """The management interface, by which controllers come, and what shares it: beside all that is proved.

    Unless frames get from there to anything else in the device, or the other way.
    """
    names = (MANAGEMENT_INTERFACE, *links.of(MANAGEMENT_INTERFACE, "MACVLAN"))
    beside = {Point(links.device.name, name) for name in names}
    ways = [way for way in [*wiring.joins, *wiring.legs] if beside.intersection(way) and not beside.issuperset(way)]
    return set() if ways else beside


def _share(wiring: Wiring, links: _Links, name: str, upper: str) -> None:
    """One more address (MAC) on a link, such as a virtual router's."""
    inside = Point(links.device.name, upper)
    if name == MANAGEMENT_INTERFACE:
        wiring.joins.append((inside, Point(links.device.name, name)))
    else:
        _send(wiring, links, inside, name, None)


def _stack(wiring: Wiring, links: _Links, parent: str, name: str) -> None:
    """A VLAN interface: what it sends goes out of its parent with a tag."""
    if name not in links.netdevs:
        return
    tag = int(links.netdevs[name].value("VLAN", "Id"))
    upper = Point(links.device.name, name)
    if links.kind(parent) == "bridge":
        if not links.tells_vlans_apart(parent) or (tag, tag) in links.bridged_vlans(parent):
            wiring.joins.append((upper, Point(links.device.name, parent, tag)))
    else:
        _send(wiring, links, upper, parent, tag)


def _bridge(wiring: Wiring, links: _Links, name: str, bridge: str) -> None:
    """A link in a bridge. One that does not tell VLANs apart forwards frames as they are, whatever their tag."""
    if bridge in links.netdevs and links.tells_vlans_apart(bridge):
        ways = [(Point(links.device.name, bridge, vlan), tag) for vlan, tag in links.bridged_vlans(name)]
    else:
        inner = links.kind(name) in ("vlan", "vxlan")
        ways = [(Point(links.device.name, bridge, tag), tag) for tag in ([None] if inner else [None, *ALL_VLANS])]
    for inside, tag in ways:
        ports = _send(wiring, links, inside, name, tag)
        if links.is_isolated(name):
            wiring.isolated |= {(inside, port) for port in ports}


def _send(wiring: Wiring, links: _Links, inside: Point, name: str, tag: int | None) -> list[Point]:
    """Let frames pass between a point and whatever is on the other side of a link; the points there."""
    device = links.device.name
    if links.kind(name) == "bond":
        members = links.members.get(name, [])
        for member in members:
            wiring.open_port(inside, device, member, tag, leg=True)
        return [Point(device, member, tag) for member in members]
    if name in links.netdevs or name in links.made_by_switch:
        wiring.joins.append((inside, Point(device, name, tag)))
    else:
        wiring.open_port(inside, device, name, tag)
    return [Point(device, name, tag)]


def _tunnel(wiring: Wiring, links: _Links, name: str) -> None:
    options = dict(next(links.netdevs[name].each("VXLAN"), {}))
    link = Point(links.device.name, name)
    if not options.get("VNI", "").isdigit():
        wiring.doubts.append(f"{links.device.name}: {name} has no VNI of its own, which the proof cannot follow")
        return
    if "Group" in options:
        wiring.doubts.append(f"{links.device.name}: {name} finds its peers by multicast, which the proof cannot follow")
    overlay = Overlay(links.device.zone, int(options["VNI"]))
    addresses = frozenset({options["Local"]} if "Local" in options else ())
    wiring.joins.append((link, overlay))
    wiring.tunnels.append(Tunnel(link, overlay, addresses, links.peers(name), choosy=False))
