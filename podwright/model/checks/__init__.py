"""What must hold between the parts of a declaration.

A cloud that was salvaged from a wrong declaration is checked, too: it has None
where a value is wrong or missing, whatever its type says. A check passes over
those, so that one mistake is reported once.
"""

from __future__ import annotations

from podwright.model.checks import (
    accounts,
    cables,
    dedications,
    edge,
    guest_addresses,
    loops,
    names,
    networks,
    racks,
    references,
    storage_share,
    tunnels,
)
from podwright.model.checks.declaration import Declaration
from podwright.model.cloud import Cloud
from podwright.model.document import Document, Finding, KeyPath

__all__ = ["cross_check"]

_CHECKS = (
    names.check,
    references.check,
    networks.check,
    tunnels.check,
    racks.check,
    storage_share.check,
    cables.check,
    loops.check,
    edge.check,
    accounts.check,
    guest_addresses.check,
    dedications.check,
)


def cross_check(cloud: Cloud, document: Document, wrong: set[KeyPath]) -> list[Finding]:
    """All that does not fit together; `wrong` are the paths whose values are known to be wrong already."""
    declaration = Declaration(cloud, document, frozenset(wrong))
    return [finding for check in _CHECKS for finding in check(declaration) if not declaration.doubtful(finding.path)]
