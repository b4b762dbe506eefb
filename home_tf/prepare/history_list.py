"""Lists of the items of the last earlier rows with the same key."""

import ibis

from home_tf.config import HistoryListConfig
from home_tf.engines import ROW, Engine, Table
from home_tf.prepare.history_rates import past_window
from home_tf.prepare.read_rows import as_list
from home_tf.prepare.select_rows import listed
from home_tf.prepare.times import DAY, PERIOD, TIME

_PLACE, _BEFORE, _INSIDE = "__place", "__before", "__inside"


def list_history(
    engine: Engine, name: str, rows: Table, config: HistoryListConfig
) -> Table:
    """Lists the last items of each key before each period in which it occurs.

    The events of a key are numbered in time. Each gets the list of the last items up to
    it, and a period takes the list of the last event before it.

    Args:
        engine: Where they are.
        name: The column of the list.
        rows: The events that `select_rows` returns.
        config: The key, the item and which events count.

    Returns:
        A table with the key, `DAY`, `PERIOD` and the list, most recent first; without
        the periods before which there are no items.
    """
    key = as_list(config.key)
    rows = rows.filter([rows[one].notnull() for one in key])
    is_event = rows[listed(name)] & rows[config.item].notnull()
    events = _number_events(rows.filter(is_event), name, key, config)
    counted = rows.group_by([*key, DAY, PERIOD]).agg(
        **{_BEFORE: is_event.cast("int64").sum()}
    )
    every = past_window(key, window=None, gap=config.gap)
    inside = past_window(key, window=config.window, gap=config.gap)
    counts = counted[_BEFORE].sum()
    before = counted.select(
        *key, DAY, PERIOD, **{_BEFORE: counts.over(every), _INSIDE: counts.over(inside)}
    )
    last = events.rename({f"__key_{one}": one for one in key})
    same = [before[one] == last[f"__key_{one}"] for one in key]
    joined = before.join(last, [*same, before[_BEFORE] == last[_PLACE]])
    recent = joined.filter(joined[_INSIDE] > 0)
    items = recent[name][: recent[_INSIDE]]
    return engine.store(
        f"list_{name}", recent.select(*key, DAY, PERIOD, **{name: items})
    )


def _number_events(
    events: Table, name: str, key: list[str], config: HistoryListConfig
) -> Table:
    """Finds the last event of each key and period, its number and the items so far."""
    order = [column for column in (PERIOD, TIME, ROW) if column in events.columns]
    up_to = ibis.window(
        group_by=key,
        order_by=[ibis.desc(column) for column in order],
        preceding=0,
        following=config.length - 1,
    )
    numbered = ibis.window(group_by=key, order_by=order)
    of_period = ibis.window(
        group_by=[*key, PERIOD], order_by=[ibis.desc(column) for column in order]
    )
    ranked = events.select(
        *key,
        **{
            name: events[config.item].collect().over(up_to),
            _PLACE: ibis.row_number().over(numbered) + 1,
            "__rank": ibis.row_number().over(of_period),
        },
    )
    return ranked.filter(ranked["__rank"] == 0).drop("__rank")
