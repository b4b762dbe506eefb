"""What a user reads when records turn out to be broken while they are read."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError


@contextmanager
def explain_broken_records(data: DatasetDirectory, *splits: str) -> Iterator[None]:
    """Turns TensorFlow's errors about broken records into one line.

    Args:
        data: The dataset directory that is being read.
        *splits: The splits that are being read.

    Raises:
        HomeError: Names the file and the record, or the column with NaN in it.
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        for split in splits:
            found = data.find_corrupt_record(split)
            if found is not None:
                raise HomeError(found) from None
        reason = _line_about(str(error))
        if reason is None:
            raise
        raise HomeError(f"{data}: {reason}. Prepare the data again") from None


def _line_about(message: str) -> str | None:
    """The line about a column, which the checks of this package put into the error."""
    lines = [line.strip() for line in message.splitlines() if "column" in line]
    return lines[0][lines[0].index("column") :].rstrip("]") if lines else None
