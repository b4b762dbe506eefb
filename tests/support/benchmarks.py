"""What the tests of the benchmarks share."""

from pathlib import Path

from home_tf.lab.bench.check import load_expected
from support.processes import run_python

KEPT = Path(__file__).parents[2] / "benchmarks" / "expected.json"


def kept_keys(bench):
    """The figures of a benchmark that `benchmarks/expected.json` expects."""
    return {key for key in load_expected(KEPT) if key.split(".")[0] == bench}


def is_ratio(figure):
    return 0 <= figure["low"] <= figure["median"] <= figure["high"]


def run_bench(what, *arguments, **environment):
    """Runs `home-tf bench`; see `bench_command.py`."""
    script = Path(__file__).with_name("bench_command.py")
    return run_python(script, what, *arguments, **environment)
