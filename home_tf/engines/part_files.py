"""A folder of Parquet files that is written part by part, and can be resumed."""

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from home_tf.errors import HomeError
from home_tf.files import (
    AnyPath,
    PathLike,
    RemotePath,
    as_path,
    atomic_file,
    check_vacant,
    locked,
    read_json,
    write_json,
)

# The prefix of folders that are needed only while rows are written.
SPOOL = ".spool-"


class PartFiles:
    """A folder of `part-00000.parquet`, `part-00001.parquet`, ... and a manifest.

    A part appears only when it is complete. The manifest records the job and the number
    of rows in each part, so that an interrupted job resumes after the last one.

    Args:
        folder: The folder, or its URL.
        manifest: Name of the manifest, such as `predictions.json`.
        job: A description of the job; a folder with the rows of another job is refused.
        rows_per_file: Approximate number of rows per part.

    Attributes:
        complete: Whether all rows are written.

    Raises:
        HomeError: If the folder holds something else, or the rows of another job.
    """

    def __init__(
        self,
        folder: PathLike,
        manifest: str,
        job: Mapping[str, Any],
        *,
        rows_per_file: int,
    ) -> None:
        self.folder = as_path(folder)
        self.complete = False
        self._manifest = self.folder / manifest
        self._job = dict(job)
        self._rows_per_file = rows_per_file
        self._parts: list[int] = []
        if self._manifest.is_file():
            self._resume(read_json(self._manifest))
        else:
            check_vacant(self.folder, manifest)

    @property
    def rows(self) -> int:
        """Number of rows written so far."""
        return sum(self._parts)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Prevents other processes from writing to the folder meanwhile.

        Raises:
            HomeError: If another process is writing to it, or it cannot be written.
        """
        if not isinstance(self.folder, RemotePath):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise HomeError(f"{self.folder}: cannot be written ({error})") from None
        busy = f"{self.folder}: another process is writing to it. Wait for its end"
        with locked(self.folder / ".lock", busy):
            self._remove_leftovers()
            self._save()
            try:
                yield
            finally:
                if not self._parts:
                    self._manifest.unlink(missing_ok=True)

    def write(
        self, batches: Iterable[pa.RecordBatch], progress: Callable[[int], None]
    ) -> None:
        """Writes the rest of the rows.

        Args:
            batches: The rows after those that are written.
            progress: Called with the number of rows so far.

        Raises:
            HomeError: If a file cannot be written.
        """
        rest = iter(batches)
        for first in rest:
            path = self._path(len(self._parts))
            try:
                with atomic_file(path) as file:
                    rows = self._write_part(file, first, rest, progress)
            except OSError as error:
                raise HomeError(f"{path}: cannot be written ({error})") from None
            self._parts.append(rows)
            self._save()

    def take(self, files: Iterable[Path]) -> None:
        """Takes over Parquet files that were written elsewhere.

        Args:
            files: Files on the same disk; those without rows are left out.
        """
        for file in files:
            rows = pq.read_metadata(file).num_rows
            if rows:
                file.replace(str(self._path(len(self._parts))))
                self._parts.append(rows)

    def finish(self) -> None:
        """Records that all rows are written."""
        self.complete = True
        self._save()

    def _remove_leftovers(self) -> None:
        """Removes files of killed processes that are not in the manifest."""
        known = {self._path(number).name for number in range(len(self._parts))}
        files: list[AnyPath] = list(self.folder.glob("part-*.parquet"))
        for file in files:
            if file.name not in known:
                file.unlink()
        if not isinstance(self.folder, RemotePath):
            for spool in self.folder.glob(f"{SPOOL}*"):
                shutil.rmtree(spool)

    def _path(self, number: int) -> AnyPath:
        return self.folder / f"part-{number:05}.parquet"

    def _write_part(
        self,
        file: Path,
        first: pa.RecordBatch,
        rest: Iterator[pa.RecordBatch],
        progress: Callable[[int], None],
    ) -> int:
        rows = 0
        with pq.ParquetWriter(file, first.schema) as writer:
            for batch in itertools.chain([first], rest):
                writer.write_batch(batch)
                rows += batch.num_rows
                progress(self.rows + rows)
                if rows >= self._rows_per_file:
                    break
        return rows

    def _save(self) -> None:
        parts = {self._path(n).name: rows for n, rows in enumerate(self._parts)}
        content = {"job": self._job, "parts": parts, "complete": self.complete}
        write_json(self._manifest, content)

    def _resume(self, found: Mapping[str, Any]) -> None:
        before = found.get("job", {})
        different = [
            key
            for key in sorted({*before, *self._job})
            if before.get(key) != self._job.get(key)
        ]
        if different and found["parts"]:
            raise HomeError(
                f"{self.folder}: contains the rows of another call, with another "
                f"{', another '.join(different)}. Choose another folder, or remove it"
            )
        self._parts = list(found["parts"].values())
        self.complete = found["complete"] and not different
