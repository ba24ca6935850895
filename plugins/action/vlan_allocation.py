from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.podwright.cloud.plugins.plugin_utils.lease_action import LeaseAction

from podwright.allocation.pools import Pool
from podwright.allocation.single_pool import vlan_id, vlan_pool


class ActionModule(LeaseAction):
    """Lease VLAN ids to guest networks; documented in library/vlan_allocation.py."""

    own_arguments: ClassVar = {
        "zone": {"type": "str", "required": True},
        "pod": {"type": "str", "required": True},
        "ranges": {"type": "list", "elements": "str", "default": []},
    }
    values_argument = "ranges"

    def pool(self, arguments: Mapping[str, Any]) -> Pool:
        return vlan_pool(arguments["zone"], arguments["pod"], arguments["ranges"])

    def value(self, text: str) -> int:
        return vlan_id(text)
