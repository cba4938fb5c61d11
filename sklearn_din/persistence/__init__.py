"""Fitted models as files that run no code when they are loaded."""

from sklearn_din.persistence._model_file import load_model, save_model
from sklearn_din.persistence._onnx._export import export_onnx

__all__ = ["export_onnx", "load_model", "save_model"]
