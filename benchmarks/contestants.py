"""Who takes part in the contest of speed, what they have in common, and two of them: the library and a loop by hand.

The methods of a contestant are what a user has to write: ``encode`` a frame with list columns, ``build`` the model,
train it for an ``epoch``, ``predict`` the probabilities of encoded rows. All do the same work as far as they can be
told to: embeddings of 16 numbers, an activation unit of 80 and 40 units with Dice whose scores are the weights, a final
network of 200 and 80 units with Dice, batches of 1,024 rows in random order, Adam with a learning rate of 1e-3, no
regularization. The others are in ``rivals.py``.
"""

import ast
import importlib
import importlib.util
import inspect
import textwrap

import blocked_attention
import dice
import reference
import torch
from reference import BATCH_SIZE, EMBEDDING_DIM, LEARNING_RATE
from rows import GROUP, LONGEST, PAIRS

from sklearn_din import BehaviorEncoder, DINClassifier


class Contestant:
    """What all have in common.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        Where to train.
    n_threads : int
        How many threads of the processor to use.
    """

    label: str
    packages = ()  # what to import
    uses = ()  # functions and modules that a user writes beside the methods
    has_epochs = True

    def __init__(self, device, n_threads):
        self.device, self.n_threads = device, n_threads

    def encode(self, X, y):
        """Return the training rows of a frame in the form that the other methods take."""
        raise NotImplementedError

    def build(self):
        """Make the model, when it is known what was encoded."""
        raise NotImplementedError

    def epoch(self, x, y):
        """Train for an epoch on encoded rows."""
        raise NotImplementedError

    def predict(self, x):
        """Return the probability of the positive class for encoded rows."""
        raise NotImplementedError

    @classmethod
    def is_installed(cls):
        """Tell whether the packages are there."""
        return all(importlib.util.find_spec(name.partition(".")[0]) for name in cls.packages)

    @classmethod
    def import_packages(cls):
        """Import the packages."""
        for name in cls.packages:
            importlib.import_module(name)

    @classmethod
    def n_lines(cls):
        """Count the statements that a user writes, each taken for a line."""
        classes = cls.__mro__[: cls.__mro__.index(Contestant)]
        names = {name: None for each in classes for name, value in vars(each).items() if inspect.isfunction(value)}
        return sum(n_statements(each) for each in (*(getattr(cls, name) for name in names), *cls.uses))


def n_statements(source):
    """Count the statements of a function, class or module, docstrings left out."""
    nodes = list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(source)))))
    docstrings = [node for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    return sum(isinstance(node, ast.stmt) for node in nodes) - len(docstrings)


class SklearnDIN(Contestant):
    """The pipeline of this library, told to do the same work as the others."""

    label = "sklearn_din"

    def encode(self, X, y):
        return BehaviorEncoder(PAIRS, max_length=LONGEST).fit_transform(X.drop(columns=GROUP))

    def build(self):
        self.model = DINClassifier(
            embedding_dim=EMBEDDING_DIM,
            max_epochs=1,
            batch_size=BATCH_SIZE,
            early_stopping=False,
            embedding_regularization=None,
            recency_embedding=False,
            match_counts=False,
            behavior_dropout=0.0,
            dropout=0.0,
            unknown_rate=0.0,
            clip_norm=None,
            attention_normalization=None,
            interest_product=False,
            learning_rate=LEARNING_RATE,
            learning_rate_schedule="constant",
            device=self.device,
            n_threads=self.n_threads,
            random_state=0,
        )

    def epoch(self, x, y):
        self.model.fit(x, y)

    def predict(self, x):
        return self.model.predict_proba(x)[:, 1]


class DefaultSklearnDIN(SklearnDIN):
    """The same with the network and the regularization that are the defaults."""

    label = "sklearn_din, default network"

    def build(self):
        self.model = DINClassifier(
            max_epochs=1,
            batch_size=BATCH_SIZE,
            early_stopping=False,
            device=self.device,
            n_threads=self.n_threads,
            random_state=0,
        )


class Reference(Contestant):
    """The loop written by hand."""

    label = "written by hand"
    uses = (reference, blocked_attention, dice)

    def encode(self, X, y):
        x, self.n_ids = reference.encode(X, self.device)
        return x

    def build(self):
        self.loop = reference.ReferenceLoop(self.n_ids, self.device)

    def epoch(self, x, y):
        self.loop.epoch(x, torch.tensor(y, dtype=torch.float32, device=self.device))

    def predict(self, x):
        return self.loop.predict(x)
