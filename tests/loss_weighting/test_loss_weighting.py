"""The loss weightings against NumPy, on a linear network with an embedding table.

    v = x K + E[id]        logit_t = v k_t + b_t

All tasks share `K` and `E`; each has its own tower `k_t, b_t`.
"""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from support.strategies import two_devices

from home_tf.backend import IS_LEGACY, keras
from home_tf.config import TrainingConfig
from home_tf.errors import HomeError
from home_tf.layers import Expert, ExpertBank, TaskTowers
from home_tf.loss_weighting import GradNorm, PCGrad, Uncertainty
from home_tf.loss_weighting.projection import random_orders
from home_tf.models import RankingModel, RankingNetwork
from home_tf.run import Run
from home_tf.training.checkpoints import Checkpoints

TASKS = ["long_view", "click", "like"]
RATE = 0.5
NAMES = ["sum", "uncertainty", "gradnorm", "pcgrad"]
LEARNING = ["uncertainty", "gradnorm"]


@keras.saving.register_keras_serializable(package="test_loss_weighting")
class LinearFeatures(keras.layers.Layer):
    width = 2

    def build(self, input_shape=None):
        self.kernel = self.add_weight(name="kernel", shape=(3, self.width))
        options = {"dtype": self.dtype_policy, "name": "table"}
        self.table = keras.layers.Embedding(4, self.width, **options)
        self.table.build((None,))
        self.built = True

    def call(self, inputs, training=None):
        return inputs["x"] @ self.kernel + self.table(inputs["id"])


@keras.saving.register_keras_serializable(package="test_loss_weighting")
class Same(keras.layers.Layer):
    """The features as every task's representation, or experts that see all rows."""

    def __init__(self, experts=False, **kwargs):
        super().__init__(**kwargs)
        self.experts = ExpertBank(2, Expert.home(units=(3,))) if experts else None

    def build(self, shape):
        if self.experts is not None:
            self.experts.build(shape)
        self.built = True

    def call(self, v, training=None):
        if self.experts is not None:
            v = self.experts(v, training=training)[:, 0]
        return dict.fromkeys(TASKS, v)

    def compute_output_shape(self, shape):
        return dict.fromkeys(TASKS, (None, 3 if self.experts is not None else 2))


def make_network(experts=False, dtype="float32"):
    parts = (LinearFeatures, Same, TaskTowers)
    arguments = ({}, {"experts": experts}, {"tasks": TASKS, "hidden_units": ()})
    names = ("features", "experts", "towers")  # by which checkpoints find weights
    made = [
        part(**given, dtype=dtype, name=name)
        for part, given, name in zip(parts, arguments, names, strict=True)
    ]
    network = RankingNetwork(*made, dtype=dtype)
    network.build(None)
    return network


def keras_model():
    return RankingModel


def tfrs_model():
    from home_tf.tfrs import RankingModel as TFRSRankingModel

    return TFRSRankingModel


needs_tfrs = pytest.mark.skipif(not IS_LEGACY, reason="TFRS needs legacy Keras")
both_models = pytest.mark.parametrize(
    "model_class",
    [
        pytest.param(keras_model, id="keras"),
        pytest.param(tfrs_model, id="tfrs", marks=needs_tfrs),
    ],
)
# What takes long is tested with the model that each Keras is for; that the twins train
# alike is tested for every weighting.
one_model = pytest.mark.parametrize(
    "model_class",
    [
        pytest.param(tfrs_model, id="tfrs")
        if IS_LEGACY
        else pytest.param(keras_model, id="keras")
    ],
)


def make_rows(rows=12, seed=3):
    random = np.random.default_rng(seed)
    features = {
        "x": random.normal(size=(rows, 3)).astype(np.float32),
        "id": random.integers(0, 4, rows),
    }
    y = (features["x"][:, 0] > 0).astype(np.float32)
    labels = {
        "long_view": y,
        "click": 1 - y,  # conflicts with the first
        "like": (random.random(rows) < 0.3).astype(np.float32),
    }
    labels["like"][1::4] = np.nan
    return features, labels


def make_model(model_class, weighting, *, network=None, **options):
    model = model_class()(network or make_network(), TASKS, loss_weighting=weighting)
    model.compile(keras.optimizers.SGD(RATE), **options)
    return model


def shared_start():
    """Values of the weights for which the tasks' gradients conflict."""
    random = np.random.default_rng(1)
    towers = {t: random.normal(size=(2, 1)) for t in TASKS}
    towers["click"] = towers["long_view"] + 0.1
    return {
        "K": random.normal(size=(3, 2)),
        "E": random.normal(size=(4, 2)),
        **{f"k_{t}": towers[t] for t in TASKS},
        **{f"b_{t}": random.normal(size=1) for t in TASKS},
    }


