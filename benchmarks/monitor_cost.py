"""Measures what monitoring the experts costs a training.

    python benchmarks/monitor_cost.py --data RECORDS [--epochs 6]

Trains `pipelines/kuairand.yaml` on a dataset directory, with a measurement every 200
steps, and prints the share of `fit` that `ExpertMonitor` takes: in all, and without the
first measurement, which traces the graph.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory


def main():
    """Trains once, with a clock around the monitor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--framework", choices=("tfrs", "keras"), default="tfrs")
    options = parser.parse_args()

    from home_tf.cli.start_tensorflow import start_tensorflow

    start_tensorflow(options.framework)
    from home_tf.backend import keras
    from home_tf.config import load_config
    from home_tf.diagnosis import ExpertMonitor
    from home_tf.training import train

    seconds = {"fit": [], "monitor": []}

    def clocked(name, function):
        def call(*arguments, **named):
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                seconds[name].append(time.perf_counter() - start)

        return call

    ExpertMonitor._measure = clocked("monitor", ExpertMonitor._measure)
    keras.Model.fit = clocked("fit", keras.Model.fit)
    settings = {
        "training.framework": options.framework,
        "training.epochs": options.epochs,
        "training.patience": options.epochs,
        "training.monitor_experts": 200,
    }
    yaml = Path(__file__).parents[1] / "pipelines" / "kuairand.yaml"
    with TemporaryDirectory() as folder:
        train(load_config(yaml, settings), options.data, Path(folder) / "run")
    total, each = sum(seconds["fit"]), seconds["monitor"]
    print(f"fit {total:.1f} s, {len(each)} measurements")
    print(f"in all {sum(each) / total:.2%}; the first took {each[0]:.2f} s")
    print(
        f"without the first {sum(each[1:]) / total:.2%}, "
        f"{1000 * sum(each[1:]) / len(each[1:]):.0f} ms each"
    )


if __name__ == "__main__":
    main()
