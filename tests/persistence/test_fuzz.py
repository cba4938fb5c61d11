"""Random changes of a file, with a right checksum or without: an error of ours, or a model that answers sensibly."""

import json
import re
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer

from sklearn_din import BehaviorEncoder, DINClassifier
from sklearn_din.exceptions import ModelFileError
from sklearn_din.persistence import load_model, save_model
from sklearn_din.persistence._container import read_container, write_container

ROWS = {
    "item": ["a", "b", "a", "c"] * 3,
    "hist": [["a"], ["b", "c"], [], ["c", "a", "a"]] * 3,
    "price": [0.5, 1.5, 2.5, 3.5] * 3,
}


@cache
def sound_file():
    """The bytes of a small file, its document as text, and its arrays."""
    numbers = make_pipeline(FunctionTransformer(np.abs, feature_names_out="one-to-one"), KBinsDiscretizer(2))
    encoder = BehaviorEncoder({"hist": "item"}, max_length=2, numeric_transformer=numbers)
    sizes = {"embedding_dim": 2, "attention_hidden_layer_sizes": (2,), "hidden_layer_sizes": (2,)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = make_pipeline(encoder, DINClassifier(**sizes, max_epochs=1, device="cpu", random_state=0))
        model.fit(ROWS, [0, 1, 1, 0] * 3)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        save_model(model, path)
        document, arrays = read_container(path)
        return path.read_bytes(), json.dumps(document), arrays


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        st.integers(-(2**70), 2**70),
        st.sampled_from([10**6, 10**9, 10**12, 2**31, 2**63]),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["", "item", "DINClassifier", "Pipeline", "KBinsDiscretizer", "transform", "auto", "float64"]),
        st.text(max_size=3),
    ),
    lambda values: st.one_of(
        st.lists(values, max_size=3),
        st.dictionaries(st.text(max_size=3), values, max_size=2),
        st.builds(
            lambda tag, value: {tag: value},
            st.sampled_from(
                ["$array", "$dict", "$dtype", "$float", "$random_state", "$slice", "$tuple", "$type", "$ufunc"]
            ),
            values,
        ),
    ),
    max_leaves=5,
)


def places(value):
    """Return each container in a document with each of its keys."""
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        found.append((value, key))
        found += places(part)
    return found


@st.composite
def changed_files(draw):
    """Change the document, an array, or both, in one to three places."""
    _, text, arrays = sound_file()
    document, arrays = json.loads(text), dict(arrays)
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            container, key = draw(st.sampled_from(places(document)))
            what = draw(st.sampled_from(["replace", "remove", "copy"]))
            if what == "remove":
                container.pop(key)
            elif what == "copy":
                other, place = draw(st.sampled_from(places(document)))
                container[key] = json.loads(json.dumps(other[place]))
            else:
                container[key] = draw(JSON)
        else:
            name = draw(st.sampled_from(sorted(arrays)))
            arrays[name] = changed_array(draw, arrays[name])
    return document, arrays


def changed_array(draw, array):
    what = draw(st.sampled_from(["value", "cut", "type", "shape"]))
    if what == "cut" and array.ndim:
        return array[: draw(st.integers(0, len(array)))].copy()
    if what == "type":
        with np.errstate(all="ignore"):
            return array.astype(draw(st.sampled_from(["f8", "f4", "f2", "i8", "i4", "u1"])))
    if what == "shape":
        return array.reshape((*array.shape, 1))
    changed = array.copy()
    if changed.size:
        numbers = [0, 1, -1, 2**31 - 1, float("nan"), float("inf"), 1e30]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            number = np.array(draw(st.sampled_from(numbers))).astype(array.dtype)
        changed.flat[draw(st.integers(0, changed.size - 1))] = number
    return changed


def check_changed(document, arrays):
    """Assert that a file is refused, or answers with probabilities, or with an error that names what is wrong."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        write_container(path, document, arrays)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = load_model(path)
        except ModelFileError:
            return event("refused")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(model, BehaviorEncoder):
            assert np.isfinite(model.transform(ROWS).to_numpy()).all()
            return event("an encoder")
        proba, message = None, ""
        try:
            proba = model.predict_proba(ROWS)
        except (AttributeError, TypeError, ValueError) as error:  # of another column or layout, or no classifier
            message = str(error)
    if proba is None:
        assert re.search("'(item|hist|price|predict_proba)'|encoded|columns|feature|finite", message)
        return event("an error")
    assert proba.shape == (12, len(model[-1].classes_))
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    return event("an answer")


@settings(max_examples=400)
@given(changed=changed_files())
def test_a_changed_file_is_refused_or_answers(changed):
    check_changed(*changed)


@pytest.mark.nightly
@settings(max_examples=20_000, derandomize=False, print_blob=True)
@given(changed=changed_files())
def test_many_changed_files_are_refused_or_answer(changed):
    check_changed(*changed)


def check_damaged(positions, data):
    damaged = bytearray(sound_file()[0])
    for position in positions:
        damaged[position % len(damaged)] = data
    if bytes(damaged) == sound_file()[0]:
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError):
            load_model(path)


DAMAGE = {"positions": st.lists(st.integers(0, 10**6), min_size=1, max_size=8), "data": st.integers(0, 255)}


@settings(max_examples=300)
@given(**DAMAGE)
def test_a_damaged_file_is_refused(positions, data):
    check_damaged(positions, data)


@pytest.mark.nightly
@settings(max_examples=20_000, derandomize=False, print_blob=True)
@given(**DAMAGE)
def test_many_damaged_files_are_refused(positions, data):
    check_damaged(positions, data)


def check_bytes(content):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(content)
        with pytest.raises(ModelFileError):
            load_model(path)


@settings(max_examples=200)
@given(content=st.binary(max_size=100))
def test_any_bytes_are_refused(content):
    check_bytes(content)
