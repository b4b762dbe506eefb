"""The architectures beside HoME: one table of them through one set of checks."""

import numpy as np
import pytest
from support import baselines_reference as reference
from support.backends import gradients, randomize, sum_of_squares, to_numpy
from support.layer_test import run_layer_test

from home_tf.backend import keras
from home_tf.backend.variables import weight_path
from home_tf.layers import CGC, PLE, AdaTT, Expert, MMoE, SharedBottom, SingleTask
from home_tf.layers.fused import constant_weights

# The order of the groups and tasks is not the alphabet's, which some savers use.
GROUPS = {"watch": ["long_view", "finish"], "inter": ["click"]}
TASKS = ["long_view", "finish", "click"]
V = np.random.default_rng(1).normal(size=(16, 5)).astype(np.float32)

# Each architecture with its reference, and with the arguments that make it whole.
ARCHITECTURES = {
    "shared-bottom": (SharedBottom, reference.shared_bottom, {}),
    "single-task": (SingleTask, reference.single_task, {}),
    "mmoe": (MMoE, reference.mmoe, {"num_experts": 3}),
    "cgc": (CGC, reference.ple, {"num_task_experts": 2}),
    "ple": (PLE, reference.ple, {"num_task_experts": 2}),
    "adatt": (AdaTT, reference.adatt, {"num_task_experts": 2}),
}
VARIANTS = {
    **{name: (name, {}) for name in ARCHITECTURES},
    "mmoe-of-one-expert": ("mmoe", {"num_experts": 1}),
    "mmoe-with-deep-gates": ("mmoe", {"gate_units": (7, 5)}),
    "cgc-of-one-expert-each": ("cgc", {"num_shared_experts": 1, "num_task_experts": 1}),
    "cgc-with-deep-gates": ("cgc", {"gate_units": (7,)}),
    "ple-of-one-level": ("ple", {"num_levels": 1}),
    "ple-of-three-levels": ("ple", {"num_levels": 3, "num_shared_experts": 3}),
    "ple-with-deep-gates": ("ple", {"gate_units": (7,)}),
    "adatt-of-one-expert-a-task": ("adatt", {"num_task_experts": 1}),
    "adatt-of-one-level": ("adatt", {"num_levels": 1, "num_task_experts": 3}),
    "adatt-with-deep-gates": ("adatt", {"gate_units": (7,), "num_levels": 3}),
}
STAR = Expert.home(units=(4,))
MANY = {"a": [f"a{i}" for i in range(13)], "b": [f"b{i}" for i in range(7)]}


def make(name, groups=GROUPS, **arguments):
    cls, _, defaults = ARCHITECTURES[name]
    return cls(groups, **{"expert": Expert.relu(units=(4,)), **defaults, **arguments})


def make_random(name, seed=0, **arguments):
    layer = make(name, **arguments)
    layer(V)
    randomize(layer, seed)
    return layer


def check_against_reference(name, training, **arguments):
    layer = make_random(name, **arguments)
    expected = ARCHITECTURES[name][1](layer, V.astype(np.float64), training)
    found = to_numpy(layer(V, training=training))
    assert list(found) == list(expected) == layer.tasks
    for task in found:
        np.testing.assert_allclose(
            found[task], expected[task], rtol=1e-5, atol=1e-5, err_msg=task
        )


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize(
    ("variant", "expert"),
    [(variant, "home") for variant in VARIANTS]
    + [(name, "relu") for name in ARCHITECTURES],
)
def test_the_forward_pass_equals_the_numpy_reference(variant, expert, training):
    name, arguments = VARIANTS[variant]
    expert = getattr(Expert, expert)(units=(6, 4))
    check_against_reference(name, training, expert=expert, **arguments)


@pytest.mark.parametrize(
    ("variant", "expert"),
    [(variant, "home") for variant in VARIANTS]
    + [(name, "relu") for name in ARCHITECTURES],
)
def test_with_constant_weights_too(variant, expert):
    name, arguments = VARIANTS[variant]
    expert = getattr(Expert, expert)(units=(6, 4))
    with constant_weights():
        check_against_reference(name, False, expert=expert, **arguments)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_single_task_and_many(name):
    few = {"num_task_experts": 1} if name in ("cgc", "ple", "adatt") else {}
    expert = Expert.home(units=(4,))
    check_against_reference(name, True, groups={"all": ["click"]}, expert=expert)
    check_against_reference(name, True, groups=MANY, expert=expert, **few)
    assert make(name, groups=MANY).tasks == MANY["a"] + MANY["b"]


