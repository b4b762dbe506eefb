"""A trained run, its export, and what the trained model answers."""

import numpy as np
import pytest

TASKS = ["long_view", "is_click", "is_like"]


@pytest.fixture(scope="session")
def trained(prepared, tmp_path_factory):
    """A run, its export, and the trained model's answers for the first test rows."""
    # Imported here: the process that hands out the tests reads this file too.
    from support.small_config import SMALL_CONFIG

    from home_tf.backend import IS_LEGACY
    from home_tf.config import load_config
    from home_tf.export import export_run
    from home_tf.training import Experiment, train

    folder = tmp_path_factory.mktemp("trained")
    (folder / "config.yaml").write_text(SMALL_CONFIG)
    framework = "tfrs" if IS_LEGACY else "keras"
    config = load_config(
        folder / "config.yaml",
        {"training.framework": framework, "training.epochs": 1},
    )
    run = train(config, prepared, folder / "run")
    version = export_run(run, folder / "model")
    experiment = Experiment.open(config, prepared)
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
