"""Type hints that say which values a field may have, and the check of them.

The configuration reads the same hints: bounds are written once.
"""

import math
import numbers
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from home_tf.errors import HomeError


@dataclass(frozen=True)
class Bounds:
    """Bounds of a number, as part of its type hint.

    Attributes:
        above: The number is greater.
        at_least: The number is not smaller.
        below: The number is smaller.
    """

    above: float | None = None
    at_least: float | None = None
    below: float | None = None

    def rule(self, value: float) -> str | None:
        """What a number must be that is out of the bounds; None for all others."""
        if self.above is not None and not value > self.above:
            return f"greater than {self.above}"
        if self.at_least is not None and not value >= self.at_least:
            return f"at least {self.at_least}"
        if self.below is not None and not value < self.below:
            return f"less than {self.below}"
        return None


# TensorFlow's sizes are of 32 bits.
Size = Annotated[int, Bounds(above=0, below=2**31)]
NotNegative = Annotated[float, Bounds(at_least=0)]
AboveZero = Annotated[float, Bounds(above=0)]
# Of a dropout, for example.
Share = Annotated[float, Bounds(at_least=0, below=1)]


def check_fields(values: Any) -> None:
    """Checks the fields of a dataclass against their hints: choices and numbers.

    Args:
        values: The dataclass; call this in its `__post_init__`.

    Raises:
        HomeError: If a field is none of its hint's choices, no number, or out of its
            bounds.
    """
    for name, hint in get_type_hints(type(values), include_extras=True).items():
        value = getattr(values, name)
        rule = None if value is None else _broken_rule(hint, value)
        if rule:
            raise HomeError(f"`{name}` must be {rule}. Received: {value!r}")


def _broken_rule(hint: Any, value: Any) -> str | None:
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return None if value in choices else " or ".join(map(repr, choices))
    if get_origin(hint) is Annotated:
        kind, *extras = get_args(hint)
        bounds = [one for one in extras if isinstance(one, Bounds)]
        return _broken_rule(kind, value) or next(
            filter(None, (one.rule(value) for one in bounds)), None
        )
    if hint in (int, float):
        return _broken_rule_of_numbers(hint, value)
    optional = [one for one in get_args(hint) if one is not type(None)]
    if len(optional) == 1 and len(get_args(hint)) == 2:
        return _broken_rule(optional[0], value)
    return None


def _broken_rule_of_numbers(hint: Any, value: Any) -> str | None:
    kind = numbers.Integral if hint is int else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind):
        return "a whole number" if hint is int else "a number"
    return None if math.isfinite(value) else "a finite number"
