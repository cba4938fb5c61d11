"""Fitted pipelines of all kinds of columns, their graphs in ONNX Runtime, and rows as a graph takes them."""

from typing import NamedTuple

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.pipeline import Pipeline

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.persistence import export_onnx

SEQUENCES = [
    {"click_item": "item", "click_price": None, "click_action": None, "click_shop": "shop"},
    {"bought_item": "item"},
    {"seen": None},
]
COLUMNS = {"categorical_features": ["item", "shop", "city", "is_new"], "numeric_features": ["age", "income"]}
TINY = {
    "embedding_dim": 3,
    "attention_hidden_layer_sizes": (5, 4),
    "hidden_layer_sizes": (6, 5),
    "max_epochs": 1,
    "batch_size": 64,
    "early_stopping": False,
    "device": "cpu",
    "random_state": 0,
}
UNKNOWN = {"tensor(string)": "never seen", "tensor(int64)": -1, "tensor(bool)": False, "tensor(double)": np.nan}


class Exported(NamedTuple):
    """A fitted pipeline and its graph."""

    model: Pipeline
    session: onnxruntime.InferenceSession

    def feed(self, X, **padding):
        """Return raw rows as the inputs of the graph."""
        return feed_of(self.session, X, **padding)

    def run(self, X, **padding):
        """Return the output of the graph for raw rows."""
        return self.session.run(None, self.feed(X, **padding))[0]


def feed_of(session, X, *, width=None, beyond=None):
    """Return a dict of raw columns as the inputs of a graph.

    ``width`` is the number of columns of lists (default those of the longest), ``beyond`` what stands after a list, by
    type (default "" or 0).
    """
    feed = {}
    for node in session.get_inputs():
        dtype = {"tensor(string)": object, "tensor(int64)": np.int64, "tensor(bool)": bool}.get(node.type, np.float64)
        if node.name not in X:
            column, _, what = node.name.rpartition("_")
            if what == "length":
                feed[node.name] = np.array([0 if row is None else len(row) for row in X[column]], dtype=np.int64)
            else:
                feed[node.name] = np.array([value is None for value in X[column.removesuffix("_is")]])
        elif len(node.shape) == 1:
            feed[node.name] = np.array([UNKNOWN[node.type] if v is None else v for v in X[node.name]], dtype=dtype)
        else:
            rows = [() if row is None else row for row in X[node.name]]
            columns = max(map(len, rows), default=0) if width is None else width
            padding = ("" if dtype is object else 0) if beyond is None else beyond[node.type]
            feed[node.name] = np.full((len(rows), columns), padding, dtype=dtype)
            for row, values in enumerate(rows):
                feed[node.name][row, : len(values)] = [UNKNOWN[node.type] if v is None else v for v in values]
    return feed


def make_rows(n_samples=60, seed=0):
    """Return columns of each kind, with missing values."""
    rng = np.random.default_rng(seed)

    def lists(values, lengths):
        return [list(rng.choice(values, length)) for length in lengths]

    clicks, purchases, seen, tags = rng.integers(0, 7, (4, n_samples))
    items, shops = [5, 17, -3, 2**40, 0], ["north", "süd", "", "west"]
    prices = lists([1.5, 2.25, -8.0, 100.0, None], clicks)
    return {
        "item": [int(each) for each in rng.choice(items, n_samples)],
        "shop": list(rng.choice(shops, n_samples)),
        "city": list(rng.choice(["Ulm", "Bonn", "Jena"], n_samples)),
        "is_new": [bool(each) for each in rng.integers(0, 2, n_samples)],
        "age": [None if row % 9 == 1 else float(each) for row, each in enumerate(rng.normal(40, 9, n_samples))],
        "income": [float(each) for each in rng.normal(1e9, 1e3, n_samples)],  # float32 would not tell them apart
        "click_item": lists(items, clicks),
        "click_price": prices,
        "click_action": lists(["look", "cart"], clicks),
        "click_shop": lists(shops, clicks),
        "bought_item": lists(items, purchases),
        "seen": lists([1, 2, 3], seen),
        "tags": lists(["a", "b", "c"], tags),
    }


def make_new_rows(n_samples=40):
    """Return other rows of the same kinds, with values that are not in ``make_rows``."""
    rows = make_rows(n_samples, seed=1)
    rows["item"][:4] = [99, -99, 2**62, -(2**63)]
    rows["shop"][2:5] = ["east", None, "NORTH"]
    rows["click_item"][:3] = [[99, 5, -99], [None, 17], []]
    rows["click_shop"][:3] = [["", "east", "north"], [None, "süd"], []]
    rows["click_action"][:3] = [["cart", None, "buy"], ["look", "look"], []]
    rows["click_price"][:3] = [[2.0, None, float("nan")], [0.0, -1.0], []]
    rows["bought_item"][5], rows["tags"][6] = None, None
    rows["tags"][:2] = [["a", "z", None], ["z"]]
    return rows


def labels_of(rows, n_classes=2):
    return np.array(["no", "yes", "perhaps"])[np.arange(len(rows["item"])) % n_classes]


def with_random_weights(estimator, seed=0):
    """Give every parameter and statistic of a fitted network a random value."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in estimator.module_.state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(std=0.4, generator=generator)
        if name.endswith("running_var"):
            tensor.abs_().add_(0.1)
    return estimator


@pytest.fixture(scope="session")
def rows():
    """Rows to fit on; not to be changed."""
    return make_rows()


@pytest.fixture(scope="session")
def new_rows():
    """Rows to predict; not to be changed."""
    return make_new_rows()


@pytest.fixture
def export(tmp_path):
    """Write the graph of a fitted pipeline and load it."""

    def exported(model):
        export_onnx(model, tmp_path / "model.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        providers = ["CPUExecutionProvider"]
        return Exported(model, onnxruntime.InferenceSession(tmp_path / "model.onnx", options, providers=providers))

    return exported


@pytest.fixture
def make_exported(rows, export):
    """Fit a pipeline on ``rows`` (some columns of them, where ``only`` names them), and export it."""

    def make(network=DINClassifier, *, y=None, sequences=SEQUENCES, only=None, encoder=None, change=None, **parameters):
        X = rows if only is None else {name: rows[name] for name in only}
        given = {role: [name for name in names if name in X] for role, names in COLUMNS.items()}
        first = BehaviorEncoder(sequences, **({"max_length": 5} | given | (encoder or {})))
        model = Pipeline([("encode", first), ("din", network(**(TINY | parameters)))])
        model.fit(X, labels_of(rows) if y is None else y)
        with_random_weights(model[-1])
        if change is not None:
            change(model[-1].module_)
        return export(model)

    return make
