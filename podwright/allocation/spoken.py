"""Values and ranges as operators say them: in arguments of modules and of commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from podwright.allocation.pools import KINDS, PoolName, subnets_of
from podwright.errors import AllocationError
from podwright.model.fields import AddressRange, Network4, VlanRange

Value = TypeVar("Value")

_EXAMPLES = {
    "address": "192.0.2.1",
    "subnet": "10.1.1.0/24",
    "MAC address": "02:70:77:00:00:01",
}


def parsed_value(pool: PoolName, text: str, option: str) -> int:
    """The value of a pool that somebody wrote.

    Raises:
        AllocationError: it is none; says what `option` has to be.
    """
    kind = KINDS[pool]
    try:
        value = kind.parsed(text)
    except ValueError:
        value = -1
    if value not in kind.values:
        article = "an" if kind.noun[0] in "aeiou" else "a"
        raise AllocationError(f"{option}: {text} is not {article} {kind.noun}; give {value_remedy(pool)}")
    return value


def value_remedy(pool: PoolName) -> str:
    """What to give for a value of a pool."""
    kind = KINDS[pool]
    example = _EXAMPLES.get(kind.noun)
    return f"one such as {example}" if example else f"a number of {kind.values.start} to {kind.values.stop - 1}"


def vlan_ranges(texts: Iterable[Any], option: str) -> list[range]:
    """Ranges such as `101-199`.

    Raises:
        AllocationError: with a line for each that is wrong.
    """
    return _each(option, texts, lambda text: _vlan_range.validate_python(text).ids)


def subnets(texts: Iterable[Any], option: str) -> list[range]:
    """The /24s in networks such as `172.16.0.0/12`, as values of pool `guest_subnet`.

    Raises:
        AllocationError: with a line for each that is wrong.
    """
    return _each(option, texts, lambda text: subnets_of(_network.validate_python(text)))


def address_ranges(texts: Iterable[Any], option: str) -> list[range]:
    """Ranges such as `203.0.113.11-203.0.113.250`.

    Raises:
        AllocationError: with a line for each that is wrong.
    """

    def parsed(text: Any) -> range:
        found = _address_range.validate_python(text)
        return range(int(found.first), int(found.last) + 1)

    return _each(option, texts, parsed)


def ranges(pool: PoolName, texts: Iterable[str], option: str) -> list[range]:
    """Values of a pool as each kind of value is written: ranges of numbers or addresses, networks.

    Raises:
        AllocationError: with a line for each that is wrong.
    """
    noun = KINDS[pool].noun
    if noun == "VLAN id":
        return vlan_ranges(texts, option)
    if noun == "address":
        return address_ranges(texts, option)
    if noun == "subnet":
        return subnets(texts, option)
    return [_between(pool, text, option) for text in texts]


def _between(pool: PoolName, text: str, option: str) -> range:
    first, _, last = text.partition("-")
    start, end = (parsed_value(pool, each.strip(), option) for each in (first, last or first))
    if end < start:
        raise AllocationError(f"{option}: {text} is not a range of {KINDS[pool].noun}s; write {last}-{first}")
    return range(start, end + 1)


_vlan_range: TypeAdapter[Any] = TypeAdapter(VlanRange)
_network: TypeAdapter[Any] = TypeAdapter(Network4)
_address_range: TypeAdapter[Any] = TypeAdapter(AddressRange)


def _each(option: str, texts: Iterable[Any], parsed: Callable[[Any], Value]) -> list[Value]:
    values, problems = [], []
    for text in texts:
        try:
            values.append(parsed(text))
        except ValidationError as error:
            problems.append(f"{option}: {text} is not {error.errors()[0]['msg']}")
    if problems:
        raise AllocationError("\n".join(problems))
    return values
