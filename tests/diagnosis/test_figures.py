"""Every figure on gates and experts made by hand."""

import numpy as np
import pytest
from scipy.stats import entropy

from home_tf.diagnosis import Figures, Inspection
from home_tf.diagnosis.expert_sums import effective_rank
from home_tf.diagnosis.inspection import Gate
from home_tf.errors import HomeError
from home_tf.layers.anatomy import NamedExpert

SHARED = [NamedExpert("shared", 0, "shared"), NamedExpert("shared", 1, "shared")]
GROUP = NamedExpert("inter", 0, "group")
OWN = NamedExpert("click", 0, "task")


def made(rows=400, **changes):
    random = np.random.default_rng(0)
    experts = {
        "shared/0": random.normal(size=(rows, 3)),
        "shared/1": np.maximum(random.normal(size=(rows, 3)), 0),
        "inter/0": random.normal(size=(rows, 3)) * [1.0, 0.0, 0.0],
        "click/0": 100 * random.normal(size=(rows, 3)),
        **changes.pop("experts", {}),
    }
    logits = random.normal(size=(rows, 4))
    weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gates = {"click": Gate(weights, [*SHARED, GROUP, OWN], "click")}
    return Inspection(
        **{
            "experts": experts,
            "gates": gates,
            "self_gates": {},
            "feature_gates": {},
            "banks": [["shared/0", "shared/1"], ["inter/0"], ["click/0"]],
            **changes,
        }
    )


def parts(found, start, end):
    cut = slice(start, end)
    return Inspection(
        experts={name: x[cut] for name, x in found.experts.items()},
        gates={
            name: Gate(gate.weights[cut], gate.experts, gate.task)
            for name, gate in found.gates.items()
        },
        self_gates={
            name: Gate(gate.weights[cut], gate.experts, gate.task)
            for name, gate in found.self_gates.items()
        },
        feature_gates={name: x[cut] for name, x in found.feature_gates.items()},
        banks=found.banks,
        reading_features=found.reading_features,
    )


def figures_of(found, **arguments):
    figures = Figures(**arguments)
    for start in (0, 150, 160):
        end = {0: 150, 150: 160, 160: 400}[start]
        figures.add(parts(found, start, end))
    return figures.result()


def test_experts():
    found = made()
    result = figures_of(found)
    assert result["rows"] == 400
    for name, x in found.experts.items():
        figures = result["experts"][name]
        assert figures["mean"] == pytest.approx(x.mean(), abs=1e-9)
        assert figures["variance"] == pytest.approx(x.var(), rel=1e-9)
        assert figures["zeros"] == pytest.approx((x == 0).mean())
        assert figures["near_zeros"] == pytest.approx((abs(x) < 1e-3).mean())
        values = np.linalg.eigvalsh(np.cov(x.T, bias=True))
        rank = np.exp(entropy(np.maximum(values, 0)))
        assert figures["effective_rank"] == pytest.approx(rank, rel=1e-6)
    assert result["experts"]["inter/0"]["dead_dimensions"] == pytest.approx(2 / 3)
    assert result["experts"]["inter/0"]["effective_rank"] == pytest.approx(1.0)
    assert result["experts"]["shared/1"]["dead_dimensions"] == 0.0
    assert result["experts"]["inter/0"]["twin"] is None


def test_a_dead_expert_has_no_rank_and_no_twin():
    dead = {"shared/1": np.zeros((400, 3))}
    result = figures_of(made(experts=dead))["experts"]
    assert result["shared/1"]["dead_dimensions"] == 1.0
    assert result["shared/1"]["effective_rank"] == 0.0
    assert result["shared/0"]["similarity"] == 0.0


def linear_cka(x, y):
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    cross = np.linalg.norm(x.T @ y) ** 2
    return cross / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def test_twins():
    """Two experts are the same, also if one is the other turned and scaled."""
    random = np.random.default_rng(3)
    x = random.normal(size=(400, 3)) * [3.0, 2.0, 1.0]
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    other = random.normal(size=(400, 3))
    bank = {"shared/0": x, "shared/1": 7 * x @ turn + 2, "shared/2": other}
    found = made(experts=bank, banks=[list(bank), ["inter/0"], ["click/0"]])
    result = figures_of(found)["experts"]
    assert result["shared/0"]["twin"] == "shared/1"
    assert result["shared/0"]["similarity"] == pytest.approx(1.0, abs=1e-9)
    similar = result["shared/2"]["similarity"]
    expected = max(linear_cka(other, bank[f"shared/{k}"]) for k in (0, 1))
    assert similar == pytest.approx(expected, rel=1e-6)


def test_gates():
    found = made()
    gate = found.gates["click"]
    figures = figures_of(found)["gates"]["click"]
    means = gate.weights.mean(axis=0)
    names = [str(expert) for expert in gate.experts]
    assert figures["task"] == "click"
    assert list(figures["weights"]) == names
    np.testing.assert_allclose(list(figures["weights"].values()), means)
    effective = np.exp(entropy(gate.weights, axis=1)).mean() / 4
    assert figures["effective_experts"] == pytest.approx(effective)
    assert figures["expert_utilization"] == pytest.approx(np.exp(entropy(means)) / 4)
    assert figures["largest_weight"] == pytest.approx(means.max())
    assert figures["largest_expert"] == names[means.argmax()]
    assert figures["load_balance_cv"] == pytest.approx(means.std() / means.mean())
    # As much as if each row took one expert whole, as often as the means say.
    most = (means * (1 - means)).sum()
    dependence = gate.weights.var(axis=0).sum() / most
    assert figures["input_dependence"] == pytest.approx(dependence)
    assert figures["unused_expert_fraction"] == 0.0
    contributions = np.stack(
        [
            gate.weights[:, k] * np.linalg.norm(found.experts[name], axis=1)
            for k, name in enumerate(names)
        ],
        axis=1,
    )
    contributions /= contributions.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        list(figures["contributions"].values()), contributions.mean(axis=0)
    )
    # The weight alone misleads: the own expert's outputs are a hundred times as large.
    assert figures["contributions"]["click/0"] > 0.9 > figures["weights"]["click/0"]


