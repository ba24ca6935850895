"""The packet filter of a zone's firewall: a table of nftables, swapped in one transaction (nft(8), -f).

Outside nobody is believed to be one of us, and nobody of us leaves under another's address (RFC 2827, BCP 38). What is
not let in stays out; replies pass. Networks of a VPN never pass the outside in the clear, whether the VPN is up or not.

A transparent firewall has this table for what it routes, which is management, and another for what it bridges
(transparent_firewall.py); rules for who may connect are the same text in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, collapse_addresses
from typing import Any, Literal

from ansible_collections.podwright.cloud.plugins.module_utils import ospf, virtual_routers

TABLE = "podwright_firewall"
TUNNEL = "ipsec0"
"""The interface of strongSwan's own ESP (kernel-libipsec); the kernel's ESP has none."""

# Protocol numbers, for not every host has the names (https://www.iana.org/assignments/protocol-numbers).
ICMP = 1
_PROTOCOLS = {"icmp": ICMP, "tcp": 6, "udp": 17}
_ESP = 50
# IKE, and with it ESP where addresses are translated (RFC 3948 section 4).
_IKE_PORTS = "{ 500, 4500 }"

# Addresses that nobody outside has: this network, private, shared, loopback, link-local (RFC 6890 section 2.2.2),
# multicast and reserved (RFC 5771, RFC 1112).
_NOBODY = [
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "224.0.0.0/3"),
    )
]

Firewall = dict[str, Any]
Esp = Literal["kernel", "process"]
"""Who encrypts: the kernel, or strongSwan where the kernel cannot"""


def table(firewall: Firewall, esp: Esp) -> str:
    """Write the table of what is routed, which on a transparent firewall is management alone."""
    if firewall.get("transparent"):
        firewall = {**firewall, "outside": [], "inside": []}
    chains = [
        chain("spoofed", "filter", "prerouting", "raw", "accept", _spoofed(firewall)),
        chain("destinations", "nat", "prerouting", "dstnat", "accept", _destinations(firewall, esp)),
        chain("input", "filter", "input", "filter", "drop", _input(firewall)),
        chain("forward", "filter", "forward", "filter", "drop", _forward(firewall, esp)),
        chain("sources", "nat", "postrouting", "srcnat", "accept", _sources(firewall, esp)),
        chain("clear", "filter", "postrouting", "110", "accept", _clear(firewall)),
    ]
    return table_text("inet", chains)


def table_text(family: str, chains: Iterable[str]) -> str:
    """Write a table: declared, deleted and declared again, so that it replaces what is there, if anything is."""
    declared = f"table {family} {TABLE}\ndelete table {family} {TABLE}\n"
    return f"{declared}table {family} {TABLE} {{\n" + "\n".join(filter(None, chains)) + "}\n"


def chain(name: str, kind: str, hook: str, priority: str, policy: str, lines: Iterable[str]) -> str:
    """Write a chain; one that accepts all is left out, for not every kernel has each kind."""
    body = "".join(f"\t\t{line}\n" for line in lines)
    if not body and policy == "accept":
        return ""
    return f"\tchain {name} {{\n\t\ttype {kind} hook {hook} priority {priority}; policy {policy};\n{body}\t}}\n"


def foreign(outside: str, ours: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Drop what comes from outside with an address of ours, or of nobody.

    A provider may give us addresses of a private network; its own, and others that are `known`, are there then.
    """
    yield f"{outside} ip saddr {networks(ours)} drop"
    yield f"{outside} ip saddr {networks(known)} accept"
    yield f"{outside} ip saddr {networks(map(str, _NOBODY))} drop"


def ways(firewall: Firewall) -> dict[str, str]:
    """Match the two ways through the firewall: {in, out}."""
    outside, inside = firewall["outside"], firewall["inside"]
    return {
        "in": f"{_from(firewall, outside)} {leaving(inside)}",
        "out": f"{_from(firewall, inside)} {leaving(outside)}",
    }


def crossing(firewall: Firewall) -> Iterator[str]:
    """Say who may connect, in and out; what one rule denies no other allows."""
    way = ways(firewall)
    for rule in sorted(firewall["rules"], key=lambda item: (item["action"] == "allow", item["name"])):
        verdict = "accept" if rule["action"] == "allow" else "drop"
        mine = rule if rule["direction"] == "out" or rule["destinations"] is not None else _to_public(rule, firewall)
        yield f'{way[rule["direction"]]}{_match(mine)} {verdict} comment "{rule["name"]}"'
    yield f"{way['out']} accept"


def coming(interfaces: Iterable[str]) -> str:
    """Match what comes in by some interfaces."""
    return f"iifname {_names(interfaces)}"


