"""What accounts ask for and no allocation could give."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from itertools import combinations

from podwright.model.checks.declaration import Declaration, PlacedPod
from podwright.model.cloud import AUTO_PREFIX_LENGTH, Account, GuestNetwork, StorageServer
from podwright.model.document import Finding, KeyPath, dotted
from podwright.model.structure import listed


def check(declaration: Declaration) -> Iterator[Finding]:
    """Room for an account's machines in its guest networks and pods."""
    for name, zone in declaration.cloud.zones.items():
        if zone.guest_subnets and zone.guest_subnets.prefixlen > AUTO_PREFIX_LENGTH:
            remedy = f"give a prefix length of at most {AUTO_PREFIX_LENGTH}, for each guest network gets one of that"
            yield Finding(("zones", name, "guest_subnets"), str(zone.guest_subnets), "large enough", remedy)
    yield from _pods(declaration)
    for name, account in declaration.cloud.accounts.items():
        path: KeyPath = ("accounts", name)
        yield from _networks_of_a_zone(declaration, path, account)
        yield from _guest_subnets(path, account)
        yield from _dedicated(declaration, name, account)
        yield from _anti_affinity(declaration, name, account)


def _networks_of_a_zone(declaration: Declaration, path: KeyPath, account: Account) -> Iterator[Finding]:
    """One routing appliance serves all networks of an account in a zone: it is in one pod, and routes between them."""
    at: KeyPath = (*path, "guest_networks")
    zones: dict[str, list[str]] = defaultdict(list)
    for name, network in account.guest_networks.items():
        if network.zone is not None:
            zones[network.zone].append(name)
    for zone, names in zones.items():
        networks = {name: account.guest_networks[name] for name in names}
        defaults = [name for name in names if networks[name].default] or (names if len(names) == 1 else [])
        if not defaults:
            remedy = f"add `default: true` to the one of {listed(names)} that eth0 of the routing appliance is in"
            yield Finding((*at, names[0], "default"), None, f"the default network of {path[-1]} in {zone}", remedy)
        for name in defaults[1:]:
            remedy = f"{declaration.where((*at, defaults[0], 'default'))} is it: leave out one of both"
            yield Finding((*at, name, "default"), "true", f"the only default network of {path[-1]} in {zone}", remedy)
        for name in names:
            if defaults and (home := declaration.pod_of(networks[defaults[0]])):
                yield from _in_another_pod(declaration, (*at, name, "pod"), networks[name], home)
        yield from _overlaps(declaration, at, networks)


def _in_another_pod(
    declaration: Declaration, path: KeyPath, network: GuestNetwork, home: PlacedPod
) -> Iterator[Finding]:
    placed = declaration.pod_of(network)
    if placed and placed.name != home.name:
        remedy = f"write {home.name}; machines of it may be in other pods"
        yield Finding(path, placed.name, "the pod of the account's routing appliance", remedy)


def _overlaps(declaration: Declaration, path: KeyPath, networks: Mapping[str, GuestNetwork]) -> Iterator[Finding]:
    for (first, one), (second, other) in combinations(networks.items(), 2):
        if not isinstance(one.subnet, IPv4Network) or not isinstance(other.subnet, IPv4Network):
            continue
        if one.subnet.overlaps(other.subnet):
            where = declaration.where((*path, first, "subnet"))
            remedy = f"{where} is {one.subnet}, and the account's routing appliance routes both: give another"
            yield Finding((*path, second, "subnet"), str(other.subnet), "a subnet of its own", remedy)


def _guest_subnets(path: KeyPath, account: Account) -> Iterator[Finding]:
    machines = Counter(network for machine in account.machines.values() for network in set(machine.guest_networks))
    for name, network in account.guest_networks.items():
        at = (*path, "guest_networks", name, "subnet")
        if network.subnet is None:
            continue
        length = network.subnet.prefixlen if isinstance(network.subnet, IPv4Network) else AUTO_PREFIX_LENGTH
        room = 2 ** (32 - length) - 3  # less the network's, the broadcast and the routing appliance's address
        needed = max(machines[name], 1)
        if room < needed:
            enough = 32 - (needed + 2).bit_length()
            remedy = f"give a prefix length of at most {enough}, for a router and {needed} machines"
            yield Finding(at, str(network.subnet), "large enough", remedy.replace(" 1 machines", " a machine"))


def _pods(declaration: Declaration) -> Iterator[Finding]:
    """A guest network has a routing appliance, which needs a hypervisor and a disk."""
    disks = _disks_gib(declaration)
    used = {placed.path: placed for placed in _places(declaration) if placed}
    for path, placed in used.items():
        if not placed.pod.hypervisors:
            remedy = "declare one in a pod that guest networks are in"
            yield Finding((*path, "hypervisors"), None, "a hypervisor", remedy)
        if not placed.pod.storage_servers:
            remedy = "declare one in a pod that guest networks are in"
            yield Finding((*path, "storage_servers"), None, "a storage server", remedy)
        else:
            yield from _room_for_disks(path, placed.pod.storage_servers, disks[path])


