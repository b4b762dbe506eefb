"""A flat CSV file without users or times, such as a census."""

import numpy as np
import pandas as pd
import pytest

from home_tf.backend import IS_LEGACY
from home_tf.config import load_config
from home_tf.data import DatasetDirectory

ROWS = 3000


@pytest.fixture
def people(tmp_path):
    random = np.random.default_rng(0)
    age = random.integers(16, 90, ROWS)
    is_rich = random.random(ROWS) < 1 / (1 + np.exp(-(age - 75) / 5))
    frame = pd.DataFrame(
        {
            "person number": np.arange(ROWS) + 1000,
            "age": age,
            "job code": random.integers(100, 160, ROWS),
            "town": random.choice([f"town {n}" for n in range(40)], ROWS),
            "hours": np.where(random.random(ROWS) < 0.2, np.nan, random.random(ROWS)),
            "wealth": np.exp(random.normal(4, 3, ROWS)).astype(int),
            "balance": random.standard_cauchy(ROWS),
            "sex": random.choice(["f", "m"], ROWS),
            "left_handed": random.integers(0, 2, ROWS),
            "country": "nowhere\nelse: [1",
            "tax": np.where(is_rich, "above", random.choice(["none", "low"], ROWS)),
            "sample_weight": random.random(ROWS),
            "income": np.where(is_rich, "50000+", "- 50000"),
        }
    )
    frame.to_csv(tmp_path / "people.csv.gz", index=False)
    return frame


def test_the_features_are_what_the_columns_are(people, first):
    found = first("people.csv.gz")
    assert found.values["data"]["log"] == "people.csv.gz"
    assert found.values["features"] == {
        "age": {"type": "numeric"},
        "job_code": {"type": "categorical", "width": 8},
        "town": {"type": "categorical", "width": 8},
        "hours": {"type": "numeric", "nullable": True},
        "wealth": {"type": "numeric", "transform": "log1p"},
        "balance": {
            "type": "numeric",
            "encoding": "bucketized",
            "buckets": 20,
            "width": 8,
        },
        "sex": {"type": "categorical", "width": 2},
        "left_handed": {"type": "categorical", "width": 2},
    }
    assert "20.0% missing" in found.text or "19." in found.text or "20." in found.text
    assert "2 values; a label? no name says so" in found.text


def test_what_is_left_out_is_said_with_the_reason(people, first):
    text = first("people.csv.gz").text
    for line in (
        "person_number: numbers the rows",
        r"country: always 'nowhere\nelse: [1'",
        "tax: alone it has an AUC of 1.000 for income_50000: it comes from the outcome",
        "sample_weight: the weight of a row?",
    ):
        assert f"  #   {line}" in text


def test_two_texts_are_a_label_whose_ones_are_the_rarer(people, first, prepare_it):
    found = first("people.csv.gz")
    assert found.values["tasks"] == {"income_50000": {"group": "main"}}
    assert found.values["data"]["columns"]["income_50000"] == "income = '50000+'"
    assert "A guess: no column has the name of an outcome" in found.text
    rows = prepare_it()
    assert sum(rows.values()) == ROWS
    assert rows["test"] == pytest.approx(ROWS / 10, rel=0.3)
    made = DatasetDirectory("records")
    ones = sum(
        float(batch["income_50000"].numpy().sum())
        for split in rows
        for batch in made.read(split, batch_size=1000)
    )
    assert ones == (people["income"] == "50000+").sum()


@pytest.mark.slow
def test_what_it_wrote_trains(people, first, prepare_it, tmp_path):
    from home_tf.training import evaluate_run, train

    first("people.csv.gz")
    prepare_it()
    framework = "tfrs" if IS_LEGACY else "keras"
    config = load_config("config.yaml", {"training.framework": framework})
    run = train(config, tmp_path / "records", tmp_path / "run")
    metrics = evaluate_run(run, splits=["test"])["test"]
    # Age alone, which the label was drawn from, has an AUC of about 0.93.
    assert metrics["auc"]["income_50000"] > 0.85


def test_a_large_file_is_guessed_from_a_sample(people, first, monkeypatch):
    import home_tf.init.column_profile as module

    whole = first("people.csv.gz").values
    monkeypatch.setattr(module, "SAMPLE_ROWS", 2100)
    monkeypatch.setattr(module, "_EXACT_ROWS", 1000)
    assert first("people.csv.gz", out="sampled.yaml").values == whole


def test_a_vocabulary_that_is_enormous_is_hashed(people, first, monkeypatch):
    import home_tf.init.feature_guess as module

    monkeypatch.setattr(module, "_ENORMOUS", 40)
    features = first("people.csv.gz").values["features"]
    assert features["town"] == {
        "type": "categorical",
        "encoding": "hashed",
        "buckets": 2**20,
        "width": 8,
    }


def test_a_large_vocabulary_leaves_rare_values_out(tmp_path, first):
    random = np.random.default_rng(0)
    frame = {"city": random.integers(0, 1500, 9000), "click": np.arange(9000) % 2}
    pd.DataFrame(frame).to_csv(tmp_path / "log.csv", index=False)
    (city,) = first("log.csv").values["features"].values()
    assert city == {"type": "categorical", "width": 16, "min_count": 2}


def test_names_that_a_record_cannot_have_are_changed(tmp_path, first, prepare_it):
    """Those of SQL, of a served model, of `prepare`; with spaces, or not in ASCII."""
    names = ["user", "order", "weights", "split", "größe", "size of it", "Size_of_it"]
    random = np.random.default_rng(0)
    frame = {name: random.integers(0, 30, 500) for name in names}
    frame["like"] = random.integers(0, 2, 500)
    frame["is click?"] = random.integers(0, 2, 500)
    pd.DataFrame(frame).to_csv(tmp_path / "log.csv", index=False)
    values = first("log.csv").values
    assert values["tasks"] == {
        "like": {"group": "inter"},
        "is_click": {"group": "inter"},
    }
    assert list(values["features"]) == [
        *("user", "order", "weights_column", "split_column", "gr_e", "size_of_it_2"),
        "Size_of_it",
    ]
    assert values["evaluation"] == {"group_by": "user"}
    assert sum(prepare_it().values()) == 500
