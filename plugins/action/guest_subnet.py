from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.podwright.cloud.plugins.plugin_utils.network_lease_action import (
    NETWORK_ARGUMENTS,
    NetworkLeaseAction,
)

from podwright.allocation.pools import Pool, divided
from podwright.allocation.spoken import subnets


class ActionModule(NetworkLeaseAction):
    """Lease subnets to guest networks; documented in library/guest_subnet.py."""

    own_arguments: ClassVar = {
        **NETWORK_ARGUMENTS,
        "networks": {"type": "list", "elements": "str", "default": []},
    }

    def pool(self, arguments: Mapping[str, Any]) -> Pool:
        return Pool("guest_subnet", arguments["zone"], divided(subnets(arguments["networks"], "networks")), "networks")
