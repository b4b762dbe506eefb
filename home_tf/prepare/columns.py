"""The columns of a prepared KuaiRand folder."""

from home_tf.data import Column
from home_tf.prepare.point_in_time import ENTITIES, SEQUENCES
from home_tf.prepare.read_features import (
    TAGS,
    USER_CATEGORIES,
    USER_CODES,
    USER_NUMBERS,
    VIDEO_CATEGORIES,
    VIDEO_CODES,
    VIDEO_IDS,
    VIDEO_NUMBERS,
)
from home_tf.prepare.tasks import TASKS

# What an impression itself brings along, beside its user and its video.
CONTEXT_CODES = ("tab", "hour", "is_weekend")
CONTEXT_NUMBERS = ("duration_ms", "video_age_days")

USER_VOCABULARIES = (*USER_CATEGORIES, *USER_CODES)
VIDEO_VOCABULARIES = (*VIDEO_IDS, *VIDEO_CATEGORIES, *VIDEO_CODES, "tag")

HISTORY_NUMBERS = tuple(
    f"{entity}_{name}"
    for entity in ENTITIES
    for name in ("impressions", *(f"{task}_rate" for task in TASKS))
)
NUMBERS = (*CONTEXT_NUMBERS, *USER_NUMBERS, *VIDEO_NUMBERS, *HISTORY_NUMBERS)


def columns(history_length: int) -> dict[str, Column]:
    """Lists the columns that `prepare` writes.

    Outcomes of an impression (times, `is_hate`, labels) are in none of them but the
    labels. `date` is for splits and tests, never a feature.

    Args:
        history_length: Length of a user's sequences of videos.

    Returns:
        The columns by name: ids, codes, categories, sequences, numbers, the date and
        the labels.
    """
    return {
        **dict.fromkeys(("user_id", "video_id", *VIDEO_IDS), Column("int64")),
        **dict.fromkeys(CONTEXT_CODES, Column("int32")),
        **dict.fromkeys(USER_CATEGORIES, Column("string")),
        **dict.fromkeys(VIDEO_CATEGORIES, Column("string")),
        **dict.fromkeys((*USER_CODES, *VIDEO_CODES), Column("int32")),
        "tag": Column("int32", (TAGS,)),
        **dict.fromkeys(SEQUENCES, Column("int64", (history_length,))),
        **dict.fromkeys(NUMBERS, Column("float32")),
        "date": Column("int32"),
        **dict.fromkeys(TASKS, Column("float32")),
    }
