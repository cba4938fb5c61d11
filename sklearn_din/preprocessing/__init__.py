"""From frames with list columns to encoded tables, and from event logs to such frames."""

from sklearn_din.layout import FeatureLayout
from sklearn_din.preprocessing._behavior_encoder import BehaviorEncoder
from sklearn_din.preprocessing._histories import build_histories
from sklearn_din.preprocessing._negatives import sample_negatives
from sklearn_din.preprocessing._table import EncodedTable

__all__ = ["BehaviorEncoder", "EncodedTable", "FeatureLayout", "build_histories", "sample_negatives"]
