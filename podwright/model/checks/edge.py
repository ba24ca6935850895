"""Firewalls, what stands before and behind them, and the encrypted ways between zones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from itertools import permutations

from podwright.model.checks.declaration import Declaration
from podwright.model.checks.networks import outside, own_addresses_outside
from podwright.model.cloud import Zone
from podwright.model.document import Finding, KeyPath
from podwright.model.edge import FirewallRule, Transit, TranslatedManagement, Vpn
from podwright.model.views import is_transparent, routed, zone_management_subnet
from podwright.model.vpn_traffic import Kind, kind_of, shown_by

# What a zone without firewalls has no use for.
_BEHIND_FIREWALLS = ("transit", "firewall_rules", "controllers", "management_reached_through")
_WITH_PORTS = ("tcp", "udp")
_AT_END: Mapping[Kind, str] = {
    "customers": "public networks",
    "management": "controllers, or of what its management network is reached through",
}


def check(declaration: Declaration) -> Iterator[Finding]:
    """Zone by zone, then what zones have in common: controllers, and VPNs."""
    for name, zone in declaration.cloud.zones.items():
        path: KeyPath = ("zones", name)
        yield from _firewalls(path, zone)
        if is_transparent(zone):
            yield from _transparent(path, zone)
        elif zone.firewalls and zone.transit:
            yield from _transit(declaration, path, zone, zone.transit)
        if zone.firewalls:
            yield from _management(path, zone)
        for rule_name, rule in zone.firewall_rules.items():
            yield from _rule(declaration, name, zone, (*path, "firewall_rules", rule_name), rule)
    yield from _controllers_side(declaration)
    yield from _vpns(declaration)


def _firewalls(path: KeyPath, zone: Zone) -> Iterator[Finding]:
    if len(zone.firewalls) > 2 and zone.firewall_mode == "routed":
        yield Finding((*path, "firewalls"), f"{len(zone.firewalls)} firewalls", "one or two", "declare one, or a pair")
    if zone.firewalls and zone.transit is None and zone.firewall_mode == "routed":
        remedy = "add vlan, subnet, firewall_address and zone_switch_address of the network between them"
        yield Finding((*path, "transit"), None, "a network between firewalls and zone switches", remedy)
    if not zone.firewalls:
        for key in _BEHIND_FIREWALLS:
            if getattr(zone, key):
                remedy = "declare firewalls, or remove it"
                yield Finding((*path, key), key, "of use in a zone without firewalls", remedy)
        if zone.routing == "ospf":
            remedy = "declare firewalls, or write static"
            yield Finding((*path, "routing"), zone.routing, "of use in a zone without firewalls", remedy)
        if zone.firewall_mode == "transparent":
            remedy = "declare firewalls, or remove it"
            yield Finding((*path, "firewall_mode"), zone.firewall_mode, "of use in a zone without firewalls", remedy)


def _transparent(path: KeyPath, zone: Zone) -> Iterator[Finding]:
    """A bridge has no neighbours in a transit network, and sees every frame only where the kernel forwards it."""
    expected = "of use behind transparent firewalls"
    if zone.transit:
        remedy = "remove it, for zone switches have the upstream addresses; or write firewall_mode: routed"
        yield Finding((*path, "transit"), "transit", expected, remedy)
    if zone.routing == "ospf":
        remedy = "write static, for firewalls without addresses route nothing; or write firewall_mode: routed"
        yield Finding((*path, "routing"), zone.routing, expected, remedy)
    for name, firewall in zone.firewalls.items():
        if firewall.network_backend == "openvswitch":
            at: KeyPath = (*path, "firewalls", name, "network_backend")
            remedy = "write linux, for nftables sees no frame of Open vSwitch; or write firewall_mode: routed"
            yield Finding(at, firewall.network_backend, "the backend of a transparent firewall", remedy)


def _transit(declaration: Declaration, path: KeyPath, zone: Zone, transit: Transit) -> Iterator[Finding]:
    at: KeyPath = (*path, "transit")
    for key, own, kind in (
        ("firewall_address", zone.firewalls, "firewall"),
        ("zone_switch_address", zone.zone_switches, "zone switch"),
    ):
        yield from outside((*at, key), getattr(transit, key), transit.subnet)
        yield from own_addresses_outside((*at, key), getattr(transit, key), transit.subnet, len(own), kind)
    for name, pod in zone.pods.items():
        for key, network in routed(pod.networks).items():
            other = (*path, "pods", name, "networks", key, "vlan")
            if transit.vlan is not None and network.vlan == transit.vlan:
                remedy = f"{declaration.where(other)} has it, too: change one"
                yield Finding((*at, "vlan"), str(transit.vlan), "a VLAN of its own on the zone switches", remedy)


def _management(path: KeyPath, zone: Zone) -> Iterator[Finding]:
    reached, whole = zone.management_reached_through, zone.management_network
    for name, firewall in zone.firewalls.items():
        at: KeyPath = (*path, "firewalls", name)
        inside = firewall.inside_management_address
        if reached is None and inside is not None:
            remedy = "remove it: controllers stand in the management network itself"
            yield Finding((*at, "inside_management_address"), str(inside), "of use without translation", remedy)
        elif reached and inside is None:
            remedy = f"add one of {whole} outside the pods, beside those of the zone switches"
            yield Finding((*at, "inside_management_address"), None, "an address inside", remedy)
        elif reached and inside is not None and whole:
            yield from _beside(path, zone, inside)
        address = firewall.management_address
        if reached and address is not None and whole and (address in whole or address in (reached.network or ())):
            remedy = "give one of the controllers' network, which is neither the management network nor stands for it"
            yield Finding((*at, "management_address"), str(address), "outside the zone", remedy)
    if reached and reached.network and whole and reached.network.prefixlen != whole.prefixlen:
        expected, remedy = f"as large as {whole}", f"give a network with the prefix length {whole.prefixlen}"
        yield Finding((*path, "management_reached_through", "network"), str(reached.network), expected, remedy)


def _beside(path: KeyPath, zone: Zone, inside: IPv4Address) -> Iterator[Finding]:
    """Zone switches answer nobody but who is on their link."""
    subnet = zone_management_subnet(zone, inside)
    for name, switch in zone.zone_switches.items():
        if switch.management_address is not None and switch.management_address not in subnet:
            at = (*path, "zone_switches", name, "management_address")
            remedy = "give one that is, for zone switches answer only who is on their link"
            yield Finding(at, str(switch.management_address), f"in {subnet}, as that of the firewall is", remedy)


def _rule(declaration: Declaration, zone_name: str, zone: Zone, at: KeyPath, rule: FirewallRule) -> Iterator[Finding]:
    inside = "destination" if rule.direction == "in" else "source"
    network: IPv4Network | None = getattr(rule, inside)
    public = [pod.networks.public.subnet for pod in zone.pods.values() if pod.networks.public.subnet]
    if rule.ports and rule.protocol not in _WITH_PORTS:
        yield Finding((*at, "protocol"), rule.protocol, "a protocol with ports", "write tcp or udp, or remove ports")
    if rule.account is not None and network is not None:
        yield Finding((*at, inside), str(network), f"possible beside account {rule.account}", "remove one of both")
    elif network is not None and rule.direction and not any(network.subnet_of(each) for each in public):
        expected = f"a part of the public networks of {zone_name}"
        yield Finding((*at, inside), str(network), expected, f"give a part of {', '.join(map(str, public))}")
    accounts = declaration.cloud.accounts
    yield from declaration.unknown((*at, "account"), rule.account, "an account", accounts, ("accounts",))
    if (
        rule.account is not None
        and rule.account in accounts
        and zone_name not in {guest_network.zone for guest_network in accounts[rule.account].guest_networks.values()}
    ):
        remedy = "declare one, or remove the rule"
        yield Finding((*at, "account"), rule.account, f"an account with a guest network in {zone_name}", remedy)


def _controllers_side(declaration: Declaration) -> Iterator[Finding]:
    """Where controllers stand, zones do not repeat each other."""
    networks: list[tuple[IPv4Network, KeyPath]] = []
    addresses: dict[IPv4Address, KeyPath] = {}
    for name, zone in declaration.cloud.zones.items():
        path: KeyPath = ("zones", name)
        reached = zone.management_reached_through
        network = (reached.network, (*path, "management_reached_through", "network")) if reached else None
        own, at = network or (zone.management_network, (*path, "management_network"))
        if own is None:
            continue
        for other, other_at in networks:
            if own.overlaps(other) and {own_at[2] for own_at in (at, other_at)} != {"management_network"}:
                remedy = f"{declaration.where(other_at)} is {other}: move one of them"
                yield Finding(at, str(own), "a network of its own where controllers stand", remedy)
        networks.append((own, at))
        if reached:
            yield from _own_addresses(declaration, path, zone, reached, addresses)


def _own_addresses(
    declaration: Declaration,
    path: KeyPath,
    zone: Zone,
    reached: TranslatedManagement,
    addresses: dict[IPv4Address, KeyPath],
) -> Iterator[Finding]:
    claims: list[tuple[IPv4Address | None, KeyPath]] = [
        (firewall.management_address, (*path, "firewalls", name, "management_address"))
        for name, firewall in zone.firewalls.items()
    ]
    claims.append((reached.address, (*path, "management_reached_through", "address")))
    for address, at in claims:
        if address is not None and (first := addresses.setdefault(address, at)) != at:
            remedy = f"{declaration.where(first)} has it, too: change one"
            yield Finding(at, str(address), "an address of its own where controllers stand", remedy)


def _vpns(declaration: Declaration) -> Iterator[Finding]:
    zones = declaration.cloud.zones
    joined: dict[frozenset[str], KeyPath] = {}
    for name, vpn in declaration.cloud.vpns.items():
        path: KeyPath = ("vpns", name, "networks")
        if len(vpn.networks) != 2:
            found = ", ".join(vpn.networks) or "none"
            yield Finding(path, found, "a pair of zones", "name two zones, each with its networks")
        for zone_name, networks in vpn.networks.items():
            at = (*path, zone_name)
            yield from declaration.unknown(at, zone_name, "a zone", zones, ("zones",))
            if zone_name in zones:
                yield from _vpn_side(at, zone_name, zones[zone_name], networks or ())
        first = joined.setdefault(frozenset(vpn.networks), path)
        if first != path:
            remedy = f"{declaration.where(first)} joins them: declare all networks there"
            yield Finding(path, " and ".join(sorted(vpn.networks)), "a pair of its own", remedy)
        yield from _vpn_overlaps(path, vpn)
        yield from _vpn_unanswered(declaration, path, vpn)


def _vpn_side(at: KeyPath, zone_name: str, zone: Zone, networks: tuple[IPv4Network, ...]) -> Iterator[Finding]:
    if not zone.firewalls:
        remedy = f"declare zones.{zone_name}.firewalls"
        yield Finding(at, zone_name, "a zone with firewalls", remedy)
    if is_transparent(zone):
        mode = f"zones.{zone_name}.firewall_mode: routed"
        remedy = f"remove the VPN, for transparent ones have no address that ends it; or write {mode}"
        yield Finding(at, zone_name, "a zone whose firewalls route", remedy)
    if not networks:
        yield Finding(at, None, "a network", "name those that the other zone may talk to")
    for index, network in enumerate(networks):
        if network is not None and kind_of(zone, network) is None:
            expected = f"a part of what {zone_name} shows to other zones"
            shown = [whole for of_kind in shown_by(zone).values() for whole in of_kind]
            yield Finding((*at, index), str(network), expected, f"give a part of {', '.join(map(str, shown))}")


def _vpn_unanswered(declaration: Declaration, path: KeyPath, vpn: Vpn) -> Iterator[Finding]:
    """Networks that nobody at the other end may talk to: each kind needs one on both ends."""
    zones = declaration.cloud.zones
    if len(vpn.networks) != 2 or not all(name in zones for name in vpn.networks):
        return
    kinds = {
        name: [kind_of(zones[name], network) if network else None for network in networks or ()]
        for name, networks in vpn.networks.items()
    }
    for here, there in permutations(kinds):
        if None in kinds[there] or not kinds[there]:
            continue  # told already
        for index, kind in enumerate(kinds[here]):
            if kind is not None and kind not in kinds[there]:
                expected = f"a network that one of {there} may talk to"
                remedy = f"add one of {there}'s {_AT_END[kind]}, which alone may, or remove it"
                yield Finding((*path, here, index), str(vpn.networks[here][index]), expected, remedy)


def _vpn_overlaps(path: KeyPath, vpn: Vpn) -> Iterator[Finding]:
    sides: Mapping[str, tuple[IPv4Network, ...]] = vpn.networks
    if len(sides) != 2:
        return
    (first, first_networks), (second, second_networks) = sides.items()
    for index, network in enumerate(second_networks or ()):
        for other in first_networks or ():
            if network and other and network.overlaps(other):
                remedy = f"{first} has {other}: what both have cannot be told apart"
                yield Finding((*path, second, index), str(network), "on one side of a VPN only", remedy)
