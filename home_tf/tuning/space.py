"""Search spaces: the possible values of each hyper-parameter."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import optuna

from home_tf.errors import HomeError

Parameters = dict[str, Any]


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, both included; integers if both bounds are integers.

    Args:
        low: The lower bound.
        high: The upper bound.
        log: Whether to draw uniformly on a logarithmic scale.

    Raises:
        HomeError: If the bounds are in the wrong order, or not positive with `log`.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for bound in (self.low, self.high):
            if not _is_number(bound):
                raise HomeError(
                    f"`low` and `high` must be finite numbers. Received: {bound!r}"
                )
        if not self.low < self.high:
            raise HomeError(
                f"`low` must be less than `high`. Received: {self.low} and {self.high}"
            )
        if self.log and self.low <= 0:
            raise HomeError(
                f"`low` must be greater than 0 with `log: true`. Received: {self.low}"
            )

    @property
    def ends(self) -> tuple[Any, ...]:
        """The bounds."""
        return self.low, self.high

    def suggest(self, trial: optuna.Trial, key: str) -> Any:
        """Draws a number."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(key, self.low, self.high, log=self.log)
        return trial.suggest_float(key, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Choices:
    """Values of any kind, such as lists of widths.

    Args:
        choices: The values, two or more.

    Raises:
        HomeError: If there are fewer than two.
    """

    choices: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len(self.choices) < 2:
            raise HomeError(
                f"`choices` must have at least two values. Received: {self.choices!r}"
            )

    @property
    def ends(self) -> tuple[Any, ...]:
        """All values."""
        return self.choices

    def suggest(self, trial: optuna.Trial, key: str) -> Any:
        """Draws a value."""
        # Optuna cannot store lists.
        texts = [json.dumps(choice) for choice in self.choices]
        return json.loads(trial.suggest_categorical(key, texts))


Space: TypeAlias = Mapping[str, Range | Choices]
"""The hyper-parameters of a search, by their dotted keys in the configuration."""

NETWORK_SPACE: Space = {
    "training.learning_rate": Range(3e-4, 1e-2, log=True),
    "model.embedding_l2": Range(1e-6, 1e-2, log=True),
    "model.dropout": Range(0.0, 0.3),
    "model.architecture.expert.batch_norm_momentum": Range(0.8, 0.99),
}
"""The space for networks of every architecture.

It does not include the number of epochs, which early stopping selects. Without
batch normalisation, its momentum has no effect.
"""


def make_space(values: Mapping[str, Any]) -> Space:
    """Makes a space from the content of a file.

    Args:
        values: `{dotted key: {low: ..., high: ..., log: ...}}` or `{dotted key:
            {choices: [...]}}`.

    Raises:
        HomeError: If it is empty, or an entry is neither.
    """
    if not values:
        raise HomeError(
            "the search space must have at least one key. Received: an empty one"
        )
    return {key: _make(key, found) for key, found in values.items()}


def draw(space: Space, trial: optuna.Trial) -> Parameters:
    """Draws a value for each key."""
    return {key: one.suggest(trial, key) for key, one in space.items()}


def _make(key: str, found: Any) -> Range | Choices:
    keys = set(found) if isinstance(found, Mapping) else set()
    try:
        if keys == {"choices"} and isinstance(found["choices"], (list, tuple)):
            return Choices(tuple(found["choices"]))
        if {"low", "high"} <= keys <= {"low", "high", "log"}:
            return Range(**found)
    except HomeError as error:
        raise HomeError(f"`{key}`: {error}") from None
    raise HomeError(
        f"`{key}` must look like {{low: 0.001, high: 0.01, log: true}} or {{choices: "
        f"[16, 32]}}. Received: {found!r}"
    )
