"""Writes a synthetic data set in the layout of KuaiRand-Pure."""

import csv
import gzip
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from home_tf.errors import HomeError, check_at_least
from home_tf.files import atomic_directory
from home_tf.lab.synthetic.synthetic_log import create_log
from home_tf.lab.synthetic.synthetic_world import (
    create_world,
    user_features,
    video_features,
)
from home_tf.prepare.days import to_day

FIRST_DATE = 20220425


def generate(
    folder: str | Path,
    *,
    users: int = 4_000,
    videos: int = 2_000,
    days: int = 12,
    rows: int = 120_000,
    first_date: int = FIRST_DATE,
    group_correlation: float = 0.6,
    density_gap: float = 1.0,
    seed: int = 0,
) -> None:
    r"""Writes synthetic logs with the files, columns and habits of KuaiRand-Pure.

    A user `u` has a taste `w` in 8 dimensions for each task group `g` (watch, inter),
    a video `v` has a content `x` near those of its tags. With `rho` the
    `group_correlation`, and all letters standard normal unless said otherwise:

        w_inter     = rho w_watch + sqrt(1 - rho^2) n       (so for b and q below)
        w_g(day)    = cos(a) w_g + sin(a) w'_g,    a = 0.3 (pi / 2) day / last day
        score_g     = 0.8 w_g(day) . x_v + 0.5 (q_g[v] + b_g[u]) + tab + hour
        latent_t    = score_g + 0.4 appeal_t[v] + c_t log(duration / 60 s) + noise_t

    `noise_t` has a variance of about 1.7, most of it common to the watch tasks and part
    of it to `is_click`. A task is positive in the rows with the largest latents, as
    many as give it its rate in KuaiRand-Pure (see `density_gap`): effective_view 59 %,
    is_click 45 %, long_view 32 %, finish 17 %, comment_open 4.5 %, is_profile_enter
    1.9 %, is_like 1.7 %, is_comment 0.26 %, is_follow 0.13 %, is_forward and is_hate
    0.09 %.
    Tasks agree: finish within long_view within effective_view, and `play_time_ms`
    follows from them; a click needs some play time (but, unlike a real one, no given
    length of it), every interaction a click, and a comment `comment_stay_time`;
    is_hate takes the smallest latents among what is not liked.

    Users are shown videos in proportion to a log-normal activity (sigma 0.8),
    videos to rank^-0.8. `onehot_feat0..17` are the ranks of the 16 tastes and 2 biases
    with noise of 0.5, cut in as many values as the real ones have. An author's videos
    share half the variance of `q`. Some durations, tags, music types and one-hot
    features are missing. The other features are noise.

    The same arguments give the same bytes with the same version of NumPy.

    Args:
        folder: The folder to write: new, empty, or generated before.
        users: Number of users.
        videos: Number of videos.
        days: Number of days.
        rows: Number of impressions, spread evenly over the days.
        first_date: The first day.
        group_correlation: Correlation of the two groups' tastes, in [-1, 1].
        density_gap: How many times rarer than in KuaiRand-Pure all interactions but
            `is_click` are; at least 0.1, at which they are ten times as frequent.
        seed: Seed of all random draws.

    Raises:
        HomeError: If an argument is out of its range or the folder holds
            anything else.

    Examples:
        >>> generate("synthetic")
        >>> prepare("synthetic", "prepared")
    """
    check_at_least("users", users, 1)
    check_at_least("videos", videos, 1)
    check_at_least("days", days, 3)
    check_at_least("rows", rows, days)
    check_at_least("seed", seed, 0)
    if not -1 <= group_correlation <= 1:
        raise HomeError(
            "`group_correlation` must be between -1 and 1. "
            f"Received: {group_correlation}"
        )
    check_at_least("density_gap", density_gap, 0.1)
    day = to_day(first_date, where="`first_date`")
    last = day + timedelta(days=days - 1)
    random = np.random.default_rng(seed)
    world = create_world(
        random, users=users, videos=videos, group_correlation=group_correlation
    )
    first = np.datetime64(day, "D")
    log = create_log(
        random,
        world,
        rows=rows,
        days=days,
        first_day=first,
        density_gap=density_gap,
    )
    people = user_features(random, world)
    films = video_features(random, world, first)
    # As in the published logs, an unknown duration is 0.
    known = np.array([text != "" for text in films["video_duration"]])
    log["duration_ms"] *= known[log["video_id"]]
    span = f"{day.month}_{day.day:02d}_to_{last.month}_{last.day:02d}"
    with atomic_directory(folder, replaceable=_is_generated) as result:
        _write_csv(result / "user_features_synthetic.csv", people)
        _write_csv(result / "video_features_basic_synthetic.csv", films)
        _write_csv(
            result / f"log_standard_{span}_synthetic.csv.gz",
            {name: values.tolist() for name, values in log.items()},
        )


def _is_generated(folder: Path) -> bool:
    names = [file.name for file in folder.iterdir()]
    return all(name.endswith(("_synthetic.csv", "_synthetic.csv.gz")) for name in names)


def _write_csv(file: Path, columns: dict[str, list[Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    data = text.getvalue().encode()
    # A time of 0, so that the same data are the same bytes.
    file.write_bytes(gzip.compress(data, 6, mtime=0) if file.suffix == ".gz" else data)
