"""Storage's guaranteed share of links: whether it fits into them, and whether the pod switches can keep it."""

from __future__ import annotations

from collections.abc import Iterator

from podwright.model.checks.declaration import Declaration, PlacedPod
from podwright.model.document import Finding, dotted
from podwright.model.structure import listed
from podwright.switches.platforms import platforms_with_shares


def check(declaration: Declaration) -> Iterator[Finding]:
    """The share of each pod."""
    for pod in declaration.pods():
        yield from _of_a_link(declaration, pod)
        if pod.pod.link_mbit_s is not None:
            yield from _kept_by_switches(pod)


def _of_a_link(declaration: Declaration, pod: PlacedPod) -> Iterator[Finding]:
    guaranteed, link = pod.pod.networks.storage.guaranteed_mbit_s, pod.pod.link_mbit_s
    path, at = (*pod.path, "networks", "storage", "guaranteed_mbit_s"), (*pod.path, "link_mbit_s")
    if guaranteed is None:
        return
    if link is None:
        if not declaration.doubtful(at):
            remedy = f"add {dotted(at)}, what the links of the pod carry, or remove it"
            yield Finding(path, str(guaranteed), "a share of links of a known rate", remedy)
    elif guaranteed >= link:
        remedy = f"{declaration.where(at)} is {link}: leave guests something, {link - 1} at most"
        yield Finding(path, str(guaranteed), "less than a link carries", remedy)


def _kept_by_switches(pod: PlacedPod) -> Iterator[Finding]:
    able = platforms_with_shares()
    if pod.pod.networks.storage.guaranteed_by == "hypervisors":
        return
    for name, switch in pod.pod.pod_switches.items():
        if switch.carries != "public" and switch.platform is not None and switch.platform not in able:
            at = dotted((*pod.path, "networks", "storage", "guaranteed_by"))
            remedy = f"write {at}: hypervisors, and pod switches keep nothing for storage, or remove link_mbit_s"
            expected = f"one that keeps storage's share ({listed(able)})"
            yield Finding((*pod.path, "pod_switches", name, "platform"), switch.platform, expected, remedy)
