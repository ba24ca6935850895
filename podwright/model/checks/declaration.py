"""A declaration under examination."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from podwright.model.cloud import Account, Cloud, GuestNetwork, Machine, Pod, Zone
from podwright.model.document import Document, Finding, KeyPath, dotted
from podwright.model.structure import alternative


class PlacedPod(NamedTuple):
    """A pod, its zone and where it stands."""

    zone_name: str
    zone: Zone
    name: str
    pod: Pod
    path: KeyPath


@dataclass(frozen=True)
class Declaration:
    """A cloud (perhaps salvaged), where its parts stand, and which paths are known to be wrong."""

    cloud: Cloud
    document: Document
    wrong: frozenset[KeyPath]

    def where(self, path: KeyPath) -> str:
        """The path with its place, for people."""
        return f"{dotted(path)} ({self.document.place(path)})"

    def doubtful(self, path: KeyPath) -> bool:
        """Whether what stands at `path` is wrong, or something around it."""
        return bool(self.wrong) and any(path[:length] in self.wrong for length in range(1, len(path) + 1))

    def pods(self) -> Iterator[PlacedPod]:
        """Every pod."""
        for zone_name, zone in self.cloud.zones.items():
            for name, pod in zone.pods.items():
                yield PlacedPod(zone_name, zone, name, pod, ("zones", zone_name, "pods", name))

    def pod_of(self, network: GuestNetwork | None) -> PlacedPod | None:
        """The pod of a guest network, where that is known."""
        zone = self.cloud.zones.get(network.zone) if network else None
        if network is None or zone is None:
            return None
        name = network.pod or (next(iter(zone.pods)) if len(zone.pods) == 1 else None)
        if name is None or name not in zone.pods:
            return None
        return PlacedPod(network.zone, zone, name, zone.pods[name], ("zones", network.zone, "pods", name))

    def home_of(self, account: Account, machine: Machine) -> GuestNetwork | None:
        """The first guest network of a machine, where that is known; it says which zone the machine is in."""
        return account.guest_networks.get(machine.guest_networks[0]) if machine.guest_networks else None

    def pod_of_machine(self, account: Account, machine: Machine) -> PlacedPod | None:
        """The pod of a machine, where that is known."""
        network = self.home_of(account, machine)
        if network is None or machine.pod is None:
            return self.pod_of(network)
        zone = self.cloud.zones.get(network.zone)
        if zone is None or machine.pod not in zone.pods:
            return None
        path: KeyPath = ("zones", network.zone, "pods", machine.pod)
        return PlacedPod(network.zone, zone, machine.pod, zone.pods[machine.pod], path)

    def hypervisors_for(self, account: str, placed: PlacedPod) -> list[str]:
        """The hypervisors of a pod that may run an account's machines, also those for one that is not declared."""
        return [
            name
            for name, declared in placed.pod.hypervisors.items()
            if declared.dedicated_to == account or declared.dedicated_to not in self.cloud.accounts
        ]

    def unknown(
        self, path: KeyPath, name: str | None, kind: str, known: Collection[str], among: KeyPath
    ) -> Iterator[Finding]:
        """A mistake when `name` is not one of `known`, the keys of `among`; unless we cannot know."""
        if name is not None and name not in known and not self.doubtful(among):
            remedy = f"write {alternative(name, known)}, or " if known else ""
            yield Finding(path, name, kind, f"{remedy}declare it in {dotted(among)}")
