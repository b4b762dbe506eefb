"""A trained run, its export, and what the trained model answers."""

import numpy as np
import pytest

TASKS = ["long_view", "is_click", "is_like"]


@pytest.fixture(scope="session")
def trained(logs, shared_folder):
    """A run, its export, and the trained model's answers for the first test rows."""
    # Imported here: the process that hands out the tests reads this file too.
    from home_tf.backend import IS_LEGACY
    from home_tf.config import load_config
    from home_tf.export import export_run
    from home_tf.prepare import prepare
    from home_tf.run import Run
    from home_tf.training import Experiment, train
    from support.small_config import SMALL_CONFIG

    with shared_folder("trained-export") as (folder, is_new):
        config_file = folder / "config.yaml"
        if is_new:
            config_file.write_text(SMALL_CONFIG)
            prepare(logs, config_file, folder / "records", shards=2)
        framework = "tfrs" if IS_LEGACY else "keras"
        config = load_config(
            config_file, {"training.framework": framework, "training.epochs": 1}
        )
        run = Run(folder / "run")
        if is_new:
            train(config, folder / "records", run.folder)
            export_run(run, folder / "model")
    version = folder / "model" / "1"
    experiment = Experiment.open(config, folder / "records")
    network = experiment.load_network(run.find_best())
    batch = next(iter(experiment.data.read("test", batch_size=64)))
    logits = network(experiment.preprocessor(batch), training=False)
    expected = {t: 1 / (1 + np.exp(-logits[t].numpy().ravel())) for t in TASKS}
    return run, version, batch, expected


@pytest.fixture(scope="session")
def loaded(trained):
    """The export, which takes seconds to load."""
    import tensorflow as tf

    return tf.saved_model.load(str(trained[1]))


@pytest.fixture
def checked_here():
    """Exports are checked in this process; one of its own takes seconds to start."""
    from support.check_here import check_here

    with check_here():
        yield
