"""Writing the configuration as YAML, with comments for the user."""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from home_tf.config import make_config
from home_tf.files import write_text
from home_tf.init.draft import Draft
from home_tf.init.names import group_of
from home_tf.init.sizes import model_for, training_for
from home_tf.init.sources import common_folder, pattern_of

# The column at which comments next to a key begin.
_COLUMN = 50
_TOP = """\
A first configuration, guessed from the files. It runs as it is:

    home-tf prepare --config {name} --out records
    home-tf train --config {name} --data records --out run
    home-tf evaluate --run run

Read it before you trust a metric. Above all, delete every feature that is not known
when a row is ranked: what happens afterwards, such as how long somebody stays, leaks
the outcome and inflates every metric. docs/reference/config.md lists all keys.
"""
_HISTORY = """\
Counts and rates over strictly earlier {period}s. If labels arrive late, add `gap: 1`.
For another key, such as the author of an item, add a line like these and features."""
_TASKS = """\
Tasks in a group share experts: group what people do with the same intention, such as
watching or buying."""
_GUESS = "A guess: no column has the name of an outcome. Set it with `--label NAME`."
_EXPERTS = "Widths for {rows:,} rows; with more rows, try wider experts."
_REQUEST = """\
Features that all candidates of a request share: those of the user and the context.
Add whatever else a request sends once."""


def write_yaml(draft: Draft, path: Path) -> None:
    """Writes a configuration with comments.

    Args:
        draft: What was found in the files.
        path: The file to write.
    """
    sections = CommentedMap(
        data=_data(draft, path.parent),
        features=_features(draft),
        tasks=_tasks(draft),
    )
    if draft.user is not None:
        sections["evaluation"] = CommentedMap(group_by=draft.user)
        _beside(sections["evaluation"], "group_by", "GAUC is the AUC within a user")
    sections["model"] = _model(draft)
    sections["training"] = _training(draft)
    if draft.of_request:
        sections["serving"] = _serving(draft)
    _explain(sections, draft)
    make_config(sections)  # it is validated before it is published
    text = io.StringIO()
    text.writelines(f"# {line}".rstrip() + "\n" for line in _top(path.name))
    yaml = YAML()
    yaml.width = 10_000  # a comment next to a wrapped line would end up inside it
    yaml.dump(sections, text)
    write_text(path, text.getvalue())


def _data(draft: Draft, beside: Path) -> CommentedMap:
    joins = draft.joins
    folder = common_folder(draft.files, beside)
    data = CommentedMap()
    if folder != beside.absolute():
        data["folder"] = _relative(folder, beside)
        _beside(data, "folder", "from the folder of this file")
    data["log"] = _flow(pattern_of(joins.log.files, folder))
    _beside(data, "log", f"{joins.log.rows:,} rows")
    if joins.tables:
        data["tables"] = CommentedMap()
    for join in joins.tables:
        (*several,) = join.key
        files = pattern_of(join.source.files, folder)
        key = several[0] if len(several) == 1 else several
        data["tables"][join.source.name] = _flow({"files": files, "key": key})
        why = f"{join.matched:.1%} of the rows have a match"
        _beside(data["tables"], join.source.name, why)
    if draft.types:
        data["types"] = _flow(draft.types)
    columns = _columns(draft)
    if columns:
        data["columns"] = columns
    _add_time(data, draft)
    _add_history(data, draft)
    return data


def _columns(draft: Draft) -> CommentedMap:
    columns = CommentedMap()
    for label in draft.labels:
        if label.sql is not None:
            columns[label.name] = label.sql
            _beside(columns, label.name, label.why)
    for guess in draft.features:
        if guess.made_of is not None:
            columns[guess.name] = _flow(guess.made_of)
    return columns


def _add_time(data: CommentedMap, draft: Draft) -> None:
    time = draft.time
    if time is not None:
        data["time"] = time.time.sql
        _beside(data, "time", time.time.what)
    if time is not None and time.day is not None:
        data["day"] = time.day.sql
        _beside(data, "day", f"{time.day.what}, as the log counts days")
    if draft.split_column is not None:
        data["split"] = _flow({"by": "column", "column": draft.split_column})
    elif time is not None and time.splits_by_days:
        data["split"] = _flow({"by": "days"})
        why = f"{time.days:,} days: test on the last, validate on the one before"
        _beside(data, "split", why)
    else:
        data["split"] = _flow({"by": "shares", "validation": 0.1, "test": 0.1})
        _beside(data, "split", "by chance" if time is None else "the last in time")


