"""Evidence of ECO (the Evidence and Conclusion Ontology) as evidence codes of GO, as GAF has them.

The correspondence is the official one, `gaf-eco-mapping-derived.txt`
(http://purl.obolibrary.org/obo/eco/gaf-eco-mapping-derived.txt), as goatools carries it: each class
of ECO has the code of the nearest class above it, or itself, that is a code's own. Where a code
depends on the reference too, `gaf-eco-mapping.txt` is more specific, and goes first.
"""

import polars as pl
from goatools.anno.eco2group import ECO2GRP

# The pairs of gaf-eco-mapping.txt whose code is not that of the class alone.
BY_REFERENCE = {
    ("ECO:0000255", "GO_REF:0000011"): "ISS",
    ("ECO:0000031", "GO_REF:0000012"): "ISS",
    ("ECO:0000031", "GO_REF:0000027"): "ISS",
}


def go_code(eco: pl.Expr, references: pl.Expr, properties: pl.Expr) -> pl.Expr:
    """The evidence code of GO for a class of ECO; null where none is known.

    Args:
        eco: ids of classes, `ECO:0000314`.
        references: references of the lines, separated by `|`.
        properties: annotation properties, separated by `|`. A class that the correspondence lacks
            has the code that the file itself states here as `go_evidence=IDA`.
    """
    given = references.str.split("|").list.eval(pl.element().str.strip_chars())
    by_reference = [
        pl.when((eco == of_class) & given.list.contains(reference)).then(pl.lit(code))
        for (of_class, reference), code in BY_REFERENCE.items()
    ]
    stated = properties.str.extract(r"(?:^|\|)\s*go_evidence\s*=\s*([A-Za-z]{2,3})\s*(?:$|\|)")
    return pl.coalesce(
        *by_reference,
        eco.replace_strict(ECO2GRP, default=None, return_dtype=pl.String),
        stated.str.to_uppercase(),
    )
