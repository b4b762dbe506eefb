"""A configuration for the layout of KuaiRand, which generated logs have."""

import re
from pathlib import Path

from home_tf.config import load_config, override_config
from home_tf.config.schema import to_values

CONFIG = Path(__file__).parents[2] / "pipelines" / "kuairand.yaml"
# Compiling their query takes most of the time on small logs.
WITHOUT = re.compile(
    r".*_(effective_view|comment_open|is_profile_enter|is_comment|is_follow|is_forward)"
    r"_rate"
)


def kuairand_config(*, length=20, prior=20.0, **split):
    """The pipeline's configuration, with the rates of half of the tasks.

    Args:
        length: The length of the history lists.
        prior: The prior of the history's rates.
        **split: Another split by days.
    """
    features = to_values(load_config(CONFIG))["features"]
    features = {
        name: values for name, values in features.items() if not WITHOUT.fullmatch(name)
    }
    overrides = {
        "features": features,
        **{
            f"data.history_lists.{name}.length": length
            for name in ("user_watched_videos", "user_liked_videos")
        },
        **{f"data.history.{n}.prior": prior for n in ("user", "video", "author")},
    }
    if split:
        overrides["data.split"] = {"by": "days", **split}
    return override_config(load_config(CONFIG), overrides)
