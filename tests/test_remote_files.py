"""Files at URLs, on the file system in memory that plain TensorFlow has."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
import tensorflow as tf

from home_tf.data import DatasetDirectory, RecordWriter
from home_tf.errors import HomeError, RemoteFileError
from home_tf.files import (
    RemotePath,
    as_path,
    atomic_directory,
    atomic_file,
    directory_exists,
    explain_no_answer,
    join_path,
    local_copy,
    locked,
    read_json,
    remote_lock,
    remove_directory,
    say_tried_again,
    tensorflow_files,
    write_json,
)
from home_tf.model_versions import Versions


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(remote_lock, "SETTLE_SECONDS", 0.01)
    monkeypatch.setattr(tensorflow_files, "FIRST_PAUSE_SECONDS", 0.001)
    counter = tensorflow_files.Counter()
    monkeypatch.setattr(tensorflow_files, "_tried_again", counter)


@pytest.fixture
def folder(request):
    """A folder in memory, of this test alone."""
    return as_path(f"ram://{request.node.name.partition('[')[0]}/folder")


def names(folder):
    return [file.relative_to(folder) for file in folder.files()]


def write(path, **files):
    with atomic_directory(path, replaceable=lambda _: True, marker="last") as aside:
        for name, text in files.items():
            (aside / name).write_text(text)


class Killed(BaseException):
    pass


def write_half(file):
    with atomic_file(file) as partial:
        partial.write_text("half")
        raise Killed


def test_which_paths_are_remote(tmp_path):
    assert as_path("a/b") == Path("a/b")
    assert as_path("file:///a/b") == Path("/a/b")
    url = as_path("s3://bucket/a/../b//")
    assert (str(url), url.name) == ("s3://bucket/b", "b")
    assert str(url / "c" / "d.csv") == "s3://bucket/b/c/d.csv"
    assert str(url.parent / ".") == "s3://bucket/"
    assert str(as_path("hdfs:///a/b").with_name("c")) == "hdfs:///a/c"
    assert join_path(url, "../x") == as_path("s3://bucket/x")
    assert join_path(url, "/x") == Path("/x")
    assert join_path(tmp_path, "s3://bucket/x") == as_path("s3://bucket/x")


def test_a_file_appears_whole_or_not_at_all(folder):
    file = folder / "deep" / "file.json"
    assert not file.exists()
    with pytest.raises(FileNotFoundError):
        file.read_text()
    write_json(file, {"görl": 1})
    with pytest.raises(Killed):
        write_half(file)
    assert read_json(file) == {"görl": 1}
    with atomic_file(file) as partial:
        partial.touch()
    assert file.read_bytes() == b""
    assert file.stat().st_size == 0
    assert names(folder) == ["deep/file.json"]
    assert list(folder.glob("d*/*.json")) == [file]
    file.unlink()
    file.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        file.unlink()


def test_reading_goes_to_any_place(folder):
    content = os.urandom(1 << 20) + b"end"
    with atomic_file(folder / "file") as partial:
        partial.write_bytes(content)
    with (folder / "file").open("rb") as file:
        assert file.read(1000) == content[:1000]
        file.seek(len(content) - 3)
        assert file.read() == b"end"
    with local_copy(folder) as copy:
        assert (copy / "file").read_bytes() == content


def test_a_directory_is_whole_by_the_file_that_is_written_last(folder, monkeypatch):
    write(folder, last="1", part="1")
    assert directory_exists(folder, "last")
    usual = RemotePath.upload

    def die(self, file):
        if self.name == "last":
            raise Killed
        usual(self, file)

    with monkeypatch.context() as patched:
        patched.setattr(RemotePath, "upload", die)
        with pytest.raises(Killed):
            write(folder, last="2", other="2")
        # Of other names: what was there is whole.
        assert (folder / "last").read_text() == (folder / "part").read_text() == "1"
        with pytest.raises(Killed):
            write(folder, last="2", part="2")
        # Of the same names: it would be of both.
        assert not directory_exists(folder, "last")
    # And it is written again, though it holds something.
    with atomic_directory(folder, marker="last") as aside:
        (aside / "last").write_text("3")
    assert names(folder) == ["last"]
    with (
        pytest.raises(HomeError, match="which contains something else"),
        atomic_directory(folder, marker="last"),
    ):
        pass
    remove_directory(folder, marker="last")
    assert not folder.exists()
    assert names(folder.parent) == []


def test_a_lock_has_one_holder(folder):
    with (
        locked(folder / ".lock", "busy"),
        pytest.raises(
            HomeError,
            match=rf"^busy\. Process {os.getpid()} of .* wrote the lock \d s ago; if "
            rf"it is gone, wait until that is 120 s ago, or remove {folder}/\.lock$",
        ),
        locked(folder / ".lock", "busy"),
    ):
        pass
    assert not folder.exists()


@pytest.mark.parametrize("how", ["of a process that is gone", "too old"])
def test_a_lock_that_was_left_is_taken(folder, how):
    gone = subprocess.Popen(["true"])
    gone.wait()
    found = {"token": "x", "host": socket.gethostname(), "process": gone.pid}
    if how == "too old":
        found["host"] = "another"
    left = time.time() - (121 if how == "too old" else 1)
    write_json(folder / ".lock", {**found, "time": left})
    with locked(folder / ".lock", "busy"):
        assert read_json(folder / ".lock")["process"] == os.getpid()


def test_who_has_lost_its_lock_writes_nothing_more(folder):
    with locked(folder / ".lock", "busy"):
        write_json(folder / "file", {"mine": 1})
        lock = json.loads((folder / ".lock").read_text())
        with atomic_file(folder.parent / "lock") as partial:
            partial.write_text(json.dumps({**lock, "token": "of another"}))
        (folder.parent / "lock").download(copy := Path(f"/tmp/{os.getpid()}.lock"))
        (folder / ".lock").upload(copy)
        copy.unlink()
        with pytest.raises(HomeError, match="this process has lost the lock on it"):
            write_json(folder / "file", {"mine": 2})
    assert read_json(folder / "file") == {"mine": 1}
    assert (folder / ".lock").is_file()


def test_a_lock_is_refreshed(folder, monkeypatch):
    monkeypatch.setattr(remote_lock, "REFRESH_SECONDS", 0.01)
    with locked(folder / ".lock", "busy"):
        before = read_json(folder / ".lock")["time"]
        end = time.monotonic() + 10
        while read_json(folder / ".lock")["time"] == before:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_what_fails_for_a_while_is_tried_again_and_counted(folder):
    failures = [tf.errors.InternalError(None, None, "503")] * 2
    failures.append(tf.errors.UnknownError(None, None, "reset"))

    def fail():
        if failures:
            raise failures.pop()
        return 1

    url = f"{folder}/file"
    assert tensorflow_files.request(url, fail) == 1
    assert say_tried_again() == [f"3 requests to ram://{folder.host} were tried again"]
    failures += [tf.errors.InternalError(None, None, "503 Slow Down")] * 4
    with pytest.raises(
        RemoteFileError,
        match=rf"^{url}: the storage does not answer \(InternalError: 503 Slow Down\)",
    ):
        tensorflow_files.request(url, fail)


def test_the_errors_of_a_local_file_stay_as_they_are(tmp_path, folder):
    with pytest.raises(tf.errors.InternalError), explain_no_answer(tmp_path):
        raise tf.errors.InternalError(None, None, "")
    with pytest.raises(RemoteFileError), explain_no_answer(folder):
        raise tf.errors.InternalError(None, None, "")


def test_an_unknown_file_system_is_told():
    with pytest.raises(HomeError, match=r"^nofs://a/b: `nofs://` is not a file system"):
        as_path("nofs://a/b").exists()


@pytest.mark.skipif(
    tf.__version__.startswith("2.16."), reason="tensorflow-io works with it"
)
def test_what_needs_another_tensorflow_says_so():
    with pytest.raises(
        HomeError,
        match=rf"^s3://bucket/run: needs tensorflow-io, which works with TensorFlow "
        rf'2\.16\.x alone, and this is {tf.__version__}\. Run `pip install "home-tf'
        r'\[io\]"` in an environment of its own, or copy the files$',
    ):
        as_path("s3://bucket/run").exists()


def test_records_are_read_from_a_url(folder, tmp_path):
    from home_tf.data import Column

    with RecordWriter(tmp_path / "records", {"x": Column("int64")}, shards=3) as writer:
        writer.write("train", {"x": list(range(100))})
    with atomic_directory(folder, marker="schema.json") as aside:
        for file in (tmp_path / "records").iterdir():
            (aside / file.name).write_bytes(file.read_bytes())
    data = DatasetDirectory(str(folder))
    batches = data.read("train", batch_size=30, shuffle_rows=10, epochs=2)
    values = [int(x) for batch in batches for x in batch["x"]]
    assert sorted(values) == sorted([*range(100), *range(100)])
    next(folder.glob("*00001-of*")).unlink()
    with pytest.raises(HomeError, match=rf"^{folder}/train-00001-.*file is missing"):
        data.read("train", batch_size=30)
    with pytest.raises(HomeError, match="`folder` must be on this machine"):
        RecordWriter(str(folder), {"x": Column("int64")})


def test_versions_are_published_and_rolled_back(folder):
    versions = Versions(str(folder))
    for number in (1, 2, 3):
        with versions.publish(keep=2) as (version, aside):
            (aside / "saved_model.pb").write_text(str(number))
            (aside / "variables").mkdir()
            (aside / "variables" / "part").write_text(str(number))
        assert version.name == str(number)
    assert versions.numbers() == [2, 3]
    # What a killed export left: no version, and removed by the next.
    with atomic_file(folder / "4" / "variables" / "part") as partial:
        partial.write_text("half")
    assert versions.numbers() == [2, 3]
    assert versions.roll_back() == (3, 2)
    assert versions.numbers() == [2]
    with versions.publish(keep=2) as (_, aside):
        (aside / "saved_model.pb").write_text("5")
    assert names(folder) == [
        ".3.withdrawn/saved_model.pb",
        ".3.withdrawn/variables/part",
        "2/saved_model.pb",
        "2/variables/part",
        "4/saved_model.pb",
    ]
