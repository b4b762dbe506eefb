"""Benchmarking the layer of HoME against a naive one and its matrix products."""

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.backend.variables import tf_variable
from home_tf.lab.bench.naive_home import NaiveHoME, copy_weights
from home_tf.lab.bench.timing import ratio, time_in_turn
from home_tf.layers import Expert, HoME

# The size of the large product that gives the rate of matrix products.
COLUMNS = 1024
# Of each function, whose time is their median.
_TRACES = 3
# How far two layers that compute the same may be apart, by relative norm: far above the
# rounding in float32, four times the machine epsilon in half precision.
SAME = {"float32": 1e-5, "bfloat16": 4 * 2.0**-7, "float16": 4 * 2.0**-10}


@dataclass(frozen=True)
class LayerSizes:
    """The sizes of the benchmark.

    Attributes:
        batch: Examples per step.
        features: Width of the ranking input.
        tasks: Number of tasks, in two groups, the first of three tenths of them.
        experts: Number of shared experts, and of each group's; a task has one.
        expert_units: Widths of an expert's layers.
        lora_rank: Ranks at the meta and at the task level.
        dtype: Dtype policy of the layers; the limit's product has its compute dtype.
    """

    batch: int = 1024
    features: int = 512
    tasks: int = 10
    experts: int = 2
    expert_units: tuple[int, ...] = (128, 64)
    lora_rank: tuple[int, int] = (64, 8)
    dtype: str = "float32"

    @property
    def task_groups(self) -> dict[str, list[str]]:
        """The tasks by group."""
        names = [f"task_{i}" for i in range(self.tasks)]
        first = max(1, self.tasks * 3 // 10)
        groups = {"watch": names[:first], "inter": names[first:]}
        return {group: tasks for group, tasks in groups.items() if tasks}

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `HoME` besides the task groups."""
        return {
            "expert": Expert.home(units=self.expert_units),
            "lora_rank": self.lora_rank,
            "num_shared_experts": self.experts,
            "num_group_experts": self.experts,
            "dtype": self.dtype,
        }


def bench_layer(
    sizes: LayerSizes | None = None, *, rounds: int = 30, jit_compile: bool = False
) -> dict[str, Any]:
    """Measures a forward pass, and a forward and backward pass, of `HoME`.

    The naive layer is a Keras layer for each expert, gate and LoRA; it has the same
    weights, and is checked to give the same outputs. The limit is the time of the
    matrix products with kernels alone at the rate of one large `tf.matmul` of the same
    run: one product a kernel forward, and two more backward.

    Args:
        sizes: What to measure; by default ten tasks at batch 1024.
        rounds: Timed calls of each.
        jit_compile: Whether XLA compiles both layers.

    Returns:
        `{key: value}`: ratios as `{"median", "low", "high"}` (quartiles over rounds),
        times in milliseconds, sizes of the traced graphs, and what was measured.
    """
    sizes = sizes or LayerSizes()
    v = tf.constant(
        np.random.default_rng(0).normal(size=(sizes.batch, sizes.features)), tf.float32
    )
    home, naive = _layers(sizes, v)
    traced = {
        f"{name}.{kind}": trace(layer, v, training=training, jit_compile=jit_compile)
        for name, layer in (("home", home), ("naive", naive))
        for kind, training in (("infer", False), ("train", True))
    }
    large, operations = large_product(sizes.batch, sizes.features, home.compute_dtype)
    seconds = time_in_turn(
        {"limit": large, **{name: t.run for name, t in traced.items()}}, rounds=rounds
    )
    result: dict[str, Any] = {
        "layer.rounds": rounds,
        "layer.batch": sizes.batch,
        "layer.tasks": sizes.tasks,
        "layer.dtype": sizes.dtype,
    }
    for kind in ("infer", "train"):
        mine, other = traced[f"home.{kind}"], traced[f"naive.{kind}"]
        at = seconds[f"home.{kind}"]
        needed = limit_of(home, sizes, training=kind == "train")
        limit = seconds["limit"] / operations * needed
        result |= {
            f"layer.{kind}.ms": float(np.median(at) * 1e3),
            f"layer.{kind}.speedup_vs_naive": ratio(seconds[f"naive.{kind}"], at),
            f"layer.{kind}.time_vs_limit": ratio(at, limit),
            f"layer.{kind}.graph_vs_naive": mine.operations / other.operations,
            f"layer.{kind}.trace_vs_naive": mine.seconds / other.seconds,
        }
    return result


def _layers(sizes: LayerSizes, v: Any) -> tuple[HoME, NaiveHoME]:
    home = HoME(sizes.task_groups, **sizes.arguments)
    home(v)
    random = np.random.default_rng(1)
    # The maps of feature gates start at zero, where nothing could be told of them.
    home.set_weights(
        [
            random.normal(0, 0.1, w.shape) if "up" in w.name else np.array(w)
            for w in home.weights
        ]
    )
    naive = NaiveHoME(home)
    naive(v)
    copy_weights(home, naive)
    check_same(home, naive, v)
    return home, naive


def check_same(home: HoME, naive: NaiveHoME, v: Any) -> None:
    """Raises an `AssertionError` if the two layers do not compute the same."""
    for training in (False, True):
        expected = naive(v, training=training)
        for task, found in home(v, training=training).items():
            difference = relative_difference(found, expected[task])
            assert difference < SAME[home.compute_dtype], (task, training, difference)


def relative_difference(found: Any, expected: Any) -> float:
    """The Euclidean norm of the difference of two tensors, relative to the second."""
    a, b = (np.array(tf.cast(tensor, tf.float64)) for tensor in (found, expected))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@dataclass(frozen=True)
class Traced:
    """A traced function of `v`, with its tracing time and graph size."""

    call: Any
    v: Any
    seconds: float
    operations: int

    def run(self) -> Any:
        """Calls the function to its end."""
        return _wait_for(tf.nest.flatten(self.call(self.v))[0])


def trace(layer: Any, v: Any, *, training: bool, jit_compile: bool = False) -> Traced:
    """Traces a layer's forward pass, or its forward and backward pass."""
    function = _training(layer) if training else _inference(layer)
    seconds = []
    for _ in range(_TRACES):
        gc.collect()  # otherwise the next one pays for the garbage of the last
        start = time.perf_counter()
        traced = tf.function(function, jit_compile=jit_compile, autograph=False)
        call = traced.get_concrete_function(v)
        seconds.append(time.perf_counter() - start)
    median = float(np.median(seconds))
    return Traced(call, v, median, len(call.graph.get_operations()))


def _inference(layer: Any) -> Callable[[Any], Any]:
    return lambda v: layer(v, training=False)


def _training(layer: Any) -> Callable[[Any], Any]:
    weights = layer.trainable_variables
    sources = [tf_variable(weight) for weight in weights]

    def step(v: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(v)
            outputs = layer(v, training=True)
            floats = [tf.cast(h, tf.float32) for h in outputs.values()]
            loss = tf.add_n([tf.reduce_sum(h * h) for h in floats])
        return tape.gradient(loss, [v, *sources])

    return step


def limit_of(home: HoME, sizes: LayerSizes, *, training: bool) -> int:
    """Counts the operations of kernel products: one forward, two more backward."""
    passes = 3 if training else 1
    # 2 operations per element and example.
    return 2 * passes * sizes.batch * _kernel_elements(home)


def large_product(
    rows: int, features: int, dtype: str = "float32"
) -> tuple[Callable[[], Any], int]:
    """Makes a large product, and counts its operations.

    It comes as one for each CPU: all CPUs are busy, also where an operation has one
    thread.
    """
    a = tf.cast(tf.random.normal((rows, features)), dtype)
    b = tf.cast(tf.random.normal((features, COLUMNS)), dtype)
    blocks = np.array_split(b, os.cpu_count() or 1, axis=1)
    blocks = [tf.constant(block, dtype) for block in blocks]
    products = tf.function(lambda: [tf.matmul(a, block) for block in blocks])
    return lambda: _wait_for(products()[0]), 2 * rows * features * COLUMNS


def _wait_for(matrix: Any) -> Any:
    # One element: copying all of them would be timed too.
    return matrix[0, 0].numpy()


def _kernel_elements(layer: Any) -> int:
    weights = layer.trainable_variables
    return sum(int(np.prod(w.shape)) for w in weights if len(w.shape) == 2)
