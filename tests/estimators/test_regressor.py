"""DINRegressor: units, weights, state, and its target's edges."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_din import BehaviorEncoder, DINRegressor


@pytest.fixture
def stars(clicks):
    """A rating of each row, from 1 to 5."""
    return 1.0 + 3.0 * clicks[1] + np.random.default_rng(0).random(len(clicks[1]))


def test_the_mean_of_each_category_is_learnt():
    shop = np.repeat(["a", "b", "c"], 40)
    y = np.repeat([10.0, -20.0, 70.0], 40) + np.random.default_rng(0).normal(size=120)
    table = BehaviorEncoder().fit_transform({"shop": shop})

    model = DINRegressor(
        embedding_regularization=None, unknown_rate=0.0, early_stopping=False, max_epochs=60, random_state=0
    )
    predicted = model.fit(table, y).predict(table)

    expected = np.repeat([y[shop == name].mean() for name in "abc"], 40)
    np.testing.assert_allclose(predicted, expected, atol=1.0)
    assert predicted.dtype == np.float64
    assert model.score(table, y) > 0.99


@pytest.mark.parametrize("parameters", [{}, {"learning_rate_schedule": "plateau"}])
def test_the_unit_of_the_target_does_not_matter(make_regressor, table, stars, parameters):
    model = make_regressor(max_epochs=4, **parameters).fit(table, stars)
    other = make_regressor(max_epochs=4, **parameters).fit(table, 1e6 + 1000 * stars)

    np.testing.assert_allclose((other.predict(table) - 1e6) / 1000, model.predict(table), rtol=1e-4)


def test_an_untrained_network_predicts_the_mean(make_regressor, table, stars):
    model = make_regressor(learning_rate=1e-12, max_epochs=1, early_stopping=False).fit(table, stars)

    np.testing.assert_allclose(model.predict(table), stars.mean(), atol=0.3 * stars.std())


def test_the_loss_is_the_squared_error_in_standard_deviations(make_regressor, table, stars):
    model = make_regressor().fit(table[:250], stars[:250], X_val=table[250:], y_val=stars[250:])

    error = ((model.predict(table[250:]) - stars[250:]) ** 2).mean() / stars[:250].var()
    assert -model.best_score_ == pytest.approx(error, rel=1e-4)


def test_integer_weights_equal_repeated_rows(make_regressor, table, stars, exact):
    weights = np.random.default_rng(1).integers(0, 3, len(stars))
    rows = np.repeat(np.arange(len(stars)), weights)

    weighted = make_regressor(**exact).fit(table, stars, sample_weight=weights)
    repeated = make_regressor(**exact).fit(table[rows], stars[rows])
    np.testing.assert_allclose(weighted.predict(table), repeated.predict(table), atol=1e-6 * stars.std())


def test_validation_rows_are_weighted(make_regressor, table, stars):
    half = np.arange(len(table)) < 150

    alone = make_regressor().fit(table, stars, X_val=table[half], y_val=stars[half])
    weighted = make_regressor().fit(table, stars, X_val=table, y_val=stars, sample_weight_val=half.astype(float))
    assert weighted.best_score_ == pytest.approx(alone.best_score_, rel=1e-5)


def test_any_scorer_stops_the_training(make_regressor, table, stars):
    model = make_regressor(scoring="neg_mean_absolute_error", max_epochs=4).fit(
        table[:250], stars[:250], X_val=table[250:], y_val=stars[250:]
    )

    assert model.best_score_ == pytest.approx(-np.abs(model.predict(table[250:]) - stars[250:]).mean(), rel=1e-6)


def test_a_constant_target_is_predicted(make_regressor, table):
    model = make_regressor().fit(table, np.full(len(table), 3.5))

    np.testing.assert_allclose(model.predict(table), 3.5, atol=0.2)


def test_warm_start_goes_on_in_the_units_of_the_first_fit(make_regressor, table, stars):
    model = make_regressor(warm_start=True, learning_rate=1e-12, early_stopping=False).fit(table, stars)
    expected = model.predict(table)

    np.testing.assert_allclose(model.fit(table, 1.5 * stars + 1).predict(table), expected, rtol=1e-3)


@pytest.mark.parametrize("change", [lambda y: 1e6 + y, lambda y: 1000 * y, lambda y: 3 + 1e-3 * (y - 3)])
def test_warm_start_refuses_a_target_of_another_scale(make_regressor, table, stars, change):
    model = make_regressor(warm_start=True).fit(table, stars)
    expected = model.predict(table)

    with pytest.raises(ValueError, match="y is of another scale than in the last fit: its mean was"):
        model.fit(table, change(stars))
    np.testing.assert_array_equal(model.predict(table), expected)


@pytest.mark.parametrize("kind", ["datetime64[ns]", "timedelta64[s]"])
def test_times_are_no_target(make_regressor, table, kind):
    y = np.arange(len(table)).astype(kind)

    with pytest.raises(TypeError, match="y must hold numbers: it holds"):
        make_regressor().fit(table, y)


def test_a_pickle_predicts_the_same(make_regressor, table, stars):
    model = make_regressor().fit(table, stars)

    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(table), model.predict(table))


def test_it_cross_validates_and_clones(make_regressor, table, stars):
    scores = cross_val_score(clone(make_regressor()), table, stars, cv=3)

    assert np.isfinite(scores).all()


def test_integers_are_a_target(make_regressor, table):
    counts = np.arange(len(table)) % 4

    assert make_regressor().fit(table, counts).predict(table).shape == (len(table),)


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "y contains NaN"), (np.inf, "y contains infinity"), ("five", "could not convert")]
)
def test_a_target_that_is_no_number_raises(make_regressor, table, stars, value, message):
    y = stars.astype(object if isinstance(value, str) else float)
    y[7] = value
    with pytest.raises(ValueError, match=message):
        make_regressor().fit(table, y)


@pytest.mark.parametrize(
    ("weight", "message"), [(-1.0, "[Nn]egative"), (0.0, "non-zero|every row is 0"), (np.nan, "NaN")]
)
def test_impossible_weights_raise(make_regressor, table, stars, weight, message):
    with pytest.raises(ValueError, match=message):
        make_regressor().fit(table, stars, np.full(len(table), weight))


def test_a_search_over_a_pipeline_on_a_raw_frame_finds_the_better_parameter(make_regressor, clicks, stars):
    columns = {"hist_item": "item", "hist_category": "category"}
    model = make_pipeline(BehaviorEncoder(columns), make_regressor(max_epochs=20))
    search = GridSearchCV(model, {"dinregressor__learning_rate": [1e-9, 1e-2]}, cv=3).fit(clicks[0], stars)

    assert search.best_params_ == {"dinregressor__learning_rate": 1e-2}
    assert search.predict(clicks[0][:5]).shape == (5,)


def test_it_stacks_and_takes_a_transformed_target(make_regressor, table, stars):
    stacked = StackingRegressor([("din", make_regressor())], cv=2).fit(table, stars)
    logarithmic = TransformedTargetRegressor(make_regressor(), func=np.log, inverse_func=np.exp).fit(table, stars)

    assert logarithmic.predict(table) == pytest.approx(np.exp(logarithmic.regressor_.predict(table)))
    assert abs(stacked.predict(table).mean() - stars.mean()) < 0.2


def test_validation_rows_pass_through_the_encoder(make_regressor, clicks, stars):
    columns = {"hist_item": "item", "hist_category": "category"}
    with config_context(enable_metadata_routing=True):
        network = make_regressor().set_fit_request(X_val=True, y_val=True)
        model = make_pipeline(BehaviorEncoder(columns), network, transform_input=["X_val"])
        model.fit(clicks[0][:200], stars[:200], X_val=clicks[0][200:], y_val=stars[200:])

    assert model[-1].best_score_ is not None
