"""A picture of attention: for each candidate a bar per behavior."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_din.inspection._attention_bars import draw_bars, given_axes, new_axes, score_text
from sklearn_din.inspection._attention_html import to_html
from sklearn_din.inspection._labels import behavior_labels, candidate_labels, check_names_match
from sklearn_din.inspection._models import EncodedRows, encode_rows
from sklearn_din.inspection._pyplot import closed_on_error, import_pyplot
from sklearn_din.layout import BehaviorSequence

MOST_ROWS = 12  # panels of a picture that can still be read


class AttentionDisplay:
    """Attention weights as bars: a panel for each candidate, with its newest behavior at the top.

    Make it with ``from_estimator``. All parameters are stored as attributes. In a notebook it also shows itself as
    text, with the weights as colours.

    Parameters
    ----------
    weights : list of array-like of shape (n_behaviors,)
        For each candidate the weights of its behaviors, oldest first.
    behaviors : list of list of str
        Their labels.
    candidates : list of str, default=None
        Labels of the candidates. None for "row 0", "row 1", ….
    scores : array-like of shape (n_candidates,), default=None
        Scores of the candidates. None to show none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.
    axes_ : ndarray of matplotlib Axes, of shape (n_candidates,)
        All panels.
    figure_ : matplotlib Figure
        What they are in.

    See Also
    --------
    attention_weights : The weights as a frame, for any number of rows.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_din import BehaviorEncoder, DINClassifier
    >>> from sklearn_din.datasets import make_clicks
    >>> from sklearn_din.inspection import AttentionDisplay
    >>> X, y = make_clicks(300, random_state=0)
    >>> encoder = BehaviorEncoder({"hist_item": "item", "hist_category": "category"})
    >>> model = make_pipeline(encoder, DINClassifier(max_epochs=1, random_state=0)).fit(X, y)
    >>> display = AttentionDisplay.from_estimator(model, X[:3])
    >>> display.axes_.shape
    (3,)
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        weights: Sequence[Any],
        behaviors: Sequence[Sequence[str]],
        *,
        candidates: Sequence[str] | None = None,
        scores: Any = None,
    ) -> None:
        self.weights = weights
        self.behaviors = behaviors
        self.candidates = candidates
        self.scores = scores

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        X: Any,
        *,
        names: Mapping[Any, Any] | None = None,
        sequence: str | None = None,
        ax: Any = None,
        bar_kw: Mapping[str, Any] | None = None,
    ) -> "AttentionDisplay":
        """Compute the attention of a fitted model and draw it.

        Parameters
        ----------
        model : Pipeline or estimator
            Fitted: a pipeline that begins with a ``BehaviorEncoder`` and ends with an estimator of this library, or
            such an estimator alone.
        X : frame, dict of columns, or EncodedTable
            At most 12 rows: raw ones for a pipeline, encoded ones for an estimator, whose behaviors are shown as ids.
        names : dict or Series, default=None
            From values of the sequence's first field (items, say) to the text that is shown instead, for behaviors and
            candidates; or, by column, a dict of such mappings for several fields:
            ``{"item": {7: "tea"}, "category": {3: "drinks"}}``. A value that it lacks is shown as it is.
        sequence : str, default=None
            The sequence to show, by the name of its first column. None if the model has only one.
        ax : matplotlib Axes or array of them, default=None
            Where to draw: one for each row. None for a new figure of fitting size.
        bar_kw : dict, default=None
            Keywords of ``matplotlib.axes.Axes.barh``.

        Returns
        -------
        AttentionDisplay
            Drawn.

        Raises
        ------
        ValueError
            If ``X`` has no row or more than 12, the model has no such sequence, or several and ``sequence`` is None,
            ``names`` names another column or has none of the values shown, the axes are not one for each row or share
            their y axis though the histories differ, a weight is not finite, or ``X`` is not what the model was fitted
            on.
        TypeError
            If ``names`` is no mapping, ``ax`` holds no axes, or ``model`` or ``X`` is of the wrong kind.
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the model is not fitted.

        Notes
        -----
        A label holds the values of all fields. Those that training has not seen are marked as unknown; missing ones are
        "missing". The score is the probability of the second class, or the prediction of a regressor; with more classes
        there is none.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        rows = encode_rows(model, X)
        n_rows = len(rows.table)
        if not n_rows:
            msg = f"X has no rows, so that there is nothing to draw. Give 1 to {MOST_ROWS} rows."
            raise ValueError(msg)
        if n_rows > MOST_ROWS:
            msg = f"There is a panel for each row, at most {MOST_ROWS}: X has {n_rows} rows. Pick some, such as X[:3]."
            raise ValueError(msg)
        shown = _sequence_of(rows, sequence)
        texts = _texts_by_field(names, shown)
        check_names_match(rows, shown, texts)
        offsets = rows.table.ragged(shown.name).offsets
        display = cls(
            np.split(rows.attention()[shown.name], offsets[1:-1]),
            behavior_labels(rows, shown, texts),
            candidates=candidate_labels(rows, shown, texts),
            scores=_scores(rows),
        )
        return display.plot(ax=ax, bar_kw=bar_kw)

    def plot(self, ax: Any = None, bar_kw: Mapping[str, Any] | None = None) -> "AttentionDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            Where to draw: one for each candidate. None for a new figure of fitting size: panels lie below each other,
            or side by side where all candidates have the same behaviors, whose labels then appear once.
        bar_kw : dict, default=None
            Keywords of ``matplotlib.axes.Axes.barh``.

        Returns
        -------
        AttentionDisplay
            Itself.

        Raises
        ------
        ValueError
            If the axes are not one for each candidate or share their y axis though the behaviors differ, weights,
            behaviors, candidates and scores differ in number, or a weight is not finite.
        TypeError
            If ``ax`` holds no axes.
        ImportError
            If matplotlib is not installed.
        """
        import_pyplot(f"{type(self).__name__}.plot")
        self._check()
        titles, behaviors = self._titles(), self._labels()
        axes, width = new_axes(behaviors, titles) if ax is None else (given_axes(ax, behaviors), None)
        if self.scores is not None:
            titles = [f"{title}\n{score_text(score)}" for title, score in zip(titles, self.scores, strict=True)]
        with closed_on_error(axes[0].figure if ax is None else None):
            draw_bars(axes, self.weights, behaviors, titles, width=width, bar_kw=bar_kw or {})
        self.axes_ = axes
        self.ax_ = axes[0]
        self.figure_ = self.ax_.figure
        return self

    def _repr_html_(self) -> str:
        self._check()
        is_open = not hasattr(self, "figure_")
        return to_html(self.weights, self._labels(), self._titles(), self.scores, is_open=is_open)

    def _titles(self) -> list[str]:
        if self.candidates is None:
            return [f"row {row}" for row in range(len(self.weights))]
        return [" ".join(str(candidate).split()) for candidate in self.candidates]

    def _labels(self) -> list[list[str]]:
        return [[str(label) for label in labels] for labels in self.behaviors]

    def _check(self) -> None:
        """Raise where the parts do not fit together."""
        counts = {
            name: len(part)
            for name in ("weights", "behaviors", "candidates", "scores")
            if (part := getattr(self, name)) is not None
        }
        if len(set(counts.values())) > 1 or not counts["weights"]:
            msg = f"The display needs one entry for each candidate, and one candidate at least: got {counts}."
            raise ValueError(msg)
        for row, (weights, behaviors) in enumerate(zip(self.weights, self.behaviors, strict=True)):
            if len(weights) != len(behaviors):
                msg = (
                    f"Each behavior must have a weight: candidate {row} has {len(behaviors)} behaviors and "
                    f"{len(weights)} weights. Give lists of the same length."
                )
                raise ValueError(msg)
            values = np.asarray(weights, dtype=float)
            for position in np.flatnonzero(~np.isfinite(values))[:1]:
                msg = (
                    f"weights must be finite: that of behavior {position} of candidate {row} is {values[position]}. "
                    "Give numbers; a model that gives others has diverged: train it anew."
                )
                raise ValueError(msg)


