"""What allocation hands to the plan: every allocated thing of a cloud, by its holder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True)
class Leases:
    """All that is allocated in one cloud.

    A guest network is named by (account, network). A machine's domain is named
    `<account>-<machine>`, a routing appliance `<account>-<zone>-router`; both
    kinds are placed on a hypervisor and own NICs.
    """

    guest_vlans: Mapping[tuple[str, str, str], int]
    """{(account, network, pod): VLAN id}, of every pod that the network is in; the same in all where its zone has the
    pool"""

    guest_subnets: Mapping[tuple[str, str], IPv4Network]
    """{(account, network): subnet}, of every guest network, also of those that declare theirs"""

    guest_addresses: Mapping[tuple[str, str], IPv4Address]
    """{(machine's domain, guest network): its address there}"""

    management_addresses: Mapping[str, IPv4Address]
    """{routing appliance: its eth1 address}"""

    public_addresses: Mapping[str, IPv4Address]
    """{routing appliance: its eth2 address, the account's source NAT address}"""

    macs: Mapping[tuple[str, str], str]
    """{(domain, NIC such as eth0): MAC address, lower case with colons}"""

    placements: Mapping[str, str]
    """{domain: hypervisor}"""

    moved_from: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """{domain: other hypervisors, sorted, that may still run it}, of those that moved"""

    vnis: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """{(account, network): VNI}, of guest networks in zones that declare VNIs"""

    console_ports: Mapping[str, int] = field(default_factory=dict)
    """{domain: TCP port of its console on its hypervisor}, in pods that declare console ports"""

    volumes: Mapping[str, str] = field(default_factory=dict)
    """{domain: storage server that has its disk}"""

    vrrp_ids: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """{(zone, virtual router): VRRP id} of zone switches; a virtual router is `<pod>/<network>` (`p1/public`), or
    `upstream`"""
