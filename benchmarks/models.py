"""The models that the benchmark of accuracy compares, each a function that fits on a task and returns a predictor.

Nothing here looks at test rows: networks and LightGBM stop early by the validation rows, and linear models choose the
strength of their penalty by them. The other parameters of LightGBM are fixed; they were chosen by validation rows too.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from hand_made import HandMadeFeatures, History, flatten
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor

PENALTIES = {True: (1.0, 30.0, 1000.0, 30_000.0), False: (1.0, 100.0, 10_000.0)}  # of linear models, by is_regression
LIGHTGBM = {
    "n_estimators": 3000,
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_child_samples": 100,
    "colsample_bytree": 0.7,
    "subsample": 0.8,
    "subsample_freq": 1,
    "verbose": -1,
}
PATIENCE = 50  # trees without gain on the validation rows


class Fitted(NamedTuple):
    """A predictor: raw rows to an array of shape (n_samples,), and what became of its training."""

    predict: Callable
    n_epochs: float = np.nan  # trees, for LightGBM
    is_probability: bool = True


class Model(NamedTuple):
    """A line of the table."""

    label: str
    fit: Callable  # (task, seed, options) -> Fitted
    is_random: bool = False  # whether the seed matters
    is_network: bool = False  # whether it takes the parameters that --set gives
    for_classification: bool = True
    for_regression: bool = True


class MissingPackageError(ImportError):
    """A model needs a package that is not installed."""


# ------------------------------------------------------------------------------------------------------- single numbers


def fit_mean(task, seed, options):
    """Predict the mean target."""
    mean = np.mean(task.train[1])
    return Fitted(lambda X: np.full(len(X), mean))


def fit_popularity(task, seed, options):
    """Count how often the candidate was positive in training."""
    X, y = task.train
    item = next(candidate for candidate in task.behavior_features.values() if candidate is not None)
    counts = X.loc[y == 1, item].value_counts()
    return Fitted(lambda X: X[item].map(counts).fillna(0).to_numpy(), is_probability=False)


def fit_category_share(task, seed, options):
    """Return the share of the history that is of the candidate's category, the last candidate column."""
    name, category = [pair for pair in task.behavior_features.items() if pair[1] is not None][-1]

    def predict(X):
        history = History.of(X[name])
        is_same = flatten(X[name])[1] == X[category].to_numpy()[history.row]
        return history.total(is_same) / np.maximum(history.length, 1)

    return Fitted(predict, is_probability=False)


# --------------------------------------------------------------------------------------------------- hand-made features


def fit_linear(task, seed, options):
    """Fit logistic regression or ridge on hand-made features, with the penalty that is best on the validation rows."""
    features, train, valid = hand_made(task, seed)
    is_category = make_column_selector(dtype_include="category")
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), is_category),
        (
            make_pipeline(SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
    ).fit(train)
    train, valid = columns.transform(train), columns.transform(valid)

    def model(penalty):
        return Ridge(alpha=penalty) if task_is_regression(task) else LogisticRegression(C=1 / penalty, max_iter=1000)

    fitted = [model(penalty).fit(train, task.train[1]) for penalty in PENALTIES[task_is_regression(task)]]
    loss = mean_squared_error if task_is_regression(task) else log_loss
    best = min(fitted, key=lambda each: loss(task.valid[1], response(each, valid)))
    return Fitted(lambda X: response(best, columns.transform(features.transform(X))))


def fit_lightgbm(task, seed, options):
    """Fit gradient-boosted trees on hand-made features."""
    try:
        import lightgbm
    except ImportError as error:
        msg = "needs lightgbm: pip install --group benchmark"
        raise MissingPackageError(msg) from error
    features, train, valid = hand_made(task, seed)
    estimator = lightgbm.LGBMRegressor if task_is_regression(task) else lightgbm.LGBMClassifier
    model = estimator(random_state=seed, n_jobs=options.threads, **LIGHTGBM)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    model.fit(train, task.train[1], eval_X=valid, eval_y=task.valid[1], callbacks=[stop])
    return Fitted(lambda X: response(model, features.transform(X)), n_epochs=model.best_iteration_)


def hand_made(task, seed):
    """Return the fitted maker of features, and the features of the training and validation rows."""
    maker = HandMadeFeatures(task.behavior_features, task.group, random_state=seed)
    return maker, maker.fit_transform(*task.train), maker.transform(task.valid[0])


# ------------------------------------------------------------------------------------------------------------- networks


def fit_network(task, seed, options, *, keeps_user=False, **parameters):
    """Fit the default pipeline, which stops early by the validation rows."""

    def columns(X):
        return network_columns(X, task, keeps_user=keeps_user)

    encoder = BehaviorEncoder(task.behavior_features)
    train, valid = encoder.fit_transform(columns(task.train[0])), encoder.transform(columns(task.valid[0]))
    estimator = DINRegressor if task_is_regression(task) else DINClassifier
    model = estimator(**{"random_state": seed, "n_threads": options.threads, **dict(options.set), **parameters})
    model.fit(train, task.train[1], X_val=valid, y_val=task.valid[1])
    return Fitted(lambda X: response(model, encoder.transform(columns(X))), n_epochs=model.n_epochs_)


def fit_mean_pooling(task, seed, options):
    """Fit the network without attention."""
    return fit_network(task, seed, options, pooling="mean")


def fit_shuffled(task, seed, options):
    """Fit the network on histories that are other rows': what the candidate and the rest of the row alone explain."""
    rng = np.random.default_rng(seed)

    def shuffled(X):
        other = rng.permutation(len(X))
        return X.assign(**{name: X[name].to_numpy()[other] for name in task.behavior_features})

    parts = {name: (shuffled(X), y) for name, (X, y) in (("train", task.train), ("valid", task.valid))}
    fitted = fit_network(replace(task, **parts), seed, options)
    return fitted._replace(predict=lambda X: fitted.predict(shuffled(X)))


def fit_with_user(task, seed, options):
    """Fit the network with the user as a category, as the hand-made features have the user's mean."""
    return fit_network(task, seed, options, keeps_user=True)


def network_columns(X, task, *, keeps_user):
    """Make categories of the integers that are not the candidate's, and drop the user if so wished."""
    X = X if keeps_user else X.drop(columns=task.group)
    others = [name for name in X.select_dtypes("integer") if name not in task.behavior_features.values()]
    return X.astype(dict.fromkeys(others, str))


# -------------------------------------------------------------------------------------------------------------- helpers


def task_is_regression(task):
    """Tell whether the target has more than two values."""
    return len(np.unique(task.train[1])) > 2


def response(model, X):
    """Return the probability of the second class, or the predicted number."""
    return model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.predict(X)


MODELS = {
    "mean": Model("mean", fit_mean, for_classification=False),
    "popularity": Model("popularity", fit_popularity, for_regression=False),
    "category-share": Model("share of category", fit_category_share, for_regression=False),
    "logistic-regression": Model("logistic regression", fit_linear, for_regression=False),
    "ridge": Model("ridge", fit_linear, for_classification=False),
    "lightgbm": Model("LightGBM", fit_lightgbm, is_random=True),
    "mean-pooling": Model("mean pooling", fit_mean_pooling, is_random=True, is_network=True),
    "shuffled": Model("DIN, shuffled histories", fit_shuffled, is_random=True, is_network=True),
    "din": Model("DIN", fit_network, is_random=True, is_network=True),
    "din-user": Model("DIN, knowing the user", fit_with_user, is_random=True, is_network=True),
}
