"""Impressions of a synthetic KuaiRand, and what users did."""

from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.lab.synthetic.synthetic_world import World

Array = npt.NDArray[Any]
Random = np.random.Generator

# Positive rates, those of KuaiRand-Pure.
RATES = {
    "effective_view": 0.59,
    "long_view": 0.32,
    "finish": 0.17,
    "is_click": 0.45,
    "comment_open": 0.045,
    "is_profile_enter": 0.019,
    "is_like": 0.017,
    "is_comment": 0.0026,
    "is_follow": 0.0013,
    "is_forward": 0.0009,
    "is_hate": 0.0009,
}
# As the configuration of KuaiRand has them.
EFFECTIVE_VIEW_MS = 3000
FINISHED_SHARE = 0.95
LONG_VIEW_MS = 18_000
DRIFT = 0.3
HOUR_MS = 3_600_000

_TAB_SHARES = {1: 0.776, 0: 0.091, 4: 0.061, 2: 0.03, 6: 0.028, 8: 0.009, 12: 0.005}
_TAB_EFFECTS = {1: 0.2, 0: -1.5, 4: 0.5, 2: 0.1, 6: -1.0, 8: -1.5, 12: -0.8}
_HOURS = np.arange(24)
_HOUR_EFFECTS = 0.25 * np.cos((_HOURS - 22) * 2 * np.pi / 24)


def create_log(
    random: Random,
    world: World,
    *,
    rows: int,
    days: int,
    first_day: np.datetime64,
    density_gap: float,
) -> dict[str, Array]:
    """Draws impressions and outcomes.

    Args:
        random: Source of randomness.
        world: Users and videos.
        rows: Number of impressions, spread evenly over the days.
        days: Number of days.
        first_day: The first day.
        density_gap: How many times rarer all that follows a click is.

    Returns:
        The columns of `log_standard_*.csv`, in order, `(rows,)` each, sorted by
        `time_ms`. `duration_ms` is that of the world, whether known or not.
    """
    shown = _draw_impressions(random, world, rows, days)
    scores = _scores(world, shown, days)
    done = _watch(random, world, shown, scores)
    done.update(_interact(random, world, shown, scores, done, density_gap))
    del done["noise"]
    return _as_log(random, shown, done, first_day)


def _draw_impressions(
    random: Random, world: World, rows: int, days: int
) -> dict[str, Array]:
    busy = 1.0 + 0.7 * np.cos((_HOURS - 20) * 2 * np.pi / 24)
    return {
        "user": random.choice(len(world.activity), rows, p=world.activity),
        "video": random.choice(len(world.popularity), rows, p=world.popularity),
        "day": np.arange(rows) * days // rows,
        "hour": random.choice(_HOURS, rows, p=busy / busy.sum()),
        "tab": random.choice(list(_TAB_SHARES), rows, p=list(_TAB_SHARES.values())),
    }


def _scores(world: World, shown: dict[str, Array], days: int) -> Array:
    """Computes the score of every impression in both groups, `(groups, rows)`."""
    user, video = shown["user"], shown["video"]
    angle = DRIFT * np.pi / 2 * shown["day"][:, None] / max(days - 1, 1)
    tab_effects = np.zeros(15)
    tab_effects[list(_TAB_EFFECTS)] = list(_TAB_EFFECTS.values())
    context = tab_effects[shown["tab"]] + _HOUR_EFFECTS[shown["hour"]]
    scores = []
    for group in range(2):
        taste = np.cos(angle) * world.taste[group][user]
        taste += np.sin(angle) * world.later_taste[group][user]
        match = (taste * world.content[video]).sum(axis=1)
        own = world.quality[group][video] + world.bias[group][user]
        scores.append(0.8 * match + 0.5 * own + context)
    return np.stack(scores)


def _appeal(random: Random, world: World, shown: dict[str, Array]) -> Array:
    """Draws the appeal of videos for a single task, anew at each call."""
    appeal = random.standard_normal(len(world.duration))
    return np.asarray(0.4 * appeal[shown["video"]])


def _top(score: Array, allowed: Array, rate: float) -> Array:
    """Marks the best `rate` of all rows, among the allowed ones."""
    count = min(round(rate * len(score)), np.count_nonzero(allowed))
    order = np.argsort(np.where(allowed, -score, np.inf), kind="stable")
    chosen = np.zeros(len(score), np.bool_)
    chosen[order[:count]] = True
    return chosen