def _room_for_disks(
    path: KeyPath, servers: Mapping[str, StorageServer], disks: Mapping[str, list[int]]
) -> Iterator[Finding]:
    """All disks of a pod fit into its storage servers together, and the largest into one of them."""
    capacities = {name: server.capacity_gib for name, server in servers.items()}
    total, needed = sum(capacity or 0 for capacity in capacities.values()), sum(map(sum, disks.values()))
    if None in capacities.values():
        return
    at: KeyPath = (*path, "storage_servers")
    if total < needed:
        parts = " and ".join(f"those of {role} have {sum(sizes)} GiB" for role, sizes in disks.items() if any(sizes))
        more = "add a storage server, " if len(capacities) > 1 else ""
        remedy = f"{parts}: give {needed} or more{' in all' if more else ''}, {more}or take machines away"
        where = at if more else (*at, next(iter(capacities)), "capacity_gib")
        found = (
            " and ".join(f"{capacity} of {name}" for name, capacity in sorted(capacities.items())) if more else total
        )
        yield Finding(where, str(found), "enough for the disks of its pod", remedy)
    elif (largest := max((size for sizes in disks.values() for size in sizes), default=0)) > max(capacities.values()):
        name = max(capacities, key=lambda name: (capacities[name], name))
        remedy = f"one has {largest} GiB: give one storage server that or more, or take a smaller offering"
        yield Finding((*at, name, "capacity_gib"), str(capacities[name]), "enough for the largest disk", remedy)


def _places(declaration: Declaration) -> Iterator[PlacedPod | None]:
    """Where routing appliances and machines are, as far as that is known."""
    for account in declaration.cloud.accounts.values():
        yield from map(declaration.pod_of, account.guest_networks.values())
        yield from (declaration.pod_of_machine(account, machine) for machine in account.machines.values())


def _disks_gib(declaration: Declaration) -> dict[KeyPath, dict[str, list[int]]]:
    """The sizes of all disks of a pod, {path of the pod: {whose: in GiB}}; what is wrong counts as nothing."""
    cloud = declaration.cloud
    sizes = {name: offering.disk_gib or 0 for name, offering in cloud.offerings.items()}
    disks: dict[KeyPath, dict[str, list[int]]] = defaultdict(lambda: {"machines": [], "routing appliances": []})
    for account in cloud.accounts.values():
        for machine in account.machines.values():
            if placed := declaration.pod_of_machine(account, machine):
                disks[placed.path]["machines"].append(sizes.get(machine.offering, 0))
        # A routing appliance serves all networks of an account in a zone.
        served = filter(None, map(declaration.pod_of, account.guest_networks.values()))
        for placed in {placed.zone_name: placed for placed in served}.values():
            disks[placed.path]["routing appliances"].append(sizes.get(placed.zone.routing_appliance.offering, 0))
    return disks


def _dedicated(declaration: Declaration, account_name: str, account: Account) -> Iterator[Finding]:
    """Nothing of an account runs on a hypervisor that is dedicated to another."""
    path: KeyPath = ("accounts", account_name)
    kind = f"a hypervisor for {account_name}"
    for name, network in account.guest_networks.items():
        placed = declaration.pod_of(network)
        if placed and placed.pod.hypervisors and not declaration.hypervisors_for(account_name, placed):
            remedy = f"all of its hypervisors are dedicated to others: add one to {dotted(placed.path)}, or share one"
            yield Finding((*path, "guest_networks", name, "pod"), placed.name, f"a pod with {kind}", remedy)
    for name, machine in account.machines.items():
        placed = declaration.pod_of_machine(account, machine)
        if placed is None or machine.hypervisor is None or machine.hypervisor not in placed.pod.hypervisors:
            continue
        usable = declaration.hypervisors_for(account_name, placed)
        if machine.hypervisor not in usable:
            owner: KeyPath = (*placed.path, "hypervisors", machine.hypervisor, "dedicated_to")
            choice = ("one of " if len(usable) > 1 else "") + listed(usable)
            instead = f"write {choice}, or leave it out" if usable else "leave it out"
            dedicated_to = placed.pod.hypervisors[machine.hypervisor].dedicated_to
            remedy = f"{declaration.where(owner)} is {dedicated_to}: {instead}"
            yield Finding((*path, "machines", name, "hypervisor"), machine.hypervisor, kind, remedy)


def _anti_affinity(declaration: Declaration, account_name: str, account: Account) -> Iterator[Finding]:
    """Machines that avoid each other need a hypervisor each."""
    path: KeyPath = ("accounts", account_name)
    groups: dict[tuple[str, KeyPath], list[str]] = defaultdict(list)
    pods: dict[KeyPath, PlacedPod] = {}
    for name, machine in account.machines.items():
        placed = declaration.pod_of_machine(account, machine)
        if placed and machine.anti_affinity is not None:
            groups[machine.anti_affinity, placed.path].append(name)
            pods[placed.path] = placed
    for (group, pod_path), names in groups.items():
        placed = pods[pod_path]
        usable = declaration.hypervisors_for(account_name, placed)
        at = (*path, "machines", names[-1], "anti_affinity")
        if len(names) > len(usable) > 0:
            whose = f" for {account_name}" if len(usable) < len(placed.pod.hypervisors) else ""
            counts = f"it has {len(names)} machines and pod {placed.name} has {len(usable)} hypervisors{whose}"
            remedy = f"{counts}: add hypervisors or divide the group"
            yield Finding(at, group, "a group that fits", remedy)
        yield from _pinned_together(declaration, path, account, names)


def _pinned_together(declaration: Declaration, path: KeyPath, account: Account, names: list[str]) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for name in names:
        hypervisor = account.machines[name].hypervisor
        if hypervisor is not None and (other := first.setdefault(hypervisor, name)) != name:
            remedy = f"{declaration.where((*path, 'machines', other))} avoids it and is there, too: change one"
            yield Finding((*path, "machines", name, "hypervisor"), hypervisor, "possible", remedy)
