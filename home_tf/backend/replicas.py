"""The replicas of the current `tf.distribute` strategy; one outside of any."""

from typing import Any

from home_tf.backend import IS_TENSORFLOW, ops

OUT_OF_STEP = (
    "must not use parameter servers: their workers train out of step, so there is no "
    "global batch to take the number of valid labels and the batch statistics of. Use "
    "MultiWorkerMirroredStrategy (`training.strategy: multi_worker`)"
)


def num_replicas() -> int:
    """Number of replicas of the running `tf.distribute` strategy; 1 outside of one."""
    if not IS_TENSORFLOW:
        return 1
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def check_in_step(what: str) -> None:
    """Checks that the replicas of the current strategy train in step with each other.

    Args:
        what: What must be in step, for the message.

    Raises:
        ValueError: If they do not.
    """
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    if isinstance(strategy, tf.distribute.ParameterServerStrategy):
        raise ValueError(f"{what} {OUT_OF_STEP}")


def sum_over_replicas(values: Any) -> Any:
    """Sums tensors over the replicas of the running `tf.distribute` strategy.

    Outside a strategy, and with one replica, they are returned as they are.

    Args:
        values: Tensor of any shape, the same on every replica; or a list of such.

    Returns:
        What `values` is.
    """
    if not IS_TENSORFLOW:
        return values
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def concatenate_over_replicas(values: Any) -> Any:
    """Concatenates a tensor's rows over the replicas, which may differ in number.

    Outside a strategy, and with one replica, the tensor is returned as it is.

    Args:
        values: Tensor `(rows, ...)`; only the number of rows may differ.

    Returns:
        Tensor `(rows of all replicas, ...)`.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    return context.all_gather(values, axis=0)


def mean_over_global_batch(values: Any) -> Any:
    """The mean of a `(batch,)` tensor over the global batch, for an added loss.

    Added losses are averaged over the replicas, which may hold unequal numbers of rows;
    the average of what this returns on each replica is the mean over all rows.
    """
    count = sum_over_replicas(ops.sum(ops.zeros_like(values) + 1.0))
    return ops.sum(values) * num_replicas() / ops.maximum(count, 1.0)
