"""Files with a right checksum that describe no model: each is refused, and none runs code or imports a module."""

import hashlib
import json
import pickle
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import sklearn

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.exceptions import ModelFileError
from sklearn_din.persistence import load_model, save_model
from sklearn_din.persistence._container import read_container, write_container

FORBIDDEN = (
    "compile",
    "exec",
    "import",
    "marshal.loads",
    "os.system",
    "os.exec",
    "pickle.find_class",
    "subprocess.Popen",
)
watched = []
is_watching = False


def watch(event, arguments):
    if is_watching and event in FORBIDDEN:
        watched.append((event, str(arguments)[:200]))


sys.addaudithook(watch)  # for the rest of the process: there is no way to remove it


@contextmanager
def no_code_run():
    """Assert that nothing is imported, compiled, unpickled or started inside the block."""
    global is_watching
    watched.clear()
    is_watching = True
    try:
        yield
    finally:
        is_watching = False
    assert watched == []


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
    "a transformer for a model": lambda d, a: assign(
        d, "model", {"$estimator": "Binarizer", "state": {"_sklearn_version": sklearn.__version__}}
    ),
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
    "epochs that are no number": lambda d, a: assign(network(d), "n_epochs_", [1]),
    "a history of text": lambda d, a: assign(network(d)["history_"][0], "epoch", "one"),
    "a device that is no name": lambda d, a: assign(network(d), "device_", 7),
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
    "numbers that are missing": change(
        "model.steps.encode._encoding.numeric.statistics", lambda array: array.fill(np.nan)
    ),
    "an indicator of no column": change("model.steps.encode._encoding.numeric.indicated", lambda array: array.fill(9)),
    "a scale for no column": change("model.steps.encode._encoding.numeric.scale", lambda array: np.ones(7)),
    "another encoder than that of the network": lambda d, a: assign(encoder(d)["_encoding"], "fingerprint", "0" * 64),
    "an encoder that is not fitted": lambda d, a: encoder(d).pop("_encoding"),
    # arrays
    "an array that is not there": lambda d, a: assign(network(d)["_weights"], "mlp.output.bias", {"$array": "gone"}),
    "strings that are numbers": lambda d, a: assign(network(d)["classes_"], "$objects", [1, 2]),
    "a shape that does not fit": lambda d, a: assign(network(d)["classes_"], "shape", [10**12]),
    "a type of memory": lambda d, a: assign(
        network(d), "classes_", {"$array": WEIGHTS + "mlp.output.bias", "type": "object"}
    ),
}


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
