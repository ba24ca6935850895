"""`make bench`: what rendering pod switches alone costs, on every platform, beside a template for each device.

No two switches have the same VLANs, names or descriptions, so nothing that is kept from one helps much with another.

The template is the way of most tools that render switches: Jinja2, the same text byte for byte, with what it needs
worked out by filters. It is compiled for every device, as Ansible's `template` does for each host, or once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice

import jinja2

from podwright.switches.driver import find_platform
from podwright.switches.platforms import has_spanning_tree, platform_names
from podwright.switches.running_config import vlan_list
from podwright.switches.state import Port, SwitchState
from tests.bench.costs import alone, cpu_s, heading, most_memory, row

SIZES = (500, 5_000)
SHAPES = ((24, 30), (48, 100))
"""(ports, VLANs) of a switch; only the first is rendered at each of the sizes, the others at the first"""

SAMPLE = 200
"""Switches that the templates render: enough for a ratio"""

PORTS = {"eos": "Ethernet", "ios": "GigabitEthernet1/0/", "nxos": "Ethernet1/", "sonic": "Ethernet"}
"""What switches of a platform call their ports, before the number"""

TEMPLATE = """\
spanning-tree mode rstp
spanning-tree priority {{ switch.priority }}
{% for id, name in switch.vlans | dictsort %}
vlan {{ id }}
   name {{ name }}
!
{% endfor %}
{% for name, port in switch.ports.items() %}
interface {{ name }}
   description {{ port.description }}
   switchport trunk allowed vlan {{ port.vlans | vlan_list }}
   switchport mode trunk
   spanning-tree portfast
!
{% endfor %}
"""
"""A switch of platform `eos`, as far as the bench's switches need it"""


def main() -> None:
    """Measure every platform at each size, then against templates."""
    for ports, vlans in SHAPES:
        for size in SIZES if (ports, vlans) == SHAPES[0] else SIZES[:1]:
            heading(f"{size:,} switches with {ports} ports and {vlans} VLANs", "CPU s", "MB of text", "most memory")
            for platform in platform_names():
                alone(_platform, (platform, size, ports, vlans))
    alone(_templates, SHAPES[0])


def _platform(what: tuple[str, int, int, int]) -> None:
    platform, size, ports, vlans = what
    configuration = find_platform(platform).configuration
    switches = made_switches(platform, ports, vlans)
    took_s = characters = 0.0
    for _ in range(size):  # making a state is not rendering it
        state = next(switches)
        once_s, text = cpu_s(partial(configuration, state))
        took_s += once_s
        characters += len(text)
    row(platform, f"{took_s:.2f}", f"{characters / 1e6:.0f}", most_memory())


def made_switches(platform: str, ports: int, vlans: int) -> Iterator[SwitchState]:
    """Switches whose ports lead to hosts with other guest networks each."""
    prefix = PORTS.get(platform, "swp")
    in_tree = has_spanning_tree(platform)
    for number in range(1 << 32):
        first = 1100 + number % 2700  # no platform keeps any of these for itself
        ids = range(first, first + vlans)
        yield SwitchState(
            {20: "storage"} | {vlan: f"account{number}-{vlan}" for vlan in ids},
            {
                f"{prefix}{port}": Port(
                    "trunk",
                    frozenset({20, *ids[port % vlans :][:20]}),
                    None,
                    f"pod{number}-hv{port} eth1",
                    edge=in_tree,
                )
                for port in range(1, ports + 1)
            },
            4096 if in_tree else None,
        )


def _templates(shape: tuple[int, int]) -> None:
    """The same switches by podwright and by a template, in CPU seconds for each and as ratios."""
    switches = list(islice(made_switches("eos", *shape), SAMPLE))
    configuration = find_platform("eos").configuration
    once = _environment().from_string(TEMPLATE)
    ways: dict[str, Callable[[SwitchState], str]] = {
        "podwright": configuration,
        "Jinja2, compiled once": lambda switch: once.render(switch=switch),
        "Jinja2, compiled for each device": lambda switch: _environment().from_string(TEMPLATE).render(switch=switch),
    }
    heading(f"{SAMPLE} switches of platform eos with {shape[0]} ports and {shape[1]} VLANs", "CPU ms each", "ratio")
    ours_s = 0.0
    for name, way in ways.items():
        assert way(switches[0]) == configuration(switches[0])
        took_s, _ = cpu_s(partial(_each, way, switches))
        ours_s = ours_s or took_s
        row(name, f"{took_s / SAMPLE * 1000:.2f}", f"{took_s / ours_s:.1f}")


def _each(way: Callable[[SwitchState], str], switches: Iterable[SwitchState]) -> None:
    for switch in switches:
        way(switch)


def _environment() -> jinja2.Environment:
    # What is rendered is no HTML.
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)  # noqa: S701
    environment.filters["vlan_list"] = vlan_list
    return environment


if __name__ == "__main__":
    main()
