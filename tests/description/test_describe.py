"""What is said of a dataset directory, against NumPy and SciPy."""

import numpy as np
import pytest
from scipy.stats import norm

from home_tf.data import Column, RecordWriter
from home_tf.description import describe, find_concerns


@pytest.fixture(scope="module")
def found(data):
    return describe(data)


def test_rows_and_kinds(found):
    assert found.rows == {"train": 20_000, "validation": 4_000, "test": 4_000}
    assert list(found.labels) == ["click"]
    kinds = {name: one.kind for name, one in found.features.items()}
    assert kinds == {
        "user": "id",
        "tags": "ids",
        "price": "number",
        "site": "id",
        "day": "id",
    }


def test_labels_have_positives_rates_and_their_change(found, splits):
    rates = {}
    for split, one in found.labels["click"].items():
        known = splits[split]["click"][~np.isnan(splits[split]["click"])]
        rates[split] = known.mean(dtype=np.float64)
        assert (one.known, one.positives) == (len(known), int(known.sum()))
        assert one.missing == pytest.approx(0.1)
        assert one.rate == pytest.approx(rates[split])
        assert one.interval[0] < one.rate < one.interval[1]
    test = found.labels["click"]["test"]
    assert found.labels["click"]["train"].change is None
    assert test.change == pytest.approx(rates["test"] - rates["train"])
    # The interval of independent rows, which that of Newcombe approaches.
    half = 1.96 * np.sqrt(
        rates["test"] * (1 - rates["test"]) / 3_600
        + rates["train"] * (1 - rates["train"]) / 18_000
    )
    assert test.change_interval == pytest.approx(
        (test.change - half, test.change + half), abs=5e-4
    )


def test_a_label_may_be_missing_as_minus_one(tmp_path):
    with RecordWriter(tmp_path / "data", {"y": Column("float32")}, shards=1) as out:
        out.write("train", {"y": np.array([1, 0, -1, 1], np.float32)})
    one = describe(tmp_path / "data").labels["y"]["train"]
    assert (one.known, one.positives, one.missing) == (3, 2, 0.25)


def test_missing_and_new_values(found, splits):
    user, tags = found.features["user"], found.features["tags"]
    new = np.mean(splits["test"]["user"] == 99)
    assert user.splits["test"].out_of_vocabulary == pytest.approx(new)
    assert user.splits["validation"].out_of_vocabulary == 0
    assert (user.distinct, tags.distinct) == (10, 2)
    assert {one.missing for one in tags.splits.values()} == {0.25}
    price = found.features["price"].splits["test"]
    assert price.missing == np.isnan(splits["test"]["price"]).mean()
    mean = np.nanmean(splits["test"]["price"].astype(np.float64))
    assert price.mean == pytest.approx(mean)


def test_numbers_drift_as_their_distributions_say(found):
    """The index of a normal distribution that moves by 1, with its own bins."""
    price = found.features["price"]
    assert price.splits["train"].drift is None
    assert price.splits["validation"].drift < 0.01
    before = np.diff(norm.cdf(price.edges), prepend=0, append=1)
    after = 0.8 * np.diff(norm.cdf(price.edges, loc=1), prepend=0, append=1)
    # No training row is without a price: half a row of 20,000 stands for it.
    before, after = np.append(before, 0.5 / 20_000), np.append(after, 0.2)
    expected = ((after - before) * np.log(after / before)).sum()
    assert price.splits["test"].drift == pytest.approx(expected, rel=0.05)
    assert sum(price.splits["test"].bins) == pytest.approx(3_200, abs=150)


def test_ids_drift_by_value_and_new_ones_share_a_bin(found, splits):
    def share(split, value):
        return (splits[split]["user"] == value).mean()

    # Half a row stands for the new values that no training row can have.
    pairs = [(share("train", v), share("test", v)) for v in range(10)]
    pairs.append((0.5 / 20_000, share("test", 99)))
    expected = sum((after - before) * np.log(after / before) for before, after in pairs)
    user = found.features["user"]
    assert user.splits["test"].drift == pytest.approx(expected, rel=0.01)
    assert user.splits["validation"].drift < 0.01
    assert found.features["site"].splits["test"].drift == 0


