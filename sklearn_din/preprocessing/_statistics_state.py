"""Statistics of rows in a pickle of an encoder: what its encoding does not hold already, as plain values and arrays."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sklearn.base import BaseEstimator

from sklearn_din.preprocessing._chunk_columns import ChunkColumns
from sklearn_din.preprocessing._column_kinds import ColumnKind
from sklearn_din.preprocessing._encoding import Encoding
from sklearn_din.preprocessing._moments import Moments
from sklearn_din.preprocessing._open_fields import OpenField
from sklearn_din.preprocessing._row_statistics import RowStatistics
from sklearn_din.preprocessing._value_counts import Known, ValueCounts


def state_of(statistics: RowStatistics, encoding: Encoding) -> dict[str, Any] | None:
    """Return statistics as plain values and arrays.

    Parameters
    ----------
    statistics : RowStatistics
        Of at least one row.
    encoding : Encoding
        Learnt from them.

    Returns
    -------
    dict or None
        What ``statistics_of`` takes. None after a ``fit`` that has cut values: nothing that is written then holds
        values of the rows which the encoder does not know any more.
    """
    known, columns = _known(encoding), statistics.columns
    is_cut = not all(counts.is_within(known[name]) for name, counts in statistics.vocabularies.items())
    if columns is None or (statistics.is_of_fit and is_cut):
        return None
    return {
        "n_samples": statistics.n_samples,
        "is_of_fit": statistics.is_of_fit,
        "named": dict(columns.named),
        "automatic": sorted(columns.automatic),
        "kinds": {name: asdict(kind) | {"types": sorted(kind.types)} for name, kind in columns.kinds.items()},
        "tables": {name: counts.to_state(known[name]) for name, counts in statistics.tables.items()},
        "open_fields": {name: each.to_state(known.get(name, {})) for name, each in statistics.open_fields.items()},
        "families": {name: sorted(families) for name, families in statistics.families.items()},
        "moments": {name: moments.to_state() for name, moments in statistics.moments.items()},
    }


def statistics_of(state: Mapping[str, Any], encoding: Encoding, encoder: BaseEstimator) -> RowStatistics:
    """Return the statistics that ``state_of`` described.

    Parameters
    ----------
    state : mapping
        Of statistics.
    encoding : Encoding
        The same.
    encoder : BehaviorEncoder
        Its parameters are those of the statistics.

    Returns
    -------
    RowStatistics
        To go on with.
    """
    known, statistics = _known(encoding), RowStatistics(encoder)
    statistics.n_samples, statistics.is_of_fit = state["n_samples"], state["is_of_fit"]
    statistics.columns = ChunkColumns(
        names=encoding.names,
        frame_kind=encoding.kind,
        is_named=encoding.is_named,
        max_length=encoding.layout.max_length,
        roles=encoding.roles,
        named=state["named"],
        automatic=frozenset(state["automatic"]),
        kinds={name: ColumnKind(**each | {"types": frozenset(each["types"])}) for name, each in state["kinds"].items()},
    )
    statistics.tables = {name: ValueCounts.from_state(each, known[name]) for name, each in state["tables"].items()}
    statistics.open_fields = {
        name: OpenField.from_state(name, each, known.get(name, {})) for name, each in state["open_fields"].items()
    }
    statistics.families = {name: frozenset(each) for name, each in state["families"].items()}
    statistics.moments = {name: Moments.from_state(each) for name, each in state["moments"].items()}
    if encoding.numeric is not None and not encoding.numeric.is_default:
        statistics.numeric = encoding.numeric
    return statistics


def _known(encoding: Encoding) -> dict[str, Known]:
    return {name: vocabulary.known for name, vocabulary in encoding.vocabularies.items()}
