"""Layers of pod switches: in each rack below one that joins the racks, and of each kind where there are two.

Hosts say in which rack they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from podwright.model.checks.declaration import Declaration, PlacedPod
from podwright.model.document import Finding
from podwright.model.fabrics import fabrics
from podwright.model.racks import layer, racks
from podwright.model.structure import alternative


def check(declaration: Declaration) -> Iterator[Finding]:
    """The racks of each pod."""
    for pod in declaration.pods():
        if not any(path[: len(pod.path)] == pod.path and "pod_switches" in path for path in declaration.wrong):
            unsaid = list(_unsaid(pod))
            yield from unsaid or _layers(pod)
            yield from _hosts(declaration, pod)


def _unsaid(pod: PlacedPod) -> Iterator[Finding]:
    """Either all pod switches say what they carry, or none."""
    unsaid = [name for name, switch in pod.pod.pod_switches.items() if switch.carries is None]
    if len(unsaid) < len(pod.pod.pod_switches):
        for name in unsaid:
            remedy = "add it, as other pod switches of the pod have it, or take it away from these"
            yield Finding((*pod.path, "pod_switches", name, "carries"), None, "public or private", remedy)


def _layers(pod: PlacedPod) -> Iterator[Finding]:
    """A layer is one pod switch, or a pair."""
    path = (*pod.path, "pod_switches")
    named = racks(pod.pod)
    for rack, fabric in product((None, *named), fabrics(pod.pod)):
        count = len(layer(pod.pod, rack, fabric))
        if count not in (1, 2):
            kind = f"{fabric} pod switches" if fabric else "pod switches"
            where = f" in rack {rack}" if rack else " that join the racks" if named else ""
            remedy = "declare a redundant pair"
            if named and rack is None and not count:
                remedy += " without a rack, or take the key rack away from all"
            elif fabric and not count:
                remedy += ", or take the key carries away from all"
            yield Finding(path, f"{count} {kind}{where}", "one or two", remedy)


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
