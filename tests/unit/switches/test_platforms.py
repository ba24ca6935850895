"""What holds on every platform there is."""

from __future__ import annotations

from pkgutil import iter_modules

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.switches import platforms
from podwright.switches.driver import find_platform
from podwright.switches.state import SwitchState

from .states import switch_states

PLATFORMS = sorted(module.name for module in iter_modules(platforms.__path__))


@given(state=switch_states())
@pytest.mark.parametrize("name", PLATFORMS)
def test_configuration_reads_back_the_same(name: str, state: SwitchState) -> None:
    platform = find_platform(name)
    assert platform.parse(platform.configuration(state)) == state


@given(state=switch_states(), data=st.data())
@pytest.mark.parametrize("name", PLATFORMS)
def test_same_state_gives_the_same_bytes_however_it_is_ordered(
    name: str, state: SwitchState, data: st.DataObject
) -> None:
    assert state.vlans is not None
    assert state.ports is not None
    shuffled = SwitchState(
        dict(data.draw(st.permutations(list(state.vlans.items())))),
        dict(data.draw(st.permutations(list(state.ports.items())))),
        state.priority,
    )
    configuration = find_platform(name).configuration
    assert configuration(shuffled) == configuration(state)
