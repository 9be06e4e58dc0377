"""A screen of a trained model: its genotypes, their predictions and interactions, part by part."""

import hashlib
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from data_specs.chain import made_from_metadata
from data_specs.errors import InputError
from data_specs.parameters import no_such
from dcell_model.checkpoint import LEVEL
from dcell_model.machine import threads
from dcell_model.predict import FloatArray, IntArray, Trained
from dcell_model.screen.engine import ScreenEngine
from dcell_model.screen.genes import genes_of, query_of
from dcell_model.screen.genotype_space import GenotypeSpace, Part
from dcell_model.screen.interactions import interactions, score_of

LARGEST = float(np.finfo(np.float32).max)  # that a table holds; NaN is not below it either
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


class References(NamedTuple):
    """What interactions are relative to: predictions of each of K members.

    Attributes:
        wild_type: `[K]`.
        single: `[K, G]` single deletions; none where the score needs none.
    """

    wild_type: FloatArray
    single: FloatArray


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

    def references(self) -> "References":
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
        return References(wild_type, self.predict(np.arange(genes)[:, None]))

    def _no_number(self, found: float, genes: Iterable[int]) -> InputError:
        ids = self.trained.graph.gene_ids
        names = "|".join(ids[gene] for gene in genes) or "the wild type"
        return InputError(
            f"{names}: the model's prediction or interaction is {found:.4g}, which has no rank. "
            "Its weights are too large; train again, with a lower train.lr or with train.clip."
        )

    def part(self, part: Part, references: "References") -> pa.Table:
        """The rows of a part, without those below the threshold.

        Raises:
            InputError: an interaction that is no finite number, and so neither weak nor strong.
        """
        genotypes = self.space.genotypes(part)
        columns = self._scored(genotypes, references)
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

    def _scored(self, genotypes: IntArray, references: "References") -> dict[str, FloatArray]:
        """Columns of a table, float64: those of the mean, then of an ensemble the spreads."""
        own = self.predict(genotypes)
        remembered: list[FloatArray] = []

        def of_pairs(pairs: IntArray) -> FloatArray:
            if not remembered:  # the same pairs for the mean and for every member
                remembered.append(self.predict(pairs))
            return remembered[0]

        def scored(take: Callable[[FloatArray], FloatArray]) -> FloatArray:
            return interactions(
                self.score, genotypes, take(own), float(take(references.wild_type)),
                take(references.single), lambda pairs: take(of_pairs(pairs)),
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
