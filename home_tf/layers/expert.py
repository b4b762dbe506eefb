"""The configuration of an expert."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from home_tf.backend import keras
from home_tf.layers.initialization import derive_initializer, with_seed
from home_tf.layers.layer import check_choice, check_units
from home_tf.types import Initializer

Activation = Literal["swish", "relu"]
ExpertName = Literal["home", "swish", "relu"]
ACTIVATIONS = ("swish", "relu")


@dataclass(frozen=True, kw_only=True)
class Expert:
    """The configuration of an expert: an MLP, and what follows its last layer.

        HoME's expert   Swish(BatchNorm(MLP(x)))    `Expert.home()`, or "home"
        without it      Swish(MLP(x))               `Expert.swish()`, or "swish"
        the usual one   ReLU(MLP(x))                `Expert.relu()`, or "relu"

    Every layer that has experts takes one of these, or its name for the default units.
    Hidden layers always use ReLU. Batch normalisation and Swish cure expert collapse
    (eq. 4, 5): the normalised outputs of all experts have the same scale, and Swish
    does not die the way ReLU does.

    Args:
        units: Widths of the layers; the last is the output width `D`.
        activation: The output activation: `"swish"` or `"relu"`.
        batch_norm: Whether the output is batch-normalised before the activation,
            separately for each expert and dimension.
        batch_norm_momentum: Momentum of the moving averages. Keras's own default of
            0.99 lags for hundreds of steps, and an early evaluation suffers from it.
        batch_norm_initial_scale: Initial value of the scales (gamma). With 0.1, the
            output is at first as large as that of an expert without batch
            normalisation. With Keras's default of 1 it is several times larger, and
            tasks with few positives over-fit.
        batch_norm_epsilon: The term added to the variance.
        kernel_initializer: Initialiser of one expert's kernels. Every expert draws its
            own values, even with a seed.

    Raises:
        ValueError: If an argument is out of its range.

    Examples:
        >>> HoME(task_groups, expert=Expert.home(units=(256, 64)))

    References:
        HoME (arXiv 2408.05430), eq. 4 and 5.
    """

    units: Sequence[int] = (128, 64)
    activation: Activation
    batch_norm: bool
    batch_norm_momentum: float = 0.9
    batch_norm_initial_scale: float = 0.1
    batch_norm_epsilon: float = 1e-3
    kernel_initializer: Initializer = "glorot_uniform"

    def __post_init__(self) -> None:
        units = check_units("units", self.units, at_least=1)
        object.__setattr__(self, "units", units)
        check_choice("activation", self.activation, ACTIVATIONS)
        momentum, scale = self.batch_norm_momentum, self.batch_norm_initial_scale
        if not 0.0 <= momentum < 1.0:
            raise ValueError(
                f"`batch_norm_momentum` must be in [0, 1). Received: {momentum!r}"
            )
        if not scale > 0.0:
            raise ValueError(
                f"`batch_norm_initial_scale` must be positive. Received: {scale!r}"
            )
        if not self.batch_norm_epsilon > 0.0:
            raise ValueError(
                "`batch_norm_epsilon` must be positive. Received: "
                f"{self.batch_norm_epsilon!r}"
            )

    @classmethod
    def home(cls, units: Sequence[int] = (128, 64), **arguments: Any) -> "Expert":
        """HoME's expert, `Swish(BatchNorm(MLP(x)))`; takes further arguments."""
        return cls(units=units, activation="swish", batch_norm=True, **arguments)

    @classmethod
    def swish(cls, units: Sequence[int] = (128, 64), **arguments: Any) -> "Expert":
        """HoME's expert without batch normalisation, `Swish(MLP(x))`."""
        return cls(units=units, activation="swish", batch_norm=False, **arguments)

    @classmethod
    def relu(cls, units: Sequence[int] = (128, 64), **arguments: Any) -> "Expert":
        """The usual expert, `ReLU(MLP(x))`."""
        return cls(units=units, activation="relu", batch_norm=False, **arguments)

    @classmethod
    def of(cls, value: "Expert | str | Mapping[str, Any]") -> "Expert":
        """Resolves the `expert` argument of a layer.

        Args:
            value: An expert, its name, or what `get_config` returns.

        Raises:
            ValueError: If it is anything else.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and value in NAMED_EXPERTS:
            return NAMED_EXPERTS[value]
        if isinstance(value, Mapping):
            return cls(**value)
        raise ValueError(
            f"`expert` must be an `Expert` or one of {tuple(NAMED_EXPERTS)}. Received: "
            f"{value!r}"
        )

    def with_seed(self) -> "Expert":
        """A copy whose initialiser has a seed; see `initialization`."""
        return replace(self, kernel_initializer=with_seed(self.kernel_initializer))

    def derive(self, *names: str | int) -> "Expert":
        """A copy for one part of a layer, which draws its own weights."""
        initializer = derive_initializer(self.kernel_initializer, *names)
        return replace(self, kernel_initializer=initializer)

    @property
    def width(self) -> int:
        """The output width `D`."""
        return self.units[-1]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the expert."""
        config = {field.name: getattr(self, field.name) for field in fields(self)}
        initializer = keras.initializers.get(self.kernel_initializer)
        return {
            **config,
            "units": list(self.units),
            "kernel_initializer": keras.initializers.serialize(initializer),
        }


NAMED_EXPERTS = {
    "home": Expert.home(),
    "swish": Expert.swish(),
    "relu": Expert.relu(),
}
