"""What a batch of a ranking dataset is: features, labels, possibly weights."""

from collections.abc import Mapping, Sequence
from typing import Any


def unpack_batch(batch: Any) -> tuple[Any, Mapping[str, Any], Mapping[str, Any]]:
    """Splits a batch.

    Args:
        batch: `(features, labels)` or `(features, labels, sample_weights)`; labels and
            sample weights are dicts by task, sample weights of some tasks only.

    Returns:
        Features, labels and sample weights; the last empty if there are none.

    Raises:
        ValueError: If the batch is anything else.
    """
    if isinstance(batch, (tuple, list)) and len(batch) in (2, 3):
        features, labels, *rest = batch
        weights = rest[0] if rest and rest[0] is not None else {}
        if isinstance(labels, Mapping) and isinstance(weights, Mapping):
            return features, labels, weights
    raise ValueError(
        "A batch must be (features, labels) or (features, labels, sample_weights), "
        "with labels and sample weights as dicts {task: (batch,)}. Received: "
        f"{type(batch).__name__}"
        + (f" of {len(batch)} elements" if isinstance(batch, (tuple, list)) else "")
    )


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


def check_network(network: Any, base: type) -> Any:
    """Returns the network if it is a layer of the Keras in force; raises if not."""
    if isinstance(network, base):
        return network
    raise ValueError(
        f"`network` must be a layer or model of `{base.__module__.split('.')[0]}`, the "
        "Keras in force. Received: an object of type "
        f"{type(network).__module__}.{type(network).__name__}. Keras 3 and legacy "
        "Keras do not mix: set or unset TF_USE_LEGACY_KERAS before the first import"
    )


def check_no_loss(arguments: Mapping[str, Any]) -> None:
    """Raises a `ValueError` if `compile` is given a loss, which would not be used."""
    if arguments.get("loss") is not None:
        raise ValueError(
            "`compile` must not be given a `loss`: the model adds up the losses of its "
            f"tasks. Received: loss={arguments['loss']!r}. Use `loss_weights` of the "
            "model"
        )


def weighted_log_loss(
    loss_weights: Mapping[str, float], results: Mapping[str, Any]
) -> Any:
    """The weighted sum of the tasks' log losses, from the metrics' results."""
    return sum(
        weight * results[f"{task}_log_loss"] for task, weight in loss_weights.items()
    )
