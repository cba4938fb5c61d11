"""The others in the contest of speed: libraries with the same network, and boosted trees.

Where they can't do the same work (``contestants.py`` says what that is):

- DeepCTR-Torch has ReLU in the final network: its Dice can't be used there.
- torch-rechub has an activation unit for each field instead of one for both, doesn't know which positions are padding,
  and wants a feature beside candidate and history, which here is the length of the history.
- FuxiCTR clips the norm of the gradients. Its own loader wants files and fetches row by row; here it gets whole
  batches.
- Boosted trees have no epochs, and are no network: their features are made by hand (``hand_made.py``).
"""

import tempfile

import hand_made
import numpy as np
import torch
import training_counts
from contestants import Contestant, DefaultSklearnDIN, Reference, SklearnDIN
from models import LIGHTGBM
from reference import ATTENTION_UNITS, BATCH_SIZE, EMBEDDING_DIM, LEARNING_RATE, UNITS
from rows import GROUP, PAIRS

N_TREES = 300  # early stopping takes more than twice as many on amazon_beauty
LARGEST_NORM = 10.0  # of the gradients, the default of FuxiCTR


def pad_and_number(X):
    """Give values a number by a dict, row by row, and fill the histories up with 0; return columns and table sizes."""
    lengths = np.array([len(values) for values in X["hist_item_id"]])
    columns, sizes = {"length": lengths}, {}
    for history, candidate in PAIRS.items():
        ids = {}

        def numbered(values, ids=ids):
            for value in values:
                if value not in ids:
                    ids[value] = len(ids) + 1
            return [ids[value] for value in values]

        padded = np.zeros((len(X), lengths.max()), dtype=np.int32)
        for row, values in zip(padded, X[history], strict=True):
            row[: len(values)] = numbered(values)
        columns |= {history: padded, candidate: np.array(numbered(X[candidate]))}
        sizes[candidate] = len(ids) + 1
    return columns, sizes


class DeepCTRTorch(Contestant):
    """DeepCTR-Torch."""

    label = "DeepCTR-Torch"
    packages = ("deepctr_torch.models",)
    uses = (pad_and_number,)

    def encode(self, X, y):
        x, self.sizes = pad_and_number(X)
        self.longest = x["hist_item_id"].shape[1]
        return x

    def build(self):
        from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat
        from deepctr_torch.models import DIN

        columns = [SparseFeat(name, size, EMBEDDING_DIM) for name, size in self.sizes.items()]
        for history, candidate in PAIRS.items():
            behaviors = SparseFeat(history, self.sizes[candidate], EMBEDDING_DIM, embedding_name=candidate)
            columns.append(VarLenSparseFeat(behaviors, maxlen=self.longest, length_name="length"))
        self.model = DIN(
            columns,
            list(PAIRS.values()),
            dnn_hidden_units=UNITS,
            att_hidden_size=ATTENTION_UNITS,
            att_activation="Dice",
            l2_reg_embedding=0.0,
            device="cuda:0" if self.device == "cuda" else "cpu",
        )
        self.model.compile(torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE), "binary_crossentropy")

    def epoch(self, x, y):
        self.model.fit(x, y, batch_size=BATCH_SIZE, epochs=1, verbose=0)

    def predict(self, x):
        return self.model.predict(x, BATCH_SIZE)[:, 0]


