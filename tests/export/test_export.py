"""The SavedModel: loads without this package and predicts what the model predicts."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from home_tf.backend import IS_LEGACY
from home_tf.data import RecordSchema, read
from home_tf.errors import HomeError
from home_tf.export import check_export, export_run
from home_tf.features import Preprocessor
from home_tf.training import train
from home_tf.training.evaluate import load_network

TASKS = ["long_view", "is_click", "is_like"]


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    """A run, its export, and the trained model's answers for the first test rows."""
    from support.small_config import SMALL_CONFIG

    from home_tf.config import load_config

    folder = tmp_path_factory.mktemp("trained")
    (folder / "config.yaml").write_text(SMALL_CONFIG)
    framework = "tfrs" if IS_LEGACY else "keras"
    config = load_config(
        folder / "config.yaml",
        {"training.framework": framework, "training.epochs": 1},
    )
    run = train(config, prepared, folder / "run")
    version = export_run(run, folder / "model")
    preprocessor = Preprocessor(config, prepared)
    network = load_network(run, config, preprocessor)
    batch = next(iter(read(prepared, "test", batch_size=64)))
    logits = network(preprocessor(batch), training=False)
    expected = {t: 1 / (1 + np.exp(-logits[t].numpy().ravel())) for t in TASKS}
    return run, version, batch, expected


def serving_inputs(batch, names):
    return {
        name: tf.cast(batch[name], tf.int64)
        if batch[name].dtype == tf.int32
        else batch[name]
        for name in names
    }


def example_of(batch, row):
    features = {}
    for name, values in batch.items():
        value = np.asarray(values[row]).ravel().tolist()
        if values.dtype == tf.string:
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        elif values.dtype == tf.float32:
            feature = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        else:
            feature = tf.train.Feature(int64_list=tf.train.Int64List(value=value))
        features[name] = feature
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()


def test_both_signatures_predict_what_the_trained_model_does(trained):
    _, version, batch, expected = trained
    signatures = tf.saved_model.load(str(version)).signatures
    names = signatures["predict"].structured_input_signature[1]
    by_columns = signatures["predict"](**serving_inputs(batch, names))
    examples = tf.constant([example_of(batch, row) for row in range(64)])
    by_examples = signatures["serving_default"](examples=examples)
    assert set(by_columns) == set(by_examples) == set(TASKS)
    for task in TASKS:
        assert by_columns[task].shape == (64,)
        np.testing.assert_allclose(by_columns[task], expected[task], atol=1e-6)
        np.testing.assert_allclose(by_examples[task], expected[task], atol=1e-6)


REQUEST = {"user_id", "user_active_degree", "user_watched_videos"}
REQUEST |= {"user_liked_videos", "user_is_click_rate"}


@pytest.mark.parametrize("candidates", [0, 1, 50])
def test_rank_predicts_the_candidates_of_one_request(trained, candidates):
    _, version, batch, _ = trained
    signatures = tf.saved_model.load(str(version)).signatures
    inputs = serving_inputs(batch, signatures["predict"].structured_input_signature[1])
    for user in (0, 7):
        once = {name: inputs[name][user : user + 1] for name in REQUEST}
        each = {k: v[:candidates] for k, v in inputs.items() if k not in REQUEST}
        copies = {k: tf.repeat(v, candidates, axis=0) for k, v in once.items()}
        expected = signatures["predict"](**each, **copies)
        found = signatures["rank"](**each, **once)
        assert set(found) == set(TASKS)
        for task in TASKS:
            assert found[task].shape == (candidates,)
            np.testing.assert_allclose(found[task], expected[task], atol=1e-6)


def test_rank_takes_one_request(trained):
    _, version, _, _ = trained
    signature = tf.saved_model.load(str(version)).signatures["rank"]
    specs = signature.structured_input_signature[1]
    assert {name for name, spec in specs.items() if spec.shape[0] == 1} == REQUEST
    assert specs["user_watched_videos"].shape.rank == 2
    assert all(s.shape[0] is None for n, s in specs.items() if n not in REQUEST)


