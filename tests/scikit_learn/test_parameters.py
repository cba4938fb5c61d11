"""Parameters of the fitted pipeline, and how it looks in a notebook."""

import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.pipeline import Pipeline

CHANGED = {
    "encode": {"behavior_features"},
    "din": {
        "embedding_dim",
        "attention_hidden_layer_sizes",
        "hidden_layer_sizes",
        "match_counts",
        "max_epochs",
        "batch_size",
        "device",
        "random_state",
    },
}
CHANGED["pipeline"] = {"steps"} | CHANGED["encode"] | CHANGED["din"]


@pytest.mark.parametrize("part", CHANGED)
def test_a_notebook_shows_all_parameters_marks_the_changed_ones_and_says_what_is_fitted(model, fitted, part):
    unfitted, fitted = (each if part == "pipeline" else each[part] for each in (model, fitted))

    html = unfitted._repr_html_()
    rows = re.findall(r"""<tr class="(user-set|default)">.*?copyToClipboard\('(\w+)'""", html, flags=re.DOTALL)
    assert {name for kind, name in rows if kind == "user-set"} == CHANGED[part]
    names = {name.rpartition("__")[2] for name in unfitted.get_params()} - {"encode", "din"}
    assert {name for _, name in rows} == names
    assert html.count("<span>Not fitted</span>") == 1
    assert "<span>Not fitted</span>" not in fitted._repr_html_()
    assert "<span>Fitted</span>" in fitted._repr_html_()


def test_a_notebook_shows_the_names_and_kinds_of_the_steps(model):
    html = model._repr_html_()

    assert re.search(r"encode.*BehaviorEncoder.*din.*DINClassifier", html, flags=re.DOTALL)


OTHER_PARAMETERS = {
    "encode__max_length": 1,
    "encode__behavior_features": None,
    "encode__min_frequency": 50,
    "din__embedding_dim": 7,
    "din__pooling": "sum",
    "din__attention_normalization": None,
    "din__activation": "relu",
    "din__hidden_layer_sizes": (3, 3),
    "din__recency_embedding": False,
    "din__dropout": 0.5,
    "din__class_weight": {0: 1, 1: 100},
    "din__warm_start": True,
    "din__random_state": 1,
}


def test_parameters_set_on_a_fitted_pipeline_wait_for_the_next_fit(model, clicks):
    X, y = clicks
    expected = model.fit(X, y).predict_proba(X)

    for name, value in OTHER_PARAMETERS.items():
        old = model.get_params()[name]
        assert_array_equal(model.set_params(**{name: value}).predict_proba(X), expected, err_msg=name)
        model.set_params(**{name: old})
    changed = model.set_params(encode__max_length=1, din__embedding_dim=7).fit(X, y)
    assert changed["encode"].layout_.max_length == 1
    assert not np.array_equal(changed.predict_proba(X), expected)


def test_warm_start_goes_on_training_in_the_pipeline(model, clicks):
    model.set_params(din__warm_start=True, din__learning_rate=1e-2, din__early_stopping=False)
    losses = [model.fit(*clicks)["din"].history_[-1]["train_loss"] for _ in range(5)]

    assert all(later < earlier for earlier, later in pairwise(losses))
    with pytest.raises(ValueError, match="not encoded as in the last fit: warm_start=True"):
        model.fit(clicks[0][:100], clicks[1][:100])


def test_an_output_of_frames_is_refused_for_the_encoder_alone(model):
    with pytest.raises(ValueError, match="Unable to configure output for BehaviorEncoder"):
        model.set_output(transform="pandas")


def test_columns_kept_by_a_column_transformer_before_the_encoder_stay_a_frame(model, fitted, clicks):
    X, y = clicks
    X = X.assign(unused=1.5)
    keep = ColumnTransformer([("keep", "passthrough", list(clicks[0]))], verbose_feature_names_out=False)
    longer = Pipeline([("keep", keep.set_output(transform="pandas")), *model.steps]).fit(X, y)

    assert_array_equal(longer.predict_proba(X), fitted.predict_proba(clicks[0]))
    assert isinstance(longer[0].transform(X), pd.DataFrame)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_the_global_output_of_transformers_changes_nothing(model, clicks, output):
    expected = clone(model).fit(*clicks).predict_proba(clicks[0])
    with config_context(transform_output=output):
        assert_array_equal(clone(model).fit(*clicks).predict_proba(clicks[0]), expected)
