"""Measures speed, memory and disk of `prepare` by the number of rows.

    python benchmarks/prepare_scale.py --work FOLDER [--rows 1e5 1e6 1e7 5e7]

Generates logs of 60 columns in Parquet (ids, 26 categorical columns, 24 numbers, a time
and 6 labels), prepares each in a process of its own with counts and smoothed rates of
users and items, and writes `prepare.csv` and `prepare.png` into FOLDER. 50 million rows
take some 60 GB of disk and ten minutes.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import matplotlib
import matplotlib.pyplot as plt

matplotlib.use("Agg")

PART_ROWS = 5_000_000
RATES = (0.4, 0.2, 0.05, 0.02, 0.01, 0.005)
PREPARE = """
import resource, sys, time
start = time.perf_counter()
from home_tf.prepare import prepare
prepare(sys.argv[1], sys.argv[2], sys.argv[3], memory=sys.argv[4])
seconds = time.perf_counter() - start
peak = next(l for l in open("/proc/self/status") if l.startswith("VmHWM"))
print(seconds, int(peak.split()[1]) / 2**20)
"""


def main():
    """Generates, prepares, and writes the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", type=float, nargs="+", default=[1e5, 1e6, 1e7, 5e7])
    parser.add_argument("--memory", default="4GB")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    config = options.work / "config.yaml"
    config.write_text(json.dumps(configuration()))
    measured = []
    for rows in map(int, options.rows):
        logs = options.work / f"logs-{rows}"
        generate(logs, rows)
        measured.append(measure(rows, logs, config, options.work, options.memory))
        shutil.rmtree(logs)
        print(measured[-1], flush=True)
    with (options.work / "prepare.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, measured[0])
        writer.writeheader()
        writer.writerows(measured)
    plot(measured, options.work / "prepare.png")


def generate(folder, rows):
    """Writes the logs, a hundred rows per user, sorted by time."""
    folder.mkdir()
    users, items = max(1000, rows // 100), max(1000, rows // 200)

    def uniform(number):
        return f"(hash(i * {2 * number + 1} + {number}) % 1000000) / 1e6"

    columns = [
        f"(hash(i + 7) % {users})::BIGINT AS user_id",
        f"floor({items} * pow({uniform(1)}, 2))::BIGINT AS item_id",
        "(item_id % 997)::INTEGER AS author_id",
        "TIMESTAMP '2026-01-01' + INTERVAL (floor(i * 30.0 * 86400 / "
        f"{rows})) SECOND AS shown_at",
    ]
    for n in range(20):
        sizes = [3, 10, 50, 300, 2000]
        columns.append(f"floor({uniform(10 + n)} * {sizes[n % 5]})::INTEGER AS code{n}")
    for n in range(6):
        columns.append(f"'v' || hash(i * {31 + n}) % {[5, 20, 100][n % 3]} AS word{n}")
    for n in range(24):
        columns.append(f"({uniform(50 + n)} * 100)::FLOAT AS number{n}")
    for n, rate in enumerate(RATES):
        columns.append(f"({uniform(90 + n)} < {rate})::TINYINT AS label{n}")
    with duckdb.connect(config={"memory_limit": "2GB"}) as connection:
        connection.execute("SET preserve_insertion_order = false")
        for first in range(0, rows, PART_ROWS):
            last = min(rows, first + PART_ROWS)
            connection.execute(
                f"COPY (SELECT {', '.join(columns)} FROM range({first}, {last}) t(i)) "
                f"TO '{folder}/log-{first:012}.parquet'"
            )


def configuration():
    """Every column is a feature or a label; history of users and items."""
    features = {"author_id": {"type": "categorical", "width": 8}}
    for name in ("user_id", "item_id"):
        features[name] = {"type": "categorical", "width": 16}
    for name in [f"code{n}" for n in range(20)] + [f"word{n}" for n in range(6)]:
        features[name] = {"type": "categorical", "width": 4}
    numbers = [f"number{n}" for n in range(24)]
    for name in ("user", "item"):
        numbers.append(f"{name}_impressions")
        numbers += [f"{name}_label{n}_rate" for n in range(len(RATES))]
    features |= {name: {"type": "numeric"} for name in numbers}
    history = {name: {"key": f"{name}_id"} for name in ("user", "item")}
    return {
        "data": {"log": "log-*.parquet", "time": "shown_at", "history": history},
        "features": features,
        "tasks": {f"label{n}": {"group": "all"} for n in range(len(RATES))},
        "evaluation": {"group_by": "user_id"},
        "model": {"architecture": {"expert": {"units": [32]}}},
    }


def measure(rows, logs, config, work, memory):
    """Prepares in a separate process, and watches its disk usage."""
    out = work / "records"
    free, least = shutil.disk_usage(work).free, shutil.disk_usage(work).free
    command = [sys.executable, "-c", PREPARE, logs, config, out, memory]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            time.sleep(0.2)
            least = min(least, shutil.disk_usage(work).free)
        seconds, peak = map(float, process.stdout.read().split())
    records = sum(file.stat().st_size for file in out.glob("*.tfrecord"))
    shutil.rmtree(out)
    return {
        "rows": rows,
        "seconds": round(seconds, 1),
        "rows_per_second": round(rows / seconds),
        "peak_gib": round(peak, 2),
        "disk_gib": round((free - least) / 2**30, 1),
        "records_gib": round(records / 2**30, 1),
    }


def plot(measured, file):
    """Memory and speed against the number of rows."""
    rows = [one["rows"] for one in measured]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    axes[0].plot(rows, [one["peak_gib"] for one in measured], marker="o")
    axes[0].set(ylabel="peak memory of the process (GiB)", ylim=(0, 8))
    axes[1].plot(rows, [one["rows_per_second"] / 1e3 for one in measured], marker="o")
    axes[1].set(ylabel="thousand rows a second", ylim=(0, None))
    for axis in axes:
        axis.set(xscale="log", xlabel="rows of 60 columns")
        axis.grid(alpha=0.3)
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
