"""Write the golden file of a release: a model, rows, and what it predicted for them.

Each release adds one, ``python tests/persistence/golden/make.py``, and none is ever made again: the test says that what
earlier versions wrote still loads, and predicts the same.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier, __version__
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


def main() -> None:
    """Train and write."""
    encoder = BehaviorEncoder(
        [{"hist_item": "item", "prices": None}, {"viewed": None}], categorical_features=["shop", "is_new"], max_length=4
    )
    network = DINClassifier(
        embedding_dim={"item": 3, "shop": 2, "is_new": 1, "viewed": 2, "tags": 2},
        attention_hidden_layer_sizes=(4,),
        hidden_layer_sizes=(4, 3),
        candidate_bias=True,
        embedding_init_std=0.5,
        embedding_alpha=0.0,
        max_epochs=15,
        learning_rate=0.02,
        batch_size=8,
        early_stopping=False,
        device="cpu",
        random_state=0,
    )
    model = Pipeline([("encode", encoder), ("din", network)])
    labels = {"tea": "buy", "milk": "look", "rice": "look"}
    model.fit(ROWS, np.array([labels.get(item, "skip") for item in ROWS["item"]]))
    name = __version__.partition(".dev")[0]
    save_model(model, FOLDER / f"{name}.safetensors")
    expected = {kind: model.predict_proba(rows).tolist() for kind, rows in (("known", ROWS), ("new", NEW))}
    (FOLDER / f"{name}.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
