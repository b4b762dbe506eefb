"""HoME against its NumPy reference, and the hierarchy against gradients."""

import numpy as np
import pytest
from support import home_reference
from support.backends import gradients, randomize, sum_of_squares, to_numpy

from home_tf.backend import keras
from home_tf.backend.variables import weight_path
from home_tf.layers import Expert, HoME
from home_tf.layers.fused import constant_weights

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
    "relu": {"expert": Expert.relu(units=(10, 6))},
    "swish": {"expert": Expert.swish(units=(10, 6))},
    "a feature gate an expert": {"feature_gate_scope": "expert"},
    "low rank": {"lora_rank": 2, "num_loras": 5},
    "a rank for each level": {"lora_rank": (4, 1)},
    "one expert": {"num_shared_experts": 1, "num_group_experts": 1},
    "many experts": {"num_shared_experts": 4, "num_task_experts": 3},
    "hidden gate layers": {"gate_units": (7, 5)},
    "one linear layer": {"expert": Expert.home(units=(6,))},
    "loras that do not divide": {"num_loras": 5},
}


def make(seed=0, groups=GROUPS, **switches):
    layer = HoME(groups, **{"expert": Expert.home(units=(10, 6)), **switches})
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


@pytest.mark.parametrize("name", [*SWITCHES, "another number of shared experts"])
def test_with_constant_weights_too(name):
    # Whose self gate is then a sigmoid, and those of the groups are none.
    layer = make(**SWITCHES.get(name, {"num_shared_experts": 1}))
    expected = home_reference.home(layer, V, training=False)
    with constant_weights():
        found = to_numpy(layer(V, training=False))
    assert list(found) == TASKS
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
        expert=Expert.home(units=(h, d)),
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
    experts = layer.meta_level[owner].experts
    return experts, range(experts.mlps.num_mlps)


def task_experts_of(layer, owner):
    """The experts of an owner in the task level, as numbers in their bank."""
    if owner == "shared":
        return layer.task_level["shared"].experts, range(layer.num_shared_experts)
    if owner in layer.groups:
        return layer.task_level[owner].experts, range(layer.num_group_experts)
    (group,) = (name for name, tasks in layer.task_groups.items() if owner in tasks)
    place = layer.task_groups[group].index(owner)
    first = layer.num_group_experts + place * layer.num_task_experts
    return layer.task_level[group].experts, range(first, first + layer.num_task_experts)


