"""Tables for the terminal, 80 columns wide, of what a diagnosis found."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

# `{name of the run: what diagnose_run returns}`
Diagnoses = Mapping[str, Mapping[str, Any]]


def verdict_table(diagnoses: Diagnoses) -> Table:
    """Makes the table of verdicts: with advice for one run, in short for several."""
    if len(diagnoses) == 1:
        ((run, diagnosis),) = diagnoses.items()
        return _verdicts_with_advice(run, diagnosis["verdicts"])
    table = _table("verdicts", "anomaly", *diagnoses)
    each = [diagnosis["verdicts"] for diagnosis in diagnoses.values()]
    for verdicts in zip(*each, strict=True):
        found = (
            f"[bold red]{len(one['cases'])} of {one['checked']}[/]"
            if one["found"]
            else ("[green]none[/]" if one["checked"] else "-")
            for one in verdicts
        )
        table.add_row(verdicts[0]["kind"].replace("_", " "), *found)
    return table


def _verdicts_with_advice(run: str, verdicts: list[Mapping[str, Any]]) -> Table:
    table = Table(title=escape(run), title_justify="left", show_lines=True)
    table.add_column("anomaly", no_wrap=True)
    table.add_column("what was found, and what to try")
    for one in verdicts:
        name = one["kind"].replace("_", " ")
        if one["found"]:
            text = f"{one['sentence']}.\nTry: {one['advice']}."
            table.add_row(f"[bold red]{name}[/]", escape(text))
        else:
            table.add_row(f"[green]no {name}[/]", escape(one["sentence"]))
    return table


def summary_table(diagnoses: Diagnoses) -> Table:
    """Makes the table that compares the figures of runs side by side."""
    # Imported late, because it imports Keras, which the command chooses first.
    from home_tf.diagnosis.summary import summarize

    table = _table("figures", "over all experts, gates and tasks", *diagnoses)
    each = [summarize(one) for one in diagnoses.values()]
    for name in dict.fromkeys(name for one in each for name in one):
        table.add_row(
            name, *(f"{one[name]:.3g}" if name in one else "-" for one in each)
        )
    return table


def importance_table(importance: Mapping[str, Any]) -> Table:
    """Makes the table of feature importance.

    Args:
        importance: What `permutation_importance` returns.
    """
    table = _table(
        "importance: loss of AUC without the feature",
        "feature",
        "mean",
        "most for task",
        "loss [95 %]",
    )
    for name, losses in importance.items():
        known = {task: one for task, one in losses["auc"].items() if one is not None}
        if not known:
            continue
        mean = sum(one["loss"] for one in known.values()) / len(known)
        task = max(known, key=lambda one: known[one]["loss"])
        most = known[task]
        loss, low, high = (_signed(most[end]) for end in ("loss", "low", "high"))
        table.add_row(name, f"{mean:+.4f}", task, f"{loss} [{low} {high}]")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    first, *others = columns
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(escape(name), justify="right", overflow="fold")
    return table


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("0.", ".", 1)