def _sequence_of(rows: EncodedRows, name: str | None) -> BehaviorSequence:
    sequences = {sequence.name: sequence for sequence in rows.table.layout.sequences}
    if name is None and len(sequences) == 1:
        return next(iter(sequences.values()))
    if name is None or name not in sequences:
        what = "has several sequences" if name is None else f"has no sequence {name!r}"
        msg = f"The model {what}. Set sequence to one of {', '.join(map(repr, sequences))}."
        raise ValueError(msg)
    return sequences[name]


def _texts_by_field(names: Any, sequence: BehaviorSequence) -> dict[str, Mapping[Any, Any]]:
    """Return the mapping of each field that has one, by its list column."""
    texts = {} if names is None else _as_mapping(names)
    if not any(isinstance(value, Mapping) or hasattr(value, "items") for value in texts.values()):
        return {sequence.fields[0].name: texts}
    columns = {name: field.name for field in sequence.fields for name in (field.name, field.candidate) if name}
    for name in texts:
        if name not in columns:
            there = ", ".join(map(repr, columns))
            msg = f"names has texts for {name!r}, no column of the sequence: its columns are {there}. Correct the name."
            raise ValueError(msg)
    return {columns[name]: _as_mapping(part) for name, part in texts.items()}


def _as_mapping(names: Any) -> Mapping[Any, Any]:
    if isinstance(names, Mapping):
        return names
    if not hasattr(names, "items"):
        msg = (
            f"names must be a dict or a pandas Series from values to texts, or a dict of those by column: got "
            f"{type(names).__name__}. Give dict(zip(values, texts)), for example."
        )
        raise TypeError(msg)
    return dict(names.items())


def _scores(rows: EncodedRows) -> NDArray[np.float64] | None:
    """Return the scores (n_samples,) by which rows are ranked; None where there are more than two classes."""
    estimator = rows.estimator
    if not hasattr(estimator, "classes_"):
        scores: NDArray[np.float64] = estimator.predict(rows.table)
        return scores
    return estimator.predict_proba(rows.table)[:, 1] if len(estimator.classes_) == 2 else None
