"""The forward passes of the baselines in NumPy: one expert and one gate at a time.

Written from the equations of their papers. They share nothing with the package but the
values of the weights, and run in float64. In a level's bank the shared experts come
first, then those of each task in turn.
"""

import numpy as np

from support.home_reference import array, expert, gate, softmax


def shared_bottom(layer, v, training):
    return {task: expert(layer.experts, 0, v, training) for task in layer.tasks}


def single_task(layer, v, training):
    return {
        task: expert(layer.experts, number, v, training)
        for number, task in enumerate(layer.tasks)
    }


def mmoe(layer, v, training):
    """KDD 2018: `h_t = sum_i softmax(W_t x)_i f_i(x)`."""
    experts = [
        expert(layer.experts, number, v, training)
        for number in range(layer.num_experts)
    ]
    return {
        task: gate(layer.gates, place, v, experts, softmax)
        for place, task in enumerate(layer.tasks)
    }


def ple(layer, v, training):
    """RecSys 2020; CGC is the case of one level."""
    h = dict.fromkeys(layer.tasks, v)
    h_shared = v
    levels = getattr(layer, "levels", [layer])
    for depth, level in enumerate(levels, start=1):
        number = iter(range(1000))
        shared = [
            expert(level.experts, next(number), h_shared, training)
            for _ in range(layer.num_shared_experts)
        ]
        own = {
            task: [
                expert(level.experts, next(number), h[task], training)
                for _ in range(layer.num_task_experts)
            ]
            for task in layer.tasks
        }
        if depth < len(levels):
            everything = shared + [e for task in layer.tasks for e in own[task]]
            h_shared = gate(level.shared_gate, 0, h_shared, everything, softmax)
        h = {
            task: gate(level.gates, place, h[task], shared + own[task], softmax)
            for place, task in enumerate(layer.tasks)
        }
    return h


def adatt(layer, v, training):
    """KDD 2023, AdaTT-sp: all tasks' experts through a gate, plus `v_t . own`."""
    h = dict.fromkeys(layer.tasks, v)
    count = layer.num_task_experts
    for level in layer.levels:
        own = {
            task: [
                expert(level.experts, place * count + i, h[task], training)
                for i in range(count)
            ]
            for place, task in enumerate(layer.tasks)
        }
        everything = [e for task in layer.tasks for e in own[task]]
        free = np.ones((len(h), 1)) if count == 1 else array(level.own_weights)
        h = {
            task: gate(level.gates, place, h[task], everything, softmax)
            + sum(w * e for w, e in zip(free[place], own[task], strict=True))
            for place, task in enumerate(layer.tasks)
        }
    return h
