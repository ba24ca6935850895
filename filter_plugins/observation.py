from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from podwright.observe import probes as observation


def watches(states: Mapping[str, Any]) -> dict[str, list[str]]:
    return observation.watches(states)


def probes(states: Mapping[str, Any]) -> dict[str, dict[str, dict[str, list[str]]]]:
    return {
        hypervisor: {domain: {probe.statement: probe.argv for probe in asked} for domain, asked in domains.items()}
        for hypervisor, domains in observation.probes(states).items()
    }


class FilterModule:
    """What to send and where to listen, worked out from the plan."""

    def filters(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        return {"watches": watches, "probes": probes}
