"""The figures of `fit`, with either Keras."""

import json
import os
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support.benchmarks import is_ratio, kept_keys
from support.processes import run_python

from home_tf.backend import keras
from home_tf.lab.bench.fit import OPTIONS, FitSizes, bench_fit
from home_tf.lab.bench.input_wait import wait_shares
from home_tf.lab.bench.records import RecordSizes

SIZES = FitSizes(
    RecordSizes(4096, integers=2, floats=1, labels=2),
    # Of few operations, for tracing and compiling them is what takes time.
    {"type": "shared_bottom", "expert": {"units": [4]}},
    width=4,
    vocabularies=(10, 100_000),
    steps=2,
)
FRAMEWORK = "tfrs" if keras.__name__ == "tf_keras" else "keras"


@pytest.mark.slow
def test_the_figures_of_the_fit():
    found = bench_fit(FRAMEWORK, SIZES, rounds=2)
    names = ["input_wait_share", "overhead_vs_bare_loop"]
    names += [f"{option}_speedup" for option in OPTIONS]
    names += [f"{name}_large_vs_small" for name in ("adam", "lazy_adam")]
    assert all(is_ratio(found[f"fit.{name}"]) for name in names)
    assert found["fit.input_wait_share"]["high"] < 1
    # Memory is counted by some machines only, and has a test of its own.
    times = {key for key in kept_keys("fit") if not key.endswith("_step_mib")}
    assert times <= found.keys()


@pytest.mark.slow
def test_steps_on_large_vocabularies_look_up_other_rows_each_time(monkeypatch):
    seen = []

    def only_look(model):
        def step(batch):
            seen.append(batch[0]["integer_1"].numpy())
            return tf.constant(0.0)

        return step

    monkeypatch.setattr("home_tf.lab.bench.fit._bare_step", only_look)
    monkeypatch.setattr("home_tf.lab.bench.fit.wait_shares", lambda *_, **__: [0.0])
    bench_fit(FRAMEWORK, SIZES, rounds=2, options=())
    of_adam = seen[-10:]  # five rounds of each size
    assert all((a != b).any() for a, b in pairwise(of_adam))


SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture(scope="module")
def memory():
    """What is measured in a new process; pipelines of other tests hold no memory."""
    # oneDNN, which CPUs without AVX-512 have to be told to use, counts the memory.
    keras = {"TF_USE_LEGACY_KERAS": os.environ.get("TF_USE_LEGACY_KERAS", "0")}
    script = SUPPORT / "measured_memory.py"
    done = run_python(script, TF_ENABLE_ONEDNN_OPTS="1", **keras)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_peak_of_memory_is_what_is_held_at_once_beyond_what_was_held(memory):
    assert memory["calls"] == pytest.approx([192, 64], abs=1)


@pytest.mark.slow
def test_a_step_of_adam_takes_memory_for_the_whole_table_and_of_lazy_adam_does_not(
    memory,
):
    adam_small, adam_large, lazy_small, lazy_large = memory["steps"]
    # Adam of Keras makes a gradient, or a change, of the whole table.
    assert adam_large > adam_small + 0.8 * TABLE_MIB
    assert lazy_large < lazy_small + 0.3 * TABLE_MIB


TABLE_MIB = 4_000_000 * 4 * 4 / 2**20


class Sleeping(keras.Model):
    """A model whose step takes as many seconds as it is given, and no computing."""

    def __init__(self, seconds):
        super().__init__()
        self._seconds = seconds

    def call(self, inputs):
        return inputs

    def train_step(self, data):
        return {"loss": sleep(self._seconds, data[0])}


def sleep(seconds, x):
    def slow(x):
        time.sleep(seconds)
        return x

    return tf.ensure_shape(tf.numpy_function(slow, [x], tf.float32), x.shape)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "buffered", "low", "high"),
    [
        (0.1, False, 0.35, 0.75),  # waits as long as it computes
        (0.02, True, 0.0, 0.3),  # finds the next batch ready
        (0.2, True, 0.35, 0.75),  # gets 100 ms of each 200 ms for nothing
    ],
)
def test_the_wait_for_input_is_what_a_step_waits_for(seconds, buffered, low, high):
    batches = tf.data.Dataset.range(10).map(
        lambda _: (sleep(seconds, tf.zeros((2, 1))), tf.zeros((2, 1)))
    )
    model = Sleeping(0.1)
    model.compile()
    shares = wait_shares(model, batches.prefetch(2) if buffered else batches, epochs=2)
    assert len(shares) == 2
    assert low < np.mean(shares) < high, shares


def test_the_start_of_every_epoch_is_waited_for():
    def start(_):
        time.sleep(0.5)
        return np.zeros((2, 1), np.float32)

    first = tf.data.Dataset.range(1).map(
        lambda i: tf.ensure_shape(tf.numpy_function(start, [i], tf.float32), (2, 1))
    )
    batches = first.concatenate(tf.data.Dataset.from_tensors(tf.zeros((2, 1))))
    model = Sleeping(0.1)
    model.compile()
    shares = wait_shares(model, batches.map(lambda x: (x, x)), epochs=2)
    assert all(0.5 < share < 0.9 for share in shares)
