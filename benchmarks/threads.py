"""How many threads an operation should have: answers of an export, and a training step.

    python benchmarks/threads.py --export saved_models/demo/1

Two processes take turns by the call, one with as many threads an operation as there are
CPUs, TensorFlow's default, and one with a single thread; both run as many operations at
a time as there are CPUs. Prints, for `predict` of some candidates and for a training
step of HoME at the sizes of `home-tf bench layer`, how many times faster the second is:
the median over the rounds, and quartiles.
"""

import argparse
import multiprocessing
import os
from pathlib import Path

CANDIDATES = (1, 50, 500, 2000)


def work(pipe, threads, export):
    """Makes the calls; then times the one that the parent names, and answers."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from home_tf.cli import start_tensorflow

    start_tensorflow("keras")
    import tensorflow as tf

    from home_tf.bench.timing import time_in_turn

    tf.config.threading.set_intra_op_parallelism_threads(threads)
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

    from home_tf.bench.layer import LayerSizes, trace
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
    """Times both processes in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()

    import numpy as np

    from home_tf.bench.timing import ratio
    from home_tf.export import example_request

    example_request(options.export, "predict")  # tells a folder that is no export
    context = multiprocessing.get_context("spawn")
    pipes = []
    for threads in (os.cpu_count(), 1):
        mine, other = context.Pipe()
        arguments = (other, threads, options.export)
        context.Process(target=work, args=arguments, daemon=True).start()
        pipes.append(mine)
    names, _ = [pipe.recv() for pipe in pipes]
    for name in names:
        seconds = [[], []]
        for number in range(options.rounds):
            for i in (number % 2, 1 - number % 2):
                pipes[i].send(name)
                seconds[i].append(pipes[i].recv())
        default, single = np.array(seconds)
        found = ratio(default, single)
        first, second = (1e3 * np.median(values) for values in (default, single))
        print(
            f"{name:26} {first:6.1f} ms  {second:6.1f} ms  "
            f"{found['median']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
        )
    for pipe in pipes:
        pipe.send(None)


if __name__ == "__main__":
    main()
