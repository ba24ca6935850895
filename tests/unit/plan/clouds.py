"""Clouds and leases to plan with."""

from __future__ import annotations

import itertools
import string
from collections.abc import Hashable, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, TypeVar

import yaml

from podwright.allocation.leases import Leases
from podwright.model.cloud import Cloud
from podwright.model.views import appliances, domains, guest_network_pods, guest_networks, nics, routed

Declaration = dict[str, Any]
Holder = TypeVar("Holder", bound=Hashable)
Value = TypeVar("Value")

ROOT = Path(__file__).parents[3]
NO_LEASES = Leases({}, {}, {}, {}, {}, {}, {})
_ADMINISTRATOR_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKnownToNobody administrator@lab.example"
_SOURCES = {
    "administrator_key_file": "/lab/ssh/id_ed25519.pub",
    "administrator_keys": [_ADMINISTRATOR_KEY],
    "state_directory": "/lab/state",
    "database": "sqlite:////lab/state/leases.db",
}


def lab_declaration() -> Declaration:
    """What inventories/lab/cloud.yml says of a lab in /lab."""
    text = (ROOT / "inventories/lab/cloud.yml").read_text()
    declaration: Declaration = yaml.safe_load(string.Template(text).substitute(PODWRIGHT_LAB="/lab"))
    return declaration | _SOURCES


def two_zones_declaration() -> Declaration:
    """What inventories/two-zones says of a lab in /lab: zones with firewalls and a VPN between them."""
    directory = ROOT / "inventories/two-zones"
    files = [directory / "cloud.yml", *sorted(directory.glob("cloud.d/*.yml"))]
    declaration: Declaration = {"zones": {}}
    for file in files:
        part = yaml.safe_load(string.Template(file.read_text()).substitute(PODWRIGHT_LAB="/lab"))
        declaration["zones"] |= part.pop("zones", {})
        declaration |= part
    return declaration | _SOURCES


def with_firewall_pairs(declaration: Declaration) -> Declaration:
    """A made declaration whose zones have two firewalls each, with a bond to both zone switches."""
    for number, (name, zone) in enumerate(declaration["zones"].items(), start=1):
        zone["firewalls"] = {
            f"{name}-fw{n}": {
                "management_address": f"172.16.{number}.{n}",
                "inside_management_address": f"192.168.0.{20 + n}",
            }
            for n in (1, 2)
        }
        zone["transit"] = {
            "vlan": 4000,
            "subnet": "172.31.0.0/28",
            "firewall_address": "172.31.0.1",
            "zone_switch_address": "172.31.0.5",
        }
        zone["management_reached_through"] = {"network": f"172.{20 + number}.0.0/16", "address": f"172.16.{number}.9"}
        zone["cables"] = [cable for cable in zone["cables"] if "upstream" not in cable]
        zone["cables"].append([f"{name}-zsw1:peer", f"{name}-zsw2:peer"])
        for n in (1, 2):
            zone["cables"] += [[f"{name}-fw{n}:eth1", "upstream"], [f"{name}-fw{n}:eth2", "management"]]
            zone["cables"] += [[f"{name}-fw{n}:eth{2 + z}", f"{name}-zsw{z}:f{n}"] for z in (1, 2)]
            zone["cables"] += [[f"{name}-fw{n}:mgmt-{pod}", f"management:{pod}"] for pod in zone["pods"]]
    return declaration


def with_transparent_firewalls(declaration: Declaration, *, translated: bool = True) -> Declaration:
    """A made declaration whose zone switches have a transparent firewall each before them."""
    for number, (name, zone) in enumerate(declaration["zones"].items(), start=1):
        zone["firewall_mode"] = "transparent"
        at = f"172.16.{number}" if translated else "192.168.0"
        inside = {n: {"inside_management_address": f"192.168.0.{20 + n}"} if translated else {} for n in (1, 2)}
        zone["firewalls"] = {f"{name}-fw{n}": {"management_address": f"{at}.{30 + n}", **inside[n]} for n in (1, 2)}
        zone["cables"] = [cable for cable in zone["cables"] if "upstream" not in cable]
        for n in (1, 2):
            zone["cables"] += [[f"{name}-fw{n}:eth1", "upstream"], [f"{name}-fw{n}:eth2", f"{name}-zsw{n}:up"]]
        if translated:
            reached = {"network": f"172.{20 + number}.0.0/16", "address": f"{at}.9"}
            zone["management_reached_through"] = reached
            for n in (1, 2):
                zone["cables"] += [[f"{name}-fw{n}:eth3", "management"]]
                zone["cables"] += [[f"{name}-fw{n}:mgmt-{pod}", f"management:{pod}"] for pod in zone["pods"]]
    return declaration


