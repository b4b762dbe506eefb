"""The days of a log."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from home_tf.config import Config
from home_tf.engines import open_engine
from home_tf.engines.read_files import check_folder
from home_tf.errors import HomeError
from home_tf.prepare.columns import Columns
from home_tf.prepare.read_rows import OF_LOG, read_rows
from home_tf.prepare.splits import days_of
from home_tf.prepare.times import DAY, add_times


def list_days(source: str | Path, config: Config, *, memory: str = "4GB") -> list[int]:
    """Lists the days of a log, such as 20220425, ascending.

    Args:
        source: The folder of the files that `data` names.
        config: The configuration, with a section `data`.
        memory: Memory limit of DuckDB.

    Raises:
        HomeError: If the files cannot be read, or have no days.
    """
    if config.data is None:
        raise HomeError("the configuration has no section `data`")
    check_folder(Path(source))
    with TemporaryDirectory() as folder, open_engine(Path(folder), memory) as engine:
        # Files that only serve as history do not matter here, and may be missing.
        data = replace(config.data, history_log=None)
        expected = Columns.of(config).expected_kinds(data)
        rows = read_rows(engine, data, Path(source), expected)
        rows = add_times(engine, rows, data)
        if DAY not in rows.columns:
            raise HomeError("`data` has no days: set `data.day` or `data.time`")
        return list(days_of(rows.filter(rows[OF_LOG])))
