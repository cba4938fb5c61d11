"""What the training rows tell of a value: how often it occurs, its mean target, and what it occurs together with.

Everything is counted by fold, so that the fold of a training row can be left out.
"""

import numpy as np
from scipy.sparse import csr_matrix

N_FOLDS = 5


class TargetStatistics:
    """Counts and smoothed means of a target by value, with or without the rows of one fold.

    The means are drawn towards the overall mean as the one-way random effects model asks: all the way where the values
    differ no more than chance makes them, as users do who have as many positive rows as negative ones by design.
    """

    def __init__(self, codes, y, fold, n_codes=None):
        n_codes = (codes.max() if n_codes is None else n_codes - 1) + 2  # the last one is for unknown values, code -1
        at = fold * n_codes + codes

        def by_fold(weights=None):
            return np.bincount(at, weights, minlength=N_FOLDS * n_codes).reshape(N_FOLDS, n_codes)

        self.n, self.mean = len(y), y.mean()
        self.counts = {"rows": by_fold(), "positives": by_fold(y > self.mean), "sum": by_fold(y)}
        self.totals = {name: count.sum(axis=0) for name, count in self.counts.items()}
        n_rows = self.totals["rows"][self.totals["rows"] > 0]
        means = self.totals["sum"][self.totals["rows"] > 0] / n_rows
        between = (n_rows * (means - self.mean) ** 2).sum()
        within = (((y - self.mean) ** 2).sum() - between) / max(self.n - len(n_rows), 1)
        spread = (between - (len(n_rows) - 1) * within) / max(self.n - (n_rows**2).sum() / self.n, 1)
        self.smoothing = within / spread if spread > 0 else np.inf

    def n_rows(self, codes, fold=None):
        """Return how many rows have the value, estimated from the other folds if folds are given."""
        return self._count("rows", codes, fold) / share_counted(fold)

    def n_positives(self, codes, fold=None):
        """Return how many positive rows have the value, estimated from the other folds if folds are given."""
        return self._count("positives", codes, fold) / share_counted(fold)

    def means(self, codes, fold=None):
        """Return the smoothed mean of the target."""
        n_rows = self._count("rows", codes, fold)
        mean = self._count("sum", codes, fold) / np.maximum(n_rows, 1)
        return self.mean + n_rows / (n_rows + self.smoothing) * (mean - self.mean)

    def _count(self, name, codes, fold):
        total = self.totals[name][codes]
        return total if fold is None else total - self.counts[name][fold, codes]


class CoOccurrence:
    """Users that have two values, other than the user of the row, or in other folds of the users if folds are given."""

    def __init__(self, user, codes, user_fold, n_codes):
        ones = np.ones(len(user), dtype=np.float32)
        shape = (len(user_fold) + 1, n_codes + 1)  # the last ones are for unknown users and values, code -1
        self.has = csr_matrix((ones, (user, codes)), shape=shape).sign()
        self.n_all = len(user_fold)
        folds = [self.has[:-1][user_fold == k] for k in range(N_FOLDS)]
        self.pairs = [(has.T @ has).tocsr() for has in (self.has, *folds)]
        for pairs in self.pairs:
            pairs.sort_indices()  # makes looking up fast
        self.n_users = np.stack([pairs.diagonal() for pairs in self.pairs])

    def compare(self, user, codes, row, behaviors, fold):
        """Compare candidates with the behaviors of their rows.

        Parameters
        ----------
        user, codes : ndarray of shape (n_samples,)
            User and value of each candidate.
        row, behaviors : ndarray of shape (n_behaviors,)
            Row and value of each behavior.
        fold : ndarray of shape (n_samples,) or None
            Fold of the user of each training row; None for other rows.

        Returns
        -------
        n_users : ndarray of shape (n_samples,)
            Users that have the candidate.
        cosine, log_lift : ndarray of shape (n_behaviors,)
            Users that have the candidate and the behavior, relative to the geometric mean of those that have either,
            and to what chance would make it.
        """
        both = lookup(self.pairs[0], codes[row], behaviors)
        if fold is None:
            own, own_behavior = lookup(self.has, user, codes), lookup(self.has, user[row], behaviors)
            both -= own[row] * own_behavior
        else:
            part = 1 + fold
            own, own_behavior = self.n_users[part, codes], self.n_users[part[row], behaviors]
            for k in range(1, N_FOLDS + 1):
                at = np.flatnonzero(part[row] == k)
                both[at] -= lookup(self.pairs[k], codes[row[at]], behaviors[at])
        n_candidate, n_behavior = self.n_users[0, codes] - own, self.n_users[0, behaviors] - own_behavior
        by_chance = n_candidate[row] * n_behavior / (share_counted(fold) * self.n_all)
        cosine = both / np.sqrt((n_candidate[row] + 1) * (n_behavior + 1))
        return n_candidate / share_counted(fold), cosine, np.log((both + 1) / (by_chance + 1))


def share_counted(fold):
    """Return the share of the training rows that are counted."""
    return 1 if fold is None else 1 - 1 / N_FOLDS


def lookup(matrix, row, column):
    """Return single elements of a sparse matrix."""
    return np.asarray(matrix[row, column]).ravel().astype(float)
