"""What HoME costs, by the formulae of `docs/reference/layers.md` written out again."""

import math

import numpy as np
import pytest

from home_tf.features import FeatureEmbedding
from home_tf.features.feature_embedding import EmbeddedFeature, EmbeddingTable
from home_tf.lab.comparison.flops import flops_per_example
from home_tf.layers import Expert, HoME, TaskTowers
from home_tf.models import RankingNetwork

WIDTH = 24
GROUPS = {"watch": ["a", "b", "c"], "inter": ["d"]}
THREE = {"one": ["a"], "two": ["b", "c"], "three": ["d", "e", "f", "g"]}
# n_s, n_g, n_t, L, r, r'
CASES = {
    "as by default": (GROUPS, (16, 8), (2, 2, 1, 2, 5, 5), "both", "both"),
    "a pair of ranks": (GROUPS, (16, 8), (2, 2, 1, 2, 7, 3), "both", "both"),
    "many experts": (THREE, (12, 6), (1, 3, 2, 3, 4, 2), "both", "both"),
    "one expert each": (THREE, (12, 6), (1, 1, 1, 1, 4, 2), "both", "both"),
    "no feature gates": (THREE, (12, 6), (3, 2, 2, 2, 1, 1), "none", "both"),
    "no self gates": (GROUPS, (16, 8), (2, 1, 3, 2, 4, 2), "both", "none"),
    "a single group": (
        {"all": ["a", "b"]},
        (10, 6),
        (2, 2, 2, 2, 3, 2),
        "both",
        "both",
    ),
}


def parameters(groups, units, counts, feature_gate, self_gate):
    (h, d), (n_s, n_g, n_t, loras, r, r2) = units, counts
    f, g, t = WIDTH, len(groups), sum(map(len, groups.values()))
    fg, sg = feature_gate == "both", self_gate == "both"

    def expert(w):
        return w * h + h + h * d + 2 * d

    def gate(w, rank):
        return fg * (2 * loras * w * rank + loras * w + loras)

    meta = (n_s + g * n_g) * expert(f) + (g + 1) * gate(f, r)
    meta += (f + 1) * (n_s + g * n_g + g * (n_s + n_g))
    meta += sg * (f + 1) * (n_s + g * n_g)
    task = (n_s + g * n_g + t * n_t) * expert(d) + (1 + g + t) * gate(d, r2)
    task += t * (2 * d + 1) * (n_s + n_g + n_t)
    task += sg * t * (d + 1) * n_t
    return meta + task


def operations(groups, units, counts, feature_gate, self_gate):
    (h, d), (n_s, n_g, n_t, loras, r, r2) = units, counts
    f, g, t = WIDTH, len(groups), sum(map(len, groups.values()))
    fg, sg = feature_gate == "both", self_gate == "both"

    def expert(w):
        return w * h + h * d

    def gate(w, rank):
        return fg * (2 * loras * w * rank + (2 * loras - 1) * w)

    meta = (n_s + g * n_g) * expert(f) + (g + 1) * gate(f, r)
    meta += (f + d) * (n_s + g * n_g + g * (n_s + n_g))
    meta += sg * f * (n_s + g * n_g)
    task = (n_s + g * n_g + t * n_t) * expert(d) + (1 + g + t) * gate(d, r2)
    task += t * 3 * d * (n_s + n_g + n_t)
    task += sg * t * d * n_t
    return 2 * (meta + task)


def make(groups, units, counts, feature_gate, self_gate):
    n_s, n_g, n_t, loras, r, r2 = counts
    home = HoME(
        groups,
        expert=Expert.home(units=units),
        num_shared_experts=n_s,
        num_group_experts=n_g,
        num_task_experts=n_t,
        num_loras=loras,
        lora_rank=(r, r2),
        feature_gate=feature_gate,
        self_gate=self_gate,
    )
    home.build((None, WIDTH))
    return home


@pytest.mark.parametrize("case", CASES)
def test_the_parameters_are_those_of_the_formula(case):
    home = make(*CASES[case])
    # BatchNorm's moving moments, two numbers for each of an expert's outputs, too.
    groups, units, (n_s, n_g, n_t, *_), *_ = CASES[case]
    tasks = sum(map(len, groups.values()))
    experts = 2 * (n_s + len(groups) * n_g) + tasks * n_t
    found = home.count_params() - 2 * units[-1] * experts
    assert found == parameters(*CASES[case])
    assert found == sum(math.prod(w.shape) for w in home.trainable_weights)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_operations_are_those_of_the_formula(case):
    home = make(*CASES[case])
    network = RankingNetwork(
        FeatureEmbedding(
            {"id": EmbeddingTable(3, WIDTH)}, {"id": EmbeddedFeature("id")}
        ),
        home,
        TaskTowers(home.tasks, hidden_units=()),
    )
    network({"id": np.zeros((1,), np.int32)})
    towers = 2 * len(home.tasks) * home.expert.width
    assert flops_per_example(network) - towers == operations(*CASES[case])
