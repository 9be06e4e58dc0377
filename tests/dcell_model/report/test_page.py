"""Numbers are written as people read them, and links are made for real ids only."""

import pytest

from dcell_model.report.page import amigo, duration, like, score, sgd, share, signed, size


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (share(None), "–"),
        (share(-4.73e-8), "0.000"),
        (share(-0.0256), "−0.026"),
        (score(None), "–"),
        (score(-0.25), "−0.250"),
        (score(0.00064), "0.00064"),
        (score(0.0), "0.000"),
        (like(0.00091, 0.0069), "0.00091"),
        (like(-3.2, 14.0), "−3.20"),
        (like(0.0, 0.0), "0.00"),
        (signed(-0.04391), "−0.0439"),
        (size(999), "999 bytes"),
        (size(39_055), "39.1 kB"),
        (size(7 * 10**12), "7,000.0 GB"),
        (duration(36.1), "36.1 s"),
        (duration(600), "10 min"),
        (duration(9000), "2.5 h"),
    ],
)
def test_numbers(written: str, expected: str) -> None:
    assert written == expected


def test_links() -> None:
    assert amigo("GO:0006281") == "https://amigo.geneontology.org/amigo/term/GO:0006281"
    assert sgd("YAL001C-A") == "https://www.yeastgenome.org/locus/YAL001C-A"
    for other in ("GO:ROOT", "GO:0006281/../x", "", "GO:00062811"):
        assert amigo(other) is None
    for other in ("TP53", "YAL001", "YAL001C<", "yal001c"):
        assert sgd(other) is None
