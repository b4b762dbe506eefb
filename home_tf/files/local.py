"""Atomic writes of local files and directories.

What is being written is called `.NAME.partial`, next to its final place, and what is
being replaced or removed `.NAME.replaced` or `.NAME.removed`. The next call removes
what a killed process left of these.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from home_tf.errors import HomeError


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yields a path to write to, whose file replaces `path` if nothing fails.

    Args:
        path: The file to write or replace.

    Yields:
        A path next to it.
    """
    path = Path(path).absolute()
    partial = _beside(path, "partial")
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_directory(
    path: str | Path, *, replaceable: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Yields a directory to fill, which becomes `path` if nothing fails.

    Args:
        path: The directory to write. If it exists, it must be empty or replaceable.
        replaceable: Whether a directory was written this way before; by default none
            is replaced.

    Yields:
        An empty directory next to it.

    Raises:
        HomeError: If `path` is something that must not be replaced, cannot be written,
            or is being written by another process.
    """
    path = Path(path).absolute()
    partial = _beside(path, "partial")
    busy = f"{path}: is being written by another process. Wait for its end"
    with _explain_unwritable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with locked(_beside(path, "lock"), busy):
        with _explain_unwritable(path):
            _remove_strangers(path)
            _recover(path)
            _check_replaceable(path, replaceable)
            partial.mkdir()
        try:
            yield partial
            for entry in partial.rglob("*"):
                _sync(entry)
            _sync(partial)
            _put_in_place(partial, path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


@contextmanager
def locked(file: Path, busy: str) -> Iterator[None]:
    """Holds a lock, which ends with the process; its file exists meanwhile.

    Args:
        file: The lock's file.
        busy: What to say if another process holds the lock.

    Raises:
        HomeError: If another process holds the lock, or the file cannot be written.
    """
    with _explain_unwritable(file):
        lock = file.open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeError(busy) from None
        # The previous process removed the file between our opening and locking it.
        if not file.exists() or not os.path.samestat(
            os.fstat(lock.fileno()), file.stat()
        ):
            raise HomeError(busy)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def recover_directory(path: Path) -> None:
    """Restores what a killed `atomic_directory` was about to replace, if anything.

    Call it before reading a directory that is rewritten repeatedly.
    """
    replaced = _beside(path, "replaced")
    for _ in range(50):
        if path.exists() or not replaced.is_dir():
            return
        # Another process that writes holds the lock, but only for a moment.
        with suppress(HomeError), locked(_beside(path, "lock"), "is being written"):
            _put_back(path)
        time.sleep(0.1)


def remove_directory(path: Path) -> None:
    """Removes a directory atomically, by renaming it first."""
    shutil.rmtree(path.rename(_beside(path, "removed")))


def remove_leftovers(folder: Path, names: str) -> None:
    """Removes leftovers of directories that killed processes wrote or removed.

    Args:
        folder: The folder that they wrote to.
        names: Pattern of the directories' names.
    """
    pattern = re.compile(rf"\.(?:{names})\.(partial|removed|lock)", re.ASCII)
    for path in folder.glob(".*"):
        found = pattern.fullmatch(path.name)
        if found and found[1] == "lock":
            path.unlink()
        elif found and path.is_dir():
            shutil.rmtree(path)


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{kind}")


def _sync(path: Path) -> None:
    # A rename can reach the disk before the data does.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _recover(path: Path) -> None:
    """Undoes what a killed call was about to do."""
    partial, replaced = _beside(path, "partial"), _beside(path, "replaced")
    if partial.exists():
        shutil.rmtree(partial)
    _put_back(path)
    if replaced.exists():
        shutil.rmtree(replaced)


def _put_back(path: Path) -> None:
    replaced = _beside(path, "replaced")
    if replaced.is_dir() and not path.exists():
        replaced.rename(path)


def _remove_strangers(path: Path) -> None:
    """Removes leftovers of other directories from killed calls next to this one.

    Their locks ended with their processes, but the lock files did not.
    """
    for lock in path.parent.glob(".*.lock"):
        other = path.with_name(lock.name[1 : -len(".lock")])
        partial = _beside(other, "partial")
        if other == path or not partial.is_dir():
            continue
        with suppress(HomeError), locked(lock, "is being written"):
            shutil.rmtree(partial)


def _put_in_place(partial: Path, path: Path) -> None:
    replaced = _beside(path, "replaced")
    if path.exists():
        path.rename(replaced)
    try:
        partial.rename(path)
    except OSError:
        if replaced.exists():
            replaced.rename(path)
        raise
    _sync(path.parent)
    if replaced.exists():
        shutil.rmtree(replaced, ignore_errors=True)


def _check_replaceable(path: Path, replaceable: Callable[[Path], bool] | None) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir() or replaceable is None or not replaceable(path):
        raise HomeError(
            "the folder to write must be new, empty, or the output of an earlier call "
            f"of the same command. Received: {path}, which contains something else"
        )


@contextmanager
def _explain_unwritable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HomeError(f"{path}: cannot be written ({error})") from error
