"""Checking exports without a process, which takes seconds to start."""

from contextlib import contextmanager
from importlib import import_module

import numpy as np
import pytest

from home_tf.export.load_export import ask, read_requests


def _run(python, folder, inputs, outputs, timeout):
    np.savez(outputs, **ask(str(folder), read_requests(inputs)))


@contextmanager
def check_here():
    """Within it, `check_export` loads exports and asks them in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("home_tf.export.check_export"), "_run", _run)
        yield
