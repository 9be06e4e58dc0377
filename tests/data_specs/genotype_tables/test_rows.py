import contextlib
import gzip
import random
import zipfile
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from data_specs import raw_files
from data_specs.errors import InputError
from data_specs.genotype_tables import FORMS, PHENOTYPES, cells
from tests.conftest import LONG
from tests.genotype_tables import GenotypeTable, read

HO = "YDL227C"
KUZMIN_2018 = "\t".join(FORMS["kuzmin_2018"])
KUZMIN_2020 = "\t".join(FORMS["kuzmin_2020"])
COSTANZO = "\t".join(FORMS["costanzo_2016"])
TAU = "\t".join(FORMS["tau_sga"])


def table(tmp_path: Path, text: str, skip: bool = False) -> GenotypeTable:
    path = tmp_path / "table.txt"
    path.write_text(text, encoding="utf-8")
    return read(path, control_gene=HO, on_bad_row="skip" if skip else "error")


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        table(tmp_path, text)
    return str(caught.value)


def tau(query: str, array: str, score: str = "-0.1", p: str = "0.5") -> str:
    return f"{query}\t{array}\t{score}\t{p}\t0.9\t0.01\n"


# Forms


@pytest.mark.parametrize(
    ("header", "form"), [(KUZMIN_2018, "kuzmin_2018"), (KUZMIN_2020, "kuzmin_2020")]
)
def test_kuzmin(tmp_path: Path, header: str, form: str) -> None:
    row = "YAR002W+YDL227C_tm3180\tnup60Δ+hoΔ\tYBL007C_dma91\tsla1Δ\tdigenic"
    found = table(tmp_path, f"{header}\n{row}\t0.01\t-0.02\t4.50E-01\t1.1\t0.96\tnan\t\n")
    assert (found.form, found.rows, found.phenotypes) == (form, 1, PHENOTYPES)
    assert found.frame.row(0, named=True) == {
        "genes": ["YAR002W", "YBL007C"],
        "query": "YAR002W",
        "interaction": -0.02,
        "raw_interaction": 0.01,
        "p_value": 0.45,
        "query_fitness": 1.1,
        "array_fitness": 0.96,
        "fitness": None,
        "fitness_sd": None,
    }


def test_costanzo(tmp_path: Path) -> None:
    row = "YBR282W_S253\tmrpl27\tYDR363W-A_dma12\tsem1\tDMA30\t0.0637\t0.01\t\t1\t1.06\t0.02\n"
    found = table(tmp_path, f"{COSTANZO}\n{row}")
    assert found.form == "costanzo_2016"
    assert found.phenotypes == tuple(p for p in PHENOTYPES if p != "raw_interaction")
    assert found.frame["genes"].to_list() == [["YBR282W", "YDR363W-A"]]
    assert found.frame["query"].to_list() == ["YBR282W"]
    assert found.frame.select(found.phenotypes).row(0) == (0.0637, 0.01, None, 1.0, 1.06, 0.02)


def test_dcell_text(tmp_path: Path) -> None:
    found = table(tmp_path, "2 YDR363W-A YGL087C 0.0526\n3 C B A  -1e-3\n1\tYAL001C\t2\n0 1\n")
    assert (found.form, found.phenotypes) == ("dcell", ("interaction",))
    genes = [["YDR363W-A", "YGL087C"], ["A", "B", "C"], ["YAL001C"], []]
    assert found.frame["genes"].to_list() == genes
    assert found.frame["interaction"].to_list() == [0.0526, -0.001, 2.0, 1.0]
    assert found.frame["query"].to_list() == [None] * 4
    assert found.frame.schema["query"] == pl.String


def test_plain_table_with_a_list_of_genes(tmp_path: Path) -> None:
    found = table(tmp_path, "strain,score,genes,od\na,0.5,B|A ,\nb,1,,2\n")
    assert (found.form, found.phenotypes) == ("plain", ("score", "od"))
    assert found.frame.rows() == [(["A", "B"], None, 0.5, None), ([], None, 1.0, 2.0)]


def test_plain_table_with_a_column_a_gene(tmp_path: Path) -> None:
    found = table(tmp_path, "gene_1\tgene_3\tGene_2\t30\nB\t\tA\t0.5\n\tC\tNA\t-1\n")
    assert found.frame["genes"].to_list() == [["A", "B"], ["C"]]
    assert found.phenotypes == ("30",)


