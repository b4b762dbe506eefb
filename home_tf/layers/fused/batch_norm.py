"""Batch normalisation as a single TensorFlow operation, or folded into a kernel."""

from home_tf.backend import ops
from home_tf.types import Tensor


def batch_norm(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moments: tuple[Tensor, Tensor] | None,
    epsilon: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalises `(batch, channels)`; TensorFlow only.

    Args:
        x: `(batch, channels)`, in float32.
        gamma: The scale of each channel.
        beta: The offset of each channel.
        moments: The mean and the variance of each channel; by default the batch's.
        epsilon: The term added to the variance.

    Returns:
        The outputs, and the mean and the variance of each channel.
    """
    import tensorflow as tf

    channels = x.shape[-1]
    mean, variance = moments or ((), ())
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=tf.reshape(x, (-1, 1, 1, channels)),
        scale=gamma,
        offset=beta,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        is_training=moments is None,
    )
    outputs = tf.reshape(outputs, (-1, channels))
    if moments is None:
        # It divides by the number of rows minus one.
        rows = tf.cast(tf.shape(x)[0], x.dtype)
        variance *= (rows - 1.0) / rows
    return outputs, mean, variance


def fold_batch_norm(
    kernel: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moments: tuple[Tensor, Tensor],
    epsilon: float,
) -> tuple[Tensor, Tensor]:
    """Folds batch normalisation into the product before it: a kernel and a bias.

    Args:
        kernel: The kernel of a product without a bias, `(features, channels)`.
        gamma: The scale of each channel.
        beta: The offset of each channel.
        moments: The mean and the variance of each channel.
        epsilon: The term added to the variance.
    """
    mean, variance = map(ops.convert_to_tensor, moments)
    scale = gamma / ops.sqrt(variance + epsilon)
    return kernel * scale, beta - mean * scale
