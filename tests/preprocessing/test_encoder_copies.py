"""Copies, pickles and model files of an encoder that goes on learning."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from sklearn_din import BehaviorEncoder
from sklearn_din.persistence import load_model, save_model

MARK = "marker of a training row"
FIRST = {
    "item": ["a", "b", None, MARK],
    "hist": [["a"], [], None, ["b", "c"]],
    "marks": [[1], [], None, [4, 4]],
    "age": [1.0, None, 2.5, 8.0],
}
SECOND = {"item": ["c", MARK], "hist": [["a"], []], "marks": [[2.5], []], "age": [7.0, 1.0]}
WHOLE = {name: FIRST[name] + SECOND[name] for name in FIRST}
COPIES = {"pickle": lambda encoder: pickle.loads(pickle.dumps(encoder)), "copy": copy.copy, "deepcopy": copy.deepcopy}
GONE = (
    "partial_fit cannot go on from what this encoder has learnt: it comes from a model file, or from a copy or pickle"
)


def make_encoder(**parameters):
    return BehaviorEncoder({"hist": "item", "marks": None}, **parameters)


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("parameters", [{}, {"min_frequency": 2}, {"max_categories": 1}], ids=str)
def test_a_copy_goes_on_after_partial_fit(copied, parameters):
    encoder = COPIES[copied](COPIES[copied](make_encoder(**parameters).partial_fit(FIRST)))
    expected = make_encoder(**parameters).fit(WHOLE)

    assert encoder.partial_fit(SECOND).layout_ == expected.layout_
    assert encoder.vocabularies_["item"].digest == expected.vocabularies_["item"].digest


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("numeric_transformer", [None, StandardScaler()], ids=["default", "own"])
def test_a_copy_goes_on_after_a_fit_that_has_cut_nothing(copied, numeric_transformer):
    parameters = {"numeric_transformer": numeric_transformer, "numeric_features": ["age"]}
    first, second = ({name: rows[name] for name in ("item", "age")} for rows in (FIRST, SECOND))
    first, second = first | {"age": [1.0, 2.0, 2.5, 8.0]}, second
    encoder = COPIES[copied](BehaviorEncoder(**parameters).fit(first))
    whole = {name: first[name] + second[name] for name in first}
    expected = BehaviorEncoder(**parameters).fit(whole)

    assert encoder.partial_fit(second).layout_ == expected.layout_
    np.testing.assert_allclose(encoder.transform(whole)["age"], expected.transform(whole)["age"], rtol=1e-6)


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_after_a_fit_that_has_cut_values_says_that_it_cannot_go_on(copied):
    encoder = COPIES[copied](make_encoder(min_frequency=2).fit(FIRST))
    before = encoder.layout_

    with pytest.raises(ValueError, match=f"{GONE}.*Call fit with all rows, or clone the encoder"):
        encoder.partial_fit(SECOND)
    assert encoder.layout_ == before
    assert clone(encoder).partial_fit(SECOND).layout_ == make_encoder(min_frequency=2).fit(SECOND).layout_
    assert encoder.fit(FIRST).partial_fit(SECOND).layout_ == make_encoder(min_frequency=2).fit(WHOLE).layout_


def test_going_on_leaves_copies_as_they_are():
    encoder = make_encoder().partial_fit(FIRST)
    copied = copy.copy(encoder)
    before = pickle.dumps(copied)

    encoder.partial_fit(SECOND)

    assert pickle.dumps(copied) == before


def test_a_pickle_has_values_that_were_cut_after_partial_fit_only():
    assert MARK.encode() in pickle.dumps(make_encoder(min_frequency=2).partial_fit(FIRST))
    assert MARK.encode() not in pickle.dumps(make_encoder(min_frequency=2).fit(FIRST))


def test_a_pickle_after_partial_fit_does_not_grow_with_the_rows():
    sizes = []
    for n_chunks in (2, 200):
        encoder = make_encoder()
        for _ in range(n_chunks):
            encoder.partial_fit(FIRST)
        sizes.append(len(pickle.dumps(encoder)))

    assert abs(sizes[1] - sizes[0]) < 50  # digits of the number of rows


def test_counts_take_little_room_in_a_pickle():
    items = [f"item {number:06d}" for number in range(50_000)]
    encoder = BehaviorEncoder().partial_fit({"item": items})

    assert len(pickle.dumps(encoder)) < 50_000 * (len(items[0]) + 8 + 4) * 1.01  # text, offset, id


@pytest.mark.parametrize("learn", [lambda encoder: encoder.fit(FIRST), lambda encoder: encoder.partial_fit(FIRST)])
def test_an_encoder_from_a_model_file_says_that_it_cannot_go_on(tmp_path, learn):
    encoder = learn(make_encoder())
    save_model(encoder, tmp_path / "encoder.din")
    loaded = load_model(tmp_path / "encoder.din")

    assert loaded.layout_ == encoder.layout_
    with pytest.raises(ValueError, match=GONE):
        loaded.partial_fit(SECOND)
    assert loaded.fit(FIRST).partial_fit(SECOND).layout_ == make_encoder().fit(WHOLE).layout_


def test_partial_fit_after_unpickling_counts_what_missing_and_cut_values_had():
    encoder = BehaviorEncoder(max_categories=2).partial_fit({"item": [None, None, "a", "a", "b"]})
    encoder = pickle.loads(pickle.dumps(encoder)).partial_fit({"item": ["b", "b"]})

    assert encoder.vocabularies_["item"].values.tolist() == ["b", None]
