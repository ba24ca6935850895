"""Loops of cables: pod switches that run no RSTP are in none."""

from __future__ import annotations

from collections.abc import Iterator, Set

from podwright.model.checks.declaration import Declaration, PlacedPod
from podwright.model.document import Finding
from podwright.model.fabrics import fabrics
from podwright.model.fields import Cable
from podwright.switches.platforms import has_spanning_tree

_EXPECTED = "a platform with RSTP, as a loop of cables needs"


def check(declaration: Declaration) -> Iterator[Finding]:
    """The pod switches of each pod that run no spanning tree."""
    for pod in declaration.pods():
        for fabric in fabrics(pod.pod):
            switches = {name: switch for name, switch in pod.pod.pod_switches.items() if switch.carries == fabric}
            cables = _bridging_cables(pod, switches.keys())
            for name, switch in switches.items():
                if switch.platform is not None and not has_spanning_tree(switch.platform):
                    yield from _loops(pod, name, switch.platform, cables)


def _bridging_cables(pod: PlacedPod, switches: Set[str]) -> list[Cable]:
    """The cables of some of a pod's switches, which are a fabric, between what forwards frames from one to another.

    Pod switches do, zone switches between their trunks to the fabric, and whatever the management network is made of.
    Hosts do not: their uplinks are active-backup, one at a time.
    """
    forwarding = switches | pod.zone.zone_switches.keys() | {"management"}
    return [cable for cable in pod.zone.cables if cable and _ends(cable) <= forwarding and _ends(cable) & switches]


def _loops(pod: PlacedPod, name: str, platform: str, cables: list[Cable]) -> Iterator[Finding]:
    """A finding when cables of a switch are in a loop: without such a one, its ends are still joined."""
    looped = [
        f"{cable.a} to {cable.b}"
        for index, cable in enumerate(cables)
        if name in _ends(cable) and _joined(cable, cables[:index] + cables[index + 1 :])
    ]
    if looped:
        at = f"zones.{pod.zone_name}.cables"
        remedy = f"{', '.join(looped)} are in a loop: remove one of them, or another cable of the loop, from {at}"
        yield Finding((*pod.path, "pod_switches", name, "platform"), platform, _EXPECTED, remedy)


def _joined(cable: Cable, others: list[Cable]) -> bool:
    """Whether frames get from one end of a cable to the other end by other cables."""
    reached = {cable.a.device}
    while beyond := {end for other in others if _ends(other) & reached for end in _ends(other)} - reached:
        reached |= beyond
    return cable.b.device in reached


def _ends(cable: Cable) -> set[str]:
    return {end.device for end in cable.ends}
