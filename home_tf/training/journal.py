"""The files of a run that grow during training: curves and tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from home_tf.files import RemotePath, write_file
from home_tf.run import Run


class Journal:
    """A local folder whose files are appended to: the run's, if it is local.

    For a remote run, the files grow locally, and `upload` copies those that have grown.

    Args:
        folder: The local folder.
        run: The run.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        self._folder = folder
        self._run = run
        self._sizes: dict[Path, int] = {}

    @property
    def logs(self) -> Path:
        """The folder of TensorBoard's files."""
        return self._folder / "logs"

    @property
    def history_file(self) -> Path:
        """A line of losses and metrics for each validation."""
        return self._folder / self._run.history_file.name

    @property
    def curves_file(self) -> Path:
        """A line with the curves of the experts and gates for each measurement."""
        return self._folder / self._run.curves_file.name

    def download(self) -> None:
        """Copies the tables of a remote run, to continue them."""
        for file, mine in (
            (self._run.history_file, self.history_file),
            (self._run.curves_file, self.curves_file),
        ):
            if isinstance(file, RemotePath) and file.is_file():
                file.download(mine)

    def upload(self) -> None:
        """Copies the files that have grown to a remote run."""
        if not isinstance(self._run.folder, RemotePath):
            return
        for file in sorted(self._folder.rglob("*")):
            size = file.stat().st_size if file.is_file() else 0
            if size != self._sizes.get(file, 0):
                write_file(self._run.folder / str(file.relative_to(self._folder)), file)
                self._sizes[file] = size


@contextmanager
def open_journal(run: Run) -> Iterator[Journal]:
    """Yields the journal of a run, and copies the rest at the end."""
    if not isinstance(run.folder, RemotePath):
        yield Journal(run.folder, run)
        return
    with TemporaryDirectory() as scratch:
        journal = Journal(Path(scratch), run)
        journal.download()
        yield journal
        journal.upload()
