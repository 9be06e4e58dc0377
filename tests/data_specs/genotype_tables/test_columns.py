"""Which columns are phenotypes: no vote over cells, and nothing omitted in silence."""

import re
from pathlib import Path

import pytest

from data_specs.errors import InputError
from data_specs.genotype_tables.headers import FORMS
from data_specs.genotype_tables.words import LARGEST, NOT_MEASURED
from tests.genotype_tables import GenotypeTable, read


def table(
    tmp_path: Path, cells: list[str], *phenotypes: str, skip: bool = False, more: str = "7"
) -> GenotypeTable:
    rows = "".join(f"A\tB{at}\t{cell}\t{more}\n" for at, cell in enumerate(cells))
    (tmp_path / "t.tsv").write_text(f"gene_1\tgene_2\tfitness\tplate\n{rows}")
    how = "skip" if skip else "error"
    return read(tmp_path / "t.tsv", on_bad_row=how, phenotypes=phenotypes)


@pytest.mark.parametrize("word", [*NOT_MEASURED, " nd ", "NaN", "Missing", "Not measured"])
def test_the_first_stays_the_target_where_most_were_not_measured(tmp_path: Path, word: str) -> None:
    found = table(tmp_path, [word, word, "0.5", word])
    assert found.phenotypes == ("fitness", "plate")
    assert found.dropped == {"missing_phenotype": 3}
    assert found.not_measured == {"fitness": {word.strip() or "(empty)": 3}}
    assert found.frame["fitness"].to_list() == [0.5]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("0,91", "a decimal point in place of the comma, as in 0.91"),
        ("inf", "a finite number"),
        ("-Infinity", "a finite number"),
        ("1.234,5", "a finite number"),
        ("<0.01", "a finite number"),
        ("95%", "a finite number"),
        ("−0.5", "a finite number"),
        ("0.9±0.1", "a finite number"),
        ("sick", "a finite number"),
        ("1e39", "a finite number of at most 1e+15 in size"),
        ("-1e30", "a finite number of at most 1e+15 in size"),
        ("1e300", "a finite number of at most 1e+15 in size"),
        ("1e999", "a finite number of at most 1e+15 in size"),
    ],
)
@pytest.mark.parametrize("share", ["one", "most"])
def test_any_other_cell_is_an_error_with_column_and_line(
    tmp_path: Path, cell: str, expected: str, share: str
) -> None:
    cells = ["0.5", cell, "0.25"] if share == "one" else [cell, cell, "0.5"]
    line = 3 if share == "one" else 2
    said = rf"t\.tsv:{line}: found 'fitness' is '{re.escape(cell)}'; expected {re.escape(expected)}"
    with pytest.raises(InputError, match=said):
        table(tmp_path, cells)
    found = table(tmp_path, cells, skip=True)
    assert found.phenotypes == ("fitness", "plate")
    assert found.dropped == {"malformed": cells.count(cell)}


@pytest.mark.parametrize("cell", ["0,91", "inf", "<1", "95 %", "1e300", "0.5h", "12 h"])
def test_a_column_without_one_number_that_can_be_read(tmp_path: Path, cell: str) -> None:
    with pytest.raises(InputError, match=r"t\.tsv:2: found 'fitness' is"):
        table(tmp_path, [cell, cell])


def test_the_largest_number(tmp_path: Path) -> None:
    assert table(tmp_path, [f"{LARGEST}", "0.5"]).frame["fitness"].to_list() == [LARGEST, 0.5]


@pytest.mark.parametrize("word", ["", "ND"])
def test_a_first_column_without_a_value_does_not_lose_its_place(tmp_path: Path, word: str) -> None:
    with pytest.raises(InputError, match="column 'fitness' has no value in any row, and it is the"):
        table(tmp_path, [word, word])
    assert table(tmp_path, [word, word], "plate").phenotypes == ("plate",)


@pytest.mark.parametrize("text", ["ok", "A7", "2017-03-01", "01.03.2017", "12:30", "1-12", "7x"])
def test_text_is_left_out_and_listed(tmp_path: Path, text: str) -> None:
    found = table(tmp_path, ["0.5"], more=text)
    assert (found.phenotypes, found.left_out) == (("fitness",), {"plate": "text"})
    found = table(tmp_path, ["0.5"], more="")
    assert (found.phenotypes, found.left_out) == (("fitness",), {"plate": "no value"})


def test_a_column_with_numbers_and_words_is_no_phenotype_if_others_are_asked_for(
    tmp_path: Path,
) -> None:
    (tmp_path / "t.csv").write_text("strain,genes,fitness\n12,A,0.5\nB7,B,0.25\n")
    with pytest.raises(InputError, match=r"t\.csv:3: found 'strain' is 'B7'.*genotypes.phenotypes"):
        read(tmp_path / "t.csv")
    found = read(tmp_path / "t.csv", phenotypes=("fitness",))
    assert found.left_out == {"strain": "not in genotypes.phenotypes"}
    assert found.frame["fitness"].to_list() == [0.5, 0.25]


def test_a_column_without_a_name_is_listed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(",genes,fitness,\n1,A,0.5,\n2,B,0.25,\n")
    found = read(tmp_path / "t.csv")
    assert (found.phenotypes, found.left_out) == (("fitness",), {"column 1": "without a name"})


def test_phenotypes_come_in_the_order_asked_for(tmp_path: Path) -> None:
    found = table(tmp_path, ["0.5", "ND"], "plate", "fitness")
    assert found.phenotypes == ("plate", "fitness")
    assert found.frame["plate"].to_list() == [7.0, 7.0]
    with pytest.raises(InputError, match="no column 'fitnes'; did you mean 'fitness'"):
        table(tmp_path, ["0.5"], "fitnes")
    with pytest.raises(InputError, match="column 'fitness' has no number"):
        table(tmp_path, ["x"], "fitness")


def test_phenotypes_of_a_published_table(tmp_path: Path) -> None:
    names = FORMS["costanzo_2016"]
    cells = {"query_strain": "A_1", "array_strain": "B_1", "": "x", "interaction": "NaN"}
    row = "\t".join(cells.get(meaning, "0.5") for meaning in names.values())
    (tmp_path / "t.txt").write_text("\t".join(names) + f"\n{row}\n", encoding="utf-8")
    assert read(tmp_path / "t.txt").dropped == {"missing_phenotype": 1}
    found = read(tmp_path / "t.txt", phenotypes=("fitness", "p_value"))
    assert found.frame.select(found.phenotypes).rows() == [(0.5, 0.5)]
    assert "interaction" in found.left_out
    with pytest.raises(InputError, match="no column 'fit'; did you mean 'fitness'"):
        read(tmp_path / "t.txt", phenotypes=("fit",))


def test_no_phenotype_is_needed_where_none_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("genes,note\nA|B,x\n,wt\n")
    found = read(tmp_path / "t.csv", phenotypes=None)
    assert found.frame.select("genes", "query").rows() == [(["A", "B"], None), ([], None)]
