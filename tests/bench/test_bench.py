"""The benchmarks: what they compare computes the same, and ratios are ratios."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from home_tf.backend import keras
from home_tf.bench.layer import LayerSizes, bench_layer, check_same
from home_tf.bench.naive_home import NaiveHoME, copy_weights
from home_tf.bench.timing import ratio, time_in_turn
from home_tf.layers import HoME

GROUPS = {"watch": ["a"], "inter": ["b", "c"], "more": ["d"]}
V = np.random.default_rng(0).normal(size=(16, 12)).astype(np.float32)
SMALL = LayerSizes(batch=8, features=8, tasks=3, expert_units=(4, 2), lora_rank=(2, 1))


def random_home(**switches):
    home = HoME(GROUPS, expert_units=(6, 4), **switches)
    home(V)
    random = np.random.default_rng(1)
    home.set_weights([np.abs(random.normal(0, 0.5, w.shape)) for w in home.weights])
    return home


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"num_shared_experts": 3, "num_task_experts": 2, "lora_rank": (3, 1)},
        {"num_loras": 4, "num_group_experts": 1},
    ],
)
def test_the_naive_layer_computes_what_home_does(switches):
    home = random_home(**switches)
    naive = NaiveHoME(home)
    naive(V)
    with pytest.raises(AssertionError):
        check_same(home, naive, V)  # the check tells different weights
    copy_weights(home, naive)
    check_same(home, naive, V)
    assert naive.count_params() == home.count_params()


def test_things_are_timed_in_turn():
    called = []
    functions = {name: lambda name=name: called.append(name) for name in "ab"}
    seconds = time_in_turn(functions, rounds=2, warm_up=1)
    assert "".join(called) == "ab" + "abab"
    assert {name: values.shape for name, values in seconds.items()} == {
        "a": (2,),
        "b": (2,),
    }


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


def test_the_command(tmp_path):
    file = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-c", QUICK, str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
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
sys.argv = ["home-tf", "bench", "layer", "--quick", "--json", sys.argv[1]]
cli.main()
"""
