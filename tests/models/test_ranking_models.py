"""The two ranking models: same network, loss and metrics in TFRS and Keras."""

import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from support.ranking_models import (
    TASKS,
    make_batches,
    make_network,
    model_classes,
    needs_tfrs,
)
from support.strategies import two_devices

from home_tf.backend import IS_LEGACY, keras
from home_tf.errors import HomeError
from home_tf.features import EmbeddedFeature, EmbeddingTable, FeatureEmbedding
from home_tf.layers import Expert, HoME, TaskTowers
from home_tf.models import RankingModel, RankingNetwork


def fit_quietly(model, batches, **options):
    # Keras 3 warns if it is not told that it cannot shuffle a dataset.
    return model.fit(batches, verbose=0, shuffle=False, **options)


def train(model_class, strategy, weights=None, **options):
    batches = make_batches()
    with strategy.scope():
        model = model_class(make_network(), TASKS, loss_weights={"like": 2.0})
        model.compile(keras.optimizers.SGD(0.1), **options)
        model(next(iter(batches))[0])
        if weights is not None:
            model.network.set_weights(weights)
    start = model.network.get_weights()
    history = model.fit(batches, epochs=2, verbose=0, shuffle=False).history
    return {
        "start": start,
        "weights": model.network.get_weights(),
        "history": history,
        "evaluation": model.evaluate(batches, verbose=0, return_dict=True),
        "prediction": model.predict(batches, verbose=0),
    }


@cache
def on_one_device(model_class):
    """The training of a model on one device; all begin with the same weights."""
    start = None
    if model_class is not RankingModel:
        start = on_one_device(RankingModel)["start"]
    return train(model_class, tf.distribute.get_strategy(), start)


@pytest.mark.parametrize("model_class", model_classes())
def test_two_devices_agree_with_one(model_class):
    """Loss, gradients, BatchNorm moments and metrics, for the same global batch."""
    one = on_one_device(model_class())
    assert_same_training(one, train(model_class(), two_devices(), one["start"]))


@pytest.mark.slow
@pytest.mark.parametrize("model_class", model_classes())
def test_a_compiled_step_agrees_with_a_plain_one(model_class):
    """The last batch of an epoch, which is not compiled, included."""
    one = on_one_device(model_class())
    strategy = tf.distribute.get_strategy()
    compiled = train(model_class(), strategy, one["start"], jit_compile=True)
    assert_same_training(one, compiled)


