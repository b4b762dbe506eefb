"""The values of a column in the training rows, and how often each occurs."""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from home_tf.data.schema import Column
from home_tf.errors import HomeError
from home_tf.files import AnyPath


@dataclass(frozen=True)
class Vocabulary:
    """Distinct values of a column and their counts, most frequent first.

    Attributes:
        values: Integers or strings, as in the column, without the missing value.
        counts: How many training rows have each value, or how often it occurs in a
            multi-valued column.
    """

    values: tuple[int, ...] | tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def load(cls, file: AnyPath, column: Column) -> "Vocabulary":
        """Reads `vocabularies/<column>.csv`.

        Args:
            file: The file, with the header `value,count`.
            column: The column, which determines the dtype of the values.

        Raises:
            HomeError: If the file is missing or not a vocabulary.
        """
        try:
            with file.open(newline="", encoding="utf-8") as lines:
                rows = [
                    (_convert(file, row["value"], column), int(row["count"]))
                    for row in csv.DictReader(lines)
                ]
        except FileNotFoundError:
            raise HomeError(
                f"{file}: no such vocabulary file. Prepare the data again, or set "
                "`encoding: hashed` for the feature"
            ) from None
        except HomeError:
            raise
        except (csv.Error, KeyError, TypeError, ValueError):
            raise HomeError(
                f"{file}: a vocabulary must have the columns value,count. Prepare the "
                "data again"
            ) from None
        _check_different(file, [value for value, _ in rows])
        present = [row for row in rows if row[0] != column.missing]
        values, counts = zip(*present, strict=True) if present else ((), ())
        return cls(values, counts)

    def save(self, file: Path) -> None:
        """Writes what `load` reads.

        Args:
            file: The file, on this machine; its folder is created.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", newline="", encoding="utf-8") as lines:
            writer = csv.writer(lines, lineterminator="\n")
            writer.writerow(["value", "count"])
            writer.writerows(zip(self.values, self.counts, strict=True))

    def seen(self, at_least: int) -> list[int] | list[str]:
        """The values that occur at least this often, most frequent first."""
        pairs = zip(self.values, self.counts, strict=True)
        return [value for value, count in pairs if count >= at_least]  # type: ignore[return-value]


def _convert(file: AnyPath, text: str, column: Column) -> int | str:
    if column.dtype == "string":
        return text
    # Without spaces, plus signs and underscores, which Python's `int` accepts.
    value = int(text) if re.fullmatch(r"-?\d+", text, re.ASCII) else None
    if value is None or not -(2**63) <= value < 2**63:
        raise HomeError(
            f"{file}: the values of a column of dtype {column.dtype} must be integers. "
            f"Received: {text!r}. Prepare the data again"
        )
    return value


def _check_different(file: AnyPath, values: list[Any]) -> None:
    if len(set(values)) == len(values):
        return
    repeated = next(value for value, count in Counter(values).items() if count > 1)
    raise HomeError(
        f"{file}: a vocabulary must have each value only once. Received: {repeated!r} "
        "more than once. Prepare the data again"
    )
