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
    return next(iter(DatasetDirectory(prepared).read(split, batch_size=1000)))


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
    with pytest.raises(
        HomeError, match=r"user_id.csv: a vocabulary must have the columns"
    ):
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
def copy(prepared, tmp_path):
    """Prepared data that a test may change, without its records."""
    shutil.copytree(prepared / "vocabularies", tmp_path / "data" / "vocabularies")
    for name in ("schema.json", "statistics.json"):
        shutil.copy(prepared / name, tmp_path / "data")
    return tmp_path / "data"


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
            "`duration_ms.quantiles`, which feature `duration_ms` needs, is empty: no "
            "training row has a number in this column. Remove it from the features",
        ),
        *(
            (
                "duration_ms",
                {"quantiles": quantiles},
                "`duration_ms.quantiles`, which feature `duration_ms` needs, must be a "
                "list of at least two finite numbers in ascending order, those at "
                f"equal steps from 0 to 100 %. Received: {quantiles}",
            )
            for quantiles in (None, [1.0], [1.0, 3.0, 2.0], [0.0, "high"])
        ),
        (
            "video_impressions",
            {"log1p_variance": -1.0},
            "`video_impressions.log1p_variance`, which feature `video_impressions` "
            "needs, must not be negative. Received: -1.0",
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
        "labels (NaN or -1) out of its statistics, or set "
        "`model.prior_initialization: false`"
    )


def test_quantiles_of_a_label_that_are_no_numbers_are_told(with_statistics):
    folder = with_statistics("is_like", mean=0.2, quantiles=["low", 1])
    with pytest.raises(HomeError, match=r"`is_like.quantiles` must be a list"):
        _ = DatasetDirectory(folder).statistics("is_like").positive_rate


def test_the_rate_of_a_label_needs_no_more_than_its_mean(with_statistics):
    folder = with_statistics("is_like", mean=0.25, quantiles=[])
    assert DatasetDirectory(folder).statistics("is_like").positive_rate == 0.25


def numbers_of(config, folder, **columns):
    """The numeric features of a batch with other columns, by the feature's name."""
    preprocessor = make_preprocessor(config, folder)
    data = DatasetDirectory(folder)
    batch = next(iter(data.read("test", batch_size=3))) if columns else {}
    batch = {**batch, **{n: tf.constant(x, tf.float32) for n, x in columns.items()}}
    found = preprocessor(batch)["numeric_features"].numpy()
    return dict(zip(preprocessor.numeric_features, found.T, strict=True))


def with_records(folder, prepared):
    for file in prepared.glob("*.tfrecord"):
        shutil.copy(file, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("variance", [0.0, 1e-17])
def test_a_constant_column_is_moved_and_not_scaled(
    small_config, prepared, with_statistics, variance
):
    """As scikit-learn scales it."""
    folder = with_statistics(
        "user_is_click_rate", mean=2.5, variance=variance, quantiles=[2.5, 2.5]
    )
    with_records(folder, prepared)
    config = small_config()
    found = numbers_of(config, folder, user_is_click_rate=[2.5, 2.5, 2.5])
    np.testing.assert_array_equal(found["user_is_click_rate"], 0.0)
    folder = with_records(folder, prepared)
    statistics = json.loads((folder / "statistics.json").read_text())
    statistics["user_is_click_rate"]["quantiles"] = [0.0, 10.0]
    (folder / "statistics.json").write_text(json.dumps(statistics))
    found = numbers_of(config, folder, user_is_click_rate=[2.5, 3.0, 0.0])
    np.testing.assert_allclose(found["user_is_click_rate"], [0.0, 0.5, -2.5])


def test_small_numbers_are_scaled_as_any(small_config, prepared, with_statistics):
    folder = with_statistics(
        "user_is_click_rate", mean=2e-9, variance=1e-18, quantiles=[0.0, 4e-9]
    )
    with_records(folder, prepared)
    found = numbers_of(small_config(), folder, user_is_click_rate=[1e-9, 2e-9, 4e-9])
    np.testing.assert_allclose(found["user_is_click_rate"], [-1, 0, 2], atol=1e-5)


@pytest.mark.parametrize("graph", [False, True])
def test_a_missing_number_is_the_mean_with_an_indicator(small_config, prepared, graph):
    config = small_config(features__user_is_click_rate__nullable=True)
    preprocessor = make_preprocessor(config, prepared)
    call = tf.function(preprocessor) if graph else preprocessor
    batch = {name: values[:2] for name, values in first_batch(prepared).items()}
    batch["user_is_click_rate"] = tf.constant([np.nan, 0.3])
    found = call(batch)["numeric_features"].numpy()
    assert preprocessor.numeric_features == [
        "video_impressions",
        "user_is_click_rate",
        "user_is_click_rate is missing",
    ]
    assert found[0, 1] == 0.0
    np.testing.assert_array_equal(found[:, 2], [1.0, 0.0])
    batch["video_impressions"] = tf.constant([1.0, np.nan])
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="column `video_impressions` of the feat"
    ):
        call(batch)


