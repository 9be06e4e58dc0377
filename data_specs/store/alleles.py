"""The allele names of a store's samples, where a build kept them (`genotypes.alleles: keep`).

They stand beside the samples' genes in `samples.parquet`. No model reads them.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data_specs.errors import ArtefactError
from data_specs.tables import ALLELES, parts_of


def alleles_of(store: Path) -> list[str] | None:
    """The alleles of every sample, one a gene in the order of its genes, joined by `|`.

    Empty for a sample of a table that names none; None if the build merged alleles, or is of a
    version that did not know them.

    Args:
        store: folder of the store.

    Raises:
        ArtefactError: the table of samples is not readable.
    """
    found: list[str] = []
    for part in parts_of(store / "samples.parquet"):
        try:
            if ALLELES not in pq.read_schema(part).names:
                return None
            with pq.ParquetFile(part) as file:
                lists = file.read(columns=[ALLELES])[ALLELES].to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise ArtefactError(f"{part}: not readable ({error}). Build the data again.") from None
        found += ["|".join(own) for own in lists]
    return found or None
