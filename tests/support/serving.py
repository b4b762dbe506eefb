"""A server for tests that speaks TF Serving's protocols over loopback.

It loads an export as TF Serving does, by the loader of TensorFlow 1, runs a session by
the signatures' tensor names, and answers gRPC (PredictionService, official protocol
buffers) and REST. It does not check method names, as TF Serving by default does not.
Before it serves it replays the warm-up requests; if one fails it does not start.

    python serving.py SAVED_MODEL NAME     # prints the two ports, serves until killed
    python serving.py SAVED_MODEL NAME batching.config    # as with --enable_batching

With batching it refuses, for every signature, what TF Serving's batching session does:
inputs of unequal lengths, and more rows than `max_batch_size`. It joins no requests.
"""

import base64
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, message_factory, text_format, wrappers_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

tf1 = tf.compat.v1
LARGEST_MESSAGE = 4 * 2**20  # of a request, gRPC's default
MALFORMED = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


class RefusedError(Exception):
    """A request with a status of gRPC and its HTTP code."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.http = 404 if code is grpc.StatusCode.NOT_FOUND else 400


def invalid(message):
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, message)


def read_batching(path):
    """The file of `--batching_parameters_file`.

    `tensorflow-serving-api` lacks its message. So it is made here, of the fields that
    are used, as session_bundle_config.proto of TF Serving names and types them.
    """
    file = descriptor_pb2.FileDescriptorProto(name="batching.proto", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    message = file.message_type.add(name="BatchingParameters")
    names = ["max_batch_size", "batch_timeout_micros", "max_enqueued_batches"]
    for number, name in enumerate([*names, "num_batch_threads"], start=1):
        message.field.add(
            name=name,
            number=number,
            label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
            type_name=".google.protobuf.Int64Value",
        )
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    parameters = message_factory.GetMessages([wrappers, file])["BatchingParameters"]()
    return text_format.Parse(Path(path).read_text(), parameters)


def read_monitoring(path):
    """The file of `--monitoring_config_file`; made here as in `read_batching`."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="monitoring.proto", syntax="proto3")
    prometheus = file.message_type.add(name="PrometheusConfig")
    for number, (name, kind) in enumerate(
        [("enable", kinds.TYPE_BOOL), ("path", kinds.TYPE_STRING)], start=1
    ):
        prometheus.field.add(
            name=name, number=number, label=kinds.LABEL_OPTIONAL, type=kind
        )
    file.message_type.add(name="MonitoringConfig").field.add(
        name="prometheus_config",
        number=1,
        label=kinds.LABEL_OPTIONAL,
        type=kinds.TYPE_MESSAGE,
        type_name=".PrometheusConfig",
    )
    config = message_factory.GetMessages([file])["MonitoringConfig"]()
    return text_format.Parse(Path(path).read_text(), config)


class Servable:
    """The current version of a model."""

    def __init__(self, folder, name, batching=None):
        self.name, self.version = name, int(Path(folder).name)
        self.batching = None if batching is None else read_batching(batching)
        self.session = tf1.Session(graph=tf.Graph())
        meta = tf1.saved_model.load(self.session, ["serve"], str(folder))
        self.signatures = dict(meta.signature_def)

    def replay(self, file):
        """Runs the warm-up requests."""
        for record in tf1.io.tf_record_iterator(str(file)):
            log = prediction_log_pb2.PredictionLog.FromString(record)
            request = log.predict_log.request
            self.run(self.signature(request.model_spec), arrays(request))

    def signature(self, spec):
        version = spec.version.value
        if spec.name != self.name or version not in (0, self.version):
            raise RefusedError(
                grpc.StatusCode.NOT_FOUND,
                f"Servable not found for request: {spec.name}, {version or 'latest'}",
            )
        name = spec.signature_name or "serving_default"
        if name not in self.signatures:
            raise RefusedError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f'Serving signature key "{name}" not found.',
            )
        return self.signatures[name]

    def run(self, signature, inputs):
        if set(inputs) != set(signature.inputs):
            raise invalid(
                "input keys do not match: expected "
                f"{sorted(signature.inputs)}, got {sorted(inputs)}"
            )
        fed = {}
        for key, values in inputs.items():
            info = signature.inputs[key]
            wanted = tf.as_dtype(info.dtype)
            if tf.as_dtype(values.dtype) != wanted:
                raise invalid(f"input {key!r} should be {wanted.name}: {values.dtype}")
            fed[info.name] = values
        if self.batching is not None:
            self._check_batch(list(fed.values()))
        names = {key: info.name for key, info in signature.outputs.items()}
        try:
            return self.session.run(names, fed)
        except (tf.errors.OpError, ValueError) as error:
            raise invalid(str(error).splitlines()[0]) from None

    def _check_batch(self, arrays):
        if not all(values.ndim for values in arrays):
            raise invalid("Batching Run() input tensors must have a 0th dimension")
        if len({len(values) for values in arrays}) != 1:
            raise invalid(
                "Batching Run() input tensors must have equal 0th-dimension size"
            )
        rows, largest = len(arrays[0]), self.batching.max_batch_size.value
        if rows > largest:
            raise invalid(
                f"Task size {rows} is larger than maximum input batch size {largest}"
            )


