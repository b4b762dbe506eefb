"""Compares the speed of a training step or an export with an older commit.

    git worktree add ../before COMMIT
    python benchmarks/before_and_after.py step --before ../before --data RECORDS
    python benchmarks/before_and_after.py export OLDER_EXPORT NEWER_EXPORT

`step` runs a process for each checkout in turn, with `pipelines/kuairand.yaml` of this
one, and prints the milliseconds of `train_step` on a batch from memory. The older one
has its own defaults, `--before-threads` threads an operation and `adam`; this one has
one thread and `lazy_adam`. `export` asks both exports in turn in one process, and takes
off the time that it takes to read the inputs.
"""

import argparse
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
CANDIDATES = (1, 50, 500)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    step = commands.add_parser("step")
    step.add_argument("--before", type=Path, required=True)
    step.add_argument("--data", type=Path, required=True)
    step.add_argument("--before-threads", type=int, default=os.cpu_count())
    step.add_argument("--turns", type=int, default=3)
    export = commands.add_parser("export")
    export.add_argument("exports", type=Path, nargs=2)
    export.add_argument("--rounds", type=int, default=150)
    one = commands.add_parser("one-step")  # what `step` runs
    one.add_argument("data")
    one.add_argument("framework")
    one.add_argument("optimizer")
    options = parser.parse_args()
    if options.command == "one-step":
        print(f"{time_step(options.data, options.framework, options.optimizer):.1f}")
    elif options.command == "step":
        compare_steps(options)
    else:
        compare_exports(*options.exports, options.rounds)


def compare_steps(options):
    """Prints the milliseconds of the steps of both checkouts, measured in turn."""
    sides = {
        "before": (options.before.resolve(), "adam", options.before_threads),
        "now": (ROOT, "lazy_adam", 1),
    }
    for framework in ("keras", "tfrs"):
        for _ in range(options.turns):
            for side, (checkout, optimizer, threads) in sides.items():
                environment = {
                    **os.environ,
                    "PYTHONPATH": str(checkout),
                    "TF_NUM_INTRAOP_THREADS": str(threads),
                    "TF_USE_LEGACY_KERAS": str(int(framework == "tfrs")),
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                }
                command = [sys.executable, __file__, "one-step", options.data]
                done = subprocess.run(
                    [*map(str, command), framework, optimizer],
                    env=environment,
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                print(f"{framework:6} {side:7} {done.stdout.strip()} ms", flush=True)


def time_step(data, framework, optimizer, rounds=25, calls=5):
    """The median milliseconds of a step, over rounds of some calls."""
    import tensorflow as tf

    from home_tf.config import load_config
    from home_tf.training import Experiment

    config = load_config(
        ROOT / "pipelines" / "kuairand.yaml",
        {"training.framework": framework, "training.optimizer": optimizer},
    )
    experiment = Experiment.open(config, data)
    model = experiment.make_model()
    batch = next(iter(experiment.read_training().take(1)))
    step = tf.function(lambda: model.train_step(batch), autograph=False)
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        for _ in range(calls):
            found = step()
        found["loss"].numpy()
        seconds.append((time.perf_counter() - start) / calls)
    return 1e3 * float(np.median(seconds[1:]))  # the first traces


def compare_exports(older, newer, rounds):
    """Prints the milliseconds of both exports' answers."""
    import tensorflow as tf

    from home_tf.export import example_request
    from home_tf.lab.bench.timing import time_in_turn

    request = example_request(older, "rank")
    once = {name for name, x in request.items() if len(x) == 1}
    models = {"before": older, "now": newer}
    models = {side: tf.saved_model.load(str(path)) for side, path in models.items()}
    for number in CANDIDATES:
        for signature in ("predict", "rank"):
            inputs = {
                name: tf.constant(
                    x
                    if name in once and signature == "rank"
                    else np.resize(x, (number, *x.shape[1:]))
                )
                for name, x in request.items()
            }
            calls = {
                side: call(model.signatures[signature], inputs)
                for side, model in models.items()
            }
            # As many outputs, of no work but to read the inputs.
            outputs = list(models["now"].signatures[signature].structured_outputs)
            calls["inputs"] = call(partial(read, outputs, number), inputs)
            seconds = time_in_turn(calls, rounds=rounds, warm_up=10)
            before, now, idle = (1e3 * np.median(x) for x in seconds.values())
            before, now = before - idle, now - idle
            print(
                f"{signature:8} {number:4} candidates  {before:.2f}, {now:.2f} ms  "
                f"{before / now:.2f} times faster",
                flush=True,
            )


def call(function, inputs):
    """Makes a graph function of captured inputs that waits for all outputs."""
    import tensorflow as tf

    graph = tf.function(lambda: function(**inputs), autograph=False)
    return lambda: [value.numpy() for value in graph().values()]


def read(outputs, number, **inputs):
    """Zeros for each output, once the inputs are there."""
    import tensorflow as tf

    with tf.control_dependencies(list(inputs.values())):
        return {name: tf.identity(tf.zeros(number)) for name in outputs}


if __name__ == "__main__":
    main()