def test_plain_table_with_queries(tmp_path: Path) -> None:
    found = table(tmp_path, f"genes,query,score\nA|B|C,C|A,1\nA|C,{HO}|C,2\nA|B,,3\n")
    assert found.frame["query"].to_list() == ["A|C", "C", None]


def test_plain_table_with_quotes_and_a_row_index(tmp_path: Path) -> None:
    text = '"","genes","note","score"\n"1","A|B","of ""x"", y",0.5\n2,C,,0.25\n"3","D","z","1"\n'
    found = table(tmp_path, text)
    assert found.phenotypes == ("score",)
    assert found.frame["genes"].to_list() == [["A", "B"], ["C"], ["D"]]
    assert found.frame["score"].to_list() == [0.5, 0.25, 1.0]


@pytest.mark.parametrize("genes", [["B|A", "C"], [["B", "A"], ["C"]]])
def test_parquet(tmp_path: Path, genes: list[str]) -> None:
    score = [0.1 + 0.2, 1e-300]
    frame = pl.DataFrame({"genes": genes, "score": score, "od": [1, None], "ok": [True, False]})
    frame.write_parquet(tmp_path / "table.txt")  # told by its content, not by its name
    found = read(tmp_path / "table.txt")
    assert found.phenotypes == ("score", "od")
    assert found.frame.rows() == [
        (["A", "B"], None, score[0], 1.0),
        (["C"], None, score[1], None),
    ]


def test_workbook_with_a_title_and_mixed_cells(tmp_path: Path) -> None:
    path = tmp_path / "aaz5667-Table-S1.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write(0, 0, "Table S1. Raw genetic interaction dataset.")
        sheet.write_row(1, 0, list(FORMS["kuzmin_2020"]))
        row = ["YAL015C+YDL227C_tm461", "ntg1Δ+hoΔ", "YBL007C_dma91", "sla1Δ", "digenic", 0.007534]
        sheet.write_row(2, 0, [*row, 0.12345678901234, "4.50E-01", 1, 0.962, 0.9695, 0.0465])
        sheet.write_row(4, 0, [*row, -1, 1.5e-12, 1.01, "NaN", None, 0.0465])
    found = read(path, control_gene=HO)
    assert (found.form, found.rows) == ("kuzmin_2020", 2)
    assert found.frame.drop("genes", "query").rows() == [
        (0.12345678901234, 0.007534, 0.45, 1.0, 0.962, 0.9695, 0.0465),
        (-1.0, 0.007534, 1.5e-12, 1.01, None, None, 0.0465),
    ]


def test_workbook_keeps_gene_names_that_are_numbers(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "t.xlsx")) as workbook:
        sheet = workbook.add_worksheet()
        for row, cells in enumerate([["gene_1", "gene_2", "score"], [672, "0675", 0.5]]):
            sheet.write_row(row, 0, cells)
    assert read(tmp_path / "t.xlsx").frame["genes"].to_list() == [["0675", "672"]]


def test_header_is_compared_without_case_and_with_space_folded(tmp_path: Path) -> None:
    header = KUZMIN_2020.replace("Query strain ID", "query  STRAIN Id").replace(
        "P-value", "p-value "
    )
    row = "A_1\ta\tB_2\tb\tdigenic" + "\t0.5" * 7
    assert table(tmp_path, f"\ufeff{header}\r\n{row}\r\n").frame["genes"].to_list() == [["A", "B"]]


@pytest.mark.parametrize("form", FORMS)
def test_columns_may_come_in_any_order(tmp_path: Path, form: str) -> None:
    cells = {"query_strain": "B_1", "array_strain": "A_2", "": "x"}
    columns = sorted(FORMS[form].items(), reverse=True)
    row = "\t".join(cells.get(meaning, "0.5") for _, meaning in columns)
    found = table(tmp_path, "\t".join(name for name, _ in columns) + f"\n{row}\n")
    assert (found.form, found.phenotypes[0]) == (form, "interaction")
    assert found.frame["genes"].to_list() == [["A", "B"]]


