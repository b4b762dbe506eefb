"""`home-tf bench`, with benchmarks that measure little or nothing.

    python bench_command.py WHAT ARGUMENTS

`WHAT` is `small_layer`, one that is traced quickly; `no_layer`, which must not be
reached; `no_fit`, which tells its framework only; or `nothing`, of all of them.
"""

import sys
from dataclasses import replace

from home_tf.__main__ import main
from home_tf.lab.cli import bench as commands


def small_layer():
    from home_tf.lab import bench

    measure = bench.bench_layer

    def small(sizes, **options):
        sizes = replace(sizes, features=8, expert_units=(4,), lora_rank=(2, 1))
        return measure(sizes, **options)

    bench.bench_layer = small


def no_layer():
    from home_tf.lab import bench

    del bench.bench_layer


def no_fit():
    # The command itself starts TensorFlow, so the benchmark is not imported.
    commands._measure_fit = lambda quick, framework: {"fit.framework": framework}


def nothing():
    from home_tf.lab import bench

    def rounds_of(name, default):
        return lambda *sizes, rounds=default, **_: {f"{name}.rounds": rounds}

    bench.bench_layer = rounds_of("layer", 0)
    bench.bench_input = rounds_of("input", 0)
    bench.bench_fit = rounds_of("fit", 10)
    bench.bench_serve = lambda export, rounds: {
        "serve.rounds": rounds,
        "serve.export": str(export),
    }


if __name__ == "__main__":
    {"small_layer": small_layer, "no_layer": no_layer, "no_fit": no_fit,
     "nothing": nothing}[sys.argv[1]]()  # fmt: skip
    sys.argv[1] = "bench"
    main()