def with_racks(declaration: Declaration, count: int = 2) -> Declaration:
    """A made declaration whose pods' switches join so many racks, each with a pair of its own; hosts stand by turns."""
    for zone in declaration["zones"].values():
        for pod in zone["pods"].values():
            joining, leaf_of = sorted(pod["pod_switches"]), {}
            for rack, switch in itertools.product(range(count), joining):
                leaf_of[rack, switch] = f"{switch}-r{rack}"
                number = 40 + 2 * rack + joining.index(switch)
                address = IPv4Address(pod["networks"]["management"]["subnet"].split("/")[0]) + number
                pod["pod_switches"][f"{switch}-r{rack}"] = {
                    "management_address": str(address),
                    "platform": "openconfig_netconf",
                    "rack": f"r{rack}",
                }
                zone["cables"] += [
                    [f"{switch}-r{rack}:up{n}", f"{up}:r{rack}-{switch[-3:]}"] for n, up in enumerate(joining)
                ]
            for rack in range(count):
                zone["cables"].append([f"{leaf}:peer" for leaf in sorted(leaf_of[rack, each] for each in joining)])
            for number, host in enumerate([*pod["storage_servers"], *pod["hypervisors"]]):
                kind = "storage_servers" if host in pod["storage_servers"] else "hypervisors"
                pod[kind][host]["rack"] = f"r{number % count}"
                for cable in zone["cables"]:
                    if cable[1].partition(":")[0] == host:
                        switch, _, port = cable[0].partition(":")
                        cable[0] = f"{leaf_of[number % count, switch]}:{port}"
    return declaration


def with_public_switches(declaration: Declaration) -> Declaration:
    """A made declaration, perhaps with racks, where each pod switch is private and has a public one beside it."""
    for zone in declaration["zones"].values():
        for pod in zone["pods"].values():
            private = pod["pod_switches"]
            public = {name: f"{name}-pub" for name in private}
            for switch in private.values():
                switch["carries"] = "private"
            pod["pod_switches"] = private | {
                public[name]: switch
                | {"management_address": str(IPv4Address(switch["management_address"]) + 80), "carries": "public"}
                for name, switch in private.items()
            }
            for cable in [cable for cable in zone["cables"] if public.keys() & {_device(end) for end in cable}]:
                if not {"management", *pod["storage_servers"]} & {_device(end) for end in cable}:
                    zone["cables"].append([_beside(end, public) for end in cable])
    return declaration


def _device(end: str) -> str:
    return end.partition(":")[0]


def _beside(end: str, public: Mapping[str, str]) -> str:
    """The end of the second cable: the same port of the public switch, or a port of its own of something else."""
    device, _, port = end.partition(":")
    return f"{public[device]}:{port}" if device in public else f"{device}:{port}x"


def declare_lab(directory: Path) -> Path:
    """Write the lab's declaration, with all the files that it names and its state, into a directory."""
    declaration = lab_declaration()
    (directory / "administrator.pub").write_text("\n".join(declaration.pop("administrator_keys")) + "\n")
    declaration["administrator_key_file"] = "administrator.pub"
    declaration["state_directory"] = "state"
    del declaration["database"]
    for image in declaration["images"].values():
        for key in ("disk", "kernel", "initrd"):
            image[key] = Path(image[key]).name
            (directory / image[key]).touch()
    return declare(directory / "cloud.yml", declaration)


def declare(cloud_file: Path, declaration: Declaration) -> Path:
    """Write a declaration down."""
    cloud_file.write_text(yaml.safe_dump(declaration))
    return cloud_file


def declared(cloud_file: Path) -> Declaration:
    """Read a declaration again."""
    declaration: Declaration = yaml.safe_load(cloud_file.read_text())
    return declaration


def made_declaration(zones: int, pods: int, hypervisors: int, backend: str = "linux") -> Declaration:
    """Racks without accounts: in each zone z0, z1, ... the same pods p0, p1, ... of the same size."""
    return {
        "name": "made",
        "domain": "made.example",
        **_SOURCES,
        "images": {"tiny": {"disk": "/lab/tiny.raw", "kernel": "/lab/vmlinuz"}, "router": {"disk": "/lab/router.raw"}},
        "offerings": {
            "tiny": {"vcpus": 1, "memory_mib": 96, "disk_gib": 1, "network_mbit_s": 100, "storage_iops": 500}
        },
        "data_centers": {"dc": {}},
        "zones": {f"z{number}": _zone(f"z{number}", pods, hypervisors, backend) for number in range(zones)},
        "accounts": {},
    }


