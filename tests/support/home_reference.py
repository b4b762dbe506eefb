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

    meta = experts_of(layer.meta_experts, layer, owners, v, training)
    everything = together(meta, owners)
    # Eq. 6: a group sees the shared experts and its own, the shared gate sees all.
    z = {SHARED: gate(layer.meta_shared_gate, 0, v, everything, softmax)}
    for number, group in enumerate(groups):
        seen = together(meta, [SHARED, group]) if layer.hierarchy_mask else everything
        z[group] = gate(layer.meta_group_gates, number, v, seen, softmax)
    if layer.self_gate in ("both", "meta"):  # eq. 11
        z[SHARED] += self_gate(layer.meta_shared_self_gate, 0, v, meta[SHARED])
        for number, group in enumerate(groups):
            own = meta[group]
            z[group] += self_gate(layer.meta_group_self_gates, number, v, own)

    second = experts_of(layer.task_shared_experts, layer, [SHARED], z[SHARED], training)
    for group, tasks in groups.items():
        readers = [group, *(f"task:{task}" for task in tasks)]
        bank = layer.task_experts[group]
        second |= experts_of(bank, layer, readers, z[group], training)
    outputs = {}
    for group, tasks in groups.items():
        decides = np.concatenate([z[group], z[SHARED]], axis=1)
        for number, task in enumerate(tasks):
            own = f"task:{task}"
            seen = [SHARED, group, own] if layer.hierarchy_mask else list(second)
            seen = together(second, seen)
            # Eq. 7.
            h = gate(layer.task_gates[group], number, decides, seen, softmax)
            if layer.self_gate == "both":
                gates = layer.task_self_gates[group]
                h += self_gate(gates, number, z[group], second[own])
            outputs[task] = h
    return outputs


def together(experts, owners):
    return [output for owner in owners for output in experts[owner]]


def experts_of(gated, layer, owners, x, training):
    """`{owner: outputs of its experts}`, each expert behind its feature gate."""
    numbers = {SHARED: layer.num_shared_experts}
    numbers |= dict.fromkeys(layer.task_groups, layer.num_group_experts)
    outputs, number = {}, 0
    for place, owner in enumerate(owners):
        outputs[owner] = []
        for _ in range(numbers.get(owner, layer.num_task_experts)):
            gated_input = x
            if gated.feature_gates is not None:  # eq. 10
                which = number if layer.feature_gate_scope == "expert" else place
                gated_input = x * feature_gate(gated.feature_gates, x, which)
            outputs[owner].append(expert(gated.experts, number, gated_input, training))
            number += 1
    assert number == gated.experts.mlps.num_mlps
    return outputs


def expert(bank, number, x, training):
    """Eq. 4 and 5: `Swish(BatchNorm(MLP(x)))`; or `Swish(MLP(x))`, `ReLU(MLP(x))`."""
    x = mlp(bank.mlps, number, np.asarray(x, np.float64))
    if bank.expert == "relu":
        return np.maximum(x, 0)
    if bank.expert == "swish":
        return x * sigmoid(x)
    mine = slice(number * x.shape[1], (number + 1) * x.shape[1])
    norm = bank.batch_norm
    if training:
        mean, variance = x.mean(0), x.var(0)
    else:
        mean, variance = (
            array(norm.moving_mean)[mine],
            array(norm.moving_variance)[mine],
        )
    x = (x - mean) / np.sqrt(variance + bank.epsilon)
    x = x * array(norm.gamma)[mine] + array(norm.beta)[mine]
    return x * sigmoid(x)


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
