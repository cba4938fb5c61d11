"""The figures of predictions: ranking, calibration and errors, and how far chance may carry them."""

import numpy as np
from sklearn.metrics import log_loss, mean_absolute_error, r2_score, roc_auc_score, root_mean_squared_error

from sklearn_din.metrics import gauc_score

CLASSIFICATION_FIGURES = ("AUC", "GAUC", "log loss", "calibration")
REGRESSION_FIGURES = ("RMSE", "MAE", "R2")


def classification_figures(y, score, user, *, is_probability):
    """Score predictions of a class.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels, 0 or 1.
    score : ndarray of shape (n_samples,)
        Greater for the positive class.
    user : ndarray of shape (n_samples,)
        The user of each row, for GAUC.
    is_probability : bool
        Whether the scores are probabilities; if not, log loss and calibration error are NaN.

    Returns
    -------
    tuple of float
        In the order of ``CLASSIFICATION_FIGURES``: AUC and GAUC are fractions, log loss is in nats.
    """
    ranking = roc_auc_score(y, score), gauc_score(y, score, groups=user)
    if not is_probability:
        return *ranking, np.nan, np.nan
    return *ranking, log_loss(y, score), calibration_error(y, score)


def regression_figures(y, prediction):
    """Score predictions of a number.

    Parameters
    ----------
    y, prediction : ndarray of shape (n_samples,)
        The number and what was predicted.

    Returns
    -------
    tuple of float
        In the order of ``REGRESSION_FIGURES``; the errors are in units of the target.
    """
    return root_mean_squared_error(y, prediction), mean_absolute_error(y, prediction), r2_score(y, prediction)


def calibration_error(y, probability, n_bins=15):
    """Return the expected calibration error.

    The rows, sorted by probability, are cut into bins of equally many rows (give or take one). In each bin the mean
    probability is compared with the share of positive rows; the result is the mean absolute difference over the rows.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels, 0 or 1.
    probability : ndarray of shape (n_samples,)
        Predicted probabilities of 1.
    n_bins : int, default=15
        Number of bins.

    Returns
    -------
    float
        A fraction between 0 and 1. It is not 0 for perfect probabilities either: chance alone makes about
        ``0.8 * sqrt(p * (1 - p) * n_bins / n_samples)``, p being the share of positive rows of a bin.
    """
    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, n_bins)
    return sum(abs(y[rows].sum() - probability[rows].sum()) for rows in bins) / len(y)


def standard_error(auc, y):
    """Return the standard error of an AUC that comes from the sampling of the rows.

    Parameters
    ----------
    auc : float
        The area.
    y : ndarray of shape (n_samples,)
        Labels, 0 or 1.

    Returns
    -------
    float
        A fraction. Models that differ by less than twice that can hardly be told apart, though two models on the same
        rows differ by less than two samples of rows.

    References
    ----------
    Hanley and McNeil, *The meaning and use of the area under a receiver operating characteristic (ROC) curve*,
    Radiology 143, 1982.
    """
    n_positive, n_negative = int(np.sum(y)), int(len(y) - np.sum(y))
    one, other = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (n_positive - 1) * (one - auc**2) + (n_negative - 1) * (other - auc**2)
    return float(np.sqrt(variance / (n_positive * n_negative)))
