"""Clouds and leases to plan with."""

from __future__ import annotations

import string
from collections import defaultdict
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import yaml

from podwright.allocation.leases import Leases
from podwright.model.cloud import Cloud
from podwright.model.views import appliances, domains, guest_networks

ROOT = Path(__file__).parents[3]
ADMINISTRATOR_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKnownToNobody administrator@lab.example"


def lab_declaration() -> dict[str, Any]:
    """What inventories/lab/cloud.yml says, with the lab in /lab."""
    text = (ROOT / "inventories/lab/cloud.yml").read_text()
    declaration: dict[str, Any] = yaml.safe_load(string.Template(text).substitute(PODWRIGHT_LAB="/lab"))
    return declaration | {"database": "sqlite:////lab/state/leases.db", "administrator_keys": [ADMINISTRATOR_KEY]}


def cloud_of(declaration: dict[str, Any]) -> Cloud:
    return Cloud.model_validate(declaration)


def leases_for(cloud: Cloud) -> Leases:
    """The lowest free value for everyone in turn; machines go round the hypervisors of their pod."""
    vlans: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    guest_vlans, subnets, addresses, macs, placements = {}, {}, {}, {}, {}
    for placed in guest_networks(cloud):
        pod = cloud.zones[placed.zone].pods[placed.pod]
        ids = [vlan for of_range in pod.guest_vlans for vlan in of_range.ids]
        taken = vlans[placed.zone, placed.pod]
        taken.append(ids[len(taken)])
        key = (placed.account, placed.name)
        guest_vlans[key] = taken[-1]
        subnet = placed.network.subnet
        subnets[key] = IPv4Network("10.64.0.0/24") if subnet == "auto" else subnet
    machines: defaultdict[tuple[str, str], int] = defaultdict(int)
    for number, domain in enumerate(domains(cloud)):
        key = (domain.account, domain.guest_network)
        if domain.role == "machine":
            machines[key] += 1
            addresses[domain.name] = subnets[key].network_address + 1 + machines[key]
        for index, nic in enumerate(["eth0"] if domain.role == "machine" else ["eth0", "eth1", "eth2"]):
            macs[domain.name, nic] = mac(3 * number + index + 1)
        hypervisors = sorted(cloud.zones[domain.zone].pods[domain.pod].hypervisors)
        placements[domain.name] = domain.hypervisor or hypervisors[number % len(hypervisors)]
    management: dict[str, IPv4Address] = {}
    public: dict[str, IPv4Address] = {}
    for number, appliance in enumerate(appliances(cloud)):
        networks = cloud.zones[appliance.zone].pods[appliance.pod].networks
        assert networks.management.lease_range
        assert networks.public.lease_range
        management[appliance.name] = networks.management.lease_range.first + number
        public[appliance.name] = networks.public.lease_range.first + number
    return Leases(guest_vlans, subnets, addresses, management, public, macs, placements)


def mac(number: int) -> str:
    return ":".join(["02", "70", "77", *(f"{byte:02x}" for byte in number.to_bytes(3, "big"))])
