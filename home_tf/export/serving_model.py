"""What is exported: preprocessing and network in one graph."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from home_tf.data import RecordSchema
from home_tf.features import Preprocessor
from home_tf.features.feature_embedding import NUMERIC_FEATURES
from home_tf.variables import checkpointable_weights


class ServingModel(tf.Module):
    """Preprocessing, network and sigmoid as one module with named signatures.

    Signatures, each with the outputs `{task: (batch,)}`, probabilities in float32:
      * `serving_default`: input `examples`, `(batch,)` serialised `tf.train.Example`,
        one a row, with a feature for each column.
      * `predict`: one input tensor for each column, `(batch,)` or `(batch, length)`.
      * `rank`, if there are request columns: the candidates of one request. A tensor
        for each request column, `(1,)` or `(1, length)`, which is looked up once, and
        for every other column, `(candidates,)` or `(candidates, length)`.

    Args:
        preprocessor: From columns to the network's inputs; its tables are part of the
            module.
        network: From there to logits `{task: (batch, 1)}`.
        tasks: Names of the tasks, which are the names of the outputs.
        schema: The schema of the records, for parsing examples.
        request_columns: Columns that are the same for all candidates of a request.
    """

    def __init__(
        self,
        preprocessor: Preprocessor,
        network: Any,
        tasks: Sequence[str],
        schema: RecordSchema,
        request_columns: Collection[str] = (),
    ) -> None:
        super().__init__(name="serving_model")
        self.preprocessor = preprocessor
        self.network = network
        # TF Serving's loader finds the variables here, also those in dicts of layers.
        self.network_weights = checkpointable_weights(network)
        self.tasks = list(tasks)
        self._columns = preprocessor.columns
        self._request_columns = set(request_columns)
        self._example_features = {
            name: feature
            for name, feature in schema.example_features().items()
            if name in self._columns
        }

    def signatures(self) -> dict[str, Any]:
        """The concrete functions to save, by name."""
        examples = tf.TensorSpec((None,), tf.string, name="examples")
        columns = {name: self._spec(name) for name in self._columns}
        signatures = {
            "serving_default": self._from_examples.get_concrete_function(examples),
            "predict": self._from_columns.get_concrete_function(**columns),
        }
        if self._request_columns:
            columns |= {
                name: self._spec(name, rows=1) for name in self._request_columns
            }
            signatures["rank"] = self._ranked.get_concrete_function(**columns)
        return signatures

    def _spec(self, name: str, rows: int | None = None) -> Any:
        column = self._columns[name]
        return tf.TensorSpec((rows, *column.shape), _serving_dtype(column), name=name)

    @tf.function
    def _from_examples(self, examples: Any) -> dict[str, Any]:
        return self._probabilities(
            tf.io.parse_example(examples, self._example_features)
        )

    @tf.function
    def _from_columns(self, **columns: Any) -> dict[str, Any]:
        return self._probabilities(columns)

    @tf.function
    def _ranked(self, **columns: Any) -> dict[str, Any]:
        columns = self._cast(columns)
        once = {name: columns.pop(name) for name in sorted(self._request_columns)}
        candidates = tf.shape(next(iter(columns.values())))[0]

        def for_all(rows: Mapping[str, Any]) -> dict[str, Any]:
            return {
                name: tf.repeat(values, candidates, axis=0)
                for name, values in rows.items()
            }

        # The lookups are what costs: they are done before the copies.
        inputs = {
            **for_all(self.preprocessor.ids(once)),
            **self.preprocessor.ids(columns),
        }
        if self.preprocessor.numeric_features:
            numbers = self.preprocessor.numbers({**for_all(once), **columns})
            inputs[NUMERIC_FEATURES] = numbers
        return self._of_inputs(inputs)

    def _probabilities(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        return self._of_inputs(self.preprocessor(self._cast(columns)))

    def _cast(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: tf.cast(values, self._columns[name].dtype)
            if self._columns[name].dtype != "string"
            else values
            for name, values in columns.items()
        }

    def _of_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        logits = self.network(inputs, training=False)
        return {
            task: tf.reshape(tf.sigmoid(logits[task]), [-1], name=task)
            for task in self.tasks
        }


def _serving_dtype(column: Any) -> Any:
    # Integers are int64 in a tf.Example: both signatures take the same.
    return tf.int64 if column.dtype == "int32" else tf.as_dtype(column.dtype)
