"""Measuring a run's best checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from home_tf.backend.variables import named_variables
from home_tf.config import Config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.features import Preprocessor
from home_tf.files import write_json
from home_tf.models import RankingNetwork
from home_tf.models.build_network import build_network
from home_tf.run import Run
from home_tf.training.broken_records import explain_broken_records
from home_tf.training.check_keras import check_keras
from home_tf.training.checkpoint import Checkpoint
from home_tf.training.predictions import Predictor
from home_tf.training.ranking_dataset import ranking_dataset


def evaluate_run(
    run: Run,
    *,
    data: DatasetDirectory | str | Path | None = None,
    splits: Sequence[str] = ("validation", "test"),
) -> dict[str, Any]:
    """Measures the best checkpoint of a run and writes `metrics.json`.

    Args:
        run: The run.
        data: The dataset directory; by default the one that the run was trained on.
        splits: Which splits to measure.

    Returns:
        What `metrics.json` holds: `{split: {"auc": {task: value}, ...}}` as
        `home_tf.evaluation.evaluate_tasks` defines it, and `examples_per_second` of the
        training.

    Raises:
        HomeError: If the run has no checkpoint, or one of the other Keras, or the data
            has no such split.
    """
    config = run.load_config()
    data = DatasetDirectory.of(data or run.data)
    preprocessor = Preprocessor(config.features, data)
    predictor = Predictor(load_network(run, config, preprocessor))
    metrics: dict[str, Any] = {}
    for split in splits:
        dataset = ranking_dataset(
            data,
            split,
            preprocessor,
            config.tasks,
            batch_size=config.training.batch_size,
            group_by=config.evaluation.group_by,
        )
        with explain_broken_records(data, split):
            metrics[split] = predictor.predict(dataset).evaluate(config)
    metrics["examples_per_second"] = run.load_state().get("examples_per_second")
    write_json(run.metrics_file, metrics)
    return metrics


def load_network(
    run: Run, config: Config, preprocessor: Preprocessor
) -> RankingNetwork:
    """The network of a run's best checkpoint.

    Raises:
        HomeError: If the other Keras trained the run, or it has no checkpoint, or one
            that does not fit the data.
    """
    check_keras(run)
    network = build_network(config, preprocessor)
    # The rest of the checkpoint is for going on with the training.
    best = Checkpoint(network=named_variables(network))
    if not best.restore(run.checkpoints / "best"):
        raise HomeError(
            f"{run.checkpoints}: no checkpoint. Run `home-tf train` to the end of an "
            "epoch first"
        )
    return network
