"""What is said of a build whose genotypes hardly meet its hierarchy."""

import pytest

from data_specs.touching import ambiguous_names, few_touch


def test_half_is_enough() -> None:
    assert few_touch({"samples": 10, "touching": 5, "unannotated_genes": 3}) is None
    assert few_touch({"samples": 10, "unannotated_genes": 3}) is None  # a build from before


@pytest.mark.parametrize("touching", [1, 4])
def test_less_is_said(touching: int) -> None:
    said = few_touch({"samples": 10, "touching": touching, "unannotated_genes": 3})
    assert said is not None
    assert said.startswith(f"only {touching} of 10 samples touch a term")
    assert "3 genes of the genotypes have no annotation" in said


def test_ambiguous_names_are_said() -> None:
    assert ambiguous_names({}) is None
    assert ambiguous_names({"ambiguous": 0}) is None
    assert "2 names in the genotypes are names of several genes" in (
        ambiguous_names({"ambiguous": 2}) or ""
    )
