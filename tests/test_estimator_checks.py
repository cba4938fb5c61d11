"""scikit-learn's own checks."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_din import BehaviorEncoder, DINClassifier, DINRegressor

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "Mini-batches are drawn by row: a repeated row and a weight of 2 give other batches. "
        "tests/estimators/test_weights.py proves the equivalence for full batches."
    ),
}


@parametrize_with_checks(
    [BehaviorEncoder(), DINClassifier(random_state=0), DINRegressor(random_state=0)],
    expected_failed_checks=lambda estimator: {} if isinstance(estimator, BehaviorEncoder) else EXPECTED_FAILURES,
    xfail_strict=True,
)
def test_scikit_learn_check(estimator, check):
    check(estimator)
