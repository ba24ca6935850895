from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.podwright.cloud.plugins.plugin_utils.lease_action import LeaseAction

from podwright.allocation.demand import PUBLIC_PURPOSE
from podwright.allocation.pools import Pool, divided
from podwright.allocation.spoken import address_ranges


class ActionModule(LeaseAction):
    """Lease public addresses; documented in library/public_address.py."""

    named_by: ClassVar = "holders"
    own_arguments: ClassVar = {
        "zone": {"type": "str", "required": True},
        "pod": {"type": "str"},
        "ranges": {"type": "list", "elements": "str", "default": []},
        "holders": {"type": "list", "elements": "str", "required": True},
        "purpose": {"type": "str", "default": PUBLIC_PURPOSE},
    }

    def pool(self, arguments: Mapping[str, Any]) -> Pool:
        sections = divided(address_ranges(arguments["ranges"], "ranges"))
        return Pool("public_address", arguments["zone"], sections, "ranges")

    def holder(self, name: str, arguments: Mapping[str, Any]) -> str:
        return name

    def purpose(self, arguments: Mapping[str, Any]) -> str:
        return str(arguments["purpose"])

    def sections(self, arguments: Mapping[str, Any]) -> list[str]:
        return [arguments["pod"]] if arguments["pod"] else []
