"""A loaded model is the saved one, for each kind of model, label, column, transformer and frame."""

import copy
import json
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.metrics import make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from skorch.callbacks import EpochScoring

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.exceptions import ModelFileError
from sklearn_din.persistence import load_model, save_model
from sklearn_din.persistence._container import read_container, write_container
from sklearn_din.persistence._estimators import TRANSFORMERS

NUMBERS = np.random.default_rng(0).normal(size=(40, 3))


@pytest.fixture
def again(tmp_path):
    """Save a model and load it."""

    def save_and_load(model):
        save_model(model, tmp_path / "model")
        return load_model(tmp_path / "model")

    return save_and_load


def test_a_pipeline_comes_back_as_it_was(fitted, again, rows):
    loaded = again(fitted)

    assert_array_equal(loaded.predict_proba(rows), fitted.predict_proba(rows))
    assert_array_equal(loaded.predict(rows), fitted.predict(rows), strict=True)
    assert repr(loaded) == repr(fitted)
    encoder, network = loaded.named_steps.values()
    for name in (
        "n_features_in_",
        "layout_",
        "history_",
        "n_epochs_",
        "best_epoch_",
        "best_score_",
        "score_name_",
        "device_",
    ):
        assert getattr(network, name) == getattr(fitted[-1], name)
    assert_array_equal(network.feature_names_in_, fitted[-1].feature_names_in_, strict=True)
    assert_array_equal(network.classes_, fitted[-1].classes_, strict=True)
    assert_array_equal(encoder.feature_names_in_, fitted[0].feature_names_in_, strict=True)
    assert_array_equal(encoder.get_feature_names_out(), fitted[0].get_feature_names_out())


def test_a_loaded_pipeline_turns_back_and_fits_again_as_the_saved_one(fitted, again, rows, labels):
    loaded = again(fitted)
    table = fitted[0].transform(rows)

    turned, expected = (model[0].inverse_transform(table) for model in (loaded, fitted))
    for name in rows:
        assert [str(cell) for cell in turned[name]] == [str(cell) for cell in expected[name]]
    assert_array_equal(loaded.fit(rows, labels).predict_proba(rows), fitted.predict_proba(rows))


def test_a_regressor_comes_back_with_its_units(fitted_regressor, again, rows):
    assert_array_equal(again(fitted_regressor).predict(rows), fitted_regressor.predict(rows), strict=True)


def test_a_bare_encoder_and_a_bare_network_come_back(fitted, again, rows):
    encoder, network = again(fitted[0]), again(fitted[-1])

    assert_array_equal(network.predict_proba(encoder.transform(rows)), fitted.predict_proba(rows))


@pytest.mark.parametrize("named", [True, False])
def test_a_network_of_plain_numbers_comes_back_alone_and_behind_a_scaler(again, named):
    X = pd.DataFrame(NUMBERS, columns=["a", "b", "c"]) if named else NUMBERS
    y = np.arange(40) % 2
    for model in (DINClassifier(max_epochs=1), make_pipeline(StandardScaler(), DINClassifier(max_epochs=1))):
        model.fit(X, y)
        assert_array_equal(again(model).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    "classes",
    [
        np.array([0, 1]),
        np.array([-5, 3, 2**62]),
        np.array([0.0, 2.0]),
        np.array([False, True]),
        np.array(["a", "long name", "ä"]),
        np.array(["a", "b"], dtype=object),
        np.array([1, 2], dtype=np.int8),
        np.array([1, 2], dtype=np.uint64),
    ],
    ids=["int", "three", "float", "bool", "str", "object", "int8", "uint64"],
)
def test_labels_of_each_type_come_back(again, classes):
    model = DINClassifier(max_epochs=1).fit(NUMBERS, classes[np.arange(40) % len(classes)])
    loaded = again(model)

    assert_array_equal(loaded.classes_, model.classes_, strict=True)
    assert_array_equal(loaded.predict(NUMBERS), model.predict(NUMBERS), strict=True)


