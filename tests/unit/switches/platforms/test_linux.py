from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.errors import DeviceError, PodwrightError
from podwright.switches import queues
from podwright.switches.platforms.linux import commands, configuration, parse, startup
from podwright.switches.state import Port, Share, SwitchState, applied, difference

from ..states import states_of

GOLDEN = Path(__file__).parents[3] / "cases" / "switches" / "platforms" / "pod-switch.linux.json"
POD_SWITCH = SwitchState(
    {10: "management", 20: "storage", 30: "", 101: "acme-default"},
    {
        "swp1": Port("trunk", frozenset({10, 30}), description="east-zsw1 swp1"),
        "swp2": Port("trunk", frozenset({10, 101, *range(200, 260)}), untagged=20, share=Share(20, 400, 1000)),
        "swp3": Port("access", untagged=10, description='a "management" port'),
        "swp4": Port("trunk", description="between pods"),
        "swp5": Port("access"),
    },
)
NOTHING = SwitchState({}, {})
FLAGS = {"pvid": "PVID", "untagged": "Egress Untagged"}


@dataclass
class Link:
    """An interface as the kernel has it."""

    in_bridge: bool = False
    is_up: bool = False
    vlans: dict[int, list[str]] = field(default_factory=dict)
    queues: list[str] = field(default_factory=list)
    """what tc(8) was told since there were none"""


class Kernel:
    """What ip(8), bridge(8) and tc(8) make of links when they follow batches, and what a shell makes of labels."""

    def __init__(self, state: SwitchState) -> None:
        self.links = {f"swp{number}": Link() for number in range(1, 65)}
        self.labels: dict[str, Any] = {}
        self.follow(commands(difference(NOTHING, state), NOTHING))

    def follow(self, script: str) -> None:
        for program, body in re.findall(
            r"^(ip|bridge|tc|cat)[^\n]* <<'END'\n(.*?)^END$", script, re.DOTALL | re.MULTILINE
        ):
            if program == "cat":
                self.labels = json.loads(body)
            else:
                for line in body.splitlines():
                    getattr(self, f"_{program}")(*line.split())

    def _ip(self, *words: str) -> None:
        assert words[:3] == ("link", "set", "dev")
        link = self.links[words[3]]
        options = iter(words[4:])
        for option in options:
            if option in ("up", "down"):
                link.is_up = option == "up"
            elif option == "master":
                assert next(options) == "br0"
                link.in_bridge, link.vlans = True, {}
            elif option == "nomaster":
                link.in_bridge, link.vlans = False, {}
            else:
                assert option == "addrgenmode"
                assert next(options) in ("none", "eui64")

    def _bridge(self, *words: str) -> None:
        assert (words[0], words[2], words[4]) == ("vlan", "dev", "vid")
        link = self.links[words[3]]
        assert link.in_bridge
        first, _, last = words[5].partition("-")
        flags = [FLAGS[word] for word in words[6:]]
        for vlan in range(int(first), int(last or first) + 1):
            if words[1] == "del":
                link.vlans.pop(vlan, None)
            else:
                link.vlans[vlan] = flags
                if "PVID" in flags:  # there is one
                    for other in link.vlans.keys() - {vlan}:
                        link.vlans[other] = [flag for flag in link.vlans[other] if flag != "PVID"]

    def _tc(self, *words: str) -> None:
        assert words[2] == "dev"
        link = self.links[words[3]]
        if words[:2] in (("qdisc", "replace"), ("qdisc", "delete")):
            link.queues = []
        else:
            link.queues.append(" ".join(words))

    def _share(self, link: Link) -> Share:
        """What tc(8) shows of the classes and filters that it was told to make."""
        classes = re.findall(r"classid (\S+) htb rate (\d+)mbit ceil (\d+)mbit", "\n".join(link.queues))
        shown = "\n".join(f"class htb {name} prio 0 rate {rate}Mbit ceil {most}Mbit" for name, rate, most in classes)
        filters = re.findall(r'bpf bytecode "([^"]+)" flowid (\S+)', "\n".join(link.queues))
        programs = "\n".join(f"filter bpf handle 0x1 flowid {to} bytecode '{program}'" for program, to in filters)
        return queues.share_of({"classes": shown, "filters": programs})

    def told(self) -> str:
        ports = {name: link for name, link in self.links.items() if link.in_bridge}
        return json.dumps(
            {
                "link": [{"ifname": name, "flags": ["UP"] if link.is_up else []} for name, link in ports.items()],
                "vlan": [
                    {"ifname": name, "vlans": [{"vlan": vlan, "flags": flags} for vlan, flags in link.vlans.items()]}
                    for name, link in ports.items()
                ],
                "share": [
                    {"ifname": name, **self._share(link)._asdict()} for name, link in ports.items() if link.queues
                ],
                **self.labels,
            }
        )


@settings(max_examples=50, deadline=None)
@given(before=states_of("linux"), desired=states_of("linux"))
def test_commands_make_the_switch_what_it_shall_be_and_back(before: SwitchState, desired: SwitchState) -> None:
    after = applied(difference(before, desired), before)
    kernel = Kernel(before)
    assert parse(kernel.told()) == before
    kernel.follow(commands(difference(before, after), before))
    assert parse(kernel.told()) == after
    kernel.follow(commands(difference(after, before), after))
    assert parse(kernel.told()) == before


