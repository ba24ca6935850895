from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.podwright.cloud.plugins.plugin_utils.network_lease_action import (
    NETWORK_ARGUMENTS,
    NetworkLeaseAction,
)

from podwright.allocation.pools import Pool, divided
from podwright.allocation.spoken import vlan_ranges


class ActionModule(NetworkLeaseAction):
    """Lease VLAN ids to guest networks; documented in library/vlan_allocation.py."""

    own_arguments: ClassVar = {
        **NETWORK_ARGUMENTS,
        "pod": {"type": "str"},
        "ranges": {"type": "list", "elements": "str", "default": []},
    }

    def pool(self, arguments: Mapping[str, Any]) -> Pool:
        scope = "/".join(filter(None, (arguments["zone"], arguments["pod"])))
        return Pool("guest_vlan", scope, divided(vlan_ranges(arguments["ranges"], "ranges")), "ranges")