def test_gzip_is_told_by_content(tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    path.write_bytes(gzip.compress(b"2 A B 0.5\n"))
    assert read(path).frame.height == 1


@pytest.mark.parametrize("piece_bytes", [1, 7, 64, 200])
@pytest.mark.parametrize("ending", ["", "\n"])
def test_pieces_do_not_show(tmp_path: Path, piece_bytes: int, ending: str) -> None:
    text = f"{TAU}\n" + "".join(tau(f"Q{i % 3}_1", f"A{i}_2", f"0.{i}") for i in range(10))
    text = text.rstrip("\n") + ending
    whole = table(tmp_path, text)
    for path in (tmp_path / "table.txt", tmp_path / "table.txt.gz"):
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
        found = read(path, control_gene=HO, piece_bytes=piece_bytes)
        assert found.rows == 10
        assert found.frame.equals(whole.frame)


def test_pieces_of_a_parquet_table_do_not_show(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"genes": [f"A{i}" for i in range(50)], "score": [i / 7 for i in range(50)]}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    whole = read(tmp_path / "t.parquet")
    found = read(tmp_path / "t.parquet", piece_bytes=100)
    assert found.rows == 50
    assert found.frame.equals(whole.frame)


@pytest.mark.parametrize("piece_bytes", [1, 100, 10_000])
def test_lines_are_counted_over_pieces(tmp_path: Path, piece_bytes: int) -> None:
    rows = "".join(tau("A_1", f"B{i}_1") for i in range(40))
    path = tmp_path / "table.txt"
    path.write_text(f"\n{TAU}\n{rows}{tau('A_1', 'C_1', 'low')}{tau('A_1', 'D_1', 'high')}")
    with pytest.raises(InputError, match=r"table\.txt:43: found .*'low'"):
        read(path, piece_bytes=piece_bytes)


# Strains


@pytest.mark.parametrize(
    ("query", "genes", "key"),
    [
        (f"YAR002W+{HO}_tm3180", ["YAR002W", "YNL181W"], "YAR002W"),
        (f"{HO}+YAR002W_tm3180", ["YAR002W", "YNL181W"], "YAR002W"),
        ("YOL043C+YAL015C_tm72", ["YAL015C", "YNL181W", "YOL043C"], "YAL015C|YOL043C"),
        (f"{HO}_sn1", ["YNL181W"], None),
        ("YDR363W-A_dma12", ["YDR363W-A", "YNL181W"], "YDR363W-A"),
        ("YDR363W-A", ["YDR363W-A", "YNL181W"], "YDR363W-A"),
    ],
)
def test_query_strains(tmp_path: Path, query: str, genes: list[str], key: str | None) -> None:
    found = table(tmp_path, f"{TAU}\n{tau(query, 'YNL181W_tsq2245')}")
    assert found.frame.select("genes", "query").row(0) == (genes, key)


def test_control_gene_is_a_deletion_in_an_array_strain_and_without_queries(tmp_path: Path) -> None:
    found = table(tmp_path, f"{TAU}\n{tau(f'A+{HO}_tm1', f'{HO}_dma2')}")
    assert found.frame["genes"].to_list() == [["A", HO]]
    assert table(tmp_path, f"2 A {HO} 1\n").frame["genes"].to_list() == [["A", HO]]


def test_without_a_control_gene_all_deletions_count(tmp_path: Path) -> None:
    (tmp_path / "t").write_text(f"{TAU}\n{tau(f'A+{HO}_tm1', 'B_dma2')}")
    assert read(tmp_path / "t").frame["genes"].to_list() == [["A", "B", HO]]


# Errors: file, line, what was found, what was expected, what to do


BAD_ROWS = {
    "repeated gene": (tau("A+B_tm1", "A_dma1"), "genes ['A', 'A', 'B']", "repeated_gene"),
    "text for a score": (tau("A_1", "B_1", "low"), "'low'; expected a finite number", "malformed"),
    "infinite score": (tau("A_1", "B_1", "inf"), "'inf'; expected a finite number", "malformed"),
    "text for a p-value": (tau("A_1", "B_1", p="low"), "'P-value' is 'low'; expected", "malformed"),
    "strain without a name": (tau("_tm1", "B_1"), "strain ids ['_tm1', 'B_1']", "malformed"),
    "blank strain": (tau("A_1", ""), "strain ids ['A_1', '']", "malformed"),
    "empty gene": (tau("A+_1", "B_1"), "strain ids ['A+_1', 'B_1']", "malformed"),
    "two names": (tau("A_1+B_2", "C_1"), "strain ids ['A_1+B_2', 'C_1']", "malformed"),
    "short row": ("A_1\tB_1\t0.5\n", "3 columns; expected 6", "malformed"),
    "long row": (tau("A_1", "B_1\tB_2"), "7 columns; expected 6", "malformed"),
}


@pytest.mark.parametrize(("row", "message", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows(tmp_path: Path, row: str, message: str, reason: str) -> None:
    text = f"{TAU}\n\n{tau('A_1', 'B_1')}\n{row}{tau('A_1', 'C_1')}"
    said = complaint(tmp_path, text)
    assert said.startswith(f"{tmp_path / 'table.txt'}:5: ")
    assert message in said
    found = table(tmp_path, text, skip=True)
    assert (found.rows, found.dropped) == (3, {reason: 1})
    assert found.frame["genes"].to_list() == [["A", "B"], ["A", "C"]]


@pytest.mark.parametrize("row", ["3 A B 0.5", "1 A B 0.5", "x A B 0.5", "2", "2 A B", "2 A B C"])
def test_bad_rows_of_dcell_text(tmp_path: Path, row: str) -> None:
    text = f"2 A B 0.5\n{row}\n"
    assert ":2: found " in complaint(tmp_path, text)
    assert table(tmp_path, text, skip=True).dropped == {"malformed": 1}


@pytest.mark.parametrize("genes", ["A||B", "A|", "A|B C", "|"])
def test_bad_genes_of_plain_tables(tmp_path: Path, genes: str) -> None:
    text = f"genes,score\nA|B,1\n{genes},2\n"
    assert ":3: found gene names [" in complaint(tmp_path, text)


def test_one_odd_cell_does_not_hide_a_phenotype(tmp_path: Path) -> None:
    text = "genes,score\nA,oops\nB,1\nC,2\n"
    assert ":2: found 'score' is 'oops'; expected a finite number," in complaint(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty; expected a genotype table. Known forms"),
        (" \n\n", "the file is empty"),
        ("genes,score\n", "a header without a row below it"),
        (
            "YOR202W_dma1\tNaN\n",
            ":1: unknown header ['YOR202W_dma1', 'NaN']. Known forms",
        ),
        (TAU.replace("P-value", "P") + "\n", "DCell's text without a header"),
        ("genes,note\nA,x\n", "no column of numbers among ['genes', 'note']"),
        ("genes,a,a\nA,1,2\n", "column 'a' occurs twice or has a name that"),
        ("genes,count\nA,1\n", "column 'count' occurs twice or has a name that"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    assert message in complaint(tmp_path, text)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "absent.tsv")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)


def damaged(content: bytes) -> bytes:
    return gzip.compress(content * 1000, mtime=0)[:-12]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (damaged(b"2 A B 0.5\n"), "the file is cut off"),
        (b"2 A B 0.5\n2 A \xff 0.5\n", ":2: not UTF-8 text"),
        (b"PAR1 but no more", "begins like a Parquet table but"),
        (b"PK\x03\x04 but no more", "begins like an .xlsx workbook but"),
    ],
    ids=["gzip", "text", "parquet", "xlsx"],
)
def test_damaged_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "t")


