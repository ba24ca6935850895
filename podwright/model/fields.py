"""The kinds of value a declaration is made of, each checked as it is read.

A value that is wrong raises `mistake(expected, remedy)`. Where a declaration
has mistakes it is read a second time with the context `SALVAGE`, in which a
wrong value becomes None, so that what is right can still be checked as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationError, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

SALVAGE = "salvage"

# IEEE 802.1Q-2018 table 9-2: 0 is priority-tagged, 4095 is reserved.
FIRST_VLAN, LAST_VLAN = 1, 4094

# RFC 7348 section 5: a VNI has 24 bits.
_LAST_VNI = 2**24 - 1

# RFC 1123 section 2.1: letters, digits and hyphens, no hyphen at either end; RFC 1035 section 2.3.4: 63 of them.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN = re.compile(rf"{_NAME.pattern}(\.{_NAME.pattern})*")
# RFC 3986 section 3.2. A password stands there percent-encoded, and no option (a password might be one) follows.
_SQLITE = re.compile(r"sqlite:///[^?]+")
_SERVER = re.compile(
    r"(mariadb|mysql|postgresql)://[^:@/?#\s]+(:[^:@/?#\s]*)?"
    r"@([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?/[^@/?#\s]+"
)
_LAST_PORT = 2**16 - 1
PUBLIC_KEY = re.compile(r"(ssh|ecdsa|sk)-[^ ]+ [A-Za-z0-9+/]+=*( .*)?")


def mistake(expected: str, remedy: str) -> PydanticCustomError:
    """An error that says what was expected and what to do."""
    return PydanticCustomError("mistake", "{expected}; {remedy}", {"expected": expected, "remedy": remedy})


def salvaged(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """The value as `read` gives it; None for a wrong one where we salvage."""
    try:
        return read(value)
    except ValidationError:
        if info.context != SALVAGE:
            raise
        return None


def whole_number(first: int, last: int | None = None) -> BeforeValidator:
    """A number of `first` or more, up to `last`; neither text nor true or false."""
    limits = f"of {first} or more" if last is None else f"of {first} to {last}"

    def check(value: Any) -> int:
        if type(value) is not int or value < first or (last is not None and value > last):
            raise mistake(f"a whole number {limits}", f"give a number {limits}, without quotes")
        return value

    return BeforeValidator(check)


@dataclass(frozen=True)
class NumberRange:
    """Numbers from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def ids(self) -> range:
        """The numbers as a `range`."""
        return range(self.first, self.last + 1)

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class AddressesBetween:
    """Addresses from `first` to `last`, both included."""

    first: IPv4Address
    last: IPv4Address

    def __contains__(self, address: IPv4Address) -> bool:
        return self.first <= address <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Port:
    """One end of a cable: a device's port, or (no `name`) a network that is not ours."""

    device: str
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.device}:{self.name}" if self.name else self.device


@dataclass(frozen=True)
class _Cable:
    """A cable between two ports."""

    a: Port
    b: Port

    @property
    def ends(self) -> tuple[Port, Port]:
        """Both ends."""
        return (self.a, self.b)


def concealed(url: str) -> str:
    """The URL of a database, right or wrong, without whatever may be a user, a password or an option in it."""
    if not url.startswith("sqlite:"):
        url = re.sub(r"(?s)^([^/:@]*://)?.*@", r"\1...@", url)
    return re.sub(r"(?s)\?.*", "?...", url)


