"""Atomic writes of local or remote files and directories."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from home_tf.errors import HomeError, RemoteFileError
from home_tf.files import local, remote
from home_tf.files.paths import AnyPath, PathLike, as_path
from home_tf.files.remote_lock import remote_lock
from home_tf.files.remote_path import RemotePath
from home_tf.files.tensorflow_files import no_answer, transient_errors


def atomic_file(path: PathLike) -> AbstractContextManager[Path]:
    """Yields a local path to write to, whose file replaces `path` if nothing fails.

    Args:
        path: The file to write or replace.
    """
    found = as_path(path)
    if isinstance(found, RemotePath):
        return remote.atomic_file(found)
    return local.atomic_file(found)


def atomic_directory(
    path: PathLike,
    *,
    replaceable: Callable[[Any], bool] | None = None,
    marker: str | None = None,
) -> AbstractContextManager[Path]:
    """Yields a local directory to fill, which becomes `path` if nothing fails.

    Args:
        path: The directory to write. If it exists, it must be empty or replaceable.
        replaceable: Whether a directory was written this way before; by default none
            is replaced.
        marker: The file in it that is written last if a directory cannot be renamed;
            without it, the directory counts as not written.

    Raises:
        HomeError: If `path` is something that must not be replaced, cannot be written,
            or is being written by another process, or is remote and there is no marker.
    """
    found = as_path(path)
    if not isinstance(found, RemotePath):
        return local.atomic_directory(found, replaceable=replaceable)
    if marker is None:
        raise HomeError(
            f"the folder to write must be on this machine. Received: {path}"
        )
    return remote.atomic_directory(found, marker, replaceable=replaceable)


def directory_exists(path: AnyPath, marker: str) -> bool:
    """Whether there is a directory that `atomic_directory` wrote.

    Args:
        path: The directory.
        marker: Its marker, see `atomic_directory`.
    """
    if isinstance(path, RemotePath):
        return (path / marker).is_file()
    return path.is_dir()


def check_vacant(path: AnyPath, what: str) -> None:
    """Checks that there is nothing where a directory is to be written.

    Leftovers of a remote directory from a killed process count as nothing.

    Args:
        path: The place.
        what: What will be written, such as `a run`.

    Raises:
        HomeError: If something else is there.
    """
    if isinstance(path, RemotePath):
        vacant = remote.is_vacant(path)
    else:
        vacant = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    if not vacant:
        raise HomeError(
            f"{path}: is not empty and does not contain {what}. Choose another folder"
        )


def locked(file: AnyPath, busy: str) -> AbstractContextManager[None]:
    """Holds a lock, which ends with the process; its file exists meanwhile.

    Args:
        file: The lock's file.
        busy: What to say if another process holds the lock.

    Raises:
        HomeError: If another process holds the lock, or the file cannot be written.
    """
    if isinstance(file, RemotePath):
        return remote_lock(file, busy)
    return local.locked(file, busy)


def recover_directory(path: AnyPath) -> None:
    """Restores what a killed `atomic_directory` was about to replace, if anything.

    Call it before reading a directory that is rewritten repeatedly.
    """
    if not isinstance(path, RemotePath):
        local.recover_directory(path)


def remove_directory(path: AnyPath, marker: str) -> None:
    """Removes a directory atomically.

    Args:
        path: The directory.
        marker: Its marker, see `atomic_directory`.
    """
    if isinstance(path, RemotePath):
        remote.remove_directory(path, marker)
    else:
        local.remove_directory(path)


def move_directory(path: AnyPath, name: str, marker: str) -> None:
    """Renames a directory atomically.

    Args:
        path: The directory.
        name: The new name.
        marker: Its marker, see `atomic_directory`.
    """
    if not isinstance(path, RemotePath):
        path.rename(path.with_name(name))
        return
    with local_copy(path) as copy:
        remote.upload_directory(copy, path.with_name(name), marker)
    remote.remove_directory(path, marker)


@contextmanager
def explain_no_answer(path: AnyPath) -> Iterator[None]:
    """Explains errors when TensorFlow itself reads from a failing storage.

    Args:
        path: What is being read; the errors about a local file stay as they are.

    Raises:
        RemoteFileError: If the storage does not answer.
    """
    if not isinstance(path, RemotePath):
        yield
        return
    try:
        yield
    except transient_errors() as error:
        raise RemoteFileError(no_answer(str(path), error)) from None


@contextmanager
def local_copy(path: AnyPath) -> Iterator[Path]:
    """Yields a local copy of a directory; a remote one is downloaded."""
    if not isinstance(path, RemotePath):
        yield path
        return
    with TemporaryDirectory() as scratch:
        copy = Path(scratch, path.name)
        copy.mkdir()
        remote.download_directory(path, copy)
        yield copy
