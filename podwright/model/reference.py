"""The reference of every key of a declaration, from the types that read it: docs/inventory.md.

`python -m podwright.model.reference` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic_core import PydanticUndefined

from podwright.model import fields
from podwright.model.cloud import Cloud
from podwright.model.declared import Declared

_INTRODUCTION = """\
# The inventory: every key of a declared cloud

This page is generated from `podwright/model/cloud.py`: `python -m podwright.model.reference > docs/inventory.md`.

A cloud is declared in `cloud.yml`. Files `cloud.d/*.yml` beside it belong to it, too, so that an account, a zone or a
pod may have a file of its own: mappings of several files are joined (`images`, `offerings`, `data_centers`, `zones`,
`accounts`, `vpns`, a zone's keys, its `pods` and its `firewall_rules`), and so are the `cables` of a zone. One thing
stands in one file; declared twice, in one file or in two, it is a mistake. YAML anchors and `<<` work within a file.

Paths of files on the controller (`administrator_key_file`, `state_directory`, `disk`, `kernel`, `initrd`) are relative
to the file that they stand in, and `${NAME}` in them, and in `database`, is an environment variable.
A `database` for many controllers is `mariadb://user:${PASSWORD}@host:port/database`, `mysql://` or `postgresql://`;
password and port may be left out. A password is such a variable, whatever characters it has: one in the open is
refused, and no message, plan or report shows it.

Every mistake is reported at once, each with file, line, path, what was found, what was expected and what to do:

    cloud.yml:41: zones.east.management_network: 10.0.0.0/33 is not a network; give a prefix length of 0 to 32

What must hold beyond the keys:

- Names of devices, of domains (`<account>-<machine>`), and of routing appliances (`<account>-<zone>-router`) are unique
  in the cloud and at most 63 characters long.
- In a zone no two networks overlap and no two devices have one address. Zones may repeat each other's, but for public
  networks, and so may the guest networks of accounts. A guest network does not overlap what its pod routes.
- Zone switches own the addresses right above each `gateway`, in the order of their names. Those right above the
  upstream `address` are the firewalls', or without any that route the zone switches'. Lease ranges are free of what is
  taken.
- Management addresses of a pod's devices are in its management subnet, which is a part of the zone's
  `management_network`; those of zone switches are in the latter only.
- Either a zone or each of its pods has `guest_vlans`, which are free of the VLAN ids of infrastructure. Those of
  management, public and tunnel networks differ between the pods of a zone, because the zone switches have them all.
- A guest network that is in several pods needs `vnis` of its zone and a `tunnel` network in each of these pods, with a
  `tunnel_address` of each hypervisor there.
- The firewalls of a zone, or without any its zone switches, have one cable `upstream`, a host one to each pod switch of
  its pod, a firewall one to each zone switch; zone switches behind firewalls are joined. `management` ends at pod
  switches.
- In a pod whose switches say what they carry, all do. Storage servers and `management` are cabled to private ones only,
  and no cable joins a public and a private one.
  On Linux devices interfaces have at most 15 characters (netdevice(7)) and eth0 has no cable.
- Where firewalls are transparent, each has one cable to one zone switch, and each zone switch one to one firewall:
  there are as many of both. Such a zone has no `transit`, no `routing: ospf` and no VPN.
- With `management_reached_through` a firewall has a cable to `management` and to `management:POD` of each pod, and the
  addresses right above those of the zone switches in the pods' management subnets. Where controllers stand, no two
  zones have the same networks or addresses.
- A VPN joins two zones with firewalls that route, and only networks that both may show: no address is on both of its
  sides.
- Of several guest networks that an account has in a zone, one is the `default`, all have the same `pod`, no two
  subnets overlap, and `reaches` names others of them. A machine is in guest networks of its account in one zone, in
  each with one NIC. A group of `anti_affinity` has no more machines than the pod has hypervisors that are for the
  account.
- A hypervisor that is `dedicated_to` an account runs nothing of other accounts, and a pod that an account has a guest
  network in has a hypervisor for it.
- Each of the `addresses` of a machine is for a guest network that it is in, in that one's `subnet`, which is not
  `auto`, after the router's, in nothing `reserved` and no other machine's.
- What is `dedicated` to accounts is a part of the pool that it is from, and no two of them overlap.
- The disks of a pod's machines and routing appliances fit into the `capacity_gib` of its storage servers together,
  and the largest into that of one.

"""

_WORDS: dict[Any, str] = {
    fields.Name: "name",
    fields.Text: "text",
    fields.Truth: "true or false",
    fields.Reference: "name",
    fields.DomainName: "domain name",
    fields.DatabaseUrl: "URL",
    fields.PublicKey: "OpenSSH public key",
    fields.Address: "IPv4 address",
    fields.Network4: "IPv4 network",
    fields.GuestSubnet: "IPv4 network or `auto`",
    fields.VlanId: "VLAN id, 1 to 4094",
    fields.VlanRange: "VLAN id or range",
    fields.VniRange: "VNI or range",
    fields.PortRange: "TCP port or range",
    fields.ServicePorts: "port or range",
    fields.AddressRange: "range of IPv4 addresses",
    fields.Addresses: "IPv4 address or range",
    fields.Cable: "cable",
    fields.Positive: "whole number, 1 or more",
    fields.ServerPath: "absolute path",
    Path: "path",
}

# What `load` fills in or asks for, whatever the type says.
_OPTIONAL = {
    "state_directory": "`.podwright`",
    "database": "`leases.db`",
    "plugin": "**required**",
    "port": "22 where that is SSH, 830 for NETCONF",
}


def reference() -> str:
    """The page, in Markdown."""
    return _INTRODUCTION + "\n".join(_section(model) for model in _models(Cloud, {}))


def _models(model: type[Declared], seen: dict[type[Declared], None]) -> list[type[Declared]]:
    """A type and all those that it holds, each once, in the order of reading."""
    if model not in seen:
        seen[model] = None
        for hint in _hints(model).values():
            if below := _declared_in(hint):
                _models(below, seen)
    return list(seen)


def _section(model: type[Declared]) -> str:
    lines = [
        f"## {model.__name__}",
        "",
        _paragraphs(model),
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(cells)} |" for cells in _rows(model)]
    return "\n".join(lines) + "\n"


def _paragraphs(model: type[Declared]) -> str:
    return "\n".join(line.strip() for line in (model.__doc__ or "").strip().splitlines())


def _rows(model: type[Declared]) -> Iterator[tuple[str, str, str, str]]:
    hints = _hints(model)
    for key, field in model.model_fields.items():
        default = "" if field.default is PydanticUndefined else _shown(field.default)
        required = field.is_required() and key not in _OPTIONAL
        yield (
            f"`{key}`",
            _words(hints[key]),
            "**required**" if required else _OPTIONAL.get(key, default),
            field.description or "",
        )


def _shown(default: Any) -> str:
    if isinstance(default, Declared) or default == {}:
        return "none"
    if isinstance(default, bool):
        return f"`{default}`".lower()
    return "" if default in (None, "", ()) else f"`{default}`"


def _hints(model: type[Declared]) -> dict[str, Any]:
    hints = get_type_hints(model, include_extras=True)
    return {key: hints[key] for key in model.model_fields}


def _words(hint: Any) -> str:
    """The kind of value, for people."""
    if words := _WORDS.get(hint):
        return words
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Mapping:
        return f"{_words(arguments[1])} by name"
    if origin is tuple:
        return f"list: {_words(arguments[0])}"
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin is Annotated:
        return "whole number"
    if below := _declared_in(hint):
        return f"[{below.__name__}](#{below.__name__.lower()})"
    return _words(next(argument for argument in arguments if argument is not type(None)))


def _declared_in(hint: Any) -> type[Declared] | None:
    """The type with keys that a value of this kind is, or holds."""
    if isinstance(hint, type) and issubclass(hint, Declared):
        return hint
    inner = [argument for argument in get_args(hint) if get_origin(hint) in (Mapping, Union)]
    return next((found for argument in inner if (found := _declared_in(argument))), None)


if __name__ == "__main__":
    sys.stdout.write(reference())
