"""Users and videos of a synthetic KuaiRand: latent tastes and visible features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Random = np.random.Generator

DIMENSIONS = 8
TAGS = 30
# Number of values of onehot_feat0..17, as in the published files.
ONEHOT_SIZES = (2, 7, 50, 1471, 15, 34, 3, 118, 454, 7, 5, 5, 2, 2, 2, 2, 2, 2)


@dataclass(frozen=True)
class World:
    """Latent variables, two task groups `g` (watch, inter) each.

    Attributes:
        taste: `(groups, users, DIMENSIONS)`, standard normal.
        later_taste: What `taste` turns towards, same shape and distribution.
        bias: `(groups, users)`, standard normal: how easily a user reacts.
        activity: `(users,)`, share of the impressions.
        content: `(videos, DIMENSIONS)`, of expected length 1.
        quality: `(groups, videos)`, standard normal.
        popularity: `(videos,)`, share of the impressions.
        duration: `(videos,)` int64 milliseconds.
        author: `(videos,)`, number of the author.
        tags: `(videos, 3)`, number of the tag or -1; the first is the main one.
    """

    taste: Array
    later_taste: Array
    bias: Array
    activity: Array
    content: Array
    quality: Array
    popularity: Array
    duration: Array
    author: Array
    tags: Array


def create_world(
    random: Random, *, users: int, videos: int, group_correlation: float
) -> World:
    """Draws the latent variables of users and videos.

    Args:
        random: Source of randomness.
        users: Number of users.
        videos: Number of videos.
        group_correlation: Correlation of everything that both groups have.

    Returns:
        The world.
    """

    def pair(*shape: int) -> Array:
        first, other = random.standard_normal((2, *shape))
        mixed = group_correlation * first + np.sqrt(1 - group_correlation**2) * other
        return np.stack([first, mixed])

    tags = _draw_tags(random, videos)
    author = random.integers(0, max(1, videos * 85 // 100), videos)
    ranks = random.permutation(videos) + 1.0
    return World(
        taste=pair(users, DIMENSIONS),
        later_taste=pair(users, DIMENSIONS),
        bias=pair(users),
        activity=_shares(random.lognormal(0.0, 0.8, users)),
        content=_draw_content(random, tags),
        quality=np.sqrt(0.5) * (pair(videos) + pair(videos)[:, author]),
        popularity=_shares(ranks**-0.8),
        duration=np.clip(
            random.lognormal(np.log(60e3), 1.2, videos), 5e3, 1.2e6
        ).astype(np.int64),
        author=author,
        tags=tags,
    )


def _shares(weights: Array) -> Array:
    return np.asarray(weights / weights.sum())


def _draw_tags(random: Random, videos: int) -> Array:
    tags = np.minimum(random.geometric(0.12, (videos, 3)) - 1, TAGS - 1)
    count = random.choice(4, videos, p=[0.015, 0.735, 0.2, 0.05])
    repeated = (tags[:, 1] == tags[:, 0]) | (tags[:, 2] == tags[:, 0])
    count = np.where(repeated | (tags[:, 2] == tags[:, 1]), np.minimum(count, 1), count)
    return np.where(np.arange(3) < count[:, None], tags, -1)


def _draw_content(random: Random, tags: Array) -> Array:
    centres = random.standard_normal((TAGS, DIMENSIONS))
    own = random.standard_normal((len(tags), DIMENSIONS))
    # Even a video without tags has its own content.
    content = np.where(tags[:, :1] >= 0, np.sqrt(0.7) * centres[tags[:, 0]], 0) + (
        np.sqrt(0.3) * own
    )
    second = tags[:, 1:2] >= 0
    content = np.where(second, 0.8 * content + 0.6 * centres[tags[:, 1]], content)
    return np.asarray(content / np.sqrt(DIMENSIONS))


def user_features(random: Random, world: World) -> dict[str, list[Any]]:
    """Draws the visible features of the users.

    Args:
        random: Source of randomness.
        world: The latent variables.

    Returns:
        The columns of `user_features_*.csv`, in order, as they are to be printed.
    """
    users = len(world.activity)
    degree = np.searchsorted([0.01, 0.03, 0.11, 0.34], _rank(world.activity))
    numbers = {
        "follow_user_num": (random.lognormal(4.9, 1.6, users), _FOLLOW),
        "fans_user_num": (random.lognormal(3.8, 2.0, users) - 1, _FANS),
        "friend_user_num": (random.lognormal(2.7, 2.0, users) - 1, _FRIEND),
        "register_days": (random.gamma(2.6, 460, users) + 14, _REGISTER),
    }
    columns: dict[str, Any] = {
        "user_id": np.arange(users),
        "user_active_degree": np.array(_DEGREES)[degree],
        "is_lowactive_period": np.zeros(users, np.int64),
        "is_live_streamer": np.where(random.random(users) < 0.77, -124, 1),
        "is_video_author": (random.random(users) < 0.82).astype(np.int64),
    }
    for name, (values, (edges, ranges)) in numbers.items():
        number = np.maximum(values, 0).astype(np.int64)
        columns[name] = number
        columns[f"{name}_range"] = np.array(ranges)[np.searchsorted(edges, number)]
    columns.update(_onehot(random, world))
    return {name: values.tolist() for name, values in columns.items()}


_DEGREES = ("low_active", "2_14_day_new", "middle_active", "high_active", "full_active")
# Upper ends of the ranges, inclusive, and their names, one more.
_FOLLOW = (
    (0, 10, 50, 100, 150, 250, 500),
    (
        "0",
        "(0,10]",
        "(10,50]",
        "(50,100]",
        "(100,150]",
        "(150,250]",
        "(250,500]",
        "500+",
    ),
)
_FANS = (
    (0, 9, 99, 999, 4999, 9999, 99_999),
    (
        "0",
        "[1,10)",
        "[10,100)",
        "[100,1k)",
        "[1k,5k)",
        "[5k,1w)",
        "[1w,10w)",
        "[10w,100w)",
    ),
)
_FRIEND = (
    (0, 4, 29, 59, 119, 249),
    ("0", "[1,5)", "[5,30)", "[30,60)", "[60,120)", "[120,250)", "250+"),
)
_REGISTER = (
    (30, 60, 90, 180, 365, 730),
    ("15-30", "31-60", "61-90", "91-180", "181-365", "366-730", "730+"),
)


def _rank(values: Array) -> Array:
    """Ranks the values, in (0, 1)."""
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values)) + 0.5
    return ranks / len(values)


def _onehot(random: Random, world: World) -> dict[str, Array]:
    signals = np.concatenate([*world.taste.transpose(0, 2, 1), world.bias])
    noisy = signals + 0.5 * random.standard_normal(signals.shape)
    users = signals.shape[1]
    late_unknown = random.random(users) < 0.026
    columns: dict[str, Array] = {}
    for number, size in enumerate(ONEHOT_SIZES):
        codes = (size * _rank(noisy[number]) ** 1.5).astype(np.int64)
        unknown = random.random(users) < 0.03 if number == 4 else late_unknown
        as_float = number == 4 or number >= 12
        text = np.char.add(codes.astype(np.str_), ".0" if as_float else "")
        columns[f"onehot_feat{number}"] = np.where(as_float & unknown, "", text)
    return columns


def video_features(
    random: Random, world: World, first_day: np.datetime64
) -> dict[str, list[Any]]:
    """Draws the visible features of the videos.

    Args:
        random: Source of randomness.
        world: The latent variables.
        first_day: The first day of the log; every upload is earlier.

    Returns:
        The columns of `video_features_basic_*.csv`, in order, as they are to be
        printed.
    """
    videos = len(world.duration)
    authors = random.choice(8_700_000, world.author.max() + 1, replace=False)
    music = random.integers(4_000_000_000, 9_200_000_000, max(1, videos * 95 // 100))
    music_id = music[random.integers(0, len(music), videos)]
    upload = first_day - random.integers(1, 30, videos)
    wide = random.random(videos) < 0.25
    music_type = random.choice(["9.0", "4.0", "8.0", "7.0", ""], videos, p=_MUSIC)
    columns = {
        "video_id": np.arange(videos),
        "author_id": authors[world.author],
        "video_type": random.choice(["NORMAL", "AD", "UNKNOWN"], videos, p=_TYPES),
        "upload_dt": upload.astype(np.str_),
        "upload_type": random.choice(_UPLOADS, videos, p=_UPLOAD_SHARES),
        "visible_status": np.full(videos, "0.0"),
        "video_duration": np.where(
            random.random(videos) < 0.03,
            "",
            np.char.add(world.duration.astype(np.str_), ".0"),
        ),
        "server_width": np.where(wide, "1280.0", "720.0"),
        "server_height": np.where(wide, "720.0", "1280.0"),
        "music_id": np.where(random.random(videos) < 0.03, 0, music_id),
        "music_type": music_type,
        "tag": _tag_texts(world.tags),
    }
    return {name: values.tolist() for name, values in columns.items()}


_MUSIC = (0.88, 0.08, 0.01, 0.005, 0.025)
_TYPES = (0.988, 0.011, 0.001)
_UPLOADS = ("LongImport", "Web", "ShortImport", "Kmovie", "LongPicture", "UNKNOWN")
_UPLOAD_SHARES = (0.39, 0.32, 0.13, 0.12, 0.03, 0.01)


def _tag_texts(tags: Array) -> Array:
    texts = [",".join(str(tag + 1) for tag in row if tag >= 0) for row in tags.tolist()]
    return np.array(texts)
