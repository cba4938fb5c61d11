"""DINClassifier: click prediction, and any other classification with behaviors."""

from functools import partial
from numbers import Number
from typing import ClassVar

import numpy as np
import torch
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d

from sklearn_din.estimators._base import BaseDIN
from sklearn_din.estimators._summaries import LabelCounts
from sklearn_din.estimators._weights import as_shares
from sklearn_din.training import BinaryLogLoss, MulticlassLogLoss
from sklearn_din.utils._fit_tasks import with_callbacks
from sklearn_din.utils._pieces import shown

SMALLEST_SHARE = 1e-6  # of a class, so that its prior logit is finite


class DINClassifier(ClassifierMixin, BaseDIN):
    """Deep Interest Network for classification.

    Attends, for each candidate, to those of the user's past behaviors that matter to it, and feeds the attended
    behaviors, the candidate and the other features to a multilayer perceptron. Give it the output of a
    ``BehaviorEncoder``, in a ``Pipeline``. Plain numbers train the paper's base model, which has no behaviors; scale
    them first.

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
        ``match_counts`` cannot show it, probabilities come nearer to the mean: take less then, or calibrate.
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
        Share of the rows, each class in proportion. With fewer than ``1 / validation_fraction`` rows none are held out.
    n_iter_no_change : int, default=2
        Evaluations without gain after which training stops. Where ``max_epochs="auto"`` trains more than 6 epochs, it
        grows in proportion.
    scoring : str or callable, default="loss"
        Score on the held-out rows: "loss" (weighted as the training rows are), a scorer's name, or a scorer, which gets
        ``sample_weight`` if it takes weights.
    evaluations_per_epoch : int, default=1
        Evaluations in each epoch.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, as in scikit-learn.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last fit, if the encoding is the same.
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
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
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
        One per evaluation: epoch, train_loss (nats per row), learning_rate, seconds since the start, and, where rows
        are held out, valid_loss and valid_score.
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
    sklearn_din.BehaviorEncoder : Makes ids of the columns of a frame.
    sklearn_din.inspection.attention_weights : Which behaviors mattered.

    Notes
    -----
    An unknown id has a vector of its own; an empty history gives a zero interest vector. The statistics of Dice and
    batch normalization see rows, whatever their weight (but a weight of 0 is an absent row). A step updates whole
    embedding tables, so that its time grows with the number of ids, unless ``sparse_embeddings`` says otherwise.

    Two rows are enough, one of each class; a last batch of a single row joins the one before it. Constant columns, ids
    that are all unknown and histories that are all empty train a finite model, which then knows no more than the mean.
    Training that diverges ends with the weights of the best finite evaluation and a ``ConvergenceWarning``, or raises
    where there is none. An error or Ctrl-C leaves the estimator unfitted (with ``warm_start`` as it was). joblib's
    backend "multiprocessing" forks, after which torch may hang, and is warned about: use "loky".

    References
    ----------
    Zhou et al., *Deep Interest Network for Click-Through Rate Prediction*, KDD 2018, arXiv 1706.06978.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> X, y = make_clicks(500, random_state=0)
    >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    >>> model = make_pipeline(encoder, DINClassifier(max_epochs=2, random_state=0)).fit(X, y)
    >>> model.predict_proba(X).shape
    (500, 2)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseDIN._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    classes_: np.ndarray

    def __init__(
        self,
        *,
        embedding_dim=16,
        attention_hidden_layer_sizes=(80, 40),
        attention_activation="dice",
        attention_normalization="softmax",
        attention_interaction="difference_product",
        hidden_layer_sizes=(200, 80),
        activation="dice",
        interest_product=True,
        dropout=0.1,
        attention_dropout=0.0,
        batch_norm=False,
        candidate_bias=False,
        pooling="attention",
        recency_embedding=True,
        match_counts=True,
        unknown_rate=0.05,
        behavior_dropout=0.8,
        optimizer="adam",
        learning_rate=6e-3,
        learning_rate_schedule="linear",
        max_epochs="auto",
        batch_size="auto",
        clip_norm=5.0,
        embedding_regularization="minibatch_aware",
        embedding_alpha=3.0,
        alpha=0.0,
        sparse_embeddings="auto",
        embedding_init_std=0.01,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=2,
        scoring="loss",
        evaluations_per_epoch=1,
        class_weight=None,
        warm_start=False,
        callbacks=None,
        device="auto",
        mixed_precision=False,
        n_threads=None,
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            embedding_dim=embedding_dim,
            attention_hidden_layer_sizes=attention_hidden_layer_sizes,
            attention_activation=attention_activation,
            attention_normalization=attention_normalization,
            attention_interaction=attention_interaction,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            interest_product=interest_product,
            dropout=dropout,
            attention_dropout=attention_dropout,
            batch_norm=batch_norm,
            candidate_bias=candidate_bias,
            pooling=pooling,
            recency_embedding=recency_embedding,
            match_counts=match_counts,
            unknown_rate=unknown_rate,
            behavior_dropout=behavior_dropout,
            optimizer=optimizer,
            learning_rate=learning_rate,
            learning_rate_schedule=learning_rate_schedule,
            max_epochs=max_epochs,
            batch_size=batch_size,
            clip_norm=clip_norm,
            embedding_regularization=embedding_regularization,
            embedding_alpha=embedding_alpha,
            alpha=alpha,
            sparse_embeddings=sparse_embeddings,
            embedding_init_std=embedding_init_std,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            scoring=scoring,
            evaluations_per_epoch=evaluations_per_epoch,
            warm_start=warm_start,
            callbacks=callbacks,
            device=device,
            mixed_precision=mixed_precision,
            n_threads=n_threads,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train on rows and their labels.

        Parameters
        ----------
        X : EncodedTable, or array-like of shape (n_samples, n_features)
            Rows encoded by a ``BehaviorEncoder``, or plain numbers.
        y : array-like of shape (n_samples,)
            Labels of any type, two classes or more.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, 0 or greater; only their proportions count.
        X_val, y_val : like X and y, optional
            Rows for early stopping; nothing is then held out from ``X``.
        sample_weight_val : array-like of shape (n_val,), optional
            Weights of those rows.

        Returns
        -------
        self : DINClassifier
            Fitted.

        Raises
        ------
        ValueError
            If there is only one class, a value is not finite, or training diverged in its first evaluation.
        TypeError
            If ``X`` is a frame that was not encoded.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train one pass over rows, going on from what was learnt before.

        The learning rate is ``learning_rate`` throughout, and no rows are held out: ``learning_rate_schedule``,
        ``max_epochs``, ``early_stopping`` and what belongs to it are for ``fit``, and so are scikit-learn's callbacks.
        Those of skorch are called; a schedule of theirs begins anew in each call.

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
            Labels; not every class needs to occur.
        classes : array-like of shape (n_classes,), optional
            All labels. Needed in the first call, unless ``fit`` was called before.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, 0 or greater; only their proportions within this call count. Those of ``class_weight``
            count over all calls: a dict, whose mean is 1.

        Returns
        -------
        self : DINClassifier
            Trained further; ``n_epochs_`` counts the calls.

        Raises
        ------
        ValueError
            If a label is not among the classes, ``class_weight`` is "balanced", a value is not finite, or training
            diverged.
        TypeError
            If ``X`` is a frame that was not encoded.

        Examples
        --------
        >>> from sklearn_din import BehaviorEncoder, DINClassifier
        >>> from sklearn_din.datasets import make_clicks
        >>> X, y = make_clicks(400, random_state=0)
        >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"}).fit(X)
        >>> model = DINClassifier(random_state=0)
        >>> for day in (slice(0, 200), slice(200, 400)):
        ...     model = model.partial_fit(encoder.transform(X[day]), y[day], classes=[0, 1])
        >>> model.n_epochs_
        2
        """
        return self._partial_fit(X, y, sample_weight, partial(self._learn_part, classes))

    def decision_function(self, X):
        """Return the logits.

        Parameters
        ----------
        X : EncodedTable, or array-like of shape (n_samples, n_features)
            Encoded by the encoder of ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log odds of the second class, or one value for each class.

        Raises
        ------
        TypeError, ValueError
            If ``X`` was not encoded as in ``fit``, or a prediction is not finite: numbers too large for the network.
        """
        return self._raw_output(X)

    def predict_proba(self, X):
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : EncodedTable, or array-like of shape (n_samples, n_features)
            Encoded by the encoder of ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; each row sums to 1.

        Raises
        ------
        TypeError, ValueError
            If ``X`` was not encoded as in ``fit``, or a prediction is not finite: numbers too large for the network.
        """
        raw = self.decision_function(X)
        logits = torch.from_numpy(raw if raw.ndim == 2 else np.column_stack([-raw, raw]))
        return (logits.softmax(1) if raw.ndim == 2 else logits.sigmoid()).numpy()

    def predict(self, X):
        """Return the most probable label of each row.

        Parameters
        ----------
        X : EncodedTable, or array-like of shape (n_samples, n_features)
            Encoded by the encoder of ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Of ``classes_``.

        Raises
        ------
        TypeError, ValueError
            If ``X`` was not encoded as in ``fit``, or a prediction is not finite: numbers too large for the network.
        """
        raw = self.decision_function(X)
        return self.classes_[raw.argmax(axis=1) if raw.ndim == 2 else (raw > 0).astype(int)]

    def _validate_target(self, y, name):
        y = column_or_1d(y, warn=True)
        if y.dtype == object and len({type(label) for label in y}) == 1 and isinstance(y[0], Number | np.bool_):
            y = np.array(y.tolist())  # numbers as objects, which scikit-learn takes for labels of no known type
        assert_all_finite(y, input_name=name)
        return y

    def _learn_target(self, y, sample_weight, *, is_first):
        check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) < 2:
            msg = f"y has only one class: {shown(classes[0])}. A classifier needs rows of two classes at least."
            raise ValueError(msg)
        last = classes if is_first else self.classes_
        if not np.array_equal(classes, last):
            msg = (
                f"y has the classes {classes}, the last fit had {last}: warm_start=True needs the same ones. "
                "Set warm_start to False."
            )
            raise ValueError(msg)
        self.classes_ = classes
        self._weigh_classes(y)

    def _learn_part(self, classes, y, sample_weight, *, is_first):
        """Do as ``_learn_target``, of a part of the rows, which tells neither all classes nor their shares."""
        if classes is None and is_first:
            msg = "classes must be passed on the first call to partial_fit: give all labels, of later rows too."
            raise ValueError(msg)
        if isinstance(self.class_weight, str):
            msg = (
                f"class_weight={self.class_weight!r} is not supported by partial_fit, which doesn't see all rows. "
                "Give a dict of weights, for example of sklearn.utils.compute_class_weight."
            )
            raise ValueError(msg)
        if classes is not None:
            if np.ndim(classes) != 1 or len(classes) == 0:
                msg = f"classes must be a list of all labels: got {shown(classes)}. Give [0, 1], for example."
                raise ValueError(msg)
            classes = np.unique(self._validate_target(classes, "classes"))
            if len(classes) < 2:
                msg = f"classes has only one class: {shown(classes[0])}. A classifier needs two at least."
                raise ValueError(msg)
            if is_first:
                self.classes_ = classes
            elif not np.array_equal(classes, self.classes_):
                msg = (
                    f"classes is {classes}, while the model has {self.classes_}. "
                    "Give those of the first call, or leave classes out."
                )
                raise ValueError(msg)
        self._weigh_classes(self.classes_)

    def _start_summary(self):
        return LabelCounts()

    def _learn_summary(self, summary):
        super()._learn_summary(summary)
        self._weigh_classes(summary.values, summary.counts)

    def _weigh_classes(self, y, counts=None):
        """Read ``class_weight``; ``counts`` are the rows that each of ``y`` stands for, None for one."""
        self._class_weights = None
        if self.class_weight is None:
            return
        self._class_weights = compute_class_weight(self.class_weight, classes=self.classes_, y=y, sample_weight=counts)
        if not (np.isfinite(self._class_weights).all() and (self._class_weights >= 0).all()):
            msg = f"class_weight must be finite and not negative: got {self.class_weight!r}. Give weights from 0 up."
            raise ValueError(msg)
        if self._class_weights.any():
            self._class_weights = as_shares(self._class_weights)

    def _unit_of_weight(self, examples):
        """Return the weight that counts as 1: of a row of mean ``sample_weight`` and mean weight of the classes.

        A part may hold one class only; its weight must not be taken back by a mean over the part.
        """
        if self._class_weights is None:
            return super()._unit_of_weight(examples)
        weight = examples.sample_weight
        return self._class_weights.mean() * (1.0 if weight is None else as_shares(weight)[examples.positions].mean())

    def _encode_target(self, y, positions, name):
        return self._codes(y, name).astype(np.int64 if self._n_outputs > 1 else np.float32)

    def _codes(self, y, name):
        """Return the position of each label in ``classes_``; ``name`` is what the user calls ``y``."""
        codes = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        is_new = self.classes_[codes] != y
        if is_new.any():
            row = int(np.flatnonzero(is_new)[0])
            X = "X" + name.removeprefix("y")
            msg = (
                f"{name} has a label that is none of the classes: row {row} has {shown(y[row])}, while the classes are "
                f"{self.classes_}. Leave such rows out of {X} and {name}."
            )
            raise ValueError(msg)
        return codes

    def _class_weighted(self, y, weight, name):
        if self._class_weights is None:
            return weight
        of_class = self._class_weights[self._codes(y, name)]
        return of_class if weight is None else of_class * weight

    def _prior(self, examples, *, is_part):
        codes = examples.target[examples.positions].astype(int)
        counts = np.bincount(codes, weights=examples.weights, minlength=len(self.classes_))
        smallest = 0.5 / len(codes) if is_part else SMALLEST_SHARE  # a class that a part lacks is not impossible
        shares = np.maximum(counts / counts.sum(), smallest)
        return np.log(shares) if self._n_outputs > 1 else np.log(shares[1:] / shares[:1])

    def _make_criterion(self):
        return MulticlassLogLoss() if self._n_outputs > 1 else BinaryLogLoss()

    @property
    def _n_outputs(self):
        return 1 if len(self.classes_) == 2 else len(self.classes_)
