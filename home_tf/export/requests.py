"""Requests made of real rows: those to warm up with, and those to check with."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from home_tf.config import Config
from home_tf.data import Column
from home_tf.data.encode_examples import encode_examples

if TYPE_CHECKING:
    from home_tf.export.candidates import Candidates

WARMUP_ROWS = 64

Columns = Mapping[str, npt.NDArray[Any]]
Request = tuple[str, Columns]  # a signature and its inputs


def warmup_requests(
    columns: Columns, config: Config, candidates: "Candidates | None" = None
) -> list[Request]:
    """A request of one row and one of many, for each signature.

    Args:
        columns: Inputs of `predict`, `(rows,)` or `(rows, length)`.
        config: The configuration, which decides what signatures there are.
        candidates: Those that the export holds, if it does.

    Returns:
        `(signature, inputs)` pairs.
    """
    requests: list[Request] = []
    once, score = config.request_columns, config.serving.score
    for rows in (1, WARMUP_ROWS):
        few = {name: values[:rows] for name, values in columns.items()}
        requests.append(("predict", few))
        examples = as_examples(few)
        requests.append(("serving_default", {"examples": examples}))
        requests.append(("classify", {"inputs": examples}))
        if score:
            requests.append(("regress", {"inputs": examples}))
        if once:
            first = of_one_request(few, once)
            requests.append(("rank", first))
            if score:
                weights = [score.weights.get(task, 0.0) for task in config.tasks]
                weighted = {**first, "weights": np.array(weights, np.float32)}
                requests.append(("rank_weighted", weighted))
            if candidates is not None:
                requests.append(("rank_by_id", by_id(first, once, candidates, rows)))
    return requests


def of_one_request(columns: Columns, once: Collection[str]) -> Columns:
    """All rows as candidates of the first row's request, as `rank` takes them."""
    return {name: x[:1] if name in once else x for name, x in columns.items()}


def by_id(
    columns: Columns, once: Collection[str], candidates: "Candidates", rows: int
) -> Columns:
    """Held candidates for the first row's request, as `rank_by_id` takes them."""
    names = candidates.first(rows)[candidates.column]
    return {**{name: columns[name][:1] for name in once}, candidates.column: names}


def as_served(batch: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Tensors of record columns as the signatures take them."""
    return {
        name: values.numpy().astype(np.int64)
        if values.dtype.name == "int32"
        else values.numpy()
        for name, values in batch.items()
    }


def as_examples(columns: Columns) -> npt.NDArray[Any]:
    """Each row as a serialised `tf.train.Example`, `(rows,)`."""
    dtypes = {"i": "int64", "f": "float32", "O": "string"}
    schema = {
        name: Column(dtypes[values.dtype.kind], values.shape[1:])
        for name, values in columns.items()
    }
    return np.array(list(encode_examples(columns, schema)), object)
