"""The models of a comparison, by name."""

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from home_tf.config import ARCHITECTURES, Config
from home_tf.config.keys import keys_of
from home_tf.config.schema import to_values
from home_tf.errors import HomeError
from home_tf.lab.comparison.changes import Changes
from home_tf.layers import Expert

HOME = "home"
LIGHTGBM = "lightgbm"
_STAR_IN_FOLDERS = "-star"

# The paper's ablation rows, cumulative and single, and what each sets of `HoME`.
_ABLATIONS: dict[str, dict[str, Any]] = {
    "fg2": {"feature_gate": "meta"},
    "fg": {"feature_gate": "none"},
    "sg": {"self_gate": "none"},
    "mask": {"hierarchy_mask": False},
    "fg-sg": {"feature_gate": "none", "self_gate": "none"},
    "fg-sg-mask": {
        "feature_gate": "none",
        "self_gate": "none",
        "hierarchy_mask": False,
    },
}
# Other experts: "swish" are HoME's without batch normalisation.
_EXPERTS = {"swish": "swish experts", "relu": "relu experts"}
_SCALING = ("experts1", "experts2", "experts4", "loras1", "loras2", "loras4")
_SCALED = re.compile(r"(experts|loras)([1-9]\d*)")


@dataclass(frozen=True)
class ComparedModel:
    """A model of the comparison.

    Attributes:
        name: As on the command line, such as `mmoe*`.
        architecture: The `type` of the configured architecture, or `lightgbm`.
        variant: How it differs; empty for the plain architecture.
        changes: Names of changes to the configuration, such as `rates` of `mmoe+rates`,
            joined by `+`.
    """

    name: str
    architecture: str
    variant: str = ""
    changes: str = ""

    @property
    def is_baseline(self) -> bool:
        """Whether it is a baseline that HoME should beat: not a variant of HoME."""
        return self.architecture not in (HOME, LIGHTGBM) and not self.changes

    @property
    def plain(self) -> "ComparedModel":
        """The plain architecture, without variant and changes."""
        return ComparedModel(self.architecture, self.architecture)

    @property
    def unchanged(self) -> "ComparedModel":
        """The model without the changes to the configuration."""
        name = self.name.removesuffix(f"+{self.changes}") if self.changes else self.name
        return replace(self, name=name, changes="")

    def overrides(self, changes: Changes) -> dict[str, Any]:
        """The settings of the changes, by dotted key; the last one wins.

        Args:
            changes: All changes, by name.
        """
        names = self.changes.split("+") if self.changes else []
        return {key: v for name in names for key, v in changes[name].items()}

    @property
    def folder_name(self) -> str:
        """The name, made safe for file systems."""
        return self.name.replace("*", _STAR_IN_FOLDERS)

    def arguments(self, config: Config) -> dict[str, Any]:
        """The section `model.architecture` of this model.

        What the architecture has in common with the configured one is taken from there,
        so that experts and gates are the same; the rest are its defaults.

        Args:
            config: The configuration.

        Returns:
            The section as plain values; empty for LightGBM.
        """
        if self.architecture == LIGHTGBM:
            return {}
        known = keys_of(ARCHITECTURES[self.architecture])
        configured = to_values(config.model.architecture)
        values = {key: value for key, value in configured.items() if key in known}
        values["type"] = self.architecture
        if self.architecture == HOME:
            return {**values, **_home_variant(self.variant, values)}
        return {**values, "expert": _kind("home" if self.variant else "relu", values)}


