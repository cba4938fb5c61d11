"""Why a model scores as it does: takes a fitted pipeline, or an estimator and an encoded table."""

from sklearn_din.inspection._attention import attention_weights
from sklearn_din.inspection._attention_display import AttentionDisplay
from sklearn_din.inspection._embeddings import embedding_vectors
from sklearn_din.inspection._permutation import grouped_permutation_importance
from sklearn_din.inspection._training_display import TrainingCurveDisplay

__all__ = [
    "AttentionDisplay",
    "TrainingCurveDisplay",
    "attention_weights",
    "embedding_vectors",
    "grouped_permutation_importance",
]
