"""The architectures by name, and the section `model.architecture`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter

from home_tf.config.section import section_of, tagged
from home_tf.layers import CGC, PLE, AdaTT, HoME, MMoE, SharedBottom, SingleTask
from home_tf.types import KerasLayer

HOME = "home"
# A new architecture needs a line here and a file in `home_tf/layers`.
ARCHITECTURES: dict[str, Any] = {
    HOME: HoME,
    "shared_bottom": SharedBottom,
    "single_task": SingleTask,
    "mmoe": MMoE,
    "cgc": CGC,
    "ple": PLE,
    "adatt": AdaTT,
}
"""The layer of each `model.architecture.type`."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The layer from the features to the tasks' representations.

    Attributes:
        type: Name of the architecture.
        arguments: Arguments of its layer, all that a configuration can set.
    """

    type: str
    arguments: Mapping[str, Any]

    @classmethod
    def of(cls, type: str = HOME, **arguments: Any) -> "Architecture":
        """Makes an architecture from the arguments in a file, with defaults for others.

        Raises:
            ValueError: If there is no such architecture or argument.
        """
        adapter: TypeAdapter[Architecture] = TypeAdapter(architecture_section())
        return adapter.validate_python({"type": type, **arguments})

    def make_layer(
        self, task_groups: Mapping[str, Sequence[str]], **kwargs: Any
    ) -> KerasLayer:
        """Makes the layer.

        Args:
            task_groups: `{group: [task, ...]}`.
            **kwargs: Arguments of `keras.layers.Layer`.
        """
        return ARCHITECTURES[self.type](task_groups, **self.arguments, **kwargs)


@cache
def architecture_section() -> Any:
    """The section `model.architecture`, for pydantic."""
    sections = {
        name: section_of(layer, tag=name, build=_build)
        for name, layer in ARCHITECTURES.items()
    }
    return tagged(sections, default=HOME)


def _build(section: BaseModel) -> Architecture:
    arguments = dict(section)
    return Architecture(type=arguments.pop("type"), arguments=arguments)