def account(zone: str, pod: str, machines: int, elsewhere: Mapping[int, str] | None = None) -> Declaration:
    """An account with one guest network; `elsewhere` are the pods of machines that are not in the network's."""
    machine = {"guest_networks": ["default"], "image": "tiny", "offering": "tiny"}
    pods = {number: {"pod": name} for number, name in (elsewhere or {}).items()}
    return {
        "guest_networks": {"default": {"zone": zone, "pod": pod}},
        "machines": {f"m{number}": machine | pods.get(number, {}) for number in range(machines)},
    }


def cloud_of(declaration: Declaration) -> Cloud:
    """The cloud that is declared, without the checks of `podwright.model.load`."""
    return Cloud.model_validate(declaration)


def leases_for(cloud: Cloud, before: Leases = NO_LEASES) -> Leases:
    """The lowest free value for everyone who has none; machines go round the hypervisors of their pod."""
    networks = list(guest_networks(cloud))
    every_domain = domains(cloud)
    pods_of = guest_network_pods(cloud)
    guest_vlans: dict[tuple[str, str, str], int] = {}
    vnis: dict[tuple[str, str], int] = {}
    subnets: dict[tuple[str, str], IPv4Network] = {}
    addresses: dict[tuple[str, str], IPv4Address] = {}
    management: dict[str, IPv4Address] = {}
    public: dict[str, IPv4Address] = {}
    for zone_name, zone in sorted(cloud.zones.items()):
        in_zone = [(placed.account, placed.name) for placed in networks if placed.zone == zone_name]
        if zone.vnis is not None:
            vnis |= _grant(in_zone, before.vnis, (vni for of_range in zone.vnis for vni in of_range.ids))
        for pod_name, pod in sorted(zone.pods.items()):
            here = [(*network, pod_name) for network in in_zone if pod_name in pods_of[network]]
            ids = (vlan for of_range in pod.guest_vlans or () for vlan in of_range.ids)
            guest_vlans |= _grant(here, before.guest_vlans, ids)
            routers = [appliance.name for appliance in appliances(cloud) if appliance.pod == pod_name]
            for range_, to, kept in (
                (pod.networks.management.lease_range, management, before.management_addresses),
                (pod.networks.public.lease_range, public, before.public_addresses),
            ):
                assert range_ is not None
                pool = (IPv4Address(number) for number in range(int(range_.first), int(range_.last) + 1))
                to |= _grant([name for name in routers if name.split("-")[-2] == zone_name], kept, pool)
    for placed in networks:
        key = (placed.account, placed.name)
        subnet = placed.network.subnet
        subnets[key] = IPv4Network("10.64.0.0/24") if subnet == "auto" else subnet
        inside = [d for d in every_domain if d.account == placed.account and placed.name in d.guest_networks]
        machines = [(d.name, placed.name) for d in inside if d.role == "machine"]
        addresses |= _grant(machines, before.guest_addresses, list(subnets[key].hosts())[1:])
    every_nic = [(domain.name, nic) for domain in every_domain for nic in nics(domain)]
    macs = _grant(every_nic, before.macs, map(mac, range(1, 1 << 24)))
    return Leases(
        guest_vlans,
        subnets,
        addresses,
        management,
        public,
        macs,
        _placements(cloud, before),
        vnis=vnis,
        volumes=_volumes(cloud, before),
        vrrp_ids=_vrrp_ids(cloud),
    )


def mac(number: int) -> str:
    """The MAC address that a lease's number stands for."""
    return ":".join(["02", "70", "77", *(f"{byte:02x}" for byte in number.to_bytes(3, "big"))])


def _grant(holders: Iterable[Holder], before: Mapping[Holder, Value], pool: Iterable[Value]) -> dict[Holder, Value]:
    """Everyone keeps what they have; the others get the lowest values that nobody among them has."""
    kept = {holder: before[holder] for holder in holders if holder in before}
    taken = set(kept.values())
    free = (value for value in pool if value not in taken)
    return kept | {holder: next(free) for holder in holders if holder not in kept}


