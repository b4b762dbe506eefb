"""The SavedModel: loads without this package and predicts what the model predicts."""

import json
import logging
import shutil

import numpy as np
import pytest
import tensorflow as tf
from support.check_here import check_here
from support.serving_inputs import example_of, serving_inputs
from support.slow import slow_except

from home_tf.config import ScoreConfig, dump_config, override_config
from home_tf.errors import HomeError
from home_tf.evaluation import Calibrator, calibration
from home_tf.export import ServingModel, Versions, export_run
from home_tf.export.quantized_tables import (
    QuantizedTable,
    check_auc_changes,
    quantize_tables,
)
from home_tf.export.warmup import read_warmup
from home_tf.files import write_json
from home_tf.provenance import git_revision
from home_tf.run import Run
from home_tf.training import Experiment
from home_tf.training.predictions import Predictions

TASKS = ["long_view", "is_click", "is_like"]
pytestmark = pytest.mark.usefixtures("checked_here")


def test_both_signatures_predict_what_the_trained_model_does(trained, loaded):
    _, _, batch, expected = trained
    signatures = loaded.signatures
    names = signatures["predict"].structured_input_signature[1]
    by_columns = signatures["predict"](**serving_inputs(batch, names))
    examples = tf.constant([example_of(batch, row) for row in range(64)])
    by_examples = signatures["serving_default"](examples=examples)
    assert set(by_columns) == set(by_examples) == {*TASKS, "score"}
    for task in TASKS:
        assert by_columns[task].shape == (64,)
        np.testing.assert_allclose(by_columns[task], expected[task], atol=1e-6)
        np.testing.assert_allclose(by_examples[task], expected[task], atol=1e-6)


REQUEST = {"user_id", "user_active_degree", "user_watched_videos"}
REQUEST |= {"user_liked_videos", "user_is_click_rate"}


@pytest.mark.parametrize("candidates", [0, 1, 50])
def test_rank_predicts_the_candidates_of_one_request(trained, loaded, candidates):
    _, _, batch, _ = trained
    signatures = loaded.signatures
    inputs = serving_inputs(batch, signatures["predict"].structured_input_signature[1])
    for user in (0, 7):
        once = {name: inputs[name][user : user + 1] for name in REQUEST}
        each = {k: v[:candidates] for k, v in inputs.items() if k not in REQUEST}
        copies = {k: tf.repeat(v, candidates, axis=0) for k, v in once.items()}
        expected = signatures["predict"](**each, **copies)
        found = signatures["rank"](**each, **once)
        assert set(found) == {*TASKS, "score"}
        for task in found:
            assert found[task].shape == (candidates,)
            np.testing.assert_allclose(found[task], expected[task], atol=1e-6)


def test_the_score_is_the_weighted_product_of_the_configuration(trained, loaded):
    _, _, batch, expected = trained
    signatures = loaded.signatures
    inputs = serving_inputs(batch, signatures["predict"].structured_input_signature[1])
    product = expected["is_click"] * expected["is_like"] ** 0.5
    found = signatures["predict"](**inputs)["score"]
    np.testing.assert_allclose(found, product, rtol=1e-4)
    once = {k: v[:1] if k in REQUEST else v for k, v in inputs.items()}
    plain = signatures["rank"](**once)
    weights = tf.constant([2.0, 0.0, 1.0])  # in the order of the tasks
    weighted = signatures["rank_weighted"](**once, weights=weights)
    wanted = plain["long_view"].numpy() ** 2 * plain["is_like"]
    np.testing.assert_allclose(weighted["score"], wanted, rtol=1e-4)
    np.testing.assert_array_equal(weighted["is_click"], plain["is_click"])


def test_the_score_may_be_a_sum(trained):
    run, _, batch, expected = trained
    experiment = Experiment.open(run.load_config(), run.open_data())
    score = ScoreConfig(form="sum", weights={"long_view": 2.0, "is_like": -1.0})
    model = ServingModel(
        experiment.preprocessor,
        experiment.load_network(run.find_best()),
        TASKS,
        score=score,
    )
    signatures = model.signatures()
    assert set(signatures) == {"serving_default", "predict", "classify", "regress"}
    inputs = serving_inputs(batch, experiment.preprocessor.columns)
    found = signatures["predict"](**inputs)["score"]
    wanted = 2 * expected["long_view"] - expected["is_like"]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize("isotonic", [False, True])
