"""How Sphinx builds the documentation: no network, every warning an error."""

import re
import subprocess
import sys
from pathlib import Path

import sklearn_din

DOCS = Path(__file__).parent

project = "sklearn_din"
author = copyright = "sklearn_din developers"
version = release = sklearn_din.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
]
exclude_patterns = ["_build", "changes/*", "generated/unreleased.rst"]
templates_path = ["_templates"]

autodoc_typehints = "none"  # the docstrings say the types, with shapes
autosummary_generate = True
numpydoc_show_class_members = False  # the template lists them
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = f"sklearn_din {release}"
html_show_sourcelink = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}
html_sidebars = {"index": [], "quick_start": [], "figures": [], "developing": [], "changes": []}


def setup(app):
    write_unreleased_changes()
    app.connect("autodoc-skip-member", skip_request_methods)
    app.connect("autodoc-process-docstring", escape_trailing_underscores, priority=600)  # after numpydoc


def write_unreleased_changes():
    """Gather the change notes of the next version into a page that ``changes.rst`` includes."""
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", release, "--date", "not released"]
    text = subprocess.run(command, cwd=DOCS.parent, check=True, capture_output=True, text=True).stdout
    page = DOCS / "generated" / "unreleased.rst"
    page.parent.mkdir(exist_ok=True)
    page.write_text(text, encoding="utf-8")


def skip_request_methods(app, what, name, value, skip, options):
    """Leave out the methods that scikit-learn's metadata routing writes; its own pages describe them."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def escape_trailing_underscores(app, what, name, value, options, lines):
    """Keep a name such as ``n_features_in_`` in the type of a parameter from being read as a link."""
    for i, line in enumerate(lines):
        term, colon, kind = line.partition("** : ")
        lines[i] = term + colon + re.sub(r"(?<=\w)_(?!\w)", r"\_", kind)
