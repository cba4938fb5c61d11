"""Learning from rows that come in chunks, for the encoder."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Self

from sklearn import get_config

from sklearn_din.preprocessing._raw_rows import RawRows
from sklearn_din.preprocessing._row_statistics import RowStatistics
from sklearn_din.utils._arrow import release_memory
from sklearn_din.utils._frames import is_frame, read_frame


class ChunkedFitMixin:
    """``partial_fit``, and what it is made of."""

    _statistics: RowStatistics
    _validate_params: Callable[[], None]

    @abstractmethod
    def _set_learnt(self, statistics: RowStatistics, rows: RawRows | None) -> None:
        """Learn from statistics, and set all fitted attributes, or none if an error is raised."""

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Go on learning vocabularies and scales from more rows.

        After each call the encoder is as if ``fit`` had had all rows so far at once, in whatever chunks and order they
        came. Rows that follow ``fit`` are added to its own. More rows may change the ids of values, and then a network
        that was trained before does not take the tables any more: go through all chunks first, and train after.

        Parameters
        ----------
        X : frame, dict of columns, or array-like of shape (n_samples, n_features)
            More rows, with the columns of the first ones. It is not written to.
        y : array-like of shape (n_samples,), default=None
            Handed to ``numeric_transformer``.

        Returns
        -------
        BehaviorEncoder
            Itself.

        Raises
        ------
        TypeError
            If a column holds what its role does not allow, or ``numeric_transformer`` has no ``partial_fit``.
        ValueError
            If the columns or their types are not those of the rows before, if a parameter, a name or a value is not
            valid, or if what was learnt cannot be gone on with. The encoder stays as it was after any error.

        Notes
        -----
        The number of rows that hold each value is kept, that of values which ``min_frequency`` and ``max_categories``
        cut as well: they come back when later rows make them frequent enough. Memory follows the number of distinct
        values. A pickle holds these numbers, but no cut values where the last call was ``fit``, nor does a model file:
        then ``partial_fit`` says that it cannot go on.

        The roles of the columns are those of the first rows. Where the types of later ones would give a column another
        role there is an error, which names the column.

        Examples
        --------
        >>> from sklearn_din import BehaviorEncoder
        >>> encoder = BehaviorEncoder({"hist_item": "item"}, min_frequency=2)
        >>> chunks = [
        ...     {"item": ["tea", "jam"], "hist_item": [["jam"], []]},
        ...     {"item": ["tea"], "hist_item": [["rice", "tea"]]},
        ... ]
        >>> for chunk in chunks:
        ...     encoder = encoder.partial_fit(chunk)
        ...     print(encoder.vocabularies_["item"].values)
        ['jam']
        ['jam' 'tea']
        """
        self._check_parameters()
        statistics = self._statistics_so_far()
        rows = statistics.add(X, y)
        self._set_learnt(statistics, rows)
        del rows
        release_memory()
        return self

    def _fit_chunks(
        self, chunks: Iterable[Any], combine: Callable[[RowStatistics], RowStatistics] | None = None
    ) -> Self:
        """Learn from chunks as ``fit`` would from all of their rows, and learn the encoding once, after the last.

        Parameters
        ----------
        chunks : iterable of frames
            As for ``partial_fit``; those without rows are left out.
        combine : callable, optional
            Gets the statistics of these chunks, and returns those of the chunks of all processes, which it may have
            made with ``RowStatistics.merge``.

        Returns
        -------
        BehaviorEncoder
            Itself, as it was after an error.

        Raises
        ------
        TypeError, ValueError
            See ``partial_fit``; and if there are no rows at all.
        """
        self._check_parameters()
        statistics = RowStatistics(self)
        for chunk in chunks:
            if _n_rows(chunk):
                statistics.add(chunk)
        self._set_learnt(statistics if combine is None else combine(statistics), None)
        release_memory()
        return self

    def _statistics_so_far(self) -> RowStatistics:
        """Return statistics to add rows to, without a change of those that the encoder has."""
        if "_encoding" not in self.__dict__:
            return RowStatistics(self)
        if "_statistics" not in self.__dict__:
            msg = (
                "partial_fit cannot go on from what this encoder has learnt: it comes from a model file, or from a "
                "copy or pickle made after a fit that cut values, which hold no counts. Call fit with all rows, or "
                "clone the encoder and give all chunks to partial_fit."
            )
            raise ValueError(msg)
        return self._statistics.copy(self)

    def _check_parameters(self) -> None:
        # Not by scikit-learn's _fit_context, which checks them in the first call of partial_fit only.
        if not get_config()["skip_parameter_validation"]:
            self._validate_params()


def _n_rows(chunk: Any) -> int:
    return read_frame(chunk).n_samples if is_frame(chunk) else len(chunk)
