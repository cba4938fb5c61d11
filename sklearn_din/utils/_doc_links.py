"""Links from an estimator's HTML to its page of the documentation."""

from functools import cache
from importlib.metadata import PackageNotFoundError, metadata


class DocLinkMixin:
    """Mixin of an estimator that is public as ``sklearn_din.NAME``; scikit-learn's HTML reads these attributes."""

    _doc_link_module = "sklearn_din"

    @property
    def _doc_link_template(self) -> str:
        address = documentation_address()
        return f"{address}generated/sklearn_din.{{estimator_name}}.html" if address else ""


@cache
def documentation_address() -> str:
    """Return where the documentation is: the project URL "Documentation" of ``pyproject.toml``.

    Returns
    -------
    str
        Ends with a slash; empty where the package is not installed, or has no such URL.
    """
    try:
        urls = metadata("sklearn-din").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    addresses = [
        address.strip() for label, _, address in (url.partition(",") for url in urls) if label == "Documentation"
    ]
    return addresses[0].rstrip("/") + "/" if addresses else ""