def _add_history(data: CommentedMap, draft: Draft) -> None:
    history, time = draft.history, draft.time
    if not history.counts or time is None:
        return
    if time.period != "day":
        data["period"] = time.period
        _beside(data, "period", "the log has a single day")
    data["history"] = CommentedMap({n: _flow(c) for n, c in history.counts.items()})
    _above(data, "history", _HISTORY.format(period=time.period), indent=2)
    if history.lists:
        lists = {name: _flow(one) for name, one in history.lists.items()}
        data["history_lists"] = CommentedMap(lists)


def _features(draft: Draft) -> CommentedMap:
    features = CommentedMap()
    for guess in draft.features:
        features[guess.name] = _flow(guess.feature)
        _beside(features, guess.name, guess.why)
    for number, (name, feature) in enumerate(draft.history.features.items()):
        features[name] = _flow(feature)
        if number == 0:
            _above(features, name, "What happened before, of data.history", indent=2)
    return features


def _tasks(draft: Draft) -> CommentedMap:
    tasks = CommentedMap()
    for label in draft.labels:
        tasks[label.name] = _flow({"group": group_of(label.name)})
        why = f"{label.rate:.2%} positive of {label.known:,}"
        _beside(tasks, label.name, why)
        if label.is_guess:
            _above(tasks, label.name, _GUESS, indent=2)
    return tasks


def _model(draft: Draft) -> CommentedMap:
    model = _nested(model_for(draft.rows), depth=2)
    expert = _EXPERTS.format(rows=draft.rows)
    _above(model["architecture"], "expert", expert, indent=4)
    return model


def _training(draft: Draft) -> CommentedMap:
    training = _nested(training_for(draft.rows, draft.labels), depth=1)
    _beside(training, "framework", "tfrs is legacy Keras, keras is Keras 3")
    _beside(training, "epochs", "at most; the epoch with the best validation is kept")
    if "monitor_tasks" in training:
        _beside(training, "monitor_tasks", "the AUC of rarer ones is noise")
    return training


def _serving(draft: Draft) -> CommentedMap:
    serving = CommentedMap(request_features=CommentedSeq(draft.of_request))
    _above(serving, "request_features", _REQUEST, indent=2)
    return serving


def _explain(sections: CommentedMap, draft: Draft) -> None:
    """Adds the comments above the sections."""
    if draft.left_out:
        lines = [f"{one.name}: {one.why}" for one in draft.left_out]
        text = "\n".join(["Left out:", *(f"  {line}" for line in lines)])
        _above(sections, "tasks", text, indent=2)
    _above(sections["tasks"], draft.labels[0].name, _TASKS, indent=2)


def _top(name: str) -> list[str]:
    return _TOP.format(name=name).splitlines()


def _nested(values: Mapping[str, Any], depth: int) -> CommentedMap:
    """Writes a mapping in block style down to a depth, and in one line below."""
    return CommentedMap(
        {
            key: _nested(value, depth - 1)
            if depth > 1 and isinstance(value, Mapping)
            else _flow(value)
            for key, value in values.items()
        }
    )


def _flow(value: Any) -> Any:
    """Marks a value to be written in one line."""
    if isinstance(value, Mapping):
        value = CommentedMap({key: _flow(one) for key, one in value.items()})
    elif isinstance(value, Sequence) and not isinstance(value, str):
        value = CommentedSeq([_flow(one) for one in value])
    else:
        return value
    value.fa.set_flow_style()
    return value


def _beside(section: CommentedMap, key: str, comment: str) -> None:
    section.yaml_add_eol_comment(_one_line(comment), key, column=_COLUMN)


def _above(section: CommentedMap, key: str, comment: str, *, indent: int) -> None:
    lines = "\n".join(_one_line(line) for line in comment.split("\n"))
    section.yaml_set_comment_before_after_key(key, before=lines, indent=indent)


def _one_line(text: str) -> str:
    """Makes a comment a single line, whatever values it contains."""
    return "".join(one if one.isprintable() else " " for one in text).rstrip()


def _relative(folder: Path, beside: Path) -> str:
    return os.path.relpath(folder, beside.absolute())
