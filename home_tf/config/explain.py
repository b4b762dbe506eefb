"""Explains errors in a configuration in terms of its YAML file."""

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from home_tf.config.read_yaml import shown
from home_tf.config.schema import config_adapter

# What a value must be, by pydantic's error type.
_RULES = {
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type"),
        "be a mapping, `key: value`",
    ),
    **dict.fromkeys(
        ("string_type", "invalid_key"), "be text, in quotes if it looks like a number"
    ),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "be true or false"),
    "finite_number": "be a finite number",
    "tuple_type": "be a list",
    "greater_than": "be greater than {gt}",
    "greater_than_equal": "be at least {ge}",
    "less_than": "be less than {lt}",
    "literal_error": "be {expected}",
    "too_short": "have at least one entry",
    "union_tag_invalid": "be one of {expected_tags}",
}
_UNKNOWN = ("extra_forbidden", "invalid_key")


def explain(error: ValidationError) -> str:
    """Describes the first problem in one line, with its key, and counts the others."""
    problems = error.errors(include_url=False)
    # A misspelt key is also a missing one: report the misspelling first.
    first, *others = sorted(problems, key=lambda one: one["type"] not in _UNKNOWN)
    count = len(others)
    more = f" ({count} more problem{'s' * (count > 1)})" if count else ""
    return _line(first) + more


def _line(problem: ErrorDetails) -> str:
    kind, received = problem["type"], problem["input"]
    keys, node = _find(problem["loc"])
    if kind == "value_error":  # from a constructor, whose message has the rest
        return _line_of_constructor(keys, problem["msg"].removeprefix("Value error, "))
    if kind == "extra_forbidden":
        _, section = _find(problem["loc"][:-1])
        allowed = ", ".join(section["properties"])
        rule = f"unknown key. Received: {shown(received)}. The keys here: {allowed}"
    elif kind == "missing":
        rule = "this key is required"
    elif kind == "union_tag_not_found":
        tags = ", ".join(map(repr, node["discriminator"]["mapping"]))
        keys = [*keys, "type"]
        rule = f"this key is required; one of {tags}"
    elif kind == "union_tag_invalid":
        keys = [*keys, "type"]
        rule = f"{_rule(problem)}. Received: {shown(received['type'])}"
    else:
        rule = f"{_rule(problem)}. Received: {shown(received)}"
    return f"`{'.'.join(keys)}`: {rule}"


def _line_of_constructor(keys: list[str], message: str) -> str:
    # "`epochs` must be ..." in the section `training` means the key `training.epochs`.
    of_argument = re.match(r"`(\w+)` (must .*)", message)
    if keys and of_argument:
        keys, message = [*keys, of_argument[1]], of_argument[2]
    return f"`{'.'.join(keys)}`: {message}" if keys else message


def _rule(problem: ErrorDetails) -> str:
    if problem["type"] not in _RULES:  # such as `rule`, one of a section
        return problem["msg"].replace("Input should", "must")
    context = {k: str(v).removesuffix(".0") for k, v in problem.get("ctx", {}).items()}
    return "must " + _RULES[problem["type"]].format(**context)


def _find(location: tuple[int | str, ...]) -> tuple[list[str], dict[str, Any]]:
    """Finds the keys in the file at the location of a problem, and its JSON schema."""
    whole = config_adapter().json_schema()
    keys: list[str] = []
    node = _resolved(whole, whole)
    for step in location:
        if "discriminator" in node:
            # After the key of a union, pydantic puts the type, which is not a key.
            node = {"$ref": node["discriminator"]["mapping"][step]}
        elif step != "[key]":
            keys.append(str(step))
            properties = node.get("properties", {})
            node = properties.get(step) or node.get("additionalProperties") or {}
        node = _resolved(node, whole)
    return keys, node


def _resolved(node: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    for several in ("allOf", "anyOf"):  # a section with a default, or one or null
        node = node[several][0] if several in node else node
    if "$ref" not in node:
        return node
    definition: dict[str, Any] = whole["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return definition
