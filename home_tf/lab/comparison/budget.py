"""Matching the sizes of two networks by their expert widths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from home_tf.config import Config, override_config
from home_tf.errors import HomeError
from home_tf.features import Preprocessor
from home_tf.lab.comparison.flops import flops_per_example
from home_tf.training.experiment import Experiment

Budget = Literal["paper", "same-params", "same-flops"]
TOLERANCE = 0.02
_EVALUATIONS = 12


@dataclass(frozen=True)
class Size:
    """The size of a network without its embedding tables.

    Attributes:
        params: Trainable weights.
        flops: See `flops_per_example`.
    """

    params: int
    flops: int


def network_size(config: Config, preprocessor: Preprocessor) -> Size:
    """Builds the network of a configuration and measures it."""
    network = Experiment(config, preprocessor).make_network()
    return Size(params=count_weights(network), flops=flops_per_example(network))


def count_weights(network: Any) -> int:
    """Counts the trainable weights of a network, without embedding tables."""
    return sum(
        int(np.prod(weight.shape))
        for part in network.dense_parts
        for weight in part.trainable_weights
    )


def fit_to_budget(
    config: Config, target: Config, budget: Budget, preprocessor: Preprocessor
) -> Config:
    """Scales the expert widths of a configuration until it is as large as another.

    Args:
        config: The configuration to scale.
        target: The configuration whose size is the budget.
        budget: `same-params` or `same-flops`; `paper` changes nothing.
        preprocessor: The preprocessor of the prepared data.

    Returns:
        `config` with other `model.architecture.expert.units`, within 2 % of the target.

    Raises:
        HomeError: If no widths come within 2 %.
    """
    if budget == "paper" or config.model.architecture == target.model.architecture:
        return config

    def with_units(units: Sequence[int]) -> Config:
        return override_config(config, {"model.architecture.expert.units": [*units]})

    def measure(units: Sequence[int]) -> int:
        network = Experiment(with_units(units), preprocessor).make_network()
        if budget == "same-params":
            return count_weights(network)
        return flops_per_example(network)

    size = network_size(target, preprocessor)
    wanted = size.params if budget == "same-params" else size.flops
    start = config.model.architecture.arguments["expert"].units
    return with_units(closest_units(start, wanted, measure, what=budget))


def closest_units(
    start: Sequence[int],
    wanted: float,
    measure: Callable[[Sequence[int]], float],
    *,
    what: str = "size",
) -> tuple[int, ...]:
    """Finds widths near a multiple of `start` whose measure is within 2 % of a value.

    Args:
        start: The widths to scale.
        wanted: The value.
        measure: From widths to their measure, which grows with each width.
        what: Name of the measure, for the error.

    Returns:
        The widths.

    Raises:
        HomeError: If no widths come within 2 %.
    """
    measured: dict[tuple[int, ...], float] = {}

    def error_of(units: tuple[int, ...]) -> float:
        if units not in measured:
            measured[units] = measure(units)
        return measured[units] / wanted - 1

    def best() -> tuple[int, ...]:
        return min(measured, key=lambda units: abs(error_of(units)))

    scale, power, before = 1.0, 1.5, None
    for _ in range(_EVALUATIONS):
        units = _scaled(start, scale)
        if units in measured:
            break
        if abs(error_of(units)) <= TOLERANCE:
            return units
        here = np.log([scale, 1 + error_of(units)])
        if before is not None and here[0] != before[0]:
            # A size grows with a power of the scale, between linear and quadratic.
            slope = (here[1] - before[1]) / (here[0] - before[0])
            power = float(np.clip(slope, 1.0, 2.0))
        scale, before = scale * float(np.exp(-here[1] / power)), here
    near = best()
    for nudge in product((-1, 0, 1), repeat=len(start)):
        units = tuple(max(1, u + d) for u, d in zip(near, nudge, strict=True))
        if abs(error_of(units)) <= TOLERANCE:
            return units
    raise HomeError(
        f"`budget` {what} cannot be met within {TOLERANCE:.0%} by scaling "
        f"`expert.units`: {list(best())} come closest, {error_of(best()):+.1%}. Set "
        "wider `expert.units`, or use the budget `paper`"
    )


def _scaled(units: Sequence[int], scale: float) -> tuple[int, ...]:
    return tuple(max(1, round(width * scale)) for width in units)
