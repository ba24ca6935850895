"""Where modules and lookups find the database of leases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podwright.errors import AllocationError
from podwright.model import load


def database_url(database: str | None, variables: Mapping[str, Any] | None) -> str:
    """The database that was named, or else that of the inventory's cloud.

    Raises:
        AllocationError: none was named, and the inventory is of no cloud.
        InvalidInput: the inventory is wrong.
    """
    if database:
        return database
    cloud_file = (variables or {}).get("podwright_cloud_file")
    if not cloud_file:
        raise AllocationError(
            "database: is not given, and podwright_cloud_file is not set; give the path or URL of a database, "
            "or use an inventory of podwright.cloud.podwright"
        )
    return load(Path(str(cloud_file))).database
