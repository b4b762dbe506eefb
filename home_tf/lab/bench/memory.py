"""Measuring the peak memory of a call."""

from collections.abc import Callable

import tensorflow as tf


def peak_memory(function: Callable[[], object]) -> float | None:
    """Measures the peak of TensorFlow's memory during a call, beyond that before it.

    Tensors are counted, by TensorFlow's allocator of the first GPU or else of the CPU,
    there those of 256 KiB and more; arrays of NumPy are not.

    Args:
        function: What to call. It must wait for its own result.

    Returns:
        MiB; None where the allocator does not count, as on a CPU where oneDNN is off
        (one without AVX-512, unless `TF_ENABLE_ONEDNN_OPTS=1` is set).
    """
    device = "GPU:0" if tf.config.list_physical_devices("GPU") else "CPU:0"
    memory = tf.config.experimental
    try:
        memory.reset_memory_stats(device)  # resets the peak
    except ValueError:
        return None
    before = memory.get_memory_info(device)["current"]
    function()
    return float((memory.get_memory_info(device)["peak"] - before) / 2**20)
