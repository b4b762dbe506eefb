"""The figures of experts and gates as tables for the terminal, 80 columns wide."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table


def diagnosis_tables(figures: Mapping[str, Any]) -> Iterator[Table]:
    """Makes the tables of a diagnosis.

    Args:
        figures: What `Figures.result` returns.

    Yields:
        The experts, the gates, the tasks, the feature gates, and the importance of
        columns if it was measured; none that is empty.
    """
    for make, name in (
        (_experts, "experts"),
        (_gates, "gates"),
        (_tasks, "tasks"),
        (_feature_gates, "feature_gates"),
        (_importance, "importance"),
    ):
        if figures.get(name):
            yield make(figures[name])


def summary_table(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    """Makes the table that sets runs side by side.

    Args:
        figures: What `Figures.result` returns, by the name of the run.
    """
    # Imports Keras, which a command starts itself.
    from home_tf.diagnosis.summary import summarize

    table = _table("in all", "figure", *figures)
    each = [summarize(one) for one in figures.values()]
    for name in dict.fromkeys(name for one in each for name in one):
        table.add_row(
            name, *(f"{one[name]:.3g}" if name in one else "-" for one in each)
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    first, *others = columns
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right")
    return table


def _experts(experts: Mapping[str, Any]) -> Table:
    table = _table("experts", "expert", "SD", "zeros", "dead dims", "rank", "twin")
    for name, one in experts.items():
        similarity = one["similarity"]
        table.add_row(
            name,
            f"{one['variance'] ** 0.5:.3g}",
            f"{one['zeros']:.0%}",
            f"{one['dead_dimensions']:.0%}",
            f"{one['effective_rank']:.1f}",
            "-" if similarity is None else f"{similarity:.2f}",
        )
    return table


def _gates(gates: Mapping[str, Any]) -> Table:
    columns = ("gate", "uses", "dead", "largest weight", "contrib.")
    table = _table("gates", *columns)
    for name, one in gates.items():
        expert = one["largest_expert"]
        table.add_row(
            name,
            f"{one['effective_experts']:.0%}",
            f"{one['dead_expert_fraction']:.0%}",
            f"{_seen_from(name, expert)} {one['largest_weight']:.2f}",
            f"{one['contributions'][expert]:.2f}",
        )
    return table


def _seen_from(gate: str, expert: str) -> str:
    """The name of an expert without what the gate's name says already."""
    if expert.startswith(f"{gate}/"):
        return f"own{expert.removeprefix(gate)}"
    level, _, rest = expert.partition("/")
    return rest if gate.startswith(f"{level}/") and "/" in rest else expert


def _tasks(tasks: Mapping[str, Any]) -> Table:
    table = _table("what a task is made of", "task", "own", "group", "shared")
    for name, masses in tasks.items():
        shown = (f"{masses[owner]:.2f}" for owner in ("task", "group", "shared"))
        table.add_row(name, *shown)
    return table


def _feature_gates(gates: Mapping[str, Any]) -> Table:
    table = _table("feature gates", "gate", "mean", "SD", "most wanted feature")
    for name, one in gates.items():
        features = one.get("features", {})
        wanted = max(features, key=features.__getitem__) if features else None
        table.add_row(
            name,
            f"{one['mean']:.2f}",
            f"{one['deviation']:.2f}",
            f"{wanted} {features[wanted]:.2f}" if wanted else "-",
        )
    return table


def _importance(importance: Mapping[str, Any]) -> Table:
    table = _table(
        "importance: loss of AUC without the column",
        "column",
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


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("0.", ".", 1)
