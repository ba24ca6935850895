from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.podwright.cloud.plugins.plugin_utils.lease_action import LeaseAction

from podwright.allocation.pools import Pool
from podwright.allocation.single_pool import subnet, subnet_pool


class ActionModule(LeaseAction):
    """Lease subnets to guest networks; documented in library/guest_subnet.py."""

    own_arguments: ClassVar = {
        "zone": {"type": "str", "required": True},
        "networks": {"type": "list", "elements": "str", "default": []},
    }
    values_argument = "networks"

    def pool(self, arguments: Mapping[str, Any]) -> Pool:
        return subnet_pool(arguments["zone"], arguments["networks"])

    def value(self, text: str) -> int:
        return subnet(text)
