"""Resolving the loss weighting of a model, given by name or as an object."""

import inspect
from collections.abc import Mapping
from typing import Any

from home_tf.errors import HomeError
from home_tf.loss_weighting.gradnorm import GradNorm
from home_tf.loss_weighting.loss_weighting import LossWeighting
from home_tf.loss_weighting.pcgrad import PCGrad
from home_tf.loss_weighting.uncertainty import Uncertainty

_BY_NAME: dict[str, type[LossWeighting]] = {
    "sum": LossWeighting,
    "uncertainty": Uncertainty,
    "gradnorm": GradNorm,
    "pcgrad": PCGrad,
}


def resolve(
    weighting: Any, loss_weights: Mapping[str, float], network: Any
) -> LossWeighting:
    """Returns the loss weighting of a model, with its weights created.

    Args:
        weighting: One of the names, or a `LossWeighting`.
        loss_weights: The given `{task: weight}`, for every task.
        network: The model's network.

    Returns:
        The object.

    Raises:
        HomeError: If the weighting is anything else, if weights are given that it would
            learn, or if it needs a network that returns its features.
    """
    if isinstance(weighting, str) and weighting in _BY_NAME:
        weighting = _BY_NAME[weighting]()
    if not isinstance(weighting, LossWeighting):
        raise HomeError(
            f"`loss_weighting` must be one of {tuple(_BY_NAME)} or an object of "
            f"`home_tf.loss_weighting`. Received: {weighting!r}"
        )
    name = type(weighting).__name__
    given = {task: weight for task, weight in loss_weights.items() if weight != 1.0}
    if weighting.learns_weights and given:
        raise HomeError(
            f"`loss_weights` must be left out with `{name}`, which learns the weights "
            f"and would override them. Received: {given}. Leave them out, or use 'sum' "
            "or 'pcgrad'"
        )
    if weighting.needs_features and not _returns_features(network):
        raise HomeError(
            f"`{name}` needs a network that, called with `return_features=True`, "
            "returns the tasks' shared features as well as the logits. Received: "
            f"{type(network).__name__}. Use `RankingNetwork`, or add this argument to "
            "the network's `call`"
        )
    weighting.start(list(loss_weights))
    return weighting


def _returns_features(network: Any) -> bool:
    return "return_features" in inspect.signature(network.call).parameters
