"""Where the links in an estimator's HTML lead."""

import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sklearn.pipeline import make_pipeline

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor
from sklearn_din.utils import _doc_links

ROOT = Path(__file__).parents[2]


class Links(HTMLParser):
    """The addresses that an HTML text links to."""

    def __init__(self, html):
        super().__init__()
        self.found = set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.found.add(dict(attributes).get("href", "").partition("#")[0])


@pytest.mark.parametrize("cls", [BehaviorEncoder, DINClassifier, DINRegressor])
def test_html_links_to_the_page_of_the_estimator(cls):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    page = f"{project['urls']['Documentation']}generated/sklearn_din.{cls.__name__}.html"
    assert page in Links(cls()._repr_html_()).found
    assert page in Links(make_pipeline("passthrough", cls())._repr_html_()).found


def test_the_page_is_one_that_the_documentation_has():
    listed = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8").split()

    assert {"BehaviorEncoder", "DINClassifier", "DINRegressor"} <= set(listed)
    assert ":toctree: generated/" in (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")


def test_the_address_is_that_of_the_documentation(monkeypatch):
    class Two:
        def get_all(self, name):
            return ["Source, https://source.invalid/", "Documentation, https://pages.invalid/stable"]

    monkeypatch.setattr(_doc_links, "metadata", lambda name: Two())
    _doc_links.documentation_address.cache_clear()
    try:
        assert _doc_links.documentation_address() == "https://pages.invalid/stable/"
    finally:
        _doc_links.documentation_address.cache_clear()


def test_without_an_address_there_is_no_link(monkeypatch):
    class Nothing:
        def get_all(self, name):
            return None

    monkeypatch.setattr(_doc_links, "metadata", lambda name: Nothing())
    _doc_links.documentation_address.cache_clear()
    try:
        assert DINClassifier()._get_doc_link() == ""
    finally:
        _doc_links.documentation_address.cache_clear()
