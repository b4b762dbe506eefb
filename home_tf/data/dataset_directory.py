"""A directory of records with its schema, vocabularies and statistics."""

import difflib
import hashlib
import json
from collections.abc import Callable, Collection
from functools import cached_property, partial
from typing import Any

import tensorflow as tf

from home_tf.data.column_statistics import ColumnStatistics
from home_tf.data.record_batches import (
    check_context,
    check_files,
    find_corrupt_record,
    read_batches,
)
from home_tf.data.schema import FILE_NAME, Column, RecordSchema, Split
from home_tf.data.service_batches import read_from_service
from home_tf.data.vocabulary import Vocabulary
from home_tf.data_service import wait_until_reachable
from home_tf.errors import HomeError, check_at_least
from home_tf.files import AnyPath, PathLike, as_path

STATISTICS_FILE = "statistics.json"


class DatasetDirectory:
    """A dataset directory: records, schema, vocabularies and statistics.

    It is written by `home-tf prepare` or a `RecordWriter`. Each file of the schema, the
    vocabularies and the statistics is read at most once.

    Args:
        path: The directory, or its URL, such as `s3://bucket/records`.
        counts: The directory of the vocabularies and statistics, if they come from an
            earlier training instead of these training rows.

    Attributes:
        path: The directory.
        counts: The directory of the vocabularies and the statistics.
        schema: Its columns, splits and layout.

    Raises:
        HomeError: If the directory is missing or has no valid `schema.json`.

    Examples:
        >>> data = DatasetDirectory("records")
        >>> data.read("train", batch_size=1024, shuffle_rows=65536)
        >>> data.vocabulary("user_id").values
        >>> data.statistics("price").mean
    """

    def __init__(self, path: PathLike, *, counts: PathLike | None = None) -> None:
        self.path = as_path(path)
        self.counts = self.path if counts is None else as_path(counts)
        self.schema = RecordSchema.load(self.path)
        self._vocabularies: dict[str, Vocabulary] = {}

    @classmethod
    def of(cls, data: "DatasetDirectory | PathLike") -> "DatasetDirectory":
        """Opens the dataset directory at a path; an open one is returned as it is."""
        return data if isinstance(data, DatasetDirectory) else cls(data)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def columns(self) -> dict[str, Column]:
        """The columns of the schema, by name."""
        return self.schema.columns

    def split(self, name: str) -> Split:
        """The rows and files of a split.

        Raises:
            HomeError: If there is no such split.
        """
        if name not in self.schema.splits:
            known = ", ".join(self.schema.splits) or "none"
            raise HomeError(f"{self}: no split {name!r}. Its splits are: {known}")
        return self.schema.splits[name]

    def has_vocabulary(self, column: str) -> bool:
        """Whether there is a vocabulary of a column."""
        return self._vocabulary_file(column).is_file()

    def vocabulary(self, column: str) -> Vocabulary:
        """The values of a column in the training rows, most frequent first.

        Raises:
            HomeError: If there is no valid vocabulary of the column.
        """
        if column not in self._vocabularies:
            file = self._vocabulary_file(column)
            self._vocabularies[column] = Vocabulary.load(file, self.columns[column])
        return self._vocabularies[column]

    def _vocabulary_file(self, column: str) -> AnyPath:
        return self.counts / "vocabularies" / f"{column}.csv"

    def statistics(self, column: str, *, needed_by: str = "") -> ColumnStatistics:
        """The statistics of a column over the training rows.

        Args:
            column: The column.
            needed_by: What needs them, such as "feature `price`", for error messages.

        Raises:
            HomeError: If there are no statistics of the column.
        """
        found = self._statistics.get(column)
        reason = f", which {needed_by} needs" if needed_by else ""
        if not isinstance(found, dict):
            raise HomeError(
                f"{self._statistics_file}: no statistics of column {column!r}{reason}. "
                "Prepare the data again"
            )
        return ColumnStatistics(self._statistics_file, column, found, reason)

    @property
    def _statistics_file(self) -> AnyPath:
        return self.counts / STATISTICS_FILE

    @cached_property
    def _statistics(self) -> dict[str, Any]:
        try:
            found: Any = json.loads(self._statistics_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict):
            raise HomeError(
                f"{self._statistics_file}: no readable statistics of the training "
                "rows. Prepare the data again"
            )
        return found

    @cached_property
    def fingerprint(self) -> str:
        """A SHA-256 of the schema with its files, the vocabularies and statistics."""
        names = sorted(file.name for file in self.counts.glob("vocabularies/*.csv"))
        vocabularies = [self.counts / "vocabularies" / name for name in names]
        hashed = hashlib.sha256()
        for file in (self.path / FILE_NAME, *vocabularies, self._statistics_file):
            hashed.update(file.name.encode() + b"\0" + file.read_bytes())
        return hashed.hexdigest()

    def read(
        self,
        split: str,
        *,
        batch_size: int,
        columns: Collection[str] | None = None,
        shuffle_rows: int = 0,
        seed: int = 0,
        epochs: int = 1,
        first_epoch: int = 0,
        first_step: int = 0,
        smallest_batch: int = 1,
        drop_remainder: bool = False,
        input_context: tf.distribute.InputContext | None = None,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        service: str | None = None,
    ) -> tf.data.Dataset:
        """Reads a split as a dataset of batches.

        The order of epoch `e` depends only on `(seed, e)`, so a run that resumes at
        `first_step` of `first_epoch` sees the same batches as without the interruption.

        With `service`, an epoch has batches of the same sizes, and each row once, but
        the order also depends on timing. With `first_step`, it then reads not the rest
        of the epoch, but the same number of rows from a new order of all rows.

        Args:
            split: Name of the split.
            batch_size: Number of rows of a batch, over all replicas.
            columns: Names of the columns to read and parse; all by default.
            shuffle_rows: Approximate number of rows that are shuffled together, in a
                new order each epoch; memory holds a few times as many. 0 keeps the
                order of the files.
            seed: Seed of the order.
            epochs: The epoch at which to end, counted from 0: the number of epochs of
                an uninterrupted run.
            first_epoch: The epoch to begin with.
            first_step: The batch to begin this epoch with, counted from 0. Earlier ones
                are read from disk, but not decoded.
            smallest_batch: The minimum size of an epoch's last batch; a smaller one is
                dropped.
            drop_remainder: Whether to drop an epoch's last batch if it is not full.
            input_context: What `distribute_datasets_from_function` of a strategy of
                `tf.distribute` passes. Each batch is then divided evenly among the
                replicas, and those of this pipeline get their rows, one replica after
                the other. Every pipeline reads all files, and together they see the
                batches of a single process.
            transform: A function of TensorFlow ops that is applied to each batch, from
                `{column: (batch, *shape)}` to tensors whose first axis is the rows.
            service: The address of a tf.data service, such as `grpc://host:5050`, whose
                workers read, decode and transform. They must see the directory at the
                same path, and they share out its files, so more workers than files do
                not help.

        Returns:
            A dataset of `{column: (batch, *shape)}` in the columns' dtypes, or of what
            `transform` returns. Each epoch ends with its own partial batch. While
            reading, a broken record raises `tf.errors.DataLossError`, and an extra or
            missing record `tf.errors.FailedPreconditionError`; `find_corrupt_record`
            finds it. An epoch in which a service has lost rows, such as those of a
            worker that has ended, raises `tf.errors.FailedPreconditionError`, too.

        Raises:
            HomeError: If the split or a column is unknown, a file is missing or not
                what was written, an argument is out of its range, or the service cannot
                be reached.
        """
        check_at_least("batch_size", batch_size, 1)
        check_at_least("shuffle_rows", shuffle_rows, 0)
        check_at_least("first_epoch", first_epoch, 0)
        check_at_least("first_step", first_step, 0)
        check_at_least("epochs", epochs, first_epoch)
        check_at_least("smallest_batch", smallest_batch, 1)
        check_context(input_context)
        check_files(self.path, self.schema, self.split(split))
        read: Callable[..., tf.data.Dataset] = read_batches
        if service is not None:
            wait_until_reachable("`service`", service)
            read = partial(read_from_service, service=service)
        return read(
            self.path,
            self.schema,
            self.split(split),
            self._select_columns(columns),
            batch_size=batch_size,
            shuffle_rows=shuffle_rows,
            seed=seed,
            epochs=range(first_epoch, epochs),
            first_step=first_step,
            smallest_batch=smallest_batch,
            drop_remainder=drop_remainder,
            input_context=input_context,
            transform=transform,
        )

    def _select_columns(self, names: Collection[str] | None) -> dict[str, Column]:
        if names is None:
            return self.columns
        if not names:
            raise HomeError(
                "`columns` must name at least one column. Received: an empty list"
            )
        for name in names:
            if name not in self.columns:
                close = difflib.get_close_matches(name, self.columns)
                hint = f"Close: {', '.join(close)}" if close else f"see its {FILE_NAME}"
                raise HomeError(f"{self}: there is no column {name!r}. {hint}")
        return {name: self.columns[name] for name in names}

    def find_corrupt_record(self, split: str) -> str | None:
        """Reads every record of a split and finds the first broken one, if any.

        Args:
            split: Name of the split.

        Returns:
            One line with the file, the number of its first broken record (from 0) and
            the cause; `None` if all records are intact.

        Raises:
            HomeError: If the split is unknown.
        """
        return find_corrupt_record(self.path, self.schema, self.split(split))
