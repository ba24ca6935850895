"""What passes a port of a VLAN bridge: the rules of IEEE 802.1Q, and that none is read more kindly than it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.switches.state import ALL_VLANS, Port
from podwright.switches.vlan_bridge import (
    ALL_FRAMES,
    FORBIDDEN,
    TAGGED,
    TAGGED_ONLY,
    UNTAGGED,
    UNTAGGED_ONLY,
    Membership,
    PortSettings,
    Registration,
    entries_of,
    ids_of,
    memberships,
    passing,
    settings_of,
)

from .states import ports, vlan_ids

TRUNK = Port("trunk", frozenset({20, 21, 22}))
NATIVE = Port("trunk", frozenset({20}), 10)
ACCESS = Port("access", untagged=10)
vlan_sets = st.frozensets(vlan_ids, max_size=6)


@given(named=st.dictionaries(st.sampled_from("abcd"), ports(), max_size=4))
def test_what_ports_shall_carry_is_what_passes_them(named: dict[str, Port]) -> None:
    told = memberships(entries_of(named, {}, ()))
    for name, port in named.items():
        assert passing(settings_of(port), told[name]) == (port.mode, port.tagged, port.untagged)


@given(named=st.dictionaries(st.sampled_from("abcd"), ports(), max_size=4))
def test_a_vlan_is_in_one_entry(named: dict[str, Port]) -> None:
    times = Counter(vlan for text in entries_of(named, {}, ()) for vlan in ids_of(text))
    assert set(times.values()) <= {1}


@given(
    settings=st.builds(
        PortSettings,
        st.sampled_from([TAGGED_ONLY, UNTAGGED_ONLY, ALL_FRAMES]),
        vlan_ids,
        st.booleans(),
        st.booleans(),
    ),
    membership=st.builds(Membership, vlan_sets, vlan_sets, vlan_sets),
)
def test_port_that_reads_as_wanted_does_no_more(settings: PortSettings, membership: Membership) -> None:
    """Whatever is configured: what reads as a port that podwright makes has its settings, and lets nothing else by."""
    mode, tagged, untagged = passing(settings, membership)
    let_by = membership.tagged | membership.untagged | membership.requested
    if untagged in tagged or (not tagged and untagged is None and not let_by):
        return  # no port that podwright makes; or nothing at all passes, whatever it is set to
    assert settings == settings_of(Port(mode, tagged, untagged))
    assert (membership.tagged, membership.untagged) == (tagged, {untagged} - {None})
    assert not membership.requested


def test_vlans_with_the_same_ports_are_one_entry() -> None:
    assert entries_of({"1": TRUNK, "2": NATIVE, "3": ACCESS}, {}, ()) == {
        "1": {"1": FORBIDDEN, "2": FORBIDDEN, "3": FORBIDDEN},
        "10": {"2": UNTAGGED, "3": UNTAGGED},
        "20": {"1": TAGGED, "2": TAGGED},
        "21-22": {"1": TAGGED},
    }


def test_port_is_in_vlan_1_only_when_it_shall_be() -> None:
    ports = {"1": Port("trunk", frozenset({1})), "2": Port("access", untagged=1), "3": Port("access")}
    assert entries_of(ports, {}, ()) == {"1": {"1": TAGGED, "2": UNTAGGED, "3": FORBIDDEN}}


def test_what_is_said_of_ports_of_others_stays() -> None:
    propagated, asked = Registration("fixed-new-propagated", "untagged"), Registration("normal")
    kept = {"1-2": {"7": propagated, "1": UNTAGGED}, "20-30": {"1": TAGGED}, "20": {"8": asked}}
    assert entries_of({"1": TRUNK}, kept, {"7", "8"}) == {
        "1": {"7": propagated, "1": FORBIDDEN},
        "2": {"7": propagated},
        "20": {"8": asked, "1": TAGGED},
        "21-22": {"1": TAGGED},
    }


@pytest.mark.parametrize(
    ("port", "settings"),
    [
        (TRUNK, PortSettings(TAGGED_ONLY)),
        (NATIVE, PortSettings(ALL_FRAMES, 10)),
        (ACCESS, PortSettings(UNTAGGED_ONLY, 10)),
        (Port("trunk"), PortSettings(TAGGED_ONLY)),
        (Port("access"), PortSettings(UNTAGGED_ONLY)),
    ],
)
def test_port_lets_in_no_more_than_it_carries(port: Port, settings: PortSettings) -> None:
    assert settings_of(port) == settings
    assert settings.filtering
    assert settings.restricted


OPEN = {
    "no ingress filtering": (settings_of(TRUNK)._replace(filtering=False), Membership(TRUNK.tagged), ALL_VLANS),
    "whoever asks with MVRP gets in": (
        settings_of(TRUNK)._replace(restricted=False),
        Membership(TRUNK.tagged),
        ALL_VLANS,
    ),
    "as the factory leaves a port": (
        PortSettings(filtering=False, restricted=False),
        Membership(untagged=frozenset({1})),
        ALL_VLANS,
    ),
    "a VLAN by MVRP": (settings_of(TRUNK), Membership(TRUNK.tagged, requested=frozenset({9})), {9, 20, 21, 22}),
    "untagged one way": (
        settings_of(TRUNK),
        Membership(TRUNK.tagged - {20}, frozenset({20})),
        {20, 21, 22},
    ),
    "with and without a tag": (settings_of(NATIVE), Membership(frozenset({10, 20}), frozenset({10})), {10, 20}),
    "another VLAN in than out": (settings_of(ACCESS), Membership(untagged=frozenset({11})), {11}),
    "several go out untagged": (settings_of(ACCESS), Membership(untagged=frozenset({10, 11})), {10, 11}),
    "a tag on an access port": (settings_of(ACCESS), Membership(frozenset({10})), {10}),
    "trunk that takes frames without a tag": (
        settings_of(TRUNK)._replace(frames=ALL_FRAMES),
        Membership(TRUNK.tagged),
        {20, 21, 22},
    ),
}


@pytest.mark.parametrize(("settings", "membership", "carried"), OPEN.values(), ids=OPEN.keys())
def test_port_that_is_odd_differs_from_every_one_that_is_wanted(
    settings: PortSettings, membership: Membership, carried: set[int]
) -> None:
    mode, tagged, untagged = passing(settings, membership)
    assert tagged == carried
    assert untagged in tagged
    assert replace(TRUNK, mode=mode, tagged=tagged, untagged=untagged).vlans == carried


@pytest.mark.parametrize("text", ["", "10-", "ten", "1,,2"])
def test_text_that_is_no_list_of_vlans_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        ids_of(text)
