"""Where everything of a cloud stands: zones below each other, in tiers from the provider down to the machines."""

from __future__ import annotations

import colorsys
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from podwright.allocation import Leases
from podwright.graph.blocks import Block, Box, Line, below, beside, framed, in_rows, of_box, text_box
from podwright.graph.wires import Cable, Row, lanes_height, wire
from podwright.model.cloud import Cloud, Pod, PodSwitch, Zone
from podwright.model.natural_order import natural
from podwright.model.racks import racks, switches_in
from podwright.model.views import Domain, devices, domains, guest_network_pods, guest_networks, infrastructure

_GAP = 14.0
_MOST_CHIPS = 12
"""Machines of a hypervisor that are shown one by one; of more, how many each account has"""
_ASPECT = 1.6
"""How much wider than high a picture is best"""


@dataclass(frozen=True)
class Picture:
    """All that is to be drawn."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


class _Plot:
    """What is drawn from."""

    def __init__(self, cloud: Cloud, leases: Leases) -> None:
        self.cloud = cloud
        self.leases = leases
        self.colours = colours(cloud)
        self.declared = {device.name: device.declared for device in devices(cloud)}
        self.vpns = {
            firewall: [f"VPN to {other}" for other in _joined_by_vpn(cloud, name)]
            for name, zone in cloud.zones.items()
            for firewall in zone.firewalls
        }
        self.on: dict[str, list[Domain]] = {}
        self._cables: dict[str, list[Cable]] = {}
        for cable in (cable for zone in cloud.zones.values() for cable in zone.cables):
            for near, far in ((cable.a, cable.b), (cable.b, cable.a)):
                self._cables.setdefault(near.device, []).append(Cable(near.device, far.device, f"{near} - {far}"))
        for domain in domains(cloud):
            self.on.setdefault(leases.placements[domain.name], []).append(domain)

    def cables(self, names: Iterable[str]) -> list[Cable]:
        """The cables of devices, which are the upper ends of them."""
        return [cable for name in names for cable in self._cables.get(name, ())]


def _joined_by_vpn(cloud: Cloud, zone: str) -> list[str]:
    """The zones that a zone has a VPN to."""
    others = (vpn.networks.keys() - {zone} for vpn in cloud.vpns.values() if zone in vpn.networks)
    return sorted((name for names in others for name in names), key=natural)


def lay_out(cloud: Cloud, leases: Leases) -> Picture:
    """Lay out a cloud; the same for equal clouds and leases."""
    plot = _Plot(cloud, leases)
    zones = [_zone(plot, name, zone) for name, zone in sorted(cloud.zones.items())]
    width = max(zone.width for zone in zones)
    zones = [_widened(zone, width) for zone in zones]
    title = of_box(text_box("cloud", "title", [f"{cloud.name} ({cloud.domain})"]))
    legend = _legend(plot, width)
    whole = below([title, *zones, *([legend] if legend.boxes else [])], _GAP).moved(_GAP, _GAP)
    return Picture(whole.width + 2 * _GAP, whole.height + 2 * _GAP, whole.boxes, whole.lines)


def colours(cloud: Cloud) -> dict[str, str]:
    """A colour for each account, as far from its neighbours' as can be: hues the golden angle apart."""
    return {account: _colour(number) for number, account in enumerate(sorted(cloud.accounts, key=natural))}


def _colour(number: int) -> str:
    """Light enough for text: the n-th hue, in two shades by turns."""
    red, green, blue = colorsys.hls_to_rgb(number * 137.508 % 360 / 360, (0.83, 0.75)[number % 2], 0.65)
    return "#" + "".join(f"{round(part * 255):02x}" for part in (red, green, blue))


