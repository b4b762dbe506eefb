"""Locks on remote folders: a small file that says who holds it, and since when.

Remote storage has no locks. A process writes the file, waits a moment, and checks that
the file is still its own. While it holds the lock, it updates the time in it regularly,
and checks that it still holds the lock before it writes anything else to the folder.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from home_tf.errors import HomeError, RemoteFileError
from home_tf.files.remote_path import RemotePath

# Time in which two processes that begin at once notice each other.
SETTLE_SECONDS = 1.0
REFRESH_SECONDS = 20.0
# Time after which a lock counts as left by a killed process.
STALE_SECONDS = 120.0

_held: dict[RemotePath, "RemoteLock"] = {}


class RemoteLock:
    """A lock on a remote folder, for this process.

    Args:
        file: The lock's file: `.lock` for the folder that it is in, or `.NAME.lock` for
            the folder NAME next to it.
    """

    def __init__(self, file: RemotePath) -> None:
        self.file = file
        self._token = uuid.uuid4().hex
        self._released = threading.Event()
        name = file.name.removeprefix(".").removesuffix("lock").removesuffix(".")
        self.folder = file.parent / name if name else file.parent

    def acquire(self, busy: str) -> None:
        """Takes the lock.

        Args:
            busy: What to say if another process holds it.

        Raises:
            HomeError: If another process holds it.
        """
        found = self._read()
        if found is not None and not _is_left(found):
            raise HomeError(f"{busy}. {self._describe(found)}")
        self._write()
        time.sleep(SETTLE_SECONDS)
        found = self._read()
        if found is None or found.get("token") != self._token:
            raise HomeError(f"{busy}. {self._describe(found or {})}")
        threading.Thread(target=self._refresh, daemon=True).start()

    def check(self) -> None:
        """Raises a `HomeError` if another process has taken the lock."""
        found = self._read()
        if found is None or found.get("token") != self._token:
            raise HomeError(
                f"{self.folder}: this process has lost the lock on it, so it writes "
                f"nothing more. {self._describe(found or {})}"
            )

    def release(self) -> None:
        """Releases the lock."""
        self._released.set()
        found = self._read()
        if found is not None and found.get("token") == self._token:
            self.file.unlink(missing_ok=True)

    def _refresh(self) -> None:
        while not self._released.wait(REFRESH_SECONDS):
            # The next write reports a storage that does not answer.
            with suppress(RemoteFileError, OSError, HomeError):
                self.check()
                if not self._released.is_set():
                    self._write()

    def _read(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self.file.read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self) -> None:
        content = {
            "token": self._token,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "time": time.time(),
        }
        with TemporaryDirectory() as scratch:
            file = Path(scratch, "lock")
            file.write_text(json.dumps(content), encoding="utf-8")
            self.file.upload(file)

    def _describe(self, found: dict[str, Any]) -> str:
        if not found:
            return f"Its lock is {self.file}"
        seconds = max(0, round(time.time() - found.get("time", 0)))
        return (
            f"Process {found.get('process')} of {found.get('host')} wrote the lock "
            f"{seconds} s ago; if it is gone, wait until that is {STALE_SECONDS:.0f} s "
            f"ago, or remove {self.file}"
        )


def _is_left(found: dict[str, Any]) -> bool:
    """Whether the process that wrote a lock is gone."""
    written = found.get("time")
    if not isinstance(written, float) or time.time() - written > STALE_SECONDS:
        return True
    if found.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(found["process"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@contextmanager
def remote_lock(file: RemotePath, busy: str) -> Iterator[None]:
    """Holds a lock; see `RemoteLock`."""
    lock = RemoteLock(file)
    lock.acquire(busy)
    _held[lock.folder] = lock
    try:
        yield
    finally:
        del _held[lock.folder]
        lock.release()


def find_held(path: RemotePath) -> RemoteLock | None:
    """Finds the lock that this process holds on a folder around a path, if any."""
    locks = (lock for folder, lock in _held.items() if path.is_below(folder))
    return next(locks, None)
