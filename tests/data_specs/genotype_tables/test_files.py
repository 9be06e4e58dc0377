"""Where a table begins, in a text and in a workbook."""

from pathlib import Path

import pytest
import xlsxwriter

from data_specs.errors import InputError
from tests.genotype_tables import GenotypeTable, read

TABLE = [["gene_1", "gene_2", "score", "od"], ["A", "B", 0.123456789012, 1], ["C", "", "ND", 2]]
NOTES = [["About these data"], ["A", "note", "of", "words"]]


def workbook(path: Path, *sheets: tuple[list[list[object]], int, int]) -> Path:
    """Sheets with their rows, and the row and column in which these begin."""
    with xlsxwriter.Workbook(str(path)) as book:
        for rows, first, column in sheets:
            sheet = book.add_worksheet()
            for at, row in enumerate(rows):
                sheet.write_row(first + at, column, row)
    return path


def holds_the_table(found: GenotypeTable) -> bool:
    scores = found.frame.select("genes", "score", "od").rows()
    return scores == [(["A", "B"], 0.123456789012, 1.0)] and found.dropped == {
        "missing_phenotype": 1
    }


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 1), (3, 0), (4, 3), (30, 30)])
def test_a_table_may_begin_anywhere_on_a_sheet(tmp_path: Path, row: int, column: int) -> None:
    assert holds_the_table(read(workbook(tmp_path / "t.xlsx", (TABLE, row, column))))
    wrong = [*TABLE, ["D", "E", "low", 1]]
    with pytest.raises(InputError, match=rf"t\.xlsx:{row + 4}: found 'score' is 'low'"):
        read(workbook(tmp_path / "t.xlsx", (wrong, row, column)))


def test_a_title_may_stand_above_and_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write(1, 0, "Table S1")
        for at, row in enumerate(TABLE):
            sheet.write_row(3 + at, 2, row)
    assert holds_the_table(read(path))


def test_the_sheet_that_holds_the_table_is_found(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", (NOTES, 0, 0), ([], 0, 0), (TABLE, 2, 1), (TABLE, 0, 0))
    found = read(path)
    assert holds_the_table(found)
    assert found.left_out == {"sheet 'Sheet1'": "no table", "sheet 'Sheet4'": "another table"}
    path = workbook(tmp_path / "t.xlsx", (NOTES, 0, 0), ([*TABLE, ["D", "E", "x", 1]], 2, 1))
    with pytest.raises(InputError, match=r"t\.xlsx, sheet 'Sheet2':6: found 'score' is 'x'"):
        read(path)


def test_no_sheet_holds_a_table(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", (NOTES, 2, 0), (NOTES, 0, 0))
    with pytest.raises(InputError, match=r"t\.xlsx:3: unknown header .*No other sheet holds"):
        read(path)


def test_errors_of_formulas(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    for gene, error in (("B", "#DIV/0!"), ("#N/A", "#N/A")):
        with xlsxwriter.Workbook(str(path)) as book:
            sheet = book.add_worksheet()
            sheet.write_row(1, 1, TABLE[0])
            sheet.write_row(2, 1, TABLE[1])
            sheet.write(3, 1, "A")
            sheet.write_formula(3, 2, "=VLOOKUP(1,A1:A2,1)", None, gene)
            sheet.write_formula(3, 3, "=1/0", None, error)
            sheet.write(3, 4, 7)
        if gene == "B":
            assert read(path).not_measured == {"score": {"#DIV/0!": 1}}
        else:
            with pytest.raises(InputError, match=r"t\.xlsx:4: found gene names \['A', '#N/A'\]"):
                read(path)


@pytest.mark.real
def test_case_of_a_table_that_does_not_begin_in_column_a(real_data: Path) -> None:
    found = read(real_data / "cases" / "genotypes" / "offset_table.xlsx")
    assert (found.rows, found.phenotypes) == (10, ("fitness", "p_value"))
    assert found.frame["fitness"][:3].to_list() == [0.91, 0.82, 0.72]


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
@pytest.mark.parametrize("lead", [0, 2])
def test_blank_rows_and_columns_of_a_text(tmp_path: Path, separator: str, lead: int) -> None:
    rows = [["", "", "", ""], TABLE[0], ["", "", "", ""], *TABLE[1:]]
    lines = [separator.join([*[""] * lead, *map(str, row)]) for row in rows]
    (tmp_path / "t.txt").write_text("\n".join(["", *lines, ""]))
    assert holds_the_table(read(tmp_path / "t.txt"))


@pytest.mark.parametrize(
    ("text", "line"),
    [("A\tB\t1\ngene_1\tgene_2\tscore\nC\tD\t2\n", 1), ("t\nA\tB\t1\ngene_1\tgene_2\tscore\n", 2)],
)
def test_rows_above_the_header_are_not_lost(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(InputError, match=rf"t\.txt:{line}: found a row of 3 or more cells above"):
        read(tmp_path / "t.txt")


def test_the_header_once_more(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("genes,score\nA,1\ngenes,score\nB,2\n")
    with pytest.raises(InputError, match=r"t\.txt:3: found the header once more"):
        read(tmp_path / "t.txt")
    with pytest.raises(InputError, match=r"t\.txt:3: found the header once more"):
        read(tmp_path / "t.txt", phenotypes=None)


def test_the_same_column_twice(tmp_path: Path) -> None:
    for header in ("genes,genes,score", "gene_1,gene_1,score", "genes,query,Query,score"):
        (tmp_path / "t.txt").write_text(f"{header}\n")
        with pytest.raises(InputError, match=r"column '\w+' occurs twice; delete or rename one"):
            read(tmp_path / "t.txt")


def test_words_of_a_title_are_no_header(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("# all genes\nTable of genes\ngenes\tscore\nA\t1\n")
    assert read(tmp_path / "t.txt").frame["genes"].to_list() == [["A"]]
