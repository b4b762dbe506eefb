"""The export behind TF Serving's protocols, and the clients of `pipelines/serving`."""

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import grpc
import numpy as np
import pytest
import tensorflow as tf
from support.benchmarks import kept_keys
from support.check_here import check_here
from support.serving_inputs import example_of, serving_inputs
from tensorflow_serving.apis import (
    classification_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from home_tf.config import dump_config, override_config
from home_tf.export import example_request, export_run
from home_tf.lab.bench import bench_serve
from home_tf.lab.bench.serve_parts import PARTS
from home_tf.run import Run

TASKS = ["long_view", "is_click", "is_like"]
ROOT = Path(__file__).parents[2]
PIPELINES = ROOT / "pipelines" / "serving"
SERVER = Path(__file__).parents[1] / "support" / "serving.py"


class Client:
    """Both protocols of a server."""

    def __init__(self, grpc_port, rest_port, version):
        self.grpc_address = f"127.0.0.1:{grpc_port}"
        self.rest_address = f"http://127.0.0.1:{rest_port}"
        self.channel = grpc.insecure_channel(self.grpc_address)
        self.service = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.version = version

    def predict(self, inputs, signature="predict", model="model", version=0):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.model_spec.version.value = version
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        found = self.service.Predict(request, timeout=60)
        return {k: tf.make_ndarray(v) for k, v in found.outputs.items()}

    def post(self, body, path="/v1/models/model:predict"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            answer = urlopen(Request(self.rest_address + path, data), timeout=60)
        except HTTPError as error:
            answer = error
        with answer:
            return answer.status, json.load(answer)


@contextmanager
def serve(version, *options):
    command = [sys.executable, SERVER, version, "model", *options]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            ports = server.stdout.readline().split()
            assert len(ports) == 2, "the server did not start"
            found = Client(*ports, version)
            yield found
            found.channel.close()
        finally:
            server.kill()


@pytest.fixture(scope="module")
def client(trained):
    with serve(trained[1]) as found:
        yield found


@pytest.fixture(scope="module")
def without_rank(trained, tmp_path_factory):
    """An export of the same run, without the signature `rank`."""
    folder = tmp_path_factory.mktemp("without_rank")
    run = Run(folder / "run")
    shutil.copytree(trained[0].folder, run.folder)
    override = {"serving.request_features": [], "serving.candidates": None}
    dump_config(override_config(run.load_config(), override), run.config_file)
    with check_here():
        return export_run(run, folder / "model")


def inputs_of(trained, rows=64):
    _, version, batch, _ = trained
    names = example_request(version, "predict")
    inputs = serving_inputs(batch, names)
    return {name: values[:rows].numpy() for name, values in inputs.items()}


def rest_body(inputs):
    columns = {name: as_json(values) for name, values in inputs.items()}
    return {"signature_name": "predict", "inputs": columns}


def as_json(values):
    if values.dtype == object:
        return np.vectorize(bytes.decode, otypes=[object])(values).tolist()
    return values.tolist()


def assert_alike(found, expected, rows=64):
    for task in TASKS:
        np.testing.assert_allclose(found[task], expected[task][:rows], atol=1e-5)


def test_predict_over_grpc(trained, client):
    assert_alike(client.predict(inputs_of(trained)), trained[3])


def test_examples_over_grpc(trained, client):
    batch, expected = trained[2:]
    examples = [example_of(batch, row) for row in range(64)]
    found = client.predict({"examples": examples}, "serving_default")
    assert_alike(found, expected)


def test_rank_over_grpc(trained, client):
    inputs = example_request(trained[1], "rank")
    found = client.predict(inputs, "rank")
    copies = {
        name: np.repeat(values, 64, axis=0) if len(values) == 1 else values
        for name, values in inputs.items()
    }
    assert_alike(found, client.predict(copies))


def test_predict_over_rest_by_columns_and_by_rows(trained, client):
    body = rest_body(inputs_of(trained, 5))
    code, answer = client.post(body)
    assert code == 200
    assert_alike(answer["outputs"], trained[3], 5)
    inputs = body["inputs"]
    rows = [{name: values[row] for name, values in inputs.items()} for row in range(5)]
    body = {"signature_name": "predict", "instances": rows}
    version = f"/v1/models/model/versions/{client.version.name}:predict"
    _, answer = client.post(body, version)
    found = {task: [one[task] for one in answer["predictions"]] for task in TASKS}
    assert_alike(found, trained[3], 5)


def test_classify_and_regress(trained, client):
    batch, expected = trained[2:]
    examples = [tf.train.Example.FromString(example_of(batch, row)) for row in range(3)]
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = "model", "classify"
    request.input.example_list.examples.extend(examples)
    found = client.service.Classify(request, timeout=60).result.classifications
    for row, one in enumerate(found):
        assert [entry.label for entry in one.classes] == TASKS
        scores = [entry.score for entry in one.classes]
        wanted = [expected[task][row] for task in TASKS]
        np.testing.assert_allclose(scores, wanted, atol=1e-5)
    request = regression_pb2.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = "model", "regress"
    request.input.example_list.examples.extend(examples)
    found = client.service.Regress(request, timeout=60).result.regressions
    wanted = expected["is_click"][:3] * expected["is_like"][:3] ** 0.5
    np.testing.assert_allclose([one.value for one in found], wanted, rtol=1e-3)


def run_client(script, *arguments):
    return subprocess.run(
        [sys.executable, PIPELINES / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
@pytest.mark.parametrize("script", ["rank_grpc.py", "rank_rest.py"])
def test_the_clients_print_the_candidates_best_first(client, script):
    address = client.grpc_address if "grpc" in script else client.rest_address
    done = run_client(script, client.version, "--server", address)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 10
    probabilities = [float(line.split()[-1]) for line in lines]
    assert probabilities == sorted(probabilities, reverse=True)
    ranked = client.predict(example_request(client.version, "rank"), "rank")
    assert probabilities[0] == pytest.approx(ranked["is_click"].max(), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("script", ["rank_grpc.py", "rank_rest.py"])
def test_a_client_tells_in_one_line_what_is_wrong(client, script, tmp_path):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "1"
    other.symlink_to(client.version)
    address = client.grpc_address if "grpc" in script else client.rest_address
    nobody = "127.0.0.1:9" if "grpc" in script else "http://127.0.0.1:9"
    cases = (
        ([client.version, "--server", address, "--by", "clik"], "no output 'clik'"),
        ([client.version, "--server", nobody], "refused"),
        ([other, "--server", address], "Servable not found for request"),
        ([tmp_path, "--server", address], "has no warm-up request"),
    )
    calls = [[str(PIPELINES / script), *map(str, arguments)] for arguments, _ in cases]
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN, json.dumps(calls)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split() == ["2"] * len(cases), done.stderr
    lines = [x for x in done.stderr.splitlines() if x.startswith("error:")]
    assert len(lines) == len(cases)
    for line, (_, message) in zip(lines, cases, strict=True):
        assert message in line
    assert "Traceback" not in done.stderr


# Runs scripts one after the other, for an import of TensorFlow takes seconds, and
# prints their exit codes.
IN_TURN = """
import json, runpy, sys
for sys.argv in json.loads(sys.argv[1]):
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        print(end.code)
"""


@pytest.mark.slow
def test_the_request_that_the_rest_client_prints_is_one(client):
    done = run_client("rank_rest.py", client.version, "--print-request")
    assert done.returncode == 0, done.stderr
    code, answer = client.post(done.stdout.encode())
    assert code == 200
    ranked = client.predict(example_request(client.version, "rank"), "rank")
    assert_alike(answer["outputs"], ranked)


def test_the_program_of_the_docs_ranks_raw_columns(trained, client):
    text = (ROOT / "docs" / "guides" / "serving.md").read_text(encoding="utf-8")
    program, _ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {}
    exec(program.split("columns = {")[0], names)
    once = {k for k, x in example_request(client.version, "rank").items() if len(x) < 2}
    columns = {k: x[:1] if k in once else x for k, x in inputs_of(trained).items()}
    found = names["rank"](columns, server=client.grpc_address, model="model")
    assert_alike(found, client.predict(columns, "rank"))


def without(inputs, name):
    return {key: values for key, values in inputs.items() if key != name}


def with_number(inputs, name, number):
    values = np.array(inputs[name])
    values[-1] = number
    return {**inputs, name: values}


BAD = {
    "a candidate's number that is none": (
        lambda inputs: with_number(inputs, "video_impressions", np.nan),
        "predict",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "a weight that is none": (
        lambda inputs: {
            **{k: v[:1] if k.startswith("user_") else v for k, v in inputs.items()},
            "weights": np.array([1.0, np.nan, 0.0], np.float32),
        },
        "rank_weighted",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "an infinite number of the user": (
        lambda inputs: with_number(
            {k: v[:1] if k.startswith("user_") else v for k, v in inputs.items()},
            "user_is_click_rate",
            np.inf,
        ),
        "rank",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "a missing feature": (
        lambda inputs: without(inputs, "user_id"),
        "predict",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "an unknown feature": (
        lambda inputs: {**inputs, "is_like": np.zeros(64, np.float32)},
        "predict",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "a wrong type": (
        lambda inputs: {**inputs, "user_id": inputs["user_id"].astype(np.float32)},
        "predict",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "a wrong shape": (
        lambda inputs: {**inputs, "user_id": inputs["user_id"][:, None]},
        "predict",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "rows that do not fit": (
        lambda inputs: {**inputs, "user_id": inputs["user_id"][:3]},
        "predict",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "two requests at once": (
        lambda inputs: inputs,
        "rank",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "a candidate that is not held": (
        lambda inputs: {
            **{k: v[:1] for k, v in inputs.items() if k.startswith("user_")},
            "video_id": np.array([987654321]),
        },
        "rank_by_id",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "garbage": (
        lambda _: {"examples": [b"\xff\xffgarbage"]},
        "serving_default",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "an example without a feature": (
        lambda _: {"examples": [tf.train.Example().SerializeToString()]},
        "serving_default",
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "too many rows": (
        lambda inputs: {k: np.repeat(v, 10_000, axis=0) for k, v in inputs.items()},
        "predict",
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ),
    "an unknown signature": (
        lambda inputs: inputs,
        "prediction",
        grpc.StatusCode.FAILED_PRECONDITION,
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_request_has_a_clear_status_and_the_next_is_served(trained, client, what):
    change, signature, code = BAD[what]
    with pytest.raises(grpc.RpcError) as error:
        client.predict(change(inputs_of(trained)), signature)
    assert error.value.code() is code
    assert error.value.details()
    assert_alike(client.predict(inputs_of(trained)), trained[3])


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"model": "other"}, "/v1/models/other:predict"),
        ({"version": 99}, "/v1/models/model/versions/99:predict"),
    ],
)
def test_an_unknown_model_or_version_is_not_found(trained, client, options, path):
    with pytest.raises(grpc.RpcError) as error:
        client.predict(inputs_of(trained), **options)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    code, answer = client.post(rest_body(inputs_of(trained)), path)
    assert code == 404
    assert answer["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        [],
        {"rows": []},
        {"instances": 5},
        {"instances": []},
        {"instances": [1, {"user_id": 1}]},
        {"instances": [{"user_id": 1}, 1]},
        {"inputs": [5]},
        {"inputs": {"examples": [{"base64": ""}]}},
        {"inputs": {"examples": [{"b64": "?"}]}},
        {"signature_name": 5, "instances": [1]},
        {"signature_name": "predict", "inputs": None},
        {"signature_name": "predict", "inputs": {"user_id": ["no number"]}},
        {"signature_name": "predict", "inputs": {"user_id": [1.5]}},
        {"signature_name": "predict", "inputs": {"user": [1]}},
        {"signature_name": "predict", "instances": [{"user_id": 1}]},
        {"signature_name": "other", "instances": [{"user_id": 1}]},
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_bad_request_over_rest_is_an_error_in_json(trained, client, body):
    code, answer = client.post(body)
    assert code == 400
    assert answer["error"]
    assert_alike(client.predict(inputs_of(trained)), trained[3])


@pytest.mark.parametrize("what", ["a wrong shape", "rows that do not fit", "no rows"])
def test_a_bad_batch_over_rest_is_an_error_in_json(trained, client, what):
    inputs = inputs_of(trained, 0 if what == "no rows" else 64)
    change = BAD[what][0] if what in BAD else dict
    code, answer = client.post(rest_body(change(inputs)))
    assert code == 400
    assert answer["error"]
    code, answer = client.post(rest_body(inputs_of(trained)))
    assert_alike(answer["outputs"], trained[3])


def test_an_empty_batch_has_an_empty_answer(trained, client):
    found = client.predict(inputs_of(trained, 0))
    assert {task: values.shape for task, values in found.items()} == dict.fromkeys(
        [*TASKS, "score"], (0,)
    )


def test_ids_that_nobody_has_seen_are_answered(trained, client):
    inputs = inputs_of(trained)
    for name in ("user_id", "video_id", "author_id"):
        inputs[name] = np.full(64, 2**40 + 17)
    inputs["user_active_degree"] = np.array([b"\xff\0never"] * 64, object)
    for values in client.predict(inputs).values():
        assert np.isfinite(values).all()


def test_many_clients_at_once_get_their_own_answers(trained, client):
    inputs, expected = inputs_of(trained), trained[3]

    def rows_of(number):
        first, last = number % 50, number % 50 + 1 + number % 7
        wanted = {task: expected[task][first:last] for task in TASKS}
        return {name: x[first:last] for name, x in inputs.items()}, wanted

    def over_grpc(number):
        part, wanted = rows_of(number)
        assert_alike(client.predict(part), wanted)

    def over_rest(number):
        part, wanted = rows_of(number)
        code, answer = client.post(rest_body(part))
        assert code == 200
        assert_alike(answer["outputs"], wanted)

    def badly_over_grpc(number):
        with pytest.raises(grpc.RpcError) as error:
            client.predict(without(rows_of(number)[0], "video_id"))
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    def badly_over_rest(number):
        assert client.post({"instances": number})[0] == 400

    ways = (over_grpc, over_rest, over_grpc, badly_over_grpc, badly_over_rest)
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(ways[number % 5], number) for number in range(200)]
    for answer in asked:
        answer.result()


@pytest.mark.slow
def test_batching_serves_an_export_without_rank(trained, without_rank):
    with serve(without_rank, PIPELINES / "batching.config") as client:
        assert_alike(client.predict(inputs_of(trained)), trained[3])
        rows = {k: np.repeat(v, 20, axis=0) for k, v in inputs_of(trained).items()}
        with pytest.raises(grpc.RpcError) as error:
            client.predict(rows)
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "Task size 1280 is larger than maximum" in error.value.details()
        code, answer = client.post(rest_body(rows))
        assert code == 400
        assert "Task size 1280 is larger than maximum" in answer["error"]
        assert_alike(client.predict(inputs_of(trained)), trained[3])


@pytest.mark.slow
def test_batching_refuses_an_export_with_rank(trained):
    command = [sys.executable, SERVER, trained[1], "model"]
    done = subprocess.run(
        [*map(str, command), PIPELINES / "batching.config"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "warm-up: INVALID_ARGUMENT: Batching Run() input tensors must have equal "
        "0th-dimension size"
    )


@pytest.mark.slow
def test_the_figures_of_bench_serve(trained):
    found = bench_serve(trained[1], candidates=(1, 40, 500), rounds=3)
    for number in (1, 40, 500):
        for name in ("rank", "rank_by_id"):
            assert found[f"serve.{name}_{number}_vs_predict"]["median"] > 0
        for name in ("rank", "rank_by_id", "predict"):
            key = f"serve.{name}_{number}"
            p50 = found[f"{key}.p50_ms"]
            assert 0 < p50 <= found[f"{key}.p99_ms"]
            assert found[f"{key}.rows_per_second"] == pytest.approx(number / p50 * 1e3)
            assert found[f"{key}.time_vs_limit"]["median"] > 1
        key = f"serve.predict_{number}"
        parts = [f"{key}.{part}" for part in PARTS]
        shares = [found[f"{part}.time_share"] for part in parts]
        assert min(shares) > 0
        assert sum(shares) == pytest.approx(1)
        counts = [found[f"{part}.operations"] for part in parts]
        assert min(counts) > 10
        # The ten columns are operations, too.
        assert found[f"{key}.operations"] == 10 + sum(counts)
    # The user's columns are sent once: with one candidate there is nothing to save.
    assert found["serve.rank_1_fewer_bytes"] == pytest.approx(1, rel=0.01)
    assert found["serve.rank_40_fewer_bytes"] > 1.2
    # Eight bytes a candidate beside the user's columns.
    by_id = [found[f"serve.rank_by_id_{n}.request_bytes"] for n in (40, 500)]
    assert by_id[1] - by_id[0] == pytest.approx(8 * 460, abs=8)
    assert found["serve.cold_vs_p50"] > 1
    assert kept_keys("serve") <= found.keys()
