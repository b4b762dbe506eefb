"""PCGrad from inner products: the projections as a sum of the tasks' gradients."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from home_tf.backend.replicas import concatenate_over_replicas, sum_over_replicas


def random_orders(num_tasks: int, seed: int, step: Any) -> Any:
    """Draws a random order of the tasks for every task, `(num_tasks, num_tasks)`."""
    key = tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])
    draws = tf.random.stateless_uniform((num_tasks, num_tasks), key)
    return tf.argsort(draws, axis=1)


def projection_factors(products: Any, orders: Any) -> Any:
    """The factors `c_j` for which `sum_j c_j g_j` is the sum of projected gradients.

    Args:
        products: Inner products of the tasks' gradients, `(tasks, tasks)`.
        orders: For every task, the order in which the others are visited; it may
            include the task itself.

    Returns:
        `(tasks,)`; each is at least 1.
    """
    num_tasks = products.shape[0]
    # Row i holds the factors of g'_i.
    factors = tf.eye(num_tasks)
    squares = tf.linalg.diag_part(products)
    for place in range(num_tasks):
        others = orders[:, place]
        dots = tf.reduce_sum(factors * tf.gather(products, others), axis=1)
        itself = others == tf.range(num_tasks)
        conflicts = tf.where(itself, 0.0, tf.minimum(dots, 0.0))
        steps = tf.math.divide_no_nan(conflicts, tf.gather(squares, others))
        factors -= steps[:, None] * tf.one_hot(others, num_tasks)
    return tf.reduce_sum(factors, axis=0)


def inner_products(by_weight: Sequence[Sequence[Any]]) -> Any:
    """The inner products of the tasks' gradients over the global batch.

    Args:
        by_weight: For every weight, this replica's share of its gradient for every
            task: a tensor, `tf.IndexedSlices`, or None.

    Returns:
        `(tasks, tasks)`.
    """
    sparse = [gradients for gradients in by_weight if _is_sparse(gradients)]
    dense = [_as_rows(g) for g in by_weight if not _is_sparse(g)]
    rows = [*map(_as_sparse_rows, sparse)]
    # As one list, which is summed over the replicas in one exchange.
    rows += sum_over_replicas(dense) if dense else []
    return tf.add_n([tf.matmul(row, row, transpose_b=True) for row in rows])


def _is_sparse(gradients: Sequence[Any]) -> bool:
    return all(g is None or isinstance(g, tf.IndexedSlices) for g in gradients)


def _as_rows(gradients: Sequence[Any]) -> Any:
    """`(tasks, size of the weight)`."""
    like = next(g for g in gradients if g is not None)
    flat = [tf.zeros_like(like) if g is None else g for g in gradients]
    return tf.stack([tf.reshape(tf.convert_to_tensor(g), [-1]) for g in flat])


def _as_sparse_rows(gradients: Sequence[Any]) -> Any:
    """`(tasks, size of the rows of the table that any replica has a gradient of)`."""
    given = [(task, g) for task, g in enumerate(gradients) if g is not None]
    tasks = [tf.fill(tf.shape(g.indices), task) for task, g in given]
    task = concatenate_over_replicas(tf.concat(tasks, axis=0))
    index = concatenate_over_replicas(tf.concat([g.indices for _, g in given], axis=0))
    values = concatenate_over_replicas(tf.concat([g.values for _, g in given], axis=0))
    # A row that is looked up twice gets the sum of both gradients.
    rows, place = tf.unique(index)
    segments = task * tf.size(rows) + place
    summed = tf.math.unsorted_segment_sum(
        values, segments, len(gradients) * tf.size(rows)
    )
    return tf.reshape(summed, [len(gradients), -1])
