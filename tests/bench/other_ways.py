"""How others find a free value: each way works on tables of its own that hold as much as podwright's.

- NetBox's way: the first free prefix is what is left of the parent when all of its children are taken from it
  (`GetAvailablePrefixesMixin` in netbox/ipam/models/ip.py), with netaddr;
- CloudStack's way: a row for every value, a random free one of which is locked and marked in a transaction
  (`DataCenterVnetDaoImpl.takeVnet` and `lockOneRandomRow`);
- a scan: all taken addresses are read, and the first that is not among them is found with `ipaddress`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from typing import Any

import netaddr
from sqlalchemy import Connection, text

Way = Callable[[int], object]
"""Takes one value, for the holder of this number"""

# 1,048,576 subnets of 24 bits.
_PARENT = "16.0.0.0/4"

# So many rows are written at once.
_MANY = 10_000


def netbox(connection: Connection, held: int) -> Way:
    """With so many /24 children of a prefix."""
    connection.execute(text("CREATE TABLE prefix (a VARCHAR(18) PRIMARY KEY, b VARCHAR(191))"))
    first = int(IPv4Address(_PARENT.partition("/")[0]))
    _fill(connection, "prefix", ((f"{IPv4Address(first + 256 * number)}/24", "") for number in range(held)))
    parent = netaddr.IPSet([_PARENT])

    def once(number: int) -> None:
        taken = [prefix for (prefix,) in connection.execute(text("SELECT a FROM prefix"))]
        available = parent - netaddr.IPSet(taken)
        chosen = next(next(iter(available.iter_cidrs())).subnet(24))
        _fill(connection, "prefix", [(str(chosen), str(number))])

    return once


def cloudstack(connection: Connection, held: int) -> Way:
    """With so many rows that are taken, and 10,000 that are free."""
    connection.execute(text("CREATE TABLE vnet (a INTEGER PRIMARY KEY, b VARCHAR(191))"))
    _fill(connection, "vnet", ((number, "somebody") for number in range(held)))
    _fill(connection, "vnet", ((number, None) for number in range(held, held + 10_000)))
    chance = "RAND()" if connection.dialect.name == "mariadb" else "RANDOM()"
    lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
    free = text(f"SELECT a FROM vnet WHERE b IS NULL ORDER BY {chance} LIMIT 1{lock}")  # noqa: S608 (constants)

    def once(number: int) -> None:
        chosen = connection.execute(free).scalar_one()
        connection.execute(text("UPDATE vnet SET b = :b WHERE a = :a"), {"a": chosen, "b": f"holder-{number}"})
        connection.commit()

    return once


def scan(connection: Connection, held: int) -> Way:
    """With so many addresses of a network."""
    connection.execute(text("CREATE TABLE address (a VARCHAR(15) PRIMARY KEY, b VARCHAR(191))"))
    network = IPv4Network("10.0.0.0/8")
    _fill(connection, "address", ((str(network[number + 1]), "") for number in range(held)))

    def once(number: int) -> None:
        taken = {address for (address,) in connection.execute(text("SELECT a FROM address"))}
        chosen = next(address for address in map(str, network.hosts()) if address not in taken)
        _fill(connection, "address", [(chosen, str(number))])

    return once


WAYS: Mapping[str, Callable[[Connection, int], Way]] = {
    "NetBox's way": netbox,
    "CloudStack's way": cloudstack,
    "ipaddress scan": scan,
}


def _fill(connection: Connection, table: str, rows: Iterator[tuple[Any, Any]] | list[tuple[Any, Any]]) -> None:
    remaining = iter(rows)
    insert = text(f"INSERT INTO {table} (a, b) VALUES (:a, :b)")  # noqa: S608 (constants)
    while some := [{"a": a, "b": b} for a, b in islice(remaining, _MANY)]:
        connection.execute(insert, some)
    connection.commit()