def leaving(interfaces: Iterable[str]) -> str:
    """Match what leaves by some interfaces."""
    return f"oifname {_names(interfaces)}"


def networks(members: Iterable[str]) -> str:
    """Write a set of networks; intervals of a set may not overlap (nft(8))."""
    return _set([str(network) for network in collapse_addresses(map(IPv4Network, members))])


def _spoofed(firewall: Firewall) -> Iterator[str]:
    """What comes from outside with an address of ours or of nobody; what was decrypted has come in that way, too."""
    if not firewall["outside"]:
        return
    known = [
        *(str(IPv4Interface(item["address"]).network) for item in _shared(firewall).values()),
        *(tunnel["remote_address"] for tunnel in firewall["vpns"].values()),
    ]
    outside = _from(firewall, firewall["outside"])
    if firewall["vpns"]:
        yield f"{outside} meta ipsec exists accept"
    yield from foreign(outside, firewall["public_networks"], known)


def _destinations(firewall: Firewall, esp: Esp) -> Iterator[str]:
    """Management addresses that controllers and other zones know become those that are inside."""
    if translation := firewall["management"]["translation"]:
        change = f"dnat ip prefix to ip daddr map {{ {translation['reached_through']} : {translation['network']} }}"
        yield f"{_from(firewall, [firewall['management']['interface']])} {change}"
        if firewall["vpns"]:
            yield f"{_decrypted(firewall, esp)} {change}"


def _input(firewall: Firewall) -> Iterator[str]:
    """What the firewall itself answers: its controllers; ping; VRRP; OSPF; and IKE for the other ends of its VPNs.

    Ping only where the address is: Linux would answer for all of them on each interface (RFC 1122 section 3.3.4.2, the
    weak host model), so that customers reached the management address.
    """
    management = firewall["management"]
    yield 'iifname "lo" accept'
    yield "ct state invalid drop"
    yield "ct state established,related accept"
    shared = {item["interface"]: item["address"] for item in firewall["virtual_addresses"] if not item["moves_alone"]}
    for interface, address in sorted({**shared, **management["ports"]}.items()):
        at_home = f"{_from(firewall, [interface])} ip daddr {IPv4Interface(address).network}"
        yield f"{at_home} meta l4proto {_PROTOCOLS['icmp']} accept"
    for item in firewall["virtual_addresses"]:
        yield f"{_from(firewall, [item['interface']])} meta l4proto {virtual_routers.PROTOCOL} accept"
    if routing := firewall["routing"]:
        yield from (f"{_from(firewall, [routing['interface']])} {match} accept" for match in ospf.packets(routing))
    for tunnel in firewall["vpns"].values():
        peer = f"{_from(firewall, firewall['outside'])} ip saddr {tunnel['remote_address']}"
        yield f"{peer} udp dport {_IKE_PORTS} accept"
        yield f"{peer} meta l4proto {_ESP} accept"
    yield f"{_from(firewall, [management['interface']])}{_source(management['controllers'])} accept"


def _forward(firewall: Firewall, esp: Esp) -> Iterator[str]:
    outside, inside = firewall["outside"], firewall["inside"]
    yield "ct state invalid drop"
    for tunnel in firewall["vpns"].values():
        yield from _vpn(firewall, tunnel, esp)
    if outside and inside:
        # No private source leaves, and no public one of somebody else.
        yield f"{leaving(outside)} ip saddr != {networks(firewall['public_networks'])} drop"
    yield "ct state established,related accept"
    yield from _controllers(firewall)
    if outside and inside:
        yield from crossing(firewall)


def _to_public(rule: dict[str, Any], firewall: Firewall) -> dict[str, Any]:
    """A rule that lets in to any address: any public one, for nobody outside asks for others."""
    return {**rule, "destinations": firewall["public_networks"]}


def _controllers(firewall: Firewall) -> Iterator[str]:
    """Controllers pass to management, at the addresses that they know."""
    management = firewall["management"]
    if (translation := management["translation"]) and management["ports"]:
        came = f"{_from(firewall, [management['interface']])}{_source(management['controllers'])}"
        yield f"{came} {leaving(management['ports'])} ct original ip daddr {translation['reached_through']} accept"


def _vpn(firewall: Firewall, tunnel: dict[str, Any], esp: Esp) -> Iterator[str]:
    """Allowed networks pass the tunnel, and only the tunnel; so do replies, which is why these rules come first.

    Customers come from and get to the zone switches, and nobody of them to where devices are managed.
    """
    management = firewall["management"]
    ends = {"customers": firewall["inside"], "management": [management["interface"], *management["ports"]]}
    for kind, selectors in sorted(tunnel["traffic"].items()):
        yield from _selected(firewall, ends[kind], selectors, esp)
    local, remote = _ends(tunnel)
    yield f"{_from(firewall, firewall['outside'])} ip saddr {remote} ip daddr {local} drop"


