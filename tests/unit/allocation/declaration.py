"""Clouds to allocate for: one zone with two pods of two hypervisors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from podwright.allocation import Lease, Record, Volume
from podwright.allocation.database import Database
from podwright.model.cloud import Cloud

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=25)  # quarantine is over

Accounts = Mapping[str, Mapping[str, Any]]


def records(cloud: Cloud) -> list[Record]:
    """All that a cloud's database holds, sorted."""
    with Database(cloud.database) as database:
        return database.preview(
            lambda repository: [*repository.leases(), *repository.placements(), *repository.volumes()]
        )


def volumes(cloud: Cloud) -> list[Volume]:
    """The volumes that a cloud's database holds, sorted."""
    return [record for record in records(cloud) if isinstance(record, Volume)]


def leases(database: str | Path) -> list[Lease]:
    """The leases that a database holds, sorted."""
    with Database(database) as opened:
        return opened.preview(lambda repository: repository.leases())


def account(*machines: str, pod: str = "p1", subnet: str = "10.1.1.0/24", **of_each: Any) -> dict[str, Any]:
    """An account with one guest network and its machines."""
    return {
        "guest_networks": {"default": {"zone": "east", "pod": pod, "subnet": subnet}},
        "machines": {
            name: {"guest_networks": ["default"], "image": "tiny", "offering": "tiny", **of_each} for name in machines
        },
    }


def cloud(directory: Path, accounts: Accounts, zone: Mapping[str, Any] | None = None, **pod: Any) -> Cloud:
    """A cloud whose leases are kept in `directory`; `zone` replaces keys of its zone, `pod` those of both pods."""
    return Cloud.model_validate(
        {
            "name": "lab",
            "domain": "lab.example",
            "administrator_key_file": "/lab/key.pub",
            "administrator_keys": [],
            "state_directory": str(directory),
            "database": f"sqlite:///{directory}/leases.db",
            "images": {"tiny": {"disk": "/lab/tiny.raw"}},
            "offerings": {
                name: {
                    "vcpus": vcpus,
                    "memory_mib": memory_mib,
                    "disk_gib": 1,
                    "network_mbit_s": 100,
                    "storage_iops": 500,
                }
                for name, vcpus, memory_mib in (("tiny", 1, 128), ("large", 2, 1024))
            },
            "data_centers": {"dc1": {}},
            "zones": {
                "east": {
                    "data_center": "dc1",
                    "management_network": "192.168.0.0/16",
                    "guest_subnets": "172.16.0.0/22",
                    "routing_appliance": {"image": "tiny", "offering": "tiny"},
                    "upstream": {
                        "network": "198.51.100.0/24",
                        "gateway": "198.51.100.254",
                        "address": "198.51.100.1",
                    },
                    "zone_switches": {},
                    "pods": {"p1": _pod(1) | pod, "p2": _pod(2) | pod},
                    "cables": [],
                }
                | dict(zone or {})
            },
            "accounts": accounts,
        }
    )


def _pod(number: int) -> dict[str, Any]:
    return {
        "guest_vlans": ["101-110", "120-160"],
        "networks": {
            "management": {
                "vlan": 10,
                "subnet": f"192.168.{number}.0/24",
                "gateway": f"192.168.{number}.1",
                "lease_range": f"192.168.{number}.101-192.168.{number}.199",
            },
            "storage": {"vlan": 20, "subnet": f"192.168.10{number}.0/24"},
            "public": {
                "vlan": 30,
                "subnet": f"203.0.{number}.0/24",
                "gateway": f"203.0.{number}.1",
                "lease_range": f"203.0.{number}.11-203.0.{number}.250",
            },
        },
        "pod_switches": {},
        "storage_servers": {
            f"p{number}-n1": {
                "management_address": f"192.168.{number}.21",
                "storage_address": f"192.168.10{number}.21",
                "export": "/srv/primary",
                "capacity_gib": 1000,
            }
        },
        "hypervisors": {
            f"p{number}-hv{host}": {
                "management_address": f"192.168.{number}.3{host}",
                "storage_address": f"192.168.10{number}.3{host}",
                "vcpus": 8,
                "memory_mib": 4096,
            }
            for host in (1, 2)
        },
    }
