"""Racks of a pod: each with a layer of pod switches, below one that joins them, and hosts that say where they stand."""

from __future__ import annotations

from collections.abc import Iterator

from podwright.model.checks.declaration import Declaration, PlacedPod
from podwright.model.document import Finding
from podwright.model.racks import racks, switches_in
from podwright.model.structure import alternative


def check(declaration: Declaration) -> Iterator[Finding]:
    """The racks of each pod."""
    for pod in declaration.pods():
        if not any(path[: len(pod.path)] == pod.path and "pod_switches" in path for path in declaration.wrong):
            yield from _layers(pod)
            yield from _hosts(declaration, pod)


def _layers(pod: PlacedPod) -> Iterator[Finding]:
    """A layer is one pod switch, or a pair."""
    path = (*pod.path, "pod_switches")
    named = racks(pod.pod)
    for rack in (None, *named):
        count = len(switches_in(pod.pod, rack))
        if count not in (1, 2):
            where = f" in rack {rack}" if rack else " that join the racks" if named else ""
            remedy = "declare a redundant pair"
            if named and rack is None and not count:
                remedy = "declare a redundant pair without a rack, or take the key rack away from all"
            yield Finding(path, f"{count} pod switches{where}", "one or two", remedy)


def _hosts(declaration: Declaration, pod: PlacedPod) -> Iterator[Finding]:
    known = racks(pod.pod)
    for kind in ("storage_servers", "hypervisors"):
        for name, host in getattr(pod.pod, kind).items():
            path = (*pod.path, kind, name, "rack")
            if host.rack is None:
                if known and not declaration.doubtful(path):
                    remedy = f"add the rack that it stands in, {alternative('', known)}"
                    yield Finding(path, None, "a rack", remedy)
            elif not known:
                remedy = "remove it, or give pod switches the key rack"
                yield Finding(path, host.rack, "left out in a pod with one layer of switches", remedy)
            elif host.rack not in known:
                remedy = f"write {alternative(host.rack, known)}, or give pod switches the rack {host.rack}"
                yield Finding(path, host.rack, "a rack with pod switches", remedy)
