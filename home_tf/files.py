"""Writes a folder aside and puts it in place only when it is complete."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from home_tf.errors import HomeError


@contextmanager
def written_aside(
    out: str | Path, *, replaceable: Callable[[Path], bool]
) -> Iterator[Path]:
    """Lends a workspace, whose folder `result` replaces `out` if nothing fails.

    Args:
        out: The folder to write. If it exists it must be empty or replaceable.
        replaceable: Whether a folder was written this way before; no other is replaced.

    Yields:
        A temporary folder beside `out`; it is removed in any case.

    Raises:
        HomeError: If `out` is something that must not be replaced, or cannot be
            written.
    """
    out = Path(out).absolute()
    _check(out, replaceable)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        workspace = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise HomeError(f"`out` cannot be written: {error}") from error
    try:
        # Made by mkdir, because mkdtemp would close it to other users.
        (workspace / "result").mkdir()
        yield workspace
        _put_in_place(workspace, out)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _put_in_place(workspace: Path, out: Path) -> None:
    replaced = workspace / "replaced"
    if out.exists():
        os.rename(out, replaced)
    try:
        os.rename(workspace / "result", out)
    except OSError:
        if replaced.exists():
            os.rename(replaced, out)
        raise


def _check(out: Path, replaceable: Callable[[Path], bool]) -> None:
    if not out.exists():
        return
    if not out.is_dir() or (any(out.iterdir()) and not replaceable(out)):
        raise HomeError(
            "the folder to write should be new, empty, or written by the same command "
            f"before. Received: {out}, which holds something else"
        )
