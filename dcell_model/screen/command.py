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

import hashlib
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_specs.chain import made_from_metadata
from data_specs.errors import InputError
from data_specs.files import replacing_file
from data_specs.layout import MARKERS, read_json, write_json
from data_specs.output_folders import FolderKind, taken
from data_specs.outputs import written
from data_specs.own_entries import remove_own
from data_specs.parameters import no_such
from data_specs.tables import part_name, parts_of
from dcell_model.checkpoint import LEVEL, refuse_difference
from dcell_model.machine import keep_freed_memory, one_thread, progress, threads
from dcell_model.predict import FloatArray, IntArray, Trained, open_run
from dcell_model.screen.engine import ScreenEngine
from dcell_model.screen.genes import genes_of, query_of
from dcell_model.screen.genotype_space import GenotypeSpace, Part
from dcell_model.screen.interactions import interactions, score_of
from dcell_model.screen.top import strongest_of

MARKER, TABLE = MARKERS["screen"], "genotypes.parquet"
TOP, SUMMARY = "top.parquet", "summary.json"
LARGEST = float(np.finfo(np.float32).max)  # that a table holds; NaN is not below it either
FORMAT = {"format": "dcell-screen", "version": 1}
# A screen continues rather than being replaced; `_prepare` refuses before it begins anew.
_PART = "[0-9][0-9][0-9][0-9][0-9].parquet"
KIND = FolderKind("screen", (f"{TABLE}/{_PART}", TOP, SUMMARY, MARKER), (), MARKER, FORMAT)
MOST_PARTS = 10**5  # names of parts have five digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a screen.

    Attributes:
        order: genes deleted at once, 2 or 3.
        queries: a genotype holds all genes of at least one of these, as `split_names` takes them;
            none: all genotypes.
        genes: file of the genes to combine; by default all that the model knows.
        phenotype: by default the model's first.
        score: one of `interactions.SCORES`.
        threshold: parts hold the genotypes whose interaction is at least this far from 0.
        part_rows: genotypes predicted for a part.
        batch_size: genotypes at a time.
    """

    order: int
    queries: Sequence[str] = ()
    genes: Path | None = None
    phenotype: str | None = None
    score: str = "auto"
    threshold: float | None = None
    part_rows: int = 100_000
    batch_size: int = 8192


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen of a trained model, ready to run.

    Attributes:
        trained: the model.
        space: the genotypes.
        phenotype: number of the phenotype among the model's.
        score: the score that `auto` stands for, if that was asked for.
        engine: predicts them.
        left_out: names from the file of genes that the model does not know.
    """

    trained: Trained
    settings: Settings
    space: GenotypeSpace
    phenotype: int
    score: str
    engine: ScreenEngine
    left_out: Sequence[str]

    @classmethod
    def of(cls, trained: Trained, settings: Settings) -> "Screen":
        """Look up genes and phenotype.

        Raises:
            InputError: an unknown phenotype or query gene, or too many genotypes.
        """
        name = settings.phenotype or trained.phenotypes[0]
        if name not in trained.phenotypes:
            raise InputError(f"the checkpoint: {no_such('phenotype', name, trained.phenotypes)}")
        queries = sorted({query_of(trained, text, settings.order) for text in settings.queries})
        genes, left_out = genes_of(trained, settings.genes)
        screen = cls(
            trained=trained,
            settings=settings,
            space=GenotypeSpace(genes, settings.order, queries or [()]),
            phenotype=trained.phenotypes.index(name),
            score=score_of(name) if settings.score == "auto" else settings.score,
            engine=ScreenEngine(trained, settings.batch_size, threads()),
            left_out=left_out,
        )
        count = len(screen.space)
        if not count:
            raise InputError(
                f"no genotype of {settings.order} genes: {len(genes)} genes to combine are too few"
            )
        if count > settings.part_rows * MOST_PARTS:
            raise InputError(
                f"{count:,} genotypes of {settings.order} genes; at most "
                f"{settings.part_rows * MOST_PARTS:,} fit {MOST_PARTS:,} parts. Screen around some "
                "genes (--with), or combine fewer (--genes)."
            )
        return screen

    def description(self) -> dict[str, Any]:
        """The values that must equal an earlier screen's to continue it."""
        ids = self.trained.graph.gene_ids
        names = [ids[gene] for gene in self.space.genes]
        return {
            **FORMAT,
            "checkpoint": self.trained.digest,
            "phenotype": self.trained.phenotypes[self.phenotype],
            "score": self.score,
            "order": self.space.order,
            "queries": ["|".join(ids[gene] for gene in query) for query in self.space.queries],
            "genes": len(names),
            "genes_sha256": hashlib.sha256("\n".join(names).encode()).hexdigest(),
            "threshold": self.settings.threshold,
            "part_rows": self.settings.part_rows,
            "batch_size": self.settings.batch_size,
        }

    def predict(self, genotypes: IntArray) -> FloatArray:
        """`[K, B]` calibrated predictions of `[B, k]` genotypes by each member."""
        heads = self.trained.in_units(self.engine.predict(genotypes))
        own: FloatArray = self.trained.calibration.apply(heads)[..., self.phenotype].numpy()
        return own

    def references(self) -> tuple[FloatArray, FloatArray]:
        """Predictions of the wild type `[K]`, and of single deletions `[K, G]` for the score.

        Raises:
            InputError: fitness relative to a wild type that is predicted not to grow, or a
                prediction that is no finite number.
        """
        wild_type = self.predict(np.zeros((1, 0), dtype=np.int64))[:, 0]
        if not np.isfinite(wild_type).all():
            raise self._no_number(float(wild_type[~np.isfinite(wild_type)][0]), ())
        if self.score == "multiplicative" and wild_type.min() <= 0:
            raise InputError(
                f"the model predicts {wild_type.min():.4f} for the wild type: no fitness is "
                "relative to that. Train longer, or say --score additive."
            )
        genes = self.trained.graph.num_genes if self.score != "prediction" else 0
        return wild_type, self.predict(np.arange(genes)[:, None])

    def _no_number(self, found: float, genes: Iterable[int]) -> InputError:
        ids = self.trained.graph.gene_ids
        names = "|".join(ids[gene] for gene in genes) or "the wild type"
        return InputError(
            f"{names}: the model's prediction or interaction is {found:.4g}, which has no rank. "
            "Its weights are too large; train again, with a lower train.lr or with train.clip."
        )

    def part(self, part: Part, wild_type: FloatArray, single: FloatArray) -> pa.Table:
        """The rows of a part, without those below the threshold.

        Raises:
            InputError: an interaction that is no finite number, and so neither weak nor strong.
        """
        genotypes = self.space.genotypes(part)
        columns = self._scored(genotypes, wild_type, single)
        predicted, found = columns["prediction"], columns["interaction"]
        bad = np.flatnonzero(~(np.maximum(np.abs(found), np.abs(predicted)) <= LARGEST))
        if len(bad):
            raise self._no_number(found[bad[0]], genotypes[bad[0]])
        if self.settings.threshold is not None:
            strong = np.abs(found) >= self.settings.threshold
            genotypes = genotypes[strong]
            columns = {name: values[strong] for name, values in columns.items()}
        ids = pa.array(self.trained.graph.gene_ids)
        table = {
            f"gene_{n}": pa.DictionaryArray.from_arrays(pa.array(own.astype(np.int32)), ids)
            for n, own in enumerate(genotypes.T, start=1)
        }
        table |= {name: pa.array(values.astype(np.float32)) for name, values in columns.items()}
        origin = made_from_metadata({"checkpoint": self.trained.digest})
        return pa.table(table).replace_schema_metadata(origin)

    def _scored(
        self, genotypes: IntArray, wild_type: FloatArray, single: FloatArray
    ) -> dict[str, FloatArray]:
        """Columns of a table, float64: those of the mean, then of an ensemble the spreads."""
        own = self.predict(genotypes)
        remembered: list[FloatArray] = []

        def of_pairs(pairs: IntArray) -> FloatArray:
            if not remembered:  # the same pairs for the mean and for every member
                remembered.append(self.predict(pairs))
            return remembered[0]

        def scored(take: Callable[[FloatArray], FloatArray]) -> FloatArray:
            return interactions(
                self.score, genotypes, take(own), float(take(wild_type)), take(single),
                lambda pairs: take(of_pairs(pairs)),
            )  # fmt: skip

        columns = {"prediction": _mean(own), "interaction": scored(_mean)}
        if len(own) > 1:
            columns["prediction_spread"] = own.std(axis=0, ddof=1)
            if self.score != "prediction":
                each = [scored(operator.itemgetter(member)) for member in range(len(own))]
                columns["interaction_spread"] = np.std(each, axis=0, ddof=1)
        return columns

    def interval(self) -> dict[str, float] | None:
        """The interval of predictions; None where no validation part says how far they miss."""
        calibration = self.trained.calibration
        width = float(calibration.half_widths(LEVEL)[self.phenotype])
        if not math.isfinite(width):
            return None
        grows = float(calibration.per_spread[self.phenotype])
        return {"level": LEVEL, "half_width": width, "per_spread": grows}

    def unseen_genes(self) -> list[str]:
        """Systematic names of those that the screen combines and training never saw deleted."""
        ids, seen = self.trained.graph.gene_ids, self.trained.seen_genes
        own = {*self.space.genes.tolist(), *(g for query in self.space.queries for g in query)}
        return [ids[gene] for gene in sorted(own) if not seen[gene]]


