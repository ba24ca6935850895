from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.podwright.cloud.plugins.module_utils import look
from ansible_collections.podwright.cloud.plugins.module_utils.look import Program, Sights


def sights(*files: str, presences: tuple[str, ...] = (), **programs: tuple[str, ...]) -> Sights:
    return Sights(files, presences, programs)


@pytest.mark.parametrize("text", ["", "\n", "one line", "one line\n", "two\n\nlines\n\n", " $HOME `id` 'é'\\n %s\n"])
def test_files_are_seen_to_the_last_character(tmp_path: Path, text: str):
    file = tmp_path / "file"
    file.write_text(text)
    assert look.here(sights(str(file), f"{file}.absent")).files == {str(file): text}


def test_patterns_find_what_is_there(tmp_path: Path):
    for name in ("10-eth0", "10-eth1", "20-eth0"):
        (tmp_path / name).write_text(name)
    seen = look.here(sights(f"{tmp_path}/10-*", f"{tmp_path}/30-*"))
    assert seen.files == {f"{tmp_path}/10-eth0": "10-eth0", f"{tmp_path}/10-eth1": "10-eth1"}


def test_presence_tells_nothing_of_what_is_in_a_file(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("secret")
    seen = look.here(sights(presences=(str(file), f"{file}.absent")))
    assert (seen.present, seen.files) == ({str(file)}, {})


def test_programs_tell_what_they_print_and_how_they_end():
    seen = look.here(
        sights(two=("printf", r"%s\n", "a b", "$HOME"), fails=("sh", "-c", "echo no; exit 3"), reads=("cat",))
    )
    # One that reads finds nothing: the rest of the script is not for it.
    assert seen.programs == {
        "two": Program("a b\n$HOME\n", 0),
        "fails": Program("no\n", 3),
        "reads": Program("", 0),
    }


def test_a_program_that_is_not_there_is_one_that_fails():
    assert look.here(sights(absent=("podwright-absent",))).programs == {"absent": Program("", 127)}


def test_a_look_that_was_cut_short_is_no_look():
    planned = look.prepare(sights(one=("true",)))
    printed = f"{planned.boundary} program one\n\n{planned.boundary} status one\n0\n"
    assert planned.read(f"{printed}{planned.boundary} end\n", "").programs == {"one": Program("", 0)}
    for end in range(len(printed)):
        with pytest.raises(RuntimeError, match="could not be looked at: sh: killed"):
            planned.read(printed[:end], "sh: killed\n")