def assert_same_training(one, two):
    for a, b in zip(one["weights"], two["weights"], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    assert any(
        np.abs(a - b).max() > 1e-3
        for a, b in zip(one["start"], one["weights"], strict=True)
    )
    for key in ("history", "evaluation", "prediction"):
        assert set(one[key]) == set(two[key])
        for name in one[key]:
            np.testing.assert_allclose(one[key][name], two[key][name], atol=1e-5)


@pytest.mark.parametrize("model_class", model_classes())
def test_parameter_servers_are_refused(model_class, monkeypatch):
    # Making one connects to its servers.
    strategy = object.__new__(tf.distribute.ParameterServerStrategy)
    make, network = model_class(), make_network()
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
    with pytest.raises(ValueError, match="A ranking model must not use parameter s"):
        make(network, TASKS)


@needs_tfrs
def test_the_twins_train_alike():
    from home_tf.tfrs import RankingModel as TFRSRankingModel

    keras_run, tfrs_run = map(on_one_device, (RankingModel, TFRSRankingModel))
    for a, b in zip(keras_run["weights"], tfrs_run["weights"], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for key in ("history", "evaluation", "prediction"):
        assert set(keras_run[key]) == set(tfrs_run[key])
        for name in keras_run[key]:
            np.testing.assert_allclose(
                keras_run[key][name], tfrs_run[key][name], atol=1e-5
            )


@pytest.mark.parametrize("model_class", model_classes())
def test_the_reported_loss_is_the_weighted_sum_of_the_log_losses(model_class):
    results = on_one_device(model_class())["evaluation"]
    expected = sum(
        weight * results[f"{task}_log_loss"]
        for task, weight in {"long_view": 1, "like": 2, "click": 1}.items()
    )
    assert float(results["loss"]) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("model_class", model_classes())
def test_predict_gives_probabilities_and_the_call_logits(model_class):
    model = model_class()(make_network(), TASKS)
    model.compile()
    features = next(iter(make_batches()))[0]
    logits = model(features)
    predicted = model.predict(features, verbose=0)
    for task in TASKS:
        expected = 1 / (1 + np.exp(-np.asarray(logits[task], np.float64)))
        np.testing.assert_allclose(predicted[task], expected, atol=1e-6)
        assert predicted[task].shape == (32, 1)


@pytest.mark.parametrize("model_class", model_classes())
def test_a_batch_without_any_label_leaves_the_weights_finite(model_class):
    model = model_class()(make_network(), TASKS)
    model.compile("sgd")
    features, labels, _ = next(iter(make_batches()))
    none = {task: tf.fill(tf.shape(labels[task]), np.nan) for task in TASKS}
    fit_quietly(model, tf.data.Dataset.from_tensors((features, none)))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("model_class", model_classes())
def test_mixed_precision_trains(model_class, policy):
    network = RankingNetwork(
        FeatureEmbedding(
            {"user": EmbeddingTable(50, 8)},
            {"user": EmbeddedFeature("user")},
            dtype=policy,
        ),
        HoME({"a": ["click"]}, expert=Expert.home(units=(8,)), dtype=policy),
        TaskTowers(["click"], dtype=policy),
        dtype=policy,
    )
    model = model_class()(network, ["click"], dtype=policy)
    model.compile(keras.optimizers.SGD(0.5))
    features = {"user": np.arange(48) % 50}
    labels = {"click": (np.arange(48) % 2).astype(np.float32)}
    batches = tf.data.Dataset.from_tensors((features, labels)).repeat(8)
    history = model.fit(batches, epochs=4, verbose=0, shuffle=False).history["loss"]
    assert np.isfinite(history).all()
    assert history[-1] < history[0]


def test_a_saved_keras_model_predicts_the_same(tmp_path):
    model = RankingModel(make_network(), TASKS, loss_weights={"like": 2.0})
    model.compile("adam")
    batches = make_batches()
    fit_quietly(model, batches)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.loss_weights == model.loss_weights
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) == 4
    before, after = (
        model.predict(batches, verbose=0),
        loaded.predict(batches, verbose=0),
    )
    for task in TASKS:
        np.testing.assert_allclose(before[task], after[task], atol=1e-6)


def test_a_model_that_an_earlier_version_saved_is_told_in_one_line():
    config = RankingModel(make_network(), TASKS).get_config()
    representations = config["network"]["config"]["representations"]["config"]
    representations["an_old_argument"] = 1
    with pytest.raises(HomeError) as error:
        RankingModel.from_config(config)
    message = str(error.value)
    assert message.startswith("the saved model was written by an earlier version of")
    assert "'an_old_argument'" in message
    assert message.endswith("). Build and train it again")
    assert "\n" not in message
    without = RankingModel(make_network(), TASKS).get_config()
    del without["loss_weighting"]
    with pytest.raises(HomeError, match=r"other arguments \('loss_weighting'\)"):
        RankingModel.from_config(without)


@pytest.mark.parametrize("model_class", model_classes())
def test_any_network_of_the_keras_in_force_can_be_trained(model_class):
    inputs = keras.Input((3,))
    network = keras.Model(inputs, {"click": keras.layers.Dense(1)(inputs)})
    model = model_class()(network, ["click"])
    model.compile("sgd")
    x = np.ones((8, 3), np.float32)
    y = {"click": np.ones(8, np.float32)}
    history = fit_quietly(model, tf.data.Dataset.from_tensors((x, y)), epochs=2)
    assert history.history["loss"][1] < history.history["loss"][0]


@pytest.mark.parametrize("model_class", model_classes())
def test_wrong_use_is_told_in_one_line(model_class):
    model_class = model_class()
    with pytest.raises(ValueError, match=r"`network` must be a layer or model"):
        model_class(object(), TASKS)
    with pytest.raises(ValueError, match=r"`loss_weights` must name tasks.*'clik'"):
        model_class(make_network(), TASKS, loss_weights={"clik": 1.0})
    model = model_class(make_network(), TASKS)
    with pytest.raises(
        ValueError, match=r"`compile` of a ranking model takes no `loss`"
    ):
        model.compile("sgd", loss="mse")
    model.compile("sgd")
    features, labels, _ = next(iter(make_batches()))
    del labels["like"]
    with pytest.raises(ValueError, match=r"The labels lack tasks \['like'\]"):
        fit_quietly(model, tf.data.Dataset.from_tensors((features, labels)))


def test_features_of_the_embedding_are_checked():
    tables = {"user": EmbeddingTable(5, 2)}
    with pytest.raises(ValueError, match=r"feature 'u' with table 'item'"):
        FeatureEmbedding(tables, {"u": EmbeddedFeature("item")})
    with pytest.raises(ValueError, match=r"feature 'u' with attend_with='item'"):
        FeatureEmbedding(tables, {"u": EmbeddedFeature("user", "attention", "item")})
    with pytest.raises(ValueError, match=r"`pooling` must be one of .*'u' .*'max'"):
        FeatureEmbedding(tables, {"u": EmbeddedFeature("user", "max")})
    with pytest.raises(ValueError, match=r"`attend_with` must be given with .*'u'"):
        FeatureEmbedding(tables, {"u": EmbeddedFeature("user", "attention")})


@pytest.mark.parametrize("pooling", ["mean", "sum", "attention"])
def test_pooling_equals_a_plain_loop_and_ignores_padding(pooling):
    attend = "item" if pooling == "attention" else None
    layer = FeatureEmbedding(
        {"item": EmbeddingTable(9, 4)},
        {
            "item": EmbeddedFeature("item"),
            "seen": EmbeddedFeature("item", pooling, attend),
        },
    )
    inputs = {
        "item": np.array([1, 2, 3]),
        "seen": np.array([[4, 5, 0], [6, 0, 0], [0] * 3]),
    }
    output = np.asarray(layer(inputs))
    table = np.asarray(layer.embedding_of("item"))
    for row, (item, seen) in enumerate(
        zip(inputs["item"], inputs["seen"], strict=True)
    ):
        vectors = table[seen[seen > 0]]
        if pooling == "attention":
            scores = np.exp(vectors @ table[item] / 2.0)
            weights = scores / scores.sum() if len(vectors) else scores
        else:
            weights = np.full(len(vectors), 1.0)
            weights /= len(vectors) if pooling == "mean" and len(vectors) else 1
        np.testing.assert_allclose(output[row, :4], table[item], atol=1e-6)
        np.testing.assert_allclose(output[row, 4:], weights @ vectors, atol=1e-6)


@pytest.mark.parametrize(
    "once", [("user", "seen"), ("item",), ("user", "item", "seen")]
)
@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_ids_of_one_row_hold_for_all_rows(pooling, once):
    attend = "item" if pooling == "attention" else None
    layer = FeatureEmbedding(
        {"user": EmbeddingTable(5, 2), "item": EmbeddingTable(9, 4)},
        {
            "user": EmbeddedFeature("user"),
            "item": EmbeddedFeature("item"),
            "seen": EmbeddedFeature("item", pooling, attend),
        },
        num_numeric=1,
    )
    rows = {
        "user": np.array([3, 3, 3]),
        "item": np.array([1, 1, 1] if "item" in once else [1, 2, 8]),
        "seen": np.array([[4, 5, 0]] * 3),
        "numeric_features": np.array([[0.5], [1.5], [-2.0]], np.float32),
    }
    short = {name: x[:1] if name in once else x for name, x in rows.items()}
    np.testing.assert_allclose(layer(short), layer(rows), atol=1e-6)


def test_a_lookup_reads_the_rows_of_a_table_and_not_the_table():
    layer = FeatureEmbedding(
        {"item": EmbeddingTable(1000, 4)}, {"item": EmbeddedFeature("item")}
    )
    ids = tf.constant([1, 2, 2])
    layer({"item": ids})
    (variable,) = layer.trainable_weights

    @tf.function
    def gradient():
        source = variable if IS_LEGACY else variable.value
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer({"item": ids}))
        return tape.gradient(loss, source)

    reads = [
        op.name
        for op in gradient.get_concrete_function().graph.get_operations()
        if op.type == "ReadVariableOp"
    ]
    assert not reads
    found = tf.convert_to_tensor(gradient())[:4]
    np.testing.assert_array_equal(found, np.outer([0, 1, 2, 0], np.ones(4)))