def test_empty_workbook_and_parquet(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "t.xlsx")) as workbook:
        workbook.add_worksheet()
    pl.DataFrame().write_parquet(tmp_path / "t.parquet")
    for name in ("t.xlsx", "t.parquet"):
        with pytest.raises(InputError, match="the file is empty"):
            read(tmp_path / name)


# Real files; numbers counted with wc and awk, not with this code


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "form", "rows"),
    [
        ("tau_sga_trigenic.tsv", "tau_sga", 10_432),
        ("dcell_GO_0006281.train.txt", "dcell", 8_783),
        ("dcell_GO_0006281.test.txt", "dcell", 2_868),
        ("costanzo2016_SGA_NxN.extract.txt", "costanzo_2016", 50),
        ("costanzo2016_SGA_ExE.extract.txt", "costanzo_2016", 50),
    ],
)
def test_real_files(real_data: Path, name: str, form: str, rows: int) -> None:
    found = read(real_data / "genotypes" / name, control_gene=HO)
    assert (found.form, found.rows, found.dropped) == (form, rows, {})
    assert found.frame.height == rows


@pytest.mark.real
def test_real_trigenic_rows(real_data: Path) -> None:
    frame = read(real_data / "genotypes" / "tau_sga_trigenic.tsv", control_gene=HO).frame
    trigenic = frame.filter(pl.col("genes").list.len() == 3)
    assert (trigenic.height, trigenic["query"].n_unique()) == (4_606, 4)
    digenic = frame.filter(pl.col("genes").list.len() == 2)
    assert (digenic.height, digenic["query"].n_unique()) == (5_826, 5)


