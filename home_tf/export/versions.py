"""The numbered versions of a model, as TF Serving reads them."""

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from home_tf.errors import HomeError


class Versions:
    """A model's folder: `1`, `2`, ...; TF Serving serves the largest number.

    A folder appears, and goes, by a rename, so TF Serving never sees a part of one:
    what is written, or withdrawn, or about to be removed has a name that it does not
    read. A lock on the file `.lock` keeps a second export or rollback out meanwhile; it
    goes with the process that holds it.

    Args:
        folder: The model's folder; it need not be there.

    Raises:
        HomeError: If there is a file of that name.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise HomeError(
                f"{folder}: is a file. Name a folder for the model's versions"
            )

    def numbers(self) -> list[int]:
        """The versions that TF Serving sees, in order."""
        if not self.folder.is_dir():
            return []
        names = [path.name for path in self.folder.iterdir() if path.is_dir()]
        numbers = [name for name in names if re.fullmatch(r"[1-9]\d*", name, re.ASCII)]
        return sorted(map(int, numbers))

    def path(self, number: int) -> Path:
        """The folder of a version."""
        return self.folder / str(number)

    @contextmanager
    def begin(self) -> Iterator[Path]:
        """Makes room for the next version, aside, and removes what a killed call left.

        Until the end of the context the model is locked; then what was not published is
        removed.

        Yields:
            The folder to write, which is not there yet.

        Raises:
            HomeError: If another export or rollback of the model is running.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            for path in self.folder.glob(".*"):
                leftover = re.fullmatch(r"\.\d+\.(partial|removed)", path.name)
                if leftover and path.is_dir():
                    shutil.rmtree(path)
            aside = self.folder / f".{self._next()}.partial"
            try:
                yield aside
            finally:
                shutil.rmtree(aside, ignore_errors=True)

    def publish(self, aside: Path) -> Path:
        """Renames what `begin` named, now that it is written, into place."""
        return aside.rename(self.path(int(aside.name.split(".")[1])))

    def keep(self, last: int) -> None:
        """Removes all versions but the last ones."""
        for number in self.numbers()[:-last]:
            removed = self.path(number).rename(self.folder / f".{number}.removed")
            shutil.rmtree(removed)

    def roll_back(self) -> tuple[int, int]:
        """Withdraws the current version: TF Serving goes back to the one before.

        Its folder stays, as `.N.withdrawn`, and its number is not used again.

        Returns:
            The version that was withdrawn, and the one that is current now.

        Raises:
            HomeError: If there is no such folder, no version before the current one, or
                another export or rollback of the model is running.
        """
        if not self.folder.is_dir():
            raise HomeError(f"{self.folder}: no such folder. Name a model's folder")
        with self._locked():
            numbers = self.numbers()
            if len(numbers) < 2:
                found = ", ".join(map(str, numbers)) or "none"
                raise HomeError(
                    f"{self.folder}: there is no version to go back to. Its versions: "
                    f"{found}"
                )
            before, current = numbers[-2:]
            self.path(current).rename(self.folder / f".{current}.withdrawn")
            return current, before

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeError(
                    f"{self.folder}: another export or rollback of this model is "
                    "running. Wait for its end, then try again"
                ) from None
            yield

    def _next(self) -> int:
        """A number above all that a name has, also that of a file, or `007`."""
        names = [path.name for path in self.folder.iterdir()]
        pattern = re.compile(r"\.?(\d+)(\.(partial|withdrawn))?", re.ASCII)
        found = [match for match in map(pattern.fullmatch, names) if match]
        return max((int(match[1]) for match in found), default=0) + 1
