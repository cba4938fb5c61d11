"""How much better than chance one area under the ROC curve is, relative to another (RelaImpr)."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

from sklearn.utils._param_validation import Interval, validate_parameter_constraints

_CONSTRAINTS: Mapping[str, list[Any]] = {
    "score": [Interval(Real, 0, 1, closed="both")],
    "base": [Interval(Real, 0, 1, closed="both")],
}


def relative_improvement(score: float, base: float) -> float:
    """Compare how far two areas under the ROC curve are above chance.

    Parameters
    ----------
    score : float
        AUC or GAUC of the model, between 0 and 1.
    base : float
        The same of the model it is compared with, between 0 and 1, other than 0.5.

    Returns
    -------
    float
        ``(score - 0.5) / (base - 0.5) - 1``, a fraction: 0.1 is 10 % better than the base.

    Raises
    ------
    ValueError
        If a value is outside of 0 to 1 or NaN, or ``base`` is 0.5.

    References
    ----------
    .. [1] Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018, section 6.3,
       equation 11 (RelaImpr). https://arxiv.org/abs/1706.06978v4

    Examples
    --------
    >>> from sklearn_din.metrics import relative_improvement
    >>> round(relative_improvement(0.75, 0.70), 3)
    0.25
    """
    validate_parameter_constraints(_CONSTRAINTS, {"score": score, "base": base}, caller_name="relative_improvement")
    if base == 0.5:
        msg = (
            f"The improvement over a base at chance is undefined: base is {base}. "
            "Compare with a base that is better than chance, or look at the difference of the two."
        )
        raise ValueError(msg)
    return float((score - 0.5) / (base - 0.5) - 1)
