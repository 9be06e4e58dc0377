"""`dcell screen`: predict every genotype of an order, and the interaction in each.

The folder of a screen holds

- `screen.json`: what is screened, with which checkpoint; a screen is resumed only as it began
- `genotypes.parquet/00000.parquet`, …: `gene_1` … `gene_k` (systematic names, sorted), `prediction`
  in the phenotype's units and `interaction` (see `interactions`), float32; of an ensemble also
  `prediction_spread` and, where the interaction is not the prediction, `interaction_spread`, the
  standard deviations over its members. One part after another, each whole or not there
- `top.parquet`: the strongest interactions, the strongest first, with standard names, the ends
  `low` and `high` of the prediction's interval, and `unseen`, those of its genes that training
  never saw deleted, for which no interval holds
- `summary.json`: how many were predicted and kept, the prediction for the wild type, the interval
  (its half width, times `1 + per_spread · prediction_spread`) and the genes never seen deleted
"""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from data_specs.files import replacing_file
from data_specs.layout import MARKERS, read_json, write_json
from data_specs.output_folders import FolderKind, taken
from data_specs.outputs import written
from data_specs.own_entries import remove_own
from data_specs.parameters import Dask
from data_specs.tables import parts_of
from dcell_model.checkpoint import refuse_difference
from dcell_model.machine import keep_freed_memory
from dcell_model.predict import open_run
from dcell_model.screen.parts import TABLE, write_parts
from dcell_model.screen.screen import Screen, Settings
from dcell_model.screen.top import strongest_of

MARKER, TOP, SUMMARY = MARKERS["screen"], "top.parquet", "summary.json"
FORMAT = {"format": "dcell-screen", "version": 1}
# A screen continues rather than being replaced; `_prepare` refuses before it begins anew.
_PART = "[0-9][0-9][0-9][0-9][0-9].parquet"
KIND = FolderKind("screen", (f"{TABLE}/{_PART}", TOP, SUMMARY, MARKER), (), MARKER, FORMAT)


def run(
    checkpoint: Path,
    out: Path,
    settings: Settings,
    *,
    top: int = 100,
    device: str = "cpu",
    overwrite: bool = False,
    dask: Dask | None = None,
) -> dict[str, Any]:
    """Screen, or go on with a screen that was stopped.

    Args:
        checkpoint: of a training run.
        out: folder of the screen.
        settings: of the screen.
        top: how many of the strongest interactions go into `top.parquet`.
        device: `cpu` or `cuda`.
        overwrite: replace another screen in the folder; other files stay.
        dask: who predicts; by default this process, on all cores. Workers of a cluster find
            checkpoint, genes and folder under the same paths. The files are the same bytes.

    Returns:
        The content of `summary.json`.

    Raises:
        InputError: see `Screen.of`; the folder is another screen's, or something else; the cluster
            cannot be reached, or is lost.
        ArtefactError: the checkpoint is damaged or of another version.
    """
    keep_freed_memory()
    given = [checkpoint, *([settings.genes] if settings.genes else [])]
    with taken(out, KIND, overwrite=overwrite, inputs=given):
        screen = Screen.of(open_run(checkpoint, device=device), settings)
        _prepare(out, FORMAT | screen.description(), overwrite)
        wild_type = write_parts(screen, checkpoint, out, dask or Dask())
        return _summarise(screen, wild_type, out, top)


def _summarise(screen: Screen, wild_type: float, out: Path, top: int) -> dict[str, Any]:
    """Write the strongest interactions and the summary of all parts."""
    interval, unseen = screen.interval(), screen.unseen_genes()
    strongest = strongest_of(parts_of(out / TABLE), top, screen.trained, interval, unseen)
    with replacing_file(out / TOP) as partial:
        pq.write_table(strongest, partial, compression="zstd")
    summary = {
        "numbered": len(screen.space),
        "kept": sum(pq.read_metadata(path).num_rows for path in parts_of(out / TABLE)),
        "score": screen.score,
        "wild_type": wild_type,
        "members": len(screen.trained.members),
        "interval": interval,
        "unseen_genes": unseen,
        "left_out": list(screen.left_out),
    }
    write_json(out / SUMMARY, summary)
    return summary


def _prepare(out: Path, description: dict[str, Any], overwrite: bool) -> None:
    """Begin a screen, or go on with the same; with `overwrite` another one's files are removed.

    Raises:
        InputError: names the difference.
    """
    if (out / MARKER).is_file():
        before = read_json(out / MARKER)
        if overwrite and before != description:
            # All but the marker, which goes on saying whose folder it is.
            remove_own(out, [name for name in KIND.own if name != MARKER])
            before = description
        refuse_difference(
            before, description, f"{out}: holds a screen with",
            f"a screen goes on as it began ({written(out, [Path(MARKER)])}). Name another folder, "
            "or replace it with --overwrite.",
        )  # fmt: skip
    write_json(out / MARKER, description)
