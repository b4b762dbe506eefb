"""Streaming GAUC against the exact evaluator and values computed by hand."""

import numpy as np
import pyarrow.csv
import pytest
import tensorflow as tf
from support.strategies import two_devices

from home_tf.backend import keras
from home_tf.evaluation import gauc
from home_tf.metrics import GroupedAUC

# Of float32 sums, beside the error of the bins.
ROUNDING = 1e-6


def make_rows(seed=0, rows=5000, groups=60, offset=0.0, levels=None):
    """Labels, some missing, logits and groups, whose logits have narrow ranges."""
    random = np.random.default_rng(seed)
    users = random.integers(0, groups, rows)
    centers = random.normal(offset, 1, groups)
    logits = (centers[users] + random.normal(0, 0.7, rows)).astype(np.float32)
    if levels:
        logits = np.round(logits * levels) / np.float32(levels)
    labels = (random.random(rows) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    labels[random.random(rows) < 0.1] = np.nan
    labels[random.random(rows) < 0.1] = -1
    # Users whose rows have a single class.
    labels[(users < 3) & (labels == 0)] = np.nan
    labels[(users > groups - 3) & (labels == 1)] = -1
    return labels, logits, users


def update(metric, labels, logits, users, batch=1000):
    for i in range(0, len(labels), batch):
        part = slice(i, i + batch)
        metric.update_state(labels[part], logits[part], groups=users[part])
    return metric


def state_of(metric):
    return [np.asarray(variable) for variable in metric.variables]


def test_a_toy_set_with_users_of_a_single_class():
    labels = [1, 0, 1, 0, 1, 1, 0, 1, np.nan, 0]
    logits = [2, 1, 0, -1, 5, 4, 3, 3, 1, 2]
    groups = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3]
    metric = GroupedAUC(num_groups=5)
    metric.update_state(labels, logits, groups=groups)
    # User 0 wins 3 of 4 pairs in 4 rows, user 2 has one pair, a tie, in 2 rows.
    assert float(metric.result()) == pytest.approx((4 * 3 / 4 + 2 * 1 / 2) / 6)
    # Of all these pairs only the tie may be wrong, by a half.
    assert float(metric.error_bound()) == pytest.approx(2 * 1 / 2 / 6)


def test_what_falls_in_one_bin_counts_half_and_the_bound_says_so():
    metric = GroupedAUC(num_groups=1, num_bins=4, logit_range=(-2, 2))
    labels, groups = [1, 0, 0, 1], [0, 0, 0, 0]
    metric.update_state(labels, [0.9, 0.1, 0.2, 0.8], groups=groups)
    assert (float(metric.result()), float(metric.error_bound())) == (0.5, 0.5)
    metric.reset_state()
    # Bins begin at -2, -1, 0 and 1; the outer ones have no end.
    metric.update_state(labels, [50.0, 1.0, 0.999, -50.0], groups=groups)
    assert float(metric.result()) == (1 + 1 / 2) / 4
    assert float(metric.error_bound()) == 1 / 2 / 4


@pytest.mark.parametrize("offset", [0.0, -6.0])
@pytest.mark.parametrize("levels", [None, 4])
@pytest.mark.parametrize(("num_bins", "largest_bound"), [(16, 0.25), (256, 0.02)])
def test_it_agrees_with_the_exact_evaluator_within_the_bound(
    offset, levels, num_bins, largest_bound
):
    rows = make_rows(offset=offset, levels=levels)
    metric = update(GroupedAUC(60, num_bins=num_bins), *rows)
    bound = float(metric.error_bound())
    assert abs(float(metric.result()) - gauc(*rows)) <= bound + ROUNDING
    # Logits in steps of 1/4 tie in a bin of 1/16 only if they are equal.
    assert bound < (largest_bound if levels is None else 0.25)
    if levels and num_bins == 256:
        assert float(metric.result()) == pytest.approx(gauc(*rows), abs=ROUNDING)


def test_probabilities_fall_in_the_bins_of_their_logits():
    labels, logits, users = make_rows(offset=-6.0)
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
    probabilities[:2] = 0, 1
    metric = update(GroupedAUC(60, from_logits=False), labels, probabilities, users)
    assert float(metric.error_bound()) < 0.02
    assert float(metric.result()) == pytest.approx(
        gauc(labels, probabilities, users), abs=float(metric.error_bound())
    )


def test_whole_weights_act_as_repeated_rows():
    labels, logits, users = make_rows(rows=1000, groups=20, levels=4)
    times = np.random.default_rng(1).integers(0, 4, 1000)
    metric = GroupedAUC(20)
    metric.update_state(labels, logits, sample_weight=times, groups=users)
    repeated = [np.repeat(column, times) for column in (labels, logits, users)]
    assert float(metric.result()) == pytest.approx(gauc(*repeated), abs=ROUNDING)


