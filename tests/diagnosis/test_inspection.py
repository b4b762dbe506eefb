"""What is inside the layers: by name, as NumPy has it, and at no cost in a call."""

import numpy as np
import pytest
from support import home_reference
from support.backends import randomize, to_numpy

from home_tf.backend import IS_LEGACY, IS_TENSORFLOW, keras
from home_tf.diagnosis import Inspector, inspect
from home_tf.errors import HomeError
from home_tf.layers import (
    CGC,
    PLE,
    AdaTT,
    Expert,
    HoME,
    MMoE,
    SharedBottom,
    SingleTask,
    TaskTowers,
)

GROUPS = {"watch": ["long_view", "finish"], "inter": ["click"]}
TASKS = ["long_view", "finish", "click"]
V = np.random.default_rng(1).normal(size=(16, 6)).astype(np.float32)
EXPERT = Expert.home(units=(5, 4))

LAYERS = {
    "home": lambda: HoME(GROUPS, expert=EXPERT),
    "home of many experts": lambda: HoME(
        GROUPS,
        expert=EXPERT,
        num_shared_experts=3,
        num_group_experts=1,
        num_task_experts=2,
        feature_gate_scope="expert",
    ),
    "home without its mask": lambda: HoME(GROUPS, expert=EXPERT, hierarchy_mask=False),
    "home without gates": lambda: HoME(
        GROUPS, expert=EXPERT, feature_gate="none", self_gate="none"
    ),
    "mmoe": lambda: MMoE(GROUPS, num_experts=3, expert=EXPERT),
    "cgc": lambda: CGC(GROUPS, num_task_experts=2, expert=EXPERT),
    "ple": lambda: PLE(GROUPS, num_task_experts=2, num_levels=3, expert=EXPERT),
    "adatt": lambda: AdaTT(GROUPS, num_levels=2, expert=EXPERT),
    "shared bottom": lambda: SharedBottom(GROUPS, expert=EXPERT),
    "single task": lambda: SingleTask(GROUPS, expert=EXPERT),
}


def make(name):
    layer = LAYERS[name]()
    layer(V)
    randomize(layer, 0)
    return layer


def mixed(found, gate):
    return sum(
        gate.weights[:, k, None] * found.experts[str(expert)]
        for k, expert in enumerate(gate.experts)
    )


@pytest.mark.parametrize("name", LAYERS)
def test_experts_and_gates_by_name_make_the_representations(name):
    """The output of every task follows from what is said, with nothing left over."""
    layer = make(name)
    found = inspect(layer, V)
    expected = to_numpy(layer(V, training=False))
    last = {gate.task: key for key, gate in found.gates.items() if gate.task}
    for task, h in expected.items():
        if task in last:
            made = mixed(found, found.gates[last[task]])
            if last[task] in found.self_gates:
                made = made + mixed(found, found.self_gates[last[task]])
            if name == "adatt":
                made = made + found.experts[f"level_2/{task}/0"]
        else:
            made = found.experts["shared/0" if "shared" in name else f"{task}/0"]
        np.testing.assert_allclose(made, h, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["home", "home of many experts", "home without its mask"]
)
def test_the_meta_level_is_that_of_the_numpy_reference(name):
    layer = make(name)
    found = inspect(layer, V)
    owners = ["shared", *GROUPS]
    meta = {}
    for owner in owners:
        part = layer.meta_level[owner]
        meta |= home_reference.experts_of(part, layer, [owner], V, training=False)
        for k, outputs in enumerate(meta[owner]):
            np.testing.assert_allclose(
                found.experts[f"meta/{owner}/{k}"], outputs, rtol=1e-4, atol=1e-5
            )
        path = f"meta/{owner}" + "/0" * (layer.feature_gate_scope == "expert")
        path = path if path in found.feature_gates else f"meta/{owner}"
        np.testing.assert_allclose(
            found.feature_gates[path],
            home_reference.feature_gate(part.feature_gates, V.astype(np.float64), 0),
            rtol=1e-4,
            atol=1e-5,
        )
    for owner in owners:
        part, gate = layer.meta_level[owner], found.gates[f"meta/{owner}"]
        logits = home_reference.mlp(part.gates.mlps, 0, V.astype(np.float64))
        np.testing.assert_allclose(
            gate.weights, home_reference.softmax(logits), rtol=1e-4, atol=1e-6
        )
        masked = layer.hierarchy_mask and owner != "shared"
        seen = ["shared", owner] if masked else owners
        assert [str(expert) for expert in gate.experts] == [
            f"meta/{other}/{k}" for other in seen for k in range(len(meta[other]))
        ]
    assert set(found.reading_features) == {
        name for name in found.feature_gates if name.startswith("meta/")
    }


def test_the_names_of_home():
    found = inspect(make("home"), V)
    assert list(found.experts) == [
        *(f"meta/{owner}/{k}" for owner in ("shared", *GROUPS) for k in (0, 1)),
        "task/shared/0",
        "task/shared/1",
        "task/watch/0",
        "task/watch/1",
        "task/watch/long_view/0",
        "task/watch/finish/0",
        "task/inter/0",
        "task/inter/1",
        "task/inter/click/0",
    ]
    click = found.gates["task/inter/click"]
    assert click.task == "click"
    assert [str(expert) for expert in click.experts] == [
        "task/shared/0", "task/shared/1", "task/inter/0", "task/inter/1",
        "task/inter/click/0",
    ]  # fmt: skip
    assert [expert.owner for expert in click.experts] == [
        "shared", "shared", "group", "group", "task",
    ]  # fmt: skip
    assert list(found.self_gates) == list(found.gates)
    assert list(found.feature_gates) == [
        "meta/shared", "meta/watch", "meta/inter", "task/shared", "task/watch",
        "task/watch/long_view", "task/watch/finish", "task/inter", "task/inter/click",
    ]  # fmt: skip
    assert found.banks[0] == ["meta/shared/0", "meta/shared/1"]


