"""The kinds of value a declaration is made of, each checked as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

# RFC 1123 section 2.1: letters, digits and hyphens, no hyphen at either end.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]

# IEEE 802.1Q-2018 table 9-2: 0 is priority-tagged, 4095 is reserved.
VlanId = Annotated[int, Field(strict=True, ge=1, le=4094)]


@dataclass(frozen=True)
class _VlanRange:
    """VLAN ids from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def ids(self) -> range:
        """The ids as a `range`."""
        return range(self.first, self.last + 1)


def _vlan_range(value: Any) -> _VlanRange:
    first, _, last = str(value).partition("-")
    if not first.strip().isdecimal() or (last and not last.strip().isdecimal()) or isinstance(value, bool):
        raise PydanticCustomError("vlan_range", "is not a VLAN id or a range of them")
    result = _VlanRange(int(first), int(last or first))
    if not 1 <= result.first <= result.last <= 4094:
        raise PydanticCustomError("vlan_range", "is not a VLAN id or a range of them")
    return result


VlanRange = Annotated[_VlanRange, BeforeValidator(_vlan_range)]


@dataclass(frozen=True)
class _AddressRange:
    """Addresses from `first` to `last`, both included."""

    first: IPv4Address
    last: IPv4Address


def _address_range(value: Any) -> _AddressRange:
    first, _, last = str(value).partition("-")
    try:
        result = _AddressRange(IPv4Address(first.strip()), IPv4Address(last.strip()))
    except ValueError:
        raise PydanticCustomError("address_range", "is not a range of addresses") from None
    if result.first > result.last:
        raise PydanticCustomError("address_range", "is not a range of addresses")
    return result


AddressRange = Annotated[_AddressRange, BeforeValidator(_address_range)]


@dataclass(frozen=True)
class Port:
    """One end of a cable: a device's port, or (no `name`) a network that is not ours."""

    device: str
    name: str | None = None


@dataclass(frozen=True)
class _Cable:
    """A cable between two ports."""

    a: Port
    b: Port

    @property
    def ends(self) -> tuple[Port, Port]:
        """Both ends."""
        return (self.a, self.b)


def _cable(value: Any) -> _Cable:
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(isinstance(end, str) for end in value):
        raise PydanticCustomError("cable", "is not a pair of ends")
    return _Cable(*(Port(device, name or None) for device, _, name in (end.partition(":") for end in value)))


Cable = Annotated[_Cable, BeforeValidator(_cable)]
