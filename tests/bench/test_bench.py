"""The benchmarks: their ratios are ratios, and worse figures are told."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from home_tf.backend import keras
from home_tf.bench.check import load_expected, regressions
from home_tf.bench.fit import OPTIONS, FitSizes, bench_fit
from home_tf.bench.input import bench_input
from home_tf.bench.layer import LayerSizes, bench_layer
from home_tf.bench.records import RecordSizes
from home_tf.bench.scaling import bench_scaling, plot_scaling
from home_tf.bench.timing import ratio, time_in_turn
from home_tf.errors import HomeError

SMALL = LayerSizes(batch=8, features=8, tasks=3, expert_units=(4, 2), lora_rank=(2, 1))


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


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_figures_of_the_layer(jit_compile):
    found = bench_layer(SMALL, rounds=2, jit_compile=jit_compile)
    for kind in ("train", "infer"):
        assert found[f"layer.{kind}.ms"] > 0
        assert found[f"layer.{kind}.graph_vs_naive"] > 0
        for name in ("speedup_vs_naive", "time_vs_limit"):
            quartiles = found[f"layer.{kind}.{name}"]
            assert 0 < quartiles["low"] <= quartiles["median"] <= quartiles["high"]
    assert keras.__version__ in found["device"]


def is_ratio(figure):
    return 0 <= figure["low"] <= figure["median"] <= figure["high"]


def test_the_figures_of_the_input():
    found = bench_input(RecordSizes(2000, integers=2, floats=1, labels=1), rounds=2)
    for name in ("packed_vs_rows", "rows_vs_row_by_row", "write_rows_vs_objects"):
        assert is_ratio(found[f"input.{name}"])
    # Both layouts are written and read: a rate of nothing would be an error.
    for name in ("packed", "rows", "write_packed", "write_rows", "prepare"):
        assert found[f"input.{name}.rows_per_second"] > 0


def test_the_figures_of_the_fit():
    sizes = FitSizes(
        RecordSizes(4096, integers=2, floats=1, labels=2),
        expert_units=(4,),
        lora_rank=2,
        width=4,
        vocabularies=(10, 100),
        steps=2,
    )
    framework = "tfrs" if keras.__name__ == "tf_keras" else "keras"
    found = bench_fit(framework, sizes, rounds=2)
    names = ["input_wait_share", "overhead_vs_bare_loop"]
    names += [f"{option}_speedup" for option in OPTIONS]
    names += [f"{name}_large_vs_small" for name in ("adam", "lazy_adam")]
    assert all(is_ratio(found[f"fit.{name}"]) for name in names)
    assert found["fit.input_wait_share"]["high"] < 1


def test_the_figures_of_the_scaling(tmp_path):
    sweeps = {"tasks": (1, 3), "experts": (1, 2), "batch": (4, 16)}
    found = bench_scaling(SMALL, sweeps=sweeps, rounds=2)
    for name, values in sweeps.items():
        for value in values:
            assert found[f"scaling.{name}={value}.ms"] > 0
            assert found[f"scaling.{name}={value}.time_vs_limit"] > 0
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
    ],
)
def test_figures_beyond_their_tolerance_are_told(tmp_path, speedup, time, worse):
    file = tmp_path / "expected.json"
    file.write_text(json.dumps(EXPECTED))
    found = {"speedup": {"median": speedup}, "time": time, "rounds": 3}
    assert regressions(found, load_expected(file)) == worse


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "cannot be read as JSON"),
        ('{"a": {"median": 1}}', "`a` should have the keys better, median, runs"),
        ('{"a": 1}', "`a` should have the keys better, median, runs"),
        ("[1]", r"should hold a JSON object. Received: \[1\]"),
    ],
)
def test_a_file_of_something_else_is_told(tmp_path, text, message):
    file = tmp_path / "expected.json"
    file.write_text(text)
    with pytest.raises(HomeError, match=message):
        load_expected(file)


def test_the_command(tmp_path):
    file, expected = tmp_path / "figures.json", tmp_path / "expected.json"
    never = {"median": 1e9, "tolerance": 0.5, "better": "higher", "runs": 1}
    expected.write_text(json.dumps({"layer.train.speedup_vs_naive": never}))
    done = subprocess.run(
        [sys.executable, "-c", QUICK, str(file), str(expected)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
        check=False,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    assert "1 of 1 figures are worse than expected" in done.stderr
    assert "layer.train.speedup_vs_naive is" in done.stdout
    assert json.loads(file.read_text())["rounds"] == 8
    assert "layer.train.speedup_vs_naive" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


# The command, on a layer that is traced quickly.
QUICK = """
import sys
from home_tf import bench, cli
measure = bench.bench_layer
def small(**options):
    from home_tf.bench.layer import LayerSizes
    sizes = LayerSizes(8, 8, 2, expert_units=(4,), lora_rank=(2, 1))
    return measure(sizes, **options)
bench.bench_layer = small
check = sys.argv[2]
sys.argv = ["home-tf", "bench", "layer", "--quick", "--json", sys.argv[1]]
sys.argv += ["--check", check]
cli.main()
"""
