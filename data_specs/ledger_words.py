"""The ledger in words: what a step kept and dropped, the same on every terminal and page.

A function gives the lines of one step, from its part of the ledger; what is written before them is
the caller's. Nothing is left out but what is 0.
"""

from collections.abc import Mapping
from typing import Any

ORDERS = {"1": "single", "2": "double", "3": "triple"}


def words(key: str) -> str:
    """A key of the ledger as it is read."""
    return key.replace("_", " ")


def counted(counts: Mapping[str, int], *, zeros: bool = False) -> str:
    """Counts with what they count, such as `15 negated, 38 no gene id`; zeros if they are asked."""
    shown = ((name, count) for name, count in counts.items() if count or zeros)
    return ", ".join(f"{count:,} {words(name)}" for name, count in shown)


def dropped(reasons: Mapping[str, int]) -> str:
    """How many records were dropped, by reason."""
    return f"dropped: {counted(reasons) or 'none'}"


def of_annotations(ledger: Mapping[str, Any]) -> list[str]:
    """The annotation lines; of several files those of each, too, and evidence that is not known."""
    said = [f"{ledger['lines']:,} lines, {ledger['kept']:,} kept", dropped(ledger["dropped"])]
    for file in ledger.get("annotation_files", []):  # not of one GAF, and not of early builds
        said.append(
            f"{file['path']} ({file['format']}): {file['lines']:,} lines, {file['kept']:,} kept, "
            f"{file['pairs']:,} pairs, {file['pairs_here_only']:,} of them in no other file"
        )
        if unmapped := file.get("unmapped_evidence"):
            said.append(f"evidence without a code of GO: {counted(unmapped)}")
        if genes := file.get("genes_without_info"):
            said.append(f"genes that no GPI file has: {genes:,}")
    return said


def of_ontology(ontology: Mapping[str, Any]) -> list[str]:
    """What of the ontology was left out; nothing if nothing was, or if an early build says none."""
    lines = []
    if counted(edges := ontology.get("dropped_edges", {})):
        lines.append(f"edges {dropped(edges)}")
    if tags := ontology.get("unknown_tags"):
        # A tag is written as the file has it.
        found = ", ".join(f"{count:,} {tag}" for tag, count in tags.items())
        lines.append(f"lines by tags that OBO does not have: {found}")
    return lines


def of_genotypes(genotypes: Mapping[str, Any]) -> list[str]:
    """The rows of the genotype tables, and the genotypes that they are."""
    rows = f"{genotypes['rows']:,} rows, {genotypes['genotypes']:,} genotypes ({orders(genotypes)})"
    lines = [rows, f"{dropped(genotypes['dropped'])}; {genotypes['merged']:,} rows merged"]
    for file in genotypes.get("files", ()):
        if own := file.get("cell_lines"):
            lines.insert(0, _of_cell_lines(own))
    if kept := genotypes.get("alleles"):
        lines.append(
            f"alleles kept: {kept['gene_sets']:,} gene sets, {kept['with_several']:,} of them with "
            f"several alleles, in {kept['samples_of_these']:,} genotypes"
        )
    if states := genotypes.get("states"):
        found = ", ".join(f"{count:,} in {state}" for state, count in states.items())
        lines.append(f"states of the genes of genotypes: {found}")
    return lines


def _of_cell_lines(own: Mapping[str, Any]) -> str:
    """The responses of cell lines that became a genotype table."""
    drugs = ", ".join(f"{drug} ({rows:,})" for drug, rows in own["drugs"].items())
    channels = f"{', '.join(own['channels'])}{'' if own['apart'] else ' together'}"
    return (
        f"{own['rows']:,} responses, {own['cell_lines']:,} cell lines; taken: {drugs}; "
        f"{dropped(own['dropped'])}; channels: {channels}"
    )


def orders(genotypes: Mapping[str, Any]) -> str:
    """How many genotypes there are of how many deletions."""
    counts = genotypes["orders"].items()
    return ", ".join(f"{count:,} {ORDERS.get(order, order + '-fold')}" for order, count in counts)


def of_store(store: Mapping[str, Any]) -> list[str]:
    """The samples, and the genotypes that the store lacks if it lacks any."""
    lines = [f"{store['samples']:,} samples, {store['bytes_per_sample']:,} bytes each"]
    if counted(store["dropped"]):
        lines.append(dropped(store["dropped"]))
    return lines


def of_names(genotypes: Mapping[str, Any], store: Mapping[str, Any]) -> list[str]:
    """The genes of the genotypes, and how many of their names were taken as what, zeros too."""
    without = f"{store['unannotated_genes']:,} of {genotypes['genes']:,} genes without annotation"
    how = counted(genotypes.get("names", {}), zeros=True)  # an early build says nothing of them
    return [without, how] if how else [without]


def of_network(network: Mapping[str, Any]) -> list[str]:
    """The edges of one gene network, and the rows that it lacks if it lacks any."""
    lines = [f"{network['edges']:,} edges between {network['genes']:,} genes"]
    if counted(network["dropped"]):
        lines.append(dropped(network["dropped"]))
    return lines