def arrays(request):
    try:
        return {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
    except (TypeError, ValueError) as error:
        raise invalid(f"a tensor is broken: {error}") from None


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """gRPC."""

    def __init__(self, servable):
        self.servable = servable

    def _answer(self, context, answer):
        try:
            return answer()
        except RefusedError as error:
            context.abort(error.code, str(error))

    def Predict(self, request, context):  # noqa: N802
        def answer():
            signature = self.servable.signature(request.model_spec)
            inputs = arrays(request)
            response = predict_pb2.PredictResponse()
            response.model_spec.CopyFrom(request.model_spec)
            response.model_spec.version.value = self.servable.version
            for key, values in self.servable.run(signature, inputs).items():
                response.outputs[key].CopyFrom(tf.make_tensor_proto(values))
            return response

        return self._answer(context, answer)

    def _of_examples(self, request):
        """What Classify and Regress do: serialised examples to one input."""
        signature = self.servable.signature(request.model_spec)
        if list(signature.inputs) != ["inputs"]:
            raise invalid("the signature should have one input, `inputs`")
        examples = request.input.example_list.examples
        if not examples:
            raise invalid("Input is empty.")
        serialized = np.array([one.SerializeToString() for one in examples], object)
        return self.servable.run(signature, {"inputs": serialized})

    def Classify(self, request, context):  # noqa: N802
        def answer():
            found = self._of_examples(request)
            response = classification_pb2.ClassificationResponse()
            for classes, scores in zip(found["classes"], found["scores"], strict=True):
                row = response.result.classifications.add()
                for label, score in zip(classes, scores, strict=True):
                    row.classes.add(label=label.decode(), score=score)
            return response

        return self._answer(context, answer)

    def Regress(self, request, context):  # noqa: N802
        def answer():
            response = regression_pb2.RegressionResponse()
            for value in self._of_examples(request)["outputs"].ravel():
                response.result.regressions.add(value=value)
            return response

        return self._answer(context, answer)


def rest_handler(servable):
    class Handler(BaseHTTPRequestHandler):
        """REST: `POST /v1/models/NAME[/versions/N]:predict`."""

        def log_message(self, *_):
            pass

        def do_GET(self):
            if self.path == f"/v1/models/{servable.name}":
                status = {"version": str(servable.version), "state": "AVAILABLE"}
                self._send(200, {"model_version_status": [status]})
            else:
                self._send(404, {"error": f"Not found: {self.path}"})

        def do_POST(self):
            try:
                self._send(200, self._predict())
            except RefusedError as error:
                self._send(error.http, {"error": str(error)})

        def _predict(self):
            spec = predict_pb2.PredictRequest().model_spec
            found = re.fullmatch(
                r"/v1/models/([^/:]+)(?:/versions/(\d{1,18}))?:predict", self.path
            )
            if not found:
                raise RefusedError(grpc.StatusCode.NOT_FOUND, f"Not found: {self.path}")
            spec.name = found[1]
            if found[2]:
                spec.version.value = int(found[2])
            with explain_malformed():
                length = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(length))
                spec.signature_name = body.get("signature_name", "")
                rows = "instances" in body
                given = body["instances"] if rows else body["inputs"]
            signature = servable.signature(spec)
            with explain_malformed():
                inputs = from_json(signature, given, rows)
            return to_json(servable.run(signature, inputs), rows)

        def _send(self, code, body):
            content = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


@contextmanager
def explain_malformed():
    """Whatever is not as JSON, or as a request, should be is the client's error."""
    try:
        yield
    except MALFORMED as error:
        raise invalid(f"malformed request: {error!r}") from None


def from_json(signature, given, rows):
    if rows and not (isinstance(given, list) and given):
        raise ValueError("`instances` should be a list, and not empty")
    if rows and isinstance(given[0], dict):
        if len({tuple(sorted(row)) for row in given}) != 1:
            raise ValueError("instances have different keys")
        given = {key: [row[key] for row in given] for key in given[0]}
    elif len(signature.inputs) == 1 and not isinstance(given, dict):
        given = {next(iter(signature.inputs)): given}
    unknown = set(given) - set(signature.inputs)
    if unknown:
        raise ValueError(f"unknown inputs {sorted(unknown)}")
    return {
        key: as_array(values, tf.as_dtype(signature.inputs[key].dtype))
        for key, values in given.items()
    }


def as_array(values, dtype):
    if dtype == tf.string:
        return np.array(decoded(values), object)
    return as_numbers(values, dtype.as_numpy_dtype)


def as_numbers(values, dtype):
    array = np.array(values)
    if array.size and array.dtype.kind not in ("iu" if dtype == np.int64 else "iuf"):
        raise ValueError(f"not of type {np.dtype(dtype).name}")
    return array.astype(dtype)


def decoded(values):
    if isinstance(values, list):
        return [decoded(value) for value in values]
    if isinstance(values, dict):
        return base64.b64decode(values["b64"], validate=True)
    return values.encode()


def to_json(outputs, rows):
    def plain(values):
        if values.dtype == object:
            return np.vectorize(bytes.decode, otypes=[object])(values).tolist()
        return values.tolist()

    lists = {key: plain(values) for key, values in outputs.items()}
    if not rows:
        return {"outputs": lists if len(lists) > 1 else next(iter(lists.values()))}
    keys = list(lists)
    return {
        "predictions": [
            dict(zip(keys, row, strict=True))
            for row in zip(*lists.values(), strict=True)
        ]
    }


def main(folder, name, batching=None):
    servable = Servable(folder, name, batching)
    try:
        servable.replay(Path(folder) / "assets.extra" / "tf_serving_warmup_requests")
    except RefusedError as error:
        sys.exit(f"warm-up: {error.code.name}: {error}")
    server = grpc.server(
        ThreadPoolExecutor(8),
        options=[("grpc.max_receive_message_length", LARGEST_MESSAGE)],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Service(servable), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    rest = ThreadingHTTPServer(("127.0.0.1", 0), rest_handler(servable))
    print(port, rest.server_port, flush=True)
    rest.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
