"""Paths of local and of remote files."""

from pathlib import Path
from typing import TypeAlias

from home_tf.errors import HomeError
from home_tf.files.remote_path import RemotePath

# A path, and what may be passed as one.
AnyPath: TypeAlias = Path | RemotePath
PathLike: TypeAlias = str | Path | RemotePath


def as_path(path: PathLike) -> AnyPath:
    """Makes a path: a URL is remote, except `file://`.

    Args:
        path: A path, or a URL that `tf.io.gfile` knows.
    """
    if not isinstance(path, str):
        return path
    if path.startswith("file://"):
        return Path(path.removeprefix("file://"))
    return RemotePath(path) if "://" in path else Path(path)


def join_path(folder: AnyPath, path: str) -> AnyPath:
    """Joins a path to a folder, unless it is absolute or a URL."""
    if "://" in path or path.startswith("/"):
        return as_path(path)
    return folder / path


def require_local(path: AnyPath, name: str) -> Path:
    """Returns a local path.

    Args:
        path: Any path.
        name: The name of the argument, for the message.

    Raises:
        HomeError: If it is remote.
    """
    if isinstance(path, RemotePath):
        raise HomeError(f"`{name}` must be on this machine. Received: {path}")
    return path