def test_nothing_of_a_row_that_does_not_count_matters():
    labels, logits, users = make_rows(rows=500)
    weights = np.where(np.arange(500) % 3, 1.0, 0.0)
    left_out = (weights == 0) | np.isnan(labels) | (labels < 0)
    metric, same = GroupedAUC(60), GroupedAUC(60)
    metric.update_state(labels, logits, weights, groups=users)
    logits, users = np.where(left_out, np.nan, logits), np.where(left_out, -7, users)
    same.update_state(labels, logits, weights, groups=users)
    np.testing.assert_array_equal(state_of(metric), state_of(same))
    assert np.sum(state_of(metric)) == 500 - left_out.sum()


@pytest.mark.parametrize("missing", [-1, 0])
def test_rows_of_nobody_do_not_count(missing):
    """As if they were not there, where 0 stands for a user whom a lookup masks."""
    labels, logits, users = make_rows(rows=500)
    nobody = np.arange(500) % 3 == 0
    users = np.where(nobody, missing, np.maximum(users, 1))
    metric = GroupedAUC(60, missing_group=missing)
    metric.update_state(labels, logits, groups=users)
    known = GroupedAUC(60, missing_group=None)
    known.update_state(labels[~nobody], logits[~nobody], groups=users[~nobody])
    np.testing.assert_array_equal(state_of(metric), state_of(known))


@pytest.mark.parametrize("labels", [[1, 1], [0, 0], [np.nan, -1]])
def test_without_a_group_of_both_classes_there_is_no_value(labels):
    metric = GroupedAUC(2)
    assert np.isnan(metric.result())
    metric.update_state(labels, [0.0, 1.0], groups=[1, 1])
    assert np.isnan(metric.result())
    assert np.isnan(metric.error_bound())


def test_merged_parts_equal_the_whole_also_after_a_reset():
    rows = make_rows()
    whole = update(GroupedAUC(60), *rows)
    parts = [GroupedAUC(60), GroupedAUC(60), GroupedAUC(60)]
    update(parts[0], *make_rows(seed=1))
    parts[0].reset_state()
    for part, start in zip(parts, (0, 1700, 3400), strict=True):
        update(part, *(column[start : start + 1700] for column in rows))
    parts[0].merge_state(parts[1:])
    np.testing.assert_array_equal(state_of(parts[0]), state_of(whole))
    assert float(parts[0].result()) == float(whole.result())


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("num_groups", 61, "60 and 61"),
        ("num_bins", 64, "256 and 64"),
        ("logit_range", (-10, 10), r"\(-10.0, 6.0\) and \(-10.0, 10.0\)"),
    ],
)
def test_metrics_that_differ_do_not_merge(name, value, shown):
    other = GroupedAUC(**{"num_groups": 60, name: value})
    with pytest.raises(ValueError, match=f"`{name}` must be the same.*{shown}"):
        GroupedAUC(60).merge_state([other])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_inside_a_function_it_does_the_same(jit_compile):
    rows = make_rows(rows=2048)
    metric = GroupedAUC(60)

    @tf.function(jit_compile=jit_compile)
    def step(labels, logits, users):
        metric.update_state(labels[:, None], logits[:, None], groups=users[:, None])
        return metric.result()

    for i in range(0, 2048, 512):
        result = step(*(tf.constant(column[i : i + 512]) for column in rows))
    expected = update(GroupedAUC(60), *rows)
    np.testing.assert_array_equal(state_of(metric), state_of(expected))
    assert float(result) == pytest.approx(float(expected.result()), abs=ROUNDING)


@pytest.mark.skipif(
    keras.__version__.startswith(("3.7", "3.8", "3.9")),
    reason="metrics on several replicas need Keras 3.10",
)
def test_two_replicas_equal_one():
    rows = make_rows(rows=1003)
    strategy = two_devices()
    with strategy.scope():
        metric = GroupedAUC(60)
    batches = tf.data.Dataset.from_tensor_slices(rows).batch(128)

    @tf.function
    def step(labels, logits, users):
        metric.update_state(labels, logits, groups=users)

    for batch in strategy.experimental_distribute_dataset(batches):
        strategy.run(step, args=batch)
    expected = update(GroupedAUC(60), *rows)
    assert float(metric.result()) == float(expected.result())
    assert float(metric.error_bound()) == float(expected.error_bound())
    # A metric of one device takes over what both have seen.
    merged = GroupedAUC(60)
    merged.merge_state([metric])
    np.testing.assert_array_equal(state_of(merged), state_of(expected))
    metric.reset_state()
    assert np.isnan(metric.result())


def test_a_model_that_evaluates_with_it():
    labels, logits, users = make_rows(rows=600)

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(1)
            self.gauc = GroupedAUC(60)

        def call(self, features):
            return self.head(features["x"])

        def test_step(self, batch):
            features, labels = batch
            self.gauc.update_state(labels, self(features), groups=features["user"])
            return {"gauc": self.gauc.result()}

    features = {"x": np.stack([logits, -(logits**2)], axis=1), "user": users}
    batches = tf.data.Dataset.from_tensor_slices((features, labels)).batch(128)
    model = Model()
    model.compile()
    exact = gauc(labels, np.asarray(model(features)), users)
    for _ in range(2):  # Keras resets the metric in between
        found = model.evaluate(batches, return_dict=True, verbose=0)["gauc"]
        assert float(found) == pytest.approx(exact, abs=float(model.gauc.error_bound()))


