"""What a router has in force: its table of nftables (nft(8)), and whether it forwards packets (ip-sysctl.rst)."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.podwright.cloud.plugins.module_utils import services

FORWARDING_SWITCH = Path("/proc/sys/net/ipv4/ip_forward")


def loaded(table: str, family: str = "inet") -> str | None:
    """Read the rules of a table, without counts; None where it is not loaded."""
    try:
        return services.run("nft", "--stateless", "--numeric-protocol", "list", "table", family, table)
    except RuntimeError:
        return None


def forwards() -> str:
    """Read the switch: `1`, or `0` where packets are only for the host itself."""
    return FORWARDING_SWITCH.read_text(encoding="ascii").strip()
