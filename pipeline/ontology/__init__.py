"""Stage `ontology`: terms, edges of the chosen relations, and aliases."""

from pipeline.ontology.stage import read_ontology, run

__all__ = [
    "read_ontology",
    "run",
]
