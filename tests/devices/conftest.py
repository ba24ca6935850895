"""The servers that the tests of this directory share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.devices.linux_switch import Switch, linux_switch
from tests.devices.netconf_server import NetconfServer, netconf_server


@pytest.fixture(scope="session")
def openconfig_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetconfServer]:
    """A running NETCONF server with the lab's OpenConfig modules."""
    with netconf_server(tmp_path_factory.mktemp("openconfig")) as server:
        yield server


@pytest.fixture(scope="session")
def linux_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """A Linux host with a kernel of its own, whose bridge is a switch."""
    with linux_switch(tmp_path_factory.mktemp("linux")) as running:
        yield running
