"""The packet filter of a zone's firewall: one table of nftables, swapped in one transaction (nft(8), -f).

Outside nobody is believed to be one of us, and nobody of us leaves under another's address (RFC 2827, BCP 38). What is
not let in stays out; replies pass. Networks of a VPN never pass the outside in the clear, whether the VPN is up or not.
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
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}
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
    """Write the file: declared, deleted and declared again, so that it replaces what is there, if anything is."""
    chains = [
        _chain("spoofed", "filter", "prerouting", "raw", "accept", _spoofed(firewall)),
        _chain("destinations", "nat", "prerouting", "dstnat", "accept", _destinations(firewall, esp)),
        _chain("input", "filter", "input", "filter", "drop", _input(firewall)),
        _chain("forward", "filter", "forward", "filter", "drop", _forward(firewall, esp)),
        _chain("sources", "nat", "postrouting", "srcnat", "accept", _sources(firewall, esp)),
        _chain("clear", "filter", "postrouting", "110", "accept", _clear(firewall)),
    ]
    declared = f"table inet {TABLE}\ndelete table inet {TABLE}\n"
    return f"{virtual_routers.HEADER}{declared}table inet {TABLE} {{\n" + "\n".join(chains) + "}\n"


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
    yield f"{outside} ip saddr {_networks(firewall['public_networks'])} drop"
    # A provider may give us addresses of a private network; its own are there then.
    yield f"{outside} ip saddr {_networks(known)} accept"
    yield f"{outside} ip saddr {_networks(map(str, _NOBODY))} drop"


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
        yield f"{_to(outside)} ip saddr != {_networks(firewall['public_networks'])} drop"
    yield "ct state established,related accept"
    yield from _controllers(firewall)
    if outside and inside:
        crossing = {
            "in": f"{_from(firewall, outside)} {_to(inside)}",
            "out": f"{_from(firewall, inside)} {_to(outside)}",
        }
        # What one rule denies no other allows.
        for rule in sorted(firewall["rules"], key=lambda item: (item["action"] == "allow", item["name"])):
            verdict = "accept" if rule["action"] == "allow" else "drop"
            mine = (
                rule if rule["direction"] == "out" or rule["destinations"] is not None else _to_public(rule, firewall)
            )
            yield f'{crossing[rule["direction"]]}{_match(mine)} {verdict} comment "{rule["name"]}"'
        yield f"{crossing['out']} accept"


def _to_public(rule: dict[str, Any], firewall: Firewall) -> dict[str, Any]:
    """A rule that lets in to any address: any public one, for nobody outside asks for others."""
    return {**rule, "destinations": firewall["public_networks"]}


def _controllers(firewall: Firewall) -> Iterator[str]:
    """Controllers pass to management, at the addresses that they know."""
    management = firewall["management"]
    if (translation := management["translation"]) and management["ports"]:
        came = f"{_from(firewall, [management['interface']])}{_source(management['controllers'])}"
        yield f"{came} {_to(management['ports'])} ct original ip daddr {translation['reached_through']} accept"


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
    local, remote = _networks(selectors["local"]), _networks(selectors["remote"])
    translation = firewall["management"]["translation"]
    own = _networks([*selectors["local"], *_untranslated(selectors["local"], translation)])
    entered = f"ip saddr {remote} ct original ip daddr {local}"
    answered = f"ip saddr {remote} ct original ip saddr {own} ct direction reply"
    yield f"{_decrypted(firewall, esp)} {_to(ends)} {entered} accept"
    yield f"{_decrypted(firewall, esp)} {_to(ends)} {answered} accept"
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
        yield f"{_to([port])} ct original ip daddr {translation['reached_through']} snat ip to {own}"
    known = f"snat ip prefix to ip saddr map {{ {translation['network']} : {translation['reached_through']} }}"
    for tunnel in firewall["vpns"].values():
        if selectors := tunnel["traffic"].get("management"):
            yield f"{_encrypted(firewall, esp)} ip daddr {_networks(selectors['remote'])} {known}"


def _clear(firewall: Firewall) -> Iterator[str]:
    """Networks of a VPN do not leave in the clear; after sources were translated, the kernel knows what it encrypts."""
    for tunnel in firewall["vpns"].values():
        local, remote = _ends(tunnel)
        yield f"{_to(firewall['outside'])} ip saddr {local} ip daddr {remote} rt ipsec missing drop"


def _decrypted(firewall: Firewall, esp: Esp) -> str:
    return f'iifname "{TUNNEL}"' if esp == "process" else f"{_from(firewall, firewall['outside'])} meta ipsec exists"


def _encrypted(firewall: Firewall, esp: Esp) -> str:
    return f'oifname "{TUNNEL}"' if esp == "process" else _to(firewall["outside"])


def _ends(tunnel: dict[str, Any]) -> tuple[str, str]:
    """All networks on both ends of a VPN, whoever may talk to whom."""
    selectors = tunnel["traffic"].values()
    local, remote = ([network for each in selectors for network in each[end]] for end in ("local", "remote"))
    return _networks(local), _networks(remote)


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
    destinations = f" ip daddr {_networks(rule['destinations'])}" if rule["destinations"] is not None else ""
    if rule["protocol"] and rule["ports"]:
        protocol = f" {rule['protocol']} dport {_set(rule['ports'])}"
    else:
        protocol = f" meta l4proto {_PROTOCOLS[rule['protocol']]}" if rule["protocol"] else ""
    return f"{_source(rule['sources'])}{destinations}{protocol}"


def _source(networks: list[str] | None) -> str:
    return "" if networks is None else f" ip saddr {_networks(networks)}"


def _from(firewall: Firewall, interfaces: Iterable[str]) -> str:
    shared = {item["interface"] for item in firewall["virtual_addresses"]}
    return f"iifname {_names(name for each in interfaces for name in virtual_routers.interfaces(each, shared))}"


def _to(interfaces: Iterable[str]) -> str:
    return f"oifname {_names(interfaces)}"


def _names(interfaces: Iterable[str]) -> str:
    return _set([f'"{name}"' for name in interfaces])


def _networks(networks: Iterable[str]) -> str:
    """A set of networks; intervals of a set may not overlap (nft(8))."""
    return _set([str(network) for network in collapse_addresses(map(IPv4Network, networks))])


def _set(members: list[str]) -> str:
    return members[0] if len(members) == 1 else f"{{ {', '.join(members)} }}"


def _chain(name: str, kind: str, hook: str, priority: str, policy: str, lines: Iterable[str]) -> str:
    body = "".join(f"\t\t{line}\n" for line in lines)
    return f"\tchain {name} {{\n\t\ttype {kind} hook {hook} priority {priority}; policy {policy};\n{body}\t}}\n"