def test_calibrated_probabilities_are_served(trained, isotonic):
    """By hand: a line, or a line that is bent at -1 and at 0, and a task as it is."""
    run, _, batch, expected = trained
    experiment = Experiment.open(run.load_config(), run.open_data())
    calibrators = {"is_click": Calibrator("platt", (), (0.5,), (-1.0,))}
    if isotonic:
        bent = Calibrator("isotonic", (-1.0, 0.0), (1.0, 2.0, 0.5), (0.0, 1.0, 1.0))
        calibrators["long_view"] = bent
    model = ServingModel(
        experiment.preprocessor,
        experiment.load_network(run.find_best()),
        TASKS,
        score=ScoreConfig(form="sum", weights={"long_view": 1.0, "is_click": 1.0}),
        calibrators=calibrators,
    )
    signatures = model.signatures()
    x = {task: np.log(p / (1 - p)) for task, p in expected.items()}
    x["is_click"] = 0.5 * x["is_click"] - 1
    if isotonic:
        x["long_view"] = np.interp(
            x["long_view"], [-9.0, -1.0, 0.0, 8.0], [-9.0, -1.0, 1.0, 5.0]
        )
    wanted = {task: 1 / (1 + np.exp(-logits)) for task, logits in x.items()}
    wanted["score"] = wanted["long_view"] + wanted["is_click"]
    found = signatures["predict"](**serving_inputs(batch, model.preprocessor.columns))
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5)
    examples = tf.constant([example_of(batch, row) for row in range(5)])
    scores = np.stack([wanted[task][:5] for task in TASKS], axis=1)
    found = signatures["classify"](inputs=examples)["scores"]
    np.testing.assert_allclose(found, scores, atol=1e-5)


@pytest.mark.parametrize("method", slow_except(["platt"], ["platt", "isotonic"]))
def test_an_export_answers_what_evaluate_measures(trained, tmp_path, method):
    """Both fit the calibration on the validation rows, and say what they did."""
    run, _, batch, expected = trained
    version = export_run(run, tmp_path / "model", calibration=method)
    manifest = json.loads((version / "assets.extra" / "home_tf.json").read_text())
    assert set(manifest["calibration"]) == set(TASKS)
    config = override_config(run.load_config(), {"serving.calibration": method})
    experiment = Experiment.open(config, run.open_data())
    network = experiment.load_network(run.find_best())
    (validation,) = experiment.predict(network, "validation")
    (wanted,) = experiment.predict_calibrated(network, "test")
    signatures = tf.saved_model.load(str(version)).signatures
    inputs = serving_inputs(batch, signatures["predict"].structured_input_signature[1])
    found = signatures["predict"](**inputs)
    for task in TASKS:
        np.testing.assert_allclose(
            found[task], wanted.probabilities[task][:64], atol=1e-5
        )
        # Not as it was, and on the rows that it was fitted on with as many positives.
        assert np.abs(found[task] - expected[task]).max() > 1e-3
    (served,) = experiment.predict_calibrated(network, "validation")
    before, after = (
        [abs(calibration(p.labels[t], p.probabilities[t]) - 1) for t in TASKS]
        for p in (validation, served)
    )
    assert max(after) < 0.1
    assert sum(after) < sum(before)


def test_classify_and_regress_answer_in_the_terms_of_tf_serving(trained, loaded):
    _, _, batch, expected = trained
    signatures = loaded.signatures
    examples = tf.constant([example_of(batch, row) for row in range(5)])
    found = signatures["classify"](inputs=examples)
    assert found["classes"].numpy().tolist() == [[t.encode() for t in TASKS]] * 5
    scores = np.stack([expected[task][:5] for task in TASKS], axis=1)
    np.testing.assert_allclose(found["scores"], scores, atol=1e-6)
    product = expected["is_click"] * expected["is_like"] ** 0.5
    outputs = signatures["regress"](inputs=examples)["outputs"]
    np.testing.assert_allclose(outputs, product[:5], rtol=1e-4)


