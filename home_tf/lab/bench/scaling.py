"""Benchmarking how the cost of HoME's layer grows with its sizes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.extras import extra
from home_tf.lab.bench.layer import LayerSizes, large_product, limit_of, trace
from home_tf.lab.bench.timing import time_in_turn
from home_tf.layers import HoME

# Their labels in the plot, if the name of the size is not clear.
_LABELS = {
    "experts": "experts of each kind",
    "expert_units": "width of the experts' first layer",
    "features": "input features",
}

# The sizes that grow, one at a time, from `LayerSizes()`.
SWEEPS: dict[str, tuple[Any, ...]] = {
    "tasks": (1, 4, 16, 64),
    "experts": (1, 2, 4, 8),
    "expert_units": ((32, 16), (64, 32), (128, 64), (256, 128)),
    "features": (128, 256, 512, 1024),
    "batch": (256, 1024, 4096),
}


def bench_scaling(
    sizes: LayerSizes | None = None,
    *,
    sweeps: Mapping[str, tuple[Any, ...]] | None = None,
    rounds: int = 10,
) -> dict[str, Any]:
    """Measures a forward and backward pass of `HoME` as one size grows.

    Args:
        sizes: The sizes that do not grow.
        sweeps: `{size: values}`; by default `SWEEPS`.
        rounds: Timed calls of each.

    Returns:
        `{"scaling.SIZE=VALUE.ms": milliseconds, "scaling.SIZE=VALUE.time_vs_limit":
        ratio}`, medians; `128x64` stands for the widths `(128, 64)`. The limit is that
        of `bench_layer`.
    """
    sizes = sizes or LayerSizes()
    found: dict[str, Any] = {"scaling.rounds": rounds}
    for name, values in (sweeps or SWEEPS).items():
        for value in values:
            milliseconds, times = _measure(replace(sizes, **{name: value}), rounds)
            found[f"{_key(name, value)}.ms"] = milliseconds
            found[f"{_key(name, value)}.time_vs_limit"] = times
    return found


def _key(name: str, value: Any) -> str:
    widths = value if isinstance(value, tuple) else (value,)
    return f"scaling.{name}={'x'.join(map(str, widths))}"


def _measure(sizes: LayerSizes, rounds: int) -> tuple[float, float]:
    v = tf.random.stateless_normal((sizes.batch, sizes.features), (0, 0))
    home = HoME(sizes.task_groups, **sizes.arguments)
    home(v)
    step = trace(home, v, training=True)
    product, rate = large_product(sizes.batch, sizes.features, home.compute_dtype)
    seconds = time_in_turn({"step": step.run, "product": product}, rounds=rounds)
    limit = limit_of(home, sizes, training=True) * seconds["product"] / rate
    milliseconds = float(np.median(seconds["step"]) * 1e3)
    return milliseconds, float(np.median(seconds["step"] / limit))


def plot_scaling(
    found: Mapping[str, Any],
    file: str | Path,
    *,
    sweeps: Mapping[str, tuple[Any, ...]] | None = None,
) -> None:
    """Plots the result of `bench_scaling`: one log-log panel per size.

    Args:
        found: The figures.
        file: The PNG file.
        sweeps: As given to `bench_scaling`.
    """
    with extra("compare"):
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogLocator, ScalarFormatter

    sweeps = sweeps or SWEEPS
    figure = Figure(figsize=(2.8 * len(sweeps), 3.2), layout="constrained")
    axes = figure.subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
    for ax, (name, values) in zip(axes, sweeps.items(), strict=True):
        at = [_key(name, value) for value in values]
        x = [value[0] if isinstance(value, tuple) else value for value in values]
        step = np.array([found[f"{key}.ms"] for key in at])
        times = np.array([found[f"{key}.time_vs_limit"] for key in at])
        ax.plot(x, step, "o-", label="step")
        ax.plot(x, step / times, "o--", label="matrix products")
        ax.set(xscale="log", yscale="log", xlabel=_LABELS.get(name, name))
        ax.set_xticks(x, [f"{value:g}" for value in x])
        ax.minorticks_off()
    axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[0].yaxis.set_major_formatter(ScalarFormatter())
    axes[0].set_ylabel("milliseconds")
    axes[0].legend()
    figure.savefig(file, dpi=120)