@pytest.mark.parametrize("expert", ["relu", "home"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_a_good_part_of_a_model(name, expert, tmp_path):
    # With few parts: building the graphs is what takes time here.
    groups = {"watch": ["long_view"], "inter": ["click"]}
    few = {"num_shared_experts": 1} if name in ("cgc", "ple") else {}
    few["expert"] = getattr(Expert, expert)(units=(4,))
    run_layer_test(
        lambda **kwargs: make(name, groups, **few, **kwargs),
        [V],
        {"long_view": (4,), "click": (4,)},
        tmp_path,
        quick=expert == "relu",
    )


@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - set(ARCHITECTURES)))
def test_every_variant_has_all_its_arguments_in_its_configuration(variant):
    name, arguments = VARIANTS[variant]
    expert = Expert.home(units=(4,), batch_norm_momentum=0.5)
    layer = make(name, **arguments, expert=expert)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.expert.get_config() == expert.get_config()
    for key, value in arguments.items():
        assert getattr(again, key) == value


def columns_of(mlps):
    """The first kernel of each MLP."""
    return np.split(np.array(mlps.kernels[0]), mlps.num_mlps, axis=1)


def gates_of(level):
    gates = (getattr(level, name, None) for name in ("shared_gate", "gates"))
    return [gate for gate in gates if gate is not None]


def experts_and_gates(layer):
    """The first kernels of all experts, and those of all gates."""
    levels = getattr(layer, "levels", [layer])
    experts = [one for level in levels for one in columns_of(level.experts.mlps)]
    gates = [
        one
        for level in levels
        for gate in gates_of(level)
        for one in columns_of(gate.mlps)
    ]
    return experts, gates


def make_seeded(name, initializer):
    expert = Expert.relu(units=(5,), kernel_initializer=initializer)
    gated = name not in ("shared-bottom", "single-task")
    gates = {"gate_initializer": initializer} if gated else {}
    layer = make(name, expert=expert, **gates)
    layer(V)
    return layer


