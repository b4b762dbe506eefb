"""Sections from constructors: signatures give keys, types and defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from home_tf.config.docs import make_table
from home_tf.config.keys import keys_of, values_of
from home_tf.config.section import section_of, tagged
from home_tf.errors import HomeError
from home_tf.hints import Bounds, NotEmpty, Share, check_fields


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel.

    Attributes:
        size: Its size,
            in inches.
        kind: `road` or `mountain`.
        pressure: From 0, and less than 1.
    """

    size: int
    kind: Literal["road", "mountain"] = "road"
    pressure: Share = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        if self.size == 13:
            raise HomeError(f"`size` must not be unlucky. Received: {self.size}")

    @classmethod
    def of(cls, value: Any) -> "Wheel":
        sizes = {"small": 20, "large": 29}
        return value if isinstance(value, cls) else cls(size=sizes[value])


class Bicycle:
    """A bicycle.

    Args:
        task_groups: No key.
        wheel: What a wheel is.
        gears: Number of gears.
        widths: Of the tyres.
        weight: In kilograms.
        price: A number, two, or `"free"`.
        owners: At least one.
        seed: From 0.
        paint: No key.
        **kwargs: No keys.
    """

    def __init__(
        self,
        task_groups: Mapping[str, Any],
        *,
        wheel: Wheel | Literal["small", "large"] = "small",
        gears: int = 3,
        widths: Sequence[int] = (28, 28),
        weight: float | None = None,
        price: int | tuple[int, int] | Literal["free"] = "free",
        owners: Annotated[tuple[str, ...], NotEmpty()] = ("nobody",),
        seed: Annotated[int, Bounds(at_least=0, below=8)] = 0,
        electric: bool = False,
        paint: Any = None,
        **kwargs: Any,
    ) -> None: ...


def read(constructor, values):
    section = section_of(constructor, build=dict)
    return TypeAdapter(section).validate_python(values)


def problem(constructor, values):
    with pytest.raises(ValidationError) as error:
        read(constructor, values)
    (one,) = error.value.errors(include_url=False)
    return one["loc"], one["msg"]


def test_keys_are_the_arguments_that_a_file_can_give():
    assert list(keys_of(Bicycle)) == [
        "wheel", "gears", "widths", "weight", "price", "owners", "seed", "electric",
    ]  # fmt: skip
    assert keys_of(Bicycle)["gears"].default == 3
    assert keys_of(Wheel)["size"].required


def test_defaults_are_those_of_the_signature():
    values = read(Bicycle, {})
    assert values["gears"] == 3
    assert values["widths"] == (28, 28)
    assert values["wheel"] == Wheel(size=20)


def test_lists_and_numbers_of_a_file_are_converted():
    values = read(Bicycle, {"widths": [25], "weight": 8, "price": [1, 2]})
    assert values["widths"] == (25,)
    assert values["weight"] == 8.0
    assert values["price"] == (1, 2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bell": 1}, "Extra inputs"),
        ({"gears": 0}, "greater than 0"),
        ({"gears": True}, "must be a number"),
        ({"gears": 1.5}, "valid integer"),
        ({"weight": True}, "must be a number"),
        ({"weight": float("inf")}, "finite number"),
        ({"seed": 8}, "less than 8"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"owners": []}, "at least 1 item"),
        (
            {"price": "cheap"},
            "must be a whole number greater than 0, a list of 2 or 'free'",
        ),
        ({"price": [1, 2, 3]}, "a list of 2"),
        (
            {"wheel": "huge"},
            "must be 'small', 'large' or a mapping, `key: value`",
        ),
        ({"wheel": {"size": 20, "spokes": 3}}, "Extra inputs"),
        ({"wheel": {"kind": "snow"}}, "'road' or 'mountain'"),
        ({"wheel": {"pressure": 1}}, "less than 1"),
        ({"wheel": {"size": 13}}, "`size` must not be unlucky"),
    ],
)
def test_what_a_hint_excludes_is_refused(values, message):
    location, found = problem(Bicycle, values)
    assert location[0] in values
    assert message in found


def test_keys_of_a_nested_section_that_are_left_out_are_those_of_the_default():
    assert read(Bicycle, {"wheel": "large"})["wheel"] == Wheel(size=29)
    found = read(Bicycle, {"wheel": {"kind": "mountain"}})["wheel"]
    assert found == Wheel(size=20, kind="mountain")


def test_a_tag_picks_the_section_and_may_have_a_default():
    @dataclass(frozen=True, kw_only=True)
    class Boat:
        length: int = 4

    sections = {
        "wheel": section_of(Wheel, tag="wheel"),
        "boat": section_of(Boat, tag="boat"),
    }
    adapter = TypeAdapter(tagged(sections, default="boat"))
    assert adapter.validate_python({}) == Boat()
    assert adapter.validate_python({"type": "wheel", "size": 3}) == Wheel(size=3)
    with pytest.raises(ValidationError, match="type"):
        TypeAdapter(tagged(sections)).validate_python({"length": 3})


def test_values_leave_out_what_is_none():
    @dataclass(frozen=True, kw_only=True)
    class Note:
        text: str | None = None
        length: int = 3

    assert values_of(Note()) == {"length": 3}


def test_the_table_has_names_defaults_and_the_docstring():
    assert make_table(Wheel).splitlines()[2:] == [
        "| `size` | required | Its size, in inches. |",
        "| `kind` | `road` | `road` or `mountain`. |",
        "| `pressure` | 0.5 | From 0, and less than 1. |",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 2.5}, "`size` must be a whole number. Received: 2.5"),
        ({"size": True}, "`size` must be a whole number. Received: True"),
        ({"kind": "snow"}, "`kind` must be 'road' or 'mountain'. Received: 'snow'"),
        ({"pressure": 1.0}, "`pressure` must be less than 1. Received: 1.0"),
        ({"pressure": float("nan")}, "`pressure` must be a finite number. Received:"),
    ],
)
def test_a_dataclass_checks_itself_without_a_file(arguments, message):
    with pytest.raises(HomeError) as error:
        Wheel(**{"size": 20, **arguments})
    assert str(error.value).startswith(message)
