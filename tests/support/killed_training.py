"""Trains, and dies by `kill -9` after a number of steps.

Usage: python killed_training.py CONFIG DATA OUT STEPS
"""

import os
import signal
import sys

from home_tf.config import load_config
from home_tf.training import train
from home_tf.training.callbacks import Milestones

config, data, out, steps = sys.argv[1:]
usual = Milestones.on_train_batch_end


def count(self, batch, logs=None):
    usual(self, batch, logs)
    if self._checkpoints.step == int(steps):
        os.kill(os.getpid(), signal.SIGKILL)


Milestones.on_train_batch_end = count
train(load_config(config), data, out)
