"""The exported model: preprocessing and network in one graph."""

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from home_tf.backend.checked import checked
from home_tf.backend.variables import named_weights, tf_variable
from home_tf.config import ScoreConfig
from home_tf.config.score_config import SCORE
from home_tf.evaluation import Calibrator
from home_tf.export.calibration import make_calibration
from home_tf.export.candidates import Candidates
from home_tf.export.frozen import freeze
from home_tf.export.quantized_tables import QuantizedTable
from home_tf.export.slices import in_slices
from home_tf.features import Preprocessor
from home_tf.layers.fused import constant_weights
from home_tf.losses import MaskedLoss

# A graph is limited to 2 GB.
MAX_CONSTANT_BYTES = 2**30
# Rows that go through experts and towers at once.
MAX_ROWS = 256


class ServingModel(tf.Module):
    """Preprocessing, network and sigmoid as one module with named signatures.

    Signatures with the outputs `{task: (batch,)}` in float32, which are probabilities
    or, for regression tasks, numbers; and `score`, `(batch,)`, if there is one:
      * `serving_default`: input `examples`, `(batch,)` serialised `tf.train.Example`,
        one per row, with a feature for each column.
      * `predict`: one input tensor for each column, `(batch,)` or `(batch, length)`.
      * `rank`, if there are request columns: the candidates of one request. A tensor
        for each request column, `(1,)` or `(1, length)`, which is looked up once, and
        for every other column, `(candidates,)` or `(candidates, length)`.
      * `rank_weighted`, if there is also a score: the same, and `weights`, `(tasks,)`,
        the score weights in the order of the tasks.
      * `rank_by_id`, if there are candidates: a tensor for each request column, and
        the column that identifies a candidate, `(candidates,)`; the others are looked
        up.

    For TF Serving's other two services, both with the input `inputs`, `(batch,)`
    serialised examples:
      * `classify`, if there are binary tasks: outputs `classes`, their names, and
        `scores`, their probabilities, `(batch, tasks)`.
      * `regress`, if there is a score: the output `outputs`, `(batch,)`.

    Args:
        preprocessor: From columns to the network's inputs; its tables are part of the
            module.
        network: From these inputs to logits `{task: (batch, 1)}`.
        tasks: Names of the tasks, which are the names of the outputs.
        request_columns: Columns that are the same for all candidates of a request.
        score: How the tasks are combined into one score, if there is one.
        candidates: The candidates that `rank_by_id` looks up.
        calibrators: `{task: Calibrator}` of the calibrated tasks.
        tables: The quantised tables that the network uses; its own are then left out of
            the module.
        numbers: `{task: loss}` of the regression tasks, which turn logits into
            predicted numbers.
    """

    def __init__(
        self,
        preprocessor: Preprocessor,
        network: Any,
        tasks: Sequence[str],
        request_columns: Collection[str] = (),
        score: ScoreConfig | None = None,
        candidates: Candidates | None = None,
        calibrators: Mapping[str, Calibrator] | None = None,
        tables: Sequence[QuantizedTable] = (),
        numbers: Mapping[str, MaskedLoss] | None = None,
    ) -> None:
        super().__init__(name="serving_model")
        self.preprocessor = preprocessor
        # TF Serving's loader finds the variables here, including those in dicts of
        # layers. The parts of the network are functions, so that they are not exported
        # themselves: legacy Keras would add the training of every layer.
        self.quantized_tables = list(tables)
        self._features = functools.partial(
            network.features, training=False, check_ids=False
        )
        self.tasks = list(tasks)
        # By the position of the task.
        self._numbers = {self.tasks.index(t): one for t, one in (numbers or {}).items()}
        self._dense = _make_dense_part(network, self.tasks)
        self.network_weights = _used_weights(
            network, self._dense, quantized=bool(tables)
        )
        self._calibrate = make_calibration(calibrators or {}, self.tasks)
        self._columns = preprocessor.columns
        self._request_columns = set(request_columns)
        self._score = score
        self.candidates = candidates
        self._example_features = {
            name: feature
            for name, feature in preprocessor.data.schema.example_features().items()
            if name in self._columns
        }

    def signatures(self) -> dict[str, Any]:
        """The concrete functions to save, by name."""
        examples, inputs = (
            tf.TensorSpec((None,), tf.string, name=name)
            for name in ("examples", "inputs")
        )
        columns = {name: self._spec(name) for name in self._columns}
        found = {
            "serving_default": self._from_examples.get_concrete_function(examples),
            "predict": self._from_columns.get_concrete_function(**columns),
        }
        if len(self._numbers) < len(self.tasks):
            found["classify"] = self._classified.get_concrete_function(inputs)
        if self._score:
            found["regress"] = self._regressed.get_concrete_function(inputs)
        if self._request_columns:
            once = {name: self._spec(name, rows=1) for name in self._request_columns}
            columns |= once
            found["rank"] = self._ranked.get_concrete_function(**columns)
            if self.candidates:
                name = self.candidates.column
                found["rank_by_id"] = self._ranked_by_id.get_concrete_function(
                    **once, **{name: columns[name]}
                )
        if self._score and self._request_columns:
            weights = tf.TensorSpec((len(self.tasks),), tf.float32, name="weights")
            found["rank_weighted"] = self._ranked.get_concrete_function(
                weights=weights, **columns
            )
        return found

    def _spec(self, name: str, rows: int | None = None) -> Any:
        column = self._columns[name]
        return tf.TensorSpec((rows, *column.shape), _serving_dtype(column), name=name)

    @tf.function
    def _from_examples(self, examples: Any) -> dict[str, Any]:
        return self._outputs(self._logits_of_examples(examples))

    @tf.function
    def _from_columns(self, **columns: Any) -> dict[str, Any]:
        return self._outputs(self._logits(columns))

    @tf.function
    def _classified(self, inputs: Any) -> dict[str, Any]:
        logits = self._logits_of_examples(inputs)
        binary = [i for i in range(len(self.tasks)) if i not in self._numbers]
        names = tf.constant([[self.tasks[i] for i in binary]])
        if self._numbers:
            logits = tf.gather(logits, binary, axis=1)
        return {
            "classes": tf.repeat(names, tf.shape(logits)[0], axis=0, name="classes"),
            "scores": tf.sigmoid(logits, name="scores"),
        }

    @tf.function
    def _regressed(self, inputs: Any) -> dict[str, Any]:
        logits = self._logits_of_examples(inputs)
        return {"outputs": tf.identity(self._scored(logits), name="outputs")}

    @tf.function
    def _ranked(self, weights: Any = None, **columns: Any) -> dict[str, Any]:
        if weights is not None:
            finite = tf.math.is_finite(weights)
            weights = checked(weights, finite, "`weights` must be finite.")
        # The request's columns have one row: they are looked up and embedded once.
        return self._outputs(self._logits(columns), weights)

    @tf.function
    def _ranked_by_id(self, **columns: Any) -> dict[str, Any]:
        assert self.candidates is not None  # otherwise there is no such signature
        held = self.candidates(columns.pop(self.candidates.column))
        return self._outputs(self._logits({**columns, **held}))

    def _logits_of_examples(self, examples: Any) -> Any:
        return self._logits(tf.io.parse_example(examples, self._example_features))

    def _logits(self, columns: Mapping[str, Any]) -> Any:
        """Computes the logits of all tasks, `(batch, tasks)`, calibrated if wanted."""
        ids = self.preprocessor(columns)
        with tf.name_scope("embeddings"):
            v = self._features(ids)
        with tf.name_scope("calibration"):
            return self._calibrate(self._dense(v))

    def _outputs(self, logits: Any, weights: Any = None) -> dict[str, Any]:
        predictions = self._predictions(logits)
        outputs = dict(zip(self.tasks, predictions, strict=True))
        return outputs | ({SCORE: self._scored(logits, weights)} if self._score else {})

    def _predictions(self, logits: Any) -> list[Any]:
        """Predicts each task, `(batch,)`."""
        found = tf.unstack(tf.sigmoid(logits), num=len(self.tasks), axis=1)
        for place, loss in self._numbers.items():
            found[place] = loss.to_prediction(logits[:, place])
        return found

    def _scored(self, logits: Any, weights: Any = None) -> Any:
        assert self._score is not None  # otherwise no signature needs it
        if weights is None:
            weights = [self._score.weights.get(task, 0.0) for task in self.tasks]
            weights = tf.constant(weights, tf.float32)
        if self._score.form == "sum":
            return tf.linalg.matvec(self._stacked(logits), weights)
        if not self._numbers:
            return tf.exp(tf.linalg.matvec(tf.math.log_sigmoid(logits), weights))
        # With weight 0 a number must not count, even if it is 0 and has no logarithm.
        logarithms = tf.math.log(self._stacked(logits))
        terms = tf.math.multiply_no_nan(
            logarithms, tf.broadcast_to(weights, tf.shape(logarithms))
        )
        return tf.exp(tf.reduce_sum(terms, axis=1))

    def _stacked(self, logits: Any) -> Any:
        """Predicts all tasks, stacked, `(batch, tasks)`."""
        if not self._numbers:
            return tf.sigmoid(logits)
        return tf.stack(self._predictions(logits), axis=1)


