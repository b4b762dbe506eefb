"""Analysing files column by column to draft a configuration."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from home_tf.engines import Engine, Table
from home_tf.errors import HomeError
from home_tf.init.column_profile import ColumnProfile, profile_column, take_sample
from home_tf.init.draft import Draft
from home_tf.init.feature_guess import FeatureGuess, GuessFeature
from home_tf.init.history_guess import HistoryGuess, guess_history
from home_tf.init.joins import Joins, find_joins
from home_tf.init.labels import Label, find_labels, is_named_label
from home_tf.init.leaks import measure_alone
from home_tf.init.names import (
    ITEMS,
    USERS,
    entity_rank,
    record_name,
    words,
)
from home_tf.init.row_time import RowTime, TimeColumn, choose_time, find_times
from home_tf.init.sources import Source, read_sources
from home_tf.prepare.derive import derive

_SPLITS = {"train", "validation", "test"}
# A column with this AUC on its own is the label; with the second one, it is doubtful.
_LEAK, _DOUBTFUL = 0.98, 0.9
# Days after which every weekday has occurred twice.
_TWO_WEEKS = 14


@dataclass(frozen=True)
class Given:
    """What the user gives, so that it is not guessed.

    Attributes:
        labels: The columns of the labels.
        user: The column of the user.
        item: The column of the item.
        time: The column of the time.
        types: Types of CSV columns, as DuckDB names them.
    """

    labels: Sequence[str] = ()
    user: str | None = None
    item: str | None = None
    time: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)


def draft_files(engine: Engine, files: Sequence[str], given: Given) -> Draft:
    """Drafts the configuration of files.

    Args:
        engine: Where it is done.
        files: CSV, gzip CSV or Parquet files, or patterns of them.
        given: What must not be guessed.

    Raises:
        HomeError: If a file is missing or cannot be read, a table cannot be joined,
            there is no label, or a given column does not exist.
    """
    sources = read_sources(engine, files, given.types)
    return _Drafting(engine, find_joins(sources), given).draft()


class _Drafting:
    """The steps of one call of `draft_files`."""

    def __init__(self, engine: Engine, joins: Joins, given: Given) -> None:
        self._engine = engine
        self._joins = joins
        self._given = given
        self._log = joins.log
        self._samples: dict[str, Table] = {}
        self._profiles = [
            profile
            for source in (joins.log, *(join.source for join in joins.tables))
            for profile in self._look_at(source)
        ]
        self._of_log = [one for one in self._profiles if one.source == joins.log.name]

    def draft(self) -> Draft:
        """Puts the findings together."""
        labels = self._find_labels()
        times, time = self._find_times()
        user = self._find_entity("user", self._given.user, USERS)
        item = self._find_entity("item", self._given.item, ITEMS)
        split = self._find_split_column()
        no_features: set[str | None] = {split, *(label.column for label in labels)}
        if time is not None:
            no_features.add(time.time.column)
            no_features.add(time.day.column if time.day else None)
        for name in (no_features & {user, item}) - {None}:
            raise HomeError(f"`{name}` cannot be a user or item id and something else")
        guesses = list(self._guess(labels, times, time, user, item, no_features))
        guesses += self._guess_context(time, [guess.name for guess in guesses])
        guesses = self._without_leaks(guesses, labels, {user, item})
        return self._finish(guesses, labels, time, user, item, split)

    def _look_at(self, source: Source) -> Iterator[ColumnProfile]:
        sample = take_sample(
            self._engine, f"sample_{source.name}", source.table, source.rows
        )
        self._samples[source.name] = sample
        for column, name in self._joins.names[source.name].items():
            yield profile_column(
                source.name, name, source.table[column], sample[column]
            )

    def _find_labels(self) -> list[Label]:
        taken = [profile.column for profile in self._profiles]
        return find_labels(self._of_log, self._given.labels, taken)

    def _find_times(self) -> tuple[dict[str, TimeColumn], RowTime | None]:
        times = find_times(self._profiles, self._joins.rows)
        of_log = [times[p.column] for p in self._of_log if p.column in times]
        log = self._log.table
        return times, choose_time(self._engine, log, of_log, self._given.time)

    def _find_entity(
        self, option: str, given: str | None, entities: tuple[str, ...]
    ) -> str | None:
        """Finds the log's column of the user or the item."""
        if given is not None:
            _check_column(f"--{option}", given, self._of_log)
            return given
        ranks = {
            profile.column: entity_rank(profile.column, entities)
            for profile in self._of_log
            if _may_be_entity(profile)
        }
        named = {name: rank for name, rank in ranks.items() if rank is not None}
        return min(named, key=lambda name: named[name], default=None)

    def _find_split_column(self) -> str | None:
        named = (one.column for one in self._of_log if set(one.values) == _SPLITS)
        return next(named, None)

    def _guess(
        self,
        labels: Sequence[Label],
        times: Mapping[str, TimeColumn],
        time: RowTime | None,
        user: str | None,
        item: str | None,
        no_features: set[str | None],
    ) -> Iterator[FeatureGuess]:
        """Guesses the features of all columns."""
        tables = self._joins.tables
        guess = GuessFeature(
            log=self._log.name,
            rows=self._log.rows,
            matched={join.source.name: join.matched for join in tables},
            keys={join.source.name: " and ".join(join.key) for join in tables},
            ids=frozenset(filter(None, (user, item))),
        )
        taken = [profile.column for profile in self._profiles]
        taken += [label.name for label in labels]
        for profile in self._profiles:
            column = profile.column
            if column in no_features:
                continue
            name = record_name(column, taken)
            taken.append(name)
            if column in times:
                yield self._guess_of_time(times[column], name, time, profile)
            elif profile.source == self._log.name and is_named_label(profile):
                rarer = min(profile.values.values())
                reason = f"named like an outcome; its rarest value is in {rarer:,} rows"
                yield FeatureGuess(column, name, None, reason)
            else:
                yield guess.guess(profile, name)

    def _guess_of_time(
        self,
        other: TimeColumn,
        name: str,
        time: RowTime | None,
        profile: ColumnProfile,
    ) -> FeatureGuess:
        """Guesses a feature from another time: how long before the row it was."""
        left_out = FeatureGuess(
            other.column, name, None, f"{other.what}, and no number"
        )
        if time is None:
            return left_out
        sql = f"date_diff('day', {other.date}, {time.date})"
        rows = derive(self._engine, self._joins.rows, {"__since": sql}, key="time")
        later = (rows["__since"] < 0).mean().to_pyarrow().as_py()
        if later is None or later > 0.01:
            reason = f"{other.what}, later than the row's own: an outcome?"
            return replace(left_out, why=reason)
        kept = [
            word for word in words(name) if word not in ("date", "dt", "time", "at")
        ]
        feature = {"type": "numeric", "transform": "log1p", "nullable": True}
        return FeatureGuess(
            other.column,
            f"days_since_{'_'.join(kept) or name}",
            feature,
            f"{other.what}, as days before the row",
            f"greatest({sql}, 0)",
        )

    def _guess_context(
        self, time: RowTime | None, taken: Sequence[str]
    ) -> Iterator[FeatureGuess]:
        """Adds the hour and the weekday of a row, unless the log has them."""
        said = {word for name in taken for word in words(name)}
        feature = {"type": "categorical", "width": 4}
        if time is None:
            return
        if not time.time.is_day and not said & {"hour", "hourmin", "hours"}:
            sql = f"hour({time.time.sql})"
            yield FeatureGuess(_MADE, "hour", feature, "of the time, in UTC", sql)
        if time.days >= _TWO_WEEKS and not said & {"weekday", "weekend", "dow"}:
            sql = f"isodow({time.date})"
            yield FeatureGuess(_MADE, "weekday", feature, "1 is Monday", sql)

    def _without_leaks(
        self,
        guesses: Sequence[FeatureGuess],
        labels: Sequence[Label],
        keys: set[str | None],
    ) -> list[FeatureGuess]:
        """Leaves out columns that are the label in disguise."""
        lists = {one.column for one in self._of_log if one.is_list}
        looked_at = {one.column for one in self._of_log} - lists - keys
        has_ranges = {
            guess.column: guess.feature["type"] == "numeric"
            for guess in guesses
            if guess.feature and guess.column in looked_at
        }
        sample = self._samples[self._log.name]
        found = measure_alone(self._engine, sample, has_ranges, labels)
        return [_judge(guess, *found.get(guess.column, (0.0, ""))) for guess in guesses]

    def _finish(
        self,
        guesses: Sequence[FeatureGuess],
        labels: list[Label],
        time: RowTime | None,
        user: str | None,
        item: str | None,
        split: str | None,
    ) -> Draft:
        features = [guess for guess in guesses if guess.feature]
        names = {guess.column: guess.name for guess in features}
        user, item = user and names[user], item and names[item]
        history = HistoryGuess()
        if time is not None and time.period:
            taken = [*names.values(), *(label.name for label in labels)]
            history = guess_history(user, item, labels, taken)
        if not features and not history.features:
            raise HomeError(_explain_no_feature(guesses))
        return Draft(
            self._joins,
            labels,
            user,
            item,
            time,
            split,
            features,
            [guess for guess in guesses if not guess.feature],
            history,
            self._of_request(features, history, user, item),
            dict(self._given.types),
        )

    def _of_request(
        self,
        features: Sequence[FeatureGuess],
        history: HistoryGuess,
        user: str | None,
        item: str | None,
    ) -> list[str]:
        """Finds the features that all candidates of a request share, if possible."""
        if user is None or item is None:
            return []
        (column,) = (guess.column for guess in features if guess.name == user)
        tables = [join for join in self._joins.tables if join.key == (column,)]
        of_user = {
            name
            for join in tables
            for name in self._joins.names[join.source.name].values()
        }
        return [
            *(g.name for g in features if g.column in {column, _MADE, *of_user}),
            *history.of_user,
        ]


