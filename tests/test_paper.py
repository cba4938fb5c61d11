"""The equations of the paper, one by one, in plain NumPy.

Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018; sections and equation numbers are those
of arXiv 1706.06978v4. What the authors' released code does otherwise is in tests/test_forms.py.
"""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_din import DINClassifier
from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.metrics import gauc_score, relative_improvement
from sklearn_din.nn import DIN, ActivationUnit, AttentionPooling, Dice
from sklearn_din.preprocessing import EncodedTable
from sklearn_din.training import (
    BinaryLogLoss,
    MinibatchAwareL2,
    MulticlassLogLoss,
    Rows,
    TensorTable,
    WholeTableL2,
    build_net,
)

CPU = torch.device("cpu")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


# Section 4.2, equation 1: the base model pools the behaviors by their sum or their mean.


@pytest.mark.parametrize(("pooling", "expected"), [("sum", [4.0, 6.0]), ("mean", [2.0, 3.0])])
def test_equation_1_the_base_model_sums_or_averages_the_behaviors_whatever_the_candidate(pooling, expected):
    layout = layout_of_items(5)
    network = DIN(layout, embedding_dim=2, pooling=pooling, interest_product=False, recency_embedding=False).eval()
    with torch.no_grad():
        network.embedding.weight("item")[2:4] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])

    for candidate in (2, 3, 4):
        batch = {"item": torch.tensor([candidate]), "hist_item": (torch.tensor([2, 3]), torch.tensor([0, 2]))}
        pooled = network.features(batch)[0, 2:4]  # behind the candidate
        assert pooled.tolist() == expected


# Section 4.2, equation 2: L = −1/N Σ (y log p(x) + (1 − y) log(1 − p(x))), p(x) behind a softmax layer.


def test_equation_2_the_loss_of_a_logit_is_the_log_loss_of_the_two_way_softmax(rng):
    two = rng.normal(scale=3, size=(7, 2))  # the two inputs of the paper's softmax layer
    y = np.array([0, 1, 1, 0, 1, 0, 0])

    p = np.exp(two[:, 1]) / np.exp(two).sum(axis=1)
    expected = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    one = BinaryLogLoss()(torch.tensor(two[:, 1] - two[:, 0]), torch.tensor(y, dtype=torch.float64))
    assert one.item() == pytest.approx(expected, rel=1e-12)
    assert MulticlassLogLoss()(torch.tensor(two), torch.tensor(y)).item() == pytest.approx(expected, rel=1e-12)


def test_equation_2_the_gradient_of_a_logit_is_p_minus_y_over_n():
    logits = torch.tensor([-1.5, 0.0, 2.0, 40.0], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=torch.float64)

    BinaryLogLoss()(logits, y).backward()

    expected = (sigmoid(logits.detach().numpy()) - y.numpy()) / 4
    np.testing.assert_allclose(logits.grad, expected, rtol=1e-12)


# Section 4.3, equation 3: v_U(A) = Σ w_j e_j, w_j = a(e_j, v_A); the unit a sees e_j, v_A and their out product.


