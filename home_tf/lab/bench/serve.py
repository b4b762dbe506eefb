"""Benchmarking how fast an export answers, and the size of requests."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.export import example_request
from home_tf.export.warmup import read_warmup
from home_tf.extras import extra
from home_tf.lab.bench.layer import COLUMNS, large_product
from home_tf.lab.bench.serve_parts import parts_of_request
from home_tf.lab.bench.timing import ratio, time_in_turn

CANDIDATES = (1, 50, 500, 2000)
# The size of the large product that the network's products are compared with.
_FEATURES = 512
# Operations of the graph that are such products.
_PRODUCTS = ("MatMul", "BatchMatMulV2", "BatchMatMulV3")
Inputs = Mapping[str, Any]


def bench_serve(
    export: str | Path,
    *,
    candidates: tuple[int, ...] = CANDIDATES,
    rounds: int = 50,
) -> dict[str, Any]:
    """Measures `predict` and `rank`, and `rank_by_id`, for one user and N candidates.

    The export is loaded into this process, so that the graph is measured and not a
    network: no server, no parsing of requests, and no Python that binds dozens of
    inputs by name, which no server has. `predict` and `rank` get the same rows.

    Args:
        export: The SavedModel, a version's folder, with the signature `rank`; if it has
            `rank_by_id`, that is measured too.
        candidates: Numbers of candidates.
        rounds: Timed calls of each.

    Returns:
        `{key: value}`: for each number the median and the 99th percentile in
        milliseconds, the rows a second at the median, the bytes of a request, the time
        over that of the network's matrix products at the rate of a large one in the
        same run (`time_vs_limit`, with quartiles), and how much faster (`_vs_predict`,
        with quartiles) and smaller (`_fewer_bytes`) the others are than `predict`. Of
        `predict` also what `parts_of_request` finds. The first call of `rank` over its
        median, both with their binding of inputs: `serve.cold_vs_p50` right after
        loading, and `serve.warmed_vs_p50` after the export's warm-up requests.

    Raises:
        HomeError: If the export has no warm-up requests of both signatures.
    """
    example_request(export, "predict")  # fails for an export without one
    request = example_request(export, "rank")
    once = {k: v for k, v in request.items() if len(v) == 1}
    each = {k: v for k, v in request.items() if k not in once}
    names = _names_of_candidates(export, once)
    model = tf.saved_model.load(str(export))
    found: dict[str, Any] = {"serve.rounds": rounds}
    calls: dict[str, Callable[[], object]] = {}
    for number in candidates:
        rows = {k: np.resize(v, (number, *v.shape[1:])) for k, v in each.items()}
        copies = {k: np.repeat(v, number, axis=0) for k, v in once.items()}
        requests = {"rank": {**once, **rows}, "predict": {**copies, **rows}}
        if names:
            few = {k: np.resize(v, number) for k, v in names.items()}
            requests["rank_by_id"] = {**once, **few}
        for name, inputs in requests.items():
            key = f"{name}_{number}"
            calls[key] = _graph_call(model, name, inputs)
            if name == "predict":
                parts = parts_of_request(export, inputs)
                found |= {f"serve.{key}.{k}": value for k, value in parts.items()}
            found[f"serve.{key}.request_bytes"] = len(_serialized(name, inputs))
        calls[f"product_{number}"], _ = large_product(number, _FEATURES)
    calls["first"] = _rank_call(model, once, each, candidates[-1])
    cold = _seconds(calls["first"])
    seconds = time_in_turn(calls, rounds=rounds)
    for number in candidates:
        limit = seconds[f"product_{number}"] * _share_of_product(model)
        predict = f"predict_{number}"
        for name in requests:
            key = f"{name}_{number}"
            values = seconds[key]
            found[f"serve.{key}.p50_ms"] = float(np.median(values) * 1e3)
            found[f"serve.{key}.p99_ms"] = float(np.percentile(values, 99) * 1e3)
            found[f"serve.{key}.rows_per_second"] = float(number / np.median(values))
            found[f"serve.{key}.time_vs_limit"] = ratio(values, limit)
            if name != "predict":
                found[f"serve.{key}_vs_predict"] = ratio(seconds[predict], values)
                bytes_ = [found[f"serve.{k}.request_bytes"] for k in (predict, key)]
                found[f"serve.{key}_fewer_bytes"] = bytes_[0] / bytes_[1]
    warmed = _first_call_after_warm_up(export, once, each, candidates[-1])
    found["serve.cold_vs_p50"] = float(cold / np.median(seconds["first"]))
    found["serve.warmed_vs_p50"] = float(warmed / np.median(seconds["first"]))
    return found


def _names_of_candidates(export: str | Path, once: Inputs) -> Inputs:
    """The columns of candidates that `rank_by_id` takes; empty without it."""
    request = dict(read_warmup(Path(export))).get("rank_by_id", {})
    return {name: values for name, values in request.items() if name not in once}


def _share_of_product(model: Any) -> float:
    """The operations of the network's kernel products over the large product's."""
    graph = model.signatures["predict"].graph.as_graph_def()
    elements = sum(map(_kernel_elements, graph.library.function))
    return elements / (_FEATURES * COLUMNS)


def _kernel_elements(function: Any) -> int:
    """Counts the elements of constants that a function multiplies with."""
    shapes = {
        node.name: node.attr["value"].tensor.tensor_shape.dim
        for node in function.node_def
        if node.op == "Const"
    }
    products = [node for node in function.node_def if node.op in _PRODUCTS]
    kernels = [shapes.get(node.input[1].split(":")[0]) for node in products]
    return sum(math.prod(size.size for size in dim) for dim in kernels if dim)


def _first_call_after_warm_up(
    export: str | Path, once: Inputs, each: Inputs, number: int
) -> float:
    """Measures TF Serving's first request after loading, in seconds."""
    model = tf.saved_model.load(str(export))
    for name, inputs in read_warmup(Path(export)):
        _call(model, name, inputs)()
    return _seconds(_rank_call(model, once, each, number))


def _rank_call(
    model: Any, once: Inputs, each: Inputs, number: int
) -> Callable[[], object]:
    rows = {k: np.resize(v, (number, *v.shape[1:])) for k, v in each.items()}
    return _call(model, "rank", {**once, **rows})


def _call(model: Any, name: str, inputs: Inputs) -> Callable[[], object]:
    return _reading(_signature_of(model, name, inputs))


def _graph_call(model: Any, name: str, inputs: Inputs) -> Callable[[], object]:
    """Makes the call without input binding: a function captures the tensors."""
    return _reading(tf.function(_signature_of(model, name, inputs), autograph=False))


def _signature_of(model: Any, name: str, inputs: Inputs) -> Callable[[], Any]:
    tensors = {key: tf.constant(values) for key, values in inputs.items()}
    return lambda: model.signatures[name](**tensors)


def _reading(call: Callable[[], Any]) -> Callable[[], object]:
    return lambda: [values.numpy() for values in call().values()]


def _serialized(name: str, inputs: Inputs) -> bytes:
    with extra("serving"):
        from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = name
    for key, values in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
    return bytes(request.SerializeToString())


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
