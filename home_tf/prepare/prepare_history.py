"""Writes what is known of each key at a time, for a feature store."""

from typing import Any

from home_tf.config import Config
from home_tf.files import PathLike
from home_tf.prepare.history_as_of import FILE_NAME, HistoryAsOf
from home_tf.prepare.preparation import Preparation, Warn
from home_tf.progress import Progress


def prepare_history(
    source: Any,
    config: Config | PathLike,
    out: PathLike,
    *,
    as_of: str,
    folder: PathLike | None = None,
    engine: Any = "duckdb",
    master: str | None = None,
    memory: str = "4GB",
    progress: Progress | None = None,
    on_warning: Warn | None = None,
) -> None:
    """Writes the history features that a row at a time would have.

    They are what a request at that time needs beside what it knows itself, and what
    a feature store is filled with. `prepare` gives a row of that day the same values.

    Args:
        source: As `prepare` takes it.
        config: As `prepare` takes it.
        out: The folder to write: `<history>.parquet` for every history, with its key
            and its features, `<list>.parquet` for every list, and `history.json`,
            which names them and has the values of a key that is in none.
        as_of: A day or a time, such as `2026-05-07`. Only earlier days count (or
            hours, see `data.period`).
        folder: As `prepare` takes it.
        engine: As `prepare` takes it.
        master: As `prepare` takes it.
        memory: As `prepare` takes it.
        progress: As `prepare` takes it.
        on_warning: As `prepare` takes it.

    Raises:
        HomeError: As `prepare`; also if `as_of` is no time, no row is before it, or the
            configuration has no features of history.
    """
    with Preparation.open(
        source,
        config,
        out,
        folder=folder,
        engine=engine,
        master=master,
        memory=memory,
        seed=0,
        progress=progress,
        on_warning=on_warning,
        replaceable=lambda folder: (folder / FILE_NAME).is_file(),
        marker=FILE_NAME,
    ) as job:
        found = HistoryAsOf.of(job.engine, job.events, job.data, job.wanted, as_of)
        found.write(job.out)
