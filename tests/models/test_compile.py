"""What users of Keras pass to `compile`, `fit` and `evaluate` works, or is refused."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import accuracy_score, log_loss

from home_tf.backend import IS_LEGACY, keras
from home_tf.layers import Expert, HoME, TaskTowers
from home_tf.metrics import MaskedAUC
from home_tf.models import RankingModel

TASKS = ["click", "like"]
needs_tfrs = pytest.mark.skipif(not IS_LEGACY, reason="TFRS needs legacy Keras")


@pytest.fixture(params=["keras", pytest.param("tfrs", marks=needs_tfrs)])
def model(request):
    inputs = {"x": keras.Input((3,), name="x")}
    home = HoME({"group": TASKS}, expert=Expert.home(units=(4,)), feature_gate="none")
    network = keras.Model(inputs, TaskTowers(TASKS)(home(inputs["x"])))
    if request.param == "keras":
        return RankingModel(network, TASKS)
    from home_tf.tfrs import RankingModel as TFRSRankingModel

    return TFRSRankingModel(network, TASKS)


def evaluate(model, *data, **options):
    """What `evaluate` returns, as plain numbers, by name."""
    found = model.evaluate(*data, verbose=0, return_dict=True, **options)
    return {name: float(value) for name, value in found.items()}


def make_data(rows=64):
    random = np.random.default_rng(0)
    x = {"x": random.normal(size=(rows, 3)).astype(np.float32)}
    labels = {t: random.integers(0, 2, rows).astype(np.float32) for t in TASKS}
    labels["like"][:20] = np.nan
    return x, labels


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "mse"}, "takes no `loss`: the model adds up the losses of its tasks"),
        (
            {"loss_weights": {"click": 2.0}},
            r"takes no `loss_weights`: RankingModel\(..., loss_weights=",
        ),
        ({"weighted_metrics": ["auc"]}, "takes no `weighted_metrics`: give them as"),
        ({"jit_compile": "auto"}, "`jit_compile` must be True or False. .* 'auto'"),
        ({"metrics": ["auc"]}, r"`metrics` must be a dict .* Received: \['auc'\]"),
        ({"metrics": {"clik": []}}, r"which are \['click', 'like'\]. Received: .*clik"),
        ({"metrics": {"click": "auc"}}, "`metrics` must hold objects of .* 'auc'"),
        (
            {"metrics": {"click": MaskedAUC()}},
            "must not report 'click_auc' twice: rename one of them",
        ),
    ],
)
def test_what_compile_does_not_take_is_refused(model, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        model.compile("adam", **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_metrics_by_task_see_known_labels_and_probabilities(model):
    x, labels = make_data()
    model.compile(
        "adam",
        metrics={
            "click": [keras.metrics.BinaryAccuracy(), keras.metrics.AUC(name="keras")],
            "like": keras.metrics.BinaryCrossentropy(from_logits=True, name="loss"),
        },
    )
    model.fit(x, labels, epochs=2, verbose=0)
    found = evaluate(model, x, labels)
    p = {t: values.ravel() for t, values in model.predict(x, verbose=0).items()}
    expected = accuracy_score(labels["click"], p["click"] > 0.5)
    assert found["click_binary_accuracy"] == pytest.approx(expected, abs=1e-6)
    of_keras = keras.metrics.AUC()
    of_keras.update_state(labels["click"], p["click"])
    assert found["click_keras"] == pytest.approx(float(of_keras.result()), abs=1e-6)
    known = ~np.isnan(labels["like"])
    expected = log_loss(labels["like"][known], p["like"][known])
    assert found["like_loss"] == pytest.approx(expected, rel=1e-4)
    # Keras resets them before an epoch.
    assert evaluate(model, x, labels) == found


@pytest.mark.slow
def test_metrics_names_are_those_of_the_numbers_that_evaluate_returns(model):
    x, labels = make_data()
    model.compile("adam", metrics={"like": keras.metrics.BinaryAccuracy()})
    model.fit(x, labels, verbose=0)
    numbers = model.evaluate(x, labels, verbose=0)
    numbers = dict(zip(model.metrics_names, map(float, numbers), strict=True))
    assert numbers == evaluate(model, x, labels)


@pytest.mark.slow
def test_a_compiled_model_can_be_compiled_again(model):
    x, labels = make_data()
    model.compile("adam")
    model.fit(x, labels, verbose=0)
    model.compile("sgd", metrics={"click": keras.metrics.BinaryAccuracy()})
    assert "click_binary_accuracy" in model.fit(x, labels, verbose=0).history


def test_one_sample_weight_for_all_tasks_and_one_for_each(model):
    x, labels = make_data()
    weights = np.linspace(0, 2, 64).astype(np.float32)
    model.compile("sgd")
    by_array = evaluate(model, x, labels, sample_weight=weights)
    by_task = dict.fromkeys(TASKS, weights)
    dataset = tf.data.Dataset.from_tensors((x, labels, by_task))
    assert evaluate(model, dataset) == pytest.approx(by_array, rel=1e-5)
    assert evaluate(model, x, labels) != pytest.approx(by_array, rel=1e-3)


@pytest.mark.parametrize("step", ["fit", "evaluate"])
def test_a_sample_weight_of_an_unknown_task_is_refused(model, step):
    x, labels = make_data()
    weights = {"clik": np.ones(64, np.float32)}
    model.compile("sgd")
    dataset = tf.data.Dataset.from_tensors((x, labels, weights))
    options = {"shuffle": False} if step == "fit" else {}
    message = r"`sample_weight` must name tasks of the model, which are .*\['clik'\]"
    with pytest.raises(ValueError, match=message):
        getattr(model, step)(dataset, verbose=0, **options)


def test_class_weights_are_refused(model):
    x, labels = make_data()
    model.compile("sgd")
    message = r"takes no `class_weight`.*`sample_weight={task: weights}`"
    weights = {0: 1.0, 1: 5.0}
    with pytest.raises(ValueError, match=message):
        model.fit(x, labels, class_weight=weights, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.train_on_batch(x, labels, class_weight=weights)
    assert np.isfinite(model.train_on_batch(x, labels)).all()


def test_a_task_without_labels_has_no_log_loss_and_adds_none(model):
    x, labels = make_data()
    labels["like"][:] = -1
    model.compile("sgd", run_eagerly=True)
    found = evaluate(model, x, labels)
    assert np.isnan(found["like_log_loss"])
    assert np.isnan(found["like_auc"])
    assert found["loss"] == pytest.approx(found["click_log_loss"])


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_feature_that_is_no_number_is_named(model, number):
    x, labels = make_data()
    x["x"][7, 1] = number
    model.compile("sgd")
    before = model.get_weights()
    for step in (model.fit, model.evaluate):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="feature `x` must hold finite"
        ):
            step(x, labels, verbose=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="feature `x` must hold"):
        model.predict(x, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert len(before) == len(model.get_weights())


@pytest.mark.parametrize("label", [5.0, -5.0])
def test_a_label_that_is_none_is_told_with_its_task(model, label):
    x, labels = make_data()
    labels["like"][40] = label
    model.compile("sgd")
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="like: labels must be 0 or 1"
    ):
        model.fit(x, labels, verbose=0)
