"""The benchmarks: their ratios are ratios, and worse figures are told."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from support.benchmarks import KEPT, is_ratio, kept_keys, run_bench

from home_tf.errors import HomeError
from home_tf.lab.bench.check import load_expected, regressions
from home_tf.lab.bench.environment import environment
from home_tf.lab.bench.input import bench_input
from home_tf.lab.bench.layer import COLUMNS, LayerSizes, bench_layer, limit_of
from home_tf.lab.bench.records import RecordSizes
from home_tf.lab.bench.scaling import SWEEPS, bench_scaling, plot_scaling
from home_tf.lab.bench.timing import ratio, time_in_turn
from home_tf.layers import HoME

SMALL = LayerSizes(batch=8, features=8, tasks=3, expert_units=(4, 2), lora_rank=(2, 1))


BENCHES = ("layer", "input", "fit", "serve", "step")


def test_every_kept_expectation_is_of_a_benchmark():
    # The tests of their figures compare the keys.
    keys = [kept_keys(name) for name in BENCHES]
    assert set().union(*keys) == load_expected(KEPT).keys()


def test_things_are_timed_in_turn():
    called = []
    functions = {name: lambda name=name: called.append(name) for name in "abc"}
    seconds = time_in_turn(functions, rounds=4, warm_up=1)
    assert "".join(called) == "abc" + "abc" + "bca" + "cab" + "abc"
    assert list(seconds) == ["a", "b", "c"]
    assert all(values.shape == (4,) for values in seconds.values())


def test_a_ratio_is_the_median_of_the_rounds():
    found = ratio(np.array([2.0, 9.0, 4.0]), np.array([1.0, 3.0, 1.0]))
    assert found == {"median": 3.0, "low": 2.5, "high": 3.5}


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_figures_of_the_layer(jit_compile):
    found = bench_layer(SMALL, rounds=2, jit_compile=jit_compile)
    for kind in ("train", "infer"):
        assert found[f"layer.{kind}.ms"] > 0
        assert found[f"layer.{kind}.graph_vs_naive"] > 0
        for name in ("speedup_vs_naive", "time_vs_limit"):
            quartiles = found[f"layer.{kind}.{name}"]
            assert 0 < quartiles["low"] <= quartiles["median"] <= quartiles["high"]
    assert kept_keys("layer") <= found.keys()


# SMALL has three owners of experts at the meta level, with six experts; six owners at
# the task level, with nine experts; and two LoRAs each.
META = 6 * (8 * 4 + 4 * 2) + 3 * (2 * (8 * 2 + 2 * 8) + 8 * 2)
META_GATES = 8 * 6 + 2 * 8 * 4 + 8 * 2 + 2 * 8 * 2
TASK = 9 * (2 * 4 + 4 * 2) + 6 * (2 * (2 * 1 + 1 * 2) + 2 * 2)
TASK_GATES = 3 * 4 * 5 + 3 * 2 * 1
OPERATIONS = 2 * 8 * (META + META_GATES + TASK + TASK_GATES)


def test_the_limit_counts_every_kernel_once_forward_and_twice_backward():
    home = HoME(SMALL.task_groups, **SMALL.arguments)
    home(np.zeros((8, 8), np.float32))
    assert limit_of(home, SMALL, training=False) == OPERATIONS
    assert limit_of(home, SMALL, training=True) == 3 * OPERATIONS


@pytest.mark.slow
def test_the_ratios_of_the_layer_follow_from_the_seconds(monkeypatch):
    # An operation of the large product takes a second.
    seconds = {
        "limit": 2 * 8 * 8 * COLUMNS,
        "home.infer": 2 * OPERATIONS,
        "naive.infer": 3 * OPERATIONS,
        "home.train": 12 * OPERATIONS,
        "naive.train": 60 * OPERATIONS,
    }

    def known(functions, *, rounds):
        assert set(functions) == set(seconds)
        return {name: np.full(rounds, float(s)) for name, s in seconds.items()}

    monkeypatch.setattr("home_tf.lab.bench.layer.time_in_turn", known)
    found = bench_layer(SMALL, rounds=2)
    for name, ratio_ in (
        ("infer.speedup_vs_naive", 1.5),
        ("infer.time_vs_limit", 2.0),
        ("train.speedup_vs_naive", 5.0),
        ("train.time_vs_limit", 4.0),
    ):
        assert found[f"layer.{name}"]["median"] == pytest.approx(ratio_)
    assert found["layer.train.ms"] == pytest.approx(12e3 * OPERATIONS)


@pytest.mark.slow
def test_the_figures_of_the_input():
    sizes = RecordSizes(2000, integers=2, floats=1, labels=1)
    found = bench_input(sizes, rounds=2, prepared_rows=2000)
    for name in ("packed_vs_rows", "rows_vs_row_by_row", "write_rows_vs_objects"):
        assert is_ratio(found[f"input.{name}"])
    # Both layouts are written and read: a rate of nothing would be an error.
    for name in ("packed", "rows", "write_packed", "write_rows", "prepare"):
        assert found[f"input.{name}.rows_per_second"] > 0
    assert kept_keys("input") <= found.keys()


@pytest.mark.slow
def test_the_figures_of_the_scaling(tmp_path):
    sweeps = {"tasks": (1, 2), "expert_units": ((4, 2),), "batch": (16,)}
    found = bench_scaling(SMALL, sweeps=sweeps, rounds=2)
    assert sweeps.keys() < SWEEPS.keys()
    for name in ("tasks=1", "tasks=2", "expert_units=4x2", "batch=16"):
        assert found[f"scaling.{name}.ms"] > 0
        assert found[f"scaling.{name}.time_vs_limit"] > 0
    plot_scaling(found, tmp_path / "scaling.png", sweeps=sweeps)
    assert (tmp_path / "scaling.png").stat().st_size > 10_000


EXPECTED = {
    "speedup": {"median": 2.0, "tolerance": 0.1, "better": "higher", "runs": 5},
    "time": {"median": 1.0, "tolerance": 0.2, "better": "lower", "runs": 5},
    "another": {"median": 1.0, "tolerance": 0.2, "better": "lower", "runs": 5},
}


@pytest.mark.parametrize(
    ("speedup", "time", "worse"),
    [
        (1.81, 1.19, []),
        (9.0, 0.1, []),
        (1.79, 1.0, ["speedup is 1.79; expected 2, at least 1.8"]),
        (2.0, 1.21, ["time is 1.21; expected 1, at most 1.2"]),
        (np.nan, 1.0, ["speedup is nan; expected 2, at least 1.8"]),
        (2.0, np.nan, ["time is nan; expected 1, at most 1.2"]),
    ],
)
def test_figures_beyond_their_tolerance_are_told(tmp_path, speedup, time, worse):
    file = tmp_path / "expected.json"
    file.write_text(json.dumps(EXPECTED))
    found = {"speedup": {"median": speedup}, "time": time, "layer.rounds": 3}
    assert regressions(found, load_expected(file)) == worse


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "cannot be read as JSON"),
        ('{"a": {"median": 1}}', "`a` must have the keys better, median, runs"),
        ('{"a": 1}', "`a` must have the keys better, median, runs"),
        ("[1]", r"must hold a JSON object. Received: \[1\]"),
    ],
)
def test_a_file_of_something_else_is_told(tmp_path, text, message):
    file = tmp_path / "expected.json"
    file.write_text(text)
    with pytest.raises(HomeError, match=message):
        load_expected(file)


@pytest.mark.slow
def test_the_command(tmp_path):
    file, expected = tmp_path / "figures.json", tmp_path / "expected.json"
    never = {"median": 1e9, "tolerance": 0.5, "better": "higher", "runs": 1}
    expected.write_text(json.dumps({"layer.train.speedup_vs_naive": never}))
    options = ["--batch", 16, "--tasks", 2, "--dtype", "mixed_bfloat16", "--quick"]
    done = run_bench(
        "small_layer", "layer", *options, "--json", file, "--check", expected
    )
    assert done.returncode == 2, done.stderr
    assert "1 of 1 figures are worse than expected" in done.stderr
    assert "layer.train.speedup_vs_naive is" in done.stdout
    found = json.loads(file.read_text())
    assert found["layer.rounds"] == 8
    assert (found["layer.batch"], found["layer.tasks"]) == (16, 2)
    assert found["layer.dtype"] == "mixed_bfloat16"
    assert "layer.train.speedup_vs_naive" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.slow
def test_the_command_for_all_keeps_the_figures_of_each(tmp_path):
    file = tmp_path / "figures.json"
    done = run_bench("nothing", "all", "--export", "a/b", "--json", file)
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    assert found.pop("seconds") >= 0
    assert found == {
        **environment(),
        "keras": found["keras"],  # not that of this process under legacy Keras
        "layer.rounds": 30,
        "input.rounds": 5,
        "fit.rounds": 10,
        "serve.rounds": 50,
        "serve.export": "a/b",
    }
    assert found["keras"].split()[0] == "keras"
    assert (found["tensorflow"], found["cpus"]) == (tf.__version__, os.cpu_count())
    assert "seconds" in done.stdout


@pytest.mark.slow
def test_a_folder_that_is_no_export_is_told_before_anything_is_measured(tmp_path):
    done = run_bench("no_layer", "all", "--export", tmp_path)
    assert done.returncode == 2
    assert "has no warm-up request for the signature 'predict'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "found"),
    [([], "tfrs tf_keras"), (["--framework", "keras"], "keras keras")],
)
def test_fit_is_measured_in_the_keras_in_force(tmp_path, options, found):
    file = tmp_path / "figures.json"
    done = run_bench("no_fit", "fit", *options, "--json", file, TF_USE_LEGACY_KERAS="1")
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    keras = figures["keras"].split()[0]
    assert f"{figures['fit.framework']} {keras}" == found
