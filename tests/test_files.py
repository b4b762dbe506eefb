"""Files and directories that appear whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from home_tf.errors import HomeError
from home_tf.files import (
    atomic_directory,
    atomic_file,
    locked,
    read_json,
    read_json_lines,
    remove_directory,
    write_json,
)

KILLED = Path(__file__).parent / "support" / "killed_writer.py"


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def always(folder):
    return True


def fail(context, fill):
    """Fails after something was written."""

    def write():
        with context as partial:
            fill(partial)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write()


def refused(message, path, **options):
    with pytest.raises(HomeError, match=message), atomic_directory(path, **options):
        pass


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    file = tmp_path / "file"
    file.write_text("before")
    fail(atomic_file(file), lambda partial: partial.write_text("half"))
    assert file.read_text() == "before"
    with atomic_file(file) as partial:
        partial.write_text("after")
    assert file.read_text() == "after"
    assert entries(tmp_path) == ["file"]


def test_lines_of_json_are_read_but_for_an_unfinished_last_one(tmp_path):
    file = tmp_path / "lines.jsonl"
    file.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert read_json_lines(file) == [{"step": 1}, {"step": 2}]
    file.write_text('{"step": 1}\n[2]\n')
    with pytest.raises(HomeError, match=r"lines\.jsonl: line 2 is not a JSON object"):
        read_json_lines(file)


def test_json_is_written_as_text_and_strictly(tmp_path):
    write_json(tmp_path / "a.json", {"görl": [1, None]})
    assert "görl" in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "a.json") == {"görl": [1, None]}
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert entries(tmp_path) == ["a.json"]
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(HomeError, match=r"a.json: cannot be read as JSON \(Expecting"):
        read_json(tmp_path / "a.json")


def test_a_directory_appears_whole_or_not_at_all(tmp_path):
    made = tmp_path / "deep" / "made"
    for number in (1, 2):
        with atomic_directory(made, replaceable=always) as partial:
            assert entries(partial) == []
            (partial / f"part{number}").mkdir()
            assert not (made / f"part{number}").exists()
        assert entries(made) == [f"part{number}"]
    directory = atomic_directory(made, replaceable=always)
    fail(directory, lambda partial: (partial / "part3").mkdir())
    assert entries(made) == ["part2"]
    assert entries(tmp_path / "deep") == ["made"]


@pytest.mark.parametrize("replaceable", [None, lambda folder: False])
def test_what_is_not_replaceable_stays(tmp_path, replaceable):
    made = tmp_path / "made"
    made.mkdir()
    with atomic_directory(made, replaceable=replaceable) as partial:
        (partial / "first").touch()
    for path in (made, made / "first"):
        message = (
            f"must be new, empty, or the output .* Received: {path}, which contains"
        )
        refused(message, path, replaceable=replaceable)
    assert entries(made) == ["first"]
    assert entries(tmp_path) == ["made"]


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "made"
    refused(f"^{path}: cannot be written", path)


def test_a_directory_has_one_writer_at_a_time(tmp_path):
    made = tmp_path / "made"
    with atomic_directory(made) as partial:
        (partial / "mine").touch()
        refused("made: is being written by another process", made)
    assert entries(made) == ["mine"]


@pytest.mark.parametrize("when", ["writing", "replacing"])
def test_what_a_killed_writer_left_goes_with_the_next_call(tmp_path, when):
    made = tmp_path / "made"
    made.mkdir()
    (made / "old").touch()
    done = subprocess.run([sys.executable, KILLED, made, when], check=False)
    assert done.returncode == 9
    assert ".made.partial" in entries(tmp_path)
    assert made.exists() == (when == "writing")
    refused("which contains something else", made)
    assert entries(tmp_path) == ["made"]
    assert entries(made) == ["old"]


def test_a_lock_is_free_again_when_its_file_was_left(tmp_path):
    lock = tmp_path / "lock"
    lock.touch()
    with (
        locked(lock, "busy"),
        pytest.raises(HomeError, match=r"^busy$"),
        locked(lock, "busy"),
    ):
        pass
    assert entries(tmp_path) == []


def test_a_directory_goes_as_a_whole(tmp_path):
    (tmp_path / "gone" / "part").mkdir(parents=True)
    remove_directory(tmp_path / "gone", marker="part")
    assert entries(tmp_path) == []
