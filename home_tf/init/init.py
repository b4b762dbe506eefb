"""Writing a first configuration for files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from home_tf.engines import open_engine
from home_tf.errors import HomeError
from home_tf.init.draft import Draft
from home_tf.init.draft_files import Given, draft_files
from home_tf.init.write_yaml import write_yaml


def init(
    files: Sequence[str],
    out: str | Path,
    *,
    labels: Sequence[str] = (),
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    types: Mapping[str, str] | None = None,
    memory: str = "4GB",
) -> Draft:
    """Writes a first configuration, with comments, for the user to edit.

    Counts are over all rows; details are measured on a sample.

    Args:
        files: CSV, gzip CSV or Parquet files, or patterns of them: the log, and tables
            that share a key with it. Files with the same columns form one table.
        out: The YAML file to write.
        labels: The log's columns of the labels; by default they are guessed.
        user: The log's column of the user; by default it is guessed.
        item: The log's column of the item; by default it is guessed.
        time: The log's column of the time; by default it is guessed.
        types: DuckDB types of CSV columns that are guessed wrong, `{column: type}`.
        memory: Memory limit of DuckDB.

    Returns:
        The findings in the files.

    Raises:
        HomeError: If `out` exists, a file cannot be read or joined, there is no label,
            or a named column does not exist.
    """
    out = Path(out)
    if out.exists():
        raise HomeError(
            f"{out} exists and may have been edited. Remove it, or choose another file"
        )
    if not out.parent.is_dir():
        raise HomeError(f"{out.parent} is not a folder: create it first")
    given = Given(labels, user, item, time, types or {})
    with TemporaryDirectory() as folder, open_engine(Path(folder), memory) as engine:
        draft = draft_files(engine, files, given)
        write_yaml(draft, out)
    return draft
