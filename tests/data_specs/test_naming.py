"""What names in genotype tables mean."""

import pytest

from data_specs.gene_names import GeneNames
from data_specs.naming import Naming

ROWS = [
    ("HO", "YDL227C", "symbol"),
    ("CTL1", "YAL001C", "symbol"),
    ("OLD", "YAL001C", "synonym"),
    ("OLD", "YAL002W", "synonym"),
]
NAMES = GeneNames(ROWS)
BARE = GeneNames([("CTL1", "YAL001C", "symbol")])  # annotations without a line of HO
EXACT = GeneNames(ROWS, exact=True)


@pytest.mark.parametrize("control", ["HO", "ho", "YDL227C", "ydl227c"])
@pytest.mark.parametrize("name", ["HO", "Ho", "YDL227C", "ydl227C"])
@pytest.mark.parametrize("names", [NAMES, BARE])
def test_all_names_of_ho_are_the_control(names: GeneNames, name: str, control: str) -> None:
    assert Naming(names, control).is_control(name)


def test_no_other_gene_is_the_control() -> None:
    for names in (NAMES, BARE):
        naming = Naming(names, "HO")
        assert not any(map(naming.is_control, ["CTL1", "YAL001C", "HO1", "YDL227W", ""]))
        assert Naming(names, "ctl1").is_control("YAL001C")
        assert not Naming(names, "ctl1").is_control("HO")
        assert not Naming(names).is_control("HO")
    assert not Naming(NAMES, "YAL002W").is_control("OLD")
    assert Naming(NAMES, "OLD").is_control("OLD")


def test_a_gene_that_annotations_call_ho_is_that_gene() -> None:
    fly = GeneNames([("Ho", "FBgn0037933", "symbol")])
    assert not Naming(fly, "YDL227C").is_control("Ho")
    assert Naming(fly, "FBgn0037933").is_control("ho")


def test_exact_names_have_no_aliases() -> None:
    assert Naming(EXACT, "YDL227C").is_control("YDL227C")
    assert not Naming(EXACT, "YDL227C").is_control("HO")
    assert not Naming(EXACT, "HO").is_control("YDL227C")


def test_by_default_names_mean_themselves() -> None:
    assert Naming().gene("yal001c") == "yal001c"