@settings(max_examples=50, deadline=None)
@given(wanted=states_of("linux"), vlan=st.integers(1, 4094), flags=st.sampled_from([["PVID"], ["Egress Untagged"]]))
def test_vlan_with_a_tag_one_way_only_is_drift_and_goes(wanted: SwitchState, vlan: int, flags: list[str]) -> None:
    kernel = Kernel(wanted)
    ports = [name for name, port in (wanted.ports or {}).items() if port.vlans]
    for name in ports:
        kernel.links[name].vlans[vlan] = flags
    found = parse(kernel.told())
    assert list(difference(found, wanted).ports) == sorted(ports)
    kernel.follow(commands(difference(found, wanted), found))
    assert parse(kernel.told()) == wanted


def test_queues_that_were_changed_by_hand_are_made_anew() -> None:
    wanted = SwitchState({}, {"swp1": Port("trunk", frozenset({20, 101}), share=Share(20, 400, 1000))})
    kernel = Kernel(wanted)
    kernel.links["swp1"].queues.pop()  # the filter
    found = parse(kernel.told())
    assert difference(found, wanted).ports == wanted.ports
    kernel.follow(commands(difference(found, wanted), found))
    assert parse(kernel.told()) == wanted


def test_vlans_of_a_port_that_is_down_do_not_come_back_with_it() -> None:
    wanted = SwitchState({}, {"swp1": Port("trunk", frozenset({10}))})
    kernel = Kernel(replace(wanted, ports={"swp1": Port("trunk")}))
    kernel.links["swp1"].vlans = {666: []}
    found = parse(kernel.told())
    assert found.ports == {"swp1": Port("trunk")}
    kernel.follow(commands(difference(found, wanted), found))
    assert parse(kernel.told()) == wanted


def test_ports_close_before_others_open() -> None:
    before = SwitchState({}, {"swp1": Port("access", untagged=10), "swp2": Port("trunk", frozenset({10}))})
    after = SwitchState({}, {"swp2": Port("trunk", frozenset(range(20, 30))), "swp3": Port("access", untagged=10)})
    assert commands(difference(before, after), before).partition("mkdir")[0] == (
        "ip ${force-} -batch - <<'END'\n"
        "link set dev swp1 down nomaster addrgenmode eui64\n"
        "link set dev swp3 down master br0 addrgenmode none\n"
        "END\n"
        "bridge ${force-} -batch - <<'END'\n"
        "vlan del dev swp2 vid 10\n"
        "vlan add dev swp2 vid 20-29\n"
        "vlan add dev swp3 vid 10 pvid untagged\n"
        "END\n"
        "ip ${force-} -batch - <<'END'\n"
        "link set dev swp3 up\n"
        "END\n"
    )


def test_configuration_is_the_reviewed_one() -> None:
    assert configuration(POD_SWITCH) == GOLDEN.read_text()
    assert parse(GOLDEN.read_text()) == POD_SWITCH


def test_ranges_of_the_kernel_are_read() -> None:
    told = {
        "link": [{"ifname": "swp1", "flags": ["BROADCAST", "UP", "LOWER_UP"], "master": "br0"}],
        "vlan": [
            {"ifname": "swp1", "vlans": [{"vlan": 10}, {"vlan": 100, "vlanEnd": 103, "flags": []}]},
            {"ifname": "br0", "vlans": [{"vlan": 10}]},
        ],
    }
    assert parse(json.dumps(told)).ports == {"swp1": Port("trunk", frozenset({10, 100, 101, 102, 103}))}


def test_what_the_device_starts_from() -> None:
    assert startup(SwitchState({10: "it's"}, {"swp1-1": Port("trunk", frozenset(range(10, 20)), 101)})) == (
        "udevadm wait --timeout=60 /sys/class/net/br0 /sys/class/net/swp1-1\n"
        "ip ${force-} -batch - <<'END'\n"
        "link set dev swp1-1 down master br0 addrgenmode none\n"
        "END\n"
        "bridge ${force-} -batch - <<'END'\n"
        "vlan add dev swp1-1 vid 10-19\n"
        "vlan add dev swp1-1 vid 101 pvid untagged\n"
        "END\n"
        "ip ${force-} -batch - <<'END'\n"
        "link set dev swp1-1 up\n"
        "END\n"
        "mkdir -p /run/podwright-switch\n"
        "cat > /run/podwright-switch/labels.json <<'END'\n"
        "{\n"
        '  "port_labels": [\n'
        '    {"description": "", "ifname": "swp1-1", "mode": "trunk"}\n'
        "  ],\n"
        '  "vlan_names": [\n'
        '    {"name": "it\'s", "vlan": 10}\n'
        "  ]\n"
        "}\n"
        "END\n"
    )


@pytest.mark.parametrize(
    "text", ["", "Device does not exist", "null", "[]", '{"vlan": []}', '{"link": [1], "vlan": []}']
)
def test_what_is_not_told_by_iproute2_is_said(text: str) -> None:
    with pytest.raises(DeviceError, match="what should be the JSON of ip and bridge is not: "):
        parse(text)


def test_all_that_the_bridge_cannot_be_is_said_at_once() -> None:
    with pytest.raises(PodwrightError) as refusal:
        configuration(SwitchState({}, {"Ethernet1/1": Port("access"), "swp1": Port("trunk", edge=True)}, 4096))
    assert str(refusal.value).splitlines() == [
        "spanning_tree.priority: 4096, and the bridge runs no spanning tree; leave it out",
        "ports.Ethernet1/1: not the name of a port; write it as the switch does, in 15 characters at most: swp1",
        "ports.swp1: edge or path_cost, and the bridge runs no spanning tree; leave them out",
    ]
