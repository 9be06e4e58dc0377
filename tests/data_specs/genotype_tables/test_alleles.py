"""The alleles of rows, in the order of the genes."""

from pathlib import Path

import polars as pl
import pytest

from data_specs.gene_names import GeneNames
from data_specs.genotype_tables import FORMS
from tests.genotype_tables import read, read_with

NAMES = GeneNames(
    [
        ("YAL001C", "YAL001C", "systematic"), ("TFC3", "YAL001C", "symbol"),
        ("YAL002W", "YAL002W", "systematic"), ("VPS8", "YAL002W", "symbol"),
        ("YDL227C", "YDL227C", "systematic"), ("HO", "YDL227C", "symbol"),
        ("YMR031W-A", "YMR031W-A", "systematic"),
    ],
    exact=False,
)  # fmt: skip
COSTANZO, KUZMIN = "\t".join(FORMS["costanzo_2016"]), "\t".join(FORMS["kuzmin_2018"])
TAU = "\t".join(FORMS["tau_sga"])


def alleles(rows: list[tuple[str, str, str, str]], *, merge: bool = False) -> list[list[str]]:
    """Of rows of Costanzo 2016: query, its allele, array, its allele."""
    rest = "DMA30\t0.1\t0.5\t1\t1\t0.9\t0.02"
    text = "\n".join([COSTANZO, *("\t".join([*row, rest]) for row in rows)]) + "\n"
    frame = read_with(text, NAMES, merge=merge, alleles=True).frame
    assert frame.columns[:3] == ["genes", "alleles", "query"]
    return frame["alleles"].to_list()


def test_alleles_stand_in_the_order_of_the_genes() -> None:
    """Query and array exchanged are the same strains, so they have the same alleles."""
    found = alleles(
        [
            ("YAL002W_tsq1", "vps8-1", "YAL001C_tsa7", "tfc3-g349e"),
            ("YAL001C_tsq9", "tfc3-g349e", "YAL002W_tsa2", "vps8-1"),
        ]
    )
    assert found == [["tfc3-g349e", "vps8-1"]] * 2


@pytest.mark.parametrize(
    ("strain", "called", "expected"),
    [
        ("YAL001C_sn1", "tfc3", "Δ"),  # Costanzo 2016 calls deletions as their genes
        ("YAL001C_S9", "tfc3Δ", "Δ"),  # Kuzmin adds a Δ
        ("YAL001C_S9", "YAL001C", "Δ"),
        ("YAL001C_dma1", "psy1", "Δ"),  # by a name that the gene had
        ("YMR031W-A_dma3", "ymr031w-a", "Δ"),
        ("YAL001C_S253", "tfc3-supp1", "tfc3-supp1"),
        ("YAL001C_sn253", "tfc3-supp1", "tfc3-supp1"),
        ("YAL001C_tsq508", "", "tsq508"),  # without a name its id tells
        ("YAL001C_damp12", "", "damp12"),
        ("YAL001C_DAMP", "", "DAMP"),
        ("YAL001C_sn12", "", "Δ"),
        ("YAL001C", "", "Δ"),
        ("YAL001C_tsq1", "a\x01b\x1fc", "a b c"),
    ],
)
def test_what_an_allele_is_called(strain: str, called: str, expected: str) -> None:
    [[first, second]] = alleles([(strain, called, "YMR032W_dma1", "hof1")])
    assert (first, second) == (expected, "Δ")


def test_the_control_has_no_allele() -> None:
    """That of a query strain; in a double mutant each gene has its own."""
    rest = "digenic\t0.01\t-0.02\t4.50E-01\t1.1\t0.96\tnan\t"
    rows = [
        "YDL227C+YAL001C_tsq1\thoΔ+tfc3-1\tYAL002W_dma1\tvps8Δ",
        "YMR032W+YAL001C_tm4\thof1Δ+tfc3-1\tYAL002W_dma1\tvps8Δ",
        "YMR032W+YAL001C_tm4\tunparted\tYAL002W_dma1\tvps8Δ",
    ]
    text = "\n".join([KUZMIN, *(f"{row}\t{rest}" for row in rows)]) + "\n"
    frame = read_with(text, NAMES, alleles=True, control_gene="HO").frame
    assert frame["genes"].to_list()[1] == ["YAL001C", "YAL002W", "YMR032W"]
    assert frame["alleles"].to_list() == [
        ["tfc3-1", "Δ"], ["tfc3-1", "Δ", "hof1Δ"], ["unparted", "Δ", "unparted"],
    ]  # fmt: skip


def test_a_gene_that_is_named_twice_has_both() -> None:
    row = ("YAL001C_tsq1", "tfc3-2", "TFC3_tsa1", "tfc3-1")
    other = ("YAL001C_tsq1", "tfc3-2", "YAL002W_dma1", "vps8")
    assert alleles([row, other], merge=True) == [["tfc3-1/tfc3-2"], ["tfc3-2", "Δ"]]


