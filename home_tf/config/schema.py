"""Converting the values of a file to a configuration, and back."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from home_tf.config.architecture import Architecture, architecture_section
from home_tf.config.config import Config
from home_tf.config.keys import values_of
from home_tf.config.section import section_of, tagged
from home_tf.features import CategoricalFeature, Feature, NumericFeature

# By their `type`.
FEATURES: dict[str, Any] = {
    "categorical": CategoricalFeature,
    "numeric": NumericFeature,
}
_TYPES = {feature: name for name, feature in FEATURES.items()}


@cache
def config_adapter() -> TypeAdapter[Config]:
    """The validator that turns the values of a file into a `Config`."""
    features = {name: section_of(kind, tag=name) for name, kind in FEATURES.items()}
    types = {Feature: tagged(features), Architecture: architecture_section()}
    return TypeAdapter(section_of(Config, types=types))


def to_values(part: Any) -> Any:
    """Turns a configuration, or a part of it, into the values of a file.

    Keys that are None are left out: None is their default.
    """
    if isinstance(part, Architecture):
        return {"type": part.type, **to_values(part.arguments)}
    if is_dataclass(part):
        kind = type(part)
        tag = {"type": _TYPES[kind]} if kind in _TYPES else {}
        return {**tag, **to_values(values_of(part))}
    if isinstance(part, Mapping):
        return {k: to_values(v) for k, v in part.items() if v is not None}
    return list(map(to_values, part)) if isinstance(part, (list, tuple)) else part
