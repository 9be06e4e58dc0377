"""The strongest interactions of a screen, with names, intervals and genes new to the model."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dcell_model.predict import Trained


def strongest_of(
    parts: Sequence[Path],
    top: int,
    trained: Trained,
    interval: Mapping[str, float] | None,
    unseen: Collection[str],
) -> pa.Table:
    """The rows with the strongest interactions, the strongest first, with names and intervals.

    Holds one part and the best so far; of equals the earlier one is stronger. Values that
    are not finite are omitted: files of an earlier version may hold them.
    """
    best: pa.Table | None = None
    for path in parts:
        table = pq.read_table(path)
        table = (
            table if best is None else pa.concat_tables([best, table], promote_options="default")
        )
        strength = np.abs(table["interaction"].to_numpy())
        ranked = np.argsort(-strength, kind="stable")
        best = table.take(ranked[np.isfinite(strength[ranked])][:top])
    assert best is not None
    names = [column for column in best.column_names if column.startswith("gene_")]
    for name in names:
        symbols = [trained.names.symbol(gene) for gene in best[name].to_pylist()]
        best = best.append_column(f"name_{name[-1]}", pa.array(symbols, pa.string()))
    rows = zip(*(best[name].to_pylist() for name in names), strict=True)
    new = ["|".join(gene for gene in own if gene in unseen) for own in rows]
    best = best.append_column("unseen", pa.array(new, pa.string()))
    spreads = [name for name in best.column_names if name.endswith("_spread")]
    values = ["prediction", "interaction", *spreads]
    if interval is not None:
        width = np.full(len(best), interval["half_width"])
        if interval["per_spread"]:
            width *= 1 + interval["per_spread"] * best["prediction_spread"].to_numpy()
        for name, sign in (("low", -1), ("high", 1)):
            end = best["prediction"].to_numpy() + sign * width
            best = best.append_column(name, pa.array(end.astype(np.float32)))
        values[1:1] = ["low", "high"]
    order = [*names, *(f"name_{name[-1]}" for name in names), *values, "unseen"]
    return best.select(order).replace_schema_metadata(None)
