"""What holds on every platform there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.switches.driver import find_platform
from podwright.switches.platforms import default_port, platform_names
from podwright.switches.state import SwitchState

from .states import states_of

PLATFORMS = platform_names()


@given(data=st.data())
@pytest.mark.parametrize("name", PLATFORMS)
def test_configuration_reads_back_the_same(name: str, data: st.DataObject) -> None:
    platform = find_platform(name)
    state = data.draw(states_of(name))
    assert platform.parse(platform.configuration(state)) == state


@given(data=st.data())
@pytest.mark.parametrize("name", PLATFORMS)
def test_same_state_gives_the_same_bytes_however_it_is_ordered(name: str, data: st.DataObject) -> None:
    state = data.draw(states_of(name))
    assert state.vlans is not None
    assert state.ports is not None
    shuffled = SwitchState(
        dict(data.draw(st.permutations(list(state.vlans.items())))),
        dict(data.draw(st.permutations(list(state.ports.items())))),
        state.priority,
    )
    configuration = find_platform(name).configuration
    assert configuration(shuffled) == configuration(state)


def test_each_platform_has_the_port_of_its_protocol() -> None:
    ports = {name: default_port(name) for name in PLATFORMS}
    over_ssh = {name for name, port in ports.items() if port == 22}
    assert over_ssh == {"eos", "ios", "linux", "nxos", "openvswitch", "sonic"}
    assert ports["openconfig_netconf"] == 830
