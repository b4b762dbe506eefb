"""Comparisons of logs without users, without days, and without either."""

import csv
import json
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from home_tf.config import load_config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.lab.comparison import compare, compared_models, worker
from home_tf.lab.comparison import compare as compare_function
from home_tf.lab.comparison.fold import make_folds
from home_tf.lab.comparison.training import Training

MODULE = sys.modules[compare_function.__module__]
HOME, LIGHTGBM = compared_models(["lightgbm"])
ROWS, REPLICATES = 2000, 40
YAML = """
data: {log: people.csv}
features:
  age: {type: numeric}
  row: {type: numeric}
  job: {type: categorical, width: 4}
tasks:
  rich: {group: money}
  owner: {group: money}
model:
  architecture: {expert: {units: [8]}, feature_gate: none, self_gate: none}
  tower_units: []
training: {epochs: 4, batch_size: 64, learning_rate: 0.02}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two configurations, and the file that both read."""
    random = np.random.default_rng(0)
    age, job = random.normal(50, 15, ROWS), random.integers(3, size=ROWS)
    score = (age - 50) / 15 + np.array([-1, 0, 1])[job]
    parts = ["train"] * 6 + ["validation", "test", "test", None]
    frame = pd.DataFrame(
        {
            "row": np.arange(ROWS),
            "age": age,
            "job": np.array(["clerk", "nurse", "smith"])[job],
            "part": random.choice(parts, ROWS),
            "seen": pd.Timestamp("2026-03-01") + pd.to_timedelta(range(ROWS), "s"),
            "rich": (score + random.normal(size=ROWS) > 1).astype(int),
            "owner": (score + random.normal(size=ROWS) > 0).astype(float),
        }
    )
    frame.loc[::7, "owner"] = np.nan
    made = tmp_path_factory.mktemp("people")
    frame.to_csv(made / "people.csv", index=False)
    (made / "people.yaml").write_text(YAML)
    numbers = YAML.replace("  job: {type: categorical, width: 4}\n", "")
    (made / "numbers.yaml").write_text(numbers)
    return made


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """Runs a comparison with LightGBM in this process; returns its folder and text."""

    def run_here(jobs, *, at_once, on_end):
        for job in jobs:
            worker.main(job.to_json())
            assert on_end(job, None) == []

    def start(split, *, config="people.yaml", time=None, folds=None):
        out, said = tmp_path_factory.mktemp("compared") / "out", []
        loaded = load_config(
            folder / config,
            {"data.split": split, **({"data.time": time} if time else {})},
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MODULE, "run_jobs", run_here)
            for kind in ("intra", "inter"):
                name = f"tensorflow.config.threading.set_{kind}_op_parallelism_threads"
                patch.setattr(name, lambda number: None)
            missing = compare(
                loaded,
                folder,
                out,
                architectures=["lightgbm"],
                seeds=1,
                folds=folds,
                trials=0,
                replicates=REPLICATES,
                say=said.append,
            )
        assert missing == []
        return out, said

    return start


@pytest.fixture(scope="module")
def flat(run):
    """Two folds of a flat file."""
    return run({"by": "shares", "test": 0.2}, folds=2)


def rows_of(out, fold, split):
    data = DatasetDirectory(out / "folds" / f"fold-{fold}")
    batches = data.read(split, batch_size=ROWS, columns=["row"])
    return {int(row) for batch in batches for row in batch["row"].numpy()}


@pytest.mark.slow
def test_no_row_of_a_flat_file_tests_twice(flat):
    out, _ = flat
    tests = [rows_of(out, fold, "test") for fold in (0, 1)]
    assert not tests[0] & tests[1]
    for fold, test in enumerate(tests):
        assert len(test) == pytest.approx(0.2 * ROWS, rel=0.2)
        others = [rows_of(out, fold, split) for split in ("train", "validation")]
        assert not test & set.union(*others)
    # What tunes tests in no fold.
    assert not rows_of(out, 0, "validation") & set.union(*tests)