@pytest.mark.parametrize(
    "parameters",
    [
        {"embedding_dim": {"item": 3, "is_new": 1, "tags": 2}},
        {"attention_hidden_layer_sizes": [3, 2], "hidden_layer_sizes": np.array([4])},
        {"attention_interaction": "outer", "attention_normalization": None, "attention_activation": "prelu"},
        {"batch_norm": True, "activation": "relu", "candidate_bias": True},
        {"pooling": "mean", "recency_embedding": False, "match_counts": False, "interest_product": False},
        {"pooling": "sum", "dropout": np.float32(0.25), "batch_norm": np.bool_(True)},
        {"class_weight": {"no": 1.0, "yes": 2.5}},
        {"class_weight": "balanced", "scoring": "roc_auc", "early_stopping": True},
        {"device": torch.device("cpu"), "n_threads": 1, "clip_norm": None},
    ],
    ids=lambda parameters: " ".join(parameters),
)
def test_each_network_comes_back(make_model, again, rows, labels, parameters):
    model = make_model(**parameters).fit(rows, labels)
    loaded = again(model)

    assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
    assert_array_equal(loaded.fit(rows, labels).predict_proba(rows), model.predict_proba(rows))


def test_weights_of_classes_with_numbers_for_names_come_back(again):
    model = DINClassifier(max_epochs=1, class_weight={0: 1.0, 1: 2.0}).fit(NUMBERS, np.arange(40) % 2)

    assert again(model).class_weight == {0: 1.0, 1: 2.0}


def test_what_set_params_changed_after_fit_changes_no_prediction(make_model, again, rows, labels):
    model = make_model().fit(rows, labels)
    expected = model.predict_proba(rows)
    model.set_params(din__hidden_layer_sizes=(7,), din__embedding_dim=9, encode__max_length=2)
    loaded = again(model)

    assert_array_equal(loaded.predict_proba(rows), expected)
    assert loaded.get_params()["din__embedding_dim"] == 9


def test_a_generator_goes_on_where_it_was(again):
    model = DINClassifier(max_epochs=1, random_state=np.random.RandomState(3)).fit(NUMBERS, np.arange(40) % 2)
    loaded = again(model)

    assert loaded.random_state.random_sample() == model.random_state.random_sample()


VALUES = {
    "strings": ["a", "ß", "", "a\0b", "日本"],
    "bytes": [b"a", b"", b"\xff\x00"],
    "booleans": [True, False],
    "integers": [0, -(2**63), 2**63 - 1, 2**53 + 1],
    "large": [2**63, 2**64 - 1, 3],
    "fractions": [0.5, -1e-300, 2.0],
    "mixed": ["1", 1, True, 1.5, b"1", 2**63, None],
}


@pytest.mark.parametrize("kind", VALUES)
def test_values_of_each_kind_keep_their_ids(again, kind):
    values = VALUES[kind] * 2
    X = {"item": values, "hist": [[value] * (row % 3) for row, value in enumerate(values)]}
    encoder = BehaviorEncoder({"hist": "item"}, categorical_features=["item"]).fit(X)
    loaded = again(encoder)

    assert_array_equal(loaded.transform(X).to_numpy(), encoder.transform(X).to_numpy())
    known, expected = (each.vocabularies_["item"].values.tolist() for each in (loaded, encoder))
    assert list(map(repr, known)) == list(map(repr, expected))


