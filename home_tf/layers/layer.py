"""What all layers of the package share: one Keras at a time, checked arguments."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import check_one_keras, keras, without_autograph


class Layer(keras.layers.Layer):
    """Base of the package's layers: refuses to be used inside the other Keras."""

    def __init__(self, **kwargs: Any) -> None:
        check_one_keras(type(self).__name__)
        super().__init__(**kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer, if it is the one of the Keras in force."""
        check_one_keras(type(self).__name__, args, kwargs)
        return without_autograph(super().__call__)(*args, **kwargs)


def check_positive(name: str, value: int) -> int:
    """Returns `value` if it is a positive integer; raises a `ValueError` if not."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {value!r}")
    return value


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Returns `value` if it is one of `choices`; raises a `ValueError` if not."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {tuple(choices)}. Received: {value!r}"
        )
    return value


def check_units(
    name: str, value: Sequence[int], *, at_least: int = 0
) -> tuple[int, ...]:
    """Returns layer widths as a tuple; raises a `ValueError` for anything else."""
    if not isinstance(value, (list, tuple)) or len(value) < at_least:
        raise ValueError(
            f"`{name}` must be a sequence of at least {at_least} positive integers. "
            f"Received: {value!r}"
        )
    return tuple(check_positive(name, units) for units in value)


def last_dimension(layer: keras.layers.Layer, shape: Sequence[int | None]) -> int:
    """The size of a shape's last axis, which a layer needs to create its weights."""
    if shape[-1] is None:
        raise ValueError(
            f"The last dimension of the input of `{layer.name}` must be known. "
            f"Received: shape={tuple(shape)}. Give the input a fixed feature width."
        )
    return int(shape[-1])


def is_shape(value: Any) -> bool:
    """Whether this is the shape of one input, and no list of shapes."""
    return value[0] is None or isinstance(value[0], int)