def variables_of(network):
    """The kernels and biases of all towers stand side by side."""
    return {
        "K": network.features.kernel,
        "E": network.features.table.embeddings,
        "k": network.towers.mlps.kernels[0],
        "b": network.towers.mlps.biases[0],
    }


def assign(network, values):
    together = {
        name: np.concatenate([values[f"{name}_{t}"] for t in TASKS], axis=-1)
        for name in ("k", "b")
    }
    for name, variable in variables_of(network).items():
        variable.assign({**values, **together}[name].astype(np.float32))


def values_of(network):
    found = {k: np.asarray(v, np.float64) for k, v in variables_of(network).items()}
    for name in ("k", "b"):
        columns = np.split(found.pop(name), len(TASKS), axis=-1)
        found |= {f"{name}_{t}": v for t, v in zip(TASKS, columns, strict=True)}
    return found


def fit(model, features, labels, epochs=1):
    batches = tf.data.Dataset.from_tensors((features, labels))
    return model.fit(batches, epochs=epochs, verbose=0, shuffle=False).history


def in_numpy(values, features, labels):
    """Every task's loss, its gradient by each weight, and its norm by `v`."""
    x, ids = features["x"].astype(np.float64), features["id"]
    v = x @ values["K"] + values["E"][ids]
    losses, gradients, norms = {}, {}, {}
    for task in TASKS:
        y = labels[task]
        valid = ~np.isnan(y)
        logits = (v @ values[f"k_{task}"])[:, 0] + values[f"b_{task}"]
        p = 1 / (1 + np.exp(-logits))
        rows = -np.where(y == 1, np.log(p), np.log(1 - p))
        losses[task] = rows[valid].mean() if valid.any() else 0.0
        d = (np.where(valid, p - np.nan_to_num(y), 0) / max(valid.sum(), 1))[:, None]
        dv = d @ values[f"k_{task}"].T
        found = {name: np.zeros_like(value) for name, value in values.items()}
        found["K"] = x.T @ dv
        np.add.at(found["E"], ids, dv)
        found[f"k_{task}"] = v.T @ d
        found[f"b_{task}"] = d.sum(axis=0)
        gradients[task] = found
        norms[task] = np.sqrt((dv**2).sum())
    return losses, gradients, norms


def sgd(values, gradients, weights):
    return {
        name: value - RATE * sum(weights[t] * gradients[t][name] for t in TASKS)
        for name, value in values.items()
    }


def assert_equal(found, expected, **tolerances):
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name], value, **{"atol": 1e-5, **tolerances}, err_msg=name
        )


@both_models
def test_the_sum_adds_the_gradients_up(model_class):
    model = make_model(model_class, "sum")
    values, data = shared_start(), make_rows()
    assign(model.network, values)
    history = fit(model, *data, epochs=2)
    for _ in range(2):
        _, gradients, _ = in_numpy(values, *data)
        values = sgd(values, gradients, dict.fromkeys(TASKS, 1.0))
    assert_equal(values_of(model.network), values)
    assert not [name for name in history if name.endswith("_loss_weight")]


@both_models
def test_uncertainty_equals_its_equations(model_class):
    model = make_model(model_class, "uncertainty")
    values, data = shared_start(), make_rows()
    s = dict.fromkeys(TASKS, 0.0)
    assign(model.network, values)
    history = fit(model, *data, epochs=3)
    for step in range(3):
        losses, gradients, _ = in_numpy(values, *data)
        values = sgd(values, gradients, {t: np.exp(-s[t]) for t in TASKS})
        s = {t: s[t] - RATE * (0.5 - np.exp(-s[t]) * losses[t]) for t in TASKS}
        for task in TASKS:
            reported = history[f"{task}_loss_weight"][step]
            assert reported == pytest.approx(np.exp(-s[task]), rel=1e-5)
    assert_equal(values_of(model.network), values)
    expected = [s[task] for task in TASKS]
    np.testing.assert_allclose(
        np.asarray(model.loss_weighting.log_variances), expected, atol=1e-5
    )


