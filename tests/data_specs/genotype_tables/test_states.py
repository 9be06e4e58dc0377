"""The states of rows, in the order of the genes."""

import pytest

from data_specs.gene_names import GeneNames
from data_specs.genotype_tables import FORMS
from tests.genotype_tables import read_with

NAMES = GeneNames(
    [("YAL001C", "YAL001C", "systematic"), ("TFC3", "YAL001C", "symbol"),
     ("YAL002W", "YAL002W", "systematic"), ("VPS8", "YAL002W", "symbol")],
    exact=False,
)  # fmt: skip
HEADER = "\t".join(FORMS["costanzo_2016"])
OF_KINDS = {"ts": 0.25, "damp": 0.5, "other": 0.75}


def of_strain(strain: str, allele: str, array: str = "YAL002W_dma2") -> list[float]:
    row = "\t".join([strain, allele, array, "vps8", "DMA30\t0.1\t0.5\t1\t1\t0.9\t0.02"])
    frame = read_with(f"{HEADER}\n{row}\n", NAMES, states=OF_KINDS).frame
    return frame["states"].to_list()[0]


@pytest.mark.parametrize(
    ("strain", "allele", "state"),
    [
        ("YAL001C_tsq508", "tfc3-1", 0.25), ("YAL001C_tsa100", "", 0.25),
        ("YAL001C_TSQ508", "anything", 0.25), ("YAL001C_damp2", "tfc3-damp", 0.5),
        ("YAL001C_S9", "tfc3-damp", 0.5), ("YAL001C_S9", "tfc3-ts", 0.25),
        ("YAL001C_S9", "tfc3-ts1", 0.25), ("YAL001C_S9", "tfc3-5001", 0.75),
        ("YAL001C_S253", "tfc3-supp1", 0.75), ("YAL001C_sn514", "tfc3", 0.0),
        ("YAL001C_sn514", "oldname", 0.0), ("YAL001C_dma25", "", 0.0), ("YAL001C", "", 0.0),
        ("YAL001C_S9", "unheardofΔ", 0.0), ("YAL001C_S9", "tfc3∆", 0.0),
    ],
)  # fmt: skip
def test_the_kind_of_an_allele(strain: str, allele: str, state: float) -> None:
    assert of_strain(strain, allele) == [state, 0.0]


def test_strains_of_several_genes_and_both_sides() -> None:
    assert of_strain("YAL002W+YAL003W_tm9", "vps8-ts+abcΔ", "YAL001C_tsa1") == [0.25, 0.25, 0.0]


def test_a_gene_on_both_sides_has_the_lower_state() -> None:
    row = "\t".join(["YAL001C_tsq1", "tfc3-1", "TFC3_damp2", "", "DMA30\t0.1\t0.5\t1\t1\t1\t0"])
    frame = read_with(f"{HEADER}\n{row}\n", NAMES, merge=True, states=OF_KINDS).frame
    assert frame.select("genes", "states").rows() == [(["YAL001C"], [0.25])]


def test_a_column_of_states_goes_by_the_names_as_written() -> None:
    table = "genes\tstates\tgrowth\nVPS8|TFC3\t0.5|0.25\t1\nYAL009W\t\t2\n\t\t3\n"
    frame = read_with(table, NAMES, states={}).frame
    assert frame.select("genes", "states").rows() == [
        (["YAL001C", "YAL002W"], [0.25, 0.5]), (["YAL009W"], [0.0]), ([], []),
    ]  # fmt: skip
    assert "states" not in read_with(table, NAMES).frame.columns


def test_genes_in_columns_have_a_column_of_states_too() -> None:
    table = "gene_1,gene_2,states,growth\nVPS8,TFC3,0.5;0.25,1\nVPS8,,0.5,2\n"
    frame = read_with(table, NAMES, states={}).frame
    assert frame["states"].to_list() == [[0.25, 0.5], [0.5]]


def test_a_table_without_states_has_zeros() -> None:
    frame = read_with("genes\tgrowth\nVPS8|TFC3\t1\n", NAMES, states={"ts": 0.5}).frame
    assert frame["states"].to_list() == [[0.0, 0.0]]


@pytest.mark.parametrize("states", ["0.5", "0.5|x", "1|0", "0|0|0", "0|-1", "0;0|0"])
def test_rows_with_unfit_states_are_malformed(states: str) -> None:
    table = f"genes\tstates\tgrowth\nVPS8|TFC3\t{states}\t1\nVPS8\t0.5\t2\n"
    read = read_with(table, NAMES, states={})
    assert read.frame["states"].to_list() == [[0.5]]
    assert read.dropped == {"malformed": 1}
    assert read.complaint is not None
    assert f"found states '{states}' of the genes" in read.complaint
