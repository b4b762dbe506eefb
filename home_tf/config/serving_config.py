"""The section `serving`: requests and outputs of an export."""

from dataclasses import dataclass
from typing import Literal

from home_tf.config.candidates_config import CandidatesConfig
from home_tf.config.score_config import ScoreConfig
from home_tf.hints import check_fields

Calibration = Literal["none", "platt", "isotonic"]
"""How an export corrects its probabilities: not, by Platt scaling, or isotonic."""


@dataclass(frozen=True, kw_only=True)
class ServingConfig:
    """Requests and outputs of an export.

    Attributes:
        request_features: Features that are the same for all candidates of a request,
            those of the user and the context; names or patterns such as `user_*`. The
            signature `rank` takes their columns once; it needs at least one.
        candidates: Candidates stored in the export, below, which the signature
            `rank_by_id` looks up; without them there is no such signature.
        calibration: How each task's probabilities are calibrated on the validation
            rows: `platt`, `isotonic` or `none`. The ranking by a single task does not
            change, but the ranking by `score`, which combines tasks, may.
        score: The output `score` of all signatures, below; without it there is none.
    """

    request_features: tuple[str, ...] = ()
    candidates: CandidatesConfig | None = None
    calibration: Calibration = "none"
    score: ScoreConfig | None = None

    def __post_init__(self) -> None:
        check_fields(self)