@pytest.mark.parametrize("make_frame", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_an_encoder_of_each_frame_comes_back(again, rows, make_frame):
    X = make_frame({name: rows[name] for name in ("item", "age", "hist_item", "tags")})
    encoder = BehaviorEncoder({"hist_item": "item"}, max_length=2, min_frequency=2).fit(X)
    loaded = again(encoder)

    table = loaded.transform(X)
    assert_array_equal(table.to_numpy(), encoder.transform(X).to_numpy())
    assert type(loaded.inverse_transform(table)) is type(X)


def test_an_encoder_without_names_and_without_anything_seen_comes_back(again):
    encoder = BehaviorEncoder(categorical_features=["x1"], min_frequency=3).fit(np.arange(6.0).reshape(2, 3))
    loaded = again(encoder)

    assert_array_equal(loaded.transform(np.ones((2, 3))).to_numpy(), encoder.transform(np.ones((2, 3))).to_numpy())


def test_columns_of_numbers_that_are_all_missing_come_back(again):
    X = {"a": [np.nan, np.nan, np.nan], "b": [1.0, np.nan, 3.0], "c": [1e-30, 1e30, 5.0]}
    encoder = BehaviorEncoder().fit(X)
    loaded = again(encoder)

    assert_array_equal(loaded.transform(X).to_numpy(), encoder.transform(X).to_numpy(), strict=True)
    assert_array_equal(loaded.numeric_transformer_[1].var_, encoder.numeric_transformer_[1].var_)
    assert loaded.numeric_transformer_[1].n_samples_seen_ == 3


SCALED = make_pipeline(SimpleImputer(), StandardScaler())
# One or more for each class in the list of those that a file may hold.
CUSTOM = [
    Binarizer(threshold=0.5),
    FeatureUnion([("scaled", SCALED), ("missing", MissingIndicator(features="all"))]),
    FunctionTransformer(np.tanh, feature_names_out="one-to-one"),
    FunctionTransformer(),
    KBinsDiscretizer(3, encode="ordinal", quantile_method="averaged_inverted_cdf"),
    KBinsDiscretizer(3, encode="onehot-dense", strategy="uniform"),
    KBinsDiscretizer(3, strategy="uniform"),
    MaxAbsScaler(),
    MinMaxScaler((-1, 1), clip=True),
    MissingIndicator(features="all"),
    MissingIndicator(missing_values=0.0, features="all"),
    Normalizer(),
    PCA(2, random_state=0),
    PCA(0.9, whiten=True),
    PolynomialFeatures(2, include_bias=False),
    PowerTransformer(),
    QuantileTransformer(n_quantiles=5, output_distribution="normal"),
    RobustScaler(quantile_range=(10.0, 90.0)),
    SimpleImputer(strategy="median", add_indicator=True),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    VarianceThreshold(0.1),
    FeatureUnion([("scaled", StandardScaler()), ("nothing", "drop"), ("as it is", "passthrough")]),
    RobustScaler(with_centering=False),
    PowerTransformer(standardize=False),
    SimpleImputer(strategy="constant", fill_value=7.0, missing_values=-1.0),
    SimpleImputer(strategy="most_frequent", add_indicator=True, keep_empty_features=True),
    PolynomialFeatures((2, 3), interaction_only=True),
    make_pipeline(PowerTransformer(method="yeo-johnson"), PolynomialFeatures(2)),
    Pipeline([("nothing", "passthrough"), ("scale", StandardScaler())], memory=None),
]


def test_an_indicator_of_zeros_in_one_column_knows_that_column(again):
    indicator = MissingIndicator(missing_values=0.0)
    encoder = BehaviorEncoder(numeric_transformer=indicator).fit({"a": [0.0, 1.0], "b": [2.0, 3.0]})

    assert again(encoder).numeric_transformer_.features_.tolist() == [0]


def test_each_transformer_that_a_file_may_hold_is_tried():
    tried = {type(transformer) for transformer in CUSTOM}

    assert set(TRANSFORMERS) <= tried


@pytest.mark.parametrize("transformer", CUSTOM, ids=lambda transformer: " ".join(repr(transformer).split())[:60])
def test_a_transformer_of_numbers_comes_back(again, transformer):
    X = {"a": NUMBERS[:, 0], "b": NUMBERS[:, 1], "c": NUMBERS[:, 2]}
    new = {name: values[::-1] * 1.5 for name, values in X.items()}
    encoder = BehaviorEncoder(numeric_transformer=transformer)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Bins whose width are too small", UserWarning)
        encoder.fit(X)
    loaded = again(encoder)

    assert_array_equal(loaded.transform(new).to_numpy(), encoder.transform(new).to_numpy())
    assert repr(loaded) == repr(encoder)
    assert_array_equal(loaded.fit(X).transform(new).to_numpy(), encoder.transform(new).to_numpy())


class Own(DINClassifier):
    """Nor of this one."""


class Halved(StandardScaler):
    """Of a subclass nothing is known."""


@pytest.mark.parametrize(
    ("transformer", "what"),
    [
        (Halved(), "a Halved"),
        (FunctionTransformer(lambda numbers: numbers / 2, feature_names_out="one-to-one"), "<function <lambda>"),
        (SplineTransformer(), "a SplineTransformer"),
        (OneHotEncoder(), "a OneHotEncoder"),
        (ColumnTransformer([("a", StandardScaler(), [0])]), "a ColumnTransformer"),
        (FunctionTransformer(np.nan_to_num, feature_names_out="one-to-one"), "<function nan_to_num"),
        (make_pipeline(StandardScaler(), Halved()), "a Halved"),
    ],
    ids=["subclass", "lambda", "spline", "categories", "columns", "no ufunc", "inside"],
)
def test_another_transformer_is_refused_and_the_file_left_alone(tmp_path, transformer, what):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    encoder = BehaviorEncoder(numeric_transformer=transformer).fit({"a": NUMBERS[:, 0]})

    with pytest.raises(TypeError, match=f"A model file can't hold {what}.*, which is .*numeric_transformer"):
        save_model(encoder, path)
    assert path.read_bytes() == b"old"


def test_other_models_are_refused_with_what_to_save_instead(fitted, rows, labels, tmp_path):
    search = GridSearchCV(fitted, {"din__alpha": [0.0]}, cv=2).fit(rows["item"] and pd.DataFrame(rows), labels)
    calibrated = CalibratedClassifierCV(fitted, cv=2)

    with pytest.raises(TypeError, match="it got a GridSearchCV. Save its best_estimator_"):
        save_model(search, tmp_path / "model")
    with pytest.raises(TypeError, match="it got a CalibratedClassifierCV. Save the pipeline inside it"):
        save_model(calibrated, tmp_path / "model")
    with pytest.raises(TypeError, match="it got a str. The model comes first, then the path"):
        save_model("model", fitted)
    with pytest.raises(TypeError, match="it got a Own. A file holds no classes of your own"):
        save_model(Own(max_epochs=1).fit(NUMBERS, np.arange(40) % 2), tmp_path / "model")


def test_a_model_that_is_not_fitted_is_refused(fitted, make_model, tmp_path):
    half = Pipeline([("encode", BehaviorEncoder()), ("din", fitted[-1])])
    for model in (make_model(), BehaviorEncoder(), DINRegressor(), half):
        with pytest.raises(NotFittedError):
            save_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_pipeline_with_a_step_of_another_kind_is_refused(tmp_path):
    model = make_pipeline(SplineTransformer(), DINClassifier(max_epochs=1)).fit(NUMBERS, np.arange(40) % 2)

    with pytest.raises(TypeError, match="can't hold a SplineTransformer, which is steps.splinetransformer"):
        save_model(model, tmp_path / "model")


def test_what_only_fit_needs_is_left_out_with_a_warning(make_model, rows, labels, tmp_path):
    scorer = make_scorer(roc_auc_score, response_method="predict_proba")
    callbacks = [EpochScoring(lambda net, X, y: 0.0, name="zero")]
    model = make_model(scoring=scorer, callbacks=callbacks).fit(rows, labels)
    model.set_params(memory=str(tmp_path / "cache"))
    model[-1].note = "mine"
    path = tmp_path / "model"
    with pytest.warns(
        UserWarning,
        match=r"does not hold memory, steps.din.note, steps.din.callbacks, steps.din.scoring: only fit needs them",
    ):
        save_model(model, path)
    loaded = load_model(path)

    assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
    assert (loaded[-1].callbacks, loaded[-1].scoring, loaded.memory) == (None, "loss", None)


def test_metadata_requests_come_back(fitted, again, rows, labels):
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), DINClassifier(max_epochs=1, device="cpu", random_state=0))
        model[0].set_fit_request(sample_weight=False)
        model[1].set_fit_request(sample_weight=True, X_val=False).set_score_request(sample_weight="weight")
        weight = np.arange(40.0)
        model.fit(NUMBERS, np.arange(40) % 2, sample_weight=weight)
        loaded = again(model)

        assert repr(loaded[1].get_metadata_routing()) == repr(model[1].get_metadata_routing())
        refitted = loaded.fit(NUMBERS, np.arange(40) % 2, sample_weight=weight)
        assert_array_equal(refitted.predict_proba(NUMBERS), model.predict_proba(NUMBERS))


