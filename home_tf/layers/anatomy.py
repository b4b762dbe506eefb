"""The experts and gates of an architecture, under readable names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from home_tf.types import KerasLayer

Owner = Literal["shared", "group", "task"]


@dataclass(frozen=True)
class NamedExpert:
    """An expert.

    Attributes:
        path: Its place, such as `task/inter/is_like`: level and owner.
        index: Its number among its owner's experts.
        owner: Its owner: shared, a task group or a task.
    """

    path: str
    index: int
    owner: Owner

    def __str__(self) -> str:
        return f"{self.path}/{self.index}"


def name_experts(path: str, number: int, owner: Owner) -> list[NamedExpert]:
    """The experts of one owner."""
    return [NamedExpert(path, index, owner) for index in range(number)]


@dataclass(frozen=True)
class BankParts:
    """The experts of an `ExpertBank`, in the order of its output."""

    layer: KerasLayer
    experts: Sequence[NamedExpert]


@dataclass(frozen=True)
class GateParts:
    """The gates of an `ExpertGate`.

    Attributes:
        layer: The layer.
        names: The gates, in the order of its output, such as `task/inter/is_like`.
        sees: For each gate, the experts that it sees, in the order of its weights.
        tasks: For each gate, the task whose representation it computes, if any.
        is_self_gate: Whether these are self gates.
    """

    layer: KerasLayer
    names: Sequence[str]
    sees: Sequence[Sequence[NamedExpert]]
    tasks: Sequence[str | None]
    is_self_gate: bool = False


@dataclass(frozen=True)
class FeatureGateParts:
    """The gates of a `FeatureGate`.

    Attributes:
        layer: The layer.
        names: The gates, in the order of its output.
        reads_features: Whether they read the architecture's input.
    """

    layer: KerasLayer
    names: Sequence[str]
    reads_features: bool


@dataclass(frozen=True)
class Anatomy:
    """All experts and gates of an architecture.

    Attributes:
        banks: The experts.
        gates: The expert gates and self gates.
        feature_gates: The feature gates.
    """

    banks: Sequence[BankParts]
    gates: Sequence[GateParts] = field(default=())
    feature_gates: Sequence[FeatureGateParts] = field(default=())
