"""The YAML file of a configuration, before its keys are checked.

Nothing here imports TensorFlow or Keras: which Keras is to be imported stands in the
file.
"""

from typing import Any, get_args

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from home_tf.config.training_config import Framework, TrainingConfig
from home_tf.errors import HomeError
from home_tf.files import PathLike, as_path

_SHOWN = 100


def peek_framework(path: PathLike) -> Framework:
    """The `training.framework` of a configuration, which decides what to import.

    Args:
        path: The YAML file.

    Returns:
        `tfrs` or `keras`. What else is wrong with the file `load_config` tells.

    Raises:
        HomeError: If the file is missing or no YAML, or the framework is neither.
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
        HomeError: If the file is missing, cannot be read, or is no YAML of a mapping;
            the message has its line.
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
    except (YAMLError, ValueError) as error:  # such as a date that is none
        reason = str(error).splitlines()[0]
        raise HomeError(f"{path}: not valid YAML ({reason})") from None
    if not isinstance(values, dict):
        raise HomeError(
            f"{path}: a configuration is a mapping with the keys features, tasks, "
            f"evaluation. Received: {shown(values)}"
        )
    return values


def shown(value: Any) -> str:
    """A value from a file as a message shows it: not longer than a line."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _explain(error: MarkedYAMLError) -> str:
    """The line of the file, what was being read, and what is wrong with it."""
    place = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
    parts = [error.context, error.problem or "not valid YAML"]
    problem = ", ".join(part.splitlines()[0] for part in parts if part)
    # What is said of a key that stands twice has its values in it.
    problem = problem.split(" with value ")[0]
    if r"'\t'" in problem:
        problem += ": indent with spaces"
    return f"{place}: {problem}"
