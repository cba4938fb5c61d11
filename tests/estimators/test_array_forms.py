"""The form of an array changes nothing: not the model, not the predictions, not the array."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

N_ROWS = 60


def read_only(values):
    values = values.copy()
    values.flags.writeable = False
    return values


def mapped(values, folder):
    """Return the values as a read-only memory map, as joblib gives big arrays to its workers."""
    np.save(folder / "values.npy", values)
    return np.load(folder / "values.npy", mmap_mode="r")


def every_other(values):
    return np.repeat(values, 2, axis=0)[::2]


# Of whole numbers below 100, which every type holds.
FORMS = {
    "Fortran order": lambda values, _: np.asfortranarray(values),
    "negative strides": lambda values, _: values[::-1].copy()[::-1],
    "negative strides of columns": lambda values, _: values[..., ::-1].copy()[..., ::-1],
    "every other row": lambda values, _: every_other(values),
    "read-only": lambda values, _: read_only(values),
    "memory map": mapped,
    "big-endian map": lambda values, folder: mapped(values.astype(">f8"), folder),
    "list": lambda values, _: values.tolist(),
    "objects": lambda values, _: values.astype(int).astype(object),
    "objects of floats": lambda values, _: values.astype(object),
} | {
    dtype: lambda values, _, dtype=dtype: values.astype(dtype)
    for dtype in ("<i4", ">i4", "<i8", ">i8", "u1", "i1", "<u8", ">u8", "f2", ">f2", "f4", ">f4", ">f8", "g")
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 9, (N_ROWS, 3)).astype(float)
    return X, (X[:, 0] > 4).astype(float), rng.integers(1, 4, N_ROWS).astype(float)


@pytest.fixture(scope="module")
def halved(data):
    return tuple(np.split(values, [40]) for values in data)


def bytes_of(value):
    return pickle.dumps(value if isinstance(value, list) else list(value))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_a_form_of_all_arrays_changes_nothing(make_classifier, make_regressor, halved, form, kind, tmp_path):
    make = make_classifier if kind == "classifier" else make_regressor
    names = ("X", "y", "sample_weight")
    given = dict(zip(names, (train for train, _ in halved), strict=True))
    given |= {f"{name}_val": valid for name, (_, valid) in zip(names, halved, strict=True)}
    model = make().fit(**given)
    folders = [tmp_path / name for name in given]
    for folder in folders:
        folder.mkdir()
    formed = {name: FORMS[form](values, folder) for (name, values), folder in zip(given.items(), folders, strict=True)}
    before = {name: bytes_of(values) for name, values in formed.items()}
    outputs = ["predict"] if kind == "regressor" else ["predict_proba", "decision_function"]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = make().fit(**formed)
        for output in outputs:
            expected = getattr(model, output)(given["X"])
            assert_allclose(getattr(same, output)(formed["X"]), expected, rtol=0, atol=1e-6)
            assert_allclose(getattr(model, output)(formed["X"]), expected, rtol=0, atol=1e-6)
    assert {name: bytes_of(values) for name, values in formed.items()} == before


LABELS = {
    "bool": lambda y: y.astype(bool),
    "int8": lambda y: y.astype(np.int8),
    "objects": lambda y: y.astype(int).astype(object),
    "strings": lambda y: np.array(["no", "yes"])[y.astype(int)],
    "strings as objects": lambda y: np.array(["no", "yes"], dtype=object)[y.astype(int)],
    "list": lambda y: y.astype(int).tolist(),
    "list of strings": lambda y: np.array(["no", "yes"])[y.astype(int)].tolist(),
    "pandas": lambda y: pd.Series(y, index=np.arange(len(y))[::-1]),
    "pandas strings": lambda y: pd.Series(np.array(["no", "yes"])[y.astype(int)]),
    "pandas category": lambda y: pd.Series(np.array(["no", "yes"])[y.astype(int)], dtype="category"),
    "pandas Int64": lambda y: pd.Series(y.astype(int), dtype="Int64"),
    "polars": lambda y: pl.Series(y.astype(int)),
    "read-only": read_only,
}


@pytest.mark.parametrize("form", LABELS)
def test_the_form_of_labels_changes_no_probability(make_classifier, data, form):
    X, y, _ = data
    expected = make_classifier().fit(X, y).predict_proba(X)
    labels = LABELS[form](y)
    before = bytes_of(labels)

    model = make_classifier().fit(X, labels)
    assert_allclose(model.predict_proba(X), expected, rtol=0, atol=1e-6)
    assert set(np.unique(model.predict(X))) <= set(np.unique(np.asarray(labels)))
    assert bytes_of(labels) == before


@pytest.mark.parametrize(
    "form", [pd.Series, pl.Series, list, tuple, read_only, lambda w: w.astype(np.float32), lambda w: w.astype(bool) * w]
)
def test_the_form_of_weights_changes_nothing(make_classifier, data, form):
    X, y, weight = data
    expected = make_classifier().fit(X, y, weight).predict_proba(X)

    assert_allclose(make_classifier().fit(X, y, form(weight)).predict_proba(X), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("make_frame", [pd.DataFrame, pl.DataFrame])
def test_a_frame_of_numbers_is_the_array_of_its_columns(make_classifier, data, make_frame):
    X, y, _ = data
    expected = make_classifier().fit(X, y).predict_proba(X)
    frame = make_frame({f"x{i}": X[:, i].astype(dtype) for i, dtype in enumerate(("int8", "float32", "uint64"))})

    assert_allclose(make_classifier().fit(frame, y).predict_proba(frame), expected, rtol=0, atol=1e-6)


def test_a_sparse_matrix_is_refused_as_by_scikit_learn(make_classifier, data):
    X, y, _ = data
    with pytest.raises(TypeError, match="Sparse data was passed"):
        make_classifier().fit(csr_array(X), y)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        make_classifier().fit(X, y).predict(csr_array(X))
