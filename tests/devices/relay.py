"""Run in a network namespace: pass on what connects to a listening socket of another one.

relay.py FILE-DESCRIPTOR ADDRESS: to port 22 there.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress


async def main() -> None:
    """Pass on for as long as it is let."""
    server = await asyncio.start_server(_pass_on, sock=socket.socket(fileno=int(sys.argv[1])))
    await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        to_host = await asyncio.open_connection(sys.argv[2], 22)
        await asyncio.gather(_copy(reader, to_host[1]), _copy(to_host[0], writer))
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the one ends, and end the other then."""
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(main())