@pytest.mark.parametrize(
    "initializer",
    ["glorot_uniform", keras.initializers.GlorotUniform(seed=7)],
    ids=["no-seed", "seed"],
)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_all_experts_and_gates_start_different(name, initializer):
    layer = make_seeded(name, initializer)
    for kernels in experts_and_gates(layer):
        starts = {kernel[:2, 0].tobytes() for kernel in kernels}
        assert len(starts) == len(kernels)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_int_seed_repeats_the_weights_and_another_changes_them(name):
    def weights(seed):
        initializer = keras.initializers.GlorotUniform(seed=seed)
        return make_seeded(name, initializer).get_weights()

    first, again, other = weights(3), weights(3), weights(4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def taught_by(layer, task):
    """The experts and the gates of each level, by number, that a task trains."""
    gradient_of = gradients(layer, V, lambda outputs: sum_of_squares(outputs[task]))

    def taught(mlps):
        width = mlps.units[-1]
        return [
            gradient_of([mlps.kernels[-1]], slice(place * width, (place + 1) * width))
            > 0
            for place in range(mlps.num_mlps)
        ]

    experts, gates = [], []
    for level in getattr(layer, "levels", [layer]):
        experts.append(set(np.flatnonzero(taught(level.experts.mlps))))
        of_gates = [one for gate in gates_of(level) for one in taught(gate.mlps)]
        gates.append(set(np.flatnonzero(of_gates)))
    return experts, gates


def test_single_tasks_share_nothing():
    layer = make_random("single-task", expert=STAR)
    for place, task in enumerate(TASKS):
        assert taught_by(layer, task) == ([{place}], [set()])


def test_all_tasks_of_mmoe_teach_all_experts():
    layer = make_random("mmoe", expert=STAR)
    for place, task in enumerate(TASKS):
        assert taught_by(layer, task) == ([{0, 1, 2}], [{place}])


def test_in_cgc_a_task_teaches_its_own_and_the_shared_experts_only():
    layer = make_random("cgc", expert=STAR)
    own = {"long_view": {2, 3}, "finish": {4, 5}, "click": {6, 7}}
    for place, task in enumerate(TASKS):
        assert taught_by(layer, task) == ([{0, 1} | own[task]], [{place}])


def test_in_ple_the_shared_gate_sees_all_experts_of_its_level():
    layer = make_random("ple", expert=STAR)
    first, last = layer.levels
    assert (first.shared_gate.num_experts, first.gates.num_experts) == (8, 4)
    assert (last.shared_gate, last.gates.num_experts) == (None, 4)
    # Through the shared gate a task teaches every expert of the first level, and of
    # the gates only the shared one and its own.
    assert taught_by(layer, "finish") == (
        [set(range(8)), {0, 1, 4, 5}],
        [{0, 2}, {1}],
    )


def test_in_adatt_a_task_teaches_the_experts_of_all_tasks():
    layer = make_random("adatt", expert=STAR)
    assert taught_by(layer, "click") == ([set(range(6))] * 2, [{0, 1, 2}, {2}])


def test_ple_of_one_level_is_cgc():
    ple, cgc = make_random("ple", num_levels=1), make_random("cgc")
    cgc.set_weights(ple.get_weights())
    for found, expected in zip(ple(V).values(), cgc(V).values(), strict=True):
        np.testing.assert_array_equal(to_numpy(found), to_numpy(expected))


def test_in_adatt_the_own_experts_have_free_weights_only_if_there_are_several():
    def names(layer):
        return [w.name.split("/")[-1].split(":")[0] for w in layer.trainable_weights]

    several = make_random("adatt", num_task_experts=2)
    assert names(several).count("own_weights") == several.num_levels == 2
    assert several.levels[0].own_weights.shape == (3, 2)
    one = make_random("adatt", num_task_experts=1)
    assert "own_weights" not in names(one)


def test_in_adatt_the_own_experts_start_at_their_mean():
    layer = make("adatt", num_task_experts=4)
    layer(V)
    for level in layer.levels:
        np.testing.assert_array_equal(np.array(level.own_weights), 0.25)


def test_one_configuration_fits_every_architecture():
    expert = Expert.home(units=(3,), batch_norm_momentum=0.8)
    for cls, _, _ in ARCHITECTURES.values():
        layer = cls(GROUPS, expert=expert)
        assert {k: tuple(v.shape) for k, v in layer(V).items()} == dict.fromkeys(
            TASKS, (16, 3)
        )


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": {}}, r"`task_groups` must be a dict .* Received: \{\}"),
        ({"groups": {"a": ["x"], "b": ["x"]}}, r"contain each task only once"),
        ({"expert": "gelu"}, r"`expert` must be an `Expert` or .* Received: 'gelu'"),
    ],
)
def test_wrong_arguments_are_told(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(name, **arguments)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("mmoe", "num_experts"),
        ("cgc", "num_shared_experts"),
        ("cgc", "num_task_experts"),
        ("ple", "num_levels"),
        ("ple", "num_shared_experts"),
        ("ple", "num_task_experts"),
        ("adatt", "num_levels"),
        ("adatt", "num_task_experts"),
    ],
)
def test_a_number_of_zero_is_told(name, argument):
    with pytest.raises(ValueError, match=f"`{argument}` must be a positive integer"):
        make(name, **{argument: 0})


@pytest.mark.parametrize("name", ["mmoe", "cgc", "ple", "adatt"])
def test_a_wrong_width_of_a_gate_is_told(name):
    with pytest.raises(ValueError, match=r"`gate_units` must be a positive integer"):
        make(name, gate_units=(0,))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_unknown_input_width_is_told(name):
    with pytest.raises(ValueError, match=r"last dimension of the input of `"):
        make(name)(keras.Input((None,)))


@pytest.mark.parametrize(
    ("name", "layer_name", "paths"),
    [
        ("shared-bottom", "shared_bottom", {"experts/kernel_0"}),
        ("single-task", "single_task", {"experts/kernel_0"}),
        ("mmoe", "mmoe", {"experts/kernel_0", "gates/kernel_0"}),
        ("cgc", "cgc", {"experts/kernel_0", "gates/kernel_0"}),
        (
            "ple",
            "ple",
            {
                "level_1/experts/kernel_0",
                "level_1/gates/kernel_0",
                "level_1/shared_gate/kernel_0",
                "level_2/experts/kernel_0",
                "level_2/gates/kernel_0",
            },
        ),
        (
            "adatt",
            "adatt",
            {
                f"level_{level}/{name}"
                for level in (1, 2)
                for name in ("experts/kernel_0", "gates/kernel_0", "own_weights")
            },
        ),
    ],
)
def test_names_of_layers_and_weights_are_read_by_people(name, layer_name, paths):
    keras.backend.clear_session()
    layer = make_random(name)
    assert layer.name == layer_name
    found = [weight_path(weight) for weight in layer.weights]
    assert len(set(found)) == len(found)
    read = {path.removeprefix(f"{layer_name}/") for path in found if "bias" not in path}
    assert read == paths
