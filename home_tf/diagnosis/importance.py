"""Permutation importance: what each task's ranking loses without a column."""

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.errors import HomeError, check_at_least
from home_tf.evaluation import auc, bootstrap_values, gauc
from home_tf.evaluation.bootstrap import percentile_interval
from home_tf.training.experiment import Experiment

Array = npt.NDArray[Any]
Columns = Mapping[str, Array]
Losses = dict[str, dict[str, Any]]

_BATCH_ROWS = 4096


@dataclass(frozen=True)
class Rows:
    """Rows of a split in memory.

    Attributes:
        columns: The input of the preprocessor, `{column: (rows, ...)}`.
        labels: `{task: (rows,)}`; NaN or -1 where missing.
        groups: GAUC's groups, `(rows,)`; None if there are none.
    """

    columns: Columns
    labels: Mapping[str, Array]
    groups: Array | None


def permutation_importance(
    experiment: Experiment,
    network: Any,
    split: str,
    *,
    features: Sequence[str] = ("*",),
    replicates: int = 200,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Losses]:
    """Measures what every task loses when a feature column is shuffled among rows.

    The columns are those of a request to the served model: features that read the same
    column lose it together. A shuffled column keeps its values, but no longer says
    anything about its row. Redundant columns hide each other: shuffle them together,
    with a `+` in the pattern.

    Args:
        experiment: The experiment.
        network: Its network, with its weights.
        split: The split whose rows are ranked.
        features: Patterns such as `user_*`: every matching column is shuffled on its
            own. `user_*+video_id` shuffles all matching columns together.
        replicates: Bootstrap replicates over users (or rows) for each interval.
        seed: Seed of the shuffling.
        progress: Called with a stage, the number of columns done, and their total.

    Returns:
        `{columns: {metric: {task: {"loss", "low", "high"}}}}`, by descending mean loss
        of AUC: the drop in `auc` and, with groups, `gauc`, with the ends of a 95 %
        interval; None if a task has no such metric.

    Raises:
        HomeError: If a pattern matches no column, or an argument is out of its range.
    """
    check_at_least("replicates", replicates, 1)
    chosen = _choose(features, list(experiment.preprocessor.columns))
    rows = read_rows(experiment, split)
    predict = _make_predict(experiment, network)
    regression = experiment.config.regression_tasks
    base = _measure(rows, predict(rows.columns), replicates, regression)
    found: dict[str, Losses] = {}
    for number, (name, shuffled) in enumerate(chosen.items()):
        if progress is not None:
            progress("shuffling columns", number, len(chosen))
        order = np.random.default_rng([seed, number]).permutation(len(_any(rows)))
        changed = {n: rows.columns[n][order] for n in shuffled}
        probabilities = predict({**rows.columns, **changed})
        found[name] = _losses(
            base, _measure(rows, probabilities, replicates, regression)
        )
    if progress is not None:
        progress("shuffling columns", len(chosen), len(chosen))
    return dict(sorted(found.items(), key=lambda one: -_mean_loss(one[1])))


def read_rows(experiment: Experiment, split: str) -> Rows:
    """Reads the columns, labels and groups of a split.

    Raises:
        HomeError: If there are no rows, or a record is broken.
    """
    experiment.check_rows(split, needed_by="the importance of features")
    names = list(experiment.preprocessor.columns)
    with experiment.explain_broken_records(split):
        batches = experiment.data.read(split, batch_size=_BATCH_ROWS, columns=names)
        columns = _joined(batches.as_numpy_iterator())
        labels, groups = [], []
        for _, batch, _, *group in experiment.read(split, _BATCH_ROWS):
            labels.append({task: values.numpy() for task, values in batch.items()})
            groups += [one.numpy() for one in group]
    return Rows(
        columns=columns,
        labels=_joined(iter(labels)),
        groups=np.concatenate(groups) if groups else None,
    )


def _joined(batches: Iterator[Mapping[str, Array]]) -> dict[str, Array]:
    parts = list(batches)
    return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}


def _any(rows: Rows) -> Array:
    return next(iter(rows.labels.values()))


def _choose(patterns: Sequence[str], columns: Sequence[str]) -> dict[str, list[str]]:
    """Finds the columns to shuffle together, by name: a column, or a `+` pattern."""
    chosen: dict[str, list[str]] = {}
    for pattern in patterns:
        matches = {part: fnmatch.filter(columns, part) for part in pattern.split("+")}
        for part, found in matches.items():
            if not found:
                raise HomeError(
                    f"`features` has {part!r}, which matches no column of the "
                    f"features. Their columns: {', '.join(columns)}"
                )
        together = list(dict.fromkeys(n for found in matches.values() for n in found))
        if len(matches) > 1:
            chosen[pattern] = together
        else:
            chosen |= {name: [name] for name in together}
    return chosen


def _make_predict(
    experiment: Experiment, network: Any
) -> Callable[[Columns], dict[str, Array]]:
    """Makes a function from columns to predictions, `{task: (rows,)}`."""
    losses = experiment.make_losses()

    @tf.function(reduce_retracing=True, autograph=False)
    def of_batch(columns: Any) -> Any:
        logits = network(experiment.preprocessor(columns), training=False)
        return {
            task: tf.reshape(losses[task].to_prediction(x), [-1])
            for task, x in logits.items()
        }

    def predict(columns: Columns) -> dict[str, Array]:
        number = len(next(iter(columns.values())))
        parts = []
        for start in range(0, number, _BATCH_ROWS):
            part = slice(start, start + _BATCH_ROWS)
            batch = {n: tf.convert_to_tensor(x[part]) for n, x in columns.items()}
            found = of_batch(batch)
            parts.append({task: values.numpy() for task, values in found.items()})
        return _joined(iter(parts))

    return predict


def _measure(
    rows: Rows,
    probabilities: Mapping[str, Array],
    replicates: int,
    regression: Sequence[str],
) -> dict[tuple[str, str], tuple[float, Array]]:
    """Measures each metric of each task: its value, and its bootstrap replicates.

    The draws depend only on the rows, so two measurements are paired.
    """
    found = {}
    for task, labels in rows.labels.items():
        scores, numeric = probabilities[task], task in regression
        drawn = bootstrap_values(
            labels, scores, rows.groups, replicates=replicates, numeric=numeric
        )
        found["auc", task] = auc(labels, scores, numeric=numeric), drawn["auc"]
        if rows.groups is not None:
            value = gauc(labels, scores, rows.groups, numeric=numeric)
            found["gauc", task] = value, drawn["gauc"]
    return found


def _losses(base: Mapping[Any, Any], changed: Mapping[Any, Any]) -> Losses:
    losses: Losses = {}
    for (metric, task), (value, drawn) in base.items():
        other, other_drawn = changed[metric, task]
        low, high = percentile_interval(drawn - other_drawn)
        numbers = {"loss": value - other, "low": low, "high": high}
        undefined = any(np.isnan(number) for number in numbers.values())
        losses.setdefault(metric, {})[task] = (
            None if undefined else {k: float(v) for k, v in numbers.items()}
        )
    return losses


def _mean_loss(losses: Losses) -> float:
    known = [one["loss"] for one in losses["auc"].values() if one is not None]
    return float(np.mean(known)) if known else 0.0
