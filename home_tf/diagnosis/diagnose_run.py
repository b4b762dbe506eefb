"""Diagnosing the best checkpoint of a run on a split."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from home_tf.data import DatasetDirectory
from home_tf.diagnosis.figures import Figures
from home_tf.diagnosis.importance import permutation_importance
from home_tf.diagnosis.inspection import Inspector
from home_tf.diagnosis.verdicts import judge
from home_tf.evaluation import calibration_curve
from home_tf.files import PathLike, read_json_lines
from home_tf.run import Run
from home_tf.training.experiment import Experiment
from home_tf.training.predictions import Predictions

FORMAT = "home_tf.diagnostics"
VERSION = 1


def diagnose_run(
    run: Run,
    *,
    data: DatasetDirectory | PathLike | None = None,
    split: str = "validation",
    importance_of: Sequence[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Measures and judges the experts and gates of a run.

    Args:
        run: The run.
        data: The dataset directory; by default the one that the run was trained on.
        split: The split to read, in full.
        importance_of: Patterns of features whose importance for every task is also
            measured; see `permutation_importance`.
        progress: Called with a stage, how much of it is done, and the total.

    Returns:
        The content of `diagnostics.json`, which docs/guides/diagnosis.md describes.

    Raises:
        HomeError: If the run has no checkpoint or other data, the split has no rows, a
            pattern matches no feature, the outputs of an expert are not finite, or the
            other Keras trained the run.
    """
    config, folder = run.load_config(), run.find_best()
    experiment = Experiment.open(config, run.open_data(data))
    experiment.check_rows(split, needed_by="a diagnosis")
    network = experiment.load_network(folder)
    figures = _measure(experiment, network, split, progress).result()
    (predictions,) = experiment.predict_calibrated(network, split)
    found = {
        "format": FORMAT,
        "version": VERSION,
        "run": run.folder.resolve().name,
        "architecture": config.model.architecture.type,
        "seed": config.training.seed,
        "split": split,
        "task_groups": config.task_groups,
        **figures,
        "verdicts": [verdict.to_json() for verdict in judge(figures)],
        "metrics": predictions.evaluate(config),
        "calibration_curves": _calibration_curves(predictions, config.regression_tasks),
        "curves": read_json_lines(run.curves_file) if run.curves_file.is_file() else [],
    }
    if importance_of:
        found["importance"] = permutation_importance(
            experiment, network, split, features=importance_of, progress=progress
        )
    return found


def _measure(
    experiment: Experiment,
    network: Any,
    split: str,
    progress: Callable[[str, int, int], None] | None,
) -> Figures:
    inspector = Inspector(network, experiment.make_losses())
    widths = {
        **network.features.widths,
        **dict.fromkeys(experiment.preprocessor.numeric_features, 1),
    }
    figures, done = Figures(widths), 0
    total = experiment.data.split(split).rows
    with experiment.explain_broken_records(split):
        for features, labels, *_ in experiment.read(split):
            figures.add(inspector.read(features, labels))
            done += len(next(iter(labels.values())))
            if progress is not None:
                progress("reading rows", done, total)
    return figures


def _calibration_curves(
    predictions: Predictions, regression: Collection[str]
) -> dict[str, Any]:
    return {
        task: calibration_curve(labels, predictions.probabilities[task])
        for task, labels in predictions.labels.items()
        if task not in regression
    }