def _selected(firewall: Firewall, ends: list[str], selectors: dict[str, Any], esp: Esp) -> Iterator[str]:
    """What passes between some interfaces and the networks that may talk to each other there."""
    local, remote = networks(selectors["local"]), networks(selectors["remote"])
    translation = firewall["management"]["translation"]
    own = networks([*selectors["local"], *_untranslated(selectors["local"], translation)])
    entered = f"ip saddr {remote} ct original ip daddr {local}"
    answered = f"ip saddr {remote} ct original ip saddr {own} ct direction reply"
    yield f"{_decrypted(firewall, esp)} {leaving(ends)} {entered} accept"
    yield f"{_decrypted(firewall, esp)} {leaving(ends)} {answered} accept"
    yield f"{_from(firewall, ends)} {_encrypted(firewall, esp)} ip saddr {own} ip daddr {remote} accept"


def _sources(firewall: Firewall, esp: Esp) -> Iterator[str]:
    """Inside, controllers have the firewall's own address, for devices answer only who is on their link.

    Who leaves by a VPN has the management address that other zones know.
    """
    management = firewall["management"]
    translation = management["translation"]
    if not translation:
        return
    for port, address in sorted(management["ports"].items()):
        own = IPv4Interface(address).ip
        yield f"{leaving([port])} ct original ip daddr {translation['reached_through']} snat ip to {own}"
    known = f"snat ip prefix to ip saddr map {{ {translation['network']} : {translation['reached_through']} }}"
    for tunnel in firewall["vpns"].values():
        if selectors := tunnel["traffic"].get("management"):
            yield f"{_encrypted(firewall, esp)} ip daddr {networks(selectors['remote'])} {known}"


def _clear(firewall: Firewall) -> Iterator[str]:
    """Networks of a VPN do not leave in the clear; after sources were translated, the kernel knows what it encrypts."""
    for tunnel in firewall["vpns"].values():
        local, remote = _ends(tunnel)
        yield f"{leaving(firewall['outside'])} ip saddr {local} ip daddr {remote} rt ipsec missing drop"


def _decrypted(firewall: Firewall, esp: Esp) -> str:
    return f'iifname "{TUNNEL}"' if esp == "process" else f"{_from(firewall, firewall['outside'])} meta ipsec exists"


def _encrypted(firewall: Firewall, esp: Esp) -> str:
    return f'oifname "{TUNNEL}"' if esp == "process" else leaving(firewall["outside"])


def _ends(tunnel: dict[str, Any]) -> tuple[str, str]:
    """All networks on both ends of a VPN, whoever may talk to whom."""
    selectors = tunnel["traffic"].values()
    local, remote = ([network for each in selectors for network in each[end]] for end in ("local", "remote"))
    return networks(local), networks(remote)


def _untranslated(networks: Iterable[str], translation: dict[str, str] | None) -> list[str]:
    """The networks inside that some of `networks` stand for."""
    if translation is None:
        return []
    known, inside = (IPv4Network(translation[key]) for key in ("reached_through", "network"))
    distance = int(inside.network_address) - int(known.network_address)
    parts = [network for network in map(IPv4Network, networks) if network.subnet_of(known)]
    return [f"{IPv4Address(int(part.network_address) + distance)}/{part.prefixlen}" for part in parts]


def _shared(firewall: Firewall) -> dict[str, Any]:
    return {
        item["interface"]: item for item in firewall["virtual_addresses"] if item["interface"] in firewall["outside"]
    }


def _match(rule: dict[str, Any]) -> str:
    destinations = f" ip daddr {networks(rule['destinations'])}" if rule["destinations"] is not None else ""
    if rule["protocol"] and rule["ports"]:
        protocol = f" {rule['protocol']} dport {_set(rule['ports'])}"
    else:
        protocol = f" meta l4proto {_PROTOCOLS[rule['protocol']]}" if rule["protocol"] else ""
    return f"{_source(rule['sources'])}{destinations}{protocol}"


def _source(sources: list[str] | None) -> str:
    return "" if sources is None else f" ip saddr {networks(sources)}"


def _from(firewall: Firewall, interfaces: Iterable[str]) -> str:
    shared = {item["interface"] for item in firewall["virtual_addresses"]}
    return coming(name for each in interfaces for name in virtual_routers.interfaces(each, shared))


def _names(interfaces: Iterable[str]) -> str:
    return _set([f'"{name}"' for name in interfaces])


def _set(members: list[str]) -> str:
    return members[0] if len(members) == 1 else f"{{ {', '.join(members)} }}"