def test_rank_takes_one_request(loaded):
    signature = loaded.signatures["rank"]
    specs = signature.structured_input_signature[1]
    assert {name for name, spec in specs.items() if spec.shape[0] == 1} == REQUEST
    assert specs["user_watched_videos"].shape.rank == 2
    assert all(s.shape[0] is None for n, s in specs.items() if n not in REQUEST)


def test_inputs_are_the_features_and_no_label(loaded):
    signature = loaded.signatures["predict"]
    names = set(signature.structured_input_signature[1])
    assert {"user_id", "tag", "user_watched_videos", "duration_ms"} <= names
    assert not names & {*TASKS, "date", "is_follow"}


def test_loading_warns_of_no_gradients_that_are_not_saved(trained, caplog):
    _, version, _, _ = trained
    logger = logging.getLogger("absl")
    logger.addHandler(caplog.handler)
    try:
        tf.saved_model.load(str(version))
    finally:
        logger.removeHandler(caplog.handler)
    assert not caplog.messages


def test_a_batch_of_one_and_an_empty_batch(trained, loaded):
    _, _, batch, expected = trained
    signature = loaded.signatures["predict"]
    names = signature.structured_input_signature[1]
    for rows in (1, 0):
        inputs = {k: v[:rows] for k, v in serving_inputs(batch, names).items()}
        found = signature(**inputs)
        for task in TASKS:
            assert found[task].shape == (rows,)
            np.testing.assert_allclose(found[task], expected[task][:rows], atol=1e-6)


def test_an_id_beyond_32_bits_is_an_unknown_one(trained, loaded):
    """Also of a column that the records hold in 32."""
    _, _, batch, _ = trained
    assert batch["tag"].dtype == tf.int32
    signature = loaded.signatures["predict"]
    inputs = serving_inputs(batch, signature.structured_input_signature[1])
    known, beyond, unknown = (
        signature(**{**inputs, "tag": inputs["tag"] + change})["is_click"].numpy()
        for change in (0, 2**32, 10**9)  # no tag is as large
    )
    np.testing.assert_array_equal(beyond, unknown)
    assert np.abs(known - unknown).max() > 1e-4


def test_warm_up_requests_are_what_the_signatures_answer(trained, loaded):
    _, version, _, _ = trained
    signatures = loaded.signatures
    requests = read_warmup(version)
    assert {name for name, _ in requests} == set(signatures)
    answers = {}
    for name, inputs in requests:
        tensors = {key: tf.constant(values) for key, values in inputs.items()}
        for task, values in signatures[name](**tensors).items():
            answers.setdefault((name, len(values)), {})[task] = values.numpy()
    assert {rows for _, rows in answers} == {1, 64}
    for rows in (1, 64):  # the same rows, given in two ways
        for task in TASKS:
            by_examples = answers["serving_default", rows][task]
            by_columns = answers["predict", rows][task]
            np.testing.assert_allclose(by_examples, by_columns, atol=1e-6)


def test_the_manifest_says_where_an_export_comes_from(trained):
    run, version, _, _ = trained
    manifest = json.loads((version / "assets.extra" / "home_tf.json").read_text())
    assert manifest["versions"]["tensorflow"] == tf.__version__
    assert manifest["config"] == run.config_file.read_text()
    assert len(manifest["data_sha256"]) == 64
    assert manifest["training_git_revision"] == git_revision()
    assert manifest["export_git_revision"] == git_revision()
    assert manifest["history"]["user_is_click_rate"] == {
        "kind": "rate",
        "history": "user",
        "key": ["user_id"],
        "label": "is_click",
    }
    assert len(manifest["history"]) == 4
    assert manifest["score"] == {
        "form": "product",
        "weights": {"is_click": 1.0, "is_like": 0.5},
    }
    assert manifest["metrics"] is None  # the run was not evaluated
    assert (version / "fingerprint.pb").is_file()


WEIGHTS = {"long_view": 2.0, "is_click": -0.5}


