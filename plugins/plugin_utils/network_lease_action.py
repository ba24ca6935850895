"""What the modules have in common that lease something to guest networks, one of each account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.podwright.cloud.plugins.plugin_utils.lease_action import LeaseAction

from podwright.allocation.demand import NETWORK_PURPOSE

NETWORK_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "zone": {"type": "str", "required": True},
    "accounts": {"type": "list", "elements": "str", "required": True},
    "network": {"type": "str", "default": "default"},
}


class NetworkLeaseAction(LeaseAction):
    """Lease values to guest networks, which are named by their accounts."""

    named_by: ClassVar = "accounts"

    def holder(self, name: str, arguments: Mapping[str, Any]) -> str:
        return f"{name}/{arguments['network']}"

    def purpose(self, arguments: Mapping[str, Any]) -> str:
        return NETWORK_PURPOSE
