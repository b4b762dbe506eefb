"""HoME against its NumPy reference, and the hierarchy against gradients."""

import numpy as np
import pytest
from support import home_reference
from support.backends import gradients, randomize, sum_of_squares, to_numpy

from home_tf.backend import keras
from home_tf.layers import HoME

# The order of the groups and tasks is not the alphabet's, which some savers use.
GROUPS = {"watch": ["long_view", "finish"], "inter": ["click", "like", "follow"]}
TASKS = ["long_view", "finish", "click", "like", "follow"]
V = np.random.default_rng(1).normal(size=(32, 12)).astype(np.float32)

SWITCHES = {
    "home": {},
    "w/o fg2": {"feature_gate": "meta"},
    "w/o fg": {"feature_gate": "none"},
    "w/o sg": {"self_gate": "none"},
    "meta self gates": {"self_gate": "meta"},
    "w/o mask": {"hierarchy_mask": False},
    "w/o fg-sg": {"feature_gate": "none", "self_gate": "none"},
    "w/o fg-sg-mask": {
        "feature_gate": "none",
        "self_gate": "none",
        "hierarchy_mask": False,
    },
    "relu": {"expert": "relu"},
    "swish": {"expert": "swish"},
    "a feature gate an expert": {"feature_gate_scope": "expert"},
    "low rank": {"lora_rank": 2, "num_loras": 5},
    "a rank for each level": {"lora_rank": (4, 1)},
    "one expert": {"num_shared_experts": 1, "num_group_experts": 1},
    "many experts": {"num_shared_experts": 4, "num_task_experts": 3},
    "hidden gate layers": {"gate_units": (7, 5)},
    "one linear layer": {"expert_units": (6,)},
}


def make(seed=0, groups=GROUPS, **switches):
    layer = HoME(groups, **{"expert_units": (10, 6), **switches})
    layer(V)
    randomize(layer, seed)
    return layer


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", SWITCHES)
def test_the_forward_pass_equals_the_numpy_reference(name, training):
    layer = make(**SWITCHES[name])
    expected = home_reference.home(layer, V, training)
    found = to_numpy(layer(V, training=training))
    assert list(found) == list(expected) == TASKS
    for task in TASKS:
        np.testing.assert_allclose(
            found[task], expected[task], rtol=1e-5, atol=1e-5, err_msg=task
        )


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_changes_the_result(name):
    """So that the test above could not pass with a switch that does nothing."""
    if name == "home":
        return
    with_switch, without = make(**SWITCHES[name]), make()
    counts = [layer.count_params() for layer in (with_switch, without)]
    outputs = [to_numpy(layer(V))["click"] for layer in (with_switch, without)]
    assert counts[0] != counts[1] or not np.allclose(*outputs, atol=1e-3)


@pytest.mark.parametrize(
    ("groups", "counts", "ranks"),
    [
        ({"watch": ["a"], "inter": ["b", "c"]}, (2, 3, 1), (4, 2)),
        ({"one": list("abcde")}, (1, 2, 2), (3, 3)),
    ],
)
def test_the_number_of_parameters_is_that_of_the_documentation(groups, counts, ranks):
    n_s, n_g, n_t = counts
    rank, task_rank = ranks
    width, h, d, loras = 10, 7, 4, 2
    g, t = len(groups), sum(map(len, groups.values()))

    def expert(w):
        return w * h + h + h * d + 2 * d

    def feature_gate(w, r):
        return 2 * loras * w * r + loras * w + loras

    meta = n_s + g * n_g
    expected = meta * expert(width) + (g + 1) * feature_gate(width, rank)
    expected += (width + 1) * (meta + g * (n_s + n_g)) + (width + 1) * meta
    expected += (meta + t * n_t) * expert(d) + (1 + g + t) * feature_gate(d, task_rank)
    expected += t * (2 * d + 1) * (n_s + n_g + n_t) + t * (d + 1) * n_t
    layer = HoME(
        groups,
        expert_units=(h, d),
        num_shared_experts=n_s,
        num_group_experts=n_g,
        num_task_experts=n_t,
        num_loras=loras,
        lora_rank=ranks,
    )
    layer.build((None, width))
    found = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
    assert found == expected


def squares_of(task):
    return lambda outputs: sum_of_squares(outputs[task])


