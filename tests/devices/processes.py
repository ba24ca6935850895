"""Programs that tests start for themselves, and end by their process ids."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 10


@contextmanager
def running(
    command: Sequence[str | Path],
    ready: Callable[[], bool],
    log: Path,
    environment: Mapping[str, str] | None = None,
    inherited: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs inside, from when it is ready; what it prints goes to `log`, beside which it works.

    Raises:
        RuntimeError: it ended, or is not ready in time; the text has the end of its log.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=log.parent,
            pass_fds=inherited,
        )
    try:
        if not eventually(lambda: process.poll() is not None or ready(), START_TIMEOUT_S) or process.poll() is not None:
            raise RuntimeError(f"{command[0]} is not ready: {log.read_text()[-2000:]}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def eventually(seen: Callable[[], bool], within_s: float) -> bool:
    """Whether `seen()` becomes true in time."""
    end = time.monotonic() + within_s
    while not seen():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
