"""What is wrong with a configuration, in the terms of its YAML file."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from home_tf.config.schema import Config

# What a value should be, by pydantic's type of the error.
_RULES = {
    **dict.fromkeys(
        ("dict_type", "dataclass_type", "model_attributes_type"),
        "a mapping, `key: value`",
    ),
    **dict.fromkeys(
        ("string_type", "invalid_key"), "text, in quotes if it looks like a number"
    ),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "literal_error": "{expected}",
    "too_short": "of one entry at least",
    "union_tag_invalid": "one of {expected_tags}",
}
_UNKNOWN = ("unexpected_keyword_argument", "invalid_key")
_SHOWN = 100


def explain(error: ValidationError) -> str:
    """The first problem in one line, with its key; the number of the others."""
    problems = error.errors(include_url=False)
    # A key that is misspelt is missing too: the misspelling comes first.
    first, *others = sorted(problems, key=lambda one: one["type"] not in _UNKNOWN)
    count = len(others)
    more = f" ({count} more problem{'s' * (count > 1)})" if count else ""
    return _line(first) + more


def shown(value: Any) -> str:
    """A value from a file as a message shows it: not longer than a line."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _line(problem: ErrorDetails) -> str:
    kind, location, received = problem["type"], problem["loc"], problem["input"]
    keys = _keys(location)
    if kind == "value_error":  # one of the schema, which tells the rest itself
        rule = problem["msg"].removeprefix("Value error, ")
        return f"`{'.'.join(keys)}`: {rule}" if keys else rule
    if kind == "unexpected_keyword_argument":
        allowed = ", ".join(_node(location[:-1])["properties"])
        rule = f"unknown key. Received: {shown(received)}. The keys here: {allowed}"
    elif kind in ("missing", "missing_argument"):
        rule = "this key is required"
    elif kind == "union_tag_not_found":
        tags = ", ".join(map(repr, _node(location)["discriminator"]["mapping"]))
        keys = [*keys, "type"]
        rule = f"this key is required; one of {tags}"
    elif kind == "union_tag_invalid":
        keys = [*keys, "type"]
        rule = f"{_rule(problem)}. Received: {shown(received['type'])}"
    else:
        rule = f"{_rule(problem)}. Received: {shown(received)}"
    return f"`{'.'.join(keys)}`: {rule}"


def _rule(problem: ErrorDetails) -> str:
    if problem["type"] not in _RULES:  # such as `rule`, one of the schema
        return problem["msg"].replace("Input should", "should")
    context = {k: str(v).removesuffix(".0") for k, v in problem.get("ctx", {}).items()}
    return "should be " + _RULES[problem["type"]].format(**context)


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the file in the location of a problem."""
    # A feature and the architecture are unions, and after the key of a union pydantic
    # puts the type.
    is_union = location[:1] == ("features",) or location[:2] == (
        "model",
        "architecture",
    )
    if is_union:
        location = location[:2] + location[3:]
    return [str(key) for key in location if key != "[key]"]


def _node(location: tuple[int | str, ...]) -> dict[str, Any]:
    """The JSON schema of what is at a location."""
    whole = TypeAdapter(Config).json_schema()
    node = _resolved(whole, whole)
    for key in location:
        if "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"][key]}
        elif "properties" in node:
            node = node["properties"][key]
        else:
            node = node["additionalProperties"]
        node = _resolved(node, whole)
    return node


def _resolved(node: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    for several in ("allOf", "anyOf"):  # a section with a default, or one or null
        node = node[several][0] if several in node else node
    if "$ref" not in node:
        return node
    definition: dict[str, Any] = whole["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return definition