def _watch(
    random: Random, world: World, shown: dict[str, Array], scores: Array
) -> dict[str, Array]:
    rows = len(scores[0])
    noise = random.standard_normal(rows)
    duration = world.duration[shown["video"]]
    # Here whoever watches long has necessarily finished.
    short = duration * FINISHED_SHARE <= LONG_VIEW_MS
    length = np.log(duration / 60e3)

    def latent(length_effect: float) -> Array:
        own = random.standard_normal(rows)
        return np.asarray(
            scores[0]
            + _appeal(random, world, shown)
            + length_effect * length
            + 1.1 * noise
            + 0.7 * own
        )

    effective = _top(latent(-0.1), np.ones(rows, np.bool_), RATES["effective_view"])
    long = _top(latent(-0.1), effective, RATES["long_view"])
    eager = np.where(short, np.inf, latent(-0.8))
    finish = _top(eager, long, RATES["finish"]) | (long & short)
    play = _play_time(random, duration, effective, long, finish)
    return {
        "noise": noise,
        "long_view": long,
        "play_time_ms": play,
        "duration_ms": duration,
    }


def _play_time(
    random: Random, duration: Array, effective: Array, long: Array, finish: Array
) -> Array:
    """Draws play times in milliseconds that agree with the three watch tasks."""
    share = random.random(len(duration))
    almost = np.floor(FINISHED_SHARE * duration) - 1
    low = EFFECTIVE_VIEW_MS
    glimpse = np.where(random.random(len(duration)) < 0.25, 0, share * (low - 1))
    some = low + share**2 * (np.minimum(LONG_VIEW_MS - 1, almost) - low)
    much = LONG_VIEW_MS + share * (almost - LONG_VIEW_MS)
    all_of_it = duration * (1 + random.exponential(0.1, len(duration)))
    play = np.select([finish, long, effective], [all_of_it, much, some], glimpse)
    return np.asarray(play, np.int64)


def _interact(
    random: Random,
    world: World,
    shown: dict[str, Array],
    scores: Array,
    watched: dict[str, Array],
    density_gap: float,
) -> dict[str, Array]:
    rates = {task: rate / density_gap for task, rate in RATES.items()}
    noise = watched["noise"]
    rows = len(noise)

    def latent(shared_noise: float = 0.0) -> Array:
        own = random.standard_normal(rows)
        return np.asarray(
            scores[1]
            + _appeal(random, world, shown)
            + shared_noise * noise
            + np.sqrt(1.7 - shared_noise**2) * own
        )

    seen = watched["play_time_ms"] > 0
    done = {"is_click": _top(latent(0.8), seen, RATES["is_click"])}
    for task in ("comment_open", "is_profile_enter", "is_like", "is_follow"):
        done[task] = _top(latent(), done["is_click"], rates[task])
    done["is_forward"] = _top(latent(), done["is_click"], rates["is_forward"])
    opened = done.pop("comment_open")
    done["is_comment"] = _top(latent(), opened, rates["is_comment"])
    done["is_hate"] = _top(-latent(), ~done["is_like"], rates["is_hate"])
    stay = 1 + random.lognormal(8.6, 1.0, (2, rows)).astype(np.int64)
    done["comment_stay_time"] = np.where(opened, stay[0], 0)
    done["profile_stay_time"] = np.where(done["is_profile_enter"], stay[1], 0)
    return done


def _as_log(
    random: Random,
    shown: dict[str, Array],
    done: dict[str, Array],
    first_day: np.datetime64,
) -> dict[str, Array]:
    day = first_day + shown["day"]
    # Days begin at midnight in Beijing, 8 hours ahead; times are jittered by an hour.
    midnight = day.astype("datetime64[ms]").astype(np.int64) - 8 * HOUR_MS
    jitter = random.integers(-HOUR_MS // 2, HOUR_MS * 3 // 2, len(day))
    time = midnight + shown["hour"] * HOUR_MS + jitter
    columns = {
        "user_id": shown["user"],
        "video_id": shown["video"],
        "date": np.char.replace(day.astype(np.str_), "-", "").astype(np.int64),
        "hourmin": shown["hour"] * 100,
        "time_ms": time,
        **{name: done[name] for name in _OUTCOMES},
        "is_rand": np.zeros(len(day), np.int64),
        "tab": shown["tab"],
    }
    order = np.argsort(time, kind="stable")
    return {name: values[order].astype(np.int64) for name, values in columns.items()}


_OUTCOMES = (
    "is_click",
    "is_like",
    "is_follow",
    "is_comment",
    "is_forward",
    "is_hate",
    "long_view",
    "play_time_ms",
    "duration_ms",
    "profile_stay_time",
    "comment_stay_time",
    "is_profile_enter",
)
