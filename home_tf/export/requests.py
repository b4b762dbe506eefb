"""Requests made from real rows, and the trained model's answers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.config import ScoreConfig
from home_tf.config.score_config import SCORE
from home_tf.data import Column
from home_tf.data.encode_examples import encode_examples
from home_tf.evaluation import Calibrator
from home_tf.training.experiment import Experiment

if TYPE_CHECKING:
    from home_tf.export.candidates import Candidates

WARMUP_ROWS = 64
_CHECKED_ROWS = 256

Floats = npt.NDArray[np.float64]
Columns = Mapping[str, npt.NDArray[Any]]
Request = tuple[str, Columns]  # a signature and its inputs


@dataclass(frozen=True)
class Requests:
    """Real rows as requests for an export's signatures.

    Args:
        columns: Inputs of `predict`, `(rows,)` or `(rows, length)`.
        expected: The answers of the trained model (not the export): probabilities
            `{task: (rows,)}`, and the score if there is one.
        once: The columns that are the same for all candidates of a request; without
            any there is no `rank`.
        weights: The score weights in the order of the tasks, if there is a score.
        candidates: The candidates stored in the export, if any.
        classifies: Whether there are binary tasks, and hence `classify`.
    """

    columns: Columns
    expected: Mapping[str, npt.NDArray[Any]]
    once: Collection[str] = ()
    weights: Sequence[float] | None = None
    candidates: "Candidates | None" = None
    classifies: bool = True

    @classmethod
    def read(
        cls,
        experiment: Experiment,
        network: Any,
        candidates: "Candidates | None",
        calibrators: Mapping[str, Calibrator],
    ) -> "Requests":
        """Reads the first validation rows as requests.

        Args:
            experiment: The experiment that is exported.
            network: Its network, from features to logits `{task: (rows, 1)}`.
            candidates: The candidates stored in the export, if any.
            calibrators: `{task: Calibrator}` of the calibrated tasks.
        """
        config, columns = experiment.config, list(experiment.preprocessor.columns)
        dataset = experiment.data.read(
            "validation", batch_size=_CHECKED_ROWS, columns=columns
        )
        rows: Columns = next(dataset.as_numpy_iterator())
        expected = _answer(experiment, network, rows, calibrators)
        score = config.serving.score
        return cls(
            to_inputs(rows),
            expected,
            once=config.request_columns,
            weights=None
            if score is None
            else [score.weights.get(task, 0.0) for task in config.tasks],
            candidates=candidates,
            classifies=len(config.regression_tasks) < len(config.tasks),
        )

    @cached_property
    def examples(self) -> npt.NDArray[Any]:
        """Each row as a serialised `tf.train.Example`, `(rows,)`."""
        dtypes = {"i": "int64", "f": "float32", "O": "string"}
        schema = {
            name: Column(dtypes[values.dtype.kind], values.shape[1:])
            for name, values in self.columns.items()
        }
        return np.array(list(encode_examples(self.columns, schema)), object)

    @cached_property
    def warm_up(self) -> list[Request]:
        """A request with one row and one with many, for each signature."""
        return [request for rows in (1, WARMUP_ROWS) for request in self._of(rows)]

    def _of(self, rows: int) -> Iterator[Request]:
        examples = self.examples[:rows]
        yield "predict", {name: values[:rows] for name, values in self.columns.items()}
        yield "serving_default", {"examples": examples}
        if self.classifies:
            yield "classify", {"inputs": examples}
        if self.weights is not None:
            yield "regress", {"inputs": examples}
        if not self.once:
            return
        ranked = self._rank(rows)
        yield "rank", ranked
        if self.weights is not None:
            weights = np.array(self.weights, np.float32)
            yield "rank_weighted", {**ranked, "weights": weights}
        if self.candidates is not None:
            yield "rank_by_id", self._rank_by_id(rows)

    @cached_property
    def pairs(self) -> list[tuple[Request, Request]]:
        """Pairs of requests for the same rows, which must get the same answers."""
        pairs: list[tuple[Request, Request]] = [
            (("serving_default", {"examples": self.examples}), self.predict)
        ]
        if self.once:
            ranked = self._rank(len(self.examples))
            copies = {
                name: self._repeat(name, values) for name, values in ranked.items()
            }
            pairs.append((("rank", ranked), ("predict", copies)))
        if self.candidates is not None:
            named = self._rank_by_id(_CHECKED_ROWS)
            whole = {**named, **self.candidates.first(_CHECKED_ROWS)}
            pairs.append((("rank_by_id", named), ("rank", whole)))
        return pairs

    @property
    def predict(self) -> Request:
        """All rows for `predict`."""
        return "predict", self.columns

    def _rank(self, rows: int) -> Columns:
        """The rows as candidates of the first row's request."""
        return {
            name: values[:1] if name in self.once else values[:rows]
            for name, values in self.columns.items()
        }

    def _repeat(self, name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        rows = len(self.examples)
        return np.repeat(values, rows, axis=0) if name in self.once else values

    def _rank_by_id(self, rows: int) -> Columns:
        """Stored candidates for the first row's request."""
        assert self.candidates is not None  # otherwise there is no such signature
        column = self.candidates.column
        named = self.candidates.first(rows)[column]
        return {**{name: self.columns[name][:1] for name in self.once}, column: named}


def to_inputs(rows: Columns) -> Columns:
    """Converts rows of records for the signatures: all integers become int64."""
    return {
        name: values.astype(np.int64) if values.dtype == np.int32 else values
        for name, values in rows.items()
    }


def _answer(
    experiment: Experiment,
    network: Any,
    rows: Columns,
    calibrators: Mapping[str, Calibrator],
) -> dict[str, Floats]:
    """Runs preprocessing and network eagerly, and the rest in NumPy."""
    tensors = {name: tf.constant(values) for name, values in rows.items()}
    logits = network(experiment.preprocessor(tensors), training=False)
    answers = {}
    for task, loss in experiment.make_losses().items():
        found = logits[task].numpy()
        calibrate = calibrators.get(task)
        answers[task] = (
            np.asarray(loss.to_prediction(found), np.float64).ravel()
            if task in experiment.config.regression_tasks
            else _sigmoid(found if calibrate is None else calibrate(found))
        )
    score = experiment.config.serving.score
    return answers if score is None else {**answers, SCORE: _scored(score, answers)}


def _sigmoid(logits: Any) -> Floats:
    return 1 / (1 + np.exp(-logits.ravel().astype(np.float64)))


def _scored(score: ScoreConfig, probabilities: Mapping[str, Floats]) -> Floats:
    weights = score.weights.items()
    if score.form == "sum":
        terms = [weight * probabilities[task] for task, weight in weights]
        return np.sum(terms, axis=0)
    return np.prod([probabilities[task] ** weight for task, weight in weights], axis=0)
