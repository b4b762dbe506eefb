"""Evaluating a run's best checkpoint."""

from collections.abc import Sequence
from typing import Any

from home_tf.data import DatasetDirectory
from home_tf.files import PathLike, write_json
from home_tf.run import Run
from home_tf.training.experiment import Experiment


def evaluate_run(
    run: Run,
    *,
    data: DatasetDirectory | PathLike | None = None,
    splits: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Evaluates the best checkpoint of a run and writes `metrics.json`.

    Args:
        run: The run.
        data: The dataset directory; by default the one that the run was trained on.
        splits: The splits to evaluate; by default validation and, if it has rows, test.

    Returns:
        The content of `metrics.json`: `{split: {"auc": {task: value}, ...}}` as defined
        by `home_tf.evaluation.evaluate_tasks`, for the probabilities that are served;
        `calibration_method`, their `serving.calibration`; and `examples_per_second` of
        the training.

    Raises:
        HomeError: If the run has no checkpoint, or one from the other Keras, or the
            data does not match the run or has no such split.
    """
    config, folder = run.load_config(), run.find_best()
    experiment = Experiment.open(config, run.open_data(data))
    if splits is None:
        there = experiment.data.schema.splits
        splits = [n for n in ("validation", "test") if n in there and there[n].rows]
    network = experiment.load_network(folder)
    predictions = experiment.predict_calibrated(network, *splits)
    metrics: dict[str, Any] = {
        split: found.evaluate(config)
        for split, found in zip(splits, predictions, strict=True)
    }
    metrics["calibration_method"] = config.serving.calibration
    metrics["examples_per_second"] = run.load_state().get("examples_per_second")
    write_json(run.metrics_file, metrics)
    return metrics
