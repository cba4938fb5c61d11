"""Raw columns as inputs: their names and types, padding, lengths, what is missing, and what a graph can't take."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.persistence import export_onnx

CLICKS = [{"click_item": "item", "click_price": None}]
CLICK_COLUMNS = ["item", "click_item", "click_price"]


@pytest.fixture
def exported(make_exported):
    return make_exported()


@pytest.fixture
def make_model():
    """Fit a small pipeline on given columns."""

    def make(X, behaviors=None, **encoder):
        network = DINClassifier(embedding_dim=2, max_epochs=1, early_stopping=False, device="cpu", random_state=0)
        model = Pipeline([("encode", BehaviorEncoder(behaviors, **encoder)), ("din", network)])
        n_samples = len(next(iter(X.values())))
        return model.fit(X, np.arange(n_samples) % 2)

    return make


def assert_equals_torch(exported, X, **padding):
    assert_allclose(exported.run(X, **padding), exported.model.predict_proba(X), rtol=0, atol=1e-6)


def test_inputs_are_the_raw_columns_under_their_names(exported):
    types = {node.name: (node.type, node.shape) for node in exported.session.get_inputs()}

    rows, clicks = ["n_samples"], ["n_samples", "columns of click_item"]
    assert types == {
        "item": ("tensor(int64)", rows),
        "shop": ("tensor(string)", rows),
        "city": ("tensor(string)", rows),
        "is_new": ("tensor(bool)", rows),
        "age": ("tensor(double)", rows),
        "income": ("tensor(double)", rows),
        "click_item": ("tensor(int64)", clicks),
        "click_price": ("tensor(double)", clicks),
        "click_action": ("tensor(string)", clicks),
        "click_shop": ("tensor(string)", clicks),
        "click_item_length": ("tensor(int64)", rows),
        "bought_item": ("tensor(int64)", ["n_samples", "columns of bought_item"]),
        "bought_item_length": ("tensor(int64)", rows),
        "seen": ("tensor(int64)", ["n_samples", "columns of seen"]),
        "seen_length": ("tensor(int64)", rows),
        "tags": ("tensor(string)", ["n_samples", "columns of tags"]),
        "tags_length": ("tensor(int64)", rows),
    }


def test_columns_that_the_encoder_leaves_out_are_no_inputs(make_model, rows, export):
    X = {"city": rows["city"], "note": rows["shop"]}
    model = make_model(X, categorical_features=["city"], numeric_features=[], bag_features=[])

    assert [node.name for node in export(model).session.get_inputs()] == ["city"]


@pytest.mark.parametrize("width", [7, 8, 40])
def test_what_stands_beyond_the_length_changes_nothing(exported, new_rows, width):
    beyond = {"tensor(string)": "north", "tensor(int64)": 5, "tensor(double)": np.inf}
    expected = exported.run(new_rows)

    assert_array_equal(exported.run(new_rows, width=width, beyond=beyond), expected)
    assert_array_equal(exported.run(new_rows, width=width), expected)


def test_values_equal_to_the_padding_are_values_within_the_length(exported, new_rows):
    clicks = {"click_item": [[0, 5, 0]], "click_shop": [["", "süd", ""]]}
    clicks |= {"click_price": [[0.0, 1.0, 0.0]], "click_action": [["look"] * 3]}
    X = {name: column[:1] for name, column in new_rows.items()} | clicks
    shorter = X | {name: [lists[0][:2]] for name, lists in clicks.items()}

    assert_equals_torch(exported, X)
    assert abs(exported.run(X) - exported.run(shorter)).max() > 1e-4


def test_histories_keep_the_newest_and_bags_the_first_values(exported, new_rows):
    X = {name: column[:1] for name, column in new_rows.items()}
    X |= {"bought_item": [[17, 17, 5, 0, -3, 5, 17]], "tags": [["a", "b", "c", "a", "b", "c", "c"]]}
    kept = X | {"bought_item": [[5, 0, -3, 5, 17]], "tags": [["a", "b", "c", "a", "b"]]}  # max_length is 5
    others = X | {"bought_item": [[17, 17, 5, 0, -3]], "tags": [["c", "a", "b", "c", "c"]]}

    assert_array_equal(exported.run(X), exported.run(kept))
    assert abs(exported.run(X) - exported.run(others)).max() > 1e-4
    assert_equals_torch(exported, X)


def test_lists_without_columns_are_empty_histories(exported, new_rows):
    lists = ("click_item", "click_price", "click_action", "click_shop", "bought_item", "seen", "tags")
    X = new_rows | {name: [[]] * len(new_rows["item"]) for name in lists}

    assert_equals_torch(exported, X, width=0)
    assert_array_equal(exported.run(X, width=0), exported.run(X, width=3))


def test_no_rows_give_no_probabilities(exported, new_rows):
    X = {name: column[:0] for name, column in new_rows.items()}

    assert exported.run(X).shape == exported.run(X, width=4).shape == (0, 2)


def test_rows_do_not_depend_on_their_company(exported, new_rows):
    together = exported.run(new_rows)

    alone = [exported.run({name: column[row : row + 1] for name, column in new_rows.items()})[0] for row in range(10)]

    assert_allclose(alone, together[:10], rtol=0, atol=1e-6)


def test_an_empty_history_adds_no_interest(make_exported, rows):
    exported = make_exported(
        sequences=CLICKS, only=CLICK_COLUMNS, hidden_layer_sizes=(), interest_product=False, match_counts=False
    )
    module = exported.model[-1].module_
    X = {"item": rows["item"][:1], "click_item": [[]], "click_price": [[]]}
    (item_id,) = exported.model["encode"].transform(X)["item"]

    weight, bias = (tensor.detach().numpy() for tensor in (module.mlp.output.weight, module.mlp.output.bias))
    vector = module.embedding.weight("item").detach().numpy()[item_id]  # the candidate comes first
    logit = float(weight[0, : len(vector)] @ vector + bias[0])
    assert exported.run(X)[0, 1] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


@pytest.mark.parametrize("length", [8, -1])
def test_a_length_that_the_lists_do_not_have_fails_and_says_so(exported, new_rows, length):
    X = {name: column[3:4] for name, column in new_rows.items()}
    feed = exported.feed(X, width=7) | {"click_item_length": np.array([length])}

    message = "click_item_length must be from 0 to the number of columns of click_item and click_price and click_action"
    with pytest.raises(InvalidArgument, match=message):
        exported.session.run(None, feed)


def test_a_missing_category_that_training_saw_has_an_input_of_its_own(make_model, export):
    X = {"city": ["Ulm", None, "Bonn", None, "Ulm", None], "shop": ["a", "b", "a", "b", "a", "b"]}
    exported = export(make_model(X))
    new = {"city": ["Ulm", None, "Rome", "Bonn"], "shop": ["a", None, "b", "c"]}

    assert [node.name for node in exported.session.get_inputs()] == ["city", "shop", "city_is_missing"]
    assert_equals_torch(exported, new)
    found = exported.run({"city": ["Rome", None], "shop": ["a", "a"]})
    assert abs(found[0] - found[1]).max() > 1e-6


def test_an_input_of_another_type_is_refused(exported, new_rows):
    feed = exported.feed(new_rows)
    feed["item"] = feed["item"].astype(str).astype(object)

    with pytest.raises(InvalidArgument, match="Unexpected input data type"):
        exported.session.run(None, feed)


@pytest.mark.parametrize("encoder", [{"min_frequency": 1000}, {"max_categories": 2}])
def test_values_that_the_encoder_cut_are_unknown(make_exported, new_rows, encoder):
    assert_equals_torch(make_exported(encoder=encoder), new_rows)


def test_lists_of_booleans_and_lists_that_training_saw_empty_are_inputs(make_model, export):
    X = {"flags": [[True, False], [True], [], [False]] * 3, "never": [[]] * 12}
    exported = export(make_model(X, {"flags": None}))

    assert {node.name: node.type for node in exported.session.get_inputs()} == {
        "flags": "tensor(bool)",
        "flags_length": "tensor(int64)",
        "never": "tensor(int64)",
        "never_length": "tensor(int64)",
    }
    found = exported.run(X | {"never": [[1, 2]] * 12})
    with pytest.warns(UserWarning, match="All values of column 'never' are unknown"):
        expected = exported.model.predict_proba(X | {"never": [[1, 2]] * 12})
    assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_columns_without_names_are_called_as_the_encoder_calls_them(make_model, export):
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = make_model({"a": X[:, 0]})
    model.fit(X, np.arange(20) % 2)

    exported = export(model)

    found = exported.session.run(None, {"x0": X[:, 0], "x1": X[:, 1]})[0]
    assert_allclose(found, model.predict_proba(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "transformer",
    [
        None,
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        SimpleImputer(strategy="median"),
        SimpleImputer(strategy="constant", fill_value=-1.0, add_indicator=True),
        Pipeline([("fill", SimpleImputer(add_indicator=True)), ("none", "passthrough"), ("scale", StandardScaler())]),
        make_pipeline(make_pipeline(SimpleImputer()), None),
    ],
    ids=repr,
)
def test_transformers_of_numbers_are_those_of_scikit_learn(make_model, export, transformer):
    rng = np.random.default_rng(0)
    X = {"a": rng.normal(2, 1, 20), "b": rng.normal(1e9, 1, 20) - 1e9, "c": np.ones(20)}
    new = {name: column[::-1].copy() for name, column in X.items()}
    if transformer is None or "Imputer" in repr(transformer):
        X["a"][3] = new["a"][5] = new["b"][6] = np.nan

    assert_equals_torch(export(make_model(X, numeric_transformer=transformer)), new)


@pytest.mark.parametrize("parameters", [{}, {"strategy": "constant", "fill_value": -1.0}])
def test_a_column_that_the_imputer_drops_is_dropped(make_model, export, parameters):
    X = {"a": [1.0, np.nan, 2.0, 5.0] * 3, "b": [np.nan] * 12}
    imputer = SimpleImputer(add_indicator=True, **parameters)

    with pytest.warns(UserWarning, match="Skipping features without any observed values"):
        exported = export(make_model(X, numeric_transformer=imputer))
    found = exported.run(X | {"b": [7.0] * 12})

    with pytest.warns(UserWarning, match="Skipping features without any observed values"):
        expected = exported.model.predict_proba(X | {"b": [7.0] * 12})
    assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_column_that_the_imputer_keeps_empty_is_kept(make_model, export):
    X = {"a": [1.0, np.nan, 2.0, 5.0] * 3, "b": [np.nan] * 12}
    exported = export(make_model(X, numeric_transformer=SimpleImputer(keep_empty_features=True)))

    assert_equals_torch(exported, X | {"b": [np.nan, 7.0] * 6})


def test_another_transformer_of_numbers_is_refused(make_model, tmp_path):
    model = make_model({"age": [1.0, 2.0, 3.0]}, numeric_transformer=make_pipeline(SimpleImputer(), MinMaxScaler()))

    with pytest.raises(TypeError, match="can't hold the numeric_transformer MinMaxScaler: export_onnx knows"):
        export_onnx(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_another_mark_of_missing_numbers_than_nan_is_refused(make_model, tmp_path):
    model = make_model({"age": [1.0, -1.0, 3.0]}, numeric_transformer=SimpleImputer(missing_values=-1.0))

    with pytest.raises(ValueError, match=r"takes NaN for missing: the SimpleImputer of .* replaces -1\.0"):
        export_onnx(model, tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", 1, "2", 2], "the vocabulary of 'item' holds integers and strings"),
        ([1, 1.5, 2, 2.5], "the vocabulary of 'item' holds fractions and integers"),
        ([True, "a", False, "b"], "the vocabulary of 'item' holds booleans and strings"),
        ([1.5, 2.5, 1.5, 2.5], "strings, integers and booleans, and the vocabulary of 'item' holds fractions"),
        ([b"a", b"b", b"a", b"b"], "and the vocabulary of 'item' holds bytes"),
        ([2**63, 2**64 - 1] * 2, r"and the vocabulary of 'item' holds integers of 2\*\*63 and more"),
    ],
)
def test_values_that_a_graph_has_no_type_for_are_refused(make_model, tmp_path, values, message):
    model = make_model({"item": values}, categorical_features=["item"])

    with pytest.raises(TypeError, match=message):
        export_onnx(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"tags": [["a"]] * 4, "tags_length": [1.0] * 4}, "would be called 'tags_length'"),
        ({"probabilities": ["a", "b"] * 2}, "would be called 'probabilities'. Rename the column before fit"),
        ({"": ["a", "b"] * 2}, "a column is ''. Rename the column before fit"),
    ],
)
def test_names_that_inputs_can_not_have_are_refused(make_model, tmp_path, columns, message):
    with pytest.raises(ValueError, match=message):
        export_onnx(make_model(columns), tmp_path / "model.onnx")


def test_columns_may_be_called_as_parts_of_a_graph_are(make_model, export):
    X = {"Gather": ["a", "b"] * 6, "Concat_1": ["c", "d", "d"] * 4, "mlp.output.bias": [1.0, 2.0, 4.0] * 4}

    assert_equals_torch(export(make_model(X)), X)
