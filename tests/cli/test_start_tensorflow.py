"""How TensorFlow starts for a command; in a fresh process, which has not computed."""

import pytest
from support.processes import run_python

PROGRAM = """
import os
from home_tf.cli import start_tensorflow as module

os.sched_getaffinity = lambda process: range(8)
module.start_tensorflow()
import tensorflow as tf
found = [tf.config.threading.get_intra_op_parallelism_threads()]

os.sched_getaffinity = lambda process: range(2)
os.environ["TF_NUM_INTRAOP_THREADS"] = "2"
module.start_tensorflow()
found.append(tf.config.threading.get_intra_op_parallelism_threads())

del os.environ["TF_NUM_INTRAOP_THREADS"]
module.start_tensorflow()
found.append(tf.config.threading.get_intra_op_parallelism_threads())

module.split_operations()
found.append(tf.config.threading.get_intra_op_parallelism_threads())
print(*found)
"""


@pytest.mark.slow
def test_on_two_cpus_an_operation_has_one_thread():
    """Zero is TensorFlow's own choice, or that of the environment."""
    done = run_python("-c", PROGRAM)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "0", "1", "0"]
