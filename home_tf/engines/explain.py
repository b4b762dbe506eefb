"""Reporting errors of the engines in one line."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from ibis.common.exceptions import IbisError
from sqlglot.errors import SqlglotError

from home_tf.errors import HomeError

# What DuckDB and SQLGlot add to an error: hints about their own options, and colours.
_HINTS = ("Candidate", "LINE ", "Possible", "The search space")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# `duckdb.ConversionException: `
_CLASS = re.compile(r"[a-z_][\w.]*\.\w+(Error|Exception): ")


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turns errors of an engine into one line.

    Args:
        where: What the user wrote, or which files are being read, for the message.

    Raises:
        HomeError: If the engine reports an error.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise HomeError(
            f"{where}: {_first_lines(error)}. Increase `memory`, the limit of the "
            "database"
        ) from None
    except engine_errors() as error:
        raise HomeError(f"{where}: {_first_lines(error)}") from None


def engine_errors() -> tuple[type[Exception], ...]:
    """The exceptions of the engines; of Spark only if it has been imported."""
    errors: tuple[type[Exception], ...] = (duckdb.Error, IbisError, SqlglotError)
    if "pyspark" not in sys.modules:
        return errors
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return (*errors, PySparkException, Py4JError)


def _first_lines(error: Exception) -> str:
    """Extracts the message of an error, without stack traces and DuckDB's hints."""
    lines = str(error).partition("JVM stacktrace")[0].strip().splitlines()
    of_python = [place for place, line in enumerate(lines) if _CLASS.match(line)]
    if of_python:  # an executor failed in Python
        lines = lines[of_python[-1] :]
        lines[0] = _CLASS.sub("", lines[0])
    kept = []
    for line in lines:
        if not line.strip() or line.startswith(_HINTS):
            break
        kept.append(line.strip())
    return _COLOUR.sub("", " ".join(" ".join(kept).split()))
