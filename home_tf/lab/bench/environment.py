"""The environment that the figures of a benchmark depend on."""

import os

import tensorflow as tf

from home_tf.backend import keras


def environment() -> dict[str, str | int | None]:
    """Returns the device, the number of CPUs, and the versions of the frameworks.

    Returns:
        `{"device", "cpus", "tensorflow", "keras"}`: the device is the first GPU's name
        or `CPU`; the Keras is the active one, by name and version.
    """
    return {
        "device": _device(),
        "cpus": os.cpu_count(),
        "tensorflow": tf.__version__,
        "keras": f"{keras.__name__} {keras.__version__}",
    }


def _device() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    details = tf.config.experimental.get_device_details(gpus[0])
    return str(details.get("device_name", "GPU"))
