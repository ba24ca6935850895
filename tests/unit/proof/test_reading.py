"""Configurations of every kind are read, right ones prove clean, and what cannot be read is said."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from podwright.model.cloud import Cloud
from podwright.proof.cloud import prove
from podwright.switches.driver import find_platform
from podwright.switches.platforms import has_vlan_table, platform_names
from tests.unit.plan.clouds import (
    Declaration,
    lab_declaration,
)
from tests.unit.plan.test_properties import declarations
from tests.unit.proof.configurations import (
    ROUNDS,
    Files,
    carrying,
    findings,
    pinned,
    rendered,
    with_port,
)


@ROUNDS
@given(declarations())
def test_generated_clouds_prove_clean(declaration: Declaration) -> None:
    cloud, files = rendered(declaration)
    proof = prove(cloud, files)
    assert proof.findings == ()
    assert proof.devices == len(files)
    networks = [network for each in declaration["accounts"].values() for network in each["guest_networks"]]
    assert proof.owners.get("account", 0) == len(networks)


PORTS = {"eos": "Ethernet", "ios": "GigabitEthernet1/0/", "nxos": "Ethernet1/", "sonic": "Ethernet"}
"""What switches of a platform call their ports, before the number"""


def rendered_on(platform: str) -> tuple[Cloud, Files]:
    """The lab with switches of a platform in its first pod."""
    declaration = lab_declaration()
    zone, port = declaration["zones"]["east"], PORTS.get(platform, "swp")
    for switch in zone["pods"]["p1"]["pod_switches"].values():
        switch["platform"] = platform
    zone["cables"] = [[re.sub(r"(-sw\d:)swp", rf"\g<1>{port}", end) for end in cable] for cable in zone["cables"]]
    return rendered(declaration)


@pytest.mark.parametrize("platform", platform_names())
def test_vlan_that_a_switch_has_no_word_of_passes_where_there_is_no_table(platform: str) -> None:
    """Somebody opens a VLAN on a port by hand, and gives it no name on the switch."""
    cloud, files = rendered_on(platform)
    module, port = find_platform(platform), PORTS.get(platform, "swp")
    state = module.parse(files["east-p1-sw1"]["running-config"])
    opened = with_port(f"{port}6", tagged=carrying(state, f"{port}6") | {666})(state)
    files["east-p1-sw1"]["running-config"] = module.configuration(opened)
    found = [finding.statement for finding in findings(cloud, files)]
    open_port = f"east-p1-sw1 {port}6 VLAN 666 is open, and"
    assert [text.startswith(open_port) for text in found] == ([] if has_vlan_table(platform) else [True])


@pytest.mark.parametrize("platform", platform_names())
def test_each_platform_says_the_same_in_its_own_syntax(platform: str) -> None:
    cloud, files = rendered_on(platform)
    port = PORTS.get(platform, "swp")
    assert findings(cloud, files) == []
    module = find_platform(platform)
    state = module.parse(files["east-p1-sw1"]["running-config"])
    narrow = with_port(f"{port}6", tagged=frozenset({10, 20}))(state)
    files["east-p1-sw1"]["running-config"] = module.configuration(narrow)
    assert {finding.claim for finding in findings(cloud, files)} == {"joined", "passed on"}


@pytest.mark.parametrize(
    "change, doubt",
    [
        (lambda files: files.pop("east-p1-hv2"), "east-p1-hv2: has no configuration; collect it, or render it"),
        (lambda files: files["east-p1-sw1"].pop("running-config"), "east-p1-sw1: 'running-config' is missing"),
        (
            lambda files: files["east-p1-sw1"].update({"running-config": "<data>"}),
            "east-p1-sw1: its configuration cannot be read: ",
        ),
        (
            lambda files: files["east-p1-hv1"].update({"openvswitch.json": "{"}),
            "east-p1-hv1: its configuration cannot be read: ",
        ),
        (lambda files: files.update({"other": {}}), "other: has a configuration and is not declared"),
        (
            lambda files: files.update({"acme-east-router": {}}),
            "acme-east-router: no address is given to any of its NICs",
        ),
    ],
)
def test_what_was_not_read_is_not_proved(change: Callable[[Files], Any], doubt: str) -> None:
    cloud, files = pinned()
    change(files)
    proof = prove(cloud, files)
    assert not proof.holds
    assert [finding for finding in proof.findings if finding.claim == "read" and finding.statement.startswith(doubt)]
