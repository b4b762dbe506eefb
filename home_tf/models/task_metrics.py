"""Metrics of one task each, by the names under which they are reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from home_tf.backend import keras, ops
from home_tf.losses import MaskedLoss


@dataclass
class CompileArguments:
    """What a model was compiled with, in an object in which Keras looks for no state.

    So that a model that is built may be compiled again, with other metrics.

    Attributes:
        metrics: `{name: (task, metric)}`.
        given: The arguments of `compile` but the optimizer; None before it.
    """

    metrics: dict[str, tuple[str, Any]] = field(default_factory=dict)
    given: dict[str, Any] | None = None


def name_metrics(
    tasks: Sequence[str], metrics: Any, taken: Sequence[str]
) -> dict[str, tuple[str, Any]]:
    """Names what `compile` is given as `metrics`.

    Args:
        tasks: Names of the tasks.
        metrics: `{task: metric or [metric, ...]}`, or None for none.
        taken: Names that are reported already.

    Returns:
        `{<task>_<name of the metric>: (task, metric)}`.

    Raises:
        ValueError: If it is anything else, names another task, or a name is taken.
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
                    f"`metrics` must not report {name!r} twice: give one another name. "
                    f"Received: name={metric.name!r} for task {task!r}"
                )
            named[name] = (task, metric)
    return named


def update_metric(
    metric: Any, loss: MaskedLoss, labels: Any, logits: Any, sample_weight: Any
) -> None:
    """Adds a task's rows to a metric of Keras, those with a known label.

    A metric that is made `from_logits` gets the logits, any other the predictions.
    """
    labels, logits, weights, _ = loss.split_missing(labels, logits, sample_weight)
    from_logits = metric.get_config().get("from_logits", False)
    predictions = logits if from_logits else loss.to_prediction(logits)
    # Many a metric takes the mean along the last axis.
    column = (-1, 1)
    metric.update_state(
        ops.reshape(labels, column),
        ops.reshape(predictions, column),
        sample_weight=weights,
    )