@pytest.mark.real
@pytest.mark.parametrize("name", ["double_mutant_designs.csv", "single_mutant_fitness.tsv"])
def test_real_files_that_are_no_genotype_tables(real_data: Path, name: str) -> None:
    with pytest.raises(InputError, match="unknown header"):
        read(real_data / "genotypes" / name)


# Damaged and malicious tables


def flipped(raw: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    wrong = bytearray(raw)
    for _ in range(chance.randint(1, 3)):
        wrong[chance.randrange(len(raw))] = chance.randrange(256)
    return bytes(wrong)


@pytest.mark.parametrize("kind", ["parquet", "xlsx"])
def test_flipped_bytes(tmp_path: Path, kind: str) -> None:
    """Polars' reader of Parquet asked for 2 EB at one of these, which ends the process."""
    path = tmp_path / f"t.{kind}"
    if kind == "parquet":
        columns = {"genes": ["A|B", "C|D", "E"] * 20, "score": [1.0, 2.5, -1] * 20}
        pl.DataFrame(columns | {"od": list(range(60))}).write_parquet(path)
    else:
        with xlsxwriter.Workbook(str(path)) as workbook:
            sheet = workbook.add_worksheet()
            for at, row in enumerate([("genes", "score"), ("A|B", 0.5), ("C", 1.5)]):
                sheet.write_row(at, 0, row)
    raw = path.read_bytes()
    for seed in range(5000 if LONG else 150):
        path.write_bytes(flipped(raw, seed))
        with contextlib.suppress(InputError):
            read(path)


def zipped(path: Path, sheet: bytes, **changes: int) -> None:
    """A workbook of one sheet of this XML; `changes` are lies about it in the archive."""
    with xlsxwriter.Workbook(str(path)) as workbook:
        workbook.add_worksheet()
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = sheet
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in parts.items():
            archive.writestr(name, raw)
            if name == "xl/worksheets/sheet1.xml":
                for key, value in changes.items():
                    setattr(archive.getinfo(name), key, value)


SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'


@pytest.mark.parametrize("lies", [{}, {"file_size": 100}])
def test_a_zip_bomb_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lies: dict[str, int]
) -> None:
    monkeypatch.setattr(raw_files, "ALWAYS_ALLOWED", 2**20)
    zipped(tmp_path / "t.xlsx", SHEET + bytes(2**23), **lies)
    with pytest.raises(InputError, match=r"t\.xlsx: unpacks to more than 200 times its size"):
        read(tmp_path / "t.xlsx")


FAR = {
    "named": b'<row r="1"><c r="A1"/></row><row r="1048576"><c r="XFD1048576"/></row>',
    "with spaces": b"<x:row r='1'/><x:c  s='1'\n r = 'XFD1048576' />",
    "by position": b'<row r="1">' + b"<c/>" * 16384 + b'</row><row r="1048576"><c/></row>',
    "by lower case": b'<row r="1"><c r="a1"/></row><row r="1048576"><c r="xfd1048576"/></row>',
}


@pytest.mark.parametrize("kind", FAR)
def test_a_sheet_of_far_off_cells(tmp_path: Path, kind: str) -> None:
    """Five kilobytes, and seventeen thousand million cells between the first and the last."""
    zipped(tmp_path / "t.xlsx", SHEET + FAR[kind] + b"</sheetData></worksheet>")
    with pytest.raises(InputError, match=r"spans 1,048,576 rows and 16,384 columns"):
        read(tmp_path / "t.xlsx")


def test_what_is_zipped_but_no_xlsx(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.ods", "w") as archive:
        archive.writestr("content.xml", "<office:document-content/>")
    with pytest.raises(InputError, match=r"is no \.xlsx workbook"):
        read(tmp_path / "t.ods")


def test_a_parquet_table_of_absurdly_many_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"genes": ["A"], "score": [1.0]}).select(
        pl.all().repeat_by(2_000_000).explode()
    ).write_parquet(path)
    monkeypatch.setattr(cells, "ALWAYS_ALLOWED", 2**20)
    monkeypatch.setattr(cells, "LARGEST_RATIO", 100)
    with pytest.raises(InputError, match=r"2,000,000 rows in [0-9,]+ bytes; no genotype table"):
        read(path)