@pytest.fixture(scope="module")
def weighted(trained, tmp_path_factory):
    """An export with weights of its own, of a run with metrics of another revision."""
    folder = tmp_path_factory.mktemp("weighted")
    run = Run(folder / "run")
    shutil.copytree(trained[0].folder, run.folder)
    run.save_state(git_revision="1" * 40)
    write_json(run.metrics_file, {"test": {"auc": {"is_click": 0.75}}})
    with check_here():
        return export_run(run, folder / "model", score_weights=WEIGHTS)


@pytest.mark.slow
def test_the_manifest_has_the_metrics_and_the_revision_of_the_run(weighted):
    manifest = json.loads((weighted / "assets.extra" / "home_tf.json").read_text())
    assert manifest["metrics"] == {"test": {"auc": {"is_click": 0.75}}}
    assert manifest["training_git_revision"] == "1" * 40
    assert manifest["export_git_revision"] == git_revision()


def test_weights_of_the_score_may_be_given_with_the_export(trained, weighted):
    _, _, batch, expected = trained
    signature = tf.saved_model.load(str(weighted)).signatures["predict"]
    names = signature.structured_input_signature[1]
    found = signature(**serving_inputs(batch, names))["score"]
    wanted = expected["long_view"] ** 2 / expected["is_click"] ** 0.5
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    manifest = json.loads((weighted / "assets.extra" / "home_tf.json").read_text())
    assert manifest["history"]["user_is_click_rate"] == {
        "kind": "rate",
        "history": "user",
        "key": ["user_id"],
        "label": "is_click",
    }
    assert len(manifest["history"]) == 4
    assert manifest["score"] == {"form": "product", "weights": WEIGHTS}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"clik": 1.0}, r"`serving.score.weights` names unknown tasks \['clik'\]"),
        ({"is_click": float("nan")}, r"serving.score.weights.is_click`.* finite"),
        ({}, r"`serving.score.weights`: must have at least one entry"),
    ],
)
def test_weights_of_the_score_are_checked(trained, tmp_path, weights, message):
    with pytest.raises(HomeError, match=message):
        export_run(trained[0], tmp_path / "model", score_weights=weights)


def _export_with_tables(trained, folder, tables):
    """An export with other tables: its version, the changes of AUC, its answers."""
    run, _, batch, _ = trained
    changes = {}
    export = export_run(run, folder, tables=tables, on_auc_changes=changes.update)
    signature = tf.saved_model.load(str(export)).signatures["predict"]
    names = signature.structured_input_signature[1]
    return export, changes, signature(**serving_inputs(batch, names))


def _table_bytes(version):
    """Bytes of the embedding tables among the variables of an export."""
    reader = tf.train.load_checkpoint(str(version / "variables" / "variables"))
    shapes = reader.get_variable_to_shape_map()
    dtypes = reader.get_variable_to_dtype_map()
    kept = [name for name in shapes if name.endswith("VARIABLE_VALUE")]
    return sum(
        int(np.prod(shapes[name])) * dtypes[name].size
        for name in kept
        if dtypes[name].is_floating or dtypes[name] == tf.int8
    )


@pytest.mark.slow
@pytest.mark.parametrize(("tables", "tolerance"), [("float16", 2e-4), ("int8", 1e-2)])
def test_quantized_tables_predict_nearly_the_same_in_less_space(
    trained, tmp_path, tables, tolerance
):
    _, version, _, expected = trained
    export, changes, found = _export_with_tables(trained, tmp_path / "model", tables)
    assert _table_bytes(export) < 0.9 * _table_bytes(version)
    assert set(changes) == set(TASKS)
    assert all(abs(change) < 0.01 for change in changes.values())
    for task in TASKS:
        difference = np.abs(found[task] - expected[task])
        assert 0 < difference.max() < tolerance
    manifest = json.loads((export / "assets.extra" / "home_tf.json").read_text())
    assert manifest["embedding_tables"] == tables
    assert manifest["auc_changes"] == changes


