"""Fitted models as files that run no code when they are loaded."""

from sklearn_din.persistence._model_file import load_model, save_model

__all__ = ["load_model", "save_model"]
