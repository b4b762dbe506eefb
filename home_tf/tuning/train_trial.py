"""One trial of a search, in the process that `tune` starts for it."""

import json
import math
from pathlib import Path
from typing import Any

import tensorflow as tf

from home_tf.config import load_config, override_config
from home_tf.errors import HomeError
from home_tf.training import train
from home_tf.tuning.plan import Plan


def main(text: str) -> None:
    """Trains a trial and reports to the search how it ended.

    Args:
        text: JSON of the search's folder `out`, the `number` of the trial, its
            `parameters` and the number of `threads`.
    """
    job: dict[str, Any] = json.loads(text)
    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(job["threads"])
    out, number = Path(job["out"]), job["number"]
    plan = Plan.load(out)
    search = plan.open_search(out)
    scores: list[float] = []
    pruned = False

    def on_validation(score: float) -> bool:
        nonlocal pruned
        # A trial with an undefined metric is the worst of all.
        scores.append(0.0 if math.isnan(score) else score)
        pruned = search.report(number, len(scores), max(scores))
        return pruned

    config = override_config(load_config(out / "config.yaml"), job["parameters"])
    run = plan.run_folder(out, number)
    try:
        train(config, plan.data, run, on_validation=on_validation)
    except HomeError as error:
        raise SystemExit(str(error)) from None
    if pruned:
        search.tell_pruned(number)
    else:
        search.tell(number, max(scores))
