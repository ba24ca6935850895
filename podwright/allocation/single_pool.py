"""Leases of one pool that a playbook asks for, without a declared cloud."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from podwright.allocation.changes import diff
from podwright.allocation.database import transaction, unix_time
from podwright.allocation.demand import NETWORK_PURPOSE
from podwright.allocation.grant import Lease, LeaseChange, Request, described, grant
from podwright.allocation.pools import GUEST_SUBNET_PREFIX, Pool, disjoint, subnets_of
from podwright.errors import AllocationError
from podwright.model.fields import Network4, VlanId, VlanRange

Value = TypeVar("Value")


def vlan_pool(zone: str, pod: str, ranges: Sequence[str]) -> Pool:
    """The guest VLAN ids of a pod, of which `ranges` such as `101-199` can be leased."""
    parsed = _parsed("ranges", TypeAdapter(VlanRange), ranges)
    return Pool("guest_vlan", f"{zone}/{pod}", disjoint(vlans.ids for vlans in parsed), "ranges")


def subnet_pool(zone: str, networks: Sequence[str]) -> Pool:
    """The guest subnets of a zone: the /24s in `networks`."""
    parsed = _parsed("networks", TypeAdapter(Network4), networks)
    return Pool("guest_subnet", zone, disjoint(subnets_of(network) for network in parsed), "networks")


def vlan_id(text: str) -> int:
    """The value that a VLAN id stands for in its pool."""
    return _parsed("fixed", TypeAdapter(VlanId), [int(text) if text.isdecimal() else text])[0]


def subnet(text: str) -> int:
    """The value that a subnet stands for in its pool."""
    network = _parsed("fixed", TypeAdapter(Network4), [text])[0]
    if network.prefixlen != GUEST_SUBNET_PREFIX:
        raise AllocationError(f"fixed: {network} is not a /{GUEST_SUBNET_PREFIX}; give one")
    return int(network.network_address)


def ask(
    database: str,
    pool: Pool,
    accounts: Sequence[str],
    *,
    network: str,
    state: Literal["present", "absent"],
    fixed: Mapping[str, int],
    quarantine_hours: int,
    preview: bool,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Hold, or give up, a lease for `network` of each of `accounts`.

    Args:
        database: a path, or an SQLAlchemy URL.
        pool: what to lease from.
        accounts: the holders.
        network: the guest network that each of them needs the lease for.
        state: whether to hold leases or to give them up.
        fixed: {account: the only value that will do}
        quarantine_hours: how long a value that was given up rests before another holder gets it.
        preview: find out what would change, and write nothing.
        now: the time to go by.

    Returns:
        What a module returns: {changed, leases: {account: VLAN id or subnet}, diff}.

    Raises:
        AllocationError: a lease cannot be had or given up; nothing was changed.
    """
    if unknown := sorted(set(fixed) - set(accounts)):
        raise AllocationError(f"fixed: {', '.join(unknown)} is not one of the accounts; name it there too")
    moment = unix_time(now)
    requests = [Request(f"{account}/{network}", NETWORK_PURPOSE, fixed.get(account)) for account in accounts]
    with transaction(database, "preview" if preview else "write") as repository:
        repository.forget_quarantined(moment)
        leases = repository.leases(pool.name, pool.scope)
        if state == "present":
            held, changes = _hold(pool, leases, requests, moment)
        else:
            held, changes = {}, _give_up(leases, requests, moment, quarantine_hours)
        repository.save(changes, [])
    return {"changed": bool(changes), "leases": held, "diff": diff(changes)}


def _hold(
    pool: Pool, leases: Sequence[Lease], requests: Iterable[Request], now: int
) -> tuple[dict[str, int | str], list[LeaseChange]]:
    granted = grant(pool, leases, requests, None, now)
    if granted.problems:
        raise AllocationError("\n".join(granted.problems))
    held = {
        holder.partition("/")[0]: lease.value if pool.name == "guest_vlan" else lease.shown
        for (holder, _), lease in sorted(granted.leases.items())
    }
    return held, granted.changes


def _give_up(
    leases: Iterable[Lease], requests: Iterable[Request], now: int, quarantine_hours: int
) -> list[LeaseChange]:
    holders = {request.holder for request in requests}
    given_up = [lease for lease in leases if lease.holder in holders and lease.state == "held"]
    problems = [
        f"accounts: {lease.shown} of {described(lease.pool, lease.holder)} belongs to cloud {lease.cloud}; "
        "take the guest network out of its inventory instead"
        for lease in given_up
        if lease.cloud is not None
    ]
    if problems:
        raise AllocationError("\n".join(problems))
    until = now + quarantine_hours * 3600
    return [LeaseChange(lease, replace(lease, state="quarantine", since=now, until=until)) for lease in given_up]


def _parsed(option: str, kind: TypeAdapter[Value], values: Sequence[Any]) -> list[Value]:
    parsed, problems = [], []
    for value in values:
        try:
            parsed.append(kind.validate_python(value))
        except ValidationError as error:
            problems.append(f"{option}: {value} is not {error.errors()[0]['msg']}")
    if problems:
        raise AllocationError("\n".join(problems))
    return parsed
