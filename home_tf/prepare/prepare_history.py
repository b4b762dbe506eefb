"""Writing the history features of each key at a point in time."""

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

    Use them to fill a feature store, from which requests at that time get their history
    features. `prepare` gives a row at that time the same values.

    Args:
        source: As in `prepare`.
        config: As in `prepare`.
        out: The folder to write: `<history>.parquet` for every history, with its key
            and its features, `<list>.parquet` for every list, and `history.json`,
            which names them and has the values for unknown keys.
        as_of: A day or a time, such as `2026-05-07`. Only earlier days count (or
            hours, see `data.period`).
        folder: As in `prepare`.
        engine: As in `prepare`.
        master: As in `prepare`.
        memory: As in `prepare`.
        progress: As in `prepare`.
        on_warning: As in `prepare`.

    Raises:
        HomeError: As in `prepare`; also if `as_of` is not a time, no row is before it,
            or the configuration has no history features.
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
