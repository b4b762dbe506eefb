"""Measures what TensorFlow settings bring to an export and a training step.

    python benchmarks/tensorflow_settings.py --export saved_models/demo/1

Processes take turns by the call: with and without oneDNN, and with as many threads an
operation as there are CPUs or with a single one; all run as many operations at a time
as there are CPUs. Prints, for `predict` of some candidates and for a training step of
HoME at the sizes of `home-tf bench layer`, the median milliseconds of each, and how
many times faster it is than the first: the median over the rounds, and quartiles.
"""

import argparse
import multiprocessing
import os
from pathlib import Path

CANDIDATES = (1, 50, 500, 2000)
ALL_THREADS = {"TF_NUM_INTRAOP_THREADS": str(os.cpu_count())}
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1"}
ONEDNN, WITHOUT = {"TF_ENABLE_ONEDNN_OPTS": "1"}, {"TF_ENABLE_ONEDNN_OPTS": "0"}
SETTINGS = {
    "oneDNN": {**ONEDNN, **ALL_THREADS},
    "oneDNN, one thread an operation": {**ONEDNN, **ONE_THREAD},
    "without oneDNN": {**WITHOUT, **ALL_THREADS},
    "without, one thread": {**WITHOUT, **ONE_THREAD},
}


def work(pipe, environment, export):
    """Makes the calls, then times the one that the parent names, and replies."""
    os.environ.update({"TF_CPP_MIN_LOG_LEVEL": "3", **environment})
    from home_tf.cli.start_tensorflow import start_tensorflow

    start_tensorflow("keras")
    import tensorflow as tf

    from home_tf.lab.bench.timing import time_in_turn

    tf.config.threading.set_inter_op_parallelism_threads(os.cpu_count())
    calls = {"training step": training_step()}
    for number in CANDIDATES:
        calls[f"predict, {number} candidates"] = prediction(export, number)
    for call in calls.values():
        for _ in range(5):
            call()
    pipe.send(list(calls))
    while (name := pipe.recv()) is not None:
        (seconds,) = time_in_turn({name: calls[name]}, rounds=1, warm_up=1)[name]
        pipe.send(seconds)


def training_step():
    """Forward and backward of the layer that `home-tf bench layer` measures."""
    import tensorflow as tf

    from home_tf.lab.bench.layer import LayerSizes, trace
    from home_tf.layers import HoME

    sizes = LayerSizes()
    v = tf.random.stateless_normal((sizes.batch, sizes.features), (0, 0))
    home = HoME(sizes.task_groups, **sizes.arguments)
    home(v)
    step = trace(home, v, training=True)

    def call():
        assert home.built  # and is kept, with its weights
        return step.run()

    return call


def prediction(export, number):
    """`predict` of an export on copies of the rows that it warms up with."""
    import numpy as np
    import tensorflow as tf

    from home_tf.export import example_request

    rows = example_request(export, "predict")
    tensors = {
        name: tf.constant(np.resize(values, (number, *values.shape[1:])))
        for name, values in rows.items()
    }
    model = tf.saved_model.load(str(export))
    answer = tf.function(lambda: model.signatures["predict"](**tensors))
    return lambda: [values.numpy() for values in answer().values()]


def main():
    """Times the processes in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()

    from home_tf.export import example_request

    example_request(options.export, "predict")  # fails for a folder without an export
    pipes = start(options.export)
    (names, *_) = [pipe.recv() for pipe in pipes]
    for name in names:
        report(name, time_each(pipes, name, options.rounds))
    for pipe in pipes:
        pipe.send(None)


def start(export):
    """Starts a process for each of the settings, and returns a pipe to each."""
    context = multiprocessing.get_context("spawn")
    pipes = []
    for environment in SETTINGS.values():
        mine, other = context.Pipe()
        arguments = (other, environment, export)
        context.Process(target=work, args=arguments, daemon=True).start()
        other.close()  # so that a process that ends early is an error instead of a hang
        pipes.append(mine)
    return pipes


def time_each(pipes, name, rounds):
    """The seconds of a call in each process, `(processes, rounds)`."""
    import numpy as np

    seconds = np.empty((len(pipes), rounds))
    for number in range(rounds):
        for place in range(len(pipes)):
            i = (number + place) % len(pipes)
            pipes[i].send(name)
            seconds[i, number] = pipes[i].recv()
    return seconds


def report(name, seconds):
    """Prints how long a call took in each process."""
    import numpy as np

    from home_tf.lab.bench.timing import ratio

    print(name)
    for setting, found in zip(SETTINGS, seconds, strict=True):
        faster = ratio(seconds[0], found)
        print(
            f"    {setting:32} {1e3 * np.median(found):6.1f} ms  "
            f"{faster['median']:.2f} [{faster['low']:.2f}, {faster['high']:.2f}]",
            flush=True,
        )


if __name__ == "__main__":
    main()
