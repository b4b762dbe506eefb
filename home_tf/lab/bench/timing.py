"""Timing functions against each other in one run."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

Seconds = np.ndarray[tuple[int], np.dtype[np.float64]]


def time_in_turn(
    functions: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 3
) -> dict[str, Seconds]:
    """Times functions in turn, so that a slow phase of the machine affects them all.

    Each round starts one function later, so that none always follows the same one and
    inherits its caches.

    Args:
        functions: The functions by name. Each must wait for its own result.
        rounds: Timed calls of each.
        warm_up: Untimed calls of each before that.

    Returns:
        `{name: seconds of each call}`, `(rounds,)`.
    """
    for function in functions.values():
        for _ in range(warm_up):
            function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            functions[name]()
            seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def ratio(slow: Seconds, fast: Seconds) -> dict[str, float]:
    """The median and quartiles over the rounds of `slow / fast`."""
    return quartiles(slow / fast)


def quartiles(values: Seconds | Sequence[float]) -> dict[str, float]:
    """The median and quartiles over the rounds."""
    low, median, high = np.percentile(np.asarray(values), [25, 50, 75])
    return {"median": float(median), "low": float(low), "high": float(high)}
