"""What is exported: preprocessing and network in one graph."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from home_tf.data import RecordSchema
from home_tf.features import Preprocessor
from home_tf.variables import checkpointable_weights


class ServingModel(tf.Module):
    """Preprocessing, network and sigmoid as one module with named signatures.

    Signatures, each with the outputs `{task: (batch,)}`, probabilities in float32:
      * `serving_default`: input `examples`, `(batch,)` serialised `tf.train.Example`,
        one a row, with a feature for each column.
      * `predict`: one input tensor for each column, `(batch,)` or `(batch, length)`.

    Args:
        preprocessor: From columns to the network's inputs; its tables are part of the
            module.
        network: From there to logits `{task: (batch, 1)}`.
        tasks: Names of the tasks, which are the names of the outputs.
        schema: The schema of the records, for parsing examples.
    """

    def __init__(
        self,
        preprocessor: Preprocessor,
        network: Any,
        tasks: Sequence[str],
        schema: RecordSchema,
    ) -> None:
        super().__init__(name="serving_model")
        self.preprocessor = preprocessor
        self.network = network
        # TF Serving's loader finds the variables here, also those in dicts of layers.
        self.network_weights = checkpointable_weights(network)
        self.tasks = list(tasks)
        self._columns = preprocessor.columns
        self._example_features = {
            name: feature
            for name, feature in schema.example_features().items()
            if name in self._columns
        }

    def signatures(self) -> dict[str, Any]:
        """The concrete functions to save, by name."""
        examples = tf.TensorSpec((None,), tf.string, name="examples")
        columns = {
            name: tf.TensorSpec(
                (None, *column.shape), _serving_dtype(column), name=name
            )
            for name, column in self._columns.items()
        }
        return {
            "serving_default": self._from_examples.get_concrete_function(examples),
            "predict": self._from_columns.get_concrete_function(**columns),
        }

    @tf.function
    def _from_examples(self, examples: Any) -> dict[str, Any]:
        return self._probabilities(
            tf.io.parse_example(examples, self._example_features)
        )

    @tf.function
    def _from_columns(self, **columns: Any) -> dict[str, Any]:
        return self._probabilities(columns)

    def _probabilities(self, columns: dict[str, Any]) -> dict[str, Any]:
        columns = {
            name: tf.cast(values, self._columns[name].dtype)
            if self._columns[name].dtype != "string"
            else values
            for name, values in columns.items()
        }
        logits = self.network(self.preprocessor(columns), training=False)
        return {
            task: tf.reshape(tf.sigmoid(logits[task]), [-1], name=task)
            for task in self.tasks
        }


def _serving_dtype(column: Any) -> Any:
    # Integers are int64 in a tf.Example: both signatures take the same.
    return tf.int64 if column.dtype == "int32" else tf.as_dtype(column.dtype)
