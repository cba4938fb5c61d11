"""Exceptions of the library; all else is in ``sklearn.exceptions``."""

__all__ = ["ModelFileError"]


class ModelFileError(ValueError):
    """A file holds no model that can be loaded: it is damaged, of another format, or makes no sense.

    Examples
    --------
    >>> from sklearn_din.exceptions import ModelFileError
    >>> from sklearn_din.persistence import load_model
    >>> try:
    ...     load_model("README.md")
    ... except ModelFileError as error:
    ...     print(error)
    README.md is not a model file of sklearn_din, or damaged. Give a file that save_model wrote.
    """
