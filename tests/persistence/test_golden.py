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


def test_each_release_has_its_golden_files():
    releases = {path.stem.rpartition("-")[0] for path in FILES}

    assert "0.1.0" in releases
    assert {path.stem for path in FILES} == {f"{release}-{name}" for release in releases for name in make.MODELS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_an_earlier_version_predicts_what_it_did(path):
    expected = json.loads(path.with_suffix(".json").read_text())
    model = load_model(path)

    name = path.stem.rpartition("-")[2]
    for kind, rows in make.INPUTS.get(name, {"known": make.ROWS, "new": make.NEW}).items():
        np.testing.assert_allclose(make.predict(model, rows), expected[kind], rtol=1e-6, atol=1e-6)
