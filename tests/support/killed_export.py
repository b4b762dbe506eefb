"""Exports a run, and is killed at the first call of a function.

Usage: python killed_export.py MODULE FUNCTION RUN OUT

Beyond the graph of the SavedModel, which takes long, its files are those of version 1,
and their check is left out.
"""

import importlib
import os
import shutil
import signal
import sys
from pathlib import Path

from home_tf.cli.start_tensorflow import start_tensorflow

module, name, run, out = sys.argv[1:]
start_tensorflow(os.environ["FRAMEWORK"])

from home_tf.export import ServingModel, export_run  # noqa: E402
from home_tf.run import Run  # noqa: E402


def kill(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)


def copy(model, folder, signatures):
    shutil.copytree(Path(out) / "1", folder, dirs_exist_ok=True)


exporting = importlib.import_module("home_tf.export.export_run")
exporting.check_export = lambda *_, **__: 0.0
if module.startswith("home_tf"):
    exporting.tf.saved_model.save = copy
    ServingModel.signatures = lambda self: {}
owner = importlib.import_module(module)
for part in name.split(".")[:-1]:
    owner = getattr(owner, part)
kill.rmtree = kill  # stands in for `shutil` too
setattr(owner, name.split(".")[-1], kill)
export_run(Run(Path(run)), out, keep=1)
