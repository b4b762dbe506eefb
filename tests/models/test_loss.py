"""The loss and the streaming metrics, where labels are missing."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss, roc_auc_score

from home_tf.backend import keras
from home_tf.losses import MaskedBinaryCrossentropy
from home_tf.metrics import MaskedAUC, MaskedLogLoss

LABELS = np.array([1, 0, np.nan, 1, -1, 0, 0, 1], np.float32)
LOGITS = np.array([0.3, -2.0, 5.0, 4.0, -3.0, 0.1, 30.0, -90.0], np.float32)
VALID = np.array([True, True, False, True, False, True, True, True])


def crossentropy(labels, logits):
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    with np.errstate(divide="ignore"):
        return -np.where(labels == 1, np.log(p), np.log1p(-p))


def test_missing_labels_do_not_count():
    loss = MaskedBinaryCrossentropy()(LABELS, LOGITS)
    expected = crossentropy(LABELS[VALID], LOGITS[VALID]).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_columns_of_shape_batch_by_one_mean_the_same():
    flat = MaskedBinaryCrossentropy()(LABELS, LOGITS)
    column = MaskedBinaryCrossentropy()(LABELS[:, None], LOGITS[:, None])
    mixed = MaskedBinaryCrossentropy()(LABELS, LOGITS[:, None])
    assert float(flat) == float(column) == float(mixed)


def test_weights_scale_rows_but_not_the_divisor():
    weights = np.array([2, 0, 7, 1, 7, 0.5, 0, 3], np.float32)
    loss = MaskedBinaryCrossentropy()(LABELS, LOGITS, weights)
    rows = weights[VALID] * crossentropy(LABELS[VALID], LOGITS[VALID])
    np.testing.assert_allclose(loss, rows.sum() / VALID.sum(), rtol=1e-5)


def test_a_weight_that_is_not_a_number_on_a_row_without_label_does_no_harm():
    weights = np.where(VALID, 1, np.nan).astype(np.float32)
    assert np.isfinite(MaskedBinaryCrossentropy()(LABELS, LOGITS, weights))


@pytest.mark.parametrize("missing", [np.nan, -1.0])
def test_a_batch_without_labels_has_zero_loss_and_zero_gradients(missing):
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        loss = MaskedBinaryCrossentropy()(np.full_like(LABELS, missing), logits)
    assert float(loss) == 0.0
    np.testing.assert_array_equal(tape.gradient(loss, logits), np.zeros_like(LOGITS))


def test_gradients_are_finite_and_zero_on_rows_without_label():
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        loss = MaskedBinaryCrossentropy()(LABELS, logits)
    gradient = tape.gradient(loss, logits).numpy()
    p = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    expected = np.where(VALID, p - np.nan_to_num(LABELS), 0) / VALID.sum()
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_the_loss_works_in_a_plain_keras_compile():
    inputs = keras.Input((3,))
    logits = {"click": keras.layers.Dense(1, name="click")(inputs)}
    model = keras.Model(inputs, logits)
    model.compile("sgd", loss={"click": MaskedBinaryCrossentropy()})
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    history = model.fit(x, {"click": LABELS}, batch_size=8, epochs=2, verbose=0)
    assert history.history["loss"][1] < history.history["loss"][0]


def test_streaming_log_loss_equals_that_of_scikit_learn():
    logits = np.clip(LOGITS, -15, 15)
    metric = MaskedLogLoss()
    for part in (slice(0, 3), slice(3, 8)):
        metric.update_state(LABELS[part], logits[part])
    p = 1 / (1 + np.exp(-logits[VALID].astype(np.float64)))
    assert float(metric.result()) == pytest.approx(log_loss(LABELS[VALID], p), rel=1e-5)
    metric.reset_state()
    assert np.isnan(metric.result())


def test_streaming_auc_is_near_that_of_scikit_learn():
    random = np.random.default_rng(0)
    logits = random.normal(size=4000).astype(np.float32)
    labels = (random.random(4000) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    labels[random.random(4000) < 0.3] = np.nan
    metric = MaskedAUC()
    for start in range(0, 4000, 500):
        metric.update_state(labels[start : start + 500], logits[start : start + 500])
    valid = ~np.isnan(labels)
    exact = roc_auc_score(labels[valid], logits[valid])
    bound = float(metric.error_bound())
    assert float(metric.result()) == pytest.approx(exact, abs=bound + 1e-6)
    assert bound < 3e-3


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.01, 0.001, 0.0001])
def test_streaming_auc_of_rare_tasks_is_near_that_of_scikit_learn(rate):
    """As good as for frequent ones, and within the bound that it gives."""
    random = np.random.default_rng(1)
    rows, positives = 400_000, round(400_000 * rate)
    labels = np.zeros(rows, np.float32)
    labels[:positives] = 1
    odds = np.log(rate) - np.log1p(-rate)
    logits = (odds + random.normal(labels * 1.5, 1.0, rows)).astype(np.float32)
    order = random.permutation(rows)
    labels, logits = labels[order], logits[order]
    metric = MaskedAUC()
    for start in range(0, rows, 50_000):
        part = slice(start, start + 50_000)
        metric.update_state(labels[part], logits[part])
    found, bound = float(metric.result()), float(metric.error_bound())
    assert bound < 4e-3
    exact = roc_auc_score(labels, logits)
    assert found == pytest.approx(exact, abs=min(bound, 1e-3))
    probabilities = MaskedAUC(from_logits=False)
    probabilities.update_state(labels, 1 / (1 + np.exp(-logits.astype(np.float64))))
    assert float(probabilities.result()) == pytest.approx(exact, abs=1e-3)


def test_streaming_auc_without_both_classes_is_undefined():
    metric = MaskedAUC()
    metric.update_state([1, 1, np.nan], [0.3, 0.1, -2.0])
    assert np.isnan(metric.result())
    metric.update_state([0], [0.2])
    assert float(metric.result()) == 0.5


def test_streaming_auc_comes_back_from_its_configuration_and_merges():
    metric = MaskedAUC(num_bins=64, logit_range=(-4, 4), name="half")
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    again.update_state([1, 0], [0.5, 0.1])
    metric.update_state([0], [2.0])
    metric.merge_state([again])
    assert float(metric.result()) == 0.5


@pytest.mark.parametrize("label", [5.0, -5.0, 0.5, np.inf])
@pytest.mark.parametrize("graph", [False, True])
def test_a_label_that_is_none_is_an_error(label, graph):
    labels = np.where(VALID, 1, np.nan).astype(np.float32)
    labels[3] = label
    loss = MaskedBinaryCrossentropy(name="click")
    call = tf.function(loss) if graph else loss
    with pytest.raises(tf.errors.InvalidArgumentError, match="click: labels must be 0"):
        call(tf.constant(labels), tf.constant(LOGITS))


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_a_weight_that_is_none_is_an_error(weight):
    weights = np.ones_like(LOGITS)
    weights[3] = weight
    loss = MaskedBinaryCrossentropy(name="click")
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="click: sample weights must be finite"
    ):
        loss(LABELS, LOGITS, weights)


@pytest.mark.parametrize(("label", "weight"), [(5.0, 1.0), (1.0, -1.0)])
def test_code_that_cannot_raise_has_no_number_for_them(label, weight):
    labels = np.where(VALID, LABELS, -1).astype(np.float32)
    weights = np.ones_like(LOGITS)
    labels[3], weights[3] = label, weight
    loss = tf.function(MaskedBinaryCrossentropy(), jit_compile=True)
    assert np.isnan(
        loss(tf.constant(labels), tf.constant(LOGITS), tf.constant(weights))
    )


@pytest.mark.parametrize("metric", [MaskedAUC, MaskedLogLoss])
def test_a_metric_of_a_label_that_is_none_has_no_number(metric):
    metric = metric()
    metric.update_state([0, 1, 5], [0.1, 0.2, 0.3])
    assert np.isnan(metric.result())


def test_labels_of_text_are_told():
    with pytest.raises(ValueError, match=r"click: labels must be numbers.*string"):
        MaskedBinaryCrossentropy(name="click")(np.array(["yes", "no"]), [0.1, 0.2])
