"""The state of an encoder: small, without training rows, and of plain values and arrays."""

import copy
import pickle

import joblib
import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from sklearn_din import BehaviorEncoder
from sklearn_din.preprocessing._vocabulary import Vocabulary

MARK = "marker of a training row"
NUMBER = 1234.56789012345
ENCODER = BehaviorEncoder({"hist": "item", "prices": None}, min_frequency=2, max_length=2)


def make_rows(n_samples):
    """Rows of few values; the first row holds the marks, each of them once, and one in what is cut."""
    items = ["a", "b"] * (n_samples // 2)
    return {
        "item": [MARK, *items[1:]],
        "hist": [["a", "a", MARK + " in a history"], *[["a", "b"]] * (n_samples - 1)],
        "prices": [[NUMBER, 1.0, 2.0], *[[1.0, 2.0]] * (n_samples - 1)],
        "age": [NUMBER, *np.arange(n_samples - 1.0) % 7],
        "tags": [[MARK + " in a bag"], *[["x"]] * (n_samples - 1)],
    }


@pytest.mark.parametrize("dump", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
@pytest.mark.parametrize("transformer", [None, StandardScaler()], ids=["default", "custom"])
def test_a_copy_encodes_the_same(dump, transformer):
    rows = make_rows(20)
    encoder = clone(ENCODER).set_params(numeric_transformer=transformer).fit(rows)
    copied = dump(encoder)
    copied = pickle.loads(copied) if isinstance(copied, bytes) else copied

    assert copied.transform(rows).layout == encoder.layout_ == copied.layout_
    assert_array_equal(copied.transform(rows).to_numpy(), encoder.transform(rows).to_numpy())
    assert repr(copied.numeric_transformer_) == repr(encoder.numeric_transformer_)
    assert copied.vocabularies_["item"].values.tolist() == ["a", "b"]


def test_a_pickle_holds_no_training_rows():
    rows = make_rows(20)
    data = pickle.dumps(clone(ENCODER).fit(rows))

    assert MARK.encode() not in data
    assert np.float64(NUMBER).tobytes() not in data
    assert np.float64(NUMBER).tobytes() in pickle.dumps(np.array(rows["age"]))  # it would have shown


def test_a_pickle_does_not_grow_with_the_rows(tmp_path):
    sizes = []
    for n_samples in (20, 20_000):
        encoder = clone(ENCODER).fit(make_rows(n_samples))
        joblib.dump(encoder, tmp_path / "encoder")
        sizes.append((len(pickle.dumps(encoder)), (tmp_path / "encoder").stat().st_size))

    assert np.abs(np.diff(sizes, axis=0)).max() < 20  # digits of the number of rows


def test_a_pickle_of_a_big_vocabulary_is_little_more_than_its_values():
    items = [f"item {number:06d}" for number in range(50_000)]
    encoder = BehaviorEncoder().fit(pa.table({"item": items}))

    assert len(pickle.dumps(encoder)) < 50_000 * (len(items[0]) + 8 + 4) * 1.01  # text, offset, id


def test_an_encoder_of_a_part_of_a_table_does_not_hold_the_rest():
    table = pa.table({"item": [f"item {number}" for number in range(10_000)]})
    data = pickle.dumps(BehaviorEncoder().fit(table.slice(5000, 10)))

    assert b"item 5003" in data
    assert len(data) < 3000


@pytest.mark.parametrize("values", [["a", "bc", "", "dé"], [b"a", b"", b"\xff"]], ids=["text", "bytes"])
def test_the_state_of_a_vocabulary_of_a_part_of_an_array_is_that_part(values):
    kind = "string" if isinstance(values[0], str) else "binary"
    whole = pa.array(["zz", *values, "yy"] if kind == "string" else [b"zz", *values, b"yy"], f"large_{kind}")
    ids = np.arange(2, 2 + len(values), dtype=np.int32)
    vocabulary = Vocabulary({kind: (whole.slice(1, len(values)), ids)}, None, frozenset({kind}))
    state = vocabulary.to_state()

    assert state["known"][kind]["offsets"][0] == 0
    assert len(state["known"][kind]["text"]) == sum(
        len(value.encode() if kind == "string" else value) for value in values
    )
    assert Vocabulary.from_state(state).values.tolist() == values


def test_an_unfitted_encoder_and_one_whose_fit_failed_stay_unfitted():
    encoder = clone(ENCODER).fit(make_rows(4))
    with pytest.raises(TypeError):
        encoder.fit({"item": [1], "hist": [3], "prices": [[]]})

    for unfitted in (clone(ENCODER), encoder):
        with pytest.raises(NotFittedError):
            pickle.loads(pickle.dumps(unfitted)).transform(make_rows(4))
