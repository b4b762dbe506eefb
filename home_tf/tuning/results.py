"""The results of a search: the best configuration, a table and a plot."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from home_tf.config import Config, dump_config
from home_tf.files import write_text
from home_tf.tuning.search import Search, Trial

_COLUMNS = 3
_STYLES = {
    "complete": {"color": "tab:blue", "label": "complete"},
    "pruned": {"color": "tab:gray", "marker": "x", "label": "stopped early"},
}


def describe_trial(trial: Trial, best: Trial | None) -> str:
    """Describes a finished trial in one line."""
    parameters = ", ".join(
        f"{shorten(key)} {_shown(value)}" for key, value in trial.parameters.items()
    )
    said = "failed" if trial.score is None else f"{trial.score:.4f}"
    if trial.state == "pruned":
        said += ", stopped early"
    line = f"trial {trial.number}  {said}  {parameters or 'the configuration itself'}"
    if trial.reason:
        return f"{line}: {trial.reason}"
    return f"{line}  (best)" if best and best.number == trial.number else line


def describe_best(best: Trial, first: Trial) -> str:
    """Compares the best trial with the first, the configuration itself, in one line."""
    if best.number == first.number or first.score is None or best.score is None:
        return f"best: the configuration itself, {best.score:.4f}"
    return (
        f"best: trial {best.number}, {best.score:.4f}, which is "
        f"{best.score - first.score:+.4f} from the configuration itself"
    )


def write_results(out: Path, config: Config, search: Search) -> None:
    """Writes `best.yaml`, `trials.csv` and `tuning.png`.

    Args:
        out: The folder of the search.
        config: The best configuration.
        search: The search.
    """
    dump_config(config, out / "best.yaml")
    write_text(out / "trials.csv", _table(search.trials))
    _plot(search).savefig(out / "tuning.png", dpi=120)


def shorten(key: str) -> str:
    """Shortens a dotted key to its last part."""
    return key.rsplit(".", 1)[-1]


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else json.dumps(value)


def _table(trials: list[Trial]) -> str:
    keys = list(dict.fromkeys(key for one in trials for key in one.parameters))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "score", "seconds", *keys])
    for one in trials:
        values = [json.dumps(one.parameters[k]) if k in one.parameters else ""
                  for k in keys]  # fmt: skip
        score = "" if one.score is None else f"{one.score:.6f}"
        writer.writerow([one.number, one.state, score, f"{one.seconds:.1f}", *values])
    return text.getvalue()


def _plot(search: Search) -> Figure:
    """Plots the scores against each hyper-parameter, the most important one first."""
    drawn = [one for one in search.trials if one.parameters and one.score is not None]
    shares = search.importances()
    keys = list(dict.fromkeys([*shares, *(k for one in drawn for k in one.parameters)]))
    rows = max(1, -(-len(keys) // _COLUMNS))
    figure = Figure(figsize=(10, 0.6 + 2.8 * rows), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True)
    for axis, key in zip(axes.flat, keys, strict=False):
        _panel(axis, key, drawn, search)
        share = f"  ({shares[key]:.0%} of the differences)" if key in shares else ""
        axis.set_title(f"{shorten(key)}{share}", fontsize=10)
    for axis in axes.flat[len(keys) :]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel("validation score")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _panel(axis: Any, key: str, trials: list[Trial], search: Search) -> None:
    values = [one.parameters[key] for one in trials]
    of_numbers = all(isinstance(value, (int, float)) for value in values)
    first = next((one for one in search.trials if not one.parameters), None)
    for state, style in _STYLES.items():
        points = [
            (one.parameters[key] if of_numbers else json.dumps(one.parameters[key]),
             one.score) for one in trials if one.state == state
        ]  # fmt: skip
        if points:
            axis.scatter(*zip(*points, strict=True), s=18, **style)
    if first is not None and first.score is not None:
        axis.axhline(first.score, color="black", lw=0.8, label="the configuration")
    positive = of_numbers and min(values, default=0) > 0
    if positive and max(values) > 20 * min(values):
        axis.set_xscale("log")
