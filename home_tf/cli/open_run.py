"""Opening the run that a command works on."""

from typing import TYPE_CHECKING

from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.files import AnyPath

if TYPE_CHECKING:
    from home_tf.run import Run


def open_run(folder: AnyPath) -> "Run":
    """Finds a run and starts TensorFlow with the Keras that trained it.

    Raises:
        HomeError: If there is no run in the folder.
    """
    from home_tf.run import Run

    run = Run(folder)
    start_tensorflow(run.framework)
    return run
