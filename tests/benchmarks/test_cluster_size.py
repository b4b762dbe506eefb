"""What `benchmarks/cluster_size.py` computes, against built networks and by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest
from support.processes import run_python

from home_tf.backend import IS_LEGACY
from home_tf.lab.comparison.flops import flops_per_example

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "cluster_size.py"
sys.path.insert(0, str(SCRIPT.parent))

import check_cluster_size  # noqa: E402
import cluster_size  # noqa: E402
from cluster_size import Hardware, Network, Tables  # noqa: E402

NETWORKS = {
    "two groups": Network(
        features=12, groups=(1, 2), units=(8, 4), ranks=(5, 2), tower=(3,)
    ),
    "three groups, deep experts and towers": Network(
        features=12,
        groups=(2, 1, 1),
        units=(9, 7, 6),
        shared=1,
        group=3,
        task=2,
        loras=3,
        ranks=(2, 1),
        tower=(5, 4),
    ),
}
TABLES = Tables(ids=10, width=4, lookups=2)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_and_operations_are_those_of_a_built_network(name):
    network = NETWORKS[name]
    built = check_cluster_size.make_network(network, TABLES)
    built(check_cluster_size.make_batch(network, TABLES, 1)[0])
    table = TABLES.ids * TABLES.width
    trainable = sum(int(np.prod(w.shape)) for w in built.trainable_weights) - table
    assert network.parameters() == trainable
    assert network.moving_moments() == built.count_params() - table - trainable
    assert network.operations() == flops_per_example(built)


def test_what_a_gpu_holds_and_sends_is_as_by_hand():
    network, tables = NETWORKS["two groups"], Tables(ids=1000, width=4, lookups=10)
    weights = network.parameters()
    # In a ring of 4, each sends 3 quarters twice; and 3 times its 100 x 10 rows, of 4
    # numbers and an id.
    assert cluster_size.dense_bytes(network, 4) == pytest.approx(6 * weights)
    assert cluster_size.sparse_bytes(tables, 4, 100) == 3 * 100 * 10 * 20
    # Three quarters of the rows are elsewhere: their ids go there, they come back, and
    # their gradients go there.
    assert cluster_size.exchanged_bytes(tables, 4, 100) == 750 * (8 + 16 + 16)
    assert tables.held_bytes() == 3 * 1000 * 16
    held = cluster_size.checkpoint_bytes(network, tables)
    assert held == 48_000 + 4 * (3 * weights + network.moving_moments())


def test_the_ids_that_fit_fill_the_memory():
    network, hardware = Network(), Hardware(gpu_memory=80e9, usable=0.5)
    ids = cluster_size.largest_ids(network, Tables(), hardware, 4, 512)
    step = cluster_size.replicated(network, Tables(ids=ids), hardware, 4, 512)
    assert step.memory == pytest.approx(40e9)


@pytest.mark.skipif(IS_LEGACY, reason="once is enough")
def test_the_page_shows_what_the_script_prints():
    done = run_python(SCRIPT)
    assert done.returncode == 0, done.stderr
    page = (
        (ROOT / "docs" / "guides" / "scaling.md")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    lines = [line for line in done.stdout.splitlines() if line]
    assert sum(line.startswith("| 64 ") for line in lines) == 2
    assert [line for line in lines if line not in page] == []


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counted by Linux")
def test_two_processes_send_and_hold_what_the_formulas_say(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    for measured, formula in check_cluster_size.measure_training("rows").values():
        assert measured == pytest.approx(formula, rel=0.1)
