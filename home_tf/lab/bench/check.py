"""Comparing the figures of a benchmark with expected ones."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from home_tf.errors import HomeError

_KEYS = {"median", "tolerance", "better", "runs"}


def load_expected(file: str | Path) -> dict[str, Any]:
    """Reads expected figures, `{key: {median, tolerance, better, runs}}`.

    Args:
        file: JSON. `better` is `higher` or `lower`; `tolerance` is relative to the
            median; `runs` is the number of benchmark runs behind the median.

    Raises:
        HomeError: If the file is missing or has another content.
    """
    try:
        expected: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HomeError(f"{file}: cannot be read as JSON ({error})") from None
    if not isinstance(expected, dict):
        raise HomeError(f"{file}: must hold a JSON object. Received: {expected!r}")
    for key, value in expected.items():
        if not _is_expectation(value):
            raise HomeError(
                f"{file}: `{key}` must have the keys {', '.join(sorted(_KEYS))}, "
                f"`better` being higher or lower. Received: {value}"
            )
    return expected


def _is_expectation(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == _KEYS
        and value["better"] in ("higher", "lower")
        and all(isinstance(value[k], int | float) for k in ("median", "tolerance"))
    )


def regressions(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Describes the figures that are worse than expected, one per line.

    Args:
        found: What a benchmark returns: numbers, and ratios with a `median`.
        expected: As of `load_expected`. Figures that were not measured are skipped.

    Returns:
        A line for each figure that is beyond its tolerance on the worse side, or is
        no number.
    """
    lines = []
    for key, wanted in expected.items():
        if key not in found:
            continue
        value = found[key]
        value = value["median"] if isinstance(value, Mapping) else value
        higher = wanted["better"] == "higher"
        factor = 1 - wanted["tolerance"] if higher else 1 + wanted["tolerance"]
        bound = wanted["median"] * factor
        # Written such that NaN fails.
        if not (value >= bound if higher else value <= bound):
            lines.append(
                f"{key} is {value:.3g}; expected {wanted['median']:.3g}, at "
                f"{'least' if higher else 'most'} {bound:.3g}"
            )
    return lines
