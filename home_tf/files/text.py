"""Reading JSON, and writing text and JSON atomically."""

import json
from typing import Any

from home_tf.errors import HomeError
from home_tf.files.anywhere import atomic_file
from home_tf.files.paths import AnyPath


def read_json(path: AnyPath) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        HomeError: If the file is not a JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise HomeError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(values, dict):
        raise HomeError(
            f"{path}: must be a JSON object. Received: {type(values).__name__}"
        )
    return values


def read_json_lines(path: AnyPath) -> list[dict[str, Any]]:
    """Reads a file with a JSON object on each line.

    A last line that a killed process left incomplete is ignored.

    Raises:
        HomeError: If any other line is not a JSON object.
    """
    found = []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise HomeError(f"{path}: line {number} is not a JSON object")
        found.append(values)
    return found


def write_json(path: AnyPath, values: dict[str, Any]) -> None:
    """Writes a JSON object atomically."""
    text = json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def write_text(path: AnyPath, text: str) -> None:
    """Writes text in UTF-8 atomically."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