def test_the_tables_speak_of_rows_and_of_no_gauc(flat):
    out, _ = flat
    table = (out / "table.md").read_text()
    assert "Tested on 2 random, disjoint parts, 20 % of the rows each; " in table
    assert "a bootstrap over rows (40 draws)" in table
    for word in ("GAUC", "user", "day", "monitored"):
        assert word not in table
    with (out / "trainings.csv").open() as file:
        assert "gauc" not in csv.DictReader(file).fieldnames
    summary = json.loads((out / "summary.json").read_text())
    assert "gauc" not in summary["architectures"]["home"]
    assert summary["group_by"] is None
    for name in ("gains", "differences", "quality", "learning_curves"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_answer_is_said_at_the_end_and_stands_at_the_top(flat):
    out, said = flat
    lines = said[-1].splitlines()
    assert lines[0] == "HoME against, mean over 2 tasks:"
    assert lines[1].startswith("  lightgbm  AUC ")
    assert (
        "One seed: the 95 % intervals say what other test rows would have" in lines[3]
    )
    assert max(map(len, lines)) <= 80
    table = (out / "table.md").read_text()
    assert table.startswith(f"# Comparison\n\n```text\n{said[-1]}\n```\n")


def drawn_aucs(out, model):
    """The mean AUC of replicates of the rows, and of the rows, by scikit-learn."""
    found = []
    for fold in (0, 1):
        with np.load(
            Training(model, fold, 0, out).folder / "predictions.npz"
        ) as arrays:
            for task in ("rich", "owner"):
                labels, scores = arrays[f"label:{task}"], arrays[f"probability:{task}"]
                random = np.random.default_rng(0)
                rows = len(labels)
                draws = [np.arange(rows)]
                draws += [random.integers(rows, size=rows) for _ in range(REPLICATES)]
                known = [draw[labels[draw] >= 0] for draw in draws]
                found.append([roc_auc_score(labels[d], scores[d]) for d in known])
    mean, *drawn = np.mean(found, axis=0)
    return mean, np.array(drawn)


def test_the_interval_is_over_common_rows(flat):
    out, _ = flat
    (home, home_drawn), (other, other_drawn) = (
        drawn_aucs(out, model) for model in (HOME, LIGHTGBM)
    )
    summary = json.loads((out / "summary.json").read_text())["architectures"]
    found = summary["lightgbm"]["auc"]["difference_to_home"]["mean"]
    assert found["value"] == pytest.approx(other - home, abs=1e-6)
    interval = np.quantile(other_drawn - home_drawn, [0.025, 0.975])
    assert found["interval"] == pytest.approx(interval, abs=1e-6)
    assert summary["home"]["auc"]["means"]["mean"]["value"] == pytest.approx(home)
    assert home > 0.75  # it has learnt


@pytest.mark.slow
def test_a_log_with_a_time_and_numbers_only(run):
    out, _ = run({"by": "shares"}, config="numbers.yaml", time="seen", folds=2)
    tests = [rows_of(out, fold, "test") for fold in (0, 1)]
    trains = [rows_of(out, fold, "train") for fold in (0, 1)]
    assert max(tests[0]) < min(tests[1])
    assert max(trains[0]) < min(tests[0])
    assert max(tests[1]) == ROWS - 1
    table = (out / "table.md").read_text()
    said = "Tested on 2 successive stretches of the time, 10 % of the rows each; "
    assert said in table
    content = Training(HOME, 0, 0, out).load()
    assert 0.6 < content["single_feature_auc"]["rich"] < 1


@pytest.mark.slow
def test_a_split_by_column_is_one_fold(run, folder):
    split = {"by": "column", "column": "part"}
    out, _ = run(split)
    frame = pd.read_csv(folder / "people.csv")
    assert rows_of(out, 0, "test") == set(frame[frame["part"] == "test"]["row"])
    assert (
        "Tested on the rows for which `part` says so; "
        in (out / "table.md").read_text()
    )
    config = load_config(folder / "people.yaml", {"data.split": split})
    with pytest.raises(HomeError, match=r"by column is one split.*`folds` 2\. Split"):
        make_folds(config, folder, folder, 2)


def test_a_split_by_time_is_one_fold(folder):
    split = {"by": "time", "validation": "2026-03-01 00:20", "test": "2026-03-01 00:25"}
    config = load_config(folder / "people.yaml", {"data.split": split})
    (fold,) = make_folds(config, folder, folder)
    assert fold.split == split


@pytest.mark.parametrize(
    ("overrides", "folds", "said"),
    [
        ({"data.time": "seen"}, None, "has 1 days, enough for 0 folds.*by: shares"),
        ({}, 9, "9 folds of .*leave no rows to train on.*`data.split.test`"),
        ({"data.log": "nobody.csv"}, 1, "no file matches nobody.csv"),
        ({"features.hours.type": "numeric"}, 1, "hours"),
    ],
)
def test_what_is_wrong_is_told_before_there_is_a_comparison(
    folder, tmp_path, overrides, folds, said
):
    config = load_config(folder / "people.yaml", overrides)
    out = tmp_path / "out"
    with pytest.raises(HomeError, match=said) as raised:
        compare(config, folder, out, architectures=["home"], folds=folds, say=print)
    assert "\n" not in str(raised.value)
    assert not out.exists()


def test_gauc_selects_nothing_without_users(folder, tmp_path):
    config = load_config(folder / "people.yaml")
    with pytest.raises(HomeError, match=r"to select by GAUC, .* `evaluation.group_by`"):
        compare(config, folder, tmp_path / "out", architectures=[], metric="gauc")
