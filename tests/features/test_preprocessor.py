"""The preprocessor, against plain Python over the files that it reads."""

import csv
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.features import Preprocessor


def make_preprocessor(config, folder):
    return Preprocessor(config.features, DatasetDirectory(folder))


def first_batch(prepared, split="test"):
    return next(iter(DatasetDirectory(prepared).read(split, batch_size=200)))


def vocabulary(prepared, column):
    with (prepared / "vocabularies" / f"{column}.csv").open(newline="") as file:
        return {row["value"]: int(row["count"]) for row in csv.DictReader(file)}


def test_known_values_keep_apart_and_rare_and_unknown_ones_share_an_id(
    small_config, prepared
):
    batch = first_batch(prepared)
    ids = make_preprocessor(small_config(), prepared)(batch)["user_id"].numpy()
    counts = vocabulary(prepared, "user_id")
    users = batch["user_id"].numpy()
    known = np.array([counts.get(str(user), 0) >= 2 for user in users])
    assert known.any()
    assert not known.all()
    assert set(ids[~known]) == {1}
    assert (ids[known] > 1).all()
    pairs = {(user, i) for user, i in zip(users[known], ids[known], strict=True)}
    assert len(pairs) == len(set(users[known])) == len(set(ids[known]))


def test_missing_values_and_padding_get_id_zero(small_config, prepared):
    batch = {name: values[:2] for name, values in first_batch(prepared).items()}
    batch["video_id"] = tf.constant([-1, 10**9], tf.int64)
    batch["user_active_degree"] = tf.constant(["", "never seen"])
    batch["author_id"] = tf.constant([-1, 7], tf.int64)
    batch["tag"] = tf.constant([[-1, -1, -1, -1], [10**6, -1, -1, -1]])
    encoded = make_preprocessor(small_config(), prepared)(batch)
    assert encoded["video_id"][0] == 0
    assert encoded["video_id"][1] in (1, 2)  # two out-of-vocabulary buckets
    assert encoded["user_active_degree"].numpy().tolist() == [0, 1]
    assert encoded["author_id"][0] == 0
    assert 0 < encoded["author_id"][1] <= 50
    assert encoded["tag"].numpy().tolist() == [[0, 0, 0, 0], [1, 0, 0, 0]]


def test_a_shared_table_shares_ids(small_config, prepared):
    preprocessor = make_preprocessor(small_config(), prepared)
    batch = first_batch(prepared)
    encoded = preprocessor(batch)
    seen = batch["user_watched_videos"].numpy()
    watched = encoded["user_watched_videos"].numpy()
    assert watched.shape == seen.shape
    ids = dict(
        zip(
            batch["video_id"].numpy().tolist(), encoded["video_id"].numpy(), strict=True
        )
    )
    both = [
        (i, ids[v])
        for v, i in zip(seen.ravel(), watched.ravel(), strict=True)
        if v in ids
    ]
    assert both
    assert all(a == b for a, b in both)
    assert "user_watched_videos" not in preprocessor.tables


def test_every_id_is_inside_its_table(small_config, prepared):
    preprocessor = make_preprocessor(small_config(), prepared)
    for split in ("train", "test"):
        encoded = preprocessor(first_batch(prepared, split))
        for name, feature in preprocessor.embedded_features.items():
            ids = encoded[name].numpy()
            assert ids.min() >= 0
            assert ids.max() < preprocessor.tables[feature.table].size


def test_numbers_have_mean_zero_and_variance_one_over_the_training_rows(
    small_config, prepared
):
    preprocessor = make_preprocessor(small_config(), prepared)
    parts = [
        preprocessor(batch)["numeric_features"].numpy()
        for batch in DatasetDirectory(prepared).read("train", batch_size=1000)
    ]
    numbers = np.concatenate(parts).astype(np.float64)
    assert preprocessor.numeric_features == ["video_impressions", "user_is_click_rate"]
    np.testing.assert_allclose(numbers.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(numbers.var(0), 1, atol=1e-3)


def test_rates_are_the_shares_of_positives_in_the_training_rows(prepared):
    data = DatasetDirectory(prepared)
    rows = list(data.read("train", batch_size=1000))
    for task in ("is_click", "is_like"):
        labels = np.concatenate([batch[task].numpy() for batch in rows])
        rate = data.statistics(task).positive_rate
        assert rate == pytest.approx(labels[labels >= 0].mean(), rel=1e-5)
    with pytest.raises(HomeError, match=r"of column 'is_clik', which task `x` needs"):
        data.statistics("is_clik", needed_by="task `x`")


def test_buckets_hold_equal_shares_of_the_training_rows(small_config, prepared):
    preprocessor = make_preprocessor(small_config(), prepared)
    parts = [
        preprocessor(batch)["duration_ms"].numpy()
        for batch in DatasetDirectory(prepared).read("train", batch_size=1000)
    ]
    shares = np.bincount(np.concatenate(parts)) / sum(map(len, parts))
    assert len(shares) == 5
    np.testing.assert_allclose(shares, 0.2, atol=0.05)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            {"features__clicks": {"type": "numeric"}},
            r"feature `clicks` reads column 'clicks', which is not in the "
            r"dataset directory",
        ),
        (
            {"features__tag": {"type": "numeric"}},
            r"feature `tag` is numeric, but column 'tag' has dtype int32 and shape "
            r"\(4,\)",
        ),
        (
            {"features__video_impressions": {"type": "categorical", "width": 2}},
            r"feature `video_impressions` is categorical, but .* has dtype float32",
        ),
        (
            {"features__date": {"type": "categorical", "width": 2}},
            r"vocabularies/date.csv: no such vocabulary",
        ),
    ],
)
def test_a_feature_that_the_data_cannot_give(small_config, prepared, override, message):
    with pytest.raises(HomeError, match=message) as error:
        make_preprocessor(small_config(**override), prepared)
    assert "\n" not in str(error.value)


