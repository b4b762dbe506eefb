"""Choosing an engine."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from home_tf.engines.duckdb_engine import DuckDBEngine
from home_tf.engines.engine import Engine
from home_tf.engines.explain import explained
from home_tf.engines.spark_engine import SparkEngine
from home_tf.errors import HomeError


@contextmanager
def open_engine(
    folder: Path, memory: str, engine: Any = "duckdb", master: str | None = None
) -> Iterator[Engine]:
    """Opens an engine.

    Args:
        folder: An empty folder for stored tables.
        memory: Memory limit of DuckDB, such as `4GB`.
        engine: `"duckdb"`, `"spark"`, or a Spark session.
        master: The Spark master.

    Raises:
        HomeError: If an argument is invalid, if PySpark or Java is missing, or if the
            engine reports an error in the context that is not explained otherwise.
    """
    with _open(folder, memory, engine, master) as opened, explained("the rows"):
        yield opened


def _open(
    folder: Path, memory: str, engine: Any, master: str | None
) -> AbstractContextManager[Engine]:
    if isinstance(engine, str) and engine == "duckdb":
        if master is not None:
            raise HomeError(f"`master` requires `engine` spark. Received: {master!r}")
        return DuckDBEngine.open(folder, memory)
    session = None if isinstance(engine, str) and engine == "spark" else engine
    if session is not None and not hasattr(session, "createDataFrame"):
        raise HomeError(
            f"`engine` must be duckdb, spark or a Spark session. Received: {engine!r}"
        )
    return SparkEngine.open(folder, session, master)
