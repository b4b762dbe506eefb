"""What the architectures share: their contract, and the levels of most of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras
from home_tf.layers.expert_bank import ExpertBank
from home_tf.layers.expert_level import ExpertLevel
from home_tf.layers.layer import ONE_INPUT, Layer, check_units

SHARED = "shared"


class Architecture(Layer):
    """Base of the layers from `(batch, features)` to `{task: (batch, D)}`.

    Private to the package. The arguments are those that all architectures have.

    Args:
        task_groups: `{group: [task, ...]}`.
        expert_units: Widths of an expert's layers; the last is `D`.
        expert: `"relu"`, `"swish"` or `"home"`.
        momentum: Momentum of the experts' BatchNorm.
        initial_gamma: What the scales of that BatchNorm start at; see `ExpertBank`.
        kernel_initializer: Initialiser of all kernels.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    input_rule = ONE_INPUT

    def __init__(
        self,
        task_groups: Mapping[str, Sequence[str]],
        *,
        expert_units: Sequence[int],
        expert: str,
        momentum: float,
        initial_gamma: float,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.task_groups = check_task_groups(task_groups)
        self.expert_units = check_units("expert_units", expert_units, at_least=1)
        self.expert = expert
        self.momentum = momentum
        self.initial_gamma = initial_gamma
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, group by group."""
        return [task for tasks in self.task_groups.values() for task in tasks]

    def _make_experts(self, num_experts: int) -> ExpertBank:
        return ExpertBank(
            num_experts,
            units=self.expert_units,
            expert=self.expert,
            momentum=self.momentum,
            initial_gamma=self.initial_gamma,
            kernel_initializer=self.kernel_initializer,
            dtype=self.dtype_policy,
            name="experts",
        )

    def compute_output_shape(
        self, input_shape: Sequence[int | None]
    ) -> dict[str, tuple[Any, ...]]:
        """`{task: (batch, D)}`."""
        return dict.fromkeys(self.tasks, (input_shape[0], self.expert_units[-1]))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            # As pairs: some savers sort the keys of a dict, and the order of the tasks
            # is the order of the weights.
            "task_groups": [
                [name, list(tasks)] for name, tasks in self.task_groups.items()
            ],
            "expert_units": list(self.expert_units),
            "expert": self.expert,
            "momentum": self.momentum,
            "initial_gamma": self.initial_gamma,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Architecture":
        """Rebuilds the layer from `get_config()`."""
        return cls(**{**config, "task_groups": dict(config["task_groups"])})


class LevelledArchitecture(Architecture):
    """Base of the architectures that are one level of gated experts, or several.

    Private to the package. A subclass sets `levels`; the last one's outputs are those
    of the tasks.

    Args:
        task_groups: `{group: [task, ...]}`.
        gate_units: Widths of the hidden layers of the gates.
        **kwargs: Arguments of `Architecture`.
    """

    levels: list[ExpertLevel]

    def __init__(
        self,
        task_groups: Mapping[str, Sequence[str]],
        *,
        gate_units: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(task_groups, **kwargs)
        self.gate_units = check_units("gate_units", gate_units)

    def _level_arguments(self) -> dict[str, Any]:
        """The arguments of `ExpertLevel` that are the same for all levels."""
        return {
            "expert_units": self.expert_units,
            "expert": self.expert,
            "momentum": self.momentum,
            "initial_gamma": self.initial_gamma,
            "gate_units": self.gate_units,
            "dtype": self.dtype_policy,
        }

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights of all levels."""
        first, *others = self.levels
        first.build((None, self._fix_width(input_shape)))
        for level in others:
            readers = len(self.tasks) + bool(level.num_shared_experts)
            level.build([(None, self.expert_units[-1])] * readers)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """Computes every task's representation.

        Args:
            inputs: The ranking features, `(batch, features)`.
            training: Whether the experts' BatchNorm uses the moments of the batch.

        Returns:
            `{task: (batch, D)}`.
        """
        x = inputs
        for level in self.levels:
            x = level(x, training=training)
        return dict(zip(self.tasks, x, strict=True))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "gate_units": list(self.gate_units)}


def check_task_groups(task_groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Returns the groups as a dict of lists if they are a partition of the tasks.

    Raises:
        ValueError: If there is no group, a group is empty, is no list of names, or is
            named "shared", or a task is named twice.
    """
    if not isinstance(task_groups, Mapping) or not task_groups:
        raise ValueError(
            "`task_groups` must be a dict {group: [task, ...]} with at least one "
            f"group. Received: {task_groups!r}"
        )
    if SHARED in task_groups:
        raise ValueError(
            f"`task_groups` must not name a group {SHARED!r}: it is the name of the "
            f"experts that all groups share. Received: groups {list(task_groups)}"
        )
    seen: dict[str, str] = {}
    for group, tasks in task_groups.items():
        if isinstance(tasks, str) or not tasks:
            raise ValueError(
                f"`task_groups` must list at least one task for group {group!r}. "
                f"Received: {tasks!r}"
            )
        for task in tasks:
            if task in seen:
                raise ValueError(
                    "`task_groups` must name every task once. Received: task "
                    f"{task!r} in group {seen[task]!r} and in group {group!r}"
                )
            seen[task] = group
    return {group: list(tasks) for group, tasks in task_groups.items()}
