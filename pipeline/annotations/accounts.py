"""What came from which annotation file: the counts of each, for the ledger and for notes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipeline.annotations.formats import AnnotationLines


@dataclass(frozen=True, slots=True)
class FileAccount:
    """The account of one annotation file.

    Attributes:
        file: the file, as it was read.
        lines: that it has.
        kept: of them.
        dropped: the others by reason, reasons without a line omitted.
        pairs: different (term, gene) pairs of its lines, those that another file repeats too.
        pairs_here_only: those of them that no other file gives.
    """

    file: AnnotationLines
    lines: int
    kept: int
    pairs: int
    pairs_here_only: int
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def format(self) -> str:
        """The format of the file."""
        return self.file.format

    @property
    def is_gpad(self) -> bool:
        """Whether it is GPAD, which a GPI file completes."""
        return self.file.is_gpad

    def to_json(self, name: str) -> dict[str, Any]:
        """The entry of the ledger for the file of that name in `sources.json`."""
        account: dict[str, Any] = {
            "path": name,
            "format": self.format,
            "lines": self.lines,
            "dropped": dict(self.dropped),
            "kept": self.kept,
            "pairs": self.pairs,
            "pairs_here_only": self.pairs_here_only,
        }
        if self.is_gpad:
            account["unmapped_evidence"] = dict(self.file.unmapped_evidence)
            account["genes_without_info"] = self.file.unnamed_genes
        return account

    def notes(self) -> Iterator[str]:
        """What a user should know of the file."""
        if unmapped := self.file.unmapped_evidence:
            listed = ", ".join(f"{eco} in {lines:,} lines" for eco, lines in unmapped[:5])
            more = f" and {len(unmapped) - 5} more" if len(unmapped) > 5 else ""
            yield (
                f"{self.file.path}: no evidence code of GO is known for {listed}{more}. Such lines "
                "are filtered by the class of ECO itself; ledger.json lists all."
            )
        if genes := self.file.unnamed_genes:
            yield (
                f"{self.file.path}: no GPI file has {genes:,} of its genes, which so have no "
                "symbols and synonyms. Give its GPI file as sources.gene_info (--gene-info)."
            )


def accounts_of(
    files: Sequence[AnnotationLines], table: pl.DataFrame, reasons: Sequence[str]
) -> tuple[FileAccount, ...]:
    """The accounts of files.

    Args:
        files: in their order.
        table: the lines of all, judged: `file` numbers the files, `counted` says why a line is
            dropped, `reason` why it would be if it were not repeated, and others have `term` and
            `gene`.
        reasons: all there are, in the order in which they are listed.
    """
    pairs = table.filter(pl.col("reason").is_null()).select("file", "term", "gene").unique()
    once = pairs.filter(~pl.struct("term", "gene").is_duplicated())
    accounts = []
    for number, file in enumerate(files):
        own = table.filter(file=number)
        counts = dict(own.group_by("counted").len().iter_rows())
        accounts.append(
            FileAccount(
                file,
                lines=own.height,
                kept=counts.get(None, 0),
                pairs=pairs.filter(file=number).height,
                pairs_here_only=once.filter(file=number).height,
                dropped={reason: counts[reason] for reason in reasons if reason in counts},
            )
        )
    return tuple(accounts)