def _mean(of_members: FloatArray) -> FloatArray:
    mean: FloatArray = of_members.mean(axis=0)
    return mean


def run(
    checkpoint: Path,
    out: Path,
    settings: Settings,
    *,
    top: int = 100,
    device: str = "cpu",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Screen, or go on with a screen that was stopped.

    Args:
        checkpoint: of a training run.
        out: folder of the screen.
        settings: of the screen.
        top: how many of the strongest interactions go into `top.parquet`.
        device: `cpu` or `cuda`.
        overwrite: replace another screen in the folder; other files stay.

    Returns:
        The content of `summary.json`.

    Raises:
        InputError: see `Screen.of`; the folder is another screen's, or something else.
        ArtefactError: the checkpoint is damaged or of another version.
    """
    keep_freed_memory()
    given = [checkpoint, *([settings.genes] if settings.genes else [])]
    with taken(out, KIND, overwrite=overwrite, inputs=given):
        screen = Screen.of(open_run(checkpoint, device=device), settings)
        _prepare(out, screen.description(), overwrite)
        return _run(screen, out, settings, top)


def _run(screen: Screen, out: Path, settings: Settings, top: int) -> dict[str, Any]:
    with one_thread():
        wild_type, single = screen.references()
    count = len(screen.space)
    with progress(f"{count:,} genotypes", count) as shown, one_thread():
        for number, part in enumerate(screen.space.parts(settings.part_rows)):
            path = out / TABLE / part_name(number)
            if not path.exists():
                with replacing_file(path) as partial:
                    table = screen.part(part, wild_type, single)
                    pq.write_table(table, partial, compression="zstd")
            shown.advance(part.last - part.first)
    interval, unseen = screen.interval(), screen.unseen_genes()
    strongest = strongest_of(parts_of(out / TABLE), top, screen.trained, interval, unseen)
    with replacing_file(out / TOP) as partial:
        pq.write_table(strongest, partial, compression="zstd")
    summary = {
        "numbered": len(screen.space),
        "kept": sum(pq.read_metadata(path).num_rows for path in parts_of(out / TABLE)),
        "score": screen.score,
        "wild_type": float(wild_type.mean()),
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