@both_models
def test_gradnorm_equals_its_equations(model_class):
    alpha, rate = 0.7, 0.2
    weighting = GradNorm(alpha=alpha, learning_rate=rate)
    model = make_model(model_class, weighting)
    values, data = shared_start(), make_rows()
    w = dict.fromkeys(TASKS, 1.0)
    assign(model.network, values)
    history = fit(model, *data, epochs=3)
    first = None
    for step in range(3):
        losses, gradients, norms = in_numpy(values, *data)
        first = first or losses
        values = sgd(values, gradients, w)
        g = {t: w[t] * norms[t] for t in TASKS}
        mean = np.mean(list(g.values()))
        ratio = {t: losses[t] / first[t] for t in TASKS}
        r = {t: ratio[t] / np.mean(list(ratio.values())) for t in TASKS}
        sign = {t: np.sign(g[t] - mean * r[t] ** alpha) for t in TASKS}
        w = {t: np.exp(np.log(w[t]) - rate * sign[t] * g[t] / mean) for t in TASKS}
        w = {t: w[t] * len(TASKS) / sum(w.values()) for t in TASKS}
        for task in TASKS:
            reported = history[f"{task}_loss_weight"][step]
            assert reported == pytest.approx(w[task], rel=1e-4)
    assert {np.sign(np.log(value)) for value in w.values()} == {-1, 1}
    assert_equal(values_of(model.network), values)


def test_gradnorm_brings_the_norms_together():
    model = make_model(keras_model, GradNorm(alpha=0.0, learning_rate=0.05))
    model.compile(keras.optimizers.SGD(0.0))
    values, data = shared_start(), make_rows()
    assign(model.network, values)
    batches = tf.data.Dataset.from_tensors(data).repeat(120)
    model.fit(batches, verbose=0, shuffle=False)
    _, _, norms = in_numpy(values, *data)
    weights = np.asarray(model.loss_weighting.loss_weights)
    weighted = weights * [norms[t] for t in TASKS]
    assert max(norms.values()) > 1.5 * min(norms.values())
    np.testing.assert_allclose(weighted, weighted.mean(), rtol=0.06)
    assert weights.sum() == pytest.approx(len(TASKS), rel=1e-6)


def flatten(by_weight):
    return np.concatenate([value.ravel() for value in by_weight.values()])


def gradient_of_step(before, after):
    """The gradient that a step of SGD went down, as one vector."""
    return flatten({name: (before[name] - after[name]) / RATE for name in before})


def pcgrad_results(gradients):
    """The projected sum, by the paper's algorithm, for every order of every task."""
    flat = {task: flatten(gradients[task]) for task in TASKS}
    projected = {t: [] for t in TASKS}
    for task in TASKS:
        for order in itertools.permutations([t for t in TASKS if t != task]):
            g = flat[task].copy()
            for other in order:
                if g @ flat[other] < 0:
                    g -= (g @ flat[other]) / (flat[other] @ flat[other]) * flat[other]
            projected[task].append(g)
    return [sum(choice) for choice in itertools.product(*projected.values())]


@both_models
def test_pcgrad_equals_the_algorithm_of_the_paper(model_class):
    model = make_model(model_class, "pcgrad")
    values, data = shared_start(), make_rows()
    assign(model.network, values)
    fit(model, *data)
    _, gradients, _ = in_numpy(values, *data)
    found = values_of(model.network)
    gradient = gradient_of_step(values, found)
    distances = [np.abs(gradient - g).max() for g in pcgrad_results(gradients)]
    assert min(distances) < 1e-5
    # There is something to project, and the order matters.
    assert max(distances) > 1e-2
    plain = sgd(values, gradients, dict.fromkeys(TASKS, 1.0))
    assert np.abs(plain["K"] - found["K"]).max() > 1e-2


def test_pcgrad_without_conflict_is_the_sum():
    features, labels = make_rows()
    labels = dict.fromkeys(TASKS, labels["long_view"])
    ends = []
    for weighting in ("sum", "pcgrad"):
        model = make_model(keras_model, weighting)
        values = shared_start()
        assign(model.network, {**values, "k_like": values["k_click"]})
        fit(model, features, labels)
        ends.append(values_of(model.network))
    assert_equal(*ends, atol=1e-6)


def test_the_orders_of_pcgrad_are_permutations_that_change():
    orders = np.stack([random_orders(3, 0, step) for step in range(60)])
    np.testing.assert_array_equal(np.sort(orders), np.tile([0, 1, 2], (60, 3, 1)))
    assert len({tuple(order) for order in orders.reshape(-1, 3)}) == 6
    np.testing.assert_array_equal(orders[7], random_orders(3, 0, 7))
    other_seed = np.stack([random_orders(3, 1, step) for step in range(60)])
    assert (orders != other_seed).any()