@pytest.mark.slow
def test_a_run_in_half_precision_answers_in_float32(trained, tmp_path):
    """The weights of the run in float32 with another `training.mixed_precision`."""
    run, _, batch, expected = trained
    shutil.copytree(run.folder, tmp_path / "run")
    half = Run(tmp_path / "run")
    override = {"training.mixed_precision": "mixed_bfloat16"}
    dump_config(override_config(run.load_config(), override), half.config_file)
    export = export_run(half, tmp_path / "model")
    signature = tf.saved_model.load(str(export)).signatures["predict"]
    names = signature.structured_input_signature[1]
    found = signature(**serving_inputs(batch, names))
    for task in TASKS:
        assert found[task].dtype == tf.float32
        difference = np.abs(found[task] - expected[task])
        assert 1e-6 < difference.max() < 0.03


def test_a_quantized_table_is_off_by_half_a_step_of_each_row():
    values = np.array([[0.0, 0.0], [1.0, -0.3], [1e-3, 2e-3]], np.float32)
    table = QuantizedTable(values, "int8", "float32", name="table")
    found = table(tf.constant([[0, 1], [2, 1]]))
    assert found.shape == (2, 2, 2)
    steps = np.array([0.0, 1.0, 2e-3])[[[0, 1], [2, 1]]] / 127
    error = np.abs(found - values[[[0, 1], [2, 1]]])
    assert (error <= steps[..., None] / 2 + 1e-9).all()
    assert table.values.dtype == tf.int8


@pytest.mark.parametrize("value", [np.nan, 1e9])
def test_a_table_that_the_type_cannot_hold_is_refused(trained, prepared, value):
    run, _, _, _ = trained
    experiment = Experiment.open(run.load_config(), prepared)
    network = experiment.load_network(run.find_best())
    table = network.features.embedding_of("video_id")
    table.assign(np.full(table.shape, value, np.float32))
    with pytest.raises(HomeError, match=r"table 'video_id' has NaN.* int8 cannot hold"):
        quantize_tables(network, "int8")


def test_tables_that_cost_too_much_auc_are_refused(trained, tmp_path, monkeypatch):
    run, version, _, _ = trained
    folder = tmp_path / "model"
    shutil.copytree(version, folder / "1")
    # A table of zeros: whatever it had learnt is lost.
    monkeypatch.setattr(
        "home_tf.export.quantized_tables.np.rint", lambda values: 0 * values
    )
    with pytest.raises(HomeError, match=r"AUC of task '\w+' falls by 0\.\d+ .* 0.0001"):
        export_run(run, folder, tables="int8", max_auc_loss=0.0001)
    assert Versions(folder).numbers() == [1]


def predictions(**labels):
    rows = {task: np.array(values, np.float32) for task, values in labels.items()}
    scores = {task: np.linspace(0.1, 0.9, 4, dtype=np.float32) for task in labels}
    return Predictions(rows, scores, np.arange(4))


def test_a_task_of_one_class_is_not_measured_and_the_others_are():
    exact = predictions(click=[0, 1, 0, 1], like=[0, 0, 0, 0], follow=[-1, -1, 1, 1])
    found = predictions(click=[0, 1, 0, 1], like=[0, 0, 0, 0], follow=[-1, -1, 1, 1])
    # By hand: of four pairs the first order has three right, the other one two.
    found.probabilities["click"][:] = [0.2, 0.8, 0.6, 0.1]
    changes = check_auc_changes(exact, found, max_auc_loss=0.3)
    assert changes == {"click": -0.25, "like": None, "follow": None}
    with pytest.raises(HomeError, match=r"'click' falls by 0.25000 .* 0.2\. "):
        check_auc_changes(exact, found, max_auc_loss=0.2)


def test_tables_whose_loss_cannot_be_measured_are_refused():
    one_class = predictions(click=[1, 1, 1, 1], like=[0, 0, -1, 0])
    with pytest.raises(HomeError, match=r"`tables`: no task has both classes"):
        check_auc_changes(one_class, one_class, max_auc_loss=0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tables": "int4"}, "`tables` .* Received: 'int4'"),
        ({"tables": "int8", "max_auc_loss": -1.0}, "`max_auc_loss` .* Received: -1"),
        ({"max_auc_loss": 0.1}, "`max_auc_loss` requires `tables` float16 or int8"),
    ],
)
def test_arguments_of_quantization_are_checked(trained, tmp_path, arguments, message):
    with pytest.raises(HomeError, match=message):
        export_run(trained[0], tmp_path / "model", **arguments)
