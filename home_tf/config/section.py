"""Sections of the configuration, derived from constructors.

A section is a pydantic type. It is stricter than a plain type hint: an unknown key is
an error, a boolean is not a number, a number must be finite, and an integer is a size,
greater than 0 unless its hint has `Bounds`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import partial, reduce
from operator import or_
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
)

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    WrapValidator,
    create_model,
)
from pydantic_core import PydanticCustomError

from home_tf.config.keys import Key, keys_of, values_of
from home_tf.hints import Bounds, NotEmpty, Size

_STRICT = ConfigDict(extra="forbid", frozen=True)
_UNIONS = (Union, UnionType)


def section_of(
    constructor: Any,
    *,
    tag: str | None = None,
    build: Callable[[BaseModel], Any] | None = None,
    types: Mapping[Any, Any] | None = None,
) -> Any:
    """Makes the pydantic type of a section: from a mapping to the constructed object.

    Args:
        constructor: A class or a dataclass with keyword arguments.
        tag: The value of the key `type`, if the section has one.
        build: Builds the object from the checked values; by default the constructor is
            called with the given keys.
        types: The type of each hint that is a section of another kind.

    Returns:
        A pydantic type. A `ValueError` of the constructor becomes an error of the
        section.
    """
    keys: dict[str, Any] = {
        name: (_type_of(key, types or {}), _field(key))
        for name, key in keys_of(constructor).items()
    }
    if tag is not None:
        keys = {"type": (Literal[tag], ...), **keys}
    model = create_model(constructor.__name__, __config__=_STRICT, **keys)
    return Annotated[model, AfterValidator(build or partial(_construct, constructor))]


def tagged(sections: Mapping[str, Any], default: str | None = None) -> Any:
    """Makes a section whose key `type` selects one of several.

    Args:
        sections: The sections by `type`.
        default: The `type` of a section without one.
    """

    def with_type(value: Any) -> Any:
        return {"type": default, **value} if isinstance(value, dict) else value

    union: Any = Annotated[reduce(or_, sections.values()), Field(discriminator="type")]
    return union if default is None else Annotated[union, BeforeValidator(with_type)]


def _construct(constructor: Any, section: BaseModel) -> Any:
    """Calls a constructor with the keys in the file, without the tag."""
    names = section.model_fields_set & keys_of(constructor).keys()
    # In the order of the keys, which a set does not keep.
    return constructor(**{name: value for name, value in section if name in names})


def _field(key: Key) -> Any:
    if key.required:
        return Field()
    # For a named default, such as an expert's, all keys are wanted.
    return Field(default=key.default, validate_default=isinstance(key.default, str))


def _type_of(key: Key, types: Mapping[Any, Any]) -> Any:
    named = _named_section(key)
    return named or _strict(key.hint, types)


def _strict(hint: Any, types: Mapping[Any, Any]) -> Any:
    """Adds to a type hint what makes pydantic strict."""
    if hint in types:
        return types[hint]
    strict = partial(_strict, types=types)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        kind, *rules = arguments
        kind = _number(kind) if kind in (int, float) else strict(kind)
        return reduce(lambda inner, rule: Annotated[inner, _limit(rule)], rules, kind)
    if hint is int:
        return strict(Size)
    if hint is float:
        return _number(float)
    if origin in _UNIONS:
        return _strict_union(tuple(map(strict, arguments)), hint)
    if origin is Sequence:
        return tuple[strict(arguments[0]), ...]  # type: ignore[misc]
    if origin is tuple:
        return tuple[tuple(x if x is Ellipsis else strict(x) for x in arguments)]  # type: ignore[misc]
    if origin is Mapping:
        return dict[tuple(map(strict, arguments))]  # type: ignore[misc]
    return section_of(hint, types=types) if is_dataclass(hint) else hint


def _strict_union(strict: tuple[Any, ...], hint: Any) -> Any:
    union = reduce(or_, strict)
    members = [one for one in get_args(hint) if one is not NoneType]
    if len(members) == 1:
        return union
    *first, last = [_describe(one) for one in members]
    rule = f"must be {', '.join(first)} or {last}"

    def one_of(value: Any, check: Callable[[Any], Any]) -> Any:
        # For a union, pydantic reports one problem per member.
        try:
            return check(value)
        except ValidationError:
            raise PydanticCustomError("rule", rule) from None

    return Annotated[union, WrapValidator(one_of)]


def _describe(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is int:
        return "a whole number greater than 0"
    if hint is str:
        return "text"
    if hint is float:
        return "a number"
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple and Ellipsis not in arguments:
        return f"a list of {len(arguments)}"
    return "a list" if origin in (tuple, Sequence) else "a mapping, `key: value`"


def _named_section(key: Key) -> Any:
    """Makes the type of an argument that is a dataclass or its name, else None.

    Keys that are left out are taken from the argument's default.
    """
    members = get_args(key.hint) if get_origin(key.hint) in _UNIONS else ()
    kinds = [one for one in members if is_dataclass(one)]
    names = [x for one in members if get_origin(one) is Literal for x in get_args(one)]
    if len(kinds) != 1 or not names:
        return None
    kind: Any = kinds[0]
    *first, last = map(repr, names)
    rule = f"must be {', '.join(first)}, {last} or a mapping, `key: value`"

    def complete(value: Any) -> Any:
        if isinstance(value, str) and value in names:
            return values_of(kind.of(value))
        if isinstance(value, dict):
            return {**values_of(kind.of(key.default)), **value}
        raise PydanticCustomError("rule", rule)

    return Annotated[section_of(kind), BeforeValidator(complete)]


def _number(kind: Any) -> Any:
    return Annotated[int if kind is int else FiniteFloat, BeforeValidator(_no_truth)]


def _no_truth(value: Any) -> Any:
    # To pydantic `true` is 1.
    if isinstance(value, bool):
        raise PydanticCustomError("rule", "must be a number")
    return value


def _limit(rule: Any) -> Any:
    if isinstance(rule, Bounds):
        return Field(gt=rule.above, ge=rule.at_least, lt=rule.below)
    return Field(min_length=1) if isinstance(rule, NotEmpty) else rule
