"""Tasks whose label is a number: their losses, metrics and predictions."""

import numpy as np
import pytest
import tensorflow as tf
from support.ranking_models import model_classes

from home_tf.backend import keras
from home_tf.layers import HoME, TaskTowers
from home_tf.losses import MaskedRegressionLoss

LABELS = np.array([0.0, 3.0, np.nan, 12.5, 0.0, 90.0], np.float32)
OUTPUTS = np.array([0.3, -2.0, 5.0, 1.4, -3.0, 0.1], np.float32)
VALID = ~np.isnan(LABELS)
KINDS = ["squared", "huber", "log1p", "weighted_logistic"]
MEAN, SCALE = 1.5, 2.5


def rows_of(kind, y, o):
    """The losses by their formulas, in float64."""
    y, o = y.astype(np.float64), o.astype(np.float64)
    if kind == "weighted_logistic":
        p = 1 / (1 + np.exp(-o))
        return -(y / SCALE) * np.log(p) - np.log(1 - p)
    wanted = (np.log(1 + y) if kind == "log1p" else y) - MEAN
    error = np.abs(wanted / SCALE - o)
    if kind == "huber":
        return np.where(error < 1, error**2 / 2, error - 0.5)
    return error**2


def predicted(kind, o):
    o = o.astype(np.float64)
    return {
        "squared": MEAN + SCALE * o,
        "huber": MEAN + SCALE * o,
        "log1p": np.maximum(np.exp(MEAN + SCALE * o) - 1, 0),
        "weighted_logistic": SCALE * np.exp(o),
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_is_the_mean_of_its_formula_over_known_labels(kind):
    loss = MaskedRegressionLoss(kind, mean=MEAN, scale=SCALE)
    expected = rows_of(kind, LABELS[VALID], OUTPUTS[VALID])
    np.testing.assert_allclose(loss(LABELS, OUTPUTS), expected.mean(), rtol=1e-5)
    column = loss(LABELS[:, None], OUTPUTS[:, None])
    np.testing.assert_allclose(column, expected.mean(), rtol=1e-5)
    weights = np.array([2, 0, 7, 1, 7, 0.5], np.float32)
    weighted = (weights[VALID] * expected).sum() / VALID.sum()
    np.testing.assert_allclose(loss(LABELS, OUTPUTS, weights), weighted, rtol=1e-5)
    again = MaskedRegressionLoss.from_config(loss.get_config())
    assert float(again(LABELS, OUTPUTS)) == float(loss(LABELS, OUTPUTS))


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_become_numbers_in_the_unit_of_the_labels(kind):
    loss = MaskedRegressionLoss(kind, mean=MEAN, scale=SCALE)
    found = loss.to_prediction(tf.constant(OUTPUTS))
    np.testing.assert_allclose(found, predicted(kind, OUTPUTS), rtol=1e-4)
    assert np.isfinite(loss.to_prediction(tf.constant([300.0, -300.0]))).all()


@pytest.mark.parametrize("kind", ["squared", "weighted_logistic"])
def test_the_best_constant_predicts_the_mean(kind):
    """For the weighted logistic, too, however many labels are not zero."""
    loss = MaskedRegressionLoss(kind, mean=MEAN, scale=SCALE)
    output = tf.Variable(0.0)
    for _ in range(400):
        with tf.GradientTape() as tape:
            value = loss(LABELS, tf.fill([len(LABELS)], output))
        output.assign_sub(0.05 * tape.gradient(value, output))
    found = float(loss.to_prediction(output))
    assert found == pytest.approx(LABELS[VALID].mean(), rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_without_labels_has_zero_loss_and_zero_gradients(kind):
    outputs = tf.Variable(OUTPUTS)
    with tf.GradientTape() as tape:
        loss = MaskedRegressionLoss(kind)(np.full_like(LABELS, np.nan), outputs)
    assert float(loss) == 0.0
    np.testing.assert_array_equal(tape.gradient(loss, outputs), np.zeros_like(OUTPUTS))


def test_labels_that_are_none_are_told():
    for kind, label, rule in (
        ("squared", np.inf, "finite, or NaN"),
        ("log1p", -0.5, "finite and not negative"),
        ("weighted_logistic", -1.0, "finite and not negative"),
    ):
        labels = LABELS.copy()
        labels[1] = label
        loss = MaskedRegressionLoss(kind, name="price")
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=f"price: labels must be {rule}"
        ):
            loss(labels, OUTPUTS)
        # Code that cannot raise has no number for them.
        compiled = tf.function(loss, jit_compile=True)
        assert np.isnan(compiled(tf.constant(labels), tf.constant(OUTPUTS)))
    assert np.isfinite(MaskedRegressionLoss("squared")([-1.0, 2.0], [0.0, 0.0]))
    for wrong in ({"kind": "cubic"}, {"scale": 0.0}, {"mean": np.nan}):
        with pytest.raises(ValueError, match="Received"):
            MaskedRegressionLoss(**wrong)


ROWS = 400


def data(seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(ROWS, 8)).astype("float32")
    time = np.exp(1 + x[:, 0] + 0.3 * random.normal(size=ROWS)).astype("float32")
    time[:40] = np.nan
    click = (x[:, 1] + 0.5 * random.normal(size=ROWS) > 0).astype("float32")
    price = (5 + 2 * x[:, 2]).astype("float32")
    return x, {"click": click, "time": time, "price": price}


def losses():
    return {
        "time": MaskedRegressionLoss("log1p", mean=1.4, scale=0.8, name="time"),
        "price": MaskedRegressionLoss("squared", mean=5.0, scale=2.0, name="price"),
    }


def make_model(model_class, tasks=("click", "time", "price"), **arguments):
    keras.utils.set_random_seed(3)
    v = keras.Input((8,))
    home = HoME({"a": [tasks[0]], "b": list(tasks[1:])} if tasks[1:] else {"a": tasks})
    network = keras.Model(v, TaskTowers(home.tasks)(home(v)))
    given = {task: loss for task, loss in losses().items() if task in tasks}
    model = model_class(network, list(tasks), task_losses=given)
    model.compile(optimizer=keras.optimizers.Adam(0.01), **arguments)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("model_class", model_classes())
def test_a_model_learns_numbers_beside_clicks(model_class, tmp_path):
    x, y = data()
    again = keras.metrics.MeanAbsoluteError("again")
    model = make_model(model_class(), metrics={"time": again})
    weights = {"time": np.linspace(0, 2, ROWS).astype("float32")}
    rows = tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(50)
    history = model.fit(rows, epochs=12, shuffle=False, verbose=0).history
    assert history["time_mae"][-1] < 0.75 * history["time_mae"][0]
    assert history["price_rmse"][-1] < 0.5 * history["price_rmse"][0]
    assert history["click_auc"][-1] > 0.9
    found = model.predict(x, verbose=0)
    assert 0 <= found["click"].min() <= found["click"].max() <= 1
    assert found["time"].min() >= 0
    known = ~np.isnan(y["time"])
    mean_error = np.abs(np.nanmean(y["time"]) - y["time"][known]).mean()
    error = found["time"].ravel()[known] - y["time"][known]
    assert np.abs(error).mean() < 0.6 * mean_error
    # What is reported, from the predictions and from the outputs.
    found_by_keras = model.evaluate(rows, verbose=0, return_dict=True)
    reported = {name: float(value) for name, value in found_by_keras.items()}
    w = weights["time"][known]
    mae = (w * np.abs(error)).sum() / w.sum()
    rmse = np.sqrt((w * error**2).sum() / w.sum())
    assert reported["time_mae"] == pytest.approx(mae, rel=1e-4)
    assert reported["time_again"] == pytest.approx(mae, rel=1e-4)
    assert reported["time_rmse"] == pytest.approx(rmse, rel=1e-4)
    outputs = {t: np.ravel(z) for t, z in model(x).items()}
    o = outputs["time"][known].astype(np.float64)
    squares = ((np.log1p(y["time"][known]) - 1.4) / 0.8 - o) ** 2
    of_time = (w * squares).sum() / known.sum()
    assert reported["time_loss"] == pytest.approx(of_time, rel=1e-4)
    z = outputs["click"].astype(np.float64)
    of_click = (np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0) - z * y["click"]).mean()
    of_price = (((y["price"] - 5) / 2 - outputs["price"]) ** 2).mean()
    total = of_time + of_click + of_price
    assert reported["loss"] == pytest.approx(total, rel=1e-4)
    # A saved model has the losses.
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    again = loaded.predict(x, verbose=0)
    np.testing.assert_allclose(again["time"], found["time"], rtol=1e-5)
    loaded.fit(rows, shuffle=False, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("model_class", model_classes())
def test_a_model_may_have_nothing_but_numbers(model_class):
    x, y = data()
    model = make_model(model_class(), ("time", "price"))
    history = model.fit(x, {t: y[t] for t in ("time", "price")}, epochs=2, verbose=0)
    names = {"loss", "time_loss", "time_mae", "time_rmse", "price_loss", "price_mae",
             "price_rmse"}  # fmt: skip
    assert set(history.history) == names
    assert history.history["loss"][1] < history.history["loss"][0]


@pytest.mark.parametrize("model_class", model_classes())
def test_wrong_losses_are_refused(model_class):
    v = keras.Input((8,))
    home = HoME({"a": ["click"], "b": ["time"]})
    network = keras.Model(v, TaskTowers(home.tasks)(home(v)))
    for wrong in ({"watch": MaskedRegressionLoss()}, {"time": "mse"}):
        with pytest.raises(ValueError, match="`task_losses` must give tasks"):
            model_class()(network, ["click", "time"], task_losses=wrong)
