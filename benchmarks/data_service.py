"""Measures what a tf.data service brings to training on this machine.

    python benchmarks/data_service.py --data RECORDS [--cases input] [--out FILE]

Reads the training rows of a dataset directory by `pipelines/kuairand.yaml` in this
process, and by services of one and of two workers, which `home-tf data-service` starts
beside it; each round measures all of them in turn. Three cases:

- `input`: the batches alone.
- `training`: an epoch of `fit`, which computes on the same cores.
- `waiting`: what workers elsewhere could bring, simulated by sleeping. The trainer
  waits for a device in each step, and each batch takes longer than that in the one
  thread that makes it, here or in a worker, in which this machine's cores are idle.
"""

import argparse
import json
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np

WORKERS = (1, 2)
CASES = ("input", "training", "waiting")
STEP_SECONDS = 0.02
BATCH_SECONDS = 0.1


def main():
    """Starts the services and measures the cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4, help="read, not trained")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--framework", choices=("tfrs", "keras"), default="tfrs")
    options = parser.parse_args()

    from home_tf.cli.start_tensorflow import start_tensorflow

    start_tensorflow(options.framework)
    from home_tf.cli.local_processes import LocalProcesses, free_addresses
    from home_tf.data import DatasetDirectory
    from home_tf.lab.bench.environment import environment

    data = DatasetDirectory(options.data)
    split = data.split("train")
    found = {**environment(), "rounds": options.rounds}
    found |= {"layout": data.schema.layout, "compression": data.schema.compression}
    found |= {"rows": split.rows, "files": len(split.files)}
    with ExitStack() as stack:
        services = {"local": None}
        for workers, address in zip(WORKERS, free_addresses(2), strict=True):
            port = address.rpartition(":")[2]
            command = ("data-service", "--workers", str(workers), "--port", port)
            stack.enter_context(LocalProcesses([command]))
            services[f"{workers} of service"] = f"grpc://localhost:{port}"
        measures = {"input": _input, "training": _training, "waiting": _waiting}
        for case in options.cases:
            found |= measures[case](options, services)
    text = json.dumps(found, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def _open(options, service, epochs):
    """Opens the experiment, which reads from a service or in this process."""
    from home_tf.config import load_config
    from home_tf.training import Experiment

    settings = {
        "training.framework": options.framework,
        "training.epochs": epochs,
        "training.monitor_experts": 0,
        "training.data_service": service,
    }
    yaml = Path(__file__).parents[1] / "pipelines" / "kuairand.yaml"
    return Experiment.open(load_config(yaml, settings), options.data)


def _input(options, services):
    batches = _read(options, services)
    functions = {name: partial(_count, some) for name, some in batches.items()}
    return _measure("input", functions, options, options.epochs)


def _training(options, services):
    experiments = {name: _open(options, one, 1) for name, one in services.items()}
    model = experiments["local"].make_model()
    functions = {
        name: partial(one.fit, model, [], first_step=0)
        for name, one in experiments.items()
    }
    return _measure("training", functions, options, 1)


def _waiting(options, services):
    with _slow_batches():
        batches = _read(options, services)
    slow = _sleep_for_each_batch()
    batches["local"] = batches["local"].apply(slow).prefetch(2)
    functions = {name: partial(_wait, some) for name, some in batches.items()}
    found = _measure("waiting", functions, options, options.epochs)
    seconds = {"a step": STEP_SECONDS, "a batch": BATCH_SECONDS}
    return {"waiting: seconds asleep": seconds, **found}


@contextmanager
def _slow_batches():
    """Makes workers of datasets created in the context sleep for each batch."""
    from home_tf.data import service_batches

    usual = service_batches._distribute
    slow = _sleep_for_each_batch()
    service_batches._distribute = lambda batches, service: usual(
        batches.apply(slow), service
    )
    try:
        yield
    finally:
        service_batches._distribute = usual


def _sleep_for_each_batch():
    # TensorFlow's own for its tests, which has no public name.
    from tensorflow.python.data.experimental.ops.testing import sleep

    return sleep(int(BATCH_SECONDS * 1e6))


def _read(options, services):
    """Makes the batches of each way to read before timing."""
    return {
        name: _open(options, service, options.epochs).read_training()
        for name, service in services.items()
    }


def _measure(case, functions, options, epochs):
    """Measures rows per second of each way, and its ratio to `local` per round."""
    from home_tf.data import DatasetDirectory
    from home_tf.lab.bench.timing import quartiles, ratio, time_in_turn

    rows = DatasetDirectory(options.data).split("train").rows * epochs
    seconds = time_in_turn(functions, rounds=options.rounds, warm_up=1)
    found = {}
    for name, values in seconds.items():
        found[f"{case}, {name}: rows a second"] = quartiles(rows / values)
        if name != "local":
            found[f"{case}, {name}: times local"] = ratio(seconds["local"], values)
    return found


def _count(batches):
    # Not in Python, which would take as long for the tensors of a batch as reading it.
    return int(batches.reduce(np.int64(0), lambda count, _: count + 1))


def _wait(batches):
    for _ in batches:
        time.sleep(STEP_SECONDS)


if __name__ == "__main__":
    main()
