"""A fitted pipeline as an ONNX graph: one module for each part of the way from raw columns to the prediction."""
