"""Guest networks in several pods, and what carries them between these."""

from __future__ import annotations

from collections.abc import Iterator

from podwright.model.checks.declaration import Declaration
from podwright.model.cloud import Account
from podwright.model.document import Finding, KeyPath


def check(declaration: Declaration) -> Iterator[Finding]:
    """A machine in another pod than its network's appliance needs VNIs in the zone and tunnel networks in both pods."""
    needed: dict[KeyPath, KeyPath] = {}
    for name, account in declaration.cloud.accounts.items():
        for path, needing in _needs(declaration, ("accounts", name), account):
            needed.setdefault(path, needing)
    for path, needing in needed.items():
        what = "VNIs" if path[-1] == "vnis" else "a tunnel network"
        remedy = f"{declaration.where(needing)} puts a guest network into several pods: add {what} here, or change that"
        yield Finding(path, None, "a required key", remedy)


def _needs(declaration: Declaration, path: KeyPath, account: Account) -> Iterator[tuple[KeyPath, KeyPath]]:
    """Keys that are missing, each with the path of what needs it."""
    for name, machine in account.machines.items():
        home = declaration.pod_of(declaration.home_of(account, machine))
        placed = declaration.pod_of_machine(account, machine)
        if home is None or placed is None or home.name == placed.name:
            continue
        needing: KeyPath = (*path, "machines", name, "pod")
        if home.zone.vnis is None:
            yield ("zones", home.zone_name, "vnis"), needing
        for pod in (home, placed):
            if pod.pod.networks.tunnel is None:
                yield (*pod.path, "networks", "tunnel"), needing
