"""What the name of a column says about it."""

import re
from collections.abc import Collection, Iterable, Mapping

USERS = (
    *("user", "visitor", "customer", "member", "viewer", "reader", "buyer", "shopper"),
    *("client", "person", "uid", "account", "session"),
)
ITEMS = (
    *("item", "video", "product", "movie", "article", "song", "track", "news", "post"),
    *("note", "book", "game", "ad", "creative", "sku", "listing", "photo", "recipe"),
    *("content", "document", "doc", "job", "hotel", "restaurant", "business"),
)
_KEYS = {"id", "key", "code", "hash", "uuid", "guid", "identifier"}
_CODES = _KEYS | {
    *("type", "category", "class", "kind", "tab", "zip", "zipcode", "postcode"),
    *("group", "segment", "cluster", "language", "country", "city", "region", "state"),
    *("device", "os", "browser", "platform", "channel", "source", "page", "slot"),
    *("brand", "genre", "tag"),
}
_AMOUNTS = {
    *("num", "count", "cnt", "amount", "price", "cost", "age", "duration", "ms"),
    *("sec", "seconds", "minutes", "hours", "days", "weeks", "months", "years"),
    *("length", "width", "height", "size", "score", "rate", "ratio", "percent"),
    *("average", "avg", "mean", "sum", "total", "value", "balance", "weight"),
    *("distance", "latitude", "longitude", "lat", "lon"),
}
# Task groups by what people do. If a name fits several, the last one counts.
GROUPS: Mapping[str, frozenset[str]] = {
    "inter": frozenset(
        {
            *("click", "clicked", "like", "liked", "follow", "followed", "share"),
            *("shared", "comment", "commented", "forward", "forwarded", "save"),
            *("saved", "favorite", "favourite", "collect", "collected", "hate"),
            *("dislike", "disliked", "skip", "skipped", "reply", "enter", "open"),
            *("opened", "hide", "report", "subscribe", "subscribed", "retweet"),
        }
    ),
    "watch": frozenset(
        {
            *("view", "viewed", "watch", "watched", "finish", "finished", "complete"),
            *("completed", "play", "played", "read", "listened"),
        }
    ),
    "shop": frozenset(
        {
            *("cart", "basket", "purchase", "purchased", "buy", "bought", "order"),
            *("ordered", "checkout", "convert", "converted", "conversion", "booked"),
            *("booking", "install", "installed", "returned"),
        }
    ),
}
_LABELS = frozenset().union(*GROUPS.values()) | {
    *("label", "target", "outcome", "response", "churn", "churned", "default", "y"),
    *("success", "accepted", "signup", "engaged"),
}
# Names of columns `is_...` that describe the row and are not outcomes.
_STATES = {
    *("weekend", "weekday", "holiday", "new", "mobile", "app", "member", "vip"),
    *("premium", "male", "female", "adult", "active", "lowactive", "author"),
    *("streamer", "live", "rand", "random", "test", "first", "logged", "registered"),
    *("sex", "gender"),
}
_RATINGS = {"rating", "score", "stars", "star"}
_SPENDING = {"play", "watch", "view", "stay", "dwell", "read", "listen", "engagement"}
_SPENT = {"time", "ms", "sec", "seconds", "duration", "ratio", "percent", "progress"}
_RESULTS = {"dwell", "revenue", "gmv", "earnings"}
_TIMES = {"time", "timestamp", "ts", "date", "datetime", "day", "dt", "at", "epoch"}
# Names of times that are not the row's.
_OTHER_TIMES = {
    *("created", "updated", "birth", "born", "registered", "registration", "signup"),
    *("joined", "upload", "uploaded", "published", "release", "released", "expires"),
    *("start", "end", "first", "last", "delivered", "shipped", "modified"),
}
# Names that a record column or an additional column cannot have.
_TAKEN = {"examples", "inputs", "self", "weights", "split", "numeric_features"}


def words(name: str) -> list[str]:
    """Splits a name into lower-case words: `user`, `id` for `userId` and `user_id`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    found = []
    for word in filter(None, re.split(r"[^a-z0-9]+", parted)):
        entity = word.removesuffix("id")
        is_joined = entity != word and entity in (*USERS, *ITEMS)
        found += [entity, "id"] if is_joined else [word]
    return found


def record_name(column: str, taken: Collection[str]) -> str:
    """The name of a column in records: its own, if it is valid there.

    Args:
        column: The column.
        taken: The names of all columns.
    """
    return column if _clean(column) == column else new_name(column, taken)


def new_name(name: str, taken: Collection[str]) -> str:
    """Makes a similar name that is valid in records and not in use."""
    clean, lower = _clean(name), {one.lower() for one in taken}
    numbered = (f"{clean}_{number}" for number in range(2, len(lower) + 3))
    return next(one for one in (clean, *numbered) if one.lower() not in lower)


def base_name(name: str) -> str:
    """The entity of a key: `user` for `user_id` and `userId`."""
    kept = [word for word in words(name) if word not in _KEYS]
    return "_".join(kept or words(name))


def entity_rank(name: str, entities: tuple[str, ...]) -> int | None:
    """The position among entity names, such as `USERS`; None for other names."""
    named = [word for word in words(name) if word not in _KEYS]
    return (
        entities.index(named[0]) if len(named) == 1 and named[0] in entities else None
    )


def is_code(name: str) -> bool:
    """Whether a whole number with this name is a code, not an amount."""
    found = words(name)
    if not found:
        return False
    return found[-1] in _CODES | {*USERS, *ITEMS} or "onehot" in found


def is_amount(name: str) -> bool:
    """Whether a number with this name is an amount."""
    found = words(name)
    return _any_of(found[-1:], _AMOUNTS) or "per" in found


def is_label(name: str) -> bool:
    """Whether zeros and ones with this name are an outcome."""
    found = words(name)
    if _any_of(found, _LABELS):
        return True
    return found[:1] == ["is"] and not is_state(name)


def is_state(name: str) -> bool:
    """Whether zeros and ones with this name describe a row, not an outcome."""
    return _any_of(words(name), _STATES)


def is_rating(name: str) -> bool:
    """Whether small numbers with this name are ratings."""
    return _any_of(words(name)[-1:], _RATINGS)


def is_outcome(name: str) -> bool:
    """Whether an amount with this name is known only after the ranking."""
    found = words(name)
    spent = _any_of(found, _SPENDING) and _any_of(found, _SPENT)
    return spent or _any_of(found, _RESULTS)


def is_row_weight(name: str) -> bool:
    """Whether a number with this name is the weight of a row."""
    found = words(name)
    return found[-1:] == ["weight"] and _any_of(found, {"sample", "instance", "row"})


def is_time(name: str) -> bool:
    """Whether this is the name of a time or a day."""
    return _any_of(words(name), _TIMES)


def is_other_time(name: str) -> bool:
    """Whether this is the name of a time that is not the row's."""
    return _any_of(words(name), _OTHER_TIMES)


def group_of(name: str) -> str:
    """The task group that the name of a task suggests."""
    found = words(name)
    fitting = [group for group, known in GROUPS.items() if _any_of(found, known)]
    return fitting[-1] if fitting else "main"


def _clean(name: str) -> str:
    clean = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.-") or "column"
    return f"{clean}_column" if clean.lower() in _TAKEN else clean


def _any_of(found: Iterable[str], known: Collection[str]) -> bool:
    return any(word in known or word.removesuffix("s") in known for word in found)