def gradient_of_experts(gradient_of, bank, numbers):
    """The largest gradient in the kernels of these experts."""
    return max(
        gradient_of([kernel], slice(number * units, (number + 1) * units))
        for kernel, units in zip(bank.mlps.kernels, bank.mlps.units, strict=True)
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
    watch, inter = (layer.task_level[group].gates for group in ("watch", "inter"))
    assert gradient_of(watch.trainable_variables) == 0
    (kernel,) = inter.mlps.kernels
    sees = inter.num_experts
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
    gates = {owner: part.gates for owner, part in layer.meta_level.items()}
    assert gradient_of(gates["watch"].trainable_variables) > 0
    assert gradient_of(gates["inter"].trainable_variables) == 0
    # The shared gate sees [shared, shared, watch, watch, inter, inter]: shut the last.
    kernel, bias = gates["shared"].get_weights()
    kernel[:, 4:], bias[4:] = 0, -1e4
    gates["shared"].set_weights([kernel, bias])
    gradient_of = gradients(layer, V, squares_of("long_view"))
    assert gradient_of_experts(gradient_of, *inter) == 0
    assert gradient_of_experts(gradient_of, *watch) > 0


def columns_of(kernel, number):
    return np.split(np.array(kernel), number, axis=1)


def seeded(seed, groups=GROUPS):
    """A layer whose every initialiser has this seed."""
    initializer = keras.initializers.GlorotUniform(seed=seed)
    layer = HoME(
        groups,
        expert=Expert.home(units=(8, 8), kernel_initializer=initializer),
        gate_initializer=initializer,
    )
    layer(np.zeros((1, 8), np.float32))
    return layer


def parts_of(layer):
    return [*layer.meta_level.values(), *layer.task_level.values()]


@pytest.mark.parametrize(
    "initializer",
    [
        "glorot_uniform",
        keras.initializers.GlorotUniform(seed=7),
        keras.initializers.HeNormal(seed=7),
    ],
)
def test_all_experts_and_gates_start_different(initializer):
    layer = HoME(
        GROUPS,
        expert=Expert.home(units=(8, 8), kernel_initializer=initializer),
        gate_initializer=initializer,
    )
    layer(np.zeros((1, 8), np.float32))
    parts = parts_of(layer)
    kernels = [
        one
        for part in parts
        for kernel in part.experts.mlps.kernels
        for one in columns_of(kernel, part.experts.mlps.num_mlps)
    ]
    maps = [
        one
        for part in parts
        for one in columns_of(
            part.feature_gates.down_kernel, 2 * part.feature_gates.num_gates
        )
    ]
    gates = [
        one
        for part in parts
        for gate in (part.gates, part.self_gates)
        if gate is not None
        for one in columns_of(gate.mlps.kernels[0], gate.num_gates)
    ]
    assert len(kernels) == 2 * (6 + 2 + 4 + 5)
    for values in (kernels, maps, gates):
        heads = {value[:2, 0].tobytes() for value in values}
        assert len(heads) == len(values)


def test_an_int_seed_repeats_the_weights_and_another_changes_them():
    first, again, other = (seeded(seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_a_seeds_weights_do_not_depend_on_the_order_of_construction():
    swapped = dict(reversed(GROUPS.items()))
    layers = [
        seeded(3),
        seeded(3, groups=swapped),
        seeded(3, groups={**GROUPS, "z": ["t"]}),
    ]
    first, *others = (
        {path.split("/", 1)[1]: w for path, w in by_path(layer).items()}
        for layer in layers
    )
    # The gates over all experts have other shapes in the last.
    same = [name for name in first if "meta/shared/gates" not in name]
    for other in others:
        assert set(first) <= set(other)
        for name in same:
            np.testing.assert_array_equal(first[name], other[name], err_msg=name)


def by_path(layer):
    return {weight_path(weight): np.array(weight) for weight in layer.weights}


def test_set_random_seed_repeats_the_weights():
    def weights(seed):
        keras.utils.set_random_seed(seed)
        return make_plain().get_weights()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def make_plain(**arguments):
    layer = HoME(GROUPS, expert=Expert.home(units=(8, 4)), **arguments)
    layer(V)
    return layer


def test_weights_have_paths_that_say_whose_they_are():
    paths = {weight_path(weight) for weight in make_plain(name="mine").weights}
    experts = {f"experts/{name}" for name in ("kernel_0", "bias_0", "kernel_1")} | {
        f"experts/batch_norm/{name}"
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    }
    feature = {
        f"feature_gates/{name}"
        for name in ("down", "up", "gate/kernel_0", "gate/bias_0")
    }
    gates = {
        f"{kind}/{name}"
        for kind in ("gates", "self_gates")
        for name in ("kernel_0", "bias_0")
    }
    wanted = {
        f"mine/{level}/{owner}/{name}"
        for level in ("meta", "task")
        for owner in ("shared", "watch", "inter")
        for name in experts | feature | gates
        if (level, owner) != ("task", "shared") or name not in gates
    }
    assert paths == wanted


def test_the_paths_are_the_same_in_a_functional_model():
    home = HoME(GROUPS, expert=Expert.home(units=(4,)), name="mine")
    keras.Model(x := keras.Input((12,)), home(x))
    wanted = {weight_path(weight) for weight in make_plain(name="mine").weights}
    assert {weight_path(weight) for weight in home.weights} == {
        path
        for path in wanted
        if "kernel_1" not in path and "experts/bias_0" not in path
    }


def test_a_group_of_any_name_has_a_path():
    groups = {"a b": ["x"], "a_b": ["y"], "\u00fc/": ["z"]}
    layer = HoME(groups, expert=Expert.home(units=(4,)))
    layer(V)
    paths = [weight_path(weight) for weight in layer.weights]
    assert len(set(paths)) == len(paths)


def test_the_automatic_name_is_home():
    keras.backend.clear_session()
    assert [HoME(GROUPS).name, HoME(GROUPS).name] == ["home", "home_1"]
    assert HoME(GROUPS, name="mine").name == "mine"


def test_more_tasks_are_no_more_variables():
    for tasks in (1, 10):
        groups = {name: [f"{name}{i}" for i in range(tasks)] for name in ("a", "b")}
        layer = HoME(groups, expert=Expert.home(units=(8, 4)))
        layer(V)
        assert len(layer.trainable_variables) == 74


def test_a_layer_of_an_earlier_version_says_so():
    config = {**HoME(GROUPS).get_config(), "expert_units": [8], "momentum": 0.9}
    with pytest.raises(ValueError, match=r"saved by an earlier version of home_tf"):
        HoME.from_config(config)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 13])
def test_every_input_width_works_by_default(width):
    v = V[:, :1].repeat(width, axis=1)
    layer = HoME(GROUPS)
    layer(v)
    randomize(layer)
    expected = home_reference.home(layer, v, training=False)
    for task, values in to_numpy(layer(v)).items():
        np.testing.assert_allclose(values, expected[task], rtol=1e-4, atol=1e-4)


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
        ({"task_groups": {"a": ["x", "x"]}}, r"contain each task only once"),
        ({"task_groups": {"shared": ["x"]}}, r"must not name a group 'shared'"),
        ({"expert": "gelu"}, r"`expert` must be an `Expert` or .* Received: 'gelu'"),
        ({"feature_gate": True}, r"`feature_gate` must be one of"),
        ({"self_gate": "task"}, r"`self_gate` must be one of"),
        ({"feature_gate_scope": "task"}, r"`feature_gate_scope` must be one of"),
        ({"num_shared_experts": 0}, r"`num_shared_experts` must be a positive integer"),
        ({"num_task_experts": 1.5}, r"`num_task_experts` must be a positive integer"),
        ({"gate_units": (0,)}, r"`gate_units` must be a positive integer"),
        ({"lora_rank": -1}, r"`lora_rank` must be a positive integer"),
        ({"lora_rank": "all"}, r"`lora_rank` must be a positive .*, 'paper' or None"),
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


def test_the_papers_rank_refuses_a_width_that_loras_do_not_divide():
    HoME(GROUPS, num_loras=4, lora_rank="paper")(V)
    with pytest.raises(ValueError, match=r"num_loras=5, input width=12. Leave `rank`"):
        HoME(GROUPS, num_loras=5, lora_rank="paper")(V)