@pytest.mark.slow
@pytest.mark.parametrize("weighting", NAMES[1:])
@one_model
def test_two_devices_agree_with_one(model_class, weighting):
    """Uneven batches, labels that only one replica has, ids that both have."""
    features, labels = make_rows(rows=29)
    labels["like"][:5] = np.nan
    batches = tf.data.Dataset.from_tensor_slices((features, labels)).batch(10)
    ends, start = [], None
    for strategy in (tf.distribute.get_strategy(), two_devices()):
        with strategy.scope():
            network = make_network(experts=True)
            model = make_model(model_class, weighting, network=network)
        start = network.get_weights() if start is None else start
        network.set_weights(start)
        history = model.fit(batches, epochs=2, verbose=0, shuffle=False).history
        weights = [*network.get_weights(), *model.loss_weighting.get_weights()]
        ends.append({**dict(enumerate(weights)), **history})
    assert_equal(*ends, atol=2e-5)
    assert np.abs(ends[0][0] - start[0]).max() > 1e-2


@pytest.mark.slow
@needs_tfrs
@pytest.mark.parametrize("weighting", NAMES)
def test_the_twins_train_alike(weighting):
    ends, start = [], None
    for model_class in (keras_model, tfrs_model):
        model = make_model(model_class, weighting)
        start = model.network.get_weights() if start is None else start
        model.network.set_weights(start)
        history = fit(model, *make_rows(), epochs=3)
        ends.append({**values_of(model.network), **history})
    assert_equal(*ends)


@pytest.mark.parametrize("weighting", NAMES[1:])
@both_models
def test_a_task_without_labels_does_no_harm(model_class, weighting):
    features, labels = make_rows()
    labels["like"][:] = np.nan
    model = make_model(model_class, weighting)
    history = fit(model, features, labels, epochs=3)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    if weighting == "uncertainty":
        np.testing.assert_array_equal(history["like_loss_weight"], 1.0)
    if weighting == "gradnorm":
        assert np.asarray(model.loss_weighting.first_losses)[2] == 0.0
        total = sum(history[f"{task}_loss_weight"][-1] for task in TASKS)
        assert total == pytest.approx(3, rel=1e-6)