def test_missing_numbers_have_a_bucket_of_their_own(small_config, prepared):
    preprocessor = make_preprocessor(
        small_config(features__duration_ms__nullable=True), prepared
    )
    batch = {name: values[:3] for name, values in first_batch(prepared).items()}
    quantiles = DatasetDirectory(prepared).statistics("duration_ms").quantiles
    batch["duration_ms"] = tf.constant([np.nan, quantiles[0], quantiles[-1]])
    found = preprocessor(batch)["duration_ms"].numpy()
    assert len(set(found)) == 3
    assert found[0] == preprocessor.tables["duration_ms"].size - 1


def test_missing_numbers_of_one_row_beside_those_of_many(small_config, prepared):
    """As in serving, where what is of the request has a single row."""
    config = small_config(
        features__user_is_click_rate__nullable=True,
        features__video_impressions__nullable=True,
    )
    preprocessor = make_preprocessor(config, prepared)
    batch = {name: values[:2] for name, values in first_batch(prepared).items()}
    for rate in (0.3, np.nan):
        both = {**batch, "user_is_click_rate": tf.constant([rate, rate])}
        both["video_impressions"] = tf.constant([np.nan, 7.0])
        once = {**both, "user_is_click_rate": tf.constant([rate])}
        np.testing.assert_array_equal(
            preprocessor(once)["numeric_features"],
            preprocessor(both)["numeric_features"],
        )


def test_the_value_of_keras_own_token_is_one_like_any(small_config, prepared, copy):
    file = copy / "vocabularies" / "user_active_degree.csv"
    file.write_text(file.read_text() + "[UNK],1\n")
    preprocessor = make_preprocessor(small_config(), copy)
    batch = {name: values[:2] for name, values in first_batch(prepared).items()}
    batch["user_active_degree"] = tf.constant(["[UNK]", "never seen"])
    known, unknown = preprocessor(batch)["user_active_degree"].numpy()
    assert (known > 1, unknown) == (True, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "value,count\n7,3\n7,2\n",
            "must have each value only once. Received: 7 more",
        ),
        ("value,count\n7,3\n1.5,2\n", "must be integers. Received: '1.5'"),
        ("value,count\nseven,3\n", "must be integers. Received: 'seven'"),
        ("value,count\n99999999999999999999,3\n", "Received: '99999999999999999999'"),
        ("value,count\n", "no training row has a value in column 'user_id'"),
        (
            "value,count\n7,1\n8,1\n",
            "occurs in `min_count` 2 training rows, the",
        ),
    ],
)
def test_a_vocabulary_that_is_none_is_told(small_config, copy, text, message):
    (copy / "vocabularies" / "user_id.csv").write_text(text)
    with pytest.raises(HomeError) as error:
        make_preprocessor(small_config(), copy)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
