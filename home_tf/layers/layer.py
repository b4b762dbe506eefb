"""The base of all layers: one Keras at a time, and checked arguments."""

from collections.abc import Sequence
from typing import Any, NoReturn

from home_tf.backend import check_one_keras, keras, leaves, without_autograph
from home_tf.backend.names import scoped_build, unique_name

ONE_INPUT = "a tensor of shape (batch, features)"


class Layer(keras.layers.Layer):
    """Base class of the package's layers: rejects the other Keras and wrong inputs.

    A layer with an `input_rule` has its first argument checked at every call; one that
    takes more than a tensor `(batch, features)` overrides `_accepts`.
    """

    # Prefix of the automatic name; by default Keras derives it from the class name.
    auto_name: str | None = None
    # What the input must be, for the error message; None to check nothing.
    input_rule: str | None = None
    # The input width that the weights were created for; None before that.
    input_width: int | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = scoped_build(cls.build)

    def __init__(self, **kwargs: Any) -> None:
        check_one_keras(type(self).__name__)
        if self.auto_name is not None and kwargs.get("name") is None:
            kwargs["name"] = unique_name(self.auto_name)
        super().__init__(**kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer, if it belongs to the active Keras."""
        check_one_keras(type(self).__name__, args, kwargs)
        if self.input_rule and (args or "inputs" in kwargs):
            self._check_input(args[0] if args else kwargs["inputs"])
        return without_autograph(super().__call__)(*args, **kwargs)

    def _check_input(self, inputs: Any) -> None:
        shapes = _shapes_of(inputs)
        if not self._accepts(shapes):
            self._refuse_input(shapes, self.input_rule)
        widths = {shape[-1] for shape in self._shapes_read(shapes) if shape}
        # Not after a failed `build`, which created no weights.
        if self.built and self.input_width and widths - {self.input_width, None}:
            self._refuse_input(
                shapes, f"{self.input_width} wide, as its weights were made for"
            )
        dtypes = {str(getattr(x.dtype, "name", x.dtype)) for x in leaves(inputs)}
        if not all("float" in dtype for dtype in dtypes):
            raise ValueError(
                f"The input of `{type(self).__name__}` (layer {self.name!r}) must be "
                f"floating-point. Received: {', '.join(sorted(dtypes))}. Cast it, or "
                "embed it if it has ids"
            )

    def _accepts(self, shapes: Any) -> bool:
        """Whether the layer accepts an input with these shapes."""
        return is_rank(2, shapes)

    def _shapes_read(self, shapes: Any) -> list[Any]:
        """Selects the shapes of the tensors that the layer reads."""
        return shapes if isinstance(shapes, list) else [shapes]

    def _refuse_input(self, shapes: Any, rule: str | None) -> NoReturn:
        raise ValueError(
            f"The input of `{type(self).__name__}` (layer {self.name!r}) must be "
            f"{rule}. Received: {str(shapes)[:200]}"
        )

    def _fix_width(self, shape: Sequence[int | None]) -> int:
        """Fixes the input width, from now on, to the last axis of a shape.

        The layer needs it to create its weights.
        """
        if shape[-1] is None:
            raise ValueError(
                f"The last dimension of the input of `{self.name}` must be known. "
                f"Received: shape={shape}. Give the input a fixed feature width."
            )
        self.input_width = int(shape[-1])
        return self.input_width


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


def is_rank(rank: int, shape: Any) -> bool:
    """Whether this is a shape with the given number of axes, or of unknown rank."""
    return shape is None or (isinstance(shape, tuple) and len(shape) == rank)


def _shapes_of(inputs: Any) -> Any:
    """The shape of an input, or of each in a list or dict."""
    if isinstance(inputs, dict):
        return {name: _shape_of(x) for name, x in inputs.items()}
    if isinstance(inputs, (list, tuple)):
        return [_shape_of(x) for x in inputs]
    return _shape_of(inputs)


def _shape_of(x: Any) -> tuple[int | None, ...] | str | None:
    """The shape of a tensor, None if its rank is unknown; else the name of the type."""
    shape = getattr(x, "shape", None)
    if shape is None:
        return type(x).__name__
    return None if getattr(shape, "rank", 0) is None else tuple(shape)


def is_shape(value: Any) -> bool:
    """Whether this is the shape of one input, not a list of shapes."""
    return value[0] is None or isinstance(value[0], int)
