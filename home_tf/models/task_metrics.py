"""Metrics of single tasks, under the names that are reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from home_tf.backend import keras, ops
from home_tf.losses import MaskedLoss


@dataclass
class CompileArguments:
    """The arguments of `compile`, in an object that Keras does not search for state.

    So a built model can be compiled again with other metrics.

    Attributes:
        metrics: `{name: (task, metric)}`.
        given: The arguments of `compile` except the optimizer; None before `compile`.
    """

    metrics: dict[str, tuple[str, Any]] = field(default_factory=dict)
    given: dict[str, Any] | None = None


def name_metrics(
    tasks: Sequence[str], metrics: Any, taken: Sequence[str]
) -> dict[str, tuple[str, Any]]:
    """Names the `metrics` that are given to `compile`.

    Args:
        tasks: Names of the tasks.
        metrics: `{task: metric or [metric, ...]}`, or None for none.
        taken: Names that are already in use.

    Returns:
        `{<task>_<name of the metric>: (task, metric)}`.

    Raises:
        ValueError: If `metrics` is invalid, names an unknown task, or a name is taken.
    """
    if not metrics:
        return {}
    if not isinstance(metrics, Mapping) or set(metrics) - set(tasks):
        received = sorted(metrics) if isinstance(metrics, Mapping) else metrics
        raise ValueError(
            "`metrics` must be a dict {task: metric or [metric, ...]} of tasks of the "
            f"model, which are {list(tasks)}. Received: {received!r}"
        )
    named: dict[str, tuple[str, Any]] = {}
    for task, given in metrics.items():
        for metric in given if isinstance(given, (list, tuple)) else [given]:
            if not isinstance(metric, keras.metrics.Metric):
                raise ValueError(
                    f"`metrics` must hold objects of `{keras.__name__}.metrics`. "
                    f"Received: {metric!r} for task {task!r}"
                )
            name = f"{task}_{metric.name}"
            if name in named or name in taken:
                raise ValueError(
                    f"`metrics` must not report {name!r} twice: rename one of them. "
                    f"Received: name={metric.name!r} for task {task!r}"
                )
            named[name] = (task, metric)
    return named


def update_metric(
    metric: Any, loss: MaskedLoss, labels: Any, logits: Any, sample_weight: Any
) -> None:
    """Updates a Keras metric with a task's rows that have a known label.

    A metric created with `from_logits` gets the logits, any other the predictions.
    """
    labels, logits, weights, _ = loss.split_missing(labels, logits, sample_weight)
    from_logits = metric.get_config().get("from_logits", False)
    predictions = logits if from_logits else loss.to_prediction(logits)
    # Many metrics take the mean along the last axis.
    column = (-1, 1)
    metric.update_state(
        ops.reshape(labels, column),
        ops.reshape(predictions, column),
        sample_weight=weights,
    )
