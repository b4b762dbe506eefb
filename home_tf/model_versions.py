"""The numbered versions of a model, as TF Serving reads them."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from home_tf.errors import HomeError
from home_tf.files import (
    AnyPath,
    PathLike,
    RemotePath,
    as_path,
    atomic_directory,
    directory_exists,
    locked,
    move_directory,
    remove_directory,
    remove_leftovers,
)

# A file of every SavedModel; without it, TF Serving does not load a version.
_MODEL_FILE = "saved_model.pb"


class Versions:
    """A model's folder: `1`, `2`, ...; TF Serving serves the largest number.

    Folders appear and disappear by renaming, so TF Serving never sees an incomplete
    one: versions that are being written, withdrawn or removed have names that it
    ignores. A lock on the file `.lock` excludes a second export or rollback meanwhile;
    it ends with the process that holds it. At a URL there is no renaming: the file
    `saved_model.pb` of a version is written last and removed first.

    Args:
        folder: The model's folder; it need not exist.

    Raises:
        HomeError: If there is a file of that name, or no model could be read from it.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = as_path(folder)
        # TensorFlow treats the path of a SavedModel as a pattern.
        if re.search(r"[*?\[\]]", str(self.folder.absolute())):
            raise HomeError(
                f"{folder}: must not have * ? [ ] in its path: TensorFlow takes them "
                "for a pattern. Choose another folder"
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise HomeError(
                f"{folder}: is a file. Choose a folder for the model's versions"
            )

    def numbers(self) -> list[int]:
        """The versions that TF Serving sees, in order."""
        if not self.folder.is_dir():
            return []
        found = [one for one in self.folder.iterdir() if _is_number(one.name)]
        return sorted(int(f.name) for f in found if directory_exists(f, _MODEL_FILE))

    def path(self, number: int) -> AnyPath:
        """The folder of a version."""
        return self.folder / str(number)

    @contextmanager
    def publish(self, *, keep: int) -> Iterator[tuple[AnyPath, Path]]:
        """Yields a folder, which becomes the next version if nothing fails.

        The model is locked until the end of the context. Leftovers of killed calls are
        removed first, and surplus versions last.

        Args:
            keep: Number of versions to keep, including the new one.

        Yields:
            The folder of the version, and the temporary one to write to.

        Raises:
            HomeError: If another export or rollback of the model is running.
        """
        if not isinstance(self.folder, RemotePath):
            self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._remove_leftovers()
            version = self.path(self._next())
            with atomic_directory(version, marker=_MODEL_FILE) as partial:
                yield version, partial
            self._keep(keep)

    def _keep(self, last: int) -> None:
        for number in self.numbers()[:-last]:
            remove_directory(self.path(number), marker=_MODEL_FILE)

    def roll_back(self) -> tuple[int, int]:
        """Withdraws the current version: TF Serving returns to the previous one.

        Its folder stays, as `.N.withdrawn`, and its number is not used again.

        Returns:
            The withdrawn version, and the one that is current now.

        Raises:
            HomeError: If there is no such folder or no previous version, or another
                export or rollback of the model is running.
        """
        if not self.folder.is_dir():
            raise HomeError(f"{self.folder}: no such folder. Choose a model's folder")
        with self._locked():
            numbers = self.numbers()
            if len(numbers) < 2:
                found = ", ".join(map(str, numbers)) or "none"
                raise HomeError(
                    f"{self.folder}: there is no version to roll back to. Versions: "
                    f"{found}"
                )
            before, current = numbers[-2:]
            move_directory(self.path(current), f".{current}.withdrawn", _MODEL_FILE)
            return current, before

    def _remove_leftovers(self) -> None:
        if not isinstance(self.folder, RemotePath):
            remove_leftovers(self.folder, r"\d+")
            return
        for path in self.folder.iterdir():
            if _is_number(path.name) and not directory_exists(path, _MODEL_FILE):
                remove_directory(path, marker=_MODEL_FILE)

    def _locked(self) -> AbstractContextManager[None]:
        busy = (
            f"{self.folder}: another export or rollback of this model is running. Wait "
            "for its end, then try again"
        )
        return locked(self.folder / ".lock", busy)

    def _next(self) -> int:
        """The next number above all existing names, including files and `007`."""
        names = [path.name for path in self.folder.iterdir()]
        pattern = re.compile(r"\.?(\d+)(\.(partial|withdrawn))?", re.ASCII)
        found = [match for match in map(pattern.fullmatch, names) if match]
        return max((int(match[1]) for match in found), default=0) + 1


def _is_number(name: str) -> bool:
    return re.fullmatch(r"[1-9]\d*", name, re.ASCII) is not None
