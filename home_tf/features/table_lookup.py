"""An embedding table."""

from typing import Any

from home_tf.backend import IS_LEGACY, IS_TENSORFLOW, ops
from home_tf.backend.variables import tf_variable
from home_tf.layers.layer import Layer


class TableLookup(Layer):
    """Looks ids up in an embedding table, of which it reads no more than their rows.

    Private to the package. The `Embedding` of Keras 3 reads the whole table: under
    mixed precision it casts it in every step, and once an optimizer has updated single
    rows, TensorFlow copies it in every step.

    Args:
        size: Number of ids.
        width: Width of an embedding.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        Integer ids of any shape.

    Output shape:
        That shape, and an axis of `width` more.
    """

    def __init__(self, size: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.width = width

    def build(self, input_shape: Any = None) -> None:
        """Creates the table."""
        uncast = {"experimental_autocast" if IS_LEGACY else "autocast": False}
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.size, self.width),
            initializer="uniform",
            **uncast,
        )
        self.built = True

    def call(self, ids: Any) -> Any:
        """Ids of any shape to their embeddings."""
        if ids.dtype not in ("int32", "int64"):
            ids = ops.cast(ids, "int32")  # symbolic inputs of Keras are floats
        return ops.cast(self._rows(ids), self.compute_dtype)

    def _rows(self, ids: Any) -> Any:
        if not IS_TENSORFLOW:
            return ops.take(self.embeddings, ids, axis=0)  # type: ignore[attr-defined]
        import tensorflow as tf

        return tf.gather(tf_variable(self.embeddings), ids)
