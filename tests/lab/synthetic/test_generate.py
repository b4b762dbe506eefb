import hashlib

import numpy as np
import pytest

from home_tf.errors import HomeError
from home_tf.lab.synthetic import generate

LOG = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,"
    "is_forward,is_hate,long_view,play_time_ms,duration_ms,profile_stay_time,"
    "comment_stay_time,is_profile_enter,is_rand,tab"
)
USERS = (
    "user_id,user_active_degree,is_lowactive_period,is_live_streamer,is_video_author,"
    "follow_user_num,follow_user_num_range,fans_user_num,fans_user_num_range,"
    "friend_user_num,friend_user_num_range,register_days,register_days_range,"
    + ",".join(f"onehot_feat{number}" for number in range(18))
)
VIDEOS = (
    "video_id,author_id,video_type,upload_dt,upload_type,visible_status,"
    "video_duration,server_width,server_height,music_id,music_type,tag"
)
FILES = {
    "log_standard_4_25_to_5_06_synthetic.csv.gz": LOG,
    "user_features_synthetic.csv": USERS,
    "video_features_basic_synthetic.csv": VIDEOS,
}


@pytest.fixture
def generated(tmp_path, read_csv):
    """The log columns, as integers, of a source generated with some arguments."""

    def columns(**arguments):
        folder = tmp_path / "-".join(map(str, ["made", *arguments.values()]))
        generate(folder, **{"rows": 40_000, **arguments})
        (file,) = folder.glob("log_standard*")
        rows = read_csv(file)
        return {name: np.array([int(row[name]) for row in rows]) for name in rows[0]}

    return columns


def digest(folder):
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
    }


def test_writes_the_published_files_and_columns(tmp_path, read_csv):
    generate(tmp_path / "made", rows=500)
    headers = {
        file.name: ",".join(read_csv(file)[0]) for file in (tmp_path / "made").iterdir()
    }
    assert headers == FILES


def test_real_files_have_the_same_columns(real_source, read_csv):
    for prefix, header in {
        "log_standard": LOG,
        "user_features_": USERS,
        "video_features_basic_": VIDEOS,
    }.items():
        file = next(real_source.glob(f"{prefix}*"))
        assert ",".join(read_csv(file)[0]) == header


def test_the_seed_decides_every_byte(tmp_path):
    for name, seed in {"one": 1, "same": 1, "other": 2}.items():
        generate(tmp_path / name, users=50, videos=40, rows=2_000, seed=seed)
    one, same, other = (digest(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    assert all(one[name] != other[name] for name in one)


def test_positive_rates_span_the_density_gap_of_the_real_data(generated):
    log = generated()
    known = log["duration_ms"] > 0
    finished = log["play_time_ms"] >= 0.95 * log["duration_ms"]
    rates = {
        "effective_view": (log["play_time_ms"] >= 3000).mean(),
        "finish": finished[known].mean(),
        "comment_open": (log["comment_stay_time"] > 0).mean(),
        **{name: log[name].mean() for name in log if name.startswith("is_")},
        "long_view": log["long_view"].mean(),
    }
    expected = {
        "effective_view": 0.59,
        "is_click": 0.45,
        "long_view": 0.32,
        "finish": 0.17,
        "comment_open": 0.045,
        "is_profile_enter": 0.019,
        "is_like": 0.017,
        "is_comment": 0.0026,
        "is_follow": 0.0013,
        "is_forward": 0.0009,
        "is_hate": 0.0009,
        "is_rand": 0.0,
    }
    assert rates == pytest.approx(expected, rel=0.03)


def test_interactions_are_as_much_rarer_as_the_density_gap_says(generated):
    usual, rare, frequent = (generated(density_gap=gap) for gap in (1.0, 4.0, 0.25))
    assert rare["is_like"].sum() == pytest.approx(usual["is_like"].sum() / 4, abs=1)
    more = frequent["comment_stay_time"] > 0
    assert more.mean() == pytest.approx(4 * 0.045, rel=0.03)
    for name in ("is_click", "long_view"):
        assert rare[name].sum() == frequent[name].sum() == usual[name].sum()


def test_outcomes_of_an_exposure_agree_with_each_other(generated):
    log = generated()
    play, duration, long = log["play_time_ms"], log["duration_ms"], log["long_view"] > 0
    known = duration > 0
    assert 0.01 < 1 - known.mean() < 0.06
    needed = np.minimum(duration, 18_000)
    np.testing.assert_array_equal((play >= needed)[known], long[known])
    clicked = log["is_click"] > 0
    for name in ("is_like", "is_follow", "is_forward", "is_profile_enter"):
        assert clicked[log[name] > 0].all()
    assert (log["comment_stay_time"] > 0)[log["is_comment"] > 0].all()
    assert (play > 0)[clicked].all()
    assert not (log["is_like"] & log["is_hate"]).any()


def test_groups_follow_each_other_as_their_correlation_says(generated):
    def agreement(correlation):
        log = generated(group_correlation=correlation)
        return np.corrcoef(log["play_time_ms"] >= 3000, log["is_click"])[0, 1]

    opposed, unrelated, alike = map(agreement, (-0.9, 0.0, 0.9))
    assert opposed + 0.1 < unrelated < alike - 0.1


def test_what_a_video_was_like_predicts_what_it_will_be_like(generated):
    log = generated(users=60, videos=40)

    def rates(days):
        chosen = np.isin(log["date"], days)
        shown = np.bincount(log["video_id"][chosen], minlength=40)
        return np.bincount(log["video_id"][chosen], log["is_click"][chosen], 40) / shown

    first, last = rates([20220425, 20220426]), rates([20220505, 20220506])
    assert np.corrcoef(first, last)[0, 1] > 0.7


def test_users_and_videos_are_unevenly_active(generated):
    log = generated()
    for name in ("user_id", "video_id"):
        counts = np.sort(np.bincount(log[name]))[::-1]
        assert counts[: len(counts) // 10].sum() > 0.25 * counts.sum()


def test_a_generated_folder_is_replaced(tmp_path):
    for seed in (1, 2):
        generate(tmp_path / "made", users=50, videos=40, rows=200, seed=seed)
    generate(tmp_path / "other", users=50, videos=40, rows=200, seed=2)
    assert digest(tmp_path / "made") == digest(tmp_path / "other")


def test_every_day_and_month_end_is_covered(tmp_path, read_csv):
    generate(tmp_path / "made", rows=100, days=4, first_date=20240227)
    (file,) = (tmp_path / "made").glob("log_standard_2_27_to_3_01_*")
    dates = sorted({row["date"] for row in read_csv(file)})
    assert dates == ["20240227", "20240228", "20240229", "20240301"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"users": 0}, "`users` must be at least 1. Received: 0"),
        ({"days": 2}, "`days` must be at least 3. Received: 2"),
        ({"rows": 5}, "`rows` must be at least 12. Received: 5"),
        ({"group_correlation": 1.5}, "`group_correlation` .* Received: 1.5"),
        ({"density_gap": 0.0}, "`density_gap` must be at least 0.1. Received: 0"),
        ({"density_gap": float("nan")}, "`density_gap` .* Received: nan"),
        ({"first_date": 20220431}, "Received: 20220431"),
    ],
)
def test_arguments_are_checked(tmp_path, arguments, message):
    with pytest.raises(HomeError, match=message):
        generate(tmp_path / "made", **arguments)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(HomeError, match="new, empty"):
        generate(tmp_path, rows=100)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
