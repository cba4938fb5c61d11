"""Why a model scores as it does: takes a fitted pipeline, or an estimator and an encoded table."""

from sklearn_din.inspection._attention import attention_weights

__all__ = ["attention_weights"]
