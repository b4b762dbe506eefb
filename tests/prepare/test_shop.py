"""A shop's log in Parquet: string ids, times, lists, labels that arrive late."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from home_tf.config import make_config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.prepare import prepare

TASKS = ("cart", "purchase")
START = dt.datetime(2026, 3, 1)
LENGTH, PRIOR = 3, 5.0


def make_log(rows=600, seed=0):
    """Views, with what followed; the purchases of the last days are not known yet."""
    random = np.random.default_rng(seed)
    hours = np.sort(random.integers(0, 10 * 24, rows))
    time = [START + dt.timedelta(hours=int(h), minutes=7) for h in hours]
    cart = random.random(rows) < 0.4
    purchase = np.where(random.random(rows) < 0.1, np.nan, cart & (hours % 3 == 0))
    return pd.DataFrame(
        {
            "visitor": [f"v{n}" for n in random.integers(0, 12, rows)],
            "product": [f"p-{n}" for n in random.integers(0, 9, rows)],
            "seen_at": time,
            "cart": cart,
            "purchase": purchase,
            "terms": [
                [f"t{n}" for n in random.integers(0, 5, random.integers(0, 4))]
                for _ in range(rows)
            ],
        }
    )


PRODUCTS = pd.DataFrame(
    {
        "product": [f"p-{n}" for n in range(9)],
        "brand": [f"b{n % 3}" for n in range(9)],
        "price": [float(n) if n else None for n in range(9)],
    }
)


def config(**data):
    return make_config(
        {
            "data": {
                "log": ["views_*.parquet"],
                "tables": {"products": {"files": "products.csv", "key": "product"}},
                "columns": {"weekday": "isodow(seen_at)"},
                "time": "seen_at",
                "history": {
                    "visitor": {"key": "visitor", "prior": PRIOR, "gap": 1},
                    "pair": {"key": ["visitor", "brand"], "prior": PRIOR, "window": 3},
                },
                "history_lists": {
                    "bought": {
                        "key": "visitor",
                        "item": "product",
                        "when": "cart",
                        "length": LENGTH,
                        "gap": 1,
                        "window": 4,
                    }
                },
                **data,
            },
            "features": {
                "visitor": {"type": "categorical", "width": 4},
                "product": {"type": "categorical", "width": 4},
                "brand": {"type": "categorical", "width": 2},
                "weekday": {"type": "categorical", "width": 2},
                "terms": {"type": "categorical", "width": 2},
                "bought": {"type": "categorical", "table": "product"},
                "price": {"type": "numeric", "nullable": True},
                "visitor_impressions": {"type": "numeric"},
                "visitor_purchase_rate": {"type": "numeric"},
                "pair_impressions": {"type": "numeric"},
                "pair_cart_rate": {"type": "numeric"},
            },
            "tasks": {task: {"group": "shop"} for task in TASKS},
            "evaluation": {"group_by": "visitor"},
            "serving": {
                "request_features": ["visitor*", "weekday"],
                "candidates": {"column": "product", "latest_by": "seen_at"},
            },
        }
    )


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    log = make_log()
    for part, rows in enumerate((log[:250], log[250:])):
        table = pa.Table.from_pandas(rows, preserve_index=False)
        pq.write_table(table, folder / f"views_{part}.parquet")
    PRODUCTS.to_csv(folder / "products.csv", index=False)
    return folder


def past_of(log, row, *, period, window=None, gap=0):
    """The earlier rows that count, by plain comparisons."""
    now = period(row["seen_at"])
    return [
        other
        for other in log
        if period(other["seen_at"]) < now - gap
        and (window is None or period(other["seen_at"]) >= now - gap - window)
    ]


def rate(rows, every, label):
    def known(some):
        return [row[label] for row in some if row[label] == row[label]]

    overall = known(every)
    mean = sum(overall) / len(overall) if overall else 0.0
    mine = known(rows)
    return (sum(mine) + PRIOR * mean) / (len(mine) + PRIOR)


def expected(log, row, period):
    def same(rows, *keys):
        return [other for other in rows if all(other[k] == row[k] for k in keys)]

    late = past_of(log, row, period=period, gap=1)
    recent = past_of(log, row, period=period, window=3)
    listed = same(past_of(log, row, period=period, window=4, gap=1), "visitor")
    items = [other["product"] for other in reversed(listed) if other["cart"]]
    items = [item.encode() for item in (items + [""] * LENGTH)[:LENGTH]]
    return {
        "visitor_impressions": len(same(late, "visitor")),
        "visitor_purchase_rate": rate(same(late, "visitor"), late, "purchase"),
        "pair_impressions": len(same(recent, "visitor", "brand")),
        "pair_cart_rate": rate(same(recent, "visitor", "brand"), recent, "cart"),
        "bought": items,
        "brand": row["brand"].encode(),
        "weekday": row["seen_at"].isoweekday(),
        "terms": [t.encode() for t in (list(row["terms"]) + [""] * 3)[:3]],
    }


@pytest.mark.parametrize("period", ["day", "hour"])
def test_history_with_windows_gaps_and_pairs_equals_plain_counts(
    shop, tmp_path, read_split, period
):
    made = prepare(shop, config(period=period), tmp_path / "out")
    assert sum(split.rows for split in made.splits.values()) == 600
    of = {
        "day": lambda at: (at - START).days,
        "hour": lambda at: (at - START).days * 24 + (at - START).seconds // 3600,
    }[period]
    log = make_log().merge(PRODUCTS, on="product").sort_values("seen_at", kind="stable")
    log = log.to_dict("records")
    by_key = {}
    for row in log:
        key = (int(row["seen_at"].timestamp()), row["visitor"].encode())
        by_key.setdefault((*key, row["product"].encode()), []).append(row)
    checked = 0
    for split in made.splits:
        columns = read_split(tmp_path / "out", split)
        for number in range(len(columns["seen_at"])):
            actual = {name: values[number] for name, values in columns.items()}
            key = tuple(actual[name] for name in ("seen_at", "visitor", "product"))
            if len(by_key[key]) > 1:
                continue
            for name, value in expected(log, by_key[key][0], of).items():
                if isinstance(value, float):
                    assert actual[name] == pytest.approx(value, rel=1e-6), name
                else:
                    np.testing.assert_array_equal(actual[name], value, name)
            checked += 1
    assert checked > 400


def test_a_number_that_may_be_missing_is_left_out_of_its_statistics(shop, tmp_path):
    prepare(shop, config(), tmp_path / "out")
    prices = DatasetDirectory(tmp_path / "out").statistics("price")
    log = make_log().merge(PRODUCTS, on="product")
    train = log[log["seen_at"] < START + dt.timedelta(days=8)]["price"]
    assert prices.mean == pytest.approx(train.mean())
    assert prices.variance == pytest.approx(train.var(ddof=0))


@pytest.mark.parametrize("kind", ["arrow", "pandas", "polars", "ibis"])
def test_the_log_may_be_a_table(shop, tmp_path, kind, read_split):
    if kind == "polars":
        pytest.importorskip("polars")
    frame = make_log()
    if kind == "ibis":
        ibis = pytest.importorskip("ibis")
        frame = ibis.duckdb.connect().read_parquet(str(shop / "views_*.parquet"))
    elif kind != "pandas":
        frame = pa.Table.from_pandas(frame)
    if kind == "polars":
        import polars

        frame = polars.from_arrow(frame)
    prepare(shop, config(), tmp_path / "files")
    prepare(frame, config(), tmp_path / "table", folder=shop)
    one = read_split(tmp_path / "files", "test")
    other = read_split(tmp_path / "table", "test")
    for name, values in one.items():
        np.testing.assert_array_equal(other[name], values, name)


def test_splits_by_time(shop, tmp_path, read_split):
    split = {"by": "time", "validation": "2026-03-06 12:00", "test": "2026-03-08"}
    made = prepare(shop, config(split=split), tmp_path / "out")
    at = make_log()["seen_at"]
    validation, test = pd.Timestamp("2026-03-06 12:00"), pd.Timestamp("2026-03-08")
    assert {name: part.rows for name, part in made.splits.items()} == {
        "train": (at < validation).sum(),
        "validation": ((at >= validation) & (at < test)).sum(),
        "test": (at >= test).sum(),
    }


def test_splits_by_shares_of_time(shop, tmp_path, read_split):
    split = {"by": "shares", "validation": 0.2, "test": 0.1}
    made = prepare(shop, config(split=split), tmp_path / "out")
    assert made.splits["test"].rows == pytest.approx(60, abs=5)
    assert made.splits["validation"].rows == pytest.approx(120, abs=5)
    ends = [read_split(tmp_path / "out", name)["seen_at"] for name in made.splits]
    assert ends[0].max() <= ends[1].min()
    assert ends[1].max() <= ends[2].min()


def test_which_rows_are_kept(shop, tmp_path):
    made = prepare(shop, config(where="brand <> 'b0'"), tmp_path / "out")
    kept = make_log().merge(PRODUCTS, on="product")["brand"] != "b0"
    assert sum(split.rows for split in made.splits.values()) == kept.sum()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"time": None}, "need the time of a row: give `data.time` or `data.day`"),
        ({"time": "length(visitor)"}, "Date out of range"),
        ({"time": "visitor"}, 'invalid timestamp field format: "v'),
        ({"where": "brnd = 1"}, '"brnd" not found'),
        ({"columns": {"weekday": "isodow("}}, "`data.columns.weekday`: 'isodow('"),
        ({"history": {"visitor": {"key": "user"}}}, "needs `pair_"),
        (
            {"split": {"by": "column", "column": "brand"}},
            "`data.split.column` must say train, validation, test or nothing. Received",
        ),
        ({"split": {"by": "column", "column": "fold"}}, "no column `fold`"),
        (
            {"split": {"by": "time", "validation": "2026-04-01", "test": "2026-05-01"}},
            "the split `validation` has no rows",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_line(shop, tmp_path, data, said):
    with pytest.raises(HomeError) as raised:
        prepare(shop, config(**data), tmp_path / "out")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
