"""What machines ask, as ping(8) understands it."""

from __future__ import annotations

import pytest

from podwright.observe.probes import Probe


@pytest.mark.parametrize("answered", [True, False])
def test_waiting_for_the_last_answer_ends_with_the_deadline(answered: bool):
    """A BusyBox that is told no -W waits 10 s for each address that must be silent, whatever -w says."""
    argv = Probe("reaches somebody", "192.0.2.1", answered).argv
    options = dict(zip(argv[1:-1:2], map(int, argv[2:-1:2]), strict=True))
    sending_s = options["-c"] - 1
    assert sending_s + options["-W"] == options["-w"]
    assert (argv[0], argv[-1]) == ("ping", "192.0.2.1")
