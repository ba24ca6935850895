"""Whatever is named somewhere is declared somewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from podwright.model.checks.declaration import Declaration, PlacedPod
from podwright.model.cloud import Account, Machine
from podwright.model.document import Finding, KeyPath, dotted
from podwright.model.structure import alternative, listed


def check(declaration: Declaration) -> Iterator[Finding]:
    """References of zones, hypervisors, guest networks and machines."""
    cloud = declaration.cloud
    for name, image in cloud.images.items():
        in_vain = [key for key in ("initrd", "command_line") if getattr(image, key)]
        path: KeyPath = ("images", name, "kernel")
        if in_vain and image.kernel is None:
            yield Finding(path, None, "a kernel", f"add its file, or remove {' and '.join(in_vain)}")
    for name, zone in cloud.zones.items():
        path = ("zones", name)
        yield from declaration.unknown(
            (*path, "data_center"), zone.data_center, "a data center", cloud.data_centers, ("data_centers",)
        )
        yield from _shape(
            declaration, (*path, "routing_appliance"), zone.routing_appliance.image, zone.routing_appliance.offering
        )
        yield from _dedicated(declaration, path, zone.dedicated)
    for pod in declaration.pods():
        yield from _dedicated(declaration, pod.path, pod.pod.dedicated)
        for name, hypervisor in pod.pod.hypervisors.items():
            at = (*pod.path, "hypervisors", name, "dedicated_to")
            yield from declaration.unknown(at, hypervisor.dedicated_to, "an account", cloud.accounts, ("accounts",))
    for name, account in cloud.accounts.items():
        yield from _guest_networks(declaration, ("accounts", name), account)
        for machine_name, machine in account.machines.items():
            yield from _machine(declaration, ("accounts", name, "machines", machine_name), account, machine)


def _dedicated(declaration: Declaration, path: KeyPath, accounts: Collection[str]) -> Iterator[Finding]:
    for account in accounts:
        at = (*path, "dedicated", account)
        yield from declaration.unknown(at, account, "an account", declaration.cloud.accounts, ("accounts",))


def _shape(declaration: Declaration, path: KeyPath, image: str, offering: str) -> Iterator[Finding]:
    cloud = declaration.cloud
    yield from declaration.unknown((*path, "image"), image, "an image", cloud.images, ("images",))
    yield from declaration.unknown((*path, "offering"), offering, "an offering", cloud.offerings, ("offerings",))


def _guest_networks(declaration: Declaration, account_path: KeyPath, account: Account) -> Iterator[Finding]:
    zones = declaration.cloud.zones
    for name, network in account.guest_networks.items():
        path = (*account_path, "guest_networks", name)
        yield from declaration.unknown((*path, "zone"), network.zone, "a zone", zones, ("zones",))
        zone = zones.get(network.zone)
        if zone is None:
            continue
        pods: KeyPath = ("zones", network.zone, "pods")
        yield from declaration.unknown((*path, "pod"), network.pod, f"a pod of {network.zone}", zone.pods, pods)
        if network.pod is None and len(zone.pods) != 1 and not declaration.doubtful(pods):
            remedy = (
                f"add pod, one of {', '.join(sorted(zone.pods))}"
                if zone.pods
                else f"declare one in zones.{network.zone}.pods"
            )
            yield Finding((*path, "pod"), None, "the name of a pod", remedy)
        for index, other in enumerate(network.reaches):
            at = (*path, "reaches", index)
            yield from _other_network(declaration, at, other, f"a guest network of {account_path[1]}", account)
            if other == name:
                yield Finding(at, other, "another network", "leave it out: within a network machines reach each other")
            elif other in account.guest_networks:
                yield from _in_zone(at, other, account.guest_networks[other].zone, network.zone, name)
        if network.subnet == "auto" and zone.guest_subnets is None:
            remedy = f"add guest_subnets to zones.{network.zone}, or give a subnet"
            if not declaration.doubtful(("zones", network.zone, "guest_subnets")):
                yield Finding((*path, "subnet"), "auto", f"possible in {network.zone}", remedy)


def _machine(declaration: Declaration, path: KeyPath, account: Account, machine: Machine) -> Iterator[Finding]:
    yield from _nics(declaration, path, account, machine)
    yield from _shape(declaration, path, machine.image, machine.offering)
    network = declaration.home_of(account, machine)
    if network is not None and network.zone in declaration.cloud.zones:
        pods = declaration.cloud.zones[network.zone].pods
        among: KeyPath = ("zones", network.zone, "pods")
        yield from declaration.unknown((*path, "pod"), machine.pod, f"a pod of {network.zone}", pods, among)
    placed = declaration.pod_of_machine(account, machine)
    if placed and machine.hypervisor is not None and machine.hypervisor not in placed.pod.hypervisors:
        yield from _hypervisor(declaration, (*path, "hypervisor"), machine.hypervisor, placed)


def _nics(declaration: Declaration, path: KeyPath, account: Account, machine: Machine) -> Iterator[Finding]:
    """A machine has a NIC or several, each in another network of its account, and all of them in one zone."""
    at: KeyPath = (*path, "guest_networks")
    known = not any(path[: len(at)] == at for path in declaration.wrong)
    if known and not machine.guest_networks:
        yield Finding(at, "[]", "a list of guest networks", "name one at least, for a machine has a NIC in each")
    home, zone = next(iter(machine.guest_networks), None), declaration.home_of(account, machine)
    for index, name in enumerate(machine.guest_networks):
        yield from _other_network(declaration, (*at, index), name, f"a guest network of {path[1]}", account)
        if name in machine.guest_networks[:index]:
            yield Finding((*at, index), name, "another network", "leave it out: a machine has one NIC in a network")
        elif home and zone and name in account.guest_networks:
            yield from _in_zone((*at, index), name, account.guest_networks[name].zone, zone.zone, home)
    for name in machine.addresses:
        if known and machine.guest_networks and name not in machine.guest_networks:
            remedy = f"write {alternative(name, machine.guest_networks)}, or add it to {dotted(at)}"
            yield Finding((*path, "addresses", name), name, "a network that the machine is in", remedy)


def _other_network(
    declaration: Declaration, path: KeyPath, name: str, kind: str, account: Account
) -> Iterator[Finding]:
    among = (*path[:2], "guest_networks")
    yield from declaration.unknown(path, name, kind, account.guest_networks, among)


def _in_zone(path: KeyPath, name: str, zone: str | None, wanted: str | None, home: str) -> Iterator[Finding]:
    if None not in (zone, wanted) and zone != wanted:
        remedy = f"it is in {zone}: name one of the zone that {home} is in"
        yield Finding(path, name, f"a guest network in {wanted}", remedy)


def _hypervisor(declaration: Declaration, path: KeyPath, name: str, placed: PlacedPod) -> Iterator[Finding]:
    kind = f"a hypervisor of pod {placed.name} of {placed.zone_name}"
    hypervisors = placed.pod.hypervisors
    elsewhere = next((pod for pod in declaration.pods() if name in pod.pod.hypervisors), None)
    if elsewhere and hypervisors:
        remedy = f"it is in pod {elsewhere.name} of {elsewhere.zone_name}: write one of {listed(hypervisors)}"
        yield Finding(path, name, kind, remedy)
    else:
        yield from declaration.unknown(path, name, kind, hypervisors, (*placed.path, "hypervisors"))
