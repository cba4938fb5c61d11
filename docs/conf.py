"""How Sphinx builds the documentation: no network, every warning an error."""

import os
import re
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx_gallery.sorting import FunctionSortKey

import sklearn_din

# For the examples, before torch is imported: on a busy machine threads that wait for each other take many times longer.
os.environ.setdefault("OMP_NUM_THREADS", "1")

DOCS = Path(__file__).parent

project = "sklearn_din"
author = copyright = "sklearn_din developers"
version = release = sklearn_din.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "changes/*", "generated/unreleased.rst"]
templates_path = ["_templates"]

autodoc_typehints = "none"  # the docstrings say the types, with shapes
autosummary_generate = True
numpydoc_show_class_members = False  # the template lists them
toc_object_entries_show_parents = "hide"

EXAMPLES = [  # in the order of the questions of a newcomer
    "plot_quick_start.py",
    "plot_click_log.py",
    "plot_attention.py",
    "plot_gradient_boosting.py",
    "plot_gauc.py",
    "plot_calibration.py",
    "plot_training_curve.py",
    "plot_grid_search.py",
    "plot_unknown_items.py",
    "plot_ratings.py",
    "plot_neighbours.py",
]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": FunctionSortKey(EXAMPLES.index, "in the order of EXAMPLES"),
    "plot_gallery": True,
    "abort_on_example_error": True,
    "parallel": False,  # the examples would share the cores, and each take longer
    "image_scrapers": ("matplotlib",),
    "reset_modules": ("matplotlib",),
    "remove_config_comments": True,
    "doc_module": ("sklearn_din",),
    "reference_url": {"sklearn_din": None},  # names in the code link to their pages
    "backreferences_dir": "generated/backreferences",
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1,  # second
    "write_computation_times": False,
    "download_all_examples": False,
}

html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme = "pydata_sphinx_theme"
html_title = f"sklearn_din {release}"
html_show_sourcelink = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    # Lines of code need the width more than a short page needs a list of its headings.
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        **{f"auto_examples/{Path(name).stem}": [] for name in EXAMPLES},
    },
    "show_prev_next": False,
}
# Pages without pages below them need no list of these.
WITHOUT_SIDEBAR = [
    "index",
    "install",
    "quick_start",
    "glossary",
    "figures",
    "speed",
    "reliability",
    "developing",
    "changes",
]
html_sidebars = {page: [] for page in WITHOUT_SIDEBAR}


def setup(app):
    write_unreleased_changes()
    app.add_html_math_renderer("mathml", (write_inline_math, None), (write_math, None))
    app.connect("autodoc-skip-member", skip_request_methods)
    app.connect("autodoc-process-docstring", escape_trailing_underscores, priority=600)  # after numpydoc


def write_unreleased_changes():
    """Gather the change notes of the next version into a page that ``changes.rst`` includes."""
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", release, "--date", "not released"]
    text = subprocess.run(command, cwd=DOCS.parent, check=True, capture_output=True, text=True).stdout
    page = DOCS / "generated" / "unreleased.rst"
    page.parent.mkdir(exist_ok=True)
    page.write_text(text, encoding="utf-8")


def write_inline_math(writer, node):
    """Write an equation as MathML, which browsers draw by themselves: no script, and no network."""
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def write_math(writer, node):
    """Write an equation on lines of its own; ``&`` aligns them, as in the directive ``math``."""
    text = node.astext().strip()
    if "&" in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    writer.body.append(f'<div class="math">{tex2mathml(text, as_block=True)}</div>')
    raise nodes.SkipNode


def skip_request_methods(app, what, name, value, skip, options):
    """Leave out the methods that scikit-learn's metadata routing writes; its own pages describe them."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def escape_trailing_underscores(app, what, name, value, options, lines):
    """Keep a name such as ``n_features_in_`` in the type of a parameter from being read as a link."""
    for i, line in enumerate(lines):
        term, colon, kind = line.partition("** : ")
        lines[i] = term + colon + re.sub(r"(?<=\w)_(?!\w)", r"\_", kind)
