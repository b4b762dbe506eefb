"""The checkpoints of a run, as a test sees them."""

import tensorflow as tf


def steps_of(run):
    """The steps whose checkpoints are there, in their order."""
    folders = run.checkpoints.glob("step-*")
    return sorted(int(path.name.removeprefix("step-")) for path in folders)


def last_checkpoint(run):
    """The folder of the last checkpoint."""
    return run.checkpoints / f"step-{steps_of(run)[-1]}"


def variables_of(folder, *parts):
    """All that a checkpoint holds of these parts, by name."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(folder)))
    names = reader.get_variable_to_shape_map()
    return {n: reader.get_tensor(n) for n in names if n.split("/")[0] in parts}
