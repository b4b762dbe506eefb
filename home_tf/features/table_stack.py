"""Embedding tables of the same width as one variable."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from home_tf.backend import IS_LEGACY, IS_TENSORFLOW, keras, ops
from home_tf.backend.names import scope_name
from home_tf.backend.table_rows import TableRows, name_tables
from home_tf.backend.variables import tf_variable
from home_tf.layers.layer import Layer


class TableStack(Layer):
    """Embedding tables of the same width, stacked in one variable.

    Private to the package. All lookups of a step are one operation with one gradient.
    It reads only the rows that are needed: the `Embedding` of Keras 3 reads the whole
    table, which TensorFlow copies once an optimizer has updated single rows.

    Args:
        sizes: `{table: number of ids}`.
        width: Width of an embedding.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        first_rows: `{table: row of its id 0}`.

    Input shape:
        Integer rows of any shape.

    Output shape:
        The same shape, with an additional axis of `width`.
    """

    def __init__(self, sizes: Mapping[str, int], width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = dict(sizes)
        self.width = width
        ends = accumulate(self.sizes.values(), initial=0)
        self.first_rows = dict(zip(self.sizes, ends, strict=False))

    @property
    def num_rows(self) -> int:
        """The number of rows of all tables."""
        return sum(self.sizes.values())

    def build(self, input_shape: Any = None) -> None:
        """Creates the variable."""
        uncast = {"experimental_autocast" if IS_LEGACY else "autocast": False}
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.num_rows, self.width),
            initializer="uniform",
            **uncast,
        )
        name_tables(
            self.embeddings,
            {scope_name(name): self._place(name) for name in self.sizes},
        )
        self.built = True

    def _place(self, table: str) -> tuple[int, int]:
        return self.first_rows[table], self.sizes[table]

    def rows_of(self, table: str) -> TableRows:
        """The rows of a table, to read or assign, `(size, width)`."""
        return TableRows(tf_variable(self.embeddings), *self._place(table))

    def reinitialize(self, seed: int) -> None:
        """Assigns new initial values, determined by the seed, to all rows."""
        initializer = keras.initializers.RandomUniform(seed=seed)
        values = initializer((self.num_rows, self.width), dtype=self.embeddings.dtype)
        self.embeddings.assign(values)

    def call(self, rows: Any) -> Any:
        """Looks up the embeddings of rows of any shape."""
        if IS_TENSORFLOW:
            import tensorflow as tf

            found = tf.gather(tf_variable(self.embeddings), rows)
        else:
            found = ops.take(self.embeddings, rows, axis=0)
        return ops.cast(found, self.compute_dtype)