def test_inputs_are_the_features_and_no_label(trained):
    _, version, _, _ = trained
    signature = tf.saved_model.load(str(version)).signatures["predict"]
    names = set(signature.structured_input_signature[1])
    assert {"user_id", "tag", "user_watched_videos", "duration_ms"} <= names
    assert not names & {*TASKS, "date", "is_follow"}


def test_a_batch_of_one_and_an_empty_batch(trained):
    _, version, batch, expected = trained
    signature = tf.saved_model.load(str(version)).signatures["predict"]
    names = signature.structured_input_signature[1]
    for rows in (1, 0):
        inputs = {k: v[:rows] for k, v in serving_inputs(batch, names).items()}
        found = signature(**inputs)
        for task in TASKS:
            assert found[task].shape == (rows,)
            np.testing.assert_allclose(found[task], expected[task][:rows], atol=1e-6)


def test_it_loads_in_a_process_that_cannot_import_this_package(trained, tmp_path):
    _, version, batch, expected = trained
    columns = list(
        tf.saved_model.load(str(version))
        .signatures["predict"]
        .structured_input_signature[1]
    )
    inputs = {k: v.numpy() for k, v in serving_inputs(batch, columns).items()}
    assert check_export(version, inputs, expected) < 1e-6


def test_it_loads_with_the_loader_of_tf_1_that_tf_serving_uses(trained, tmp_path):
    _, version, batch, expected = trained
    # As objects: the arrays of bytes that NumPy has drop zeros at the end.
    examples = np.array([example_of(batch, row) for row in range(8)], object)
    np.save(tmp_path / "examples.npy", examples)
    script = """
import sys, numpy as np, tensorflow.compat.v1 as tf
folder, examples, out = sys.argv[1:]
with tf.Session(graph=tf.Graph()) as session:
    meta = tf.saved_model.load(session, ["serve"], folder)
    signature = meta.signature_def["serving_default"]
    outputs = {k: v.name for k, v in signature.outputs.items()}
    fed = {signature.inputs["examples"].name: np.load(examples, allow_pickle=True)}
    np.savez(out, **session.run(outputs, fed))
"""
    out = tmp_path / "out.npz"
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    command = [
        sys.executable,
        "-I",
        "-c",
        script,
        version,
        tmp_path / "examples.npy",
        out,
    ]
    subprocess.run(list(map(str, command)), check=True, env=environment, timeout=300)
    with np.load(out) as found:
        for task in TASKS:
            np.testing.assert_allclose(found[task], expected[task][:8], atol=1e-6)


def test_versions_count_up_and_nothing_else_is_left(trained, tmp_path):
    run, _, _, _ = trained
    (tmp_path / "model" / "7").mkdir(parents=True)
    (tmp_path / "model" / "notes").mkdir()
    assert export_run(run, tmp_path / "model").name == "8"
    assert {p.name for p in (tmp_path / "model").iterdir()} == {"7", "8", "notes"}


def test_a_failed_check_leaves_no_version(trained, tmp_path, monkeypatch):
    run, _, _, _ = trained

    def fail(*_):
        raise HomeError("the check failed")

    # By name, because the package shows the function of the same name.
    module = importlib.import_module("home_tf.export.export_run")
    monkeypatch.setattr(module, "check_export", fail)
    with pytest.raises(HomeError, match="the check failed"):
        export_run(run, tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


def test_the_check_tells_what_is_wrong(trained, tmp_path):
    _, version, batch, expected = trained
    schema = RecordSchema.load(Path(trained[0].data))
    names = list(
        tf.saved_model.load(str(version))
        .signatures["predict"]
        .structured_input_signature[1]
    )
    assert set(names) <= set(schema.columns)
    inputs = {k: v.numpy() for k, v in serving_inputs(batch, names).items()}
    wrong = {**expected, "is_like": expected["is_like"] + 0.1}
    with pytest.raises(HomeError, match=r"differs from the trained model by 1.0e-01"):
        check_export(version, inputs, wrong)
    with pytest.raises(HomeError, match=r"its outputs are \["):
        check_export(version, inputs, {"is_like": expected["is_like"]})
    with pytest.raises(HomeError, match=r"does not load in a process with only"):
        check_export(tmp_path, inputs, expected)