def _zone(plot: _Plot, name: str, zone: Zone) -> Block:
    """The provider, the firewalls if there are any, the zone switches, and rows of pods."""
    firewalls = _abreast(plot, "firewall", zone.firewalls)
    switches = _abreast(plot, "zone_switch", zone.zone_switches)
    pods = [_pod(plot, zone, pod_name, pod) for pod_name, pod in sorted(zone.pods.items(), key=_by_name)]
    widest = max((pod.width for pod in pods), default=0)  # of one width, so that they stand in columns
    rows = [beside(row, _GAP) for row in in_rows([_widened(pod, widest) for pod in pods], _columns(pods))]
    grid = _with_lanes(rows, switches)
    provider = text_box(
        f"{name} upstream", "upstream", [f"upstream {zone.upstream.network}, gateway {zone.upstream.gateway}"]
    )
    above = [of_box(provider), *([firewalls] if zone.firewalls else []), switches]
    width = max(block.width for block in (*above, grid))
    content = below([*(_centred(block, width) for block in above), grid], 18)
    return framed(name, "zone", [_zone_title(plot, name, zone)], _wired_zone(plot, zone, content, rows))


def _wired_zone(plot: _Plot, zone: Zone, content: Block, rows: Sequence[Block]) -> Block:
    """The tiers of a zone and the cables between them."""
    boxes = {box.name: box for box in content.boxes}
    upper = [boxes[name] for name in sorted(zone.zone_switches, key=natural)]
    lower = [_row(row, boxes, "pod", ("pod_switch",)) for row in rows]
    lines = wire(upper, lower, plot.cables(zone.zone_switches))
    provider = content.boxes[0]
    for cable in plot.cables([*zone.firewalls, *zone.zone_switches]):
        if cable.lower == "upstream":
            lines.append(_up(boxes[cable.upper], provider, cable.hint))
        elif cable.upper in zone.firewalls and cable.lower in zone.zone_switches:
            lines.append(_between(boxes[cable.lower], boxes[cable.upper], cable.hint))
    lines += _peers(plot, boxes, zone.zone_switches)
    return Block(content.width, content.height, content.boxes, (*content.lines, *lines))


def _abreast(plot: _Plot, kind: str, names: Iterable[str]) -> Block:
    return beside((of_box(_device(name, kind, plot)) for name in sorted(names, key=natural)), 60)


def _zone_title(plot: _Plot, name: str, zone: Zone) -> str:
    building = plot.cloud.data_centers[zone.data_center].description
    return f"zone {name}, data center {zone.data_center}{f': {building}' if building else ''}"


def _pod(plot: _Plot, zone: Zone, name: str, pod: Pod) -> Block:
    """The pod switches, and rows of hosts, or of racks with their own."""
    content = _racks(plot, name, pod) if racks(pod) else _layer(plot, pod, None)
    networks = ", ".join(f"{purpose} {network.vlan}" for purpose, network in infrastructure(pod.networks).items())
    note = text_box(f"{name} networks", "note", [f"VLANs: {networks}"])
    return framed(name, "pod", [f"pod {name}"], below([content, of_box(note)], 8))


def _racks(plot: _Plot, name: str, pod: Pod) -> Block:
    """The pod switches that join racks, and rows of racks."""
    framed_racks = [
        framed(f"{name} rack {rack}", "rack", [f"rack {rack}"], _layer(plot, pod, rack)) for rack in racks(pod)
    ]
    return _wired(plot, switches_in(pod, None), framed_racks, "rack", ("pod_switch",))


def _layer(plot: _Plot, pod: Pod, rack: str | None) -> Block:
    """The pod switches of a rack, or of a pod without racks, and rows of storage servers and hypervisors."""
    servers = [name for name, server in pod.storage_servers.items() if server.rack == rack]
    hypervisors = [name for name, hypervisor in pod.hypervisors.items() if hypervisor.rack == rack]
    hosts = [of_box(_device(server, "storage_server", plot)) for server in sorted(servers, key=natural)]
    hosts += [_hypervisor(plot, hypervisor) for hypervisor in sorted(hypervisors, key=natural)]
    return _wired(plot, switches_in(pod, rack), hosts, None, _HOSTS)


