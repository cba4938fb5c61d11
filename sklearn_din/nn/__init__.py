"""The network in plain PyTorch: histories are flat values with offsets, never padded."""

from sklearn_din.nn._activations import Dice
from sklearn_din.nn._attention import ActivationUnit, AttentionPooling
from sklearn_din.nn._din import DIN
from sklearn_din.nn._embedding import FeatureEmbedding
from sklearn_din.nn._mlp import MLP

__all__ = ["DIN", "MLP", "ActivationUnit", "AttentionPooling", "Dice", "FeatureEmbedding"]
