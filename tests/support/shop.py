"""A shop's log in Parquet: string ids, times, lists, labels that arrive late."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from home_tf.config import make_config

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


def shop_config(**data):
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


def write_shop(folder):
    """Writes the log in two files, and the products."""
    folder.mkdir()
    log = make_log()
    for part, rows in enumerate((log[:250], log[250:])):
        table = pa.Table.from_pandas(rows, preserve_index=False)
        # Spark does not read nanoseconds.
        file = folder / f"views_{part}.parquet"
        pq.write_table(table, file, coerce_timestamps="us")
    PRODUCTS.to_csv(folder / "products.csv", index=False)
