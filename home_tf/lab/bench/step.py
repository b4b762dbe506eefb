"""Benchmarking a training step of a configuration, and each of its parts."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.config import Config
from home_tf.data import DatasetDirectory
from home_tf.extras import extra
from home_tf.files import PathLike
from home_tf.lab.bench.timing import quartiles, ratio, time_in_turn
from home_tf.models.batch import unpack_batch
from home_tf.models.gradients import apply_gradients
from home_tf.training.experiment import Experiment

_BATCHES = 4
_PRODUCTS = {"MatMul": tf.raw_ops.MatMul, "BatchMatMulV2": tf.raw_ops.BatchMatMulV2}
# The parts of a step, in order.
PARTS = ("embeddings", "dense", "optimizer", "metrics")


def bench_step(
    config: Config, data: DatasetDirectory | PathLike, *, rounds: int = 30
) -> dict[str, Any]:
    """Measures a training step on a few batches of training rows, held in memory.

    Args:
        config: The configuration, whose `training.framework` is that of the Keras in
            force; with `training.jit_compile` the compiled step is measured beside the
            plain one.
        data: The dataset directory.
        rounds: Timed calls of each.

    Returns:
        `{key: value}`, medians with quartiles as `{"median", "low", "high"}`.
        `step.ms` is the plain step, `step.operations` those of its traced graph.
        `step.PART_ms` is a part alone: `preprocessing` of a batch, which `tf.data` does
        beside the step; `embeddings`, `dense` (experts, gates, towers and losses), both
        forward and backward; `optimizer`; `metrics`; and `products`, the matrix
        products of `dense`, each of its own shape, alone. `step.PART_share` is that
        over the step. `step.compiled_speedup` is the step over the compiled one,
        `step.compile_seconds` what its first call took.

    Raises:
        HomeError: If there are no training rows, or the configuration does not fit the
            data.
    """
    experiment = Experiment.open(config, data)
    experiment.check_rows("train", needed_by="the benchmark")
    batches = list(experiment.read_training().take(_BATCHES))
    step = _Step(experiment, jit_compile=False)
    runs = {"step": step.run(batches), **step.parts(batches[0])}
    found: dict[str, Any] = {
        "step.rounds": rounds,
        "step.examples": int(config.training.batch_size),
        "step.operations": step.num_operations(batches[0]),
    }
    if config.training.jit_compile:
        compiled = _Step(experiment, jit_compile=True)
        runs["compiled"] = compiled.run(batches)
        (first,) = time_in_turn({"": runs["compiled"]}, rounds=1, warm_up=0).values()
        found["step.compile_seconds"] = float(first[0])
    seconds = time_in_turn(runs, rounds=rounds)
    found["step.ms"] = quartiles(seconds["step"] * 1e3)
    if "compiled" in seconds:
        compiled_seconds = seconds.pop("compiled")
        found["step.compiled_speedup"] = ratio(seconds["step"], compiled_seconds)
    for name in seconds.keys() - {"step"}:
        found[f"step.{name}_ms"] = quartiles(seconds[name] * 1e3)
        found[f"step.{name}_share"] = ratio(seconds[name], seconds["step"])
    return dict(sorted(found.items()))


class _Step:
    """A model's step, and its parts."""

    def __init__(self, experiment: Experiment, *, jit_compile: bool) -> None:
        self._preprocessor = experiment.preprocessor
        self._split = experiment.data, experiment.config.training.batch_size
        self._model = experiment.make_model()
        self._model.compile(self._model.optimizer, jit_compile=jit_compile)
        self._step = tf.function(self._model.train_step, autograph=False)

    def run(self, batches: list[Any]) -> Callable[[], object]:
        """The whole step, each call on the next batch."""
        following = cycle(batches)
        return lambda: self._step(next(following))["loss"].numpy()

    def num_operations(self, batch: Any) -> int:
        """Operations of the step's graph, as traced."""
        return len(self._step.get_concrete_function(batch).graph.get_operations())

    def parts(self, batch: Any) -> dict[str, Callable[[], object]]:
        """Makes each part of the step on a batch, and the preprocessing before it."""
        model, network = self._model, self._model.network
        inputs, labels, weights = unpack_batch(batch, model.tasks)
        tables = network.features.trainable_variables
        others = [w for part in network.dense_parts for w in part.trainable_variables]

        def embed(of_v: Any) -> Any:
            with tf.GradientTape() as tape:
                v = network.embed(inputs, training=True)
            return v, tape.gradient(v, tables, output_gradients=of_v)

        def dense(v: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(v)
                logits = network.logits_of(v, training=True)
                losses = model.weighted_losses(labels, logits, weights)
                loss = model.loss_weighting.combine(losses)
            return logits, *tape.gradient(loss, (v, others))

        def metrics(logits: Any) -> Any:
            model.update_metrics(batch, logits)
            return model.get_metrics_result()

        def optimize(of_tables: Any, of_others: Any) -> Any:
            gradients = [*of_tables, *of_others]
            apply_gradients(model.optimizer, gradients, [*tables, *others])
            return model.optimizer.iterations

        v = network.embed(inputs, training=True)
        traced = tf.function(dense, autograph=False).get_concrete_function(v)
        logits, of_v, of_others = traced(v)
        _, of_tables = embed(of_v)
        return {
            "preprocessing": self._preprocessing(),
            "embeddings": _traced(embed, of_v),
            "dense": partial(_wait, partial(traced, v)),
            "products": _traced(_products_of(traced.graph)),
            "metrics": _traced(metrics, logits),
            "optimizer": _traced(optimize, of_tables, of_others),
        }

    def _preprocessing(self) -> Callable[[], object]:
        data, batch_size = self._split
        names = list(self._preprocessor.columns)
        rows = next(iter(data.read("train", batch_size=batch_size, columns=names)))
        return _traced(self._preprocessor, rows)


def _traced(function: Callable[..., Any], *arguments: Any) -> Callable[[], object]:
    """Traces a function on these arguments; calls wait for the result."""
    return partial(_wait, partial(tf.function(function, autograph=False), *arguments))


def _wait(function: Callable[[], Any]) -> None:
    tf.nest.flatten(function())[0].numpy()


def _products_of(graph: tf.Graph) -> Callable[[], list[Any]]:
    """Makes the matrix products of a graph, each on its own numbers."""
    products = []
    for operation in graph.get_operations():
        if operation.type in _PRODUCTS:
            names = [one.name for one in operation.op_def.input_arg]
            shapes = [tuple(one.shape) for one in operation.inputs]
            operands = {
                name: tf.random.stateless_normal(shape, (0, number))
                for number, (name, shape) in enumerate(zip(names, shapes, strict=True))
            }
            flags = [a.name for a in operation.op_def.attr if a.type == "bool"]
            given = {f: operation.get_attr(f) for f in flags if "grad" not in f}
            product = _PRODUCTS[operation.type]
            products.append(partial(product, **operands, **given))
    return lambda: [product() for product in products]


def plot_step(found: Mapping[str, Any], file: str | Path) -> None:
    """Plots the result of `bench_step`: the step above its parts, to scale.

    Args:
        found: The figures.
        file: The PNG file.
    """
    with extra("compare"):
        from matplotlib.figure import Figure

    milliseconds = {
        name: found[f"step.{name}_ms"]["median"] for name in (*PARTS, "products")
    }
    whole = found["step.ms"]["median"]
    figure = Figure(figsize=(9, 2.4), layout="constrained")
    ax = figure.subplots()
    starts = np.cumsum([0.0, *(milliseconds[name] for name in PARTS)])
    bars = [("step", 0.0, whole, 0)]
    bars += [
        (name, start, milliseconds[name], 1)
        for name, start in zip(PARTS, starts, strict=False)
    ]
    bars.append(("products", starts[1], milliseconds["products"], 2))
    for number, (name, start, width, row) in enumerate(bars):
        ax.barh(-row, width, 0.9, start, color=f"C{number}", alpha=0.6)
        text = f"{name}\n{width:.1f} ms"
        narrow = width < 0.06 * max(whole, starts[-1])
        ax.text(
            start + width / 2,
            -row,
            text,
            ha="center",
            va="center",
            fontsize=7 if narrow else 9,
            rotation=90 if narrow else 0,
        )
    ax.set_yticks([])
    ax.set_xlabel("milliseconds, each part measured alone")
    ax.spines[["left", "right", "top"]].set_visible(False)
    figure.savefig(file, dpi=120)