def test_memory_depends_on_groups_and_bins_alone():
    metric = GroupedAUC(60, num_bins=32)
    for seed in range(3):
        update(metric, *make_rows(seed=seed))
        assert sum(table.nbytes for table in state_of(metric)) == 8 * 60 * 32


def test_it_comes_back_from_its_configuration():
    metric = GroupedAUC(
        7, num_bins=32, logit_range=(-3, 3), from_logits=False, name="by_user"
    )
    config = keras.metrics.serialize(metric)
    assert config["registered_name"] == "home_tf>GroupedAUC"
    again = keras.metrics.deserialize(config)
    assert again.get_config() == metric.get_config()
    assert again.get_config() == {
        "name": "by_user",
        "dtype": "float32",
        "num_groups": 7,
        "num_bins": 32,
        "logit_range": [-3.0, 3.0],
        "from_logits": False,
        "missing_group": -1,
    }
    for each in (metric, again):
        each.update_state([1, 0, 0], [0.9, 0.5, 0.93], groups=[6, 6, 6])
    assert float(again.result()) == float(metric.result()) == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_groups": 0}, "`num_groups` must be at least 1. Received: 0"),
        ({"num_bins": 1}, "`num_bins` must be at least 2. Received: 1"),
        ({"logit_range": (2, 1)}, r"the lower first. Received: logit_range=\(2, 1\)"),
        ({"logit_range": (0, np.inf)}, "`logit_range` must be two finite logits"),
        ({"logit_range": (np.nan, 1)}, "`logit_range` must be two finite logits"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GroupedAUC(**{"num_groups": 3, **arguments})


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (None, "`groups` must be given: the group of each row. Received: groups=None"),
        ([0.0, 1.0], "must be integer ids. Received: dtype=float32.* `Hashing`"),
        (["a", "b"], "must be integer ids. Received: dtype=string"),
    ],
)
def test_groups_that_are_no_ids_are_named(groups, message):
    with pytest.raises(ValueError, match=message):
        GroupedAUC(3).update_state([0, 1], [0.0, 1.0], groups=groups)


@pytest.mark.parametrize("group", [-2, 3, 2**32])
@pytest.mark.parametrize("in_function", [False, True])
def test_a_group_out_of_range_is_an_error(group, in_function):
    metric = GroupedAUC(3)

    def step(groups):
        metric.update_state([0, 1], [0.0, 1.0], groups=groups)

    step = tf.function(step) if in_function else step
    message = r"(?s)`groups` must be ids from 0 to 2, since num_groups=3.*"
    received = rf"Received: lowest and highest\D*{min(group, 1)}\D*{max(group, 1)}"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message + received):
        step(tf.constant([1, group], tf.int64))
    assert not np.any(state_of(metric))


def test_code_that_cannot_raise_gives_no_number_for_a_group_out_of_range():
    metric = update(GroupedAUC(60), *make_rows())

    @tf.function(jit_compile=True)
    def step(groups):
        metric.update_state([0.0], [0.0], groups=groups)

    step(tf.constant([60]))
    assert np.isnan(metric.result())


def test_a_prediction_that_is_not_a_number_gives_no_number():
    metric = update(GroupedAUC(60), *make_rows())
    metric.update_state([1.0], [np.nan], groups=[5])
    assert np.isnan(metric.result())
    assert np.isnan(metric.error_bound())


@pytest.mark.parametrize("task", ["long_view", "is_click", "is_like"])
def test_on_real_data_it_agrees_with_the_exact_evaluator(real_source, task):
    columns = ["user_id", "video_id", task]
    table = pyarrow.csv.read_csv(
        real_source / "log_standard_4_22_to_5_08_pure.csv.gz",
        convert_options=pyarrow.csv.ConvertOptions(include_columns=columns),
    )
    users, videos, labels = (table[name].to_numpy() for name in columns)
    logits = popularity(users, labels) + popularity(videos, labels)
    logits -= np.log(labels.mean() / (1 - labels.mean()))
    rows = labels, logits.astype(np.float32), users
    exact = gauc(*rows)
    for num_bins in (128, 256):
        metric = GroupedAUC(users.max() + 1, num_bins=num_bins)
        bound = float(update(metric, *rows, batch=8192).error_bound())
        error = float(metric.result()) - exact
        print(f"{task} {exact:.5f}, {num_bins} bins: {error:+.5f}, {bound:.3f}")
        assert abs(error) <= bound + ROUNDING
        assert bound < 5 / num_bins


def popularity(ids, labels):
    """The log odds of the label's smoothed rate over the rows of each id."""
    positives = np.bincount(ids, labels) + 20 * labels.mean()
    negatives = np.bincount(ids, 1 - labels) + 20 * (1 - labels.mean())
    return np.log(positives / negatives)[ids]


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr("home_tf.metrics.histogram_auc.IS_TENSORFLOW", False)
    with pytest.raises(ValueError, match="`GroupedAUC` needs the TensorFlow backend"):
        GroupedAUC(3)
