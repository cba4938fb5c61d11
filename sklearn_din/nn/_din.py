"""The Deep Interest Network: layout and sizes in, logits out."""

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn

from sklearn_din.layout import FeatureLayout
from sklearn_din.nn._attention import UNIFORM_POOLINGS, ActivationUnit, AttentionPooling, UniformPooling
from sklearn_din.nn._batch import Batch, check_batch
from sklearn_din.nn._behavior_dropout import BehaviorDropout
from sklearn_din.nn._bias import CandidateBias
from sklearn_din.nn._checks import check_option
from sklearn_din.nn._dropout import Dropout
from sklearn_din.nn._embedding import FeatureEmbedding
from sklearn_din.nn._layers import reset_children
from sklearn_din.nn._matches import match_counts as count_matches
from sklearn_din.nn._mlp import MLP
from sklearn_din.nn._share import BatchShare, set_share

POOLINGS = ("attention", *UNIFORM_POOLINGS)


class DIN(nn.Module):
    """The Deep Interest Network.

    A batch is a dict of tensors by column of the layout: ids ``(batch_size,)`` (0 pads and does not occur, 1 is
    unknown), numbers ``(batch_size,)``, and for list columns the flat values ``(n_behaviors,)`` with offsets
    ``(batch_size + 1,)``.

    Parameters
    ----------
    layout : FeatureLayout
        The columns. Without behavior sequences the network is the base model: embedding and fully connected network.
    n_outputs : int, default=1
        1 for two classes and for regression, else the number of classes.
    embedding_dim : int or dict, default=16
        Columns of the vectors: for all tables, or one for each name in ``layout.tables``.
    attention_hidden_layer_sizes : sequence of int, default=(80, 40)
        Units of the hidden layers of the activation units.
    attention_activation : {"dice", "prelu", "relu", "sigmoid", "tanh"}, default="dice"
        Of the hidden layers of the activation units.
    attention_normalization : {"softmax", "sigmoid", None}, default="softmax"
        What makes weights of scores; None is the paper's text.
    attention_interaction : {"difference_product", "outer", "concatenation"}, default="difference_product"
        What the activation unit sees beside candidate and behavior; "outer" is the paper's text.
    hidden_layer_sizes : sequence of int, default=(200, 80)
        Units of the hidden layers of the final network.
    activation : {"dice", "prelu", "relu", "sigmoid", "tanh"}, default="dice"
        Of the hidden layers of the final network.
    interest_product : bool, default=True
        Whether the final network also sees the product of candidate and interest, as in the authors' released code.
    dropout, attention_dropout : float, default=0.1 and 0.0
        Share of the activations that training drops, in the final network and in the activation units.
    behavior_dropout : float, default=0.8
        Greatest share of its behaviors that a history loses in training, before it is embedded. Matches are counted
        before.
    batch_norm : bool, default=False
        Whether to normalize before each activation of the final network.
    candidate_bias : bool, default=False
        Whether each value of each candidate column has a bias that is added to the logits, as items have in the
        authors' released code.
    pooling : {"attention", "mean", "sum"}, default="attention"
        What makes an interest of behaviors. The last two do not look at the candidate.
    recency_embedding : bool, default=True
        Whether behaviors get a vector for their distance from the newest.
    match_counts : bool, default=True
        Whether the final network also sees how often each id of the candidate occurs in the history.
    embedding_init_std : float, default=0.01
        Standard deviation of the initial vectors.

    Attributes
    ----------
    embedding : FeatureEmbedding
        The tables.
    poolings : ModuleList
        What makes an interest of each sequence, in the order of the layout.
    mlp : MLP
        The final network.
    candidate_bias : CandidateBias or None
        The biases of the candidates.

    Raises
    ------
    ValueError
        If the layout has no columns (with ``candidate_bias`` no candidate column), or a parameter is not one of the
        values above.
    RuntimeError
        If a gradient is to be differentiated again (``create_graph=True``): some gradients are made by hand.

    References
    ----------
    Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018, arXiv 1706.06978, section 4.

    Examples
    --------
    >>> import torch
    >>> from sklearn_din.layout import BehaviorField, BehaviorSequence, IdColumn
    >>> from sklearn_din.nn import DIN
    >>> from sklearn_din.preprocessing import FeatureLayout
    >>> history = BehaviorSequence((BehaviorField("hist_item", candidate="item", n_ids=10),))
    >>> network = DIN(FeatureLayout(categorical=(IdColumn("item", n_ids=10),), sequences=(history,)))
    >>> batch = {"item": torch.tensor([3, 4]), "hist_item": (torch.tensor([5, 3, 7]), torch.tensor([0, 1, 3]))}
    >>> network(batch).shape
    torch.Size([2])
    """

    def __init__(
        self,
        layout: FeatureLayout,
        *,
        n_outputs: int = 1,
        embedding_dim: int | Mapping[str, int] = 16,
        attention_hidden_layer_sizes: Sequence[int] = (80, 40),
        attention_activation: str = "dice",
        attention_normalization: str | None = "softmax",
        attention_interaction: str = "difference_product",
        hidden_layer_sizes: Sequence[int] = (200, 80),
        activation: str = "dice",
        interest_product: bool = True,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        behavior_dropout: float = 0.8,
        batch_norm: bool = False,
        candidate_bias: bool = False,
        pooling: str = "attention",
        recency_embedding: bool = True,
        match_counts: bool = True,
        embedding_init_std: float = 0.01,
    ) -> None:
        super().__init__()
        check_option("pooling", pooling, POOLINGS)
        self._share: BatchShare | None = None
        self.interest_product = interest_product
        self.match_counts = match_counts
        self.embedding = FeatureEmbedding(
            layout, embedding_dim, recency_embedding=recency_embedding, init_std=embedding_init_std
        )

        def make_pooling(candidate_dim: int, behavior_dim: int) -> nn.Module:
            if pooling != "attention":
                return UniformPooling(pooling)
            unit = ActivationUnit(
                candidate_dim,
                behavior_dim,
                attention_hidden_layer_sizes,
                activation=attention_activation,
                interaction=attention_interaction,
                dropout=attention_dropout,
            )
            return AttentionPooling(unit, normalization=attention_normalization)

        self.behavior_dropout = BehaviorDropout(layout.sequences, behavior_dropout)
        self.poolings = nn.ModuleList(make_pooling(*dims) for dims in self.embedding.sequence_dims.values())
        self.mlp = MLP(
            self._n_features,
            hidden_layer_sizes,
            n_outputs,
            activation=activation,
            dropout=dropout,
            batch_norm=batch_norm,
        )
        self.candidate_bias = CandidateBias(layout, n_outputs) if candidate_bias else None

    @property
    def _n_features(self) -> int:
        """Columns of what the final network sees."""
        sequences = sum(
            behavior_dim + (candidate_dim if self.interest_product else 0)
            for candidate_dim, behavior_dim in self.embedding.sequence_dims.values()
        )
        counts = sum(len(sequence.shared) for sequence in self.embedding.layout.sequences) if self.match_counts else 0
        return self.embedding.candidate_dim + sequences + self.embedding.context_dim + counts

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all parameters anew and forget the batches seen.

        Parameters
        ----------
        generator : torch.Generator, default=None
            Where the values come from; None is torch's global generator.
        """
        reset_children(self, generator)

    def set_generator(self, generator: Generator | None) -> None:
        """Let all dropout draw from one generator.

        Parameters
        ----------
        generator : torch.Generator or None
            On the device of the batches; None is torch's global generator.
        """
        for module in self.modules():
            if isinstance(module, Dropout | BehaviorDropout):
                module.generator = generator

    def set_share(self, share: BatchShare | None) -> None:
        """Say which part of a batch the next one is, where several processes have a part each.

        In training the parts are then computed as the whole batch would be: statistics are those of all rows, random
        numbers are drawn for all. All processes call the network and compute gradients at the same time.

        Parameters
        ----------
        share : BatchShare or None
            None for a whole batch.
        """
        self._share = share
        set_share(self.mlp.modules(), None if share is None else share.rows)
        if share is None:
            set_share(self.poolings.modules(), None)

    def forward(self, batch: Batch) -> Tensor:
        """Compute the logits.

        Parameters
        ----------
        batch : dict
            Tensors by column.

        Returns
        -------
        Tensor of shape (batch_size,) or (batch_size, n_outputs)
            Logits (of a regression: predictions); two-dimensional where ``n_outputs`` is not 1.
        """
        logits: Tensor = self.mlp(self.features(batch)) + self.bias(batch)  # (batch_size, n_outputs)
        return logits.squeeze(1) if logits.shape[1] == 1 else logits

    def features(self, batch: Batch) -> Tensor:
        """Compute what the final network ``mlp`` sees; in training, of histories that lost some behaviors.

        Parameters
        ----------
        batch : dict
            Tensors by column.

        Returns
        -------
        Tensor of shape (batch_size, n_features)
            The candidate, the interests of all sequences, their products with the candidate, the context, the match
            counts.
        """
        check_batch(batch, self.embedding.layout)
        thinned, factors = self.behavior_dropout(batch, self._share)
        if self._share is not None:
            for sequence, pooling in zip(self.embedding.layout.sequences, self.poolings, strict=True):
                set_share(pooling.modules(), self._share.behaviors.get(sequence.name))
        embedded = self.embedding(thinned)
        interests, products = [], []
        for (name, sequence), pooling in zip(embedded.sequences.items(), self.poolings, strict=True):
            interest = pooling(*sequence)[0]  # (batch_size, behavior_dim)
            if name in factors and not pooling.is_average:
                interest = interest * factors[name]
            interests.append(interest)
            if self.interest_product:
                products.append(sequence.candidate * interest[:, : sequence.candidate.shape[1]])
        counts = count_matches(self.embedding.layout, batch) if self.match_counts else []  # of whole histories
        return torch.cat([embedded.candidate, *interests, *products, embedded.context, *counts], dim=1)

    def bias(self, batch: Batch) -> Tensor:
        """Compute what is added to the output of the final network.

        Parameters
        ----------
        batch : dict
            Tensors by column.

        Returns
        -------
        Tensor of shape (batch_size, n_outputs) or (1, 1)
            The biases of the candidates; one 0 without ``candidate_bias``.
        """
        if self.candidate_bias is None:
            return self.mlp.output.weight.new_zeros((1, 1))
        biases: Tensor = self.candidate_bias(batch)
        return biases

    def attention_weights(self, batch: Batch) -> dict[str, Tensor]:
        """Return the weights of all behaviors of whole histories, in the mode (training or inference) of the module.

        Parameters
        ----------
        batch : dict
            Tensors by column.

        Returns
        -------
        dict of str to Tensor of shape (n_behaviors,)
            By sequence. With ``pooling="mean"`` one over the length of the history, with ``pooling="sum"`` 1.
        """
        pairs = zip(self.embedding(batch).sequences.items(), self.poolings, strict=True)
        return {name: pooling(*sequence)[1] for (name, sequence), pooling in pairs}
