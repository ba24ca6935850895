"""Any switch state there can be."""

from __future__ import annotations

from hypothesis import strategies as st

from podwright.switches.state import Port, SwitchState

vlan_ids = st.integers(1, 4094)
texts = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=20)


@st.composite
def ports(draw: st.DrawFn) -> Port:
    """A trunk or access port; None or some VLANs, and never an untagged one among the tagged."""
    mode = draw(st.sampled_from(["access", "trunk"]))
    untagged = draw(st.none() | vlan_ids)
    tagged = draw(st.frozensets(vlan_ids)) if mode == "trunk" else frozenset[int]()
    return Port(
        mode=mode,  # type: ignore[arg-type]  # one of the two literals
        tagged=tagged - {untagged},
        untagged=untagged,
        description=draw(texts),
        edge=draw(st.booleans()),
        path_cost=draw(st.none() | st.integers(1, 200_000_000)),
    )


def switch_states() -> st.SearchStrategy[SwitchState]:
    """Whole states, as a device has them."""
    names = st.integers(1, 64).map("swp{}".format)
    return st.builds(
        SwitchState,
        vlans=st.dictionaries(vlan_ids, texts, max_size=8),
        ports=st.dictionaries(names, ports(), max_size=5),
        priority=st.integers(0, 15).map(lambda step: step * 4096),
    )