def meta_experts_of(layer, owner):
    """The experts of an owner in the meta level, as numbers in their bank."""
    place = ["shared", *layer.groups].index(owner)
    first = place and layer.num_shared_experts + (place - 1) * layer.num_group_experts
    number = layer.num_group_experts if place else layer.num_shared_experts
    return layer.meta_experts.experts, range(first, first + number)


def task_experts_of(layer, owner):
    """The experts of an owner in the task level, as numbers in their bank."""
    if owner == "shared":
        return layer.task_shared_experts.experts, range(layer.num_shared_experts)
    if owner in layer.groups:
        return layer.task_experts[owner].experts, range(layer.num_group_experts)
    (group,) = (name for name, tasks in layer.task_groups.items() if owner in tasks)
    place = layer.task_groups[group].index(owner)
    first = layer.num_group_experts + place * layer.num_task_experts
    return layer.task_experts[group].experts, range(
        first, first + layer.num_task_experts
    )


def gradient_of_experts(gradient_of, bank, numbers):
    """The largest gradient in the kernels of these experts."""
    return max(
        gradient_of([kernel], slice(number * units, (number + 1) * units))
        for kernel, units in zip(bank.mlps.kernels, bank.units, strict=True)
        for number in numbers
    )


def test_a_task_learns_in_its_own_and_its_groups_and_the_shared_experts_only():
    layer = make()
    gradient_of = gradients(layer, V, squares_of("click"))
    for owner in ("shared", "inter", "click"):
        experts = task_experts_of(layer, owner)
        assert gradient_of_experts(gradient_of, *experts) > 0
    for owner in ("watch", "like", "follow", "long_view", "finish"):
        experts = task_experts_of(layer, owner)
        assert gradient_of_experts(gradient_of, *experts) == 0
    assert gradient_of(layer.task_gates["watch"].trainable_variables) == 0
    (kernel,) = layer.task_gates["inter"].mlps.kernels
    sees = layer.task_gates["inter"].num_experts
    assert gradient_of([kernel], slice(sees)) > 0
    assert gradient_of([kernel], slice(sees, None)) == 0  # those of the other tasks


def test_without_the_mask_a_task_learns_in_all_experts():
    layer = make(hierarchy_mask=False)
    gradient_of = gradients(layer, V, squares_of("click"))
    for owner in ("shared", *layer.groups):
        experts = meta_experts_of(layer, owner)
        assert gradient_of_experts(gradient_of, *experts) > 0
    for owner in ("shared", *layer.groups, *layer.tasks):
        experts = task_experts_of(layer, owner)
        assert gradient_of_experts(gradient_of, *experts) > 0


def test_another_groups_experts_are_reached_through_the_shared_output_only():
    layer = make()
    gradient_of = gradients(layer, V, squares_of("long_view"))
    watch, inter = (meta_experts_of(layer, group) for group in ("watch", "inter"))
    assert gradient_of_experts(gradient_of, *inter) > 0
    (kernel,) = layer.meta_group_gates.mlps.kernels
    sees = layer.meta_group_gates.num_experts
    assert gradient_of([kernel], slice(sees)) > 0
    assert gradient_of([kernel], slice(sees, None)) == 0  # the gate of "inter"
    # The shared gate sees [shared, shared, watch, watch, inter, inter]: shut the last.
    kernel, bias = layer.meta_shared_gate.get_weights()
    kernel[:, 4:], bias[4:] = 0, -1e4
    layer.meta_shared_gate.set_weights([kernel, bias])
    gradient_of = gradients(layer, V, squares_of("long_view"))
    assert gradient_of_experts(gradient_of, *inter) == 0
    assert gradient_of_experts(gradient_of, *watch) > 0


def columns_of(kernel, number):
    return np.split(np.array(kernel), number, axis=1)


def test_all_experts_and_gates_start_different():
    for initializer in (
        "glorot_uniform",
        keras.initializers.GlorotUniform(seed=7),
        keras.initializers.HeNormal(seed=7),
    ):
        layer = HoME(GROUPS, expert_units=(8, 8), kernel_initializer=initializer)
        layer(np.zeros((1, 8), np.float32))
        levels = [
            layer.meta_experts,
            layer.task_shared_experts,
            *layer.task_experts.values(),
        ]
        kernels = [
            one
            for level in levels
            for kernel in level.experts.mlps.kernels
            for one in columns_of(kernel, level.experts.mlps.num_mlps)
        ]
        maps = [
            one
            for level in levels
            for one in columns_of(
                level.feature_gates.down_kernel, 2 * level.feature_gates.num_gates
            )
        ]
        gates = [
            one
            for gate in (
                layer.meta_shared_gate,
                layer.meta_shared_self_gate,
                layer.meta_group_gates,
                layer.meta_group_self_gates,
                *layer.task_gates.values(),
            )
            for one in columns_of(gate.mlps.kernels[0], gate.num_gates)
        ]
        for values in (kernels, maps, gates):
            heads = {value[0, :2].tobytes() for value in values}
            assert len(heads) == len(values)