def _placements(cloud: Cloud, before: Leases) -> dict[str, str]:
    placements = {}
    for number, domain in enumerate(domains(cloud)):
        hypervisors = sorted(cloud.zones[domain.zone].pods[domain.pod].hypervisors)
        anywhere = before.placements.get(domain.name, hypervisors[number % len(hypervisors)])
        placements[domain.name] = domain.hypervisor or anywhere
    return placements


def _volumes(cloud: Cloud, before: Leases) -> dict[str, str]:
    volumes = {}
    for number, domain in enumerate(domains(cloud)):
        servers = sorted(cloud.zones[domain.zone].pods[domain.pod].storage_servers)
        volumes[domain.name] = before.volumes.get(domain.name, servers[number % len(servers)])
    return volumes


def _vrrp_ids(cloud: Cloud) -> dict[tuple[str, str], int]:
    ids = {}
    for zone_name, zone in cloud.zones.items():
        ids[zone_name, "upstream"] = 1
        if zone.transit:
            ids[zone_name, "transit/zone_switches"] = (zone.transit.vlan - 1) % 255 + 1
            ids[zone_name, "transit/firewalls"] = 1
        for name, pod in zone.pods.items():
            for purpose, network in routed(pod.networks).items():
                ids[zone_name, f"{name}/{purpose}"] = (network.vlan - 1) % 255 + 1
    return ids


def _zone(zone: str, pods: int, hypervisors: int, backend: str) -> Declaration:
    cables = [[f"{zone}-zsw{n}:up", "upstream"] for n in (1, 2)]
    for pod in range(pods):
        name = f"{zone}-p{pod}"
        cables += [[f"{zone}-zsw{z}:p{pod}s{s}", f"{name}-sw{s}:z{z}"] for z in (1, 2) for s in (1, 2)]
        cables += [[f"{name}-sw1:peer", f"{name}-sw2:peer"]]
        cables += [[f"{name}-sw{s}:mgmt", "management"] for s in (1, 2)]
        hosts = [f"{name}-nfs", *(f"{name}-hv{number}" for number in range(hypervisors))]
        cables += [[f"{name}-sw{s}:h{port}", f"{host}:eth{s}"] for port, host in enumerate(hosts) for s in (1, 2)]
    return {
        "data_center": "dc",
        "management_network": "192.168.0.0/16",
        "routing_appliance": {"image": "router", "offering": "tiny"},
        "upstream": {"network": "198.51.100.0/24", "gateway": "198.51.100.254", "address": "198.51.100.1"},
        "vnis": ["5001-5999"],
        "zone_switches": {
            f"{zone}-zsw{n}": {"management_address": f"192.168.0.{n}", "network_backend": backend} for n in (1, 2)
        },
        "pods": {f"p{number}": _pod(f"{zone}-p{number}", number, hypervisors, backend) for number in range(pods)},
        "cables": cables,
    }


def _pod(name: str, number: int, hypervisors: int, backend: str) -> Declaration:
    def address(third: int, last: int) -> str:
        return str(IPv4Address("10.128.0.0") + number * 65536 + third * 256 + last)

    def host(last: int, **more: Any) -> Declaration:
        at = {"management_address": address(0, last), "storage_address": address(128, last)}
        return {**at, "network_backend": backend, **more}

    subnets = {"management": (10 + 4 * number, 0), "public": (12 + 4 * number, 192)}
    routed = {
        purpose: {
            "vlan": vlan,
            "subnet": f"{address(third, 0)}/18",
            "gateway": address(third, 1),
            "lease_range": f"{address(third + 32, 0)}-{address(third + 63, 254)}",
        }
        for purpose, (vlan, third) in subnets.items()
    }
    storage = {"vlan": 11 + 4 * number, "subnet": f"{address(128, 0)}/18"}
    tunnel = {"vlan": 13 + 4 * number, "subnet": f"{address(64, 0)}/18", "gateway": address(64, 1)}
    sizes = {"vcpus": 64, "memory_mib": 65536}
    return {
        "guest_vlans": ["1000-3999"],
        "networks": {**routed, "storage": storage, "tunnel": tunnel},
        "pod_switches": {
            f"{name}-sw{n}": {"management_address": address(0, n + 1), "platform": "openconfig_netconf"} for n in (1, 2)
        },
        "storage_servers": {f"{name}-nfs": host(9, export="/srv/primary", capacity_gib=1000)},
        "hypervisors": {
            f"{name}-hv{n}": host(10 + n, tunnel_address=address(64, 10 + n), **sizes) for n in range(hypervisors)
        },
    }
