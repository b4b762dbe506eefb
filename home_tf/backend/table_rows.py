"""Rows of a variable that form a table, and are saved under its name."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from home_tf.backend import IS_TENSORFLOW
from home_tf.types import Weight

# The attribute of a variable that says which rows belong to which table.
_ATTRIBUTE = "home_tf_tables"
Places = Mapping[str, tuple[int, int]]


class TableRows:
    """Some rows of a variable, which can be read and assigned like a variable.

    Args:
        variable: The variable: TensorFlow's, or on another backend that of Keras.
        first: The first row.
        number: Number of rows.
    """

    def __init__(self, variable: Any, first: int, number: int) -> None:
        self._variable, self._first, self._number = variable, first, number

    @property
    def dtype(self) -> Any:
        """The dtype of the variable."""
        return self._variable.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """`(rows, width)`."""
        return (self._number, *self._variable.shape[1:])

    def read(self) -> Any:
        """The values, `(rows, width)`."""
        if not IS_TENSORFLOW:
            return self._variable[self._first : self._first + self._number]
        import tensorflow as tf

        # A slice would read, and perhaps copy, the whole variable.
        return tf.gather(self._variable, self._indices())

    def _indices(self) -> Any:
        return np.arange(self._first, self._first + self._number)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self.read(), dtype=dtype)

    def assign(self, values: Any) -> None:
        """Replaces the values, `(rows, width)`."""
        if self._scatters():
            import tensorflow as tf

            values = tf.cast(values, self.dtype)
            self._variable.scatter_update(tf.IndexedSlices(values, self._indices()))
        else:
            whole = np.array(self._variable)
            whole[self._first : self._first + self._number] = values
            self._variable.assign(whole)

    def _scatters(self) -> bool:
        if not IS_TENSORFLOW:
            return False
        import tensorflow as tf

        return not isinstance(self._variable, tf.distribute.DistributedValues)


def name_tables(weight: Weight, places: Places) -> None:
    """Records which rows of a weight belong to which table.

    Args:
        weight: Keras variable.
        places: `{table: (first row, number of rows)}`.
    """
    setattr(weight, _ATTRIBUTE, dict(places))


def split_tables(path: str, weight: Weight, variable: Any) -> Iterator[tuple[str, Any]]:
    """Yields a variable with its path, or each of its tables with theirs.

    Args:
        path: The path of a weight, such as `features/width_8/embeddings`.
        weight: The weight, on which `name_tables` may have noted tables.
        variable: Its TensorFlow variable, or another of the same rows, such as a
            moment of an optimizer.

    Yields:
        `(path, variable or rows)`, with paths such as `features/user_id/embeddings`.
    """
    places: Places | None = getattr(weight, _ATTRIBUTE, None)
    if places is None:
        yield path, variable
        return
    *outer, _, name = path.split("/")
    for table, place in places.items():
        # A single table is the whole variable: reading rows would copy them.
        rows = variable if len(places) == 1 else TableRows(variable, *place)
        yield "/".join([*outer, table, name]), rows


if IS_TENSORFLOW:
    import tensorflow as tf

    def _to_tensor(
        rows: TableRows,
        dtype: Any = None,
        name: str | None = None,
        as_ref: bool = False,
    ) -> Any:
        return tf.convert_to_tensor(rows.read(), dtype=dtype, name=name)

    tf.register_tensor_conversion_function(TableRows, _to_tensor)
