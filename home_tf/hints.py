"""Type hints with bounds on the values of fields, and their checks.

The configuration reads the same hints, so each bound is written only once.
"""

import math
import numbers
from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from home_tf.errors import HomeError


@dataclass(frozen=True)
class Bounds:
    """Bounds of a number, as part of its type hint.

    Attributes:
        above: The number must be greater.
        at_least: The number must not be smaller.
        below: The number must be smaller.
    """

    above: float | None = None
    at_least: float | None = None
    below: float | None = None

    def find_problem(self, value: float) -> str | None:
        """Says what a number out of bounds must be; None if it is inside."""
        if self.above is not None and not value > self.above:
            return f"be greater than {self.above}"
        if self.at_least is not None and not value >= self.at_least:
            return f"be at least {self.at_least}"
        if self.below is not None and not value < self.below:
            return f"be less than {self.below}"
        return None


@dataclass(frozen=True)
class NotEmpty:
    """Part of the type hint of a sequence or a mapping with at least one entry."""

    def find_problem(self, value: Sized) -> str | None:
        """Says what an empty collection must have; None if it is not empty."""
        return None if len(value) else "have at least one entry"


# TensorFlow's sizes have 32 bits.
Size = Annotated[int, Bounds(above=0, below=2**31)]
NotNegative = Annotated[float, Bounds(at_least=0)]
Positive = Annotated[float, Bounds(above=0)]
# For example a dropout rate.
Share = Annotated[float, Bounds(at_least=0, below=1)]


def check_fields(values: Any) -> None:
    """Checks the fields of a dataclass against their hints: choices and numbers.

    Args:
        values: The dataclass; call this in its `__post_init__`.

    Raises:
        HomeError: If a field is not one of its hint's choices, not a number, or out of
            its bounds.
    """
    for name, hint in get_type_hints(type(values), include_extras=True).items():
        value = getattr(values, name)
        problem = None if value is None else _find_problem(hint, value)
        if problem:
            raise HomeError(f"`{name}` must {problem}. Received: {value!r}")


def _find_problem(hint: Any, value: Any) -> str | None:
    if get_origin(hint) is Annotated:
        kind, *rules = get_args(hint)
        found = (rule.find_problem(value) for rule in rules)
        return _find_problem(kind, value) or next(filter(None, found), None)
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return None if value in choices else f"be {' or '.join(map(repr, choices))}"
    if hint in (int, float):
        return _find_problem_of_number(hint, value)
    if get_origin(hint) is Mapping and isinstance(value, Mapping):
        of_values = (_find_problem(get_args(hint)[1], one) for one in value.values())
        problem = next(filter(None, of_values), None)
        return None if problem is None else f"{problem} in every entry"
    optional = [one for one in get_args(hint) if one is not type(None)]
    if len(optional) == 1 and type(None) in get_args(hint):
        return _find_problem(optional[0], value)
    return None


def _find_problem_of_number(hint: Any, value: Any) -> str | None:
    kind = numbers.Integral if hint is int else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind):
        return "be a whole number" if hint is int else "be a number"
    return None if math.isfinite(value) else "be a finite number"
