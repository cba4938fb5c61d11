"""Pickles for those who trust each other, and skops files, which name what they hold."""

import zipfile

import joblib
import numpy as np
import skops.io
from numpy.testing import assert_array_equal

OURS = [
    "sklearn_din.estimators._classifier.DINClassifier",
    "sklearn_din.preprocessing._behavior_encoder.BehaviorEncoder",
]


def test_a_skops_file_names_our_two_classes_and_no_other(fitted, rows):
    data = skops.io.dumps(fitted)
    unknown = skops.io.get_untrusted_types(data=data)

    assert unknown == OURS
    assert_array_equal(skops.io.loads(data, trusted=OURS).predict_proba(rows), fitted.predict_proba(rows))


def test_a_skops_file_holds_only_its_schema_and_arrays_of_numbers(fitted, tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(fitted, path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        arrays = [name for name in names if name.endswith(".npy")]
        assert sorted(set(names) - set(arrays)) == ["schema.json"]
        for name in arrays:
            with archive.open(name) as file:
                assert np.load(file, allow_pickle=False).dtype.kind in "biufU"
        weights = sum(archive.getinfo(name).file_size for name in arrays)

    assert weights > sum(value.numel() for value in fitted[-1].module_.parameters()) * 4


def test_a_file_of_joblib_predicts_the_same(fitted, rows, tmp_path):
    joblib.dump(fitted, tmp_path / "model.joblib")
    for mmap_mode in (None, "r"):
        loaded = joblib.load(tmp_path / "model.joblib", mmap_mode=mmap_mode)
        assert_array_equal(loaded.predict_proba(rows), fitted.predict_proba(rows))