def test_a_gate_that_takes_one_expert_whatever_its_input():
    weights = np.tile([0.0, 1.0, 0.0, 0.0], (400, 1))
    gate = Gate(weights, [*SHARED, GROUP, OWN], "click")
    figures = figures_of(made(gates={"click": gate}))["gates"]["click"]
    assert figures["effective_experts"] == pytest.approx(0.25)
    assert figures["unused_expert_fraction"] == 0.75
    assert figures["load_balance_cv"] == pytest.approx(np.sqrt(3))
    assert figures["input_dependence"] == 0.0


def test_a_gate_that_takes_another_expert_for_each_row_depends_on_its_input_alone():
    weights = np.eye(4)[np.random.default_rng(2).integers(0, 4, 400)]
    gate = Gate(weights, [*SHARED, GROUP, OWN], "click")
    figures = figures_of(made(gates={"click": gate}))["gates"]["click"]
    assert figures["input_dependence"] == pytest.approx(1.0)


def test_the_quantiles_of_outputs_of_any_scale():
    random = np.random.default_rng(4)
    wide = random.normal(size=(400, 3)) * 10.0 ** random.integers(-6, 6, (400, 3))
    found = made(experts={"click/0": wide})
    for name, x in found.experts.items():
        quantiles = figures_of(found)["experts"][name]["quantiles"]
        assert list(quantiles) == ["1", "5", "25", "50", "75", "95", "99"]
        values = np.sort(x.ravel())
        for share, value in quantiles.items():
            rank = max(1, int(np.ceil(float(share) / 100 * values.size)))
            assert value == pytest.approx(values[rank - 1], rel=0.02)
    assert figures_of(made())["experts"]["shared/1"]["quantiles"]["25"] == 0.0


def test_gradient_norms():
    random = np.random.default_rng(5)
    gradients = {"shared/0": random.normal(size=(400, 3))}
    figures = Figures()
    found = made(gradients=gradients)
    figures.add(found)
    experts = figures.result()["experts"]
    norms = np.sqrt((gradients["shared/0"] ** 2).sum(axis=1))
    assert experts["shared/0"]["gradient_norm"] == pytest.approx(norms.mean())
    assert experts["shared/1"]["gradient_norm"] is None


def test_outputs_that_are_no_numbers_are_told():
    found = made()
    found.experts["inter/0"][3, 1] = np.inf
    with pytest.raises(HomeError, match=r"expert inter/0: some of its outputs are NaN"):
        figures_of(found)


def test_no_rows_have_no_figures():
    with pytest.raises(ValueError, match="no figures yet"):
        Figures().result()


def test_what_a_task_is_made_of_and_how_the_use_of_an_expert_divides():
    ones = {name: np.ones((400, 3)) for name in ("shared/0", "shared/1", "inter/0")}
    ones["click/0"] = np.full((400, 3), 2.0)
    weights = np.tile([0.1, 0.2, 0.3, 0.4], (400, 1))
    own = Gate(np.full((400, 1), 0.5), [OWN], "click")
    found = made(
        experts=ones,
        gates={
            "click": Gate(weights, [*SHARED, GROUP, OWN], "click"),
            "like": Gate(weights[:, ::-1][:, :2], SHARED, "like"),
        },
        self_gates={"click": own},
    )
    result = figures_of(found)
    # 0.3 of shared, 0.3 of the group, 2 (0.4 + 0.5) of its own.
    total = 0.3 + 0.3 + 1.8
    assert result["tasks"]["click"] == pytest.approx(
        {"shared": 0.3 / total, "group": 0.3 / total, "task": 1.8 / total}
    )
    # `click` takes 0.1 of 1.4 of it, and `like` 0.4 of 0.7.
    first, second = 0.1 / 1.4, 0.4 / 0.7
    assert result["use"]["shared/0"] == pytest.approx(
        {"click": first / (first + second), "like": second / (first + second)}
    )


def test_feature_gates_by_the_names_of_features():
    random = np.random.default_rng(1)
    values = random.uniform(0, 2, size=(400, 5))
    found = made(
        feature_gates={"meta/shared": values, "task/shared": values[:, :3]},
        reading_features=["meta/shared"],
    )
    result = figures_of(found, features={"user": 3, "item": 1, "price": 1})
    gate = result["feature_gates"]["meta/shared"]
    means = values.mean(axis=0)
    assert gate["mean"] == pytest.approx(means.mean())
    assert gate["deviation"] == pytest.approx(means.std())
    assert gate["effect"] == pytest.approx(np.sqrt(((values - 1) ** 2).mean()))
    assert gate["features"] == pytest.approx(
        {"user": means[:3].mean(), "item": means[3], "price": means[4]}
    )
    assert "features" not in result["feature_gates"]["task/shared"]


def test_the_effective_rank_of_a_round_cloud_is_its_dimension():
    assert effective_rank(np.eye(5)) == pytest.approx(5.0)
    assert effective_rank(np.diag([1.0, 0, 0])) == pytest.approx(1.0)
