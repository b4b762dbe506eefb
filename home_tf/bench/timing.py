"""Timing things against each other in one run."""

import time
from collections.abc import Callable, Mapping

import numpy as np

Seconds = np.ndarray[tuple[int], np.dtype[np.float64]]


def time_in_turn(
    functions: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 3
) -> dict[str, Seconds]:
    """Calls functions in turn, so that a slower phase of the machine slows them all.

    Args:
        functions: What to time, by name. Each must wait for its own result.
        rounds: Calls of each that are timed.
        warm_up: Calls of each before.

    Returns:
        `{name: seconds of each call}`, `(rounds,)`.
    """
    for function in functions.values():
        for _ in range(warm_up):
            function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def ratio(slow: Seconds, fast: Seconds) -> dict[str, float]:
    """The median over the rounds of `slow / fast`, and its quartiles."""
    low, median, high = np.percentile(slow / fast, [25, 50, 75])
    return {"median": float(median), "low": float(low), "high": float(high)}