def _wired(
    plot: _Plot, switches: Sequence[str], blocks: Sequence[Block], frame: str | None, kinds: Sequence[str]
) -> Block:
    """Pod switches, rows of what is below them, and the cables to the boxes of some kinds there, in frames or bare."""
    switches = _in_line(plot, switches)
    above = beside((of_box(_device(switch, "pod_switch", plot)) for switch in switches), 40)
    rows = [beside(row, _GAP) for row in in_rows(blocks, _columns(blocks))]
    grid = _with_lanes(rows, above)
    content = below([_centred(above, max(grid.width, above.width)), grid], 8)
    boxes = {box.name: box for box in content.boxes}
    upper = [boxes[switch] for switch in switches]
    lower = [_row(row, boxes, frame, kinds) for row in rows]
    lines = wire(upper, lower, plot.cables(switches)) + _peers(plot, boxes, switches)
    return Block(content.width, content.height, content.boxes, (*content.lines, *lines))


_HOSTS = ("storage_server", "hypervisor")
_PUBLIC = "#fdf3dc"
"""The colour of public pod switches, which is the provider's"""


def _in_line(plot: _Plot, switches: Iterable[str]) -> list[str]:
    """Pod switches from left to right: by name, public ones after private ones."""
    return sorted(switches, key=lambda name: (_carries(plot, name), natural(name)))


def _carries(plot: _Plot, name: str) -> str:
    """What a pod switch carries alone; nothing for all others."""
    declared = plot.declared[name]
    return (declared.carries or "") if isinstance(declared, PodSwitch) else ""


def _device(name: str, kind: str, plot: _Plot) -> Box:
    """A device: its address, its cable to the management network if any, its VPNs, and what a pod switch carries."""
    declared = plot.declared[name]
    ends = [cable.hint for cable in plot.cables([name]) if cable.lower == "management"]
    carries = _carries(plot, name)
    lines = [
        name,
        str(declared.management_address),
        *(f"mgmt {_port(hint)}" for hint in ends),
        *plot.vpns.get(name, []),
        *([f"{carries} only"] if carries else []),
    ]
    return text_box(name, kind, lines, fill=_PUBLIC if carries == "public" else "", hint=kind.replace("_", " "))


def _port(hint: str) -> str:
    return hint.partition(" - ")[0].partition(":")[2]


def _hypervisor(plot: _Plot, name: str) -> Block:
    device = _device(name, "hypervisor", plot)
    return framed(name, "hypervisor", device.lines, below(_chips(plot, name), 4), hint=device.hint)


def _chips(plot: _Plot, hypervisor: str) -> list[Block]:
    """The machines of a hypervisor, or what accounts have how many."""
    there = plot.on.get(hypervisor, [])
    if len(there) <= _MOST_CHIPS:
        return [of_box(_chip(plot, domain)) for domain in there]
    counts = sorted(Counter(domain.account for domain in there).items(), key=lambda item: (-item[1], item[0]))
    shown = counts if len(counts) <= _MOST_CHIPS else counts[: _MOST_CHIPS - 1]
    boxes = [
        text_box(f"{hypervisor} {account}", "machine", [f"{account} x{count}"], fill=plot.colours[account])
        for account, count in shown
    ]
    if len(shown) < len(counts):
        rest = counts[len(shown) :]
        text = f"{len(rest)} accounts more x{sum(count for _, count in rest)}"
        boxes.append(text_box(f"{hypervisor} more", "machine", [text]))
    return list(map(of_box, boxes))


def _chip(plot: _Plot, domain: Domain) -> Box:
    vlans = {name: plot.leases.guest_vlans[domain.account, name, domain.pod] for name in domain.guest_networks}
    networks = " and ".join(f"{domain.account}/{name}, VLAN {vlan}" for name, vlan in vlans.items())
    hint = f"{domain.role.replace('_', ' ')} of {networks}"
    return text_box(domain.name, domain.role, [domain.name], fill=plot.colours[domain.account], hint=hint)


