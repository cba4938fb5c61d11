"""The features that a data scientist makes by hand of a candidate and a history, for models that take a plain table."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from training_counts import N_FOLDS, CoOccurrence, TargetStatistics

RECENCY_DECAY = 0.7  # weight of a behavior relative to the next newer one
SMALLEST_SHARE = 0.01  # of the training rows, for a value of a bag to get a column of its own


class HandMadeFeatures:
    """Maker of a plain table from rows of (user, candidate, history).

    Everything is counted in the training rows. The features of a training row are counted without a fold of the users,
    its own among them (the mean target of the user: without a fold of the rows). Leaving out the own row or user alone
    would not do: a count that is one lower than for the other rows of an item gives the target away.

    Parameters
    ----------
    behavior_features : dict
        List column -> the candidate column that shares its ids, or None where there is no counterpart.
    group : str
        The column of the user.
    random_state : int, default=0
        Seed of the folds.

    Notes
    -----
    For each candidate column, such as item and category:

    - popularity: log of the number of rows, positive rows and users, and the mean of the target;
    - matches in the history: log number, share, whether the newest behavior is one, the distance of the newest one;
    - co-occurrence with the history, counted in users: mean cosine; mean, recency-weighted mean and maximum of the log
      lift, which is how many users have both relative to how many would by chance;
    - of each numeric behavior field, such as past ratings: the mean over the matches, the mean weighted by cosine, and
      how far the user is above the means of the same values in all histories.

    Beside them the mean of the target of the user, the length of the history, mean, spread and newest values of the
    numeric behavior fields, the values of bags (list columns that are no behaviors) and their mean target, and the
    other columns: floats as they are, all else as categories. Nothing is crossed with the user: that would remember
    behaviors older than the histories, which the networks aren't given either.
    """

    def __init__(self, behavior_features, group, *, random_state=0):
        self.behavior_features = behavior_features
        self.group = group
        self.random_state = random_state

    def fit_transform(self, X, y):
        """Count in the training rows and return their features.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns)
            Training rows, with histories oldest first.
        y : ndarray of shape (n_samples,)
            Target. A row is positive where it is above its mean.

        Returns
        -------
        DataFrame of shape (n_samples, n_features)
            Floats, NaN where undefined, and categoricals.
        """
        rng = np.random.default_rng(self.random_state)
        y, is_positive = np.asarray(y, dtype=float), y > np.mean(y)
        self.users_ = pd.Index(X[self.group].unique())
        user, user_fold = self.users_.get_indexer(X[self.group]), rng.integers(N_FOLDS, size=len(self.users_))
        fold, row_fold = user_fold[user], rng.integers(N_FOLDS, size=len(X))
        self.values_, self.co_occurrence_, self.field_means_, self.categories_ = {}, {}, {}, {}
        self.target_ = {self.group: TargetStatistics(user, y, row_fold)}
        for name, candidate in self._paired():
            row, behaviors = flatten(X[name])
            values = self.values_[candidate] = pd.Index(pd.unique(np.concatenate([X[candidate], behaviors])))
            codes, behaviors = values.get_indexer(X[candidate]), values.get_indexer(behaviors)
            self.target_[candidate] = TargetStatistics(codes, y, fold, len(values))
            who, what = np.r_[user[row], user[is_positive]], np.r_[behaviors, codes[is_positive]]
            self.co_occurrence_[candidate] = CoOccurrence(who, what, user_fold, len(values))
            for field, numbers in self._numeric_fields(X).items():
                self.field_means_[candidate, field] = TargetStatistics(behaviors, numbers, fold[row], len(values))
        for name in self._other_columns(X):
            if is_bag(X[name]):
                row, values = flatten(X[name])
                self.values_[name] = pd.Index(pd.unique(values))
                self.target_[name] = TargetStatistics(self.values_[name].get_indexer(values), y[row], fold[row])
            elif not pd.api.types.is_float_dtype(X[name]):
                self.categories_[name] = pd.CategoricalDtype(X[name].dropna().unique())
        return self._features(X, fold, row_fold)

    def transform(self, X):
        """Return the features of rows that are not training rows.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns)
            Rows as in ``fit_transform``.

        Returns
        -------
        DataFrame of shape (n_samples, n_features)
            The columns of ``fit_transform``.
        """
        return self._features(X, None, None)

    def _paired(self):
        return [(name, candidate) for name, candidate in self.behavior_features.items() if candidate is not None]

    def _numeric_fields(self, X):
        fields = {name: flatten(X[name])[1] for name, candidate in self.behavior_features.items() if candidate is None}
        return {name: numbers for name, numbers in fields.items() if numbers.dtype.kind == "f"}

    def _other_columns(self, X):
        used = {self.group, *self.behavior_features, *self.behavior_features.values()}
        return [name for name in X if name not in used]

    def _features(self, X, fold, row_fold):
        """Return the features of training rows, of which the folds are given, or of other rows."""
        user = self.users_.get_indexer(X[self.group])
        history = History.of(X[next(iter(self.behavior_features))])
        fields = self._numeric_fields(X)
        columns = {f"{self.group}_target": self.target_[self.group].means(user, row_fold)}
        columns["length"] = np.log1p(history.length)
        for field, numbers in fields.items():
            columns |= {f"{field}_{name}": column for name, column in summarised(numbers, history).items()}
        for name, candidate in self._paired():
            columns |= self._candidate_features(X, name, candidate, user, history, fields, fold)
        for name in self._other_columns(X):
            if name in self.target_:
                columns |= self._bag_features(X[name], fold)
            else:
                columns[name] = X[name].astype(self.categories_.get(name, float)).array
        return pd.DataFrame(columns)

    def _candidate_features(self, X, name, candidate, user, history, fields, fold):
        codes = self.values_[candidate].get_indexer(X[candidate])
        behaviors = self.values_[candidate].get_indexer(flatten(X[name])[1])
        is_match = (behaviors == codes[history.row]) & (behaviors >= 0)
        target = self.target_[candidate]
        n_users, cosine, lift = self.co_occurrence_[candidate].compare(user, codes, history.row, behaviors, fold)
        cosine[is_match] = 0  # matches have features of their own
        lift[is_match] = 0
        n_matches = history.total(is_match)
        columns = {
            "rows": np.log1p(target.n_rows(codes, fold)),
            "positives": np.log1p(target.n_positives(codes, fold)),
            "users": np.log1p(n_users),
            "target": target.means(codes, fold),
            "matches": np.log1p(n_matches),
            "share": n_matches / np.maximum(history.length, 1),
            "is_newest": history.total(is_match & (history.distance == 0)),
            "since": -history.maximum(np.where(is_match, -history.distance, np.nan)),
            "cosine": history.mean(cosine),
            "lift": history.mean(lift),
            "recent_lift": history.mean(lift, RECENCY_DECAY**history.distance),
            "largest_lift": history.maximum(lift),
        }
        for field, numbers in fields.items():
            columns[f"{field}_of_matches"] = history.mean(numbers, is_match)
            columns[f"{field}_of_similar"] = history.mean(numbers, cosine)
            columns[f"{field}_above"] = history.mean(numbers - self.field_means_[candidate, field].means(behaviors))
        return {f"{candidate}_{feature}": column for feature, column in columns.items()}

    def _bag_features(self, column, fold):
        bag = History.of(column)
        codes = self.values_[column.name].get_indexer(flatten(column)[1])
        target = self.target_[column.name]
        columns = {f"{column.name}_target": bag.mean(target.means(codes, None if fold is None else fold[bag.row]))}
        n_rows = target.n_rows(np.arange(len(self.values_[column.name])))
        for code in np.flatnonzero(n_rows > SMALLEST_SHARE * target.n):
            columns[f"{column.name}_{code}"] = bag.total(codes == code)
        return columns


def flatten(column):
    """Return the row of each element of a list column, and the elements, both of shape (n_behaviors,)."""
    return np.repeat(np.arange(len(column)), column.map(len)), np.concatenate(column.to_numpy())


def is_bag(column):
    """Tell whether the cells are lists."""
    return len(column) > 0 and isinstance(column.iloc[0], list | np.ndarray)


def summarised(numbers, history):
    """Return mean, spread and newest values of a numeric behavior field."""
    mean = history.mean(numbers)
    return {
        "mean": mean,
        "sd": np.sqrt(np.maximum(history.mean(numbers**2) - mean**2, 0)),
        "newest": history.mean(numbers, history.distance == 0),
        "newest_5": history.mean(numbers, history.distance < 5),
    }


class History(NamedTuple):
    """Where the elements of a list column are, and what they add up to."""

    length: np.ndarray  # (n_samples,)
    row: np.ndarray  # (n_behaviors,)
    distance: np.ndarray  # (n_behaviors,), 0 for the newest

    @classmethod
    def of(cls, column):
        """Describe a list column."""
        length = column.map(len).to_numpy()
        row = np.repeat(np.arange(len(length)), length)
        return cls(length, row, np.cumsum(length)[row] - 1 - np.arange(len(row)))

    def total(self, values):
        """Return the sum of each row."""
        return np.bincount(self.row, values, minlength=len(self.length))

    def mean(self, values, weights=1.0):
        """Return the weighted mean of each row, NaN where the weights are zero."""
        weights = np.broadcast_to(np.asarray(weights, dtype=float), len(self.row))
        total = self.total(weights)
        return np.divide(self.total(weights * values), total, out=np.full(len(total), np.nan), where=total > 0)

    def maximum(self, values):
        """Return the greatest value of each row, NaN where all are NaN."""
        largest = np.full(len(self.length), np.nan)
        np.fmax.at(largest, self.row, values)
        return largest
