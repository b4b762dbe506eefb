import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.shop import (
    LENGTH,
    PRIOR,
    PRODUCTS,
    START,
    make_log,
    shop_config,
    write_shop,
)

from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.prepare import prepare, prepare_history


@pytest.fixture
def shop(tmp_path):
    write_shop(tmp_path / "shop")
    return tmp_path / "shop"


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


@pytest.mark.slow
@pytest.mark.parametrize("period", ["day", "hour"])
def test_history_with_windows_gaps_and_pairs_equals_plain_counts(
    shop, tmp_path, read_split, period
):
    made = prepare(shop, shop_config(period=period), tmp_path / "out")
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
    prepare(shop, shop_config(), tmp_path / "out")
    prices = DatasetDirectory(tmp_path / "out").statistics("price")
    log = make_log().merge(PRODUCTS, on="product")
    train = log[log["seen_at"] < START + dt.timedelta(days=8)]["price"]
    assert prices.mean == pytest.approx(train.mean())
    assert prices.variance == pytest.approx(train.var(ddof=0))


@pytest.mark.slow
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
    prepare(shop, shop_config(), tmp_path / "files")
    prepare(frame, shop_config(), tmp_path / "table", folder=shop)
    one = read_split(tmp_path / "files", "test")
    other = read_split(tmp_path / "table", "test")
    for name, values in one.items():
        np.testing.assert_array_equal(other[name], values, name)


def test_splits_by_time(shop, tmp_path, read_split):
    split = {"by": "time", "validation": "2026-03-06 12:00", "test": "2026-03-08"}
    made = prepare(shop, shop_config(split=split), tmp_path / "out")
    at = make_log()["seen_at"]
    validation, test = pd.Timestamp("2026-03-06 12:00"), pd.Timestamp("2026-03-08")
    assert {name: part.rows for name, part in made.splits.items()} == {
        "train": (at < validation).sum(),
        "validation": ((at >= validation) & (at < test)).sum(),
        "test": (at >= test).sum(),
    }


def test_splits_by_shares_of_time(shop, tmp_path, read_split):
    split = {"by": "shares", "validation": 0.2, "test": 0.1}
    made = prepare(shop, shop_config(split=split), tmp_path / "out")
    assert made.splits["test"].rows == pytest.approx(60, abs=5)
    assert made.splits["validation"].rows == pytest.approx(120, abs=5)
    ends = [read_split(tmp_path / "out", name)["seen_at"] for name in made.splits]
    assert ends[0].max() <= ends[1].min()
    assert ends[1].max() <= ends[2].min()


def test_which_rows_are_kept(shop, tmp_path):
    made = prepare(shop, shop_config(where="brand <> 'b0'"), tmp_path / "out")
    kept = make_log().merge(PRODUCTS, on="product")["brand"] != "b0"
    assert sum(split.rows for split in made.splits.values()) == kept.sum()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"time": None}, "need the time of each row: set `data.time` or `data.day`"),
        ({"time": "length(visitor)"}, "Date out of range"),
        ({"time": "visitor"}, 'invalid timestamp field format: "v'),
        ({"where": "brnd = 1"}, '"brnd" not found'),
        ({"columns": {"weekday": "isodow("}}, "`data.columns.weekday`: 'isodow('"),
        ({"history": {"visitor": {"key": "user"}}}, "needs `pair_"),
        (
            {"split": {"by": "column", "column": "brand"}},
            "`data.split.column` must be train, validation, test or missing. Received",
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
        prepare(shop, shop_config(**data), tmp_path / "out")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("period", ["day", "hour"])
def test_history_as_of_a_time_is_what_rows_of_that_time_have(
    shop, tmp_path, read_split, period
):
    """What serving reads from a feature store is what training has seen."""
    config = shop_config(period=period)
    prepare(shop, config, tmp_path / "records")
    rows = read_split(tmp_path / "records", "test")
    times = rows["seen_at"] if period == "hour" else rows["seen_at"][:1]
    checked = 0
    for second in sorted(set(times.tolist()))[:4]:
        as_of = dt.datetime.fromtimestamp(second, dt.timezone.utc).isoformat()
        out = tmp_path / f"history-{second}"
        prepare_history(shop, config, out, as_of=as_of)
        mine = rows["seen_at"] == second if period == "hour" else slice(None)
        checked += compare_history(out, {name: v[mine] for name, v in rows.items()})
    assert checked >= 4


def compare_history(folder, rows):
    """Compares rows with the tables of a feature store; returns how many there are."""
    history = json.loads((folder / "history.json").read_text())
    names = [one for table in history["tables"].values() for one in table["columns"]]
    assert sorted(names) == sorted([*FIGURES, "bought"])
    for table in history["tables"].values():
        stored = pq.read_table(folder / table["file"]).to_pylist()
        assert len(stored) == table["rows"]
        by_key = {tuple(row[k] for k in table["key"]): row for row in stored}
        assert len(by_key) == len(stored)
        keys = zip(*(rows[name] for name in table["key"]), strict=True)
        for number, key in enumerate(keys):
            known = by_key.get(tuple(value.decode() for value in key), {})
            for name in table["columns"]:
                value = known.get(name, history["defaults"][name])
                if name == "bought":
                    padded = [item.encode() for item in value]
                    padded += [b""] * (LENGTH - len(padded))
                    assert rows[name][number].tolist() == padded
                else:
                    assert rows[name][number] == np.float32(value), name
    return len(rows["seen_at"])


FIGURES = (
    "visitor_impressions",
    "visitor_purchase_rate",
    "pair_impressions",
    "pair_cart_rate",
)


def test_a_key_that_is_new_has_the_defaults(shop, tmp_path):
    prepare_history(shop, shop_config(), tmp_path / "out", as_of="2026-03-02")
    history = json.loads((tmp_path / "out" / "history.json").read_text())
    first = make_log()
    first = first[first["seen_at"] < START + dt.timedelta(days=1)]
    # The newest day does not count for the visitor (`gap: 1`), and is all there is.
    assert history["defaults"] == {
        "visitor_impressions": 0,
        "visitor_purchase_rate": 0,
        "pair_impressions": 0,
        "pair_cart_rate": pytest.approx(first["cart"].mean()),
        "bought": [],
    }
    assert history["as_of"] == "2026-03-02"
    assert history["tables"]["pair"]["key"] == ["visitor", "brand"]


@pytest.mark.parametrize(
    ("as_of", "said"),
    [
        ("tomorrow", "`as_of` must be a day or a time, such as 2026-05-07"),
        ("2026-03-01", "`as_of`: no row is before 2026-03-01"),
    ],
)
def test_a_time_that_history_cannot_have_is_told(shop, tmp_path, as_of, said):
    with pytest.raises(HomeError, match=said):
        prepare_history(shop, shop_config(), tmp_path / "out", as_of=as_of)
    assert not (tmp_path / "out").exists()


def test_a_column_of_the_files_with_the_name_of_history_is_told(shop, tmp_path):
    columns = {"weekday": "isodow(seen_at)", "visitor_impressions": "1"}
    with pytest.raises(HomeError, match="the files have a column `visitor_impressio"):
        prepare(shop, shop_config(columns=columns), tmp_path / "out")