def test_an_int_seed_repeats_the_weights_and_another_changes_them():
    def weights(seed):
        initializer = keras.initializers.GlorotUniform(seed=seed)
        layer = HoME(GROUPS, expert_units=(8, 4), kernel_initializer=initializer)
        layer(V)
        return layer.get_weights()

    first, again, other = weights(3), weights(3), weights(4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_more_tasks_are_no_more_variables():
    for tasks in (1, 10):
        groups = {name: [f"{name}{i}" for i in range(tasks)] for name in ("a", "b")}
        layer = HoME(groups, expert_units=(8, 4))
        layer(V)
        assert len(layer.trainable_variables) == 52


@pytest.mark.parametrize("groups", [{"all": ["click"]}, {f"g{i}": [f"t{i}"] for i in
                                                        range(7)}])  # fmt: skip
def test_any_number_of_groups(groups):
    layer = make(groups=groups)
    expected = home_reference.home(layer, V, training=False)
    for task, values in to_numpy(layer(V)).items():
        np.testing.assert_allclose(values, expected[task], atol=1e-4)


def test_a_group_may_have_the_name_of_its_task():
    layer = make(groups={"click": ["click"], "like": ["like"]})
    expected = home_reference.home(layer, V, training=False)
    for task, values in to_numpy(layer(V)).items():
        np.testing.assert_allclose(values, expected[task], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task_groups": {}}, r"`task_groups` must be a dict .* Received: \{\}"),
        ({"task_groups": ["click"]}, r"`task_groups` must be a dict"),
        ({"task_groups": {"a": []}}, r"at least one task for group 'a'"),
        ({"task_groups": {"a": "click"}}, r"at least one task for group 'a'"),
        (
            {"task_groups": {"a": ["x"], "b": ["x"]}},
            r"task 'x' in group 'a' and in group 'b'",
        ),
        ({"task_groups": {"a": ["x", "x"]}}, r"name every task once"),
        ({"task_groups": {"shared": ["x"]}}, r"must not name a group 'shared'"),
        ({"expert": "gelu"}, r"`expert` must be one of .* Received: 'gelu'"),
        ({"feature_gate": True}, r"`feature_gate` must be one of"),
        ({"self_gate": "task"}, r"`self_gate` must be one of"),
        ({"feature_gate_scope": "task"}, r"`feature_gate_scope` must be one of"),
        ({"num_shared_experts": 0}, r"`num_shared_experts` must be a positive integer"),
        ({"num_task_experts": 1.5}, r"`num_task_experts` must be a positive integer"),
        ({"expert_units": ()}, r"`expert_units` must be a sequence of at least 1"),
        ({"expert_units": 64}, r"`expert_units` must be a sequence"),
        ({"expert_units": None}, r"`expert_units` must be a sequence"),
        ({"expert_units": (64.9,)}, r"`expert_units` must be a positive .*: 64.9"),
        ({"gate_units": (0,)}, r"`gate_units` must be a positive integer"),
        ({"momentum": 1.0}, r"`momentum` must be in \[0, 1\). Received: 1.0"),
        ({"lora_rank": -1}, r"`lora_rank` must be a positive integer"),
        ({"lora_rank": (4, 0)}, r"`lora_rank` must be a positive integer"),
        ({"lora_rank": (4,)}, r"`lora_rank` must be a sequence of at least 2"),
        ({"lora_rank": (4, 2, 1)}, r"`lora_rank` must be one rank, or a pair"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        HoME(**{"task_groups": GROUPS, **arguments})


def test_an_unknown_input_width_is_told():
    with pytest.raises(ValueError, match=r"last dimension of the input of `"):
        HoME(GROUPS)(keras.Input((None,)))


def test_loras_that_do_not_divide_the_width_are_told():
    with pytest.raises(ValueError, match=r"num_loras=5, input width=12. Give `rank`"):
        HoME(GROUPS, num_loras=5)(V)