def _legend(plot: _Plot, width: float) -> Block:
    """A chip for each guest network, in rows of the picture's width."""
    chips = []
    pods = guest_network_pods(plot.cloud)
    for placed in sorted(
        guest_networks(plot.cloud), key=lambda placed: (natural(placed.account), natural(placed.name))
    ):
        vlans = [
            f"VLAN {plot.leases.guest_vlans[placed.account, placed.name, pod]} in {placed.zone}/{pod}"
            for pod in pods[placed.account, placed.name]
        ]
        subnet = plot.leases.guest_subnets[placed.account, placed.name]
        text = f"{placed.account}/{placed.name}: {', '.join([*vlans, str(subnet)])}"
        chips.append(of_box(text_box(f"legend {text}", "legend", [text], fill=plot.colours[placed.account])))
    if not chips:
        return Block(0, 0)
    # Of one width, so that they stand in columns.
    widest = max(chip.width for chip in chips)
    chips = [Block(widest, chip.height, tuple(replace(box, width=widest) for box in chip.boxes)) for chip in chips]
    columns = max(1, int((width + 6) // (widest + 6)))
    return below((beside(row, 6) for row in in_rows(chips, columns)), 6)


def _by_name(item: tuple[str, object]) -> list[tuple[int, str]]:
    return natural(item[0])


def _columns(blocks: Sequence[Block]) -> int:
    """How many stand in a row, so that the whole is not too high and not too wide."""
    area = sum((block.width + _GAP) * (block.height + _GAP) for block in blocks)
    widest = max((block.width + _GAP for block in blocks), default=1)
    fitting = max(4, round(math.sqrt(area * _ASPECT) / widest))
    rows = math.ceil(len(blocks) / fitting)
    return math.ceil(len(blocks) / rows) if rows else 1


def _with_lanes(rows: Iterable[Block], upper: Block) -> Block:
    """Rows with room for the lanes of a tier above each and at the left."""
    room = lanes_height(upper.boxes)
    lowered = (replace(row.moved(room, room), width=row.width + room, height=row.height + room) for row in rows)
    return below(lowered, 4)


def _row(row: Block, boxes: Mapping[str, Box], frame: str | None, kinds: Sequence[str]) -> Row:
    """A row as it stands now, by where its boxes are: those of some kinds, in frames or by themselves."""
    standing = [boxes[box.name] for box in row.boxes if box.kind in kinds]
    frames = [boxes[box.name] for box in row.boxes if box.kind == frame] or standing
    return Row(min(box.y for box in frames), standing)


def _widened(framed_block: Block, width: float) -> Block:
    """A block whose frame, its first box, is wider."""
    frame, *boxes = framed_block.boxes
    return replace(framed_block, width=width, boxes=(replace(frame, width=width), *boxes))


def _centred(block: Block, width: float) -> Block:
    """A block in the middle of a width."""
    return replace(block.moved((width - block.width) / 2, 0), width=width)


def _up(lower: Box, upper: Box, hint: str) -> Line:
    x = lower.x + lower.width / 2
    return Line(((x, lower.y), (x, upper.bottom)), "cable", hint)


def _between(lower: Box, upper: Box, hint: str) -> Line:
    """A cable straight from the middle of one to that of the other."""
    return Line(((lower.x + lower.width / 2, lower.y), (upper.x + upper.width / 2, upper.bottom)), "cable", hint)


def _peers(plot: _Plot, boxes: Mapping[str, Box], names: Iterable[str]) -> list[Line]:
    """Cables between devices that stand side by side."""
    among = sorted(names, key=natural)
    lines = []
    for cable in plot.cables(among):
        if cable.lower in among[among.index(cable.upper) + 1 :]:
            left, right = boxes[cable.upper], boxes[cable.lower]
            y = left.y + left.height / 2
            lines.append(Line(((left.right, y), (right.x, y)), "cable", cable.hint))
    return lines