def test_workers_of_a_transformer_are_left_out_with_a_warning(tmp_path):
    union = FeatureUnion([("a", StandardScaler()), ("b", MaxAbsScaler())], n_jobs=2)
    encoder = BehaviorEncoder(numeric_transformer=union).fit({"a": NUMBERS[:, 0]})
    with pytest.warns(
        UserWarning, match="does not hold numeric_transformer.n_jobs, .*numeric.transformer.n_jobs: only"
    ):
        save_model(encoder, tmp_path / "model")

    assert load_model(tmp_path / "model").numeric_transformer_.n_jobs is None


@pytest.mark.parametrize("callbacks", [[], ()])
def test_no_callbacks_are_no_callbacks(fitted, again, callbacks):
    assert again(copy.deepcopy(fitted[-1]).set_params(callbacks=callbacks)).callbacks is None


def test_an_attribute_of_the_user_is_left_out_with_a_warning(fitted, tmp_path):
    encoder = copy.deepcopy(fitted[0])
    encoder.note = "mine"
    with pytest.warns(UserWarning, match="does not hold note: "):
        save_model(encoder, tmp_path / "model")

    assert not hasattr(load_model(tmp_path / "model"), "note")


@pytest.mark.parametrize("changed", ["parameter", "weight"])
def test_a_model_that_could_not_be_loaded_again_is_not_saved(fitted, tmp_path, changed):
    path = tmp_path / "model"
    save_model(fitted, path)
    before = path.read_bytes()
    model = copy.deepcopy(fitted)
    if changed == "parameter":
        model.set_params(din__max_epochs=-1)
    else:
        model[-1].module_.mlp.output.bias.data.fill_(torch.nan)

    with pytest.raises(ValueError, match="not saved, since it could not be loaded again .*(max_epochs|finite)"):
        save_model(model, path)
    assert path.read_bytes() == before