def _matching(pattern: re.Pattern[str], expected: str, remedy: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not pattern.fullmatch(str(value)):
            raise mistake(expected, remedy)
        return str(value)

    return check


def _name(value: Any, info: ValidationInfo) -> str:
    if info.context == SALVAGE:
        return str(value)  # what has a bad name is still there
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        remedy = "use lower-case letters, digits and hyphens, no hyphen at an end, 63 characters at most"
        raise mistake("a name", remedy)
    return value


def _address(value: Any) -> IPv4Address:
    try:
        return IPv4Address(str(value))  # as text: IPv4Address(5) is 0.0.0.5
    except AddressValueError:
        raise mistake("an IPv4 address", "give four numbers of 0 to 255, such as 192.0.2.1") from None


def _network(value: Any) -> IPv4Network:
    address, slash, length = str(value).partition("/")
    if not slash:
        raise mistake("a network", "give an address and a prefix length, such as 192.0.2.0/24")
    if not re.fullmatch("[0-9]{1,2}", length) or int(length) > 32:
        raise mistake("a network", "give a prefix length of 0 to 32")
    try:
        network = IPv4Network(str(value), strict=False)
    except ValueError:
        raise mistake("a network", "give four numbers of 0 to 255 and a prefix length") from None
    if str(network) != str(value):
        raise mistake("a network", f"{address} is an address in it: write {network}")
    return network


def _guest_subnet(value: Any) -> IPv4Network | str:
    return value if value == "auto" else _network(value)


def _numbers(noun: str, first: int, last: int) -> BeforeValidator:
    """One number of `first` to `last`, or two joined by a hyphen."""
    remedy = f"give one {noun} or two joined by a hyphen, the lower first, of {first} to {last}"

    def check(value: Any) -> NumberRange:
        found = re.fullmatch(r"([0-9]{1,8})(?:-([0-9]{1,8}))?", str(value))
        if not found or isinstance(value, bool):
            raise mistake(f"a range of {noun}s", remedy)
        result = NumberRange(int(found[1]), int(found[2] or found[1]))
        if not first <= result.first <= result.last <= last:
            raise mistake(f"a range of {noun}s", remedy)
        return result

    return BeforeValidator(check)


def _address_range(value: Any) -> AddressesBetween:
    first, _, last = str(value).partition("-")
    try:
        result = AddressesBetween(IPv4Address(first.strip()), IPv4Address(last.strip()))
    except AddressValueError:
        raise mistake("a range of addresses", "join two addresses by a hyphen") from None
    if result.first > result.last:
        raise mistake("a range of addresses", f"write {result.last}-{result.first}")
    return result


def _addresses(value: Any) -> AddressesBetween:
    """A range of addresses, or a single one."""
    text = str(value)
    try:
        return _address_range(text if "-" in text else f"{text}-{text}")
    except PydanticCustomError:
        if "-" in text:
            raise
        raise mistake("an address or a range", "give an address, or join two by a hyphen") from None


def _cable(value: Any) -> _Cable:
    if (
        not isinstance(value, (list, tuple))
        or len(value) != 2
        or not all(isinstance(end, str) and end for end in value)
    ):
        raise mistake("a cable", "give a list of two ends, such as [east-p1-sw1:swp1, east-zsw1:swp1]")
    a, b = (Port(device, name or None) for device, _, name in (end.partition(":") for end in value))
    return _Cable(a, b)


def _database_url(value: Any) -> str:
    server = _SERVER.fullmatch(str(value))
    if not server and not _SQLITE.fullmatch(str(value)):
        forms = "sqlite:////absolute/path, mariadb://user@host/database or postgresql://user@host/database"
        raise mistake("the URL of a database", f"write {forms}, or leave it out")
    if server and server["port"] and not 1 <= int(server["port"]) <= _LAST_PORT:
        raise mistake("the URL of a database", f"give a port of 1 to {_LAST_PORT}")
    return str(value)


def _reference(value: Any) -> str:
    if not isinstance(value, str):
        raise mistake("a name", "put it in quotes")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise mistake("true or false", "write true or false, without quotes")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise mistake("text", "put it in quotes")
    return value


Name = Annotated[str, BeforeValidator(_name)]
# The name of something declared elsewhere: whether it exists is a question to the whole declaration.
Reference = Annotated[str, BeforeValidator(_reference)]
Text = Annotated[str, BeforeValidator(_text)]
DomainName = Annotated[
    str, BeforeValidator(_matching(_DOMAIN, "a domain name", "use lower-case labels joined by dots (RFC 1123)"))
]
DatabaseUrl = Annotated[str, BeforeValidator(_database_url)]
PublicKey = Annotated[
    str, BeforeValidator(_matching(PUBLIC_KEY, "an OpenSSH public key", "copy the line of a .pub file (sshd(8))"))
]
Address = Annotated[IPv4Address, BeforeValidator(_address)]
Network4 = Annotated[IPv4Network, BeforeValidator(_network)]
GuestSubnet = Annotated[IPv4Network | Literal["auto"], BeforeValidator(_guest_subnet)]
VlanId = Annotated[int, whole_number(FIRST_VLAN, LAST_VLAN)]
VlanRange = Annotated[NumberRange, _numbers("VLAN id", FIRST_VLAN, LAST_VLAN), WrapValidator(salvaged)]
VniRange = Annotated[NumberRange, _numbers("VNI", 1, _LAST_VNI), WrapValidator(salvaged)]
PortRange = Annotated[NumberRange, _numbers("TCP port", 1, _LAST_PORT), WrapValidator(salvaged)]
ServicePorts = Annotated[NumberRange, _numbers("port", 1, _LAST_PORT), WrapValidator(salvaged)]
AddressRange = Annotated[AddressesBetween, BeforeValidator(_address_range)]
Addresses = Annotated[AddressesBetween, BeforeValidator(_addresses), WrapValidator(salvaged)]
Cable = Annotated[_Cable, BeforeValidator(_cable), WrapValidator(salvaged)]
Positive = Annotated[int, whole_number(1)]
Truth = Annotated[bool, BeforeValidator(_truth)]
ServerPath = Annotated[
    Path,
    BeforeValidator(_matching(re.compile(r"(/[^/\s]+)+"), "an absolute path", "start with a slash, end without one")),
]
