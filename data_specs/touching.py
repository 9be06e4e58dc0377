"""Warnings about builds whose genotypes meet the hierarchy in few places."""

import sys
from collections.abc import Mapping
from typing import Any

from data_specs.layout import DataLayout, read_json


def few_touch(store: Mapping[str, Any]) -> str | None:
    """A warning if less than half of the samples touch a term, from the store's part of the ledger.

    None if more do, or if the build is from before they were counted.
    """
    touching, samples = store.get("touching"), store["samples"]
    if touching is None or 2 * touching >= samples:
        return None
    return (
        f"only {touching:,} of {samples:,} samples touch a term of the hierarchy; for a DCell the "
        f"others equal the wild type. {store['unannotated_genes']:,} genes of the genotypes have "
        "no annotation: do the genotypes and the annotations name genes alike? "
        "genotypes/gene_names.parquet lists the gene that was read for each name."
    )


def warn_if_few_touch(layout: DataLayout) -> None:
    """Print the warning about a build on the standard error, if there is one."""
    path = layout.store / "ledger.json"
    if path.is_file() and (warning := few_touch(read_json(path))):
        print(f"warning: {warning}", file=sys.stderr, flush=True)


def ambiguous_names(names: Mapping[str, Any]) -> str | None:
    """A warning if names have several meanings, from the `names` of the ledger's genotypes."""
    count = names.get("ambiguous", 0)
    if not count:
        return None
    return (
        f"{count:,} names in the genotypes are names of several genes, and are taken as genes "
        "without annotation; genotypes/gene_names.parquet lists them. Write systematic names, or "
        "map them to genes with sources.gene_names."
    )
