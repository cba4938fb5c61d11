"""The file: what it holds beside the network, how it is written, and which models it is refused for."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from numpy.testing import assert_array_equal
from onnx import numpy_helper
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor, __version__
from sklearn_din.persistence import export_onnx
from sklearn_din.persistence._onnx import _graph


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.fixture
def model():
    """A small classifier of strings, integers and numbers."""
    X = {"item": ["tea", "rice", "milk", "süß"] * 5, "hist_item": [["tea", "milk"], [], ["rice"], ["tea"]] * 5}
    network = DINClassifier(embedding_dim=2, max_epochs=1, early_stopping=False, device="cpu", random_state=0)
    return Pipeline([("encode", BehaviorEncoder({"hist_item": "item"})), ("din", network)]).fit(X, [0, 1, 1, 0] * 5)


def test_a_graph_passes_the_checks_of_onnx(model, path):
    export_onnx(model, path)

    onnx.checker.check_model(path, full_check=True)
    assert {each.domain: each.version for each in onnx.load(path).opset_import} == {"": 17, "ai.onnx.ml": 3}
    assert onnx.load(path).ir_version == 8


def test_weights_are_those_of_the_model(make_exported, tmp_path):
    exported = make_exported(batch_norm=True, candidate_bias=True, activation="prelu")
    state = {name: tensor.numpy() for name, tensor in exported.model[-1].module_.state_dict().items()}

    found = {each.name: numpy_helper.to_array(each) for each in onnx.load(tmp_path / "model.onnx").graph.initializer}

    expected = {name for name in state if not name.endswith("n_batches")}  # which only training needs
    assert {name for name in found if not name.startswith("constant")} == expected
    for name in expected:
        assert_array_equal(found[name], state[name], err_msg=name)


@pytest.mark.parametrize(
    "option",
    [
        {"attention_normalization": None},
        {"attention_interaction": "outer"},
        {"attention_interaction": "concatenation"},
        {"pooling": "sum"},
        {"pooling": "mean", "match_counts": False, "interest_product": False, "recency_embedding": False},
        {"only": ["city"], "sequences": None},
        {"encoder": {"min_frequency": 1000}},
    ],
    ids=str,
)
def test_nothing_is_in_the_graph_that_it_does_not_use(make_exported, tmp_path, option):
    make_exported(**option)
    graph = onnx.load(tmp_path / "model.onnx").graph

    used = {name for node in graph.node for name in node.input} | {each.name for each in graph.output}
    made = {name for node in graph.node for name in node.output} | {each.name for each in graph.initializer}
    assert made <= used


def test_each_vocabulary_is_in_the_graph_once(make_exported, tmp_path):
    exported = make_exported()
    vocabularies = exported.model["encode"].vocabularies_

    found = [node for node in onnx.load(tmp_path / "model.onnx").graph.node if node.op_type == "LabelEncoder"]

    attributes = [{each.name: onnx.helper.get_attribute_value(each) for each in node.attribute} for node in found]
    keys = [each.get("keys_strings", each.get("keys_int64s")) for each in attributes]
    learnt = [dict(zip(of, each["values_int64s"], strict=True)) for of, each in zip(keys, attributes, strict=True)]
    assert len(learnt) == len(vocabularies) == 7
    items = {value: place + 2 for place, value in enumerate(vocabularies["item"].values)}
    shops = {value.encode(): place + 2 for place, value in enumerate(vocabularies["shop"].values)}
    assert items in learnt
    assert shops in learnt
    assert all(each["default_int64"] == 1 for each in attributes)


def test_classes_and_versions_are_in_the_metadata(make_exported, rows):
    y = np.array([20, 3, 100])[np.arange(len(rows["item"])) % 3]

    exported = make_exported(y=y, pooling="mean")

    metadata = exported.session.get_modelmeta().custom_metadata_map
    assert metadata == {"sklearn_din": __version__, "estimator": "DINClassifier", "classes": '["3", "20", "100"]'}
    assert json.loads(metadata["classes"]) == [str(label) for label in exported.model.classes_]


def test_a_regressor_has_no_classes_in_the_metadata(make_exported, rows):
    exported = make_exported(DINRegressor, y=np.arange(60.0), pooling="mean")

    metadata = exported.session.get_modelmeta().custom_metadata_map
    assert metadata == {"sklearn_din": __version__, "estimator": "DINRegressor"}
    (output,) = exported.session.get_outputs()
    assert (output.name, output.type, output.shape) == ("prediction", "tensor(double)", ["n_samples"])


def test_the_output_of_a_classifier_has_a_column_for_each_class(make_exported):
    (output,) = make_exported(pooling="mean").session.get_outputs()

    assert (output.name, output.type, output.shape) == ("probabilities", "tensor(float)", ["n_samples", 2])


def test_the_same_model_gives_the_same_bytes(model, path):
    export_onnx(model, path)
    first = path.read_bytes()

    export_onnx(model, str(path))

    assert path.read_bytes() == first


def test_steps_that_do_nothing_may_be_between(model, path):
    export_onnx(Pipeline([model.steps[0], ("between", "passthrough"), ("none", None), model.steps[1]]), path)

    assert path.exists()


def test_an_old_file_stays_where_a_new_one_can_not_be_written(model, path, monkeypatch):
    path.write_bytes(b"old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)

    with pytest.raises(OSError, match="No space left"):
        export_onnx(model, path)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_graph_beyond_what_protobuf_holds_is_refused(model, path, monkeypatch):
    export_onnx(model, path)
    size = path.stat().st_size
    path.unlink()
    monkeypatch.setattr(_graph, "MOST_BYTES", size // 4)

    with pytest.raises(
        ValueError, match=rf"larger than an ONNX file can be: .* more than {size // 4} bytes\. Fit with"
    ):
        export_onnx(model, path)
    assert list(path.parent.iterdir()) == []


def test_long_vocabularies_count_for_the_size(model, path, monkeypatch):
    monkeypatch.setattr(_graph, "BYTES_PER_NUMBER", 2**30)

    with pytest.raises(ValueError, match="embedding tables and vocabularies take more than 2147483647 bytes"):
        export_onnx(model, path)


def test_without_onnx_the_extra_is_named(model, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(ImportError, match=r'Install it: pip install "sklearn-din\[onnx\]"'):
        export_onnx(model, path)


def test_persistence_is_imported_without_onnx():
    code = "import sys; sys.modules['onnx'] = None; from sklearn_din.persistence import export_onnx; print('there')"

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout == "there\n", done.stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (DINClassifier(), "a DINClassifier or DINRegressor: got DINClassifier. Give that part of the model"),
        (make_pipeline(StandardScaler(), DINClassifier()), "got StandardScaler and DINClassifier"),
        (make_pipeline(BehaviorEncoder()), "got BehaviorEncoder"),
        (GridSearchCV(DINClassifier(), {}), "got GridSearchCV. Give that part"),
        ("model.onnx", "got str. The model comes first, then the path."),
    ],
)
def test_what_is_no_pipeline_of_encoder_and_network_is_refused(path, model, message):
    with pytest.raises(TypeError, match=message):
        export_onnx(model, path)


def test_of_a_search_the_best_model_is_asked_for(model, path):
    search = GridSearchCV(model, {})
    search.best_estimator_ = model

    with pytest.raises(TypeError, match="got GridSearchCV. Give its best_estimator_."):
        export_onnx(search, path)


def test_an_unfitted_pipeline_is_refused(path):
    with pytest.raises(NotFittedError, match="BehaviorEncoder instance is not fitted"):
        export_onnx(make_pipeline(BehaviorEncoder(), DINClassifier()), path)


def test_an_encoder_that_was_fitted_anew_is_refused(model, path):
    model["encode"].fit({"item": ["tea", "rice"], "hist_item": [["tea"], []]})

    with pytest.raises(ValueError, match="The DINClassifier was not fitted on rows of this encoder"):
        export_onnx(model, path)
    assert not path.exists()
