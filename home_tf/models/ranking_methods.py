"""What the ranking models for Keras and for TFRS have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import IS_LEGACY, keras
from home_tf.backend.replicas import check_in_step, num_replicas
from home_tf.loss_weighting.resolve import resolve
from home_tf.losses import MaskedLoss, MaskedRegressionLoss
from home_tf.metrics.ranking_metrics import RankingMetrics
from home_tf.metrics.regression_metrics import RegressionMetrics
from home_tf.models.batch import (
    check_compile,
    check_features,
    check_loss_weights,
    check_losses,
    check_network,
    unpack_batch,
)
from home_tf.models.compiled_step import CompiledStep, comes_apart
from home_tf.models.saved_parts import deserialize_parts, serialize_parts
from home_tf.models.task_gradient_step import task_gradient_step
from home_tf.models.task_metrics import CompileArguments, name_metrics, update_metric


class RankingMethods:
    """A mixin, before the model class of Keras or TFRS.

    Private to the package. The model itself adds up the losses of its tasks.
    """

    # Provided by the model.
    losses: Sequence[Any]
    optimizer: Any
    trainable_variables: Any
    __call__: Any

    def _set_network(
        self,
        network: Any,
        tasks: Sequence[str],
        loss_weights: Mapping[str, float] | None,
        loss_weighting: Any,
        task_losses: Mapping[str, MaskedLoss] | None,
    ) -> None:
        """Checks and stores the arguments that both models share."""
        check_in_step("A ranking model")
        self.network = check_network(network, keras.layers.Layer)
        self.tasks = list(tasks)
        self.loss_weights = check_loss_weights(self.tasks, loss_weights)
        self.loss_weighting = resolve(loss_weighting, self.loss_weights, self.network)
        self.task_losses = check_losses(self.tasks, task_losses)
        # Keras tracks metrics that are attributes.
        ranked = [t for t in self.tasks if not self.is_regression(t)]
        if ranked:
            self.ranking_metrics = RankingMetrics(ranked, name="ranking")
        others = {t: one for t, one in self.task_losses.items() if t not in ranked}
        if others:
            self.regression_metrics = RegressionMetrics(others, name="regression")
        self.compile_arguments = CompileArguments()
        self.compiled_step: CompiledStep | None = None
        # Every replica returns the result of the whole batch; Keras would add them up.
        self.distribute_reduction_method = "first"

    def is_regression(self, task: str) -> bool:
        """Whether the label of a task is a number."""
        return isinstance(self.task_losses[task], MaskedRegressionLoss)

    @property
    def _own_metrics(self) -> list[Any]:
        """The metrics that every model reports."""
        # Each exists if there are such tasks. A class attribute of that name would keep
        # legacy Keras from tracking the metric.
        names = ("ranking_metrics", "regression_metrics")
        return [getattr(self, name) for name in names if hasattr(self, name)]

    @property
    def _own_names(self) -> list[str]:
        return [name for metric in self._own_metrics for name in metric.names]

    def compile(
        self,
        optimizer: Any = "adam",
        *,
        jit_compile: bool = False,
        metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """Configures training like `keras.Model.compile`; the model brings its losses.

        Args:
            optimizer: The optimizer.
            jit_compile: Whether XLA compiles the step. With a `RankingNetwork`, it
                compiles all but the lookups, the optimizer and the metrics. With other
                networks, and with a loss weighting that needs every task's gradient, it
                compiles the whole step, and evaluation and prediction, as in Keras.
            metrics: Further metrics, `{task: metric or [metric, ...]}`, reported as
                `<task>_<name>`. They get the rows with a known label, their sample
                weights, and probabilities or, for a regression task, predictions;
                logits if they are created with `from_logits`.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If losses or loss weights are given, `metrics` or `jit_compile`
                is invalid, or `jit_compile` is set under a strategy with several
                replicas.
        """
        check_compile(kwargs)
        _check_jit_compile(jit_compile)
        named = name_metrics(self.tasks, metrics, self._own_names)
        in_part = jit_compile and comes_apart(self)
        self.compiled_step = CompiledStep(self) if in_part else None
        # Without `weighted_metrics`, legacy Keras warns about unused sample weights.
        arguments = {"weighted_metrics": [], **kwargs}
        super().compile(  # type: ignore[misc]
            optimizer=optimizer, jit_compile=jit_compile and not in_part, **arguments
        )
        given = {**kwargs, "metrics": metrics, "jit_compile": jit_compile}
        self.compile_arguments = CompileArguments(named, given)

    def fit(self, *args: Any, class_weight: Any = None, **kwargs: Any) -> Any:
        """Trains like `keras.Model.fit`, on features and labels `{task: (rows,)}`.

        Args:
            *args: Arguments of `keras.Model.fit`.
            class_weight: Not supported: a multi-task model has no single class.
            **kwargs: Arguments of `keras.Model.fit`; `sample_weight` is `{task:
                (rows,)}`, or `(rows,)` for all tasks.

        Returns:
            The history.

        Raises:
            ValueError: If class weights are given.
        """
        _check_no_class_weight(class_weight)
        return super().fit(*args, **kwargs)  # type: ignore[misc]

    @property
    def takes_own_step(self) -> bool:
        """Whether `own_step` is the training step instead of that of Keras or TFRS."""
        return (
            self.loss_weighting.needs_task_gradients or self.compiled_step is not None
        )

    def own_step(self, data: Any) -> dict[str, Any]:
        """Takes one step of the optimizer and returns the results of the metrics."""
        if self.loss_weighting.needs_task_gradients:
            logits = task_gradient_step(self, data)
        else:
            assert self.compiled_step is not None
            logits = self.compiled_step(data)
        self.update_metrics(data, logits)
        return self.get_metrics_result()

    def train_on_batch(
        self, *args: Any, class_weight: Any = None, **kwargs: Any
    ) -> Any:
        """Trains on one batch, like `keras.Model.train_on_batch`; see `fit`."""
        _check_no_class_weight(class_weight)
        return super().train_on_batch(*args, **kwargs)  # type: ignore[misc]

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """Computes the logits, `{task: (batch, 1)}`, from the features."""
        logits: dict[str, Any] = self.network(check_features(inputs), training=training)
        return logits

    def update_metrics(self, batch: Any, logits: Mapping[str, Any]) -> None:
        """Adds a batch to all metrics."""
        _, labels, weights = unpack_batch(batch, self.tasks)
        for metric in self._own_metrics:
            metric.update_state(labels, logits, weights)
        for task, metric in self._added_metrics.values():
            loss = self.task_losses[task]
            update_metric(metric, loss, labels[task], logits[task], weights.get(task))

    @property
    def metrics(self) -> list[Any]:
        """All metrics, which Keras resets before each epoch."""
        added = [metric for _, metric in self._added_metrics.values()]
        return [*super().metrics, *added]  # type: ignore[misc]

    def get_metrics_result(self) -> dict[str, Any]:
        """The metrics over all rows seen, with `loss` and the learnt weights."""
        loss = sum(m.weighted_loss(self.loss_weights) for m in self._own_metrics)
        own = [metric.result() for metric in self._own_metrics]
        return {
            "loss": loss,
            **{name: value for found in own for name, value in found.items()},
            **{n: one.result() for n, (_, one) in self._added_metrics.items()},
            **self.loss_weighting.results(),
        }

    @property
    def _added_metrics(self) -> dict[str, tuple[str, Any]]:
        """The metrics that `compile` was given, `{name: (task, metric)}`."""
        return self.compile_arguments.metrics

    @property
    def metrics_names(self) -> list[str]:
        """The names of the numbers that `evaluate` returns as a list, in order."""
        own, added = self._own_names, self._added_metrics
        reported = ["loss", *own, *added, *self.loss_weighting.results()]
        if IS_LEGACY:
            return reported
        # In the order of Keras 3: first the names that are a metric's own, then the
        # others.
        first = [metric.name for metric in self.metrics if metric.name in reported]
        return first + sorted(set(reported) - set(first))

    def predict_step(self, data: Any) -> dict[str, Any]:
        """Predicts probabilities, or numbers of regression tasks, `{task: (batch, 1)}`.

        Labels in the batch are ignored.
        """
        inputs = data[0] if isinstance(data, (tuple, list)) else data
        logits = self(inputs, training=False)
        losses = self.task_losses.items()
        return {task: loss.to_prediction(logits[task]) for task, loss in losses}

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the model."""
        return {
            **super().get_config(),  # type: ignore[misc]
            **serialize_parts(self, "network", "loss_weighting"),
            "tasks": self.tasks,
            "loss_weights": dict(self.loss_weights),
            "task_losses": {
                task: keras.saving.serialize_keras_object(loss)
                for task, loss in self.task_losses.items()
            },
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], **kwargs: Any) -> Any:
        """Rebuilds the model from `get_config()`."""
        losses = {
            task: keras.saving.deserialize_keras_object(loss)
            for task, loss in config.get("task_losses", {}).items()
        }
        parts = deserialize_parts(config, "network", "loss_weighting")
        return cls(**{**parts, "task_losses": losses})

    def get_compile_config(self) -> dict[str, Any] | None:
        """Returns the arguments of `compile`, for saving; None before `compile`."""
        given = self.compile_arguments.given
        if given is None:
            return None
        serialize = keras.saving.serialize_keras_object
        arguments = {**given, "optimizer": self.optimizer}
        return {name: serialize(value) for name, value in arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a loaded model like the saved one."""
        deserialize = keras.saving.deserialize_keras_object
        self.compile(**{name: deserialize(value) for name, value in config.items()})
        self.optimizer.build(self.trainable_variables)


def _check_no_class_weight(class_weight: Any) -> None:
    if class_weight is not None:
        raise ValueError(
            "a ranking model takes no `class_weight`: weight the rows of a task with "
            "`sample_weight={task: weights}`. Received: "
            f"class_weight={class_weight!r}"
        )


def _check_jit_compile(jit_compile: bool) -> None:
    if not isinstance(jit_compile, bool):
        raise ValueError(
            f"`jit_compile` must be True or False. Received: {jit_compile!r}"
        )
    if jit_compile and num_replicas() > 1:
        raise ValueError(
            "`jit_compile` must be False under a strategy with several replicas: XLA "
            "compiles no sums over replicas, and batch normalisation and the losses "
            f"need them. Received: jit_compile={jit_compile!r} with {num_replicas()} "
            "replicas"
        )
