"""The forward pass of HoME in NumPy: one expert and one gate at a time.

Written from the equations of the paper (arXiv 2408.05430). It shares nothing with the
package but the values of the weights, and runs in float64.
"""

import numpy as np

SHARED = "shared"


def home(layer, v, training):
    """The representations `{task: (batch, D)}` of a built `HoME` layer."""
    v = np.asarray(v, np.float64)
    groups = layer.task_groups
    owners = [SHARED, *groups]

    meta = {}
    for owner in owners:
        meta |= experts_of(layer.meta_level[owner], layer, [owner], v, training)
    z = {}
    for owner in owners:
        part = layer.meta_level[owner]
        # Eq. 6: a group sees the shared experts and its own, the shared gate sees all.
        masked = layer.hierarchy_mask and owner != SHARED
        seen = together(meta, [SHARED, owner] if masked else owners)
        z[owner] = gate(part.gates, 0, v, seen, softmax)
        if layer.self_gate in ("both", "meta"):  # eq. 11
            z[owner] += self_gate(part.self_gates, 0, v, meta[owner])

    part = layer.task_level[SHARED]
    second = experts_of(part, layer, [SHARED], z[SHARED], training)
    for group, tasks in groups.items():
        readers = [group, *(f"task:{task}" for task in tasks)]
        part = layer.task_level[group]
        second |= experts_of(part, layer, readers, z[group], training)
    outputs = {}
    for group, tasks in groups.items():
        part = layer.task_level[group]
        decides = np.concatenate([z[group], z[SHARED]], axis=1)
        for number, task in enumerate(tasks):
            own = f"task:{task}"
            seen = [SHARED, group, own] if layer.hierarchy_mask else list(second)
            seen = together(second, seen)
            # Eq. 7.
            h = gate(part.gates, number, decides, seen, softmax)
            if layer.self_gate == "both":
                h += self_gate(part.self_gates, number, z[group], second[own])
            outputs[task] = h
    return outputs


def together(experts, owners):
    return [output for owner in owners for output in experts[owner]]


def experts_of(part, layer, owners, x, training):
    """`{owner: outputs of its experts}`, each expert behind its feature gate."""
    numbers = {SHARED: layer.num_shared_experts}
    numbers |= dict.fromkeys(layer.task_groups, layer.num_group_experts)
    outputs, number = {}, 0
    for place, owner in enumerate(owners):
        outputs[owner] = []
        for _ in range(numbers.get(owner, layer.num_task_experts)):
            gated_input = x
            if part.feature_gates is not None:  # eq. 10
                which = number if layer.feature_gate_scope == "expert" else place
                gated_input = x * feature_gate(part.feature_gates, x, which)
            outputs[owner].append(expert(part.experts, number, gated_input, training))
            number += 1
    assert number == part.experts.mlps.num_mlps
    return outputs


def expert(bank, number, x, training):
    """Eq. 4 and 5: `Swish(BatchNorm(MLP(x)))`; or `Swish(MLP(x))`, `ReLU(MLP(x))`."""
    x = mlp(bank.mlps, number, np.asarray(x, np.float64))
    if bank.expert.batch_norm:
        x = batch_norm(bank, number, x, training)
    return x * sigmoid(x) if bank.expert.activation == "swish" else np.maximum(x, 0)


def batch_norm(bank, number, x, training):
    """Eq. 4, of one expert."""
    mine = slice(number * x.shape[1], (number + 1) * x.shape[1])
    norm = bank.batch_norm
    if training:
        mean, variance = x.mean(0), x.var(0)
    else:
        mean, variance = (
            array(norm.moving_mean)[mine],
            array(norm.moving_variance)[mine],
        )
    x = (x - mean) / np.sqrt(variance + bank.expert.batch_norm_epsilon)
    return x * array(norm.gamma)[mine] + array(norm.beta)[mine]


def feature_gate(layer, v, number=0):
    """Eq. 8 and 9: the mixture of `2 * Sigmoid(v B A)`, after the sigmoids."""
    v = np.asarray(v, np.float64)
    maps = layer.num_loras * (layer.num_gates or 1)
    downs = np.split(array(layer.down_kernel), maps, axis=1)
    ups = np.split(array(layer.up_kernel), maps, axis=0)
    mine = range(number * layer.num_loras, (number + 1) * layer.num_loras)
    loras = [2 * sigmoid(v @ downs[i] @ ups[i]) for i in mine]
    return gate(layer.gate, number, v, loras, softmax)


def self_gate(layer, number, x, own):
    """Eq. 11: a sigmoid over one expert, a softmax over more."""
    return gate(layer, number, x, own, sigmoid if len(own) == 1 else softmax)


def gate(layer, number, x, experts, activation):
    """Eq. 2 and 3: `sum_k w_k E_k` with the weights of the gate's MLP."""
    weights = activation(mlp(layer.mlps, number, np.asarray(x, np.float64)))
    assert weights.shape[1] == len(experts)
    return sum(weights[:, [k]] * output for k, output in enumerate(experts))


def mlp(layer, number, x):
    """The MLP of a number: its columns of each kernel, ReLU between its layers."""
    last = len(layer.units) - 1
    for depth, units in enumerate(layer.units):
        mine = slice(number * units, (number + 1) * units)
        x = x @ array(layer.kernels[depth])[:, mine]
        if depth < len(layer.biases):
            x = x + array(layer.biases[depth])[mine]
        if depth < last:
            x = np.maximum(x, 0)
    return x


def softmax(x):
    shifted = np.exp(x - x.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def array(variable):
    return np.asarray(variable, np.float64)
