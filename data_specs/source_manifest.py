"""The public files of the source profiles: where they are, what they are, how to check them."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["ontology", "annotations", "genotypes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One public file.

    Attributes:
        role: the input as which it is read.
        url: where it is fetched from.
        file: its name, inside the archive where the URL is one.
        sha256: of that file; None where the place serves a moving release, whose checksum and
            version go to the ledger instead.
        citation: whom to credit, and under which terms.
    """

    role: Role
    url: str
    file: str
    sha256: str | None
    citation: str


YEAST: tuple[Source, ...] = (
    Source(
        role="ontology",
        url="https://current.geneontology.org/ontology/go-basic.obo",
        file="go-basic.obo",
        sha256=None,
        citation="Gene Ontology Consortium, CC BY 4.0",
    ),
    Source(
        role="annotations",
        url="https://current.geneontology.org/annotations/sgd.gaf.gz",
        file="sgd.gaf.gz",
        sha256=None,
        citation="Saccharomyces Genome Database and Gene Ontology Consortium, CC BY 4.0",
    ),
    Source(
        role="genotypes",
        url="https://www.science.org/doi/suppl/10.1126/science.aao1729/suppl_file/aao1729_data_s1.zip",
        file="aao1729_data_s1.tsv",
        sha256="c82b60f98590071fcb07b74b672958a5863b58e03b78631e6235cb664ee82afb",
        citation="Kuzmin et al. 2018, doi:10.1126/science.aao1729, Data S1",
    ),
)

PROFILES: dict[str, tuple[Source, ...]] = {"yeast": YEAST}
