"""Atomic writes of remote files and directories.

They are written to a local folder first, below `TMPDIR`, and then uploaded. There is no
rename that moves a whole directory: one of its files, the marker, is written last and
removed first, and without it a directory counts as not written. The file `.partial`
exists meanwhile, and stays after a kill.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from home_tf.errors import HomeError
from home_tf.files.remote_lock import find_held, remote_lock
from home_tf.files.remote_path import RemotePath

_PARTIAL = ".partial"


@contextmanager
def atomic_file(path: RemotePath) -> Iterator[Path]:
    """Yields a local path to write to, whose file replaces `path` if nothing fails."""
    with TemporaryDirectory() as scratch:
        file = Path(scratch, path.name)
        yield file
        write_file(path, file)


def write_file(path: RemotePath, file: Path) -> None:
    """Replaces `path` by a copy of a local file."""
    _check_lock(path)
    path.upload(file)


@contextmanager
def atomic_directory(
    path: RemotePath,
    marker: str,
    *,
    replaceable: Callable[[RemotePath], bool] | None,
) -> Iterator[Path]:
    """Yields a local directory to fill, which becomes `path` if nothing fails.

    Args:
        path: The directory to write.
        marker: The file in it that is written last.
        replaceable: Whether a directory was written this way before.

    Raises:
        HomeError: If `path` is something that must not be replaced, or is being written
            by another process.
    """
    with _lock(path), TemporaryDirectory() as scratch:
        _check_replaceable(path, replaceable)
        directory = Path(scratch, path.name)
        directory.mkdir()
        yield directory
        upload_directory(directory, path, marker)


def upload_directory(directory: Path, path: RemotePath, marker: str) -> None:
    """Replaces a remote directory by a local one.

    Args:
        directory: The local directory.
        path: The remote directory.
        marker: The file in it that is written last.
    """
    _check_lock(path)
    before = set(path.files())
    files = {
        path / str(file.relative_to(directory)): file
        for file in sorted(directory.rglob("*"))
        if file.is_file()
    }
    last = path / marker
    partial = path / _PARTIAL
    _touch(partial)
    if before & (files.keys() - {last}):
        # Otherwise the previous directory stays complete until the marker is replaced.
        last.unlink(missing_ok=True)
    for to, file in files.items():
        if to != last:
            to.upload(file)
    _check_lock(path)
    last.upload(files[last])
    for old in before - files.keys():
        old.unlink(missing_ok=True)
    partial.unlink(missing_ok=True)


def is_vacant(path: RemotePath) -> bool:
    """Whether there is nothing, or only leftovers of a killed process."""
    return not path.exists() or (path / _PARTIAL).is_file()


def remove_directory(path: RemotePath, marker: str) -> None:
    """Removes a directory, its marker first."""
    _check_lock(path)
    (path / marker).unlink(missing_ok=True)
    for file in path.files():
        file.unlink(missing_ok=True)
    path.remove_empty_folders()


def download_directory(path: RemotePath, to: Path) -> None:
    """Copies all files of a directory to a local one."""
    for file in path.files():
        file.download(to / file.relative_to(path))


def _lock(path: RemotePath) -> AbstractContextManager[None]:
    if find_held(path) is not None:
        return nullcontext()
    busy = f"{path}: is being written by another process. Wait for its end"
    return remote_lock(path.with_name(f".{path.name}.lock"), busy)


def _check_lock(path: RemotePath) -> None:
    lock = find_held(path)
    if lock is not None:
        lock.check()


def _touch(file: RemotePath) -> None:
    with TemporaryDirectory() as scratch:
        empty = Path(scratch, "empty")
        empty.touch()
        file.upload(empty)


def _check_replaceable(
    path: RemotePath, replaceable: Callable[[RemotePath], bool] | None
) -> None:
    if is_vacant(path):
        return
    if path.is_file() or replaceable is None or not replaceable(path):
        raise HomeError(
            "the folder to write must be new, empty, or the output of an earlier call "
            f"of the same command. Received: {path}, which contains something else"
        )