def test_tables_that_name_no_alleles() -> None:
    """A table of strains has those of its ids; one of genes has none."""
    text = f"{TAU}\nYAL001C_tsq5\tYAL002W_dma1\t0.1\t0.5\t1\t0.1\n"
    assert read_with(text, NAMES, alleles=True).frame["alleles"].to_list() == [["tsq5", "Δ"]]
    plain = "genes\tgrowth\nYAL001C|YAL002W\t0.5\nYAL001C\t0.25\n"
    assert read_with(plain, NAMES, alleles=True).frame["alleles"].to_list() == [[], []]
    assert "alleles" not in read_with(plain, NAMES).frame.columns


# Costanzo 2010, without a header

SEVEN = "YAL001C_tsq508\tTFC3\tYAL002W\tVPS8\t-0.0982\t0.0346\t2.3e-03\n"
RAW = "YAL001C\tTFC3\tYBR266C\t\t-0.1\tNaN\t0.5\t0.9\t0.01\t0.8\t0.02\t0.62\t0.03\n"


def test_costanzo_2010(tmp_path: Path) -> None:
    path = tmp_path / "sgadata_costanzo2009_intermediateCutoff_101120.txt"
    path.write_text(SEVEN + SEVEN.replace("_tsq508", "").replace("-0.0982", "NaN"))
    found = read(path)
    assert (found.form, found.rows, found.dropped) == ("costanzo_2010", 2, {"missing_phenotype": 1})
    assert found.phenotypes == ("interaction", "p_value", "interaction_sd")
    assert found.frame.row(0, named=True) == {
        "genes": ["YAL001C", "YAL002W"], "query": "YAL001C", "interaction": -0.0982,
        "p_value": 0.0023, "interaction_sd": 0.0346,
    }  # fmt: skip
    assert read_with(SEVEN, NAMES, alleles=True).frame["alleles"].to_list() == [["tsq508", "Δ"]]


def test_costanzo_2010_raw(tmp_path: Path) -> None:
    path = tmp_path / "raw.txt"
    path.write_text(RAW)
    found = read(path)
    assert found.form == "costanzo_2010"
    assert found.frame.drop("genes", "query").row(0, named=True) == {
        "interaction": -0.1, "p_value": 0.5, "query_fitness": 0.9, "array_fitness": 0.8,
        "fitness": 0.62, "fitness_sd": 0.03, "interaction_sd": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        SEVEN.replace("YAL002W", "gene2"),
        SEVEN.replace("0.0346", "high"),
        SEVEN.replace("\t2.3e-03", ""),
    ],
)
def test_other_tables_without_a_header_stay_unknown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "table.txt"
    path.write_text(text)
    with pytest.raises(
        Exception, match=r"unknown header .* Costanzo 2010's 7 or 13 columns without"
    ):
        read(path)


@pytest.mark.real
def test_the_real_costanzo_2010_in_its_own_form(tmp_path: Path, real_data: Path) -> None:
    """The table at hand was made plain; put back into its columns it reads the same."""
    plain = real_data / "genotypes" / "costanzo2010_intermediate.tsv.gz"
    table = pl.read_csv(plain, separator="\t", infer_schema=False).head(20_000)
    gene = pl.col("query").str.replace("_.*", "")
    other = pl.when(gene == pl.col("gene_1")).then("gene_2").otherwise("gene_1")
    path = tmp_path / "intermediate.txt"
    table.select(
        "query", pl.lit("Q").alias("a"), other.alias("array"), pl.lit("A").alias("b"), "epsilon",
        "std", "p_value",
    ).write_csv(path, separator="\t", include_header=False)  # fmt: skip
    table.write_csv(tmp_path / "plain.tsv", separator="\t")
    found, expected = read(path), read(tmp_path / "plain.tsv")
    assert found.form == "costanzo_2010"
    renamed = {"epsilon": "interaction", "std": "interaction_sd"}
    columns = [name for name in found.frame.columns if name != "query"]
    assert found.frame.select(columns).equals(expected.frame.rename(renamed).select(columns))
    head = "".join(path.read_text().splitlines(keepends=True)[:2000])
    frame = read_with(head, GeneNames((), exact=True), alleles=True).frame
    called = set(frame["alleles"].explode())
    assert {"Δ", "damp"} < called
    assert all(name in ("Δ", "damp") or name.startswith("tsq") for name in called)


@pytest.mark.real
@pytest.mark.parametrize("name", ["NxN", "ExE"])
def test_the_real_extracts_of_costanzo_2016(real_data: Path, name: str) -> None:
    path = real_data / "genotypes" / f"costanzo2016_SGA_{name}.extract.txt"
    frame = read_with(
        path.read_text(encoding="utf-8"), GeneNames((), exact=True), alleles=True
    ).frame
    assert frame.height == 50
    assert (frame["alleles"].list.len() == frame["genes"].list.len()).all()
    deletions = (frame["alleles"].explode() == "Δ").sum()
    assert deletions == {"NxN": 95, "ExE": 0}[name]
