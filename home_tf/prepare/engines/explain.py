"""Errors of the engines, in one line."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from ibis.common.exceptions import IbisError
from sqlglot.errors import SqlglotError

from home_tf.errors import HomeError

# What DuckDB and SQLGlot add to an error: hints to options of their own, and colours.
_HINTS = ("Candidate", "LINE ", "Possible", "The search space")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# `duckdb.ConversionException: `
_CLASS = re.compile(r"^[\w.]+: ")


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turns errors of an engine into one line.

    Args:
        where: What the user wrote or which files are read, for the message.

    Raises:
        HomeError: If the engine reports an error.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise HomeError(
            f"{where}: {_first_lines(error)}. Give the database more `memory`"
        ) from None
    except (duckdb.Error, IbisError, SqlglotError, *_errors_of_spark()) as error:
        raise HomeError(f"{where}: {_first_lines(error)}") from None


def _errors_of_spark() -> tuple[type[Exception], ...]:
    """The errors of Spark, if anybody has imported it."""
    if "pyspark" not in sys.modules:
        return ()
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return (PySparkException, Py4JError)


def _first_lines(error: Exception) -> str:
    """What an error says, without stacks, and without hints to options of DuckDB."""
    lines = str(error).partition("JVM stacktrace")[0].strip().splitlines()
    if "Traceback (most recent call last):" in map(str.strip, lines):
        # An executor failed in Python: the last line is the error.
        lines = [_CLASS.sub("", lines[-1].strip())]
    kept = []
    for line in lines:
        if not line.strip() or line.startswith(_HINTS):
            break
        kept.append(line.strip())
    return _COLOUR.sub("", " ".join(" ".join(kept).split()))