def test_rare_values_are_no_drift(tmp_path):
    """A third of the users of any split is new, and nothing has changed."""
    random = np.random.default_rng(0)
    splits = {
        split: np.where(random.random(rows) < 0.5, 0, random.integers(1, 30_000, rows))
        for split, rows in (("train", 20_000), ("test", 2_000))
    }
    folder = tmp_path / "data"
    with RecordWriter(folder, {"user": Column("int64")}, shards=1) as out:
        for split, users in splits.items():
            out.write(split, {"user": users})
    values, counts = np.unique(splits["train"], return_counts=True)
    lines = [f"{v},{n}" for v, n in zip(values, counts, strict=True)]
    (folder / "vocabularies").mkdir()
    (folder / "vocabularies" / "user.csv").write_text(
        "\n".join(["value,count", *lines])
    )
    user = describe(folder).features["user"].splits["test"]
    assert user.out_of_vocabulary > 0.3
    assert user.drift < 0.01


def test_coverage_is_that_of_the_most_frequent_values(found, splits):
    user = found.features["user"]
    values, counts = np.unique(splits["train"]["user"], return_counts=True)
    order = values[np.argsort(-counts)]
    assert user.coverage_places[0] == 1
    assert user.coverage_places[-1] == 10
    for split in ("train", "test"):
        users = splits[split]["user"]
        expected = [np.isin(users, order[:n]).mean() for n in user.coverage_places]
        np.testing.assert_allclose(user.splits[split].coverage, expected)


def test_without_vocabulary_and_quantiles_there_is_no_drift(found, data, tmp_path):
    day = found.features["day"]
    assert (day.distinct, day.has_vocabulary, day.drift) == (1, False, None)
    assert day.out_of_vocabulary is None
    with RecordWriter(tmp_path / "data", {"x": Column("float32")}, shards=1) as out:
        for split in ("train", "test"):
            out.write(split, {"x": np.array([0.5, 1.5, 4.0], np.float32)})
    number = describe(tmp_path / "data").features["x"]
    assert (number.kind, number.drift) == ("number", None)
    assert number.splits["test"].mean == 2.0


def test_different_values_are_counted_up_to_a_bound(tmp_path, monkeypatch):
    for module in ("id_counts", "describe_ids"):
        monkeypatch.setattr(f"home_tf.description.{module}.MOST_DISTINCT", 5)
    with RecordWriter(tmp_path / "data", {"id": Column("int64")}, shards=1) as out:
        out.write("train", {"id": np.arange(100)})
    assert describe(tmp_path / "data").features["id"].distinct == 5


def test_columns_that_need_attention_say_why(found):
    concerns = find_concerns(found)
    assert list(concerns) == ["user", "price", "site", "day"]
    user, price = found.features["user"], found.features["price"]
    share = user.splits["test"].out_of_vocabulary
    assert concerns["user"] == f"drift {user.drift:.2f}, {share:.0%} out of vocabulary"
    assert concerns["price"] == f"drift {price.drift:.2f}"
    assert concerns["site"] == concerns["day"] == "constant"


def test_few_positives_need_attention(tmp_path):
    with RecordWriter(tmp_path / "data", {"y": Column("float32")}, shards=1) as out:
        for split, ones in (("train", 100), ("test", 99)):
            y = np.zeros(1_000, np.float32)
            y[:ones] = 1
            out.write(split, {"y": y})
    assert find_concerns(describe(tmp_path / "data")) == {
        "y": "few positives: 99 in test"
    }


def test_progress_is_told_in_rows(data):
    steps = []
    describe(data, progress=lambda *step: steps.append(step))
    assert ("reading train", 16_384, 20_000) in steps
    assert steps[-1] == ("reading test", 4_000, 4_000)
