"""Reading and writing the YAML file of a configuration."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import RootModel, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from home_tf.config.explain import explain, shown
from home_tf.config.schema import Config
from home_tf.errors import HomeError
from home_tf.files import write_text


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
        _set(values, key, value, where=where)
    try:
        return TypeAdapter(Config).validate_python(values)
    except ValidationError as error:
        raise HomeError(f"{where}: {explain(error)}") from None


def dump_config(config: Config, path: str | Path) -> None:
    """Writes a configuration, defaults included, as YAML that `load_config` reads."""
    values = RootModel[Config](config).model_dump(mode="json", exclude_none=True)
    text = io.StringIO()
    # The safe dumper sorts keys, and the order of features and tasks has a meaning.
    YAML(typ="rt").dump(values, text)
    write_text(Path(path), text.getvalue())


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HomeError(f"{path}: no such configuration file") from None
    except OSError as error:
        raise HomeError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise HomeError(
            f"{path}: should be text in UTF-8. Received: byte "
            f"0x{error.object[error.start]:02x} at position {error.start}"
        ) from None
    except MarkedYAMLError as error:
        raise HomeError(f"{path}{_explain_yaml(error)}") from None
    except (YAMLError, ValueError) as error:  # such as a date that is none
        reason = str(error).splitlines()[0]
        raise HomeError(f"{path}: not valid YAML ({reason})") from None
    if not isinstance(values, dict):
        raise HomeError(
            f"{path}: a configuration is a mapping with the keys features, tasks, "
            f"evaluation. Received: {shown(values)}"
        )
    return values


def _explain_yaml(error: MarkedYAMLError) -> str:
    """The line of the file, what was being read, and what is wrong with it."""
    place = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
    parts = [error.context, error.problem or "not valid YAML"]
    problem = ", ".join(part.splitlines()[0] for part in parts if part)
    # What is said of a key that stands twice has its values in it.
    problem = problem.split(" with value ")[0]
    if r"'\t'" in problem:
        problem += ": indent with spaces"
    return f"{place}: {problem}"


def _set(values: dict[str, Any], key: str, value: Any, *, where: object) -> None:
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise HomeError(
                f"{where}: `{key}` cannot be set: `{section}` should be a mapping. "
                f"Received: {shown(values)}"
            )
    values[last] = value