def drawn(module, seed=0):
    """Give all parameters of a module values from a normal distribution, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.double().parameters():
        parameter.data.normal_(generator=generator)
    return module.eval()


def test_equation_3_the_interest_is_the_sum_of_the_behaviors_weighted_by_the_unit_without_normalization(rng):
    unit = drawn(ActivationUnit(3, 3, (4,), activation="prelu", interaction="outer"))
    candidate, behaviors = rng.normal(size=(2, 3)), rng.normal(size=(5, 3))
    first, second = unit.mlp.first, unit.mlp.output
    slope = unit.mlp.hidden[1].weight.detach().numpy()

    interests = np.zeros((2, 3))
    for j, user in enumerate([0, 0, 1, 1, 1]):
        v, e = candidate[user], behaviors[j]
        out_product = [v[i] * e[k] for i in range(3) for k in range(3)]
        s = first.weight.detach().numpy() @ [*v, *e, *out_product] + first.bias.detach().numpy()
        s = np.where(s > 0, s, slope * s)
        weight = second.weight.detach().numpy()[0] @ s + second.bias.item()
        interests[user] += weight * e
    pooling = AttentionPooling(unit, normalization=None)
    actual, _ = pooling(torch.tensor(candidate), torch.tensor(behaviors), torch.tensor([0, 2, 5]))
    np.testing.assert_allclose(actual.detach(), interests, rtol=1e-10)


@pytest.mark.parametrize(("normalization", "factor"), [(None, 2), ("sigmoid", 2), ("softmax", 1)])
def test_equation_3_twice_the_history_is_twice_the_interest_but_to_a_softmax_the_same(normalization, factor, rng):
    pooling = AttentionPooling(drawn(ActivationUnit(3, 3, (4,), interaction="outer")), normalization=normalization)
    candidate, behaviors = torch.tensor(rng.normal(size=(1, 3))), torch.tensor(rng.normal(size=(4, 3)))

    once, _ = pooling(candidate, behaviors, torch.tensor([0, 4]))
    twice, _ = pooling(candidate, torch.cat([behaviors, behaviors]), torch.tensor([0, 8]))

    torch.testing.assert_close(twice, factor * once)


@pytest.mark.parametrize(
    ("normalization", "of_t_shirt", "of_phone"), [(None, (9, [9, 0]), (1, [0, 1])), ("softmax", (1, None), (1, None))]
)
def test_equation_3_the_sum_of_the_weights_keeps_the_intensity_of_interest(normalization, of_t_shirt, of_phone):
    # The paper's example: of ten behaviors nine are clothes, (1, 0), and one is electronics, (0, 1).
    history = torch.tensor([[1.0, 0.0]] * 9 + [[0.0, 1.0]])
    unit = ActivationUnit(2, 2, (), interaction="outer")
    with torch.no_grad():  # the weights of the entries of [a, e, a₁e₁, a₁e₂, a₂e₁, a₂e₂]: the score is a · e
        unit.mlp.output.weight[:] = torch.tensor([[0.0, 0, 0, 0, 1, 0, 0, 1]])
        unit.mlp.output.bias[:] = 0
    pooling = AttentionPooling(unit, normalization=normalization)

    for candidate, (intensity, expected) in (([1.0, 0.0], of_t_shirt), ([0.0, 1.0], of_phone)):
        interest, weights = pooling(torch.tensor([candidate]), history, torch.tensor([0, 10]))
        assert weights.sum().item() == pytest.approx(intensity)
        assert expected is None or interest[0].tolist() == expected


# Section 5.1, equations 4 to 7: mini-batch aware regularization.
#
# Rows of items and their histories. In how many rows does an item occur, candidate and history together? Item 2 in
# rows 0, 1 and 3: n₂ = 3, though it occurs four times, twice of them in row 0. Item 3 in rows 0 and 2: n₃ = 2, though
# it occurs three times. n₄ = 2. Unknown, id 1, occurs nowhere.

CANDIDATES = [2, 2, 3, 2]
HISTORIES = [[2, 3], [], [3, 4], [4]]
IDS_OF_ROWS = [{2, 3}, {2}, {3, 4}, {2, 4}]
N_ROWS_OF = {2: 3, 3: 2, 4: 2}


def layout_of_items(n_ids):
    history = BehaviorSequence((BehaviorField("hist_item", "item", n_ids),))
    return FeatureLayout(categorical=(IdColumn("item", n_ids),), sequences=(history,), max_length=4)


def items_table(n_pads=0):
    """Return the rows, from arrays in which the longest history, too, has this many pads."""
    padded = np.full((4, 2 + n_pads), 9)
    for row, history in zip(padded, HISTORIES, strict=True):
        row[: len(history)] = np.subtract(history, 2)  # the table shifts ids by two, for padding and unknown
    arrays = {"item": np.subtract(CANDIDATES, 2), "hist_item": padded}
    return EncodedTable.from_padded(arrays, behavior_features={"hist_item": "item"}, pad=9)


def rows_of(table, positions, y=None):
    target = torch.zeros(len(positions)) if y is None else torch.tensor(y)
    return Rows(TensorTable(table, CPU), torch.tensor(positions), target, None)


def regularization_gradient(network, rows, regularization):
    """Return what the regularization adds to the gradient of the items for a batch of these rows, shape (n_ids,)."""

    class Batch:
        features = rows.table.batch(rows.positions)

    class Net:
        module_ = network

    weight = network.embedding.weight("item")
    weight.grad = torch.zeros_like(weight)
    regularization.on_grad_computed(Net, None, batch=Batch)
    return weight.grad[:, 0].numpy()


@pytest.fixture
def table():
    table = items_table()
    assert table.layout.tables == {"item": 5}
    return table


@pytest.fixture
def linear():
    """Return logit = w(candidate) + 2 Σ w(behaviors) − 0.4 with vectors of one number, w₂ = 0.4 and w₃ = −0.4.

    The other items are w₁ = −0.3 and w₄ = 0.1.
    """
    network = DIN(
        layout_of_items(5),
        embedding_dim=1,
        pooling="sum",
        hidden_layer_sizes=(),
        interest_product=False,
        recency_embedding=False,
        dropout=0.0,
        behavior_dropout=0.0,
    )
    with torch.no_grad():
        network.embedding.weight("item")[:, 0] = torch.tensor([0.0, -0.3, 0.4, -0.4, 0.1])
        network.mlp.output.weight[:] = 0
        network.mlp.output.weight[:, :2] = torch.tensor([[1.0, 2.0]])
        network.mlp.output.bias[:] = -0.4
    return network


def test_equation_4_the_squares_over_the_counts_sum_up_over_the_samples_to_those_of_the_table(table, linear):
    w = linear.embedding.weight("item").detach().numpy()[:, 0]

    n = rows_of(table, [0, 1, 2, 3]).count(linear)["item"].numpy()

    assert {j: n[j] for j in N_ROWS_OF} == N_ROWS_OF
    over_samples = sum(w[j] ** 2 / n[j] for ids in IDS_OF_ROWS for j in ids)
    assert over_samples == pytest.approx(sum(w[j] ** 2 for j in N_ROWS_OF), rel=1e-6)


def test_equation_5_batches_of_one_row_decay_an_id_in_one_epoch_by_lambda(table, linear):
    regularization = MinibatchAwareL2(0.6, rows_of(table, [0, 1, 2, 3]).count(linear))

    total = sum(regularization_gradient(linear, rows_of(table, [row]), regularization) for row in range(4))

    # d/dw (λ/2 Σ w²) = λ w, for the ids that occur
    np.testing.assert_allclose(total, [0, 0, 0.6 * 0.4, 0.6 * -0.4, 0.6 * 0.1], rtol=1e-6)


def test_equation_6_an_id_counts_in_a_batch_once_however_many_of_its_rows_have_it(table, linear):
    regularization = MinibatchAwareL2(0.6, rows_of(table, [0, 1, 2, 3]).count(linear))

    added = regularization_gradient(linear, rows_of(table, [0, 1, 3]), regularization)

    # λ/n₂ w₂ though all of its three rows are in the batch; w₃ in row 0 and w₄ in row 3
    np.testing.assert_allclose(added, [0, 0, 0.6 / 3 * 0.4, 0.6 / 2 * -0.4, 0.6 / 2 * 0.1], rtol=1e-6)


# One step of SGD with η = 0.5 on the batch of rows 0 and 1, both with y = 1, and λ = 0.6:
#   logits: row 0: 0.4 + 2 (0.4 − 0.4) − 0.4 = 0, row 1: 0.4 + 0 − 0.4 = 0, so p = 0.5
#   mean loss: ∂L/∂logit = (p − y)/2 = −0.25 each
#   ∂L/∂w₂ = −0.25 (1 + 2) − 0.25 · 1 = −1, ∂L/∂w₃ = −0.25 · 2 = −0.5, and 0 for the others
# Mini-batch aware: w₂ ← 0.4 − 0.5 (−1 + 0.6/3 · 0.4) = 0.86, w₃ ← −0.4 − 0.5 (−0.5 − 0.6/2 · 0.4) = −0.09
# Whole table: w₂ ← 0.4 − 0.5 (−1 + 0.6 · 0.4) = 0.78, w₃ ← −0.4 − 0.5 (−0.5 − 0.6 · 0.4) = −0.03,
#   w₁ ← −0.3 + 0.5 · 0.6 · 0.3 = −0.21, w₄ ← 0.1 − 0.5 · 0.6 · 0.1 = 0.07
# None: w₂ ← 0.4 + 0.5 = 0.9, w₃ ← −0.4 + 0.25 = −0.15
STEPS = {
    "minibatch_aware": [0.0, -0.3, 0.86, -0.09, 0.1],
    "l2": [0.0, -0.21, 0.78, -0.03, 0.07],
    None: [0.0, -0.3, 0.9, -0.15, 0.1],
}


@pytest.mark.parametrize("kind", STEPS)
def test_equation_7_a_step_of_sgd_is_the_hand_worked_one(table, linear, kind):
    all_rows, batch = rows_of(table, [0, 1, 2, 3]), rows_of(table, [0, 1], [1.0, 1.0])
    before = linear.embedding.weight("item").detach().clone()
    regularization = {"minibatch_aware": MinibatchAwareL2(0.6, all_rows.count(linear)), "l2": WholeTableL2(0.6)}

    net = build_net(
        linear,
        BinaryLogLoss(),
        optimizer="sgd",
        learning_rate=0.5,
        clip_norm=None,
        regularization=regularization.get(kind),
        max_epochs=1,
        batch_size=2,
        shuffling=torch.Generator().manual_seed(0),
    ).partial_fit(batch)

    after = net.module_.embedding.weight("item").detach()
    np.testing.assert_allclose(after[:, 0], STEPS[kind], rtol=1e-6, atol=1e-7)
    untouched = [0] if kind == "l2" else [0, 1, 4]
    assert after[untouched].equal(before[untouched])  # bit for bit


class Steps(Callback):
    """Keeps each batch, and the network before and after its step."""

    def on_train_begin(self, net, **kwargs):
        self.steps = []

    def on_batch_begin(self, net, batch=None, **kwargs):
        self.before = {name: value.clone() for name, value in net.module_.state_dict().items()}

    def on_batch_end(self, net, batch=None, **kwargs):
        after = {name: value.clone() for name, value in net.module_.state_dict().items()}
        self.steps.append((batch, self.before, after))


@pytest.mark.parametrize("kind", ["minibatch_aware", "l2", None])
def test_equation_7_every_step_of_the_estimator_is_that_of_the_written_out_penalty(table, kind):
    y = np.array([0.0, 1.0, 1.0, 0.0])
    steps = Steps()
    model = DINClassifier(
        embedding_dim=3,
        embedding_init_std=1.0,
        attention_hidden_layer_sizes=(4,),
        hidden_layer_sizes=(4,),
        activation="prelu",
        attention_activation="prelu",
        dropout=0.0,
        recency_embedding=False,
        unknown_rate=0.0,
        behavior_dropout=0.0,
        optimizer="sgd",
        learning_rate=0.5,
        learning_rate_schedule="constant",
        clip_norm=None,
        embedding_regularization=kind,
        embedding_alpha=0.7,
        batch_size=2,
        max_epochs=3,
        early_stopping=False,
        callbacks=[steps],
        device="cpu",
        random_state=0,
    ).fit(table, y)

    assert len(steps.steps) == 6
    for batch, before, after in steps.steps:
        network = model.module_.train()
        network.load_state_dict(before)
        weight = network.embedding.weight("item")
        present = {*batch.features["item"].tolist(), *batch.features["hist_item"][0].tolist()}
        penalty = {
            "minibatch_aware": sum(0.7 / 2 * weight[j].square().sum() / N_ROWS_OF[j] for j in present),
            "l2": 0.7 / 2 * weight.square().sum(),
            None: 0.0,
        }[kind]
        logits = network(batch.features)
        loss = -torch.where(batch.target == 1, logits.sigmoid(), 1 - logits.sigmoid()).log().mean()
        (gradient,) = torch.autograd.grad(loss + penalty, weight)
        updated = after["embedding.tables.weights.0"]
        torch.testing.assert_close(updated, weight.detach() - 0.5 * gradient, rtol=1e-5, atol=1e-6)
        if kind != "l2":
            absent = [j for j in range(5) if j not in present]
            assert updated[absent].equal(before["embedding.tables.weights.0"][absent])


# Section 5.2, equations 8 and 9: f(s) = p(s) s + (1 − p(s)) α s, p(s) = 1 / (1 + exp(−(s − E[s]) / √(Var[s] + ε))).


def test_equation_8_dice_around_zero_without_variance_is_prelu():
    dice = Dice(1).double().eval()
    dice.normalization.running_mean[:], dice.normalization.running_var[:] = 0.0, 0.0
    dice.alpha.data[:] = 0.25

    s = np.array([[-3.0], [-1.0], [1.0], [2.0]])
    np.testing.assert_allclose(dice(torch.tensor(s)).detach(), np.where(s > 0, s, 0.25 * s), rtol=1e-12)


def test_equation_9_training_takes_mean_and_variance_of_the_mini_batch(rng):
    s = rng.normal(loc=5, scale=3, size=(6, 2))
    alpha = np.array([0.0, -0.3])
    dice = Dice(2).double().train()
    dice.alpha.data[:] = torch.tensor(alpha)

    mean = s.sum(axis=0) / 6
    variance = ((s - mean) ** 2).sum(axis=0) / 6
    p = 1 / (1 + np.exp(-(s - mean) / np.sqrt(variance + 1e-8)))
    np.testing.assert_allclose(dice(torch.tensor(s)).detach(), p * s + (1 - p) * alpha * s, rtol=1e-10)


def test_equation_9_epsilon_is_the_papers():
    dice = Dice(1).double().train()

    # mean 0, variance 1e-8: with ε = 1e-8 the divisor is √2 · 1e-4
    actual = dice(torch.tensor([[-1e-4], [1e-4]], dtype=torch.float64)).detach()
    np.testing.assert_allclose(actual[:, 0] / 1e-4, [-sigmoid(-1 / np.sqrt(2)), sigmoid(1 / np.sqrt(2))], rtol=1e-10)


def test_equation_9_inference_takes_moving_averages_over_the_batches(rng):
    dice = Dice(1).double().train()
    batches = rng.normal(size=(3, 8, 1))
    for batch in batches:
        dice(torch.tensor(batch))

    # of fewer than ten batches the average is a plain one; alone, a row far away is judged by it
    mean, variance = batches.mean(), np.mean([batch.var(ddof=1) for batch in batches])
    expected = 7 * sigmoid((7 - mean) / np.sqrt(variance + 1e-8))
    assert dice.eval()(torch.tensor([[7.0]], dtype=torch.float64)).item() == pytest.approx(expected, rel=1e-10)


def test_equation_9_alpha_is_learnt_from_zero(rng):
    dice = Dice(2).double()
    s = torch.tensor(rng.normal(size=(6, 2)))
    assert dice.alpha.tolist() == [0, 0]

    dice(s).sum().backward()

    # ∂f/∂α = (1 − p) s
    p = sigmoid((s.numpy() - s.numpy().mean(axis=0)) / np.sqrt(s.numpy().var(axis=0) + 1e-8))
    np.testing.assert_allclose(dice.alpha.grad, ((1 - p) * s.numpy()).sum(axis=0), rtol=1e-10)


@pytest.mark.parametrize("n_pads", [0, 7])
def test_equation_9_the_statistics_of_the_unit_are_over_the_real_positions(n_pads):
    table = items_table(n_pads)
    network = DIN(
        table.layout,
        embedding_dim=2,
        attention_hidden_layer_sizes=(3,),
        recency_embedding=False,
        embedding_init_std=1,
        behavior_dropout=0,
    )
    network.reset_parameters(torch.Generator().manual_seed(0))
    items = network.embedding.weight("item").detach().numpy()
    first = network.poolings[0].unit.mlp.first

    network.train()(TensorTable(table, CPU).batch(torch.arange(4)))

    units = []
    for candidate, history in zip(CANDIDATES, HISTORIES, strict=True):
        for item in history:
            a, e = items[candidate], items[item]
            seen = np.concatenate([a, e, a - e, a * e])
            units.append(first.weight.detach().numpy() @ seen + first.bias.detach().numpy())
    assert len(units) == 5  # of 4 × 2 padded places, and of 4 × 9
    statistics = network.poolings[0].unit.mlp.hidden[1].normalization
    np.testing.assert_allclose(statistics.running_mean, np.mean(units, axis=0), rtol=1e-5)
    np.testing.assert_allclose(statistics.running_var, np.var(units, axis=0, ddof=1), rtol=1e-5)


# Section 6.3, equations 10 and 11.


def test_equation_10_the_area_of_each_user_is_weighted_by_his_impressions():
    # User a: 4 impressions, positives 0.9 and 0.3 against 0.5 and 0.1: 3 of 4 pairs are in order.
    # User b: 2 impressions, in the wrong order. Between the users the order is another one.
    y = [1, 1, 0, 0, 1, 0]
    score = [0.9, 0.3, 0.5, 0.1, 10.0, 20.0]

    assert gauc_score(y, score, groups=list("aaaabb")) == pytest.approx((4 * 3 / 4 + 2 * 0) / (4 + 2))


def test_equation_10_holds_for_many_users(rng):
    users = rng.permutation(np.repeat(np.arange(6), [2, 4, 7, 9, 13, 25]))
    y = np.zeros(60, dtype=int)
    for user in range(6):
        y[np.flatnonzero(users == user)[: user + 1]] = 1
    score = rng.integers(0, 5, 60) / 5  # with ties

    total, weights = 0.0, 0
    for user in range(6):
        positive, negative = score[(users == user) & (y == 1)], score[(users == user) & (y == 0)]
        wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in positive for b in negative]
        n_impressions = len(positive) + len(negative)
        total, weights = total + n_impressions * np.mean(wins), weights + n_impressions
    assert gauc_score(y, score, groups=users) == pytest.approx(total / weights, rel=1e-12)


@pytest.mark.parametrize(
    ("score", "base", "percent"),
    [(0.7263, 0.73, -1.61), (0.7324, 0.73, 1.04), (0.7337, 0.73, 1.61), (0.7348, 0.73, 2.09), (0.5970, 0.5970, 0.0)],
)
def test_equation_11_the_relative_improvements_are_those_of_table_3(score, base, percent):
    assert 100 * relative_improvement(score, base) == pytest.approx(percent, abs=0.005)
