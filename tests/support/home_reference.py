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

    meta = {owner: experts_of(layer, "meta", owner, v, training) for owner in owners}
    z = {}
    for owner in owners:
        # Eq. 6: a group sees the shared experts and its own, the shared gate sees all.
        everything = owner == SHARED or not layer.hierarchy_mask
        seen = owners if everything else [SHARED, owner]
        z[owner] = gate(layer.meta_gates[owner], v, together(meta, seen), softmax)
        if layer.self_gate in ("both", "meta"):  # eq. 11
            z[owner] += self_gate(layer.meta_self_gates[owner], v, meta[owner])

    group_of = {task: group for group, tasks in groups.items() for task in tasks}
    inputs = {**z, **{f"task:{task}": z[group] for task, group in group_of.items()}}
    second = {
        owner: experts_of(layer, "task", owner, x, training)
        for owner, x in inputs.items()
    }
    outputs = {}
    for task, group in group_of.items():
        own = f"task:{task}"
        seen = [SHARED, group, own] if layer.hierarchy_mask else list(second)
        decides = np.concatenate([z[group], z[SHARED]], axis=1)
        # Eq. 7.
        h = gate(layer.task_gates[task], decides, together(second, seen), softmax)
        if layer.self_gate == "both":
            h += self_gate(layer.task_self_gates[task], z[group], second[own])
        outputs[task] = h
    return outputs


def together(experts, owners):
    return [output for owner in owners for output in experts[owner]]


def experts_of(layer, level, owner, x, training):
    """The outputs of an owner's experts, each behind its feature gate."""
    bank = getattr(layer, f"{level}_experts")[owner]
    gates = getattr(layer, f"{level}_feature_gates")
    outputs = []
    for number in range(bank.num_experts):
        gated = x
        if layer.feature_gate in ("both", level):  # eq. 10
            which = number if layer.feature_gate_scope == "expert" else 0
            gated = x * feature_gate(gates[f"{owner}:{which}"], x)
        outputs.append(expert(bank, number, gated, training))
    return outputs


def expert(bank, number, x, training):
    """Eq. 4 and 5: `Swish(BatchNorm(MLP(x)))`, or `ReLU(MLP(x))`."""
    x = np.asarray(x, np.float64)
    last = len(bank.units) - 1
    for depth, units in enumerate(bank.units):
        mine = slice(number * units, (number + 1) * units)
        x = x @ array(bank.kernels[depth])[:, mine]
        if depth < last or bank.expert == "relu":
            x = np.maximum(x + array(bank.biases[depth])[mine], 0)
    if bank.expert == "relu":
        return x
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


def feature_gate(layer, v):
    """Eq. 8 and 9: the mixture of `2 * Sigmoid(v B A)`, after the sigmoids."""
    v = np.asarray(v, np.float64)
    loras = [
        2 * sigmoid(v @ array(down) @ array(up))
        for down, up in zip(layer.down_kernels, layer.up_kernels, strict=True)
    ]
    return gate(layer.gate, v, loras, softmax)


def self_gate(layer, x, own):
    """Eq. 11: a sigmoid over one expert, a softmax over more."""
    return gate(layer, x, own, sigmoid if len(own) == 1 else softmax)


def gate(layer, x, experts, activation):
    """Eq. 2 and 3: `sum_k w_k E_k` with the weights of the gate's MLP."""
    weights = activation(mlp(layer.mlp, np.asarray(x, np.float64)))
    assert weights.shape[1] == len(experts)
    return sum(weights[:, [k]] * output for k, output in enumerate(experts))


def mlp(layer, x):
    for depth, dense in enumerate(layer.dense_layers):
        x = x @ array(dense.kernel) + array(dense.bias)
        if depth < len(layer.dense_layers) - 1:
            x = np.maximum(x, 0)
    return x


def softmax(x):
    shifted = np.exp(x - x.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def array(variable):
    return np.asarray(variable, np.float64)