def test_labels_keep_the_width_of_their_type(again):
    model = DINClassifier(max_epochs=1).fit(NUMBERS, np.array(["a", "b"] * 20))
    model.classes_ = model.classes_.astype("<U20")

    assert again(model).classes_.dtype == "<U20"


def test_a_loaded_network_is_ready_to_predict_with(fitted, again):
    for loaded in (again(fitted), copy.deepcopy(fitted)):
        assert not any(module.training for module in loaded[-1].module_.modules())


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_the_kind_of_output_of_a_scaler_comes_back(again, output):
    X = pd.DataFrame(NUMBERS, columns=["a", "b", "c"])
    model = make_pipeline(StandardScaler(), DINClassifier(max_epochs=1)).set_output(transform=output)
    model.fit(X, np.arange(40) % 2)
    loaded = again(model)

    assert type(loaded[0].transform(X)) is type(model[0].transform(X))
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_a_scaler_of_many_rows_comes_back(again):
    model = BehaviorEncoder(numeric_transformer=StandardScaler()).fit({"a": NUMBERS[:, 0]})
    model.numeric_transformer_.n_samples_seen_ = np.int64(10**12)

    assert again(model).numeric_transformer_.n_samples_seen_ == 10**12


def test_saving_and_loading_in_threads_changes_nothing_of_the_process(tmp_path):
    model = make_pipeline(StandardScaler(), DINClassifier(max_epochs=1, device="cpu"))
    model.fit(pd.DataFrame(NUMBERS, columns=["a", "b", "c"]), np.arange(40) % 2)
    before = list(warnings.filters), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()

    def save_and_load(number):
        path = tmp_path / str(number % 3)
        save_model(model, path)
        return load_model(path)

    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(save_and_load, range(64)))
    assert before == (list(warnings.filters), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist())
    assert all((each[-1].classes_ == [0, 1]).all() for each in models)


