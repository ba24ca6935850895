"""Whatever has a name in the cloud or in Ansible has it alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podwright.model.checks.declaration import Declaration
from podwright.model.cloud import Pod, Zone
from podwright.model.document import Finding, KeyPath
from podwright.model.views import KIND_GROUPS, account_group, appliance_name, domain_name, pod_group, zone_group

# RFC 1035 section 2.3.4: a label has at most 63 octets. Appliances and machines are hosts with a name.
_LONGEST_LABEL = 63

# Ends of cables that are no device of ours, and what Ansible keeps for itself.
_RESERVED = {"upstream", "management", "localhost"}


def check(declaration: Declaration) -> Iterator[Finding]:
    """Names of devices and domains, and of the inventory's groups."""
    yield from _hosts(declaration)
    yield from _groups(declaration)


def _hosts(declaration: Declaration) -> Iterator[Finding]:
    holders: dict[str, KeyPath] = {}
    for name, path, shown in _host_names(declaration):
        if name in _RESERVED:
            yield Finding(path, name, "a name to choose", "it means something else: take another")
        if len(name) > _LONGEST_LABEL:
            remedy = f"make its parts shorter by {len(name) - _LONGEST_LABEL}"
            yield Finding(path, shown, f"a host name of at most {_LONGEST_LABEL} characters", remedy)
        first = holders.setdefault(name, path)
        if first != path:
            remedy = f"{declaration.where(first)} has it, too: rename one"
            yield Finding(path, shown, "a name of its own", remedy)


def _host_names(declaration: Declaration) -> Iterator[tuple[str, KeyPath, str]]:
    """(name, path of what has it, the name as a message shows it) of all hosts and domains."""
    for zone_name, zone in declaration.cloud.zones.items():
        yield from _device_names(zone, ("zones", zone_name), ("firewalls", "zone_switches"))
    for placed in declaration.pods():
        yield from _device_names(placed.pod, placed.path, ("pod_switches", "storage_servers", "hypervisors"))
    for account_name, account in declaration.cloud.accounts.items():
        base: KeyPath = ("accounts", account_name)
        zones: dict[str, str] = {}
        for name, network in account.guest_networks.items():
            zones.setdefault(network.zone, name)
        for zone_name, network_name in zones.items():
            appliance = appliance_name(account_name, zone_name)
            yield appliance, (*base, "guest_networks", network_name), f"{appliance} (the routing appliance)"
        for name in account.machines:
            domain = domain_name(account_name, name)
            yield domain, (*base, "machines", name), f"{domain} (account and machine)"


def _device_names(holder: Zone | Pod, path: KeyPath, kinds: Iterable[str]) -> Iterator[tuple[str, KeyPath, str]]:
    for kind in kinds:
        for name in getattr(holder, kind):
            yield name, (*path, kind, name), name


def _groups(declaration: Declaration) -> Iterator[Finding]:
    cloud = declaration.cloud
    holders: dict[str, KeyPath | None] = dict.fromkeys(KIND_GROUPS.values())
    groups: list[tuple[str, KeyPath]] = [(zone_group(name), ("zones", name)) for name in cloud.zones]
    groups += [(pod_group(pod.zone_name, pod.name), pod.path) for pod in declaration.pods()]
    groups += [(account_group(name), ("accounts", name)) for name in cloud.accounts]
    for group, path in groups:
        first = holders.setdefault(group, path)
        if first != path:
            holder = declaration.where(first) if first else "a kind of device"
            yield Finding(
                path, f"{group} (the inventory group)", "a name of its own", f"{holder} has it, too: rename one"
            )
