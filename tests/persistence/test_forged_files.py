"""Files with a right checksum that describe no model: each is refused, and none runs code or imports a module."""

import hashlib
import json
import os
import pickle
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident, main_thread

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.exceptions import ModelFileError
from sklearn_din.persistence import load_model, save_model
from sklearn_din.persistence._container import read_container, write_container

FORBIDDEN = {
    *("compile", "ctypes.dlopen", "exec", "import", "marshal.loads", "os.exec", "os.fork", "os.forkpty"),
    *("os.posix_spawn", "os.putenv", "os.spawn", "os.system", "pickle.find_class", "shutil.rmtree", "socket.connect"),
    *("subprocess.Popen", "tempfile.mkdtemp", "tempfile.mkstemp"),
}
watched = []
is_watching = False


def watch(event, arguments):
    if is_watching and event in FORBIDDEN and get_ident() == main_thread().ident:
        watched.append((event, str(arguments)[:200]))


sys.addaudithook(watch)  # for the rest of the process: there is no way to remove it


@contextmanager
def no_code_run():
    """Assert that nothing is imported, compiled, unpickled or started inside the block."""
    global is_watching
    watched.clear()
    is_watching = True
    children = processes()
    try:
        yield
    finally:
        is_watching = False
    assert watched == []
    assert processes() == children


