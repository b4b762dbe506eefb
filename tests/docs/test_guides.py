"""The guides as code: a page's Python in one process, its YAML as configuration."""

import os
import subprocess
import sys
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from support.guides import PAGES, ROOT, blocks_of

from home_tf.backend import IS_LEGACY
from home_tf.config import load_config
from home_tf.data import DatasetDirectory
from home_tf.prepare import prepare

pytestmark = pytest.mark.skipif(
    IS_LEGACY, reason="each page picks its Keras: once is enough"
)

# Tracing a model takes longer than its few steps.
EAGERLY = "import tensorflow as tf\n\ntf.config.run_functions_eagerly(True)\n"

# Blocks with these titles show the API of others, and do not run.
OTHERS = {"DeepCTR", "torch-rechub", "TFRS", "TorchEasyRec"}


def read_yaml(text):
    return YAML(typ="safe", pure=True).load(text)


def is_whole(values):
    """Whether a block is a configuration, and not a change to one."""
    return "log" in values.get("data", {})


def yaml_of(page):
    return [read_yaml(b.text) for b in blocks_of(page) if b.language == "yaml"]


def yaml_blocks(*, whole):
    return [
        pytest.param(values, id=f"{page} {number}")
        for page in PAGES
        for number, values in enumerate(yaml_of(page))
        if is_whole(values) == whole
    ]


def merge(values, changes, section=None):
    """Puts nested changes into nested values; a feature or a task is replaced."""
    for key, change in changes.items():
        is_section = isinstance(change, dict) and isinstance(values.get(key), dict)
        if is_section and section not in {"features", "tasks"}:
            merge(values[key], change, key)
        else:
            values[key] = change


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run_or_of_another_library(page):
    for block in blocks_of(page):
        if block.title is None:
            assert block.language in {"python", "yaml"}
        else:
            assert block.title in OTHERS


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_guide_runs(tmp_path, page):
    script = "\n".join(
        block.text
        for block in blocks_of(page)
        if block.language == "python" and block.title is None
    )
    if ".fit(" in script:
        script = EAGERLY + script
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for line in script.splitlines():
        _, is_shown, shown = line.partition(")  # ")
        if is_shown and line.startswith("print("):
            assert shown in done.stdout.splitlines(), done.stdout


@pytest.mark.parametrize("changes", yaml_blocks(whole=False))
def test_the_changes_of_a_guide_fit_the_demo(tmp_path, changes):
    yaml = YAML(typ="safe", pure=True)
    values = yaml.load(ROOT / "pipelines" / "kuairand.yaml")
    merge(values, changes)
    yaml.dump(values, tmp_path / "config.yaml")
    load_config(tmp_path / "config.yaml")


@pytest.fixture(scope="module")
def shop_log(tmp_path_factory):
    """A log with the columns that the configurations of the guides name."""
    folder = tmp_path_factory.mktemp("shop")
    rows, random = 6000, np.random.default_rng(0)
    minutes = np.sort(random.integers(0, 20 * 24 * 60, rows)).tolist()
    seen_at = [datetime(2026, 3, 1) + timedelta(minutes=m) for m in minutes]
    waits = random.exponential(3, rows).tolist()
    bought = (random.random(rows) < 0.05).tolist()
    click = random.random(rows) < 0.2
    log = {
        "visitor": random.integers(0, 90, rows),
        "product": random.integers(0, 40, rows),
        "user_id": random.integers(0, 90, rows),
        "video_id": random.integers(0, 40, rows),
        "seen_at": seen_at,
        "click": click,
        "like": click & (random.random(rows) < 0.2),
        "purchased_at": [
            time + timedelta(days=wait) if buys else None
            for time, wait, buys in zip(seen_at, waits, bought, strict=True)
        ],
    }
    pq.write_table(pa.table(log | {"purchase": bought}), folder / "views_1.parquet")
    return folder


def prepare_log(values, folder, log):
    YAML(typ="safe", pure=True).dump(values, folder / "shop.yaml")
    (folder / "views_1.parquet").symlink_to(log / "views_1.parquet")
    return prepare(None, folder / "shop.yaml", folder / "records")


@pytest.mark.parametrize("values", yaml_blocks(whole=True))
def test_the_configurations_of_the_guides_prepare_a_log(tmp_path, shop_log, values):
    made = prepare_log(values, tmp_path, shop_log)
    assert set(values["tasks"]) <= set(made.columns)
    assert all(split.rows for split in made.splits.values())


def rows_of(page, tmp_path, log):
    """Training, validation and test rows of a guide's configuration."""
    (values,) = filter(is_whole, yaml_of(page))
    prepare_log(values, tmp_path, log)
    data = DatasetDirectory(tmp_path / "records")
    return [
        next(iter(data.read(split, batch_size=10_000)))
        for split in ("train", "validation", "test")
    ]


def test_late_labels_are_missing_where_the_guide_says_so(tmp_path, shop_log):
    train, validation, test = rows_of("docs/guides/labels.md", tmp_path, shop_log)
    purchase = train["purchase"].numpy()
    known = purchase >= 0
    assert 0.5 < known.mean() < 0.6  # of 13 days the first seven
    assert 0 < purchase[known].sum() < (train["purchase"].numpy() != 0).sum()
    assert (train["click"].numpy() >= 0).all()
    for rows in (validation, test):
        assert (rows["purchase"].numpy() >= 0).all()


def test_negatives_are_sampled_as_the_guide_says(tmp_path, shop_log):
    train, *held_out = rows_of("docs/guides/rare_tasks.md", tmp_path, shop_log)
    interesting = (train["click"].numpy() == 1) | (train["purchase"].numpy() == 1)
    weights = train["row_weight"].numpy()
    assert set(weights[interesting]) == {1.0}
    assert set(weights[~interesting]) == {10.0}
    assert weights.sum() == pytest.approx(6000 * 13 / 20, rel=0.1)
    for rows in held_out:
        assert set(rows["row_weight"].numpy()) == {1.0}
        assert (rows["click"].numpy() == 0).mean() > 0.7