def test_a_function_that_chose_columns_is_saved_as_the_columns(rows, tmp_path):
    X = pd.DataFrame({name: rows[name] for name in ("item", "is_new", "age", "hist_item")})
    selector = make_column_selector(dtype_include=bool)
    encoder = BehaviorEncoder({"hist_item": "item"}, categorical_features=selector).fit(X)
    with pytest.warns(UserWarning, match="does not hold categorical_features: only fit"):
        save_model(encoder, tmp_path / "model")
    loaded = load_model(tmp_path / "model")

    assert loaded.categorical_features == ["is_new"]
    assert_array_equal(loaded.fit(X).transform(X).to_numpy(), encoder.transform(X).to_numpy())


def test_a_file_names_the_versions_it_was_written_with(fitted, tmp_path):
    save_model(fitted, tmp_path / "model")
    document, _ = read_container(tmp_path / "model")

    assert document["versions"]["sklearn-din"] == version("sklearn-din")
    assert document["versions"]["torch"] == version("torch")


def test_a_network_of_a_device_that_is_not_here_loads_on_the_cpu(fitted, tmp_path, rows):
    path = tmp_path / "model"
    save_model(fitted, path)
    document, arrays = read_container(path)
    document["model"]["state"]["steps"][1]["$tuple"][1]["state"]["device_"] = "cuda:63"
    write_container(path, document, arrays)
    loaded = load_model(path)

    assert str(loaded[-1].device_) == "cpu"
    assert_array_equal(loaded.predict_proba(rows), fitted.predict_proba(rows))


def test_a_file_without_a_later_parameter_gets_its_default(fitted, tmp_path, rows):
    path = tmp_path / "model"
    save_model(fitted, path)
    document, arrays = read_container(path)
    encoder, network = (step["$tuple"][1]["state"] for step in document["model"]["state"]["steps"])
    del encoder["min_frequency"], network["clip_norm"], network["_architecture"]["candidate_bias"]
    write_container(path, document, arrays)
    loaded = load_model(path)

    assert (loaded[0].min_frequency, loaded[-1].clip_norm) == (1, 5.0)
    assert_array_equal(loaded.predict_proba(rows), fitted.predict_proba(rows))


def test_a_transformer_that_gives_something_else_than_where_it_was_saved_is_refused(tmp_path):
    path = tmp_path / "model"
    save_model(BehaviorEncoder(numeric_transformer=StandardScaler()).fit({"a": NUMBERS[:, 0]}), path)
    document, arrays = read_container(path)
    scaler = document["model"]["state"]["_encoding"]["numeric"]["transformer"]["state"]
    scaler["parameters"]["with_mean"] = False  # as a later version might read it
    write_container(path, document, arrays)

    with pytest.raises(ModelFileError, match="StandardScaler does not transform here as it did where it was saved"):
        load_model(path)


@pytest.mark.parametrize("transformer", [None, *CUSTOM[:-2]], ids=lambda each: " ".join(repr(each).split())[:60])
def test_a_file_holds_no_private_attribute_of_scikit_learn(tmp_path, transformer):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Bins whose width are too small", UserWarning)
        save_model(
            BehaviorEncoder(numeric_transformer=transformer).fit(dict(zip("abc", NUMBERS.T, strict=True))),
            tmp_path / "model",
        )
    document, arrays = read_container(tmp_path / "model")

    private = set(re.findall(r'"(_\w+)"', json.dumps(document))) | set(re.findall(r"\._\w+", " ".join(arrays)))
    assert private <= {"_encoding", "._encoding"}


def test_a_path_may_be_text(fitted, tmp_path, rows):
    save_model(fitted, str(tmp_path / "model"))

    assert_array_equal(load_model(str(tmp_path / "model")).predict_proba(rows), fitted.predict_proba(rows))
