"""The numbered versions of a model, as TF Serving reads them."""

import re
import shutil
from pathlib import Path

from home_tf.errors import HomeError


class Versions:
    """A model's folder: `1`, `2`, ...; TF Serving serves the largest number.

    A folder appears, and goes, by a rename, so TF Serving never sees a part of one:
    what is written, or withdrawn, or about to be removed has a name that it does not
    read.

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
        return sorted(int(name) for name in names if name.isdigit())

    def path(self, number: int) -> Path:
        """The folder of a version."""
        return self.folder / str(number)

    def begin(self) -> Path:
        """Makes room for the next version, aside; removes what a killed call left.

        Returns:
            The folder to write, which is not there yet.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(".*"):
            if re.fullmatch(r"\.\d+\.(partial|removed)", path.name):
                shutil.rmtree(path)
        return self.folder / f".{self._next()}.partial"

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
            HomeError: If there is no version before the current one.
        """
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

    def _next(self) -> int:
        withdrawn = [
            int(path.name.split(".")[1])
            for path in self.folder.glob(".*.withdrawn")
            if re.fullmatch(r"\.\d+\.withdrawn", path.name)
        ]
        return max([*self.numbers(), *withdrawn], default=0) + 1
