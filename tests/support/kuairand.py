"""The configuration of KuaiRand, whose layout generated logs have."""

from pathlib import Path

from home_tf.config import load_config

CONFIG = Path(__file__).parents[2] / "pipelines" / "kuairand.yaml"


def kuairand_config(*, length=20, prior=20.0, **split):
    """The configuration, with lists of a length, a prior and another split."""
    overrides = {
        **{
            f"data.history_lists.{name}.length": length
            for name in ("user_watched_videos", "user_liked_videos")
        },
        **{f"data.history.{n}.prior": prior for n in ("user", "video", "author")},
    }
    if split:
        overrides["data.split"] = {"by": "days", **split}
    return load_config(CONFIG, overrides)
