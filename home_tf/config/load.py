"""Reading and writing the YAML file of a configuration."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import RootModel, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from home_tf.config.schema import Config
from home_tf.errors import HomeError


def load_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Reads a configuration.

    Args:
        path: The YAML file.
        overrides: Values to set instead of the file's, by dotted key, such as
            `{"training.epochs": 3}`.

    Returns:
        The checked configuration.

    Raises:
        HomeError: If the file is missing, no YAML, or does not fit the schema; the
            message names the file and the key.
    """
    return _checked(_read_yaml(Path(path)), overrides or {}, where=path)


def override_config(config: Config, overrides: Mapping[str, Any]) -> Config:
    """A configuration with some values replaced.

    Args:
        config: The configuration.
        overrides: The new values by dotted key, as in `load_config`.

    Returns:
        A new, checked configuration.

    Raises:
        HomeError: If the result does not fit the schema; the message names the key.
    """
    values = RootModel[Config](config).model_dump(mode="json", exclude_none=True)
    return _checked(values, overrides, where="the configuration")


def _checked(
    values: dict[str, Any], overrides: Mapping[str, Any], *, where: object
) -> Config:
    for key, value in overrides.items():
        _set(values, key.split("."), value)
    try:
        return TypeAdapter(Config).validate_python(values)
    except ValidationError as error:
        raise HomeError(f"{where}: {_explain(error)}") from None


def dump_config(config: Config, path: str | Path) -> None:
    """Writes a configuration, defaults included, as YAML that `load_config` reads."""
    values = RootModel[Config](config).model_dump(mode="json", exclude_none=True)
    text = io.StringIO()
    # The safe dumper sorts keys, and the order of features and tasks has a meaning.
    YAML(typ="rt").dump(values, text)
    Path(path).write_text(text.getvalue(), encoding="utf-8")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HomeError(f"{path}: no such configuration file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(f"{path}: cannot be read as text ({error})") from None
    except MarkedYAMLError as error:
        place = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = (error.problem or "not valid YAML").splitlines()[0]
        raise HomeError(f"{path}{place}: {problem}") from None
    except YAMLError as error:
        raise HomeError(
            f"{path}: not valid YAML ({str(error).splitlines()[0]})"
        ) from None
    if not isinstance(values, dict):
        raise HomeError(
            f"{path}: a configuration is a mapping with the keys features, tasks, "
            f"evaluation. Received: {type(values).__name__}"
        )
    return values


def _set(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise HomeError(f"`{'.'.join(keys)}` cannot be set: `{key}` is no mapping")
    values[keys[-1]] = value


def _explain(error: ValidationError) -> str:
    """The first problem in one line; the number of the others."""
    problems = error.errors(include_url=False)
    first = problems[0]
    where = ".".join(map(str, _keys(first["loc"]))) or "the whole file"
    if first["type"] == "unexpected_keyword_argument":
        text = f"`{where}`: unknown key. Received: {first['input']!r}"
    elif first["type"] in ("missing", "missing_argument"):
        text = f"`{where}`: this key is required"
    else:
        reason = first["msg"].removeprefix("Value error, ")
        received = (
            "" if first["type"] == "value_error" else f" Received: {first['input']!r}"
        )
        text = f"`{where}`: {reason}.{received}"
    more = f" ({len(problems) - 1} more problems)" if len(problems) > 1 else ""
    return text + more


def _keys(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The keys of the file in the location of a problem."""
    # A feature and the architecture are unions, and after the key of a union pydantic
    # puts the discriminator.
    is_union = location[:1] == ("features",) or location[:2] == (
        "model",
        "architecture",
    )
    return location[:2] + location[3:] if is_union else location
