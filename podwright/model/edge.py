"""The edge of a zone: firewalls, what passes them, and encrypted ways to other zones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from podwright.model.declared import Declared
from podwright.model.devices import LinuxDevice
from podwright.model.fields import Address, Name, Network4, Reference, ServicePorts, VlanId


class Firewall(LinuxDevice):
    """One of those that all traffic into a zone and out of it passes.

    One that routes is cabled once to every zone switch. A transparent one is cabled to one zone switch, which has no
    other firewall and no other way out.
    """

    inside_management_address: Address | None = None
    """its address beside the zone switches' management addresses, where `management_reached_through` is declared"""


class Transit(Declared):
    """The network between the firewalls and the zone switches of a zone, a VLAN with a subnet.

    Firewalls own the addresses right above `firewall_address`, zone switches those right above `zone_switch_address`,
    in the order of their names.
    """

    vlan: VlanId
    """the VLAN id, not one of the management or public networks"""
    subnet: Network4
    """the subnet"""
    firewall_address: Address
    """the address that the firewalls share (VRRP): the way out"""
    zone_switch_address: Address
    """the address that the zone switches share (VRRP): the way in"""


class TranslatedManagement(Declared):
    """Where controllers find the management network of a zone: address by address, behind its firewalls.

    With it, the `management_address` of a firewall is on the controllers' side and unique in the cloud. Its own
    addresses inside are `inside_management_address` and, in each pod, those right above the zone switches'.
    """

    network: Network4
    """a network of the size of `management_network` that stands for it, and that nothing else has"""
    address: Address
    """the address that the firewalls share (VRRP) beside their management addresses: controllers' way to `network`"""


class FirewallRule(Declared):
    """Who may connect to whom through the firewalls of a zone; replies pass by themselves.

    Nobody outside may connect to the zone unless a rule allows it, and the zone may connect to everything unless a
    rule denies it. What one rule denies no other allows. Left out, `source`, `destination`, `protocol` and `ports` mean
    any.
    """

    direction: Literal["in", "out"]
    """who connects: the outside to the zone (in), or the zone to the outside (out)"""
    action: Literal["allow", "deny"] = "allow"
    """what is done"""
    account: Reference | None = None
    """an account, by whose public addresses it connects, or is connected to; instead of addresses inside"""
    source: Network4 | None = None
    """the network that connects"""
    destination: Network4 | None = None
    """the network that is connected to"""
    protocol: Literal["icmp", "tcp", "udp"] | None = None
    """the protocol"""
    ports: tuple[ServicePorts, ...] = ()
    """the destination's ports of tcp or udp: a list of numbers and ranges"""


class Vpn(Declared):
    """An encrypted way between two zones, from firewall to firewall (IPsec, IKEv2, RFC 7296).

    Public networks of one zone talk to those of the other, and controllers and management networks to those of the
    other; customers never reach a management network by it. Its key is made once, on the controller.
    """

    networks: Mapping[Name, tuple[Network4, ...]]
    """by zone, the networks there that those of the other zone may talk to: public networks, `controllers`, or what
    `management_reached_through` stands for the management network, never that itself"""
