"""The YAML file of a configuration, before its keys are checked.

Nothing here imports TensorFlow or Keras, because the file decides which Keras to
import.
"""

from typing import Any, get_args

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from home_tf.config.training_config import Framework, TrainingConfig
from home_tf.errors import HomeError
from home_tf.files import PathLike, as_path

_SHOWN = 100


def peek_framework(path: PathLike) -> Framework:
    """Reads `training.framework` from a configuration; it decides what to import.

    Args:
        path: The YAML file.

    Returns:
        `tfrs` or `keras`. Other errors in the file are left to `load_config`.

    Raises:
        HomeError: If the file is missing or not YAML, or the framework is neither.
    """
    training = read_yaml(path).get("training")
    if not isinstance(training, dict) or "framework" not in training:
        return TrainingConfig.framework
    found = training["framework"]
    for framework in get_args(Framework):
        if found == framework:
            return framework
    choices = " or ".join(map(repr, get_args(Framework)))
    raise HomeError(
        f"{path}: `training.framework`: must be {choices}. Received: {shown(found)}"
    )


def read_yaml(path: PathLike) -> dict[str, Any]:
    """Reads a YAML file whose content is a mapping.

    Raises:
        HomeError: If the file is missing, cannot be read, or is not a YAML mapping; the
            message names the line.
    """
    try:
        text = as_path(path).read_text(encoding="utf-8")
        values = YAML(typ="safe", pure=True).load(text)
    except FileNotFoundError:
        raise HomeError(f"{path}: no such configuration file") from None
    except OSError as error:
        raise HomeError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise HomeError(
            f"{path}: must be text in UTF-8. Received: byte "
            f"0x{error.object[error.start]:02x} at position {error.start}"
        ) from None
    except MarkedYAMLError as error:
        raise HomeError(f"{path}{_explain(error)}") from None
    except (YAMLError, ValueError) as error:  # such as an invalid date
        reason = str(error).splitlines()[0]
        raise HomeError(f"{path}: not valid YAML ({reason})") from None
    if not isinstance(values, dict):
        raise HomeError(
            f"{path}: a configuration is a mapping with the keys features, tasks, "
            f"evaluation. Received: {shown(values)}"
        )
    return values


def shown(value: Any) -> str:
    """Formats a value from a file for a message, no longer than a line."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _explain(error: MarkedYAMLError) -> str:
    """Explains a YAML error: the line, what was being read, and what is wrong."""
    place = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
    parts = [error.context, error.problem or "not valid YAML"]
    problem = ", ".join(part.splitlines()[0] for part in parts if part)
    # The error about a duplicate key includes its values.
    problem = problem.split(" with value ")[0]
    if r"'\t'" in problem:
        problem += ": indent with spaces"
    return f"{place}: {problem}"
