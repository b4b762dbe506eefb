"""The section `data.split`: which rows are for training, validation and testing."""

from dataclasses import dataclass
from typing import Annotated, Literal

from home_tf.errors import HomeError
from home_tf.hints import Bounds, check_fields

NO_TEST = "none"


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Which rows are for training, validation and testing.

    Attributes:
        by: `days`: one day validates, a later one tests, and all days before both
            train. `time`: rows from one time on validate, rows from a later time on
            test. `shares`: the last rows in time validate and test, or random rows if
            there is no time. `column`: a column says `train`, `validation` or `test`.
        validation: The day, such as 20220505, the time, or the share that validates; by
            default the day before the test day, or a share of 0.1.
        test: The day, the time or the share that tests; by default the last day, or a
            share of 0.1. With `none` there are no test rows, and the last day validates
            (`days`).
        first: The first training day; rows of earlier days only serve as history
            (`days`).
        shift: By how many test shares the validation and test rows are moved earlier,
            as in the folds of a comparison (`shares`). Rows after them are left out, or
            train if there is no time.
        column: The column with the split's name (`column`).
    """

    by: Literal["days", "time", "shares", "column"] = "days"
    validation: int | float | str | None = None
    test: int | float | str | None = None
    first: int | str | None = None
    shift: Annotated[int, Bounds(at_least=0)] = 0
    column: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if (self.by == "column") != (self.column is not None):
            raise HomeError("`column` and `by: column` require each other")
        if self.by == "column" and (self.validation, self.test) != (None, None):
            raise HomeError(
                "`validation` and `test` cannot be combined with `by: column`"
            )
        if self.first is not None and self.by != "days":
            raise HomeError("`first` requires `by: days`")
        if self.shift and self.by != "shares":
            raise HomeError("`shift` requires `by: shares`")
        if self.test == NO_TEST and self.by != "days":
            raise HomeError("`test: none` requires `by: days`")
        if self.by == "time" and None in (self.validation, self.test):
            raise HomeError("`by: time` needs `validation` and `test`, two times")
        if self.by == "shares":
            self._check_shares()

    @property
    def shares(self) -> tuple[float, float]:
        """The shares of the validation and the test rows."""
        given = (self.validation, self.test)
        first, second = (0.1 if share is None else share for share in given)
        return float(first), float(second)

    def _check_shares(self) -> None:
        try:
            validation, test = self.shares
            held_out = validation + (self.shift + 1) * test
            fits = validation > 0 and test > 0 and held_out < 1
        except ValueError:
            fits = False
        if not fits:
            shifted = f", `shift` {self.shift}" if self.shift else ""
            raise HomeError(
                "`validation` and `test` must be shares above 0 that leave rows to "
                f"train on. Received: {self.validation} and {self.test}{shifted}"
            )
