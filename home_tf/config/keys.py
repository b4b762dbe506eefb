"""The keys of a section: the arguments of its constructor.

The signature provides names, types and defaults, so nothing is written twice.
"""

import inspect
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, get_type_hints

# Arguments of layers that the rest of the configuration determines.
_NO_KEYS = {"task_groups", "name", "dtype"}


@dataclass(frozen=True)
class Key:
    """A key of a section.

    Attributes:
        hint: The type hint of the argument.
        default: Its default; `MISSING` if it is required.
    """

    hint: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether the key must be given."""
        return self.default is MISSING


@cache
def keys_of(constructor: Any) -> dict[str, Key]:
    """The keys of a section, by name.

    Args:
        constructor: A class or a dataclass. Arguments of type `Any`, such as
            initialisers, are not keys, because no file can give them.
    """
    hints = get_type_hints(constructor.__init__, include_extras=True)
    parameters = inspect.signature(constructor).parameters.values()
    return {
        one.name: Key(hints[one.name], _default(constructor, one))
        for one in parameters
        if one.kind is not inspect.Parameter.VAR_KEYWORD
        and one.name not in _NO_KEYS
        and hints[one.name] is not Any
    }


def values_of(constructed: Any) -> dict[str, Any]:
    """Returns the keys and values of a constructed object, leaving out None."""
    kind: Any = type(constructed)
    values = {name: getattr(constructed, name) for name in keys_of(kind)}
    return {name: value for name, value in values.items() if value is not None}


def _default(constructor: Any, parameter: inspect.Parameter) -> Any:
    if parameter.default is inspect.Parameter.empty:
        return MISSING
    if is_dataclass(constructor):  # its signature does not show a factory's value
        field = next(f for f in fields(constructor) if f.name == parameter.name)
        if field.default_factory is not MISSING:
            return field.default_factory()
    return parameter.default
