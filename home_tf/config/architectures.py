"""The section `model.architecture`: the arguments of each architecture's layer."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    WrapValidator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

_STRICT = ConfigDict(extra="forbid")


def _no_truth(value: Any) -> Any:
    # To pydantic `true` is 1.
    if isinstance(value, bool):
        raise PydanticCustomError("rule", "should be a number")
    return value


def _one_or_two(value: Any, check: Callable[[Any], Any]) -> Any:
    # Of a union pydantic tells one problem for each member.
    if value == "paper":
        return value
    try:
        return check(value)
    except ValidationError:
        raise PydanticCustomError(
            "rule",
            "should be a whole number greater than 0, two in a list, or 'paper'",
        ) from None


Number = Annotated[FiniteFloat, BeforeValidator(_no_truth)]
Whole = Annotated[int, BeforeValidator(_no_truth), Field(ge=0)]
# TensorFlow's sizes are of 32 bits.
Positive = Annotated[int, BeforeValidator(_no_truth), Field(gt=0, lt=2**31)]
OneOrTwo = Annotated[
    Positive | tuple[Positive, Positive] | Literal["paper"] | None,
    WrapValidator(_one_or_two),
]
Widths = Annotated[tuple[Positive, ...], Field(min_length=1)]
Momentum = Annotated[Number, Field(ge=0.0, lt=1.0)]
Level = Literal["both", "meta", "none"]


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class ExpertConfig:
    """Arguments of `home_tf.layers.Expert`, under the same names."""

    units: Widths = (128, 64)
    activation: Literal["swish", "relu"]
    batch_norm: bool
    batch_norm_momentum: Momentum = 0.9
    batch_norm_initial_scale: Annotated[Number, Field(gt=0.0)] = 1.0
    batch_norm_epsilon: Annotated[Number, Field(gt=0.0)] = 1e-3


_EXPERTS: dict[str, dict[str, Any]] = {
    "home": {"activation": "swish", "batch_norm": True},
    "swish": {"activation": "swish", "batch_norm": False},
    "relu": {"activation": "relu", "batch_norm": False},
}


def _expert(default: str) -> Any:
    """An expert: a name, or keys that replace those of the default expert."""

    def complete(value: Any) -> Any:
        if isinstance(value, str):
            if value in _EXPERTS:
                return _EXPERTS[value]
            raise PydanticCustomError(
                "rule", "should be a mapping, or one of 'home', 'swish', 'relu'"
            )
        return {**_EXPERTS[default], **value} if isinstance(value, dict) else value

    return Annotated[ExpertConfig, BeforeValidator(complete)]


def _default_expert(name: str) -> Any:
    return Field(default_factory=lambda: ExpertConfig(**_EXPERTS[name]))


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class ArchitectureConfig:
    """What all architectures have: arguments of the layer, under the same names.

    Attributes:
        type: Of the architecture; its layer is in the module of `home_tf.layers` that
            has this name.
        layer: Name of the layer.
    """

    layer: ClassVar[str]
    type: str
    expert: _expert("relu") = _default_expert("relu")  # type: ignore[valid-type]


@dataclass(config=_STRICT, kw_only=True, frozen=True)
class HoMEConfig(ArchitectureConfig):
    """Arguments of `home_tf.layers.HoME`, under the same names.

    Attributes:
        type: `home`.
    """

    layer = "HoME"
    type: Literal["home"] = "home"
    num_shared_experts: Positive = 2
    num_group_experts: Positive = 2
    num_task_experts: Positive = 1
    expert: _expert("home") = _default_expert("home")  # type: ignore[valid-type]
    gate_units: tuple[Positive, ...] = ()
    feature_gate: Level = "both"
    feature_gate_scope: Literal["group", "expert"] = "group"
    num_loras: Positive = 2
    lora_rank: OneOrTwo = None
    self_gate: Level = "both"
    hierarchy_mask: bool = True


def _arguments_of(layer: str, type_: str, **arguments: tuple[Any, Any]) -> Any:
    """The section of an architecture.

    Args:
        layer: Name of its layer.
        type_: Its `type`, which is the name of the layer's module too.
        **arguments: Type and default of each argument that not all architectures have.
    """
    fields = {"type": (Literal[type_], type_), **arguments}
    section = type(
        f"{layer}Config",
        (ArchitectureConfig,),
        {
            "__doc__": f"Arguments of `home_tf.layers.{layer}`, under the same names.",
            "__annotations__": {name: hint for name, (hint, _) in fields.items()},
            "__module__": __name__,
            "layer": layer,
            **{name: default for name, (_, default) in fields.items()},
        },
    )
    return dataclass(config=_STRICT, kw_only=True, frozen=True)(section)


_GATES: Any = (tuple[Positive, ...], ())
_ONE, _TWO, _EIGHT = ((Positive, default) for default in (1, 2, 8))

# A new architecture is a line here, and a file in `home_tf/layers`.
ARCHITECTURES: dict[str, Any] = {
    section.type: section
    for section in (
        HoMEConfig,
        _arguments_of("SharedBottom", "shared_bottom"),
        _arguments_of("SingleTask", "single_task"),
        _arguments_of("MMoE", "mmoe", num_experts=_EIGHT, gate_units=_GATES),
        _arguments_of(
            "CGC",
            "cgc",
            num_shared_experts=_TWO,
            num_task_experts=_ONE,
            gate_units=_GATES,
        ),
        _arguments_of(
            "PLE",
            "ple",
            num_levels=_TWO,
            num_shared_experts=_TWO,
            num_task_experts=_ONE,
            gate_units=_GATES,
        ),
        _arguments_of(
            "AdaTT", "adatt", num_levels=_TWO, num_task_experts=_ONE, gate_units=_GATES
        ),
    )
}


def _home_by_default(architecture: Any) -> Any:
    if isinstance(architecture, dict):
        return {"type": "home", **architecture}
    return architecture


if TYPE_CHECKING:
    Architecture = Any
else:
    Architecture = Annotated[
        reduce(or_, ARCHITECTURES.values()),
        Field(discriminator="type"),
        BeforeValidator(_home_by_default),
    ]
