"""The signatures of an export, name by name: clients are written against them."""

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

# Of the small configuration: what prepared logs have is int64, float32 or string; a
# history has 5 entries, a video up to 3 tags.
USER = {
    "user_id": "int64 (n)",
    "user_active_degree": "string (n)",
    "user_watched_videos": "int64 (n, 5)",
    "user_liked_videos": "int64 (n, 5)",
    "user_is_click_rate": "float32 (n)",
}
VIDEO = {
    "video_id": "int64 (n)",
    "author_id": "int64 (n)",
    "tag": "int64 (n, 4)",
    "duration_ms": "int64 (n)",
    "video_impressions": "int64 (n)",
}
ONE_USER = {name: spec.replace("n", "1", 1) for name, spec in USER.items()}
PROBABILITIES = {
    "long_view": "float32 (n)",
    "is_click": "float32 (n)",
    "is_like": "float32 (n)",
    "score": "float32 (n)",
}
