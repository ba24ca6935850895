"""The relay between sshd and netconfd in the lab's pod switch: framing, and state in the answers to <get>."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from podwright.switches.platforms.openconfig_netconf import parse_forwarding
from podwright.switches.state import PortForwarding

from .programs import load

netconf = load("netconf")

INTERFACES = "{http://openconfig.net/yang/interfaces}interfaces"


@given(
    messages=st.lists(st.text("<a>#]\n ", min_size=1).map(str.encode)),
    chunked=st.booleans(),
    size=st.integers(1, 50),
)
def test_messages_survive_framing_however_they_are_cut(messages: list[bytes], chunked: bool, size: int) -> None:
    sender, receiver = netconf.Framing(), netconf.Framing()
    sender.chunked = receiver.chunked = chunked
    if not chunked:
        messages = [message.replace(b"]", b"") for message in messages]
    stream = b"".join(map(sender.frame, messages))
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [message for piece in pieces for message in receiver.messages(piece)] == messages


def test_a_message_of_several_chunks_is_one() -> None:
    framing = netconf.Framing()
    framing.chunked = True
    assert list(framing.messages(b"\n#4\n<rpc\n#2\n/>\n##\n")) == [b"<rpc/>"]


def port(tag: Any, trunks: Any, state: str = "Forwarding", link: str = "up") -> dict[str, Any]:
    return {"tag": tag, "trunks": trunks, "rstp_status": {"rstp_port_state": state}, "link_state": link}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (port([], [10, 30]), PortForwarding(frozenset({10, 30}), None, True, "forwarding")),
        (port([], 20, "Discarding"), PortForwarding(frozenset({20}), None, True, "blocking")),
        (port(10, [], link="down"), PortForwarding(frozenset(), 10, False, "forwarding")),
        (port(10, [10, 20]), PortForwarding(frozenset({20}), 10, True, "forwarding")),
        (port([], []), PortForwarding(frozenset(range(1, 4095)), None, True, "forwarding")),
    ],
)
def test_driver_reads_in_the_state_what_open_vswitch_does(columns: dict[str, Any], expected: PortForwarding) -> None:
    data = etree.fromstring("<data/>")
    netconf.add_state(data, None, {"swp1": columns})
    assert parse_forwarding(data) == {"swp1": expected}


def test_state_joins_the_configuration_that_is_there() -> None:
    data = etree.fromstring(
        """<data>
             <interfaces xmlns="http://openconfig.net/yang/interfaces">
               <interface><name>swp1</name><config><name>swp1</name></config></interface>
             </interfaces>
           </data>"""
    )
    netconf.add_state(data, {INTERFACES}, {"swp1": port(10, []), "swp2": port(20, [])})
    assert [child.tag for child in data] == [INTERFACES]
    assert data.xpath("//*[local-name()='interface']/*[local-name()='name']/text()") == ["swp1", "swp2"]


def test_state_that_a_filter_leaves_out_stays_out() -> None:
    data = etree.fromstring("<data/>")
    netconf.add_state(data, {"{urn:example}other"}, {"swp1": port(10, [])})
    assert len(data) == 0


def test_rows_of_ovsdb_lose_their_types() -> None:
    table = {
        "headings": ["name", "tag", "trunks", "rstp_status"],
        "data": [["swp1", ["set", []], ["set", [10, 20]], ["map", [["rstp_port_state", "Learning"]]]]],
    }
    assert netconf.rows(table) == [
        {"name": "swp1", "tag": [], "trunks": [10, 20], "rstp_status": {"rstp_port_state": "Learning"}}
    ]
