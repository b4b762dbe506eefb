"""The graph of an export: its weights are constants, and its operations few."""

import numpy as np
import pytest
import tensorflow as tf
from support.backends import randomize
from support.serving_inputs import serving_inputs
from support.slow import slow_except
from tensorflow.core.protobuf import saved_model_pb2

from home_tf.backend import IS_LEGACY
from home_tf.config import load_config
from home_tf.config.architecture import ARCHITECTURES
from home_tf.export import ServingModel, serving_model
from home_tf.export.frozen import freeze
from home_tf.export.slices import in_slices
from home_tf.training import Experiment

# With HoME's experts in all of them, and with every part of HoME.
VARIANTS = {name: {"type": name} for name in ARCHITECTURES}
VARIANTS["home with deep gates"] = {"type": "home", "gate_units": [4]}


class Served:
    """An untrained network of the small configuration, and its export."""

    def __init__(self, records, config_file, folder, architecture, **settings):
        expert = {"units": [8, 6], "activation": "swish", "batch_norm": True}
        config = load_config(
            config_file,
            {
                "model.architecture": {**architecture, "expert": expert},
                "model.tower_units": [5],
                "training.framework": "tfrs" if IS_LEGACY else "keras",
                **settings,
            },
        )
        experiment = Experiment.open(config, records)
        self.network = experiment.make_network()
        randomize(self.network, 0)
        for table in self.network.features.weights:
            table.assign(10.0 * table)  # else all rows are nearly the same
        self.tasks = list(config.tasks)
        self.model = ServingModel(
            experiment.preprocessor, self.network, self.tasks, config.request_columns
        )
        self.folder = folder
        signatures = {"predict": self.model.signatures()["predict"]}
        tf.saved_model.save(self.model, str(folder), signatures=signatures)
        self.batch = next(iter(experiment.data.read("test", batch_size=64)))
        self.ids = experiment.preprocessor(self.batch)

    def difference(self):
        """Between what the export and the network predict, and the predictions."""
        predict = tf.saved_model.load(str(self.folder)).signatures["predict"]
        names = predict.structured_input_signature[1]
        found = predict(**serving_inputs(self.batch, names))
        logits = self.network(self.ids, training=False)
        expected = np.stack([tf.sigmoid(logits[t])[:, 0] for t in self.tasks])
        found = np.stack([found[task] for task in self.tasks])
        assert np.ptp(expected, axis=1).max() > 1e-4  # the rows do differ
        return np.abs(found - expected).max()

    def nodes(self):
        """The operations of the graph, and of all functions in it."""
        model = saved_model_pb2.SavedModel()
        model.ParseFromString((self.folder / "saved_model.pb").read_bytes())
        graph = model.meta_graphs[0].graph_def
        functions = (function.node_def for function in graph.library.function)
        return [*graph.node, *(node for nodes in functions for node in nodes)]

    def variables(self):
        return [
            name
            for name, _ in tf.train.list_variables(
                str(self.folder / "variables" / "variables")
            )
        ]


@pytest.fixture(scope="module")
def serve(trained, tmp_path_factory):
    run, *_ = trained
    folder = run.folder.parent

    def make(architecture, **settings):
        out = tmp_path_factory.mktemp("served") / "1"
        records, config = folder / "records", folder / "config.yaml"
        return Served(records, config, out, architecture, **settings)

    return make


@pytest.mark.parametrize("name", slow_except(["home", "mmoe"], VARIANTS))
def test_an_export_of_every_architecture_predicts_what_the_model_does(serve, name):
    served = serve(VARIANTS[name])
    assert served.difference() <= 1e-6
    # Batch normalisation is a part of the kernels, and these are constants.
    assert not [node for node in served.nodes() if "BatchNorm" in node.op]
    names = served.variables()
    assert [name for name in names if "embeddings" in name]
    assert not [name for name in names if "kernel" in name or "batch_norm" in name]


@pytest.mark.slow
def test_half_precision_keeps_its_batch_normalisation(serve):
    architecture = VARIANTS["home"]
    served = serve(architecture, **{"training.mixed_precision": "mixed_bfloat16"})
    assert served.difference() <= 3e-2
    assert [node for node in served.nodes() if "BatchNorm" in node.op]


@pytest.mark.slow
def test_weights_too_large_for_a_graph_stay_variables(serve, monkeypatch):
    monkeypatch.setattr(serving_model, "MAX_CONSTANT_BYTES", 100)
    served = serve(VARIANTS["home"])
    assert served.difference() <= 1e-6
    assert [name for name in served.variables() if "kernel" in name]


def test_all_signatures_share_the_constants(trained):
    _, version, _, _ = trained
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((version / "saved_model.pb").read_bytes())
    functions = model.meta_graphs[0].graph_def.library.function
    names = [function.signature.name for function in functions]
    assert len([name for name in names if "frozen" in name]) == 1


def operations(function):
    """The operations of a concrete function and of those that it calls."""
    graph = function.graph.as_graph_def()
    functions = {one.signature.name: one.node_def for one in graph.library.function}

    def of_nodes(nodes):
        for node in nodes:
            names = (node.attr[key].func.name for key in ("f", "cond", "body"))
            called = [name for name in names if name]
            if not called:
                yield node.op
            for name in called:
                yield from of_nodes(functions[name])

    return list(of_nodes(graph.node))


def test_the_graph_of_home_has_few_operations(serve):
    served = serve(VARIANTS["home"])
    found = operations(served.model.signatures()["predict"])
    assert len(found) <= 360
    dense = operations(served.model._dense)
    assert len(dense) <= 200
    assert "ReadVariableOp" not in dense


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 10])
def test_slices_are_of_at_most_so_many_rows(rows):
    seen = []

    def look(x):
        tf.numpy_function(lambda number: seen.append(int(number)), [tf.shape(x)[0]], [])
        return 2.0 * x

    sliced = in_slices(look, tf.TensorSpec((None, 2)), rows=3, columns=2)
    x = np.arange(2.0 * rows, dtype=np.float32).reshape(rows, 2)
    assert sliced.output_shapes.as_list() == [None, 2]
    np.testing.assert_array_equal(sliced(tf.constant(x)), 2.0 * x)
    assert sum(seen) == rows
    assert max(seen) <= 3
    assert len(seen) == max(1, -(-rows // 3))


def test_freezing_evaluates_what_does_not_depend_on_the_input():
    large, table = tf.Variable(tf.random.normal((50, 60))), tf.Variable([[1.0], [2.0]])

    def function(x):
        parts = tf.split(tf.linalg.matmul(large, large, transpose_b=True), 2, axis=1)
        rows = tf.gather(table, tf.cast(x[:, 0] > 0, tf.int32))
        return tf.matmul(x, parts[0] + 1.0) * tf.matmul(x, parts[1]) + rows

    frozen = freeze(function, tf.TensorSpec((None, 50)))
    x = tf.random.normal((7, 50))
    expected = function(x)
    # What is not read as a whole stays a variable.
    assert [one is table.handle for one in frozen.captured_inputs] == [True]
    large.assign(tf.zeros_like(large))
    np.testing.assert_allclose(frozen(x), expected, rtol=1e-5, atol=1e-5)
    found = operations(frozen)
    assert found.count("MatMul") == 2
    assert not {"Split", "ReadVariableOp"} & set(found)
