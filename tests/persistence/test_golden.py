"""What earlier versions wrote still loads, and predicts the same."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from sklearn_din.persistence import load_model

FOLDER = Path(__file__).parent / "golden"
FILES = sorted(FOLDER.glob("*.safetensors"))
spec = importlib.util.spec_from_file_location("make", FOLDER / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


def test_there_is_a_golden_file():
    assert "0.1.0" in [path.stem for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_an_earlier_version_predicts_what_it_did(path):
    expected = json.loads(path.with_suffix(".json").read_text())
    model = load_model(path)

    assert model[-1].classes_.tolist() == ["buy", "look", "skip"]
    for kind, rows in (("known", make.ROWS), ("new", make.NEW)):
        np.testing.assert_allclose(model.predict_proba(rows), expected[kind], rtol=0, atol=1e-6)
