"""Which Keras trained a run."""

from home_tf.backend import IS_LEGACY, other_keras, this_keras
from home_tf.errors import HomeError
from home_tf.run import Run


def check_keras(run: Run) -> None:
    """Raises a `HomeError` if the other Keras trained the run.

    The two create the variables of a network in another order, so that a checkpoint of
    one does not fit a network of the other.
    """
    if run.legacy_keras in (None, IS_LEGACY):
        return
    remedy = "Unset TF_USE_LEGACY_KERAS" if IS_LEGACY else "Set TF_USE_LEGACY_KERAS=1"
    raise HomeError(
        f"{run.folder}: was trained by {other_keras()}, and this is {this_keras()}. "
        f"{remedy} before TensorFlow is imported"
    )