def test_tables_of_one_width_are_looked_up_together():
    """And each id is one of its own table, in whatever dtype it comes."""
    sizes = {"a": (3, 2), "b": (4, 3), "c": (5, 2), "d": (6, 2)}
    layer = FeatureEmbedding(
        {name: EmbeddingTable(*size) for name, size in sizes.items()},
        {**{n: EmbeddedFeature(n) for n in "abc"}, "several": EmbeddedFeature("d")},
    )
    inputs = {
        "a": tf.constant([0, 2], tf.int64),
        "b": tf.constant([3, 0]),
        "c": tf.constant([0, 4]),
        "several": tf.constant([[1, 5], [2, 0]], tf.int64),
    }
    output = np.asarray(layer(inputs))
    tables = {name: np.asarray(layer.rows_of(name)) for name in sizes}
    d = tables["d"]
    by_feature = {
        "a": tables["a"][[0, 2]],
        "b": tables["b"][[3, 0]],
        "c": tables["c"][[0, 4]],
        "several": np.stack([(d[1] + d[5]) / 2, d[2]]),
    }
    assert layer.widths == {"a": 2, "b": 3, "c": 2, "several": 2}
    expected = np.concatenate([by_feature[name] for name in layer.widths], axis=1)
    np.testing.assert_allclose(output, expected, rtol=1e-6)

    graph = tf.function(layer).get_concrete_function(inputs).graph
    kinds = [op.type for op in graph.get_operations()]
    assert kinds.count("ResourceGather") == 2


@pytest.mark.parametrize("wrong", [3, -1])
def test_an_id_that_its_table_does_not_have_is_told(wrong):
    layer = FeatureEmbedding(
        {"user": EmbeddingTable(3, 2), "item": EmbeddingTable(5, 2)},
        {"user": EmbeddedFeature("user"), "item": EmbeddedFeature("item")},
    )
    rule = "must be at least 0 and below the size of their table"
    message = f"ids of user, item {rule}.*{wrong}"
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s){message}"):
        layer({"user": tf.constant([1, wrong]), "item": tf.constant([1, 2])})


@pytest.mark.slow
def test_tfrs_under_keras_3_says_what_to_set():
    script = "import home_tf.tfrs; home_tf.tfrs.RankingModel"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": "/usr/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Set TF_USE_LEGACY_KERAS=1" in done.stderr
