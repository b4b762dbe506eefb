"""Logs of users and items: times, history, joined tables, ratings."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

START = dt.datetime(2026, 3, 1)


def write_parquet(frame, path):
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)


@pytest.fixture
def shop(tmp_path):
    """Views in two files, what followed, and the products."""
    random = np.random.default_rng(0)
    hours = np.sort(random.integers(0, 10 * 24, 2000))
    cart = random.random(2000) < 0.4
    views = pd.DataFrame(
        {
            "visitor": [f"v{n}" for n in random.integers(0, 60, 2000)],
            "product": [f"p-{n}" for n in random.integers(0, 50, 2000)],
            "seen_at": [START + dt.timedelta(hours=int(h)) for h in hours],
            "cart": cart,
            "purchase": np.where(
                random.random(2000) < 0.1, np.nan, cart & (hours % 3 == 0)
            ),
            "terms": [
                [f"t{n}" for n in random.integers(0, 5, random.integers(0, 4))]
                for _ in range(2000)
            ],
            "scores": [[0.5, 1.0]] * 2000,
        }
    )
    products = pd.DataFrame(
        {
            "product": [f"p-{n}" for n in range(49)],  # one is not known
            "title": [f"The product number {n}" for n in range(49)],
            "brand": [f"b{n % 3}" for n in range(49)],
            "price": [float(n) if n else None for n in range(49)],
            "on_sale": [n % 2 for n in range(49)],
            "listed": [dt.date(2026, 2, 1 + n % 20) for n in range(49)],
        }
    )
    folder = tmp_path / "logs"
    folder.mkdir()
    write_parquet(views[:900], folder / "views_1.parquet")
    write_parquet(views[900:], folder / "views_2.parquet")
    products.to_csv(folder / "products.csv", index=False)
    return folder


def test_a_shop(shop, first, prepare_it):
    files = ("views_1.parquet", "views_2.parquet", "products.csv")
    values = first(*(f"logs/{file}" for file in files)).values
    data = values["data"]
    assert data["log"] == "logs/views_*.parquet"
    assert data["tables"] == {
        "products": {"files": "logs/products.csv", "key": "product"}
    }
    assert (data["time"], data["split"]) == ("seen_at", {"by": "days"})
    assert data["history"] == {
        "visitor": {"key": "visitor"},
        "product": {"key": "product"},
    }
    assert data["history_lists"] == {
        "visitor_cart_products": {
            "key": "visitor",
            "item": "product",
            "when": "cart = 1",
            "length": 10,
        }
    }
    assert values["tasks"] == {"cart": {"group": "shop"}, "purchase": {"group": "shop"}}
    assert values["evaluation"] == {"group_by": "visitor"}
    features = values["features"]
    assert features["price"] == {"type": "numeric", "nullable": True}
    assert features["terms"] == {"type": "categorical", "width": 4}
    assert features["on_sale"]["type"] == "categorical"  # of the product: no label
    assert {"hour", "days_since_listed", "product_purchase_rate"} <= set(features)
    assert not {"title", "scores", "seen_at", "cart"} & set(features)
    request = values["serving"]["request_features"]
    assert {"visitor", "hour", "visitor_cart_rate", "visitor_cart_products"} <= set(
        request
    )
    assert not {"product", "price", "product_cart_rate"} & set(request)
    assert prepare_it()["train"] == pytest.approx(1600, abs=150)


def test_the_days_since_a_date_are_counted(shop, first, prepare_it, tmp_path):
    from home_tf.data import DatasetDirectory

    first("logs/views_*.parquet", "logs/products.csv")
    prepare_it()
    (batch,) = DatasetDirectory(tmp_path / "records").read("test", batch_size=1000)
    known = batch["product"].numpy() != b"p-49"
    number = [int(name[2:]) for name in batch["product"].numpy()[known]]
    # The test day is 10 March, and product `n` was listed on 1 + n % 20 February.
    expected = [
        (dt.date(2026, 3, 10) - dt.date(2026, 2, 1 + n % 20)).days for n in number
    ]
    assert batch["days_since_listed"].numpy()[known].tolist() == expected


def test_paths_begin_at_the_configuration(shop, first, tmp_path, prepare_it):
    (tmp_path / "configs").mkdir()
    pattern = str(tmp_path / "logs" / "views_*.parquet")
    data = first(pattern, "logs/products.csv", out="configs/a.yaml").values["data"]
    assert data["folder"] == "../logs"
    assert data["log"] == "views_*.parquet"
    assert sum(prepare_it("configs/a.yaml").values()) == 2000


def test_files_that_no_pattern_fits_are_listed(shop, first):
    write_parquet(pd.DataFrame({"a": [1]}), shop / "views_3.parquet")
    data = first("logs/views_1.parquet", "logs/views_2.parquet").values["data"]
    assert data["log"] == ["logs/views_1.parquet", "logs/views_2.parquet"]


@pytest.fixture
def movies(tmp_path):
    """Ratings over years, with few a day, and the movies, as MovieLens has them."""
    random = np.random.default_rng(0)
    seconds = np.sort(random.integers(1_000_000_000, 1_100_000_000, 1500))
    ratings = pd.DataFrame(
        {
            "userId": random.integers(1, 40, 1500),
            "movieId": random.integers(1, 90, 1500),
            "rating": random.choice(np.arange(0.5, 5.1, 0.5), 1500),
            "timestamp": seconds,
        }
    )
    genres = np.array(["Action", "Comedy", "Drama", "Film-Noir", "War"])
    movies = pd.DataFrame(
        {
            "movieId": np.arange(1, 90),
            "title": [f"Movie, The ({1900 + n})" for n in range(1, 90)],
            "genres": [
                "|".join(genres[random.random(5) < 0.5]) or "War" for _ in range(89)
            ],
        }
    )
    ratings.to_csv(tmp_path / "ratings.csv", index=False)
    movies.to_csv(tmp_path / "movies.csv", index=False)
    return ratings


def test_ratings_of_movies(movies, first, prepare_it):
    found = first("movies.csv", "ratings.csv")  # the log need not be the first
    values = found.values
    data = values["data"]
    assert data["log"] == "ratings.csv"
    assert data["tables"] == {"movies": {"files": "movies.csv", "key": "movieId"}}
    assert data["columns"]["liked"] == "rating >= 4"
    assert data["columns"]["genres"] == {"separator": "|"}
    assert data["time"] == 'epoch_ms(1000 * "timestamp")'
    assert data["split"] == {"by": "shares", "validation": 0.1, "test": 0.1}
    assert data["history"] == {"user": {"key": "userId"}, "movie": {"key": "movieId"}}
    assert values["tasks"] == {"liked": {"group": "inter"}}
    assert values["evaluation"] == {"group_by": "userId"}
    assert not {"rating", "title", "timestamp"} & set(values["features"])
    assert (
        "title: hardly a value is there twice: it says what movieId does" in found.text
    )
    shares = {name: rows / 1500 for name, rows in prepare_it().items()}
    expected = {"train": 0.8, "validation": 0.1, "test": 0.1}
    assert shares == pytest.approx(expected, abs=0.002)


def test_two_ratings_are_two_labels(tmp_path, first):
    rows = np.arange(300)
    frame = {"rating": rows % 5 + 1, "score": rows % 7 / 2 + 4, "user": rows % 11}
    pd.DataFrame(frame).to_csv(tmp_path / "log.csv", index=False)
    assert first("log.csv").values["data"]["columns"] == {
        "liked": "rating >= 4",
        "liked_2": "score >= 6",
    }


def test_kuairand(logs, first, tmp_path, prepare_it):
    values = first(*(str(file) for file in sorted(logs.glob("*.csv*")))).values
    assert values["data"]["day"] == "date"
    assert values["data"]["time"] == "epoch_ms(time_ms)"
    assert values["tasks"]["long_view"] == {"group": "watch"}
    assert values["tasks"]["is_like"] == {"group": "inter"}
    keys = {table["key"] for table in values["data"]["tables"].values()}
    assert keys == {"user_id", "video_id"}
    assert values["evaluation"] == {"group_by": "user_id"}
    features = values["features"]
    assert {"user_id", "video_id", "author_id", "duration_ms"} <= set(features)
    assert not {"play_time_ms", "comment_stay_time", "date"} & set(features)
    assert sum(prepare_it().values()) == 6000


def as_forms(times):
    seconds = (times - dt.datetime(1970, 1, 1)) // pd.Timedelta(seconds=1)
    return {
        "a timestamp": times,
        "a date": times.dt.date,
        "a day": times.dt.strftime("%Y%m%d").astype(int),
        "seconds": seconds,
        "seconds with a point": seconds.astype(float),
        "milliseconds": seconds * 1000,
        "microseconds": seconds * 1_000_000,
        "text": times.dt.strftime("%Y-%m-%dT%H:%M:%S"),
        "text with a zone": times.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "text of a date": times.dt.strftime("%Y-%m-%d"),
        "a timestamp with a zone": times.dt.tz_localize("UTC"),
    }


@pytest.mark.parametrize("form", as_forms(pd.Series([START])))
def test_times_in_any_form_give_the_same_days(form, tmp_path, first, prepare_it):
    hours = np.repeat(np.arange(5) * 24, 60) + np.arange(300) % 24
    times = pd.Series(START + pd.to_timedelta(hours, unit="h"))
    frame = pd.DataFrame({"click": hours % 2, "time": as_forms(times)[form]})
    frame["colour"] = np.arange(300) % 7
    write_parquet(frame, tmp_path / "log.parquet")
    values = first("log.parquet").values
    assert values["data"]["split"] == {"by": "days"}
    assert prepare_it() == {"train": 180, "validation": 60, "test": 60}
    assert ("hour" in values["features"]) == ("da" not in form)


def test_whole_numbers_that_only_look_like_times_are_none(tmp_path, first):
    random = np.random.default_rng(0)
    frame = {
        "owner": random.choice(random.integers(10**9, 4 * 10**9, 40), 400),
        "number": random.choice(random.integers(20_000_000, 21_000_000, 300), 400),
        "click": np.arange(400) % 2,
    }
    pd.DataFrame(frame).to_csv(tmp_path / "log.csv", index=False)
    found = first("log.csv")
    assert found.draft.time is None
    assert set(found.values["features"]) == {"owner", "number"}


def test_a_single_day_counts_history_by_hours(tmp_path, first, prepare_it):
    hours = np.arange(600) % 24
    times = [START + dt.timedelta(hours=int(hour)) for hour in hours]
    frame = {"user": np.arange(600) % 9, "at": times, "click": np.arange(600) % 2}
    write_parquet(pd.DataFrame(frame), tmp_path / "log.parquet")
    data = first("log.parquet").values["data"]
    assert (data["period"], data["split"]["by"]) == ("hour", "shares")
    assert sum(prepare_it().values()) == 600


def test_a_date_that_is_later_than_the_row_is_left_out(tmp_path, first):
    times = [START + dt.timedelta(days=row // 100) for row in range(500)]
    late = [time + dt.timedelta(days=row % 3) for row, time in enumerate(times)]
    frame = {"seen_at": times, "delivered_at": late, "click": np.arange(500) % 2}
    frame["colour"] = np.arange(500) % 7
    write_parquet(pd.DataFrame(frame), tmp_path / "log.parquet")
    found = first("log.parquet")
    assert found.values["data"]["time"] == "seen_at"
    assert "delivered_at: a time, later than the row's own: an outcome?" in found.text


def test_a_column_of_splits_splits(tmp_path, first, prepare_it):
    parts = np.repeat(["train", "validation", "test"], [200, 60, 40])
    frame = {"part": parts, "click": np.arange(300) % 2, "colour": np.arange(300) % 7}
    pd.DataFrame(frame).to_csv(tmp_path / "log.csv", index=False)
    assert first("log.csv").values["data"]["split"] == {
        "by": "column",
        "column": "part",
    }
    assert prepare_it() == {"train": 200, "validation": 60, "test": 40}


def test_what_is_given_is_not_guessed(tmp_path, first, prepare_it):
    days = [20260301 + row // 100 for row in range(600)]
    frame = pd.DataFrame(
        {
            "session": np.arange(600) // 6,
            "who": np.arange(600) % 11,
            "thing": np.arange(600) % 13,
            "made_at": [20250101 + row % 28 for row in range(600)],
            "shown": days,
            "click": np.arange(600) % 2,
            "nice": np.arange(600) % 3 == 0,
        }
    )
    frame.to_csv(tmp_path / "log.csv", index=False)
    guessed = first("log.csv", out="guessed.yaml").values
    assert guessed["evaluation"] == {"group_by": "session"}
    assert list(guessed["tasks"]) == ["click"]
    given = {"labels": ["nice"], "user": "who", "item": "thing", "time": "shown"}
    found = first("log.csv", **given)
    values = found.values
    assert list(values["tasks"]) == ["nice"]
    assert values["evaluation"] == {"group_by": "who"}
    assert values["data"]["time"] == "shown"
    assert list(values["data"]["history"]) == ["who", "thing"]
    assert "click" not in values["features"]
    assert "click: named like an outcome; its rarest value is in 300 rows" in found.text
    assert prepare_it() == {"train": 400, "validation": 100, "test": 100}


def test_an_outcome_that_hardly_ever_happens_is_no_task(tmp_path, first):
    rows = np.arange(300)
    frame = {"colour": rows % 7, "click": rows % 2, "buy": (rows == 7).astype(int)}
    pd.DataFrame(frame).to_csv(tmp_path / "log.csv", index=False)
    found = first("log.csv")
    assert list(found.values["tasks"]) == ["click"]
    assert "buy: named like an outcome; its rarest value is in 1 rows" in found.text


def test_a_table_may_be_joined_by_a_column_of_another(tmp_path, first, prepare_it):
    rows = np.arange(400)
    log = {"video_id": rows % 20, "click": rows % 2}
    videos = {"video_id": np.arange(20), "author_id": np.arange(20) % 5}
    authors = {"author_id": np.arange(5), "fans": np.arange(5) * 100}
    for name, frame in {"a_authors": authors, "log": log, "videos": videos}.items():
        pd.DataFrame(frame).to_csv(tmp_path / f"{name}.csv", index=False)
    values = first("a_authors.csv", "log.csv", "videos.csv").values
    tables = values["data"]["tables"]
    assert {name: table["key"] for name, table in tables.items()} == {
        "videos": "video_id",
        "a_authors": "author_id",
    }
    assert sum(prepare_it().values()) == 400