def processes():
    """Return the processes that this one has started, where the system tells."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return path.read_text().split() if path.exists() else []


class Payload:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (eval, ("__import__('pathlib').Path('was_here').touch()",))


@pytest.fixture(scope="module")
def parts(fitted, tmp_path_factory):
    """The document of a file, as text, and its arrays."""
    path = tmp_path_factory.mktemp("parts") / "model"
    save_model(fitted, path)
    document, arrays = read_container(path)
    return json.dumps(document), arrays


def refused(path, match=None):
    with no_code_run(), pytest.raises(ModelFileError, match=match):
        load_model(path)


# In the document of ``parts`` the pipeline's steps are the encoder and the network.
def encoder(document):
    return document["model"]["state"]["steps"][0]["$tuple"][1]["state"]


def network(document):
    return document["model"]["state"]["steps"][1]["$tuple"][1]["state"]


UNFITTED = {"parameters": {}, "learnt": None, "output": None}
WEIGHTS = "model.steps.din._weights."
VOCABULARY = "model.steps.encode._encoding.vocabularies.item.known.string."


def assign(target, name, value):
    target[name] = value


def change(name, function):
    """Return what changes an array in place, or replaces it if the function returns one."""

    def forge(document, arrays):
        array = arrays[name].copy()
        replaced = function(array)
        arrays[name] = array if replaced is None else replaced

    return forge


FORGERIES = {
    # classes and values that are no such thing
    "an unknown class": lambda d, a: assign(d["model"], "$estimator", "os.system"),
    "a class of a module that is not loaded": lambda d, a: assign(d["model"], "$estimator", "payload.Payload"),
    "a class of scikit-learn that is not in the list": lambda d, a: assign(d["model"], "$estimator", "SVC"),
    "a transformer for a model": lambda d, a: assign(d, "model", {"$estimator": "Binarizer", "state": UNFITTED}),
    "a number for a model": lambda d, a: assign(d, "model", 3),
    "no model": lambda d, a: d.pop("model"),
    "an unknown tag": lambda d, a: assign(network(d), "callbacks", {"$pickle": "gASVCg=="}),
    "a function that is no function of elements": lambda d, a: assign(network(d), "scoring", {"$ufunc": "load"}),
    "a function that is not of numpy": lambda d, a: assign(network(d), "scoring", {"$ufunc": "os.system"}),
    "a type that is no type of values": lambda d, a: assign(network(d), "scoring", {"$type": "numpy.memmap"}),
    "callbacks": lambda d, a: assign(network(d), "callbacks", ["print"]),
    "an estimator for a number": lambda d, a: assign(network(d), "alpha", {"$estimator": "Pipeline", "state": {}}),
    "nested a thousand times": lambda d, a: assign(network(d), "callbacks", deep(900)),
    # parameters and attributes
    "an unknown parameter": lambda d, a: assign(network(d), "gamma", 1),
    "an attribute over a method": lambda d, a: assign(network(d), "predict_proba", 1),
    "a parameter of the wrong type": lambda d, a: assign(network(d), "learning_rate", "fast"),
    "an activation that there is not": lambda d, a: assign(network(d)["_architecture"], "activation", "exec"),
    "an unknown part of the network": lambda d, a: assign(network(d)["_architecture"], "hook", "exec"),
    "a fit that is missing": lambda d, a: network(d).pop("_weights"),
    "a layout that is missing": lambda d, a: network(d).pop("layout_"),
    "a layout that is no JSON": lambda d, a: assign(network(d), "layout_", "{"),
    "a layout of other columns": lambda d, a: forge_layout(d, "numeric", ["age", 3]),
    "a layout without bags": lambda d, a: forge_layout(d, "bags", None),
    "a length of no end": lambda d, a: forge_layout(d, "max_length", 10**15),
    "names of other columns": lambda d, a: network(d)["feature_names_in_"]["$objects"].reverse(),
    "a name of the score that is none": lambda d, a: assign(network(d), "score_name_", 3),
    "epochs that are no number": lambda d, a: assign(network(d), "n_epochs_", [1]),
    "a history of text": lambda d, a: assign(network(d)["history_"][0], "epoch", "one"),
    "a device that is no name": lambda d, a: assign(network(d), "device_", 7),
    "a device of a plug-in": lambda d, a: assign(network(d), "device_", "hpu"),
    "a million threads": lambda d, a: assign(network(d), "n_threads", 10**6),
    "true threads": lambda d, a: assign(network(d), "n_threads", True),
    "layers without weights": lambda d, a: assign(network(d)["_architecture"], "hidden_layer_sizes", [1] * 10**5),
    "a generator beyond its end": lambda d, a: forge_generator(d, a, pos=2**30),
    "a generator without numbers": lambda d, a: forge_generator(d, a, n_numbers=3),
    "another generator": lambda d, a: forge_generator(d, a, bit_generator="PCG64"),
    "a step called as a parameter of another": lambda d, a: assign(
        d["model"]["state"]["steps"][0]["$tuple"], 0, "din__alpha"
    ),
    "two steps of one name": lambda d, a: assign(d["model"]["state"]["steps"][0]["$tuple"], 0, "din"),
    "the network before the encoder": lambda d, a: d["model"]["state"]["steps"].reverse(),
    "something between encoder and network": lambda d, a: d["model"]["state"]["steps"].insert(
        1, {"$tuple": ["between", {"$estimator": "Normalizer", "state": UNFITTED}]}
    ),
    "no steps": lambda d, a: d["model"]["state"]["steps"].clear(),
    "an encoder alone in a pipeline of nothing": lambda d, a: assign(
        d["model"]["state"], "steps", [{"$tuple": ["a", "passthrough"]}]
    ),
    "an estimator to be routed": lambda d, a: assign(
        d["model"]["state"], "transform_input", [{"$estimator": "Normalizer", "state": UNFITTED}]
    ),
    "requests that no method has": lambda d, a: assign(network(d), "metadata_requests", {"gamma": {"x": True}}),
    "requests of nothing": lambda d, a: assign(network(d), "metadata_requests", {"fit": {"y": 3}}),
    "one class": lambda d, a: assign(network(d), "classes_", {"$objects": ["no"], "shape": [1], "type": "U"}),
    "classes twice": lambda d, a: assign(network(d)["classes_"], "$objects", ["no", "no"]),
    "a third class": lambda d, a: assign(network(d), "classes_", {"$objects": list("abc"), "shape": [3], "type": "U"}),
    "classes out of order": lambda d, a: network(d)["classes_"]["$objects"].reverse(),
    # weights
    "weights that are not finite": change(WEIGHTS + "mlp.output.weight", lambda array: array.fill(np.nan)),
    "one infinite weight": change(WEIGHTS + "embedding.tables.weights.0", lambda array: array.put(5, np.inf)),
    "a vector of padding": change(WEIGHTS + "embedding.tables.weights.0", lambda array: array.put(0, 1.0)),
    "a negative variance": change(WEIGHTS + "mlp.hidden.1.normalization.running_var", lambda array: array.put(0, -1.0)),
    "weights of another type": change(WEIGHTS + "mlp.output.weight", lambda array: array.astype(np.float64)),
    "weights of another shape": change(WEIGHTS + "mlp.output.weight", lambda array: array.T.copy()),
    "rows that are not those of the vocabulary": change(
        WEIGHTS + "embedding.tables.weights.0", lambda array: array[:-1].copy()
    ),
    "weights that are not there": lambda d, a: a.pop(WEIGHTS + "mlp.output.bias"),
    "weights of nothing": lambda d, a: assign(network(d)["_weights"], "extra", {"$array": WEIGHTS + "mlp.output.bias"}),
    # vocabularies
    "an id twice": change(VOCABULARY + "ids", lambda array: array.fill(2)),
    "an id of padding": change(VOCABULARY + "ids", lambda array: array.put(0, 0)),
    "ids of another type": change(VOCABULARY + "ids", lambda array: array.astype(np.int64)),
    "values that end before they begin": change(VOCABULARY + "offsets", lambda array: array.put(1, -1)),
    "values beyond the text": change(VOCABULARY + "offsets", lambda array: array.put(-1, 10**12)),
    "text that is no text": change(VOCABULARY + "text", lambda array: array.fill(255)),
    "a value twice": change(VOCABULARY + "text", lambda array: array.fill(65)),
    "fewer values than ids": change(VOCABULARY + "offsets", lambda array: array[:-1].copy()),
    "a kind of value that there is not": lambda d, a: rename_kind(d, "object"),
    "text for numbers": lambda d, a: rename_kind(d, "integer"),
    "an id of missing that is a list": lambda d, a: assign(
        encoder(d)["_encoding"]["vocabularies"]["is_new"], "missing_id", [4, 5]
    ),
    "families without those of the values": lambda d, a: encoder(d)["_encoding"]["vocabularies"]["item"][
        "families"
    ].clear(),
    "a missing vocabulary": lambda d, a: encoder(d)["_encoding"]["vocabularies"].pop("item"),
    "one vocabulary more": lambda d, a: assign(
        encoder(d)["_encoding"]["vocabularies"], "more", encoder(d)["_encoding"]["vocabularies"]["item"]
    ),
    # the rest of the encoder
    "a column with two roles": lambda d, a: encoder(d)["_encoding"]["roles"]["bags"]["$tuple"].append("age"),
    "a column without a name": lambda d, a: encoder(d)["_encoding"]["roles"]["bags"]["$tuple"].append(3),
    "a role for a column that there is not": lambda d, a: assign(
        encoder(d)["_encoding"], "names", ["item", "is_new", "age", "hist_item", "prices", "labels"]
    ),
    "a kind of frame that there is not": lambda d, a: assign(encoder(d)["_encoding"], "kind", "excel"),
    "a length below one": lambda d, a: assign(encoder(d)["_encoding"], "max_length", 0),
    "a scale of zero": lambda d, a: assign(encoder(d)["_encoding"]["scales"]["prices"], "scale", 0.0),
    "a mean that is not finite": lambda d, a: assign(
        encoder(d)["_encoding"]["scales"]["prices"], "mean", {"$float": "nan"}
    ),
    "a number of columns": lambda d, a: assign(encoder(d), "n_features_in_", 5),
    "other names of columns": lambda d, a: encoder(d)["feature_names_in_"]["$objects"].reverse(),
    "names forgotten": lambda d, a: encoder(d).pop("feature_names_in_"),
    "a negative scale": change("model.steps.encode._encoding.numeric.scale", lambda array: array.put(0, -1.0)),
    "a negative spread": change("model.steps.encode._encoding.numeric.variance", lambda array: array.put(0, -1.0)),
    "rows that are no number": lambda d, a: assign(encoder(d)["_encoding"]["numeric"], "n_samples", "many"),
    "statistics of more columns": change(
        "model.steps.encode._encoding.numeric.statistics", lambda array: np.append(array, 1.0)
    ),
    "numbers that are missing": change(
        "model.steps.encode._encoding.numeric.statistics", lambda array: array.fill(np.nan)
    ),
    "an indicator of no column": change("model.steps.encode._encoding.numeric.indicated", lambda array: array.fill(9)),
    "a scale for no column": change("model.steps.encode._encoding.numeric.scale", lambda array: np.ones(7)),
    "another encoder than that of the network": lambda d, a: assign(encoder(d)["_encoding"], "fingerprint", "0" * 64),
    "an encoder that is not fitted": lambda d, a: encoder(d).pop("_encoding"),
    # arrays
    "an array in two places": lambda d, a: assign(
        network(d)["_weights"], "mlp.output.bias", {"$array": WEIGHTS + "mlp.output.weight"}
    ),
    "an array that nothing names": lambda d, a: assign(a, "model.more", np.zeros(3)),
    "strings as wide as memory": lambda d, a: assign(
        network(d), "classes_", {"$objects": ["a", "b"], "shape": [2], "type": "U", "width": 10**9}
    ),
    "strings wider than they are": lambda d, a: assign(network(d)["classes_"], "width", 1),
    "an array that is not there": lambda d, a: assign(network(d)["_weights"], "mlp.output.bias", {"$array": "gone"}),
    "strings that are numbers": lambda d, a: assign(network(d)["classes_"], "$objects", [1, 2]),
    "a shape that does not fit": lambda d, a: assign(network(d)["classes_"], "shape", [10**12]),
    "a type of memory": lambda d, a: assign(
        network(d), "classes_", {"$array": WEIGHTS + "mlp.output.bias", "type": "object"}
    ),
}


def forge_generator(document, arrays, pos=3, n_numbers=624, bit_generator="MT19937"):
    arrays["model.key"] = np.ones(n_numbers, dtype=np.uint32)
    state = {"key": {"$array": "model.key"}, "pos": pos}
    state = {"bit_generator": bit_generator, "state": state, "has_gauss": 0, "gauss": 0.0}
    network(document)["random_state"] = {"$random_state": state}


def deep(times):
    value = []
    for _ in range(times):
        value = [value]
    return value


def forge_layout(document, name, value):
    layout = json.loads(network(document)["layout_"])
    layout[name] = value
    network(document)["layout_"] = json.dumps(layout)


def rename_kind(document, kind):
    known = encoder(document)["_encoding"]["vocabularies"]["item"]["known"]
    known[kind] = known.pop("string")


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_document_is_refused_and_runs_nothing(parts, tmp_path, monkeypatch, name):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "payload.py").write_text("class Payload: pass")
    document, arrays = json.loads(parts[0]), dict(parts[1])
    FORGERIES[name](document, arrays)
    write_container(tmp_path / "forged", document, arrays)

    refused(tmp_path / "forged")


def test_a_document_that_is_not_forged_loads(parts, tmp_path):
    write_container(tmp_path / "plain", json.loads(parts[0]), parts[1])

    with no_code_run():
        load_model(tmp_path / "plain")


# Of what scikit-learn's transformers have learnt: the state of each of them by its name.
TRANSFORMERS = {
    "bins": KBinsDiscretizer(3, strategy="uniform"),
    "components": PCA(1),
    "imputer": SimpleImputer(add_indicator=True),
    "indicator": MissingIndicator(),
    "polynomials": PolynomialFeatures(2),
    "powers": PowerTransformer(),
    "quantiles": QuantileTransformer(n_quantiles=5),
    "scaler": StandardScaler(),
    "tangent": FunctionTransformer(np.tanh, feature_names_out="one-to-one"),
    "union": FeatureUnion([("a", StandardScaler()), ("b", Normalizer())]),
}


def state(document):
    return document["model"]["state"]["_encoding"]["numeric"]["transformer"]["state"]


LEARNT = "model._encoding.numeric.transformer.learnt."
TRANSFORMER_FORGERIES = {
    "more columns than the encoder has": ("tangent", lambda d, a: assign(state(d)["learnt"], "n_features_in_", 3)),
    "a billion columns": ("tangent", lambda d, a: assign(state(d)["learnt"], "n_features_in_", 10**9)),
    "columns that are no number": ("tangent", lambda d, a: assign(state(d)["learnt"], "n_features_in_", 2.0)),
    "another function": ("tangent", lambda d, a: assign(state(d)["parameters"], "func", {"$ufunc": "power"})),
    "a function of text": ("tangent", lambda d, a: assign(state(d)["parameters"], "func", "tanh")),
    "memory to write to": ("tangent", lambda d, a: assign(state(d)["parameters"], "kw_args", {"out": {"$array": "x"}})),
    "memory of nobody": ("tangent", lambda d, a: assign(state(d)["parameters"], "kw_args", {"where": False})),
    "an attribute of its own": ("scaler", lambda d, a: assign(state(d)["parameters"], "_parameter_constraints", {})),
    "a parameter of the wrong type": ("scaler", lambda d, a: assign(state(d)["parameters"], "with_mean", "yes")),
    "means of fewer columns": ("scaler", change(LEARNT + "mean_", lambda array: array[:1].copy())),
    "means that are not finite": ("scaler", change(LEARNT + "mean_", lambda array: array.fill(np.nan))),
    "a scale of zero": ("scaler", change(LEARNT + "scale_", lambda array: array.fill(0))),
    "no means": ("scaler", lambda d, a: state(d)["learnt"].pop("mean_")),
    "means of text": ("scaler", lambda d, a: assign(state(d)["learnt"], "mean_", "zero")),
    "rows of text": ("scaler", lambda d, a: assign(state(d)["learnt"], "n_samples_seen_", "many")),
    "output of another library": ("scaler", lambda d, a: assign(state(d), "output", "os")),
    "other numbers than those it gave": ("scaler", change(LEARNT + "mean_", lambda array: array.fill(7.0))),
    "not fitted": ("scaler", lambda d, a: assign(state(d), "learnt", None)),
    "processes": ("union", lambda d, a: assign(state(d)["parameters"], "n_jobs", 6)),
    "a transformer that is none": ("union", lambda d, a: assign(state(d)["parameters"], "transformer_list", ["a"])),
    "edges out of order": ("bins", change(LEARNT + "bin_edges_.0", lambda array: array.sort() or array[::-1].copy())),
    "edges of one column": ("bins", lambda d, a: state(d)["learnt"]["bin_edges_"].pop()),
    "bins as wide as memory": ("bins", lambda d, a: assign(state(d)["parameters"], "dtype", {"$dtype": "<U100000000"})),
    "components of other columns": ("components", change(LEARNT + "components_", lambda array: array[:, :1].copy())),
    "a position beyond the columns": ("imputer", change(LEARNT + "indicated", lambda array: array.fill(2**30))),
    "a negative position": ("indicator", change(LEARNT + "indicated", lambda array: array.fill(-1))),
    "a degree of no end": ("polynomials", lambda d, a: assign(state(d)["parameters"], "degree", 10**12)),
    "a degree of no end and no terms": (
        "polynomials",
        lambda d, a: state(d)["parameters"].update(degree=10**12, interaction_only=True),
    ),
    "more terms than memory": ("polynomials", lambda d, a: forge_polynomials(d)),
    "powers without their scaler": ("powers", lambda d, a: state(d)["learnt"].pop("scaler_mean_")),
    "quantiles of other columns": ("quantiles", change(LEARNT + "quantiles_", lambda array: array[:, :1].copy())),
}


def forge_polynomials(document):
    state(document)["parameters"]["degree"] = 99
    state(document)["learnt"]["n_features_in_"] = 50_000


@pytest.mark.parametrize("name", TRANSFORMER_FORGERIES)
def test_a_forged_transformer_is_refused_and_runs_nothing(tmp_path, name):
    kind, forge = TRANSFORMER_FORGERIES[name]
    X = {"a": np.linspace(-1, 1, 20), "b": np.linspace(0, 3, 20) ** 2}
    if kind in ("imputer", "indicator"):
        X["b"][3] = np.nan
    save_model(BehaviorEncoder(numeric_transformer=TRANSFORMERS[kind]).fit(X), tmp_path / "model")
    document, arrays = read_container(tmp_path / "model")
    if name != "other numbers than those it gave":  # which a probe finds, but nobody has to give one
        transformer = document["model"]["state"]["_encoding"]["numeric"]["transformer"]
        for part in transformer.pop("probe"):
            arrays.pop(part["$array"] if part else None, None)
    forge(document, arrays)
    write_container(tmp_path / "model", document, arrays)

    refused(tmp_path / "model")


def test_a_transformer_that_is_not_forged_loads(tmp_path):
    for transformer in TRANSFORMERS.values():
        X = {"a": np.linspace(-1, 1, 20), "b": np.append(np.nan, np.arange(19.0))}
        has_missing = type(transformer) in (SimpleImputer, MissingIndicator)
        encoder = BehaviorEncoder(numeric_transformer=transformer).fit(X if has_missing else {"a": X["a"], "b": X["a"]})
        save_model(encoder, tmp_path / "model")
        with no_code_run():
            load_model(tmp_path / "model")


def sealed(header, data=b""):
    """Return the bytes of a file with this header and a right checksum, made by hand."""
    text = json.dumps(header).encode()
    content = len(text).to_bytes(8, "little") + text + data
    return content + hashlib.sha256(content).digest()


DOCUMENT = {"sklearn_din": json.dumps({"format": 1, "model": {"$array": "model.x"}, "versions": {}})}
HEADERS = {
    "ten gigabytes in the header only": {
        "model.x": {"dtype": "F32", "shape": [2_500_000_000], "data_offsets": [0, 10**10]}
    },
    "ten gigabytes of nothing": {"model.x": {"dtype": "F32", "shape": [50_000, 50_000], "data_offsets": [0, 32]}},
    "a shape whose product overflows": {"model.x": {"dtype": "F32", "shape": [2**62, 8], "data_offsets": [0, 32]}},
    "a negative shape": {"model.x": {"dtype": "F32", "shape": [-8], "data_offsets": [0, 32]}},
    "offsets before the data": {"model.x": {"dtype": "F32", "shape": [8], "data_offsets": [-32, 0]}},
    "an unknown type": {"model.x": {"dtype": "PICKLE", "shape": [8], "data_offsets": [0, 32]}},
    "a type that no model has": {"model.x": {"dtype": "BF16", "shape": [16], "data_offsets": [0, 32]}},
    "two arrays in one place": {
        "model.x": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]},
        "model.y": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]},
    },
    "an array alone": {"model.x": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}},
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_forged_header_is_refused_and_takes_no_memory(tmp_path, name):
    path = tmp_path / "forged"
    path.write_bytes(sealed({"__metadata__": DOCUMENT, **HEADERS[name]}))

    refused(path)


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    path = tmp_path / "forged"
    path.write_bytes((2**63).to_bytes(8, "little") + sealed({"__metadata__": DOCUMENT}))

    refused(path)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_refused_and_runs_nothing(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Payload(), protocol))
    refused(path, "is not a model file")

    assert not (tmp_path / "was_here").exists()
    pickle.loads(path.read_bytes())
    assert (tmp_path / "was_here").exists()  # it would have shown


def test_a_pickle_among_the_weights_runs_nothing(parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arrays = dict(parts[1]) | {"model.payload": np.frombuffer(pickle.dumps(Payload()), dtype=np.uint8)}
    document = json.loads(parts[0])
    network(document)["callbacks"] = {"$array": "model.payload"}
    write_container(tmp_path / "forged", document, arrays)
    refused(tmp_path / "forged")

    assert not (tmp_path / "was_here").exists()


def test_the_watch_sees_a_pickle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError), no_code_run():
        pickle.loads(pickle.dumps(Payload()))


def test_a_cache_folder_of_the_sender_is_refused(parts, tmp_path):
    document = json.loads(parts[0])
    document["model"]["state"]["memory"] = str(tmp_path)  # joblib would unpickle what lies there
    write_container(tmp_path / "forged", document, parts[1])

    refused(tmp_path / "forged")


def test_a_bare_encoder_and_a_bare_network_are_checked_as_well(tmp_path, rows):
    table = BehaviorEncoder({"hist_item": "item"}).fit(rows)
    network = DINClassifier(max_epochs=1).fit(np.eye(4), [0, 1, 0, 1])
    for model, name in ((table, "fingerprint"), (network, "n_epochs_")):
        save_model(model, tmp_path / "model")
        document, arrays = read_container(tmp_path / "model")
        state = document["model"]["state"]
        state.get("_encoding", state)[name] = [1]
        write_container(tmp_path / "model", document, arrays)
        refused(tmp_path / "model")