@pytest.mark.parametrize("weighting", ["gradnorm", "pcgrad"])
def test_a_single_task_trains_as_the_sum(weighting):
    features, labels = make_rows()
    ends = []
    for name in ("sum", weighting):
        inputs = (LinearFeatures(), Same(), TaskTowers(TASKS[:1], hidden_units=()))
        network = RankingNetwork(*inputs)
        network.build(None)
        network.set_weights([np.ones(weight.shape) for weight in network.weights])
        model = RankingModel(network, TASKS[:1], loss_weighting=name)
        model.compile(keras.optimizers.SGD(RATE))
        fit(model, features, labels)
        ends.append(dict(enumerate(network.get_weights())))
    assert_equal(*ends, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("weighting", NAMES[1:])
@one_model
def test_steps_compile_with_xla(model_class, weighting):
    features, labels = make_rows()
    # XLA draws other orders for PCGrad; of two gradients the order does not matter.
    labels["like"][:] = np.nan
    ends = []
    for jit in (False, True):
        model = make_model(model_class, weighting, jit_compile=jit)
        assign(model.network, shared_start())
        fit(model, features, labels, epochs=2)
        ends.append(values_of(model.network))
    assert_equal(*ends, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("weighting", ["gradnorm", "pcgrad"])
@one_model
def test_half_precision_is_near_full_precision(model_class, weighting):
    """Its optimiser scales the loss, and skips steps in which gradients overflow."""
    ends = []
    for dtype in ("float32", "mixed_float16"):
        model = model_class()(
            make_network(dtype=dtype), TASKS, loss_weighting=weighting, dtype=dtype
        )
        model.compile(keras.optimizers.SGD(RATE))
        assign(model.network, shared_start())
        history = fit(model, *make_rows(), epochs=2)
        weights = {n: v for n, v in history.items() if n.endswith("_loss_weight")}
        ends.append({**values_of(model.network), **weights})
    assert_equal(*ends, atol=0.03)
    assert np.abs(ends[1]["K"] - shared_start()["K"]).max() > 0.05


def test_gradients_that_overflow_leave_the_weights_of_gradnorm():
    weighting = GradNorm()
    weighting.start(["a", "b"])
    weighting._update(tf.constant([1.0, np.inf]), tf.constant([1.0, 1.0]))
    np.testing.assert_array_equal(weighting.loss_weights, [1.0, 1.0])
    weighting._update(tf.constant([1.0, 3.0]), tf.constant([1.0, 1.0]))
    low, high = np.asarray(weighting.loss_weights)[::-1]
    assert low < 1 < high


@pytest.mark.parametrize("weighting", [Uncertainty, lambda: GradNorm(alpha=0.3)])
def test_a_saved_keras_model_has_its_loss_weights(tmp_path, weighting):
    model = RankingModel(make_network(), TASKS, loss_weighting=weighting())
    model.compile(keras.optimizers.Adam(0.1))
    fit(model, *make_rows(), epochs=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.loss_weighting.get_config() == model.loss_weighting.get_config()
    before = model.loss_weighting.get_weights()
    assert any(np.abs(weight - 1).max() > 1e-3 for weight in before)
    after = loaded.loss_weighting.get_weights()
    np.testing.assert_array_equal(np.stack(before), np.stack(after))


@pytest.mark.parametrize("weighting", LEARNING)
@both_models
def test_a_checkpoint_of_train_goes_on_alike(tmp_path, model_class, weighting):
    models = []
    for _ in range(2):
        model = model_class()(make_network(), TASKS, loss_weighting=weighting)
        model.compile(keras.optimizers.Adam(0.1))
        model.optimizer.build(model.trainable_variables)
        models.append(model)
    trained, resumed = models
    fit(trained, *make_rows(), epochs=3)
    saved = Checkpoints(Run(tmp_path), trained, TrainingConfig())
    saved.step = 5
    saved.save()
    restored = Checkpoints(Run(tmp_path), resumed, TrainingConfig())
    restored.restore(pytest.fail)
    assert restored.step == 5
    weights = [model.loss_weighting.get_weights() for model in models]
    assert np.abs(weights[0][0]).max() > 1e-2
    np.testing.assert_array_equal(*weights)
    assert_equal(*[fit(model, *make_rows(), epochs=2) for model in models])


def test_a_model_saved_before_loss_weightings_is_told():
    config = RankingModel(make_network(), TASKS).get_config()
    del config["loss_weighting"]
    message = r"earlier version of home_tf, .*'loss_weighting'.* train it again$"
    with pytest.raises(HomeError, match=message):
        RankingModel.from_config(config)


@pytest.mark.parametrize("name", NAMES)
def test_static_weights_go_with_the_sum_and_pcgrad_only(name):
    weights = {"like": 2.0}
    if name in LEARNING:
        kind = {"uncertainty": "Uncertainty", "gradnorm": "GradNorm"}[name]
        message = rf"`loss_weights` must be left out with `{kind}`.*'like': 2.0"
        with pytest.raises(HomeError, match=message):
            RankingModel(
                make_network(), TASKS, loss_weights=weights, loss_weighting=name
            )
        return
    model = RankingModel(
        make_network(), TASKS, loss_weights=weights, loss_weighting=name
    )
    model.compile(keras.optimizers.SGD(RATE))
    values, data = shared_start(), make_rows()
    assign(model.network, values)
    fit(model, *data)
    _, gradients, _ = in_numpy(values, *data)
    gradients["like"] = {key: 2.0 * g for key, g in gradients["like"].items()}
    possible = (
        pcgrad_results(gradients)
        if name == "pcgrad"
        else [sum(map(flatten, gradients.values()))]
    )
    moved = gradient_of_step(values, values_of(model.network))
    assert min(np.abs(moved - g).max() for g in possible) < 1e-5


@both_models
def test_wrong_use_is_told_in_one_line(model_class):
    model_class, network = model_class(), make_network()
    message = r"`loss_weighting` must be one of \('sum', .*'pcgrad'\).*'kendall'"
    with pytest.raises(HomeError, match=message):
        model_class(network, TASKS, loss_weighting="kendall")
    inputs = keras.Input((3,))
    plain = keras.Model(inputs, {"click": keras.layers.Dense(1)(inputs)})
    with pytest.raises(HomeError, match=r"`GradNorm` needs a network that, called"):
        model_class(plain, ["click"], loss_weighting="gradnorm")
    weighting = PCGrad()
    model_class(network, TASKS, loss_weighting=weighting)
    with pytest.raises(ValueError, match=r"must not be shared between models"):
        model_class(network, TASKS, loss_weighting=weighting)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": -1.0}, r"`alpha` must not be negative. Received: -1.0"),
        ({"learning_rate": 0}, r"`learning_rate` must be positive. Received: 0"),
    ],
)
def test_gradnorm_checks_its_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GradNorm(**arguments)