# The column of what is made of the time.
_MADE = ""


def _may_be_entity(profile: ColumnProfile) -> bool:
    is_id = profile.is_whole or profile.type.is_string() or profile.type.is_uuid()
    known = profile.rows - profile.missing
    repeats = profile.distinct > 1 and known >= 2 * profile.distinct
    return is_id and repeats and not profile.is_list


def _check_column(option: str, name: str, profiles: Sequence[ColumnProfile]) -> None:
    columns = [profile.column for profile in profiles]
    if name not in columns:
        raise HomeError(
            f"`{option}`: no column `{name}` in the log. Its columns are: "
            f"{', '.join(columns)}"
        )


def _explain_no_feature(left_out: Sequence[FeatureGuess]) -> str:
    reasons = "; ".join(f"`{guess.column}`: {guess.why}" for guess in left_out)
    return (
        f"no column can be a feature ({reasons or 'there are only labels'}). Name the "
        "labels by `--label`, or give files with more columns"
    )


def _judge(guess: FeatureGuess, auc: float, label: str) -> FeatureGuess:
    if auc > _LEAK:
        why = f"alone it has an AUC of {auc:.3f} for {label}: it comes from the outcome"
        return replace(guess, feature=None, made_of=None, why=why)
    if auc > _DOUBTFUL:
        why = f"{guess.why}; alone AUC {auc:.2f} for {label}: known before?"
        return replace(guess, why=why)
    return guess
