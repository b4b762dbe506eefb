"""Exporting a run as a temporary SavedModel that only this package reads."""

import tensorflow as tf

from home_tf.data import DatasetDirectory
from home_tf.export.serving_model import ServingModel
from home_tf.files import PathLike
from home_tf.run import Run
from home_tf.training.experiment import Experiment


def export_for_predictions(
    run: Run,
    folder: PathLike,
    *,
    data: DatasetDirectory | PathLike | None = None,
) -> None:
    """Writes the best checkpoint of a run as a SavedModel without a version.

    Its probabilities equal those of `export_run`, calibrated as configured, but it has
    no candidates and no warm-up requests, and is not checked.

    Args:
        run: The run.
        folder: The folder to write, on this machine.
        data: The dataset directory; by default the one that the run was trained on.

    Raises:
        HomeError: If the run has no checkpoint, or one from the other Keras, or the
            data does not match the run.
    """
    config, best = run.load_config(), run.find_best()
    experiment = Experiment.open(config, run.open_data(data))
    network = experiment.load_network(best)
    model = ServingModel(
        experiment.preprocessor,
        network,
        list(config.tasks),
        score=config.serving.score,
        calibrators=experiment.fit_calibrators(network),
        numbers=experiment.make_number_losses(),
    )
    tf.saved_model.save(model, str(folder), signatures=model.signatures())
