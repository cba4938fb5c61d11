"""Write the golden files of a release: models, and what they predicted for some rows.

Each release adds its own, ``python tests/persistence/golden/make.py``, and those of earlier ones are never made again:
the test says that what earlier versions wrote still loads, and predicts the same.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor, __version__
from sklearn_din.persistence import save_model

FOLDER = Path(__file__).parent
ROWS = {
    "item": ["tea", "milk", "rice", None, "tea", "bread", "milk", "fish"] * 3,
    "shop": [1, 2**53 + 1, -1, 1, 2, 2, 1, -1] * 3,
    "is_new": [True, False, None, True, True, False, False, True] * 3,
    "age": [31.0, None, 52.5, 19.0, None, 44.0, 38.0, 27.0] * 3,
    "income": [1e4, 2e4, 3e4, 1e4, 5e4, 2e4, 1e4, 9e4] * 3,
    "hist_item": [["tea", "tea"], [], ["rice", None, "fish"], None, ["milk"], ["bread", "tea"], ["milk"] * 5, []] * 3,
    "prices": [[1.5, 2.5], [], [9.0, None, 3.0], None, [1.0], [2.0, 1.5], [1.0] * 5, []] * 3,
    "viewed": [[b"a"], [b"b", b"a"], [], [b"c"], [b"a", b"c"], [], [b"b"], [b"a"]] * 3,
    "tags": [["x"], ["x", "y"], [], ["z"], None, ["y"], ["x", "z", "y"], []] * 3,
}
NEW = {"item": ["tea", "wine"], "shop": [7, 1], "is_new": [None, False], "age": [None, 90.0], "income": [0.0, 1e6]}
NEW |= {"hist_item": [["tea", "wine"], ["milk"]], "prices": [[1.0, None], [99.0]], "viewed": [[], [b"z"]]}
NEW |= {"tags": [["w"], None]}
SMALL = {
    "attention_hidden_layer_sizes": (4,),
    "hidden_layer_sizes": (4, 3),
    "embedding_init_std": 0.5,
    "embedding_alpha": 0.0,
    "max_epochs": 15,
    "learning_rate": 0.02,
    "batch_size": 8,
    "early_stopping": False,
    "device": "cpu",
    "random_state": 0,
}


def make_classifier():
    """Return a pipeline of all kinds of columns, with three classes of strings."""
    encoder = BehaviorEncoder(
        [{"hist_item": "item", "prices": None}, {"viewed": None}], categorical_features=["shop", "is_new"], max_length=4
    )
    widths = {"item": 3, "shop": 2, "is_new": 1, "viewed": 2, "tags": 2}
    labels = {"tea": "buy", "milk": "look", "rice": "look"}
    model = Pipeline([("encode", encoder), ("din", DINClassifier(**SMALL, embedding_dim=widths, candidate_bias=True))])
    return model.fit(ROWS, np.array([labels.get(item, "skip") for item in ROWS["item"]]))


def make_regressor():
    """Return a pipeline with transformers of scikit-learn, and another form of the network."""
    numbers = make_pipeline(
        SimpleImputer(add_indicator=True),
        FunctionTransformer(np.log1p, feature_names_out="one-to-one"),
        StandardScaler(),
    )
    encoder = BehaviorEncoder(
        {"hist_item": "item"}, categorical_features=["shop", "is_new"], numeric_transformer=numbers, min_frequency=2
    )
    form = {
        "attention_interaction": "outer",
        "attention_normalization": None,
        "batch_norm": True,
        "activation": "prelu",
    }
    network = DINRegressor(**SMALL, **form, embedding_dim=2).set_params(random_state=np.random.RandomState(5))
    return Pipeline([("encode", encoder), ("din", network)]).fit(ROWS, [len(item or "") for item in ROWS["item"]])


def make_plain():
    """Return a network of plain numbers behind a scaler, with labels that are numbers."""
    X = np.array([ROWS["income"], np.arange(24.0)]).T
    return make_pipeline(StandardScaler(), DINClassifier(**SMALL)).fit(X, np.arange(24) % 2 * 7)


MODELS = {"classifier": make_classifier, "regressor": make_regressor, "plain": make_plain}
INPUTS = {"plain": {"known": [[1e4, 2.0], [9e4, 20.0]], "new": [[0.0, -5.0]]}}


def predict(model, rows):
    """Return probabilities, or numbers, as lists."""
    return (model.predict_proba if hasattr(model, "predict_proba") else model.predict)(rows).tolist()


def main() -> None:
    """Train and write."""
    release = __version__.partition(".dev")[0]
    for name, make in MODELS.items():
        model = make()
        save_model(model, FOLDER / f"{release}-{name}.safetensors")
        inputs = INPUTS.get(name, {"known": ROWS, "new": NEW})
        expected = {kind: predict(model, rows) for kind, rows in inputs.items()}
        (FOLDER / f"{release}-{name}.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