class SumOfRepresentation(keras.Model):
    """Its logits are the sums of each task's representation."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.sum = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")

    def call(self, inputs, training=None):
        h = self.layer(inputs, training=training)
        return {task: self.sum(x) for task, x in h.items()}


@pytest.mark.skipif(not IS_TENSORFLOW, reason="gradients need TensorFlow")
@pytest.mark.parametrize("name", ["mmoe", "home", "single task"])
def test_gradients_are_those_of_the_loss(name):
    """By hand: an expert's is the sum over the tasks of weight times error."""
    layer = make(name)
    model = SumOfRepresentation(layer)
    random = np.random.default_rng(0)
    labels = {t: random.integers(0, 2, 16).astype(np.float32) for t in TASKS}
    labels["click"][:4] = np.nan
    found = inspect(model, V, labels)
    assert found.gradients.keys() == found.experts.keys()
    logits = to_numpy(model(V))
    errors = {
        t: np.nan_to_num(1 / (1 + np.exp(-logits[t][:, 0])) - y)
        for t, y in labels.items()
    }
    last = [n for n in found.experts if n.startswith("task/") or name != "home"]
    for expert in last:
        expected = np.zeros(16)
        for gate in (*found.gates.values(), *found.self_gates.values()):
            names = [str(e) for e in gate.experts]
            if gate.task and expert in names:
                weights = gate.weights[:, names.index(expert)]
                expected = expected + weights * errors[gate.task]
        if name == "single task":
            expected = errors[expert.removesuffix("/0")]
        for d in range(4):
            gradient = found.gradients[expert][:, d]
            np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-5)
    assert any(found.gradients[expert].any() for expert in found.experts)


@pytest.mark.skipif(not IS_TENSORFLOW, reason="gradients need TensorFlow")
def test_labels_of_other_tasks_are_told():
    layer = make("mmoe")
    with pytest.raises(
        HomeError, match=r"for their tasks, which are \['buy'\]. Received"
    ):
        inspect(layer, V, {"buy": np.zeros(16)})


@pytest.mark.skipif(not IS_TENSORFLOW, reason="only TensorFlow compiles it")
@pytest.mark.parametrize("name", ["home", "ple"])
def test_compiled_it_says_the_same(name):
    layer = make(name)
    inspector, eager = Inspector(layer), inspect(layer, V)
    for rows in (V, V[:5]):
        found = inspector.read(rows)
        for key, outputs in eager.experts.items():
            np.testing.assert_allclose(
                found.experts[key], outputs[: len(rows)], rtol=1e-4, atol=1e-5
            )
        assert found.gates.keys() == eager.gates.keys()


@pytest.mark.skipif(not IS_TENSORFLOW, reason="the operations of TensorFlow's graph")
def test_a_call_costs_nothing_more():
    import tensorflow as tf

    layer = make("home")

    def operations():
        graph = tf.function(lambda v: layer(v)).get_concrete_function(V).graph
        return len(graph.get_operations())

    before = operations()
    inspect(layer, V)
    assert operations() == before


@pytest.mark.skipif(not IS_TENSORFLOW, reason="models need the TensorFlow backend")
def test_it_looks_into_models_also_into_loaded_ones(tmp_path):
    from home_tf.features import EmbeddedFeature, EmbeddingTable, FeatureEmbedding
    from home_tf.models import RankingModel, RankingNetwork

    features = FeatureEmbedding(
        {"user": EmbeddingTable(9, 4)}, {"user": EmbeddedFeature("user")}, num_numeric=2
    )
    network = RankingNetwork(features, LAYERS["home"](), TaskTowers(TASKS))
    network.build(None)
    model = RankingModel(network, TASKS)
    x = {"user": np.arange(6), "numeric_features": V[:6, :2]}
    expected = inspect(model, x)
    assert len(expected.experts) == 15
    model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    found = inspect(keras.models.load_model(tmp_path / "model.keras"), x)
    for name, outputs in expected.experts.items():
        np.testing.assert_allclose(found.experts[name], outputs, atol=1e-6)


def test_it_looks_into_a_plain_model_of_keras():
    inputs = keras.Input((6,))
    home = make("mmoe")
    hidden = keras.layers.Dense(6)(inputs)
    model = keras.Model(inputs, TaskTowers(TASKS)(home(hidden)))
    found = inspect(model, V)
    assert list(found.experts) == ["shared/0", "shared/1", "shared/2"]
    assert list(found.gates) == TASKS
    np.testing.assert_allclose(
        sum(found.gates["click"].weights.T), np.ones(16), rtol=1e-5
    )


@pytest.mark.skipif(not IS_LEGACY, reason="TFRS needs legacy Keras")
def test_it_looks_into_a_model_of_tfrs():
    import tensorflow_recommenders as tfrs

    class Model(tfrs.Model):
        def __init__(self):
            super().__init__()
            self.experts = LAYERS["cgc"]()

        def call(self, inputs, training=None):
            return self.experts(inputs, training=training)

    assert "click/1" in inspect(Model(), V).experts


def test_a_model_without_experts_is_told():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    with pytest.raises(HomeError, match=r"one layer with experts.*Sequential with non"):
        inspect(model, V)
    inputs = keras.Input((6,))
    outputs = [LAYERS[name]()(inputs) for name in ("mmoe", "cgc")]
    with pytest.raises(HomeError, match=r"with \['cgc.*', 'mmoe.*'\]"):
        inspect(keras.Model(inputs, outputs), V)