def _kind(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The kind of the configured expert, as a named expert."""
    named = Expert.of(name)
    kind = {"activation": named.activation, "batch_norm": named.batch_norm}
    return {**values["expert"], **kind}


def _home_variant(variant: str, values: dict[str, Any]) -> dict[str, Any]:
    ablation = variant.removeprefix("w/o ")
    if ablation in _ABLATIONS:
        return _ABLATIONS[ablation]
    if variant in _EXPERTS.values():
        return {"expert": _kind(variant.removesuffix(" experts"), values)}
    number, _, what = variant.partition(" ")
    if what == "experts":
        counts = ("num_shared_experts", "num_group_experts", "num_task_experts")
        return dict.fromkeys(counts, int(number))
    if what == "LoRAs" and isinstance(values.get("lora_rank"), (int, list)):
        # As with the paper's rank |v| / L, the number of parameters stays.
        ranks = np.array(values["lora_rank"]) * values["num_loras"] // int(number)
        rank: Any = np.maximum(ranks, 1).tolist()
        return {"num_loras": int(number), "lora_rank": rank}
    return {"num_loras": int(number)} if what == "LoRAs" else {}


def model_of_folder(folder_name: str, changes: Collection[str] = ()) -> ComparedModel:
    """Finds the model with this `folder_name`, given the changes."""
    return compared_models([folder_name.replace(_STAR_IN_FOLDERS, "*")], changes)[-1]


def compared_models(
    names: Sequence[str], changes: Collection[str] = ()
) -> list[ComparedModel]:
    """Looks models up by name.

    Args:
        names: Of an architecture: its `type`, with a star for HoME's experts; of HoME
            without a part: `home-fg2`, `home-fg`, `home-sg`, `home-mask`, `home-fg-sg`,
            `home-fg-sg-mask`; with other experts: `home-swish`, `home-relu`; with N
            experts of each kind, or N LoRAs in a feature gate: `home-expertsN`,
            `home-lorasN`; `lightgbm`. Or of several at once: `plain` (without a star),
            `baselines`, `ablations`, `scaling`. Behind any of them one or more changes
            to the configuration: `mmoe+rates`, or `home+*` for each change alone.
        changes: Names of the changes that there are.

    Returns:
        The models, each once, HoME first: all others are compared with it.

    Raises:
        HomeError: If a name is unknown.
    """
    found = []
    for name in (HOME, *names):
        several, plus, changed = name.strip().partition("+")
        if changed == "*" and not changes:
            raise HomeError(
                f"`architectures` asks for all changes with {name!r}, but there are "
                "none: pass a file of them with `--changes`"
            )
        each = changes if changed == "*" else [changed]
        found += [
            _change(_look_up(one), f"{plus}{change}", changes)
            for one in _several().get(several, [several])
            for change in each
        ]
    return list(dict.fromkeys(found))


def _change(one: ComparedModel, text: str, changes: Collection[str]) -> ComparedModel:
    names = text.split("+")[1:]
    unknown = [name for name in names if name not in changes]
    if unknown:
        known = ", ".join(changes) or "none; `--changes` names a file of them"
        raise HomeError(
            f"`architectures` contains an unknown change. Received: {unknown[0]!r} in "
            f"{one.name + text!r}. Known: {known}"
        )
    return replace(one, name=one.name + text, changes="+".join(names))


def _several() -> dict[str, list[str]]:
    others = [kind for kind in ARCHITECTURES if kind != HOME]
    return {
        "plain": [*others, LIGHTGBM],
        "baselines": [*others, *(f"{kind}*" for kind in others), LIGHTGBM],
        "ablations": [f"home-{name}" for name in (*_ABLATIONS, *_EXPERTS)],
        "scaling": [f"home-{name}" for name in _SCALING],
    }


def _look_up(name: str) -> ComparedModel:
    kinds = ARCHITECTURES
    if name in kinds or name == LIGHTGBM:
        return ComparedModel(name, name)
    base, star, rest = name.partition("*")
    if star and not rest and base in kinds and base != HOME:
        return ComparedModel(name, base, "home experts")
    part = name.removeprefix("home-")
    if part != name:
        if part in _ABLATIONS:
            return ComparedModel(name, HOME, f"w/o {part}")
        if part in _EXPERTS:
            return ComparedModel(name, HOME, _EXPERTS[part])
        scaled = _SCALED.fullmatch(part)
        if scaled:
            what = "LoRAs" if scaled[1] == "loras" else "experts"
            return ComparedModel(name, HOME, f"{scaled[2]} {what}")
    names = [HOME, *(one for group in _several().values() for one in group)]
    known = list(dict.fromkeys(names))
    close = difflib.get_close_matches(name, [*known, *_several()], n=3)
    hint = f"Close: {', '.join(close)}" if close else f"Known: {', '.join(known)}"
    raise HomeError(
        f"`architectures` contains an unknown name. Received: {name!r}. {hint}"
    )