class TorchRechub(Contestant):
    """torch-rechub."""

    label = "torch-rechub"
    packages = ("torch_rechub.models.ranking", "torch_rechub.trainers", "torch_rechub.utils.data")
    uses = (pad_and_number,)

    def encode(self, X, y):
        x, self.sizes = pad_and_number(X)
        self.longest = x["hist_item_id"].shape[1]
        return x

    def build(self):
        from torch_rechub.basic.features import SequenceFeature, SparseFeature
        from torch_rechub.models.ranking import DIN
        from torch_rechub.trainers import CTRTrainer

        candidate = [SparseFeature(name, vocab_size=size, embed_dim=EMBEDDING_DIM) for name, size in self.sizes.items()]
        histories = [
            SequenceFeature(name, self.sizes[of], embed_dim=EMBEDDING_DIM, pooling="concat", shared_with=of)
            for name, of in PAIRS.items()
        ]
        self.model = DIN(
            [SparseFeature("length", vocab_size=self.longest + 1, embed_dim=EMBEDDING_DIM)],
            histories,
            candidate,
            mlp_params={"dims": list(UNITS)},
            attention_mlp_params={"dims": list(ATTENTION_UNITS), "activation": "dice"},
        )
        self.trainer = CTRTrainer(
            self.model,
            optimizer_params={"lr": LEARNING_RATE},
            n_epoch=1,
            device=self.device,
            model_path=tempfile.gettempdir(),
        )

    def batches(self, x, y):
        from torch_rechub.utils.data import DataGenerator

        return DataGenerator(x, y).generate_dataloader(x_val=x, y_val=y, x_test=x, y_test=y, batch_size=BATCH_SIZE)

    def epoch(self, x, y):
        self.trainer.fit(self.batches(x, y)[0])

    def predict(self, x):
        return np.array(self.trainer.predict(self.model, self.batches(x, x["length"])[2]))


class FuxiCTR(Contestant):
    """FuxiCTR."""

    label = "FuxiCTR"
    packages = ("fuxictr.features", "model_zoo.LongCTR.DIN")
    uses = (pad_and_number,)

    def encode(self, X, y):
        x, self.sizes = pad_and_number(X)
        return x

    def build(self):
        from fuxictr.features import FeatureMap
        from model_zoo.LongCTR.DIN import DIN

        features = FeatureMap("contest", tempfile.gettempdir())
        features.labels, features.default_emb_dim = ["y"], EMBEDDING_DIM
        for name, size in self.sizes.items():
            column = {"type": "categorical", "source": "item", "vocab_size": size, "padding_idx": 0}
            features.features[name] = column
        self.model = DIN(
            features,
            gpu=0 if self.device == "cuda" else -1,
            dnn_hidden_units=list(UNITS),
            dnn_activations="Dice",
            attention_hidden_units=list(ATTENTION_UNITS),
            embedding_dim=EMBEDDING_DIM,
            learning_rate=LEARNING_RATE,
            optimizer="adam",
            loss="binary_crossentropy",
            metrics=["AUC"],
            model_root=tempfile.gettempdir(),
            verbose=0,
        )
        self.model._max_gradient_norm, self.model._stop_training = LARGEST_NORM, False
        self.model._total_steps, self.model._eval_steps = 0, np.inf

    def batches(self, x, y, order):
        x = {name: torch.as_tensor(column) for name, column in x.items()}
        items = {of: torch.cat([x[name], x[of][:, None]], dim=1) for name, of in PAIRS.items()}
        mask, y = (x["hist_item_id"] > 0).float(), torch.as_tensor(y)
        for rows in torch.as_tensor(order).split(BATCH_SIZE):
            yield {"y": y[rows]}, {name: ids[rows] for name, ids in items.items()}, mask[rows]

    def epoch(self, x, y):
        self.model.train_epoch(self.batches(x, y, torch.randperm(len(y))))

    def predict(self, x):
        return self.model.predict(self.batches(x, x["length"], np.arange(len(x["length"]))))


class LightGBM(Contestant):
    """Boosted trees on hand-made features."""

    label = f"LightGBM, {N_TREES} trees"
    packages = ("lightgbm",)
    uses = (hand_made, training_counts)
    has_epochs = False

    def encode(self, X, y):
        return hand_made.HandMadeFeatures(PAIRS, GROUP).fit_transform(X, y)

    def build(self):
        from lightgbm import LGBMClassifier

        self.model = LGBMClassifier(**LIGHTGBM | {"n_estimators": N_TREES}, random_state=0, n_jobs=self.n_threads)

    def epoch(self, x, y):
        self.model.fit(x, y)

    def predict(self, x):
        return self.model.predict_proba(x)[:, 1]


CONTESTANTS = {
    each.label: each
    for each in (SklearnDIN, DefaultSklearnDIN, Reference, DeepCTRTorch, TorchRechub, FuxiCTR, LightGBM)
}
BASE, YARDSTICK = DeepCTRTorch.label, Reference.label  # what ratios are taken to
