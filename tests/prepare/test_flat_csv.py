"""A flat CSV file without users, days or history."""

import csv
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from home_tf.config import load_config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.prepare import prepare

YAML = """
data:
  log: people.csv
  columns:
    over_50k: income = '50000+'
features:
  age: {type: numeric}
  job: {type: categorical, width: 4}
  zip: {type: categorical, width: 4}
  hours: {type: numeric, transform: log1p, nullable: true}
tasks:
  over_50k: {group: money}
"""


@pytest.fixture
def people(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": random.integers(16, 90, 2000),
            "job": random.choice(["clerk", "nurse, private", "smith"], 2000),
            "zip": [f"{n:05}" for n in random.integers(0, 40, 2000)],
            "hours": np.where(random.random(2000) < 0.2, np.nan, random.random(2000)),
            "income": random.choice(["50000+", "-50000"], 2000, p=[0.1, 0.9]),
        }
    )
    frame.to_csv(tmp_path / "people.csv", index=False)
    (tmp_path / "config.yaml").write_text(YAML)
    return frame


def test_ten_lines_are_enough(people, tmp_path, read_split):
    made = prepare(None, tmp_path / "config.yaml", tmp_path / "out")
    rows = {name: split.rows for name, split in made.splits.items()}
    assert sum(rows.values()) == 2000
    assert rows["validation"] == pytest.approx(200, abs=50)
    assert rows["test"] == pytest.approx(200, abs=50)
    assert list(made.columns) == ["age", "job", "zip", "hours", "over_50k"]
    parts = [read_split(tmp_path / "out", split) for split in rows]
    found = Counter(
        (int(age), job.decode(), float(label))
        for part in parts
        for age, job, label in zip(
            part["age"], part["job"], part["over_50k"], strict=True
        )
    )
    income = (people["income"] == "50000+").astype(float)
    assert found == Counter(zip(people["age"], people["job"], income, strict=True))


def test_the_training_rows_are_counted(people, tmp_path, read_split):
    prepare(None, tmp_path / "config.yaml", tmp_path / "out")
    train = read_split(tmp_path / "out", "train")
    data = DatasetDirectory(tmp_path / "out")
    jobs = Counter(job.decode() for job in train["job"])
    counted = sorted(jobs.items(), key=lambda item: (-item[1], item[0]))
    with (tmp_path / "out" / "vocabularies" / "job.csv").open(newline="") as lines:
        assert list(csv.reader(lines))[1:] == [[job, str(n)] for job, n in counted]
    hours = train["hours"].astype(np.float64)
    known = hours[~np.isnan(hours)]
    assert 0 < len(known) < len(hours)
    statistics = data.statistics("hours")
    assert statistics.log1p_mean == pytest.approx(np.log1p(known).mean())
    assert statistics.quantiles == pytest.approx(
        np.quantile(known, np.linspace(0, 1, 101))
    )
    assert data.statistics("over_50k").mean == pytest.approx(train["over_50k"].mean())


def test_many_rows_have_the_quantiles_of_a_sample(
    people, tmp_path, monkeypatch, read_split
):
    import importlib

    module = importlib.import_module("home_tf.prepare.statistics")
    monkeypatch.setattr(module, "SAMPLE_ROWS", 800)
    prepare(None, tmp_path / "config.yaml", tmp_path / "out")
    train = read_split(tmp_path / "out", "train")["age"].astype(np.float64)
    age = DatasetDirectory(tmp_path / "out").statistics("age")
    assert age.mean == pytest.approx(train.mean())
    assert (age.quantiles[0], age.quantiles[-1]) == (train.min(), train.max())
    exact = np.quantile(train, np.linspace(0, 1, 101))
    # The standard error of a quantile of 800 rows is at most 0.018 of the range.
    np.testing.assert_allclose(age.quantiles, exact, atol=0.08 * (90 - 16))


def test_the_seed_decides_the_splits(people, tmp_path, read_split):
    for name, seed in {"one": 1, "same": 1, "other": 2}.items():
        prepare(None, tmp_path / "config.yaml", tmp_path / name, seed=seed)
    one, same, other = (
        read_split(tmp_path / name, "test")["age"] for name in ("one", "same", "other")
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_guessed_type_can_be_given(people, tmp_path, read_split):
    typed = YAML.replace(
        "  log: people.csv", "  log: people.csv\n  types: {zip: VARCHAR}"
    )
    (tmp_path / "config.yaml").write_text(typed)
    made = prepare(None, tmp_path / "config.yaml", tmp_path / "out")
    assert made.columns["zip"].dtype == "string"
    assert {len(code) for code in read_split(tmp_path / "out", "test")["zip"]} == {5}


def test_a_missing_number_is_told(people, tmp_path):
    (tmp_path / "config.yaml").write_text(YAML.replace(", nullable: true", ""))
    missing = int(people["hours"].isna().sum())
    with pytest.raises(HomeError, match=f"`hours` is missing in {missing} rows. Set"):
        prepare(None, tmp_path / "config.yaml", tmp_path / "out")


def test_a_configuration_without_data_is_told(people, tmp_path):
    text = "features:" + YAML.split("features:")[1]
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(HomeError, match="has no section `data`"):
        prepare(None, tmp_path / "config.yaml", tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"where": "hourz > 1"},
            r"^`data\.where`: 'hourz > 1': .* \"hourz\" not found",
        ),
        ({"day": "dayy"}, r"^`data\.day`: 'dayy': .* \"dayy\" not found"),
        ({"columns.age": "log(age"}, r"^`data\.columns\.age`: 'log\(age': [^\x1b]*$"),
        ({"columns.age": "age / 0"}, r"^`age` is infinite in 2,000 rows. Derive a fin"),
        (
            {"columns.age": "CAST('x' || age AS INTEGER)"},
            r"^the rows: Conversion Error: Could not convert string 'x\d+' to INT32$",
        ),
    ],
)
def test_sql_that_fails_is_told_by_its_key(people, tmp_path, changes, said):
    dotted = {f"data.{key}": value for key, value in changes.items()}
    config = load_config(tmp_path / "config.yaml", dotted)
    with pytest.raises(HomeError, match=said):
        prepare(tmp_path, config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "age,job,zip,hours,income\n"])
def test_a_log_without_rows_is_told(people, tmp_path, text):
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(HomeError, match=r"^`data\.log`: people\.csv has no rows$"):
        prepare(None, tmp_path / "config.yaml", tmp_path / "out")


def test_rows_without_a_day_are_counted(people, tmp_path):
    people["day"] = np.repeat([20220101, 20220102, 20220103, 20220104], 500)
    people["day"] = people["day"].astype("Int64").where(people.index >= 7)
    people.to_csv(tmp_path / "people.csv", index=False)
    config = load_config(tmp_path / "config.yaml", {"data.day": "day"})
    lines = []
    made = prepare(tmp_path, config, tmp_path / "out", on_warning=lines.append)
    assert lines == ["7 of 2,000 rows have no day, and are left out"]
    assert made.splits["train"].rows == 993