def test_broken_side_files_are_named(small_config, prepared, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(prepared, copy)
    (copy / "vocabularies" / "user_id.csv").write_text("id\n3\n")
    with pytest.raises(HomeError, match=r"user_id.csv: a vocabulary has the columns"):
        make_preprocessor(small_config(), copy)
    statistics = json.loads((copy / "statistics.json").read_text())
    del statistics["video_impressions"]
    shutil.copy(prepared / "vocabularies" / "user_id.csv", copy / "vocabularies")
    (copy / "statistics.json").write_text(json.dumps(statistics))
    with pytest.raises(HomeError, match=r"no statistics of column 'video_impressions'"):
        make_preprocessor(small_config(), copy)
    for text in ("{", "[]"):
        (copy / "statistics.json").write_text(text)
        with pytest.raises(HomeError, match=r"statistics.json: no readable statistic"):
            make_preprocessor(small_config(), copy)


@pytest.fixture
def with_statistics(prepared, tmp_path):
    """Prepared data whose statistics of a column have other values."""

    def change(column, **values):
        statistics = json.loads((prepared / "statistics.json").read_text())
        statistics[column].update(values)
        shutil.copytree(prepared / "vocabularies", tmp_path / "vocabularies")
        shutil.copy(prepared / "schema.json", tmp_path)
        (tmp_path / "statistics.json").write_text(json.dumps(statistics))
        return tmp_path

    return change


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (
            "video_impressions",
            {"log1p_mean": None},
            "`video_impressions.log1p_mean`, which feature `video_impressions` needs, "
            "must be a finite number. Received: None",
        ),
        (
            "user_is_click_rate",
            {"variance": float("nan")},
            "`user_is_click_rate.variance`, which feature `user_is_click_rate` needs, "
            "must be a finite number. Received: nan",
        ),
        (
            "duration_ms",
            {"quantiles": []},
            "`duration_ms.quantiles`, which feature `duration_ms` needs, must be a "
            "list of finite numbers, those at equal steps from 0 to 100 %. Received: ",
        ),
    ],
)
def test_statistics_that_are_none_are_named(
    small_config, with_statistics, column, values, message
):
    folder = with_statistics(column, **values)
    with pytest.raises(HomeError) as error:
        make_preprocessor(small_config(), folder)
    assert str(error.value).startswith(f"{folder / 'statistics.json'}: {message}")


@pytest.mark.parametrize(
    ("values", "received"),
    [
        ({"mean": -0.6}, "mean -0.6, lowest -0.6"),
        ({"mean": 1.5}, "mean 1.5, lowest 0"),
        # More ones than missing labels, which are -1.
        ({"mean": 0.2, "quantiles": [-1, 0, 1, 1]}, "mean 0.2, lowest -1"),
    ],
)
def test_rates_of_labels_that_are_not_zero_or_one(with_statistics, values, received):
    folder = with_statistics("is_like", **values)
    statistics = DatasetDirectory(folder).statistics("is_like", needed_by="task `like`")
    with pytest.raises(HomeError) as error:
        _ = statistics.positive_rate
    assert str(error.value) == (
        f"{folder / 'statistics.json'}: `is_like.mean`, which task `like` needs, must "
        f"be the share of ones, between 0 and 1. Received: {received}. Leave missing "
        "labels (NaN or -1) out of its statistics, or set `initial_rates: false`"
    )


def test_quantiles_of_a_label_that_are_no_numbers_are_told(with_statistics):
    folder = with_statistics("is_like", mean=0.2, quantiles=["low", 1])
    with pytest.raises(HomeError, match=r"`is_like.quantiles` must be a list"):
        _ = DatasetDirectory(folder).statistics("is_like").positive_rate


def test_the_rate_of_a_label_needs_no_more_than_its_mean(with_statistics):
    folder = with_statistics("is_like", mean=0.25, quantiles=[])
    assert DatasetDirectory(folder).statistics("is_like").positive_rate == 0.25
