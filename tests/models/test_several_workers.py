"""Two processes train as one does: same weights, losses, metrics and predictions."""

from pathlib import Path

import numpy as np
import pytest
from support.workers import run_workers

from home_tf.backend import IS_LEGACY
from home_tf.data import Column, RecordWriter

SCRIPT = Path(__file__).parents[1] / "support" / "train_in_workers.py"
ROOT = Path(__file__).parents[2]


def write_records(folder):
    """97 rows in one file: batches of 32 leave one row, for one of two workers."""
    rows = 97
    random = np.random.default_rng(0)
    labels = {
        name: random.integers(0, 2, rows).astype(np.float32)
        for name in ("long_view", "like", "click")
    }
    # What one worker has of a batch can have no label at all.
    labels["like"][random.random(rows) < 0.9] = np.nan
    labels["click"][:70] = -1
    columns = {
        "user": random.integers(0, 50, rows),
        "item": random.integers(1, 60, rows),
        "weight": random.random(rows).astype(np.float32),
        **labels,
    }
    kinds = {name: Column(str(values.dtype)) for name, values in columns.items()}
    with RecordWriter(
        folder, kinds, shards=1, block_rows=16, nullable=list(labels)
    ) as writer:
        writer.write("train", columns)
    return folder


def train(folder, framework, weightings, number):
    done = run_workers(
        SCRIPT,
        folder / "records",
        folder,
        framework,
        *weightings,
        number=number,
        PYTHONPATH=str(ROOT),
        TF_USE_LEGACY_KERAS="1" if IS_LEGACY else "0",
    )
    assert [code for code, _ in done] == [0] * number, "\n".join(o for _, o in done)


def check(folder, framework, weightings):
    write_records(folder / "records")
    train(folder, framework, weightings, 1)
    train(folder, framework, weightings, 2)
    one = np.load(folder / "alone.npz")
    for index in range(2):
        found = np.load(folder / f"{index}.npz")
        assert set(found) == set(one)
        for name in one:
            np.testing.assert_allclose(
                found[name], one[name], atol=2e-5, err_msg=f"{name} of worker {index}"
            )


@pytest.mark.slow
def test_two_workers_agree_with_one_process(tmp_path):
    """Missing labels unevenly spread, a worker without rows, LazyAdam, GradNorm."""
    check(tmp_path, "tfrs" if IS_LEGACY else "keras", ["gradnorm"])


@pytest.mark.slow
def test_two_workers_agree_under_every_loss_weighting(tmp_path):
    check(tmp_path, "keras", ["sum", "uncertainty", "pcgrad"])
