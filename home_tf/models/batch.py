"""Batches of a ranking dataset: features, labels and optional sample weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import ops
from home_tf.backend.checked import checked
from home_tf.losses import MaskedBinaryCrossentropy, MaskedLoss


def unpack_batch(
    batch: Any, tasks: Sequence[str]
) -> tuple[Any, Mapping[str, Any], Mapping[str, Any]]:
    """Splits a batch into features, labels and sample weights.

    Args:
        batch: `(features, labels)` or `(features, labels, sample_weights)`; labels are
            a dict by task; sample weights are a dict for some or all tasks, or one
            tensor for all tasks.
        tasks: Names of the tasks.

    Returns:
        Features, labels and sample weights by task; the latter empty if there are none.

    Raises:
        ValueError: If the batch is anything else, labels lack a task, or sample weights
            name an unknown task.
    """
    if isinstance(batch, (tuple, list)) and len(batch) in (2, 3):
        features, labels, *rest = batch
        weights = rest[0] if rest else None
        if isinstance(labels, Mapping):
            check_tasks(tasks, labels)
            return features, labels, _weights_by_task(tasks, weights)
    raise ValueError(
        "A batch must be (features, labels) or (features, labels, sample_weights), "
        "with labels as a dict {task: (batch,)}. Received: "
        f"{type(batch).__name__}"
        + (f" of {len(batch)} elements" if isinstance(batch, (tuple, list)) else "")
    )


def _weights_by_task(tasks: Sequence[str], weights: Any) -> Mapping[str, Any]:
    if weights is None:
        return {}
    if not isinstance(weights, Mapping):
        return dict.fromkeys(tasks, weights)
    unknown = sorted(set(weights) - set(tasks))
    if unknown:
        raise ValueError(
            f"`sample_weight` must name tasks of the model, which are {list(tasks)}. "
            f"Received: {unknown}"
        )
    return weights


def check_tasks(tasks: Sequence[str], labels: Mapping[str, Any]) -> None:
    """Raises a `ValueError` if the labels lack a task."""
    missing = [task for task in tasks if task not in labels]
    if missing:
        raise ValueError(
            f"The labels lack tasks {missing}. Received: labels of {sorted(labels)}. "
            "Give every task a label; NaN or -1 where it is missing"
        )


def check_loss_weights(
    tasks: Sequence[str], loss_weights: Mapping[str, float] | None
) -> dict[str, float]:
    """Returns a loss weight for every task, 1 where none is given."""
    unknown = sorted(set(loss_weights or ()) - set(tasks))
    if unknown:
        raise ValueError(
            f"`loss_weights` must name tasks of the network, which are {list(tasks)}. "
            f"Received: {unknown}"
        )
    return {task: float((loss_weights or {}).get(task, 1.0)) for task in tasks}


def check_losses(
    tasks: Sequence[str], losses: Mapping[str, MaskedLoss] | None
) -> dict[str, MaskedLoss]:
    """Returns a loss for every task: binary cross-entropy where none is given."""
    given = dict(losses or {})
    wrong = [t for t, loss in given.items() if not isinstance(loss, MaskedLoss)]
    unknown = sorted(set(given) - set(tasks))
    if unknown or wrong:
        raise ValueError(
            "`task_losses` must give tasks of the network, which are "
            f"{list(tasks)}, a loss of `home_tf.losses`. Received: "
            f"{unknown or {task: given[task] for task in wrong}}"
        )
    return {t: given.get(t) or MaskedBinaryCrossentropy(name=t) for t in tasks}


def check_network(network: Any, base: type) -> Any:
    """Returns the network if it is a layer of the active Keras; raises if not."""
    if isinstance(network, base):
        return network
    raise ValueError(
        f"`network` must be a layer or model of `{base.__module__.split('.')[0]}`, the "
        "active Keras. Received: an object of type "
        f"{type(network).__module__}.{type(network).__name__}. Keras 3 and legacy "
        "Keras do not mix: set or unset TF_USE_LEGACY_KERAS before the first import"
    )


# Arguments that `compile` does not take, and where to give them instead.
_ELSEWHERE = {
    "loss": "the model adds up the losses of its tasks",
    "loss_weights": "RankingModel(..., loss_weights={task: weight}) does",
    "weighted_metrics": "give them as `metrics`: every metric gets the sample weights",
}


def check_compile(arguments: Mapping[str, Any]) -> None:
    """Raises a `ValueError` if `compile` is given an argument that it would ignore."""
    for name, instead in _ELSEWHERE.items():
        if arguments.get(name):
            raise ValueError(
                f"`compile` of a ranking model takes no `{name}`: {instead}. Received: "
                f"{name}={arguments[name]!r}"
            )


def check_features(features: Any) -> Any:
    """Returns the features after checking that no number is NaN or infinite.

    Args:
        features: `{feature: tensor}`; anything else is returned as it is.

    Raises:
        tf.errors.InvalidArgumentError: If there is one; the message names the feature.
    """
    if not isinstance(features, Mapping):
        return features
    return {name: _finite(name, values) for name, values in features.items()}


def _finite(name: str, values: Any) -> Any:
    dtype = getattr(values, "dtype", None)
    if dtype is None or "float" not in str(getattr(dtype, "name", dtype)):
        return values
    message = f"feature `{name}` must hold finite numbers."
    return checked(values, ops.isfinite(values), message)
