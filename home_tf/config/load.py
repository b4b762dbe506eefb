"""Reading, changing and writing a configuration."""

import fnmatch
import io
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

from home_tf.config.config import Config
from home_tf.config.explain import explain
from home_tf.config.read_yaml import read_yaml, shown
from home_tf.config.schema import config_adapter, to_values
from home_tf.errors import HomeError
from home_tf.files import PathLike, as_path, write_text


def load_config(path: PathLike, overrides: Mapping[str, Any] | None = None) -> Config:
    """Reads a configuration.

    Args:
        path: The YAML file.
        overrides: Values that override the file's, by dotted key, such as
            `{"training.epochs": 3}`. A `*` matches any part of an existing key:
            `features.*_id.width`.

    Returns:
        The checked configuration.

    Raises:
        HomeError: If the file is missing, is not YAML, or has a wrong key or value; the
            message names the file and the key.
    """
    return _checked(read_yaml(path), overrides or {}, where=path)


def make_config(values: Mapping[str, Any]) -> Config:
    """Makes a configuration from a dict with the content of a file.

    Args:
        values: The sections.

    Returns:
        The checked configuration.

    Raises:
        HomeError: If a key or value is wrong; the message names the key.
    """
    return _checked(dict(values), {}, where="the configuration")


def override_config(config: Config, overrides: Mapping[str, Any]) -> Config:
    """Returns a configuration with some values replaced.

    Args:
        config: The configuration.
        overrides: The new values by dotted key, as in `load_config`.

    Returns:
        A new, checked configuration.

    Raises:
        HomeError: If a key or value is wrong; the message names the key.
    """
    return _checked(to_values(config), overrides, where="the configuration")


def differing_keys(first: Config, second: Config) -> list[str]:
    """Finds the keys, such as `training.epochs`, whose values differ, in order.

    The order of features and tasks matters, too.
    """
    one, other = _flat(to_values(first)), _flat(to_values(second))
    found = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    if found:
        return found
    ordered = ("features", "tasks")
    return [
        f"the order of `{section}`"
        for section in ordered
        if list(getattr(first, section)) != list(getattr(second, section))
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def dump_config(config: Config, path: PathLike) -> None:
    """Writes a configuration, defaults included, as YAML that `load_config` reads."""
    text = io.StringIO()
    # Keys are not sorted, because the order of features and tasks matters.
    YAML(typ="rt").dump(to_values(config), text)
    write_text(as_path(path), text.getvalue())


def _checked(
    values: dict[str, Any], overrides: Mapping[str, Any], *, where: object
) -> Config:
    for key, value in overrides.items():
        _set(values, key, value, where=where)
    try:
        return config_adapter().validate_python(values)
    except ValidationError as error:
        raise HomeError(f"{where}: {explain(error)}") from None


def _set(values: dict[str, Any], key: str, value: Any, *, where: object) -> None:
    *sections, last = key.split(".")
    found = [values]
    for section in sections:
        inner = [
            one.setdefault(name, {})
            for one in found
            for name in _matching(one, section, key, where=where)
        ]
        for one in inner:
            if not isinstance(one, dict):
                raise HomeError(
                    f"{where}: `{key}` cannot be set: `{section}` must be a mapping. "
                    f"Received: {shown(one)}"
                )
        found = inner
    for one in found:
        for name in _matching(one, last, key, where=where):
            one[name] = value


def _matching(
    values: Mapping[str, Any], pattern: str, key: str, *, where: object
) -> list[str]:
    if "*" not in pattern:
        return [pattern]
    found = fnmatch.filter(values, pattern)
    if not found:
        raise HomeError(
            f"{where}: `{key}` cannot be set: nothing there matches `{pattern}`. "
            f"Available: {', '.join(values) or 'none'}"
        )
    return found