def _make_dense_part(network: Any, tasks: Sequence[str]) -> Any:
    """Makes the function from `v` to the logits of all tasks, `(batch, tasks)`.

    Its weights are constants, unless they are too large for a graph.
    """

    def logits(v: Any) -> Any:
        found = network.logits_of(v, training=False)
        return tf.concat([found[task] for task in tasks], axis=1)

    def merged_logits(v: Any) -> Any:
        with constant_weights():
            return logits(v)

    spec = tf.TensorSpec((None, network.features.width), network.compute_dtype)
    weights = [weight for part in network.dense_parts for weight in part.weights]
    if sum(map(_num_bytes, weights)) > MAX_CONSTANT_BYTES:
        return tf.function(logits, autograph=False).get_concrete_function(spec)
    # Merged operations round differently, which shows in half precision.
    if spec.dtype != tf.float32:
        return freeze(logits, spec)
    frozen = freeze(merged_logits, spec)
    return in_slices(frozen, spec, rows=MAX_ROWS, columns=len(tasks))


def _num_bytes(weight: Any) -> int:
    variable = tf_variable(weight)
    return int(variable.dtype.size * variable.shape.num_elements())


def _used_weights(network: Any, dense: Any, *, quantized: bool) -> dict[str, Any]:
    """The weights that have not become constants."""
    captured = set(map(id, dense.captured_inputs))
    found = {
        f"{part.name}/{path}": tf_variable(weight)
        for part in network.dense_parts
        for path, weight in named_weights(part).items()
        if id(tf_variable(weight).handle) in captured
    }
    if not quantized:  # the features have no weights except their tables
        for path, weight in named_weights(network.features).items():
            found[f"{network.features.name}/{path}"] = tf_variable(weight)
    return found


def _serving_dtype(column: Any) -> Any:
    # Integers are int64 in a tf.Example, and both signatures take the same types.
    return tf.int64 if column.dtype == "int32" else tf.as_dtype(column.dtype)
