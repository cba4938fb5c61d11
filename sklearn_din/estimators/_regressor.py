"""DINRegressor: ratings, and any other number that depends on candidate and behaviors."""

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils.validation import check_array, column_or_1d

from sklearn_din.estimators._base import BaseDIN, check_prediction
from sklearn_din.estimators._summaries import NumberMoments
from sklearn_din.estimators._weights import as_shares
from sklearn_din.training import SquaredError
from sklearn_din.utils._fit_tasks import with_callbacks
from sklearn_din.utils._pieces import shown

SMALLEST_SCALE = 10 * np.finfo(np.float64).eps  # of the standard deviation, as a share of the mean: less is rounding
LARGEST_TARGET = 1e15  # in standard deviations: sums of squares fit in float32
SMALLEST_PART = 30  # rows from which a mean tells in which units they are
LARGEST_CHANGE = 10.0  # of the target in a warm start: of its standard deviation, and of its mean in such ones


class DINRegressor(RegressorMixin, BaseDIN):
    """Deep Interest Network for regression.

    Predicts a number, a rating for example, for each candidate: it attends to those of the user's past behaviors that
    matter to the candidate, as ``DINClassifier`` does, and minimises the squared error. Give it the output of a
    ``BehaviorEncoder``, in a ``Pipeline``. Plain numbers train the paper's base model, which has no behaviors; scale
    them first. The target is standardised inside: its unit and scale don't matter.

    Parameters
    ----------
    embedding_dim : int or dict of str to int, default=16
        Width of the embedding vectors: one for all, or one for each vocabulary, by the name of its candidate column,
        categorical column, bag or behavior-only column.
    attention_hidden_layer_sizes : array-like of int, default=(80, 40)
        Hidden layers of the activation unit.
    attention_activation : {"dice", "prelu", "relu", "sigmoid", "tanh"}, default="dice"
        Their activation function.
    attention_normalization : {"softmax", "sigmoid"} or None, default="softmax"
        What is applied to the scores of a history. None is the paper's text: the sum of the weights then tells the
        intensity of interest; pair it with ``batch_norm``.
    attention_interaction : {"difference_product", "outer", "concatenation"}, default="difference_product"
        What the activation unit sees beside candidate ``a`` and behavior ``e``: ``a - e`` and ``a * e`` (released
        code), all products of their components (paper, section 4.3), or nothing.
    hidden_layer_sizes : array-like of int, default=(200, 80)
        Hidden layers of the final network.
    activation : {"dice", "prelu", "relu", "sigmoid", "tanh"}, default="dice"
        Their activation function.
    interest_product : bool, default=True
        Whether the final network also sees the product of candidate and attended behaviors (released code).
    dropout : float, default=0.1
        Share of the final network's hidden units that are dropped in training, in [0, 1).
    attention_dropout : float, default=0.0
        The same of the activation unit.
    batch_norm : bool, default=False
        Whether to normalise each hidden layer of the final network over the mini-batch.
    candidate_bias : bool, default=False
        Whether each value of each candidate column has a bias of its own beside its embedding (released code). It is
        not regularized.
    pooling : {"attention", "mean", "sum"}, default="attention"
        How behaviors become one vector; mean and sum are the base models.
    recency_embedding : bool, default=True
        Whether behaviors have an embedding of their distance from the newest.
    match_counts : bool, default=True
        Whether the final network also sees how often the candidate's own values occur in the history (for each shared
        column, log(1 + count)): a softmax forgets it.
    unknown_rate : float, default=0.05
        Share of the ids that training replaces by unknown, so that the vector of unknown is learnt, in [0, 1).
    behavior_dropout : float, default=0.8
        Greatest share of its past behaviors that a row loses in training, each time others: a share between 0 and this,
        in [0, 1), but never the only one left. Against learning histories by heart; makes training on long ones faster.
        What is left counts as a shorter history, but matches are counted before. Where one behavior decides and
        ``match_counts`` cannot show it, predictions come nearer to the mean: take less then.
    optimizer : {"adam", "adamw", "sgd", "adagrad"}, default="adam"
        Which one.
    learning_rate : float, default=6e-3
        At the first step.
    learning_rate_schedule : {"linear", "plateau", "constant"}, default="linear"
        Falls linearly to 0 over ``max_epochs``; is multiplied by 0.1 (and training returns to the best weights) at each
        evaluation without gain; stays.
    max_epochs : int or "auto", default="auto"
        Passes over the training rows at most. "auto": 14 from some 86,000 rows on, up to 20 below, and more where it
        takes them to make 600 steps.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto": the largest power of two between 32 and 1,024 with 64 steps per epoch or more, and some
        16,000 behaviors per step or fewer.
    clip_norm : float or None, default=5.0
        Largest norm of the gradient.
    embedding_regularization : {"minibatch_aware", "l2"} or None, default="minibatch_aware"
        Penalty of the embeddings: of the ids in the batch (dropped behaviors too), each divided by the number of
        training rows it occurs in (paper, section 5.1), or of all.
    embedding_alpha : float, default=3.0
        Its strength, the paper's lambda. The paper's 0.01 was for 2 * 10**9 rows; with 10**5 it does nothing. For "l2",
        which takes a full step on every vector at every step, 1e-4 to 1e-3 are enough.
    alpha : float, default=0.0
        L2 penalty of the other weight matrices.
    sparse_embeddings : bool or "auto", default="auto"
        Whether a step updates only those rows of an embedding table that its batch holds, so that its time does not
        grow with the number of ids. For "adam" and "adamw" the momentum of a row then decays with the batches that hold
        it; for "sgd" and "adagrad" the result is the same. "auto": tables of at least 250,000 ids, unless
        ``embedding_regularization`` is "l2". A callback then finds a sparse tensor as their gradient, which skorch's
        ``GradientNormClipping`` can't read; ``clip_norm`` can.
    embedding_init_std : float, default=0.01
        Standard deviation of the initial embeddings.
    early_stopping : bool, default=True
        Whether to hold out ``validation_fraction`` of the rows (unless ``fit`` is given ``X_val``), to stop when the
        score on them no longer improves. The best weights are restored whenever there are such rows.
    validation_fraction : float, default=0.1
        Share of the rows, at random. With fewer than ``1 / validation_fraction`` rows none are held out.
    n_iter_no_change : int, default=2
        Evaluations without gain after which training stops. Where ``max_epochs="auto"`` trains more than 6 epochs, it
        grows in proportion.
    scoring : str or callable, default="loss"
        Score on the held-out rows: "loss" (weighted as the training rows are), a scorer's name, or a scorer, which gets
        ``sample_weight`` if it takes weights.
    evaluations_per_epoch : int, default=1
        Evaluations in each epoch.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last fit, if the encoding is the same. The target must then be
        of the same scale.
    callbacks : list of skorch callbacks or None, default=None
        Called in training, with the net.
    device : str, default="auto"
        "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1", ...
    mixed_precision : bool, default=False
        Whether training multiplies matrices in bfloat16, with about three digits, for which GPUs have faster units than
        for float32; processors are slower with it. Weights, statistics, softmax and loss stay in float32, and so do
        predictions. Numbers must be scaled.
    n_threads : int or None, default=None
        Threads of torch in ``fit`` and predictions; None leaves their number as it is.
    random_state : int, RandomState instance or None, default=None
        An int makes ``fit`` reproducible. None draws from the operating system, not from numpy's global generator.
    verbose : bool or int, default=0
        Whether to show the epoch, the losses, the score and the time left: as a bar in a terminal or a notebook, if
        tqdm is installed (extra ``progress``), as a line per evaluation elsewhere.

    Attributes
    ----------
    n_features_in_ : int
        Columns of the input (of the padded matrix of an ``EncodedTable``).
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where the input has names.
    layout_ : FeatureLayout
        Columns of the input, by kind.
    net_ : skorch.NeuralNet
        The trained net.
    module_ : sklearn_din.nn.DIN
        Its torch module.
    history_ : list of dict
        One per evaluation: epoch, train_loss (squared error of the standardised target: 1 is what the mean gets),
        learning_rate, seconds since the start, and, where rows are held out, valid_loss and valid_score.
    n_epochs_ : int
        Epochs trained; calls of ``partial_fit`` count as one each.
    best_epoch_ : int
        The epoch whose weights were kept, from 1. Where nothing is held out it is the last one (with the schedule
        "plateau" that of the lowest training loss).
    best_score_ : float or None
        The score then: greater is better, the negative loss for ``scoring="loss"``; None where nothing is held out.
    score_name_ : str
        What the score is: ``scoring`` as it was in ``fit``, or "score" for a scorer without a name.
    device_ : torch.device
        Where the net is.

    See Also
    --------
    DINClassifier : For classes; its ``predict_proba`` also ranks.
    sklearn_din.BehaviorEncoder : Makes ids of the columns of a frame.
    sklearn_din.inspection.attention_weights : Which behaviors mattered.

    Notes
    -----
    An unknown id has a vector of its own; an empty history gives a zero interest vector. The statistics of Dice and
    batch normalization see rows, whatever their weight (but a weight of 0 is an absent row). A step updates whole
    embedding tables, so that its time grows with the number of ids, unless ``sparse_embeddings`` says otherwise.

    One row is enough; a last batch of a single row joins the one before it. Constant columns, ids that are all unknown
    and histories that are all empty train a finite model, which then knows no more than the mean. Training that
    diverges ends with the weights of the best finite evaluation and a ``ConvergenceWarning``, or raises where there is
    none. An error or Ctrl-C leaves the estimator unfitted (with ``warm_start`` as it was). joblib's
    backend "multiprocessing" forks, after which torch may hang, and is warned about: use "loky".

    References
    ----------
    Zhou et al., *Deep Interest Network for Click-Through Rate Prediction*, KDD 2018, arXiv 1706.06978.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_din import BehaviorEncoder, DINRegressor
    >>> from sklearn_din.datasets import make_clicks
    >>> X, clicked = make_clicks(500, random_state=0)
    >>> stars = 1.0 + 4.0 * clicked
    >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    >>> model = make_pipeline(encoder, DINRegressor(max_epochs=2, random_state=0)).fit(X, stars)
    >>> model.predict(X).shape
    (500,)
    """

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train on rows and their targets.

        Parameters
        ----------
        X : EncodedTable, or array-like of shape (n_samples, n_features)
            Rows encoded by a ``BehaviorEncoder``, or plain numbers.
        y : array-like of shape (n_samples,)
            Numbers of any unit and scale; with ``warm_start`` those of the first fit.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, 0 or greater; only their proportions count.
        X_val, y_val : like X and y, optional
            Rows for early stopping; nothing is then held out from ``X``.
        sample_weight_val : array-like of shape (n_val,), optional
            Weights of those rows.

        Returns
        -------
        self : DINRegressor
            Fitted.

        Raises
        ------
        ValueError
            If a value is not finite, or training diverged in its first evaluation.
        TypeError
            If ``X`` is a frame that was not encoded.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, sample_weight=None):
        """Train one pass over rows, going on from what was learnt before.

        The learning rate is ``learning_rate`` throughout, and no rows are held out: ``learning_rate_schedule``,
        ``max_epochs``, ``early_stopping`` and what belongs to it are for ``fit``, and so are scikit-learn's callbacks.
        Those of skorch are called; a schedule of theirs begins anew in each call.
        The first rows, of this method or of ``fit``, give the mean and the scale by which the target is standardised:
        let them be hundreds, and like those to come.

        The moments of the optimizer go on from call to call, and so do the counts of the mini-batch aware
        regularization, from ``fit`` on; both begin anew in a model that was pickled or loaded. The counts take each row
        for a new one, so that passes over the same rows weaken the regularization.

        A call trains a copy of the network: others may predict meanwhile, and an error, a divergence or Ctrl-C leaves
        the model as it was. The copy costs time and memory in proportion to the number of ids; give a call thousands of
        rows rather than ten.

        Parameters
        ----------
        X : EncodedTable, or array-like of shape (n_samples, n_features)
            Rows, all encoded by one fitted ``BehaviorEncoder``; what that has not seen is unknown.
        y : array-like of shape (n_samples,)
            Numbers, in the units of the first call.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, 0 or greater; only their proportions within this call count.

        Returns
        -------
        self : DINRegressor
            Trained further; ``n_epochs_`` counts the calls.

        Raises
        ------
        ValueError
            If a value is not finite, training diverged, all targets of the first call are equal, or those of a later
            one (of 30 rows or more) are of another scale: their standard deviation, or the distance of their mean from
            that of the first call, is more than ten standard deviations of the first.
        TypeError
            If ``X`` is a frame that was not encoded.
        """
        return self._partial_fit(X, y, sample_weight, self._learn_part)

    def predict(self, X):
        """Return the prediction for each row.

        Parameters
        ----------
        X : EncodedTable, or array-like of shape (n_samples, n_features)
            Encoded by the encoder of ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            In the units of ``y``.

        Raises
        ------
        TypeError, ValueError
            If ``X`` was not encoded as in ``fit``, or a prediction is not finite: numbers too large for the network.
        """
        with np.errstate(over="ignore"):
            return check_prediction(self._raw_output(X) * self._scale + self._mean)

    def _validate_target(self, y, name):
        y = column_or_1d(y, warn=True)
        if y.dtype.kind in "mM":
            msg = f"{name} must hold numbers: it holds {y.dtype}. Say what is to be predicted, in days for example."
            raise TypeError(msg)
        return check_array(y, ensure_2d=False, dtype=np.float64, input_name=name)

    def _learn_target(self, y, sample_weight, *, is_first):
        mean, spread = _mean_and_spread(y, sample_weight)
        scale = spread or max(SMALLEST_SCALE * abs(mean), 1.0)  # of a constant target
        if is_first:
            self._mean, self._scale = mean, scale
        else:  # the network of the last fit predicts in its units
            advice = "warm_start=True goes on in the units of that fit: set it to False"
            self._check_same_units(mean, scale, 1 / LARGEST_CHANGE, advice)

    def _learn_part(self, y, sample_weight, *, is_first):
        """Do as ``_learn_target``, of a part of the rows, which may be alike where it is not the first."""
        mean, spread = _mean_and_spread(y, sample_weight)
        if not is_first:
            if len(y) >= SMALLEST_PART:
                advice = "partial_fit goes on in the units of its first rows: call fit"
                self._check_same_units(mean, spread, -1.0, advice)
            return
        if not spread:
            msg = (
                f"y has only one value, {shown(y[0])}, in the first call of partial_fit, which learns the scale of the "
                "target. Begin with more rows, of different targets."
            )
            raise ValueError(msg)
        self._mean, self._scale = mean, spread

    def _check_same_units(self, mean, scale, smallest, advice):
        """Raise where the target is of another scale; ``smallest`` is the smallest ratio that is not."""
        ratio = scale / self._scale
        if not smallest < ratio < LARGEST_CHANGE or abs(mean - self._mean) > LARGEST_CHANGE * self._scale:
            msg = (
                f"y is of another scale than in the last fit: its mean was {self._mean:g} with a standard deviation of "
                f"{self._scale:g}, and is {mean:g} with {scale:g}. {advice}, or give y in those units."
            )
            raise ValueError(msg)

    def _start_summary(self):
        return NumberMoments()

    def _encode_target(self, y, positions, name):
        with np.errstate(over="ignore"):
            encoded = (y - self._mean) / self._scale
        far = positions[np.abs(encoded[positions]) > LARGEST_TARGET]
        if far.size:
            msg = (
                f"{name} has a value that is too far from the others: row {far[0]} has {shown(y[far[0]])}, while the "
                f"mean of y is {self._mean:g} with a standard deviation of {self._scale:g}. Correct it or leave it out."
            )
            raise ValueError(msg)
        return encoded.clip(-LARGEST_TARGET, LARGEST_TARGET).astype(np.float32)  # absent rows may lie anywhere

    def _prior(self, examples, *, is_part):
        return np.zeros(1)

    def _make_criterion(self):
        return SquaredError()

    @property
    def _n_outputs(self):
        return 1


def _mean_and_spread(y, sample_weight):
    """Return mean and standard deviation of the rows that have a weight; 0 where they differ by rounding only."""
    weight = None
    if sample_weight is not None:
        is_there = sample_weight > 0
        y, weight = y[is_there], as_shares(sample_weight[is_there])
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.average(y, weights=weight))
        spread = float(np.sqrt(np.average((y - mean) ** 2, weights=weight)))
    if not np.isfinite([mean, spread]).all():
        msg = (
            f"y is too large to be standardised: its values go from {y.min():g} to {y.max():g}. "
            "Give it in a smaller unit."
        )
        raise ValueError(msg)
    return mean, spread if spread > SMALLEST_SCALE * abs(mean) else 0.0
