"""Classes of ECO as evidence codes of GO: the official correspondence, and what it lacks."""

import polars as pl
import pytest

from pipeline.annotations.evidence import go_code

# The rows of gaf-eco-mapping.txt (evidenceontology, 2024) by which a class is a code's own.
DEFAULTS = {
    "EXP": "0000269", "HDA": "0007005", "HEP": "0007007", "HGI": "0007003", "HMP": "0007001",
    "HTP": "0006056", "IBA": "0000318", "IBD": "0000319", "IC": "0000305", "IDA": "0000314",
    "IEA": "0007669", "IEP": "0000270", "IGC": "0000317", "IGI": "0000316", "IKR": "0000320",
    "IMP": "0000315", "IPI": "0000353", "IRD": "0000321", "ISA": "0000247", "ISM": "0000255",
    "ISO": "0000266", "ISS": "0000250", "NAS": "0000303", "ND": "0000307", "RCA": "0000245",
    "TAS": "0000304",
}  # fmt: skip
# Those by which a reference decides, too.
BY_REFERENCE = [
    ("IEA", "GO_REF:0000002", "0000256"), ("IEA", "GO_REF:0000003", "0007669"),
    ("IEA", "GO_REF:0000019", "0000265"), ("IEA", "GO_REF:0000037", "0000322"),
    ("IEA", "GO_REF:0000038", "0000323"), ("IEA", "GO_REF:0000108", "0000363"),
    ("IGC", "GO_REF:0000025", "0000354"), ("ISS", "GO_REF:0000011", "0000255"),
    ("ISS", "GO_REF:0000012", "0000031"), ("ISS", "GO_REF:0000027", "0000031"),
]  # fmt: skip


def code(eco: str, references: str = "PMID:1", properties: str = "") -> str | None:
    table = pl.DataFrame({"eco": [eco], "references": [references], "properties": [properties]})
    found: str | None = table.select(
        go_code(pl.col("eco"), pl.col("references"), pl.col("properties"))
    ).item()
    return found


def test_every_code_has_its_class() -> None:
    assert {of: code(f"ECO:{eco}") for of, eco in DEFAULTS.items()} == {of: of for of in DEFAULTS}


@pytest.mark.parametrize(("expected", "reference", "eco"), BY_REFERENCE)
def test_a_reference_is_more_specific(expected: str, reference: str, eco: str) -> None:
    assert code(f"ECO:{eco}", reference) == expected
    assert code(f"ECO:{eco}", f"PMID:1 | {reference}") == expected


@pytest.mark.parametrize(
    ("eco", "expected"),
    # Rows of gaf-eco-mapping-derived.txt: classes below that of a code.
    [("0006075", "IPI"), ("0000501", "IEA"), ("0006059", "HTP"), ("0000031", "ISA"),
     ("0001232", "IDA"), ("0007322", "IEA")],
)  # fmt: skip
def test_a_class_has_the_code_of_the_nearest_above(eco: str, expected: str) -> None:
    assert code(f"ECO:{eco}") == expected


def test_a_class_that_is_not_known() -> None:
    assert code("ECO:9999999") is None
    assert code("ECO:9999999", properties="id=3|go_evidence=ida") == "IDA"
    assert code("ECO:0000314", properties="go_evidence=IMP") == "IDA"  # the class is what counts
    assert code("ECO:9999999", properties="no_go_evidence=IDA") is None
