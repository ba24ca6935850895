"""NFS-Ganesha with one export: its files as text, and the export of the running server over D-Bus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils.services import run

SERVER = "/etc/ganesha/ganesha.conf"
EXPORT = "/etc/ganesha/podwright-export.conf"
SERVER_UNIT = "/etc/systemd/system/nfs-ganesha.service.d/50-podwright.conf"
PORTMAPPER_UNIT = "/etc/systemd/system/rpcbind.socket.d/50-podwright.conf"

_FROM_PODWRIGHT = "# Written by podwright; changes made here are lost.\n"


def render(storage: Mapping[str, Any]) -> dict[str, str]:
    """Write the files of server and export as {path: text}; what runs listens on the storage address only."""
    return {
        SERVER: _server(storage["address"]),
        EXPORT: _export(storage),
        SERVER_UNIT: _server_unit(storage["export"]),
        PORTMAPPER_UNIT: _portmapper_unit(storage["address"]),
    }


def export_text(path: str, clients: list[str]) -> str:
    """Say in one line what is exported to whom."""
    return f"{path} to {' '.join(sorted(clients)) or 'nobody'}"


def read_export(export_id: int) -> str | None:
    """Ask the running server for an export; `None` when there is no server or no such export."""
    try:
        answer = _call("DisplayExport", "q", str(export_id))
    except RuntimeError:
        return None
    return parse_export(answer)


def parse_export(answer: str) -> str:
    """Read the JSON of a DisplayExport reply: export id, path, pseudo path, tag, clients that start with CIDR."""
    _, path, _, _, clients = json.loads(answer)["data"]
    return export_text(path, [cidr.removesuffix("/32") for cidr, *_ in clients])


def update_export(storage: Mapping[str, Any], seen: str | None) -> None:
    """Bring the running server's export to what its file says, with no interruption for clients that stay.

    Raises:
        RuntimeError: The server refuses.
    """
    export_id = storage["export_id"]
    block = (EXPORT, f"EXPORT(Export_Id = {export_id})")
    if seen is None:
        _call("AddExport", "ss", *block)
    elif seen.startswith(f"{storage['export']} to "):
        _call("UpdateExport", "ss", *block)
    else:  # a server cannot move an export to another path
        _call("RemoveExport", "q", str(export_id))
        _call("AddExport", "ss", *block)


def _call(method: str, *arguments: str) -> str:
    service, path, interface = "org.ganesha.nfsd", "/org/ganesha/nfsd/ExportMgr", "org.ganesha.nfsd.exportmgr"
    return run("busctl", "--json=short", "call", service, path, interface, method, *arguments)


def _server(address: str) -> str:
    """ganesha-core-config(8). QEMU speaks NFSv3 (libnfs), which needs mountd; it takes no locks, so NLM stays off."""
    return f"""\
{_FROM_PODWRIGHT}NFS_CORE_PARAM {{
    Bind_addr = {address};
    Protocols = 3, 4;
    Enable_NLM = false;
    Enable_RQUOTA = false;
    Enable_UDP = false;
    MNT_Port = 20048;
}}
NFSv4 {{
    Only_Numeric_Owners = true;
}}
%include "{EXPORT}"
"""


def _export(storage: Mapping[str, Any]) -> str:
    """ganesha-export-config(8). Nothing is cached: volumes are made and grown beside the server, not through it."""
    clients = ", ".join(sorted(storage["clients"]))
    allowed = f"    CLIENT {{ Clients = {clients}; Access_Type = RW; }}\n" if clients else ""
    return f"""\
{_FROM_PODWRIGHT}EXPORT {{
    Export_Id = {storage["export_id"]};
    Path = {storage["export"]};
    Pseudo = {storage["export"]};
    Protocols = 3, 4;
    Transports = TCP;
    SecType = sys;
    Squash = No_Root_Squash;
    Attr_Expiration_Time = 0;
    Access_Type = None;
    FSAL {{ Name = VFS; }}
{allowed}}}
"""


def _server_unit(export: str) -> str:
    """The server ends when it cannot bind its address; at boot it may be earlier than the network."""
    return f"""\
{_FROM_PODWRIGHT}[Unit]
RequiresMountsFor={export}
StartLimitIntervalSec=0

[Service]
Restart=on-failure
RestartSec=1
"""


def _portmapper_unit(address: str) -> str:
    """rpcbind opens what it is not given on all addresses; with ::1 it is given something for IPv6 as well."""
    listen = "".join(f"ListenStream={at}:111\nListenDatagram={at}:111\n" for at in (address, "[::1]"))
    return f"""\
{_FROM_PODWRIGHT}[Socket]
ListenStream=
ListenDatagram=
ListenStream=/run/rpcbind.sock
{listen}FreeBind=yes
"""
