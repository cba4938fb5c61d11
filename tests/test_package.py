"""The package as a whole: what it exports, what it loads, and how its public names are described."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
from numpydoc.validate import validate

import sklearn_din

# Every package but these is part of the public surface.
INTERNAL = {"training", "utils"}
PACKAGES = {module.name for module in pkgutil.iter_modules(sklearn_din.__path__) if module.ispkg}
PUBLIC = ["sklearn_din", "sklearn_din.exceptions", *sorted(f"sklearn_din.{name}" for name in PACKAGES - INTERNAL)]

# Left open by the house rules: where the text begins, sections that are there as needed, names of results.
OPEN = {"GL01", "ES01", "SA01", "RT02"}
NO_EXAMPLE = "EX01"  # only a method, whose class has one, may do without

# Run in a process of its own, in which torch and skorch cannot be imported.
WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "skorch"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def test_version_is_that_of_the_installed_distribution():
    assert sklearn_din.__version__ == version("sklearn-din")


def test_exported_names_are_those_of_their_packages():
    from sklearn_din.estimators import DINClassifier, DINRegressor
    from sklearn_din.preprocessing import BehaviorEncoder

    assert sklearn_din.BehaviorEncoder is BehaviorEncoder
    assert sklearn_din.DINClassifier is DINClassifier
    assert sklearn_din.DINRegressor is DINRegressor
    assert set(sklearn_din.__all__) == {"BehaviorEncoder", "DINClassifier", "DINRegressor", "__version__"}


def test_dir_lists_names_that_are_not_loaded_yet():
    listed = run("import sklearn_din; print(*dir(sklearn_din))").split()

    assert {"BehaviorEncoder", "DINClassifier", "__version__"} <= set(listed)


def test_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="module 'sklearn_din' has no attribute 'DIENClassifier'"):
        sklearn_din.DIENClassifier  # noqa: B018


def test_import_alone_loads_neither_numpy_nor_torch():
    loaded = run("import sys, sklearn_din; print(*sys.modules)").split()

    assert not {"numpy", "sklearn", "torch"} & set(loaded)


def test_encoding_works_where_torch_is_absent():
    code = """
from sklearn_din import BehaviorEncoder
X = {"item": [3, 7], "hist_item": [[7, 7, 3], []]}
print(*BehaviorEncoder({"hist_item": "item"}, max_length=4).fit(X).transform(X)["hist_item"][1])
"""

    assert run(WITHOUT_TORCH + code).split() == ["0", "0", "0", "0"]


def test_metrics_and_data_work_where_torch_is_absent():
    code = """
from sklearn_din.datasets import make_clicks
from sklearn_din.metrics import gauc_score
X, y = make_clicks(20, random_state=0)
print(gauc_score([0, 1], [0.2, 0.3], groups=[5, 5]), len(y))
"""

    assert run(WITHOUT_TORCH + code).split() == ["1.0", "20"]


def test_lower_bounds_are_of_the_same_packages_as_the_pins():
    pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    groups = pyproject["dependency-groups"]
    extras = pyproject["project"]["optional-dependencies"]

    bounds = {text.partition(">=")[0] for text in [*pyproject["project"]["dependencies"], *extras["pandas"]]}

    pins = {text.partition("==")[0] for text in [*groups["runtime"], *groups["torch"]]}
    assert bounds == pins


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_described_in_full(name):
    package = importlib.import_module(name)
    errors = {
        path: [
            f"{code}: {message}"
            for code, message in validate(path)["errors"]
            if code not in OPEN and not (code == NO_EXAMPLE and is_method(package, path))
        ]
        for path in described(package)
    }

    assert errors
    assert {path: found for path, found in errors.items() if found} == {}


def described(package: ModuleType) -> list[str]:
    """Return the dotted names of what a package exports, and of the public methods of its classes."""
    paths = []
    for name in sorted(set(package.__all__) - {"__version__"}):
        path = f"{package.__name__}.{name}"
        value = getattr(package, name)
        methods = public_methods(value) if inspect.isclass(value) else []
        paths += [path, *(f"{path}.{method}" for method in methods)]
    return paths


def is_method(package: ModuleType, path: str) -> bool:
    """Return whether a dotted name is of a method of a class of the package."""
    return path.removeprefix(f"{package.__name__}.").count(".") > 0


def public_methods(cls: type) -> list[str]:
    """Return the public methods that a class has from this package, not from a foreign base."""
    own = [base for base in cls.__mro__ if base.__module__.startswith("sklearn_din")]
    names = {name for base in own for name, value in vars(base).items() if inspect.isroutine(value)}
    return sorted(name for name in names if not name.startswith("_") and not is_request_method(name))


def is_request_method(name: str) -> bool:
    """Whether scikit-learn's metadata routing wrote the method."""
    return name.startswith("set_") and name.endswith("_request")


def run(code: str) -> str:
    """Return what the code prints in a new process."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
