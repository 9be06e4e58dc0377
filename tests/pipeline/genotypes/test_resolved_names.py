"""What names in genotype tables mean: in a build, and to a model trained on it."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.gene_names import GeneNames
from data_specs.layout import DataLayout, read_json
from data_specs.parameters.sections import Annotations, resolve
from pipeline import cli
from pipeline.annotations.names import mapped
from pipeline.annotations.stage import read_annotations
from pipeline.build import build
from pipeline.cell_graph.stage import number
from pipeline.show import show
from pipeline.verify import verify
from tests.conftest import TINY, examples, tiny_parameters
from tests.genotype_tables import read_with

# YAL003W has the symbol NYAL003W; the second symbol of the file is a synonym of the third gene.
GAF = (TINY / "tiny.gaf").read_text().replace("YAL003W|alias", "YAL003W|YAL099W|NYAL002W|alias")


def built(tmp_path: Path, table: str, gaf: str = GAF, **sections: dict[str, Any]) -> DataLayout:
    """A build of the tiny files with another table and other annotations."""
    (tmp_path / "names.gaf").write_text(gaf)
    (tmp_path / "table.tsv").write_text(table)
    files = {"annotations": str(tmp_path / "names.gaf"), "genotypes": [str(tmp_path / "table.tsv")]}
    sections["sources"] = files | sections.get("sources", {})
    name = f"build{len(list(tmp_path.iterdir()))}"
    return build(resolve(tiny_parameters(**sections)), tmp_path / name)


def genes_of(layout: DataLayout) -> list[list[str]]:
    table = pl.read_parquet(layout.genotypes / "genotypes.parquet" / "*.parquet")
    return table["genes"].to_list()


PAIRS = ["1|2", "1|3", "1|4", "1|6", "2|3", "2|4", "2|6", "3|4", "3|6", "4|6"]


def table_of(*names: str) -> str:
    """Ten genotypes of four names, and a phenotype."""
    known = dict(zip("12346", ("YAL001C", "YAL002W", *names), strict=False))
    rows = ["|".join(known.get(n, f"YAL00{n}W") for n in pair.split("|")) for pair in PAIRS]
    return "\n".join(["genes\tfitness", *(f"{row}\t0.{i}" for i, row in enumerate(rows))]) + "\n"


SYSTEMATIC = table_of("YAL003W", "YAL004W", "YAL006W")


@pytest.mark.parametrize(
    ("name", "how"),
    [("YAL003W", "as_written"), ("yal003w", "systematic"), ("NYAL003W", "symbol"),
     ("nYAL003w", "symbol"), ("YAL099W", "synonym"), ("yal099W", "synonym")],
)  # fmt: skip
def test_any_name_of_a_gene_is_the_gene(tmp_path: Path, name: str, how: str) -> None:
    layout = built(tmp_path, table_of(name, "YAL004W", "YAL006W"))
    expected = built(tmp_path, SYSTEMATIC)
    assert genes_of(layout) == genes_of(expected)
    table = pl.read_parquet(layout.genotypes / "gene_names.parquet")
    assert table.filter(name=name).rows() == [(name, "YAL003W", how, 4)]
    assert table["name"].to_list() == sorted(table["name"])
    assert read_json(layout.genotypes / "ledger.json")["names"] == {
        "as_written": 5 - (how != "as_written"), "renamed": int(how != "as_written"),
        "ambiguous": 0, "unresolved": 0,
    }  # fmt: skip
    for file in ("store/manifest.json", "store/00000/data.mdb"):
        assert (layout.root / file).read_bytes() == (expected.root / file).read_bytes()
    assert all(check.passed for check in verify(layout))


def test_a_standard_name_wins_over_a_synonym(tmp_path: Path) -> None:
    layout = built(tmp_path, SYSTEMATIC.replace("YAL002W", "NYAL002W"))
    assert genes_of(layout) == genes_of(built(tmp_path, SYSTEMATIC))


def test_two_names_of_one_gene_in_two_rows_are_one_genotype(tmp_path: Path) -> None:
    layout = built(tmp_path, SYSTEMATIC + "YAL001C|YAL099W\t0.9\nnyal001c|yal003w\t0.5\n")
    ledger = read_json(layout.genotypes / "ledger.json")
    assert (ledger["rows"], ledger["merged"], ledger["genotypes"]) == (12, 2, 10)
    table = pl.read_parquet(layout.genotypes / "genotypes.parquet" / "*.parquet")
    assert table.filter(pl.col("count") == 3)["genes"].to_list() == [["YAL001C", "YAL003W"]]


def test_ambiguous_and_unknown_names_stay_as_they_are_and_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gaf = GAF.replace("YAL004W|alias", "YAL004W|TWO|alias").replace("YAL006W|", "YAL006W|TWO|")
    layout = built(tmp_path, table_of("TWO", "NOBODY", "YAL006W"), gaf)
    assert ["TWO", "YAL001C"] in genes_of(layout)
    assert ["NOBODY", "TWO"] in genes_of(layout)
    ledger = read_json(layout.genotypes / "ledger.json")
    assert ledger["names"] == {"as_written": 3, "renamed": 0, "ambiguous": 1, "unresolved": 1}
    assert read_json(layout.store / "ledger.json")["unannotated_genes"] == 2
    show(layout, "two|nobody".upper().replace("|", " "))
    said = capsys.readouterr().out
    assert "2 of 5 genes without annotation\n" in said
    assert " 3 as written, 0 renamed, 1 ambiguous, 1 unresolved\n" in said
    assert "1 names in the genotypes are names of several genes" in said
    assert "deleting TWO, NOBODY changes 0 rows" in said
    with pytest.raises(InputError, match=r"nobody is no name of a gene here"):
        show(layout, "nobody")


def test_exact_names(tmp_path: Path) -> None:
    settings = {"genotypes": {"names": "exact"}}
    layout = built(tmp_path, table_of("YAL099W", "yal004w", "NYAL006W"), **settings)
    assert ["YAL001C", "YAL099W"] in genes_of(layout)
    assert ["NYAL006W", "yal004w"] in genes_of(layout)
    ledger = read_json(layout.genotypes / "ledger.json")
    assert ledger["names"] == {"as_written": 2, "renamed": 0, "ambiguous": 0, "unresolved": 3}
    names = GeneNames.of(CellGraph.read(layout.cell_graph))
    for name in ("YAL099W", "yal004w", "NYAL006W"):
        assert not names.resolve(name).known
    assert all(check.passed for check in verify(layout))


def test_a_mapping_goes_before_all_other_rules(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text(
        "from,to\nb0003,nyal003w\nYAL004W,YAL006W\nYAL006W,YAL004W\n"
    )
    source = {"sources": {"gene_names": str(tmp_path / "names.csv")}}
    layout = built(tmp_path, table_of("B0003", "YAL004W", "YAL006W"), **source)
    table = pl.read_parquet(layout.genotypes / "gene_names.parquet")
    assert {row[0]: row[1:3] for row in table.rows()} == {
        "B0003": ("YAL003W", "mapped"), "YAL001C": ("YAL001C", "as_written"),
        "YAL002W": ("YAL002W", "as_written"), "YAL004W": ("YAL006W", "mapped"),
        "YAL006W": ("YAL004W", "mapped"),
    }  # fmt: skip
    names = read_json(layout.genotypes / "ledger.json")["names"]
    assert (names["renamed"], names["renamed_by_mapping"]) == (3, 3)
    inputs = read_json(layout.sources / "sources.json")["inputs"]
    assert [Path(entry["path"]).name for entry in inputs][2] == "names.csv"
    assert GeneNames.of(CellGraph.read(layout.cell_graph)).gene("b0003") == "YAL003W"
    assert all(check.passed for check in verify(layout))


def test_the_mapping_is_an_option_of_build(tmp_path: Path) -> None:
    (tmp_path / "names.tsv").write_text("x3\tYAL003W\n")
    (tmp_path / "table.tsv").write_text(table_of("X3", "YAL004W", "YAL006W"))
    cli.main(
        ["build", "--ontology", str(TINY / "tiny.obo"), "--annotations", str(TINY / "tiny.gaf"),
         "--genotypes", str(tmp_path / "table.tsv"), "--gene-names", str(tmp_path / "names.tsv"),
         "--set", "hierarchy.containment=2", "--out", str(tmp_path / "build")]
    )  # fmt: skip
    assert genes_of(DataLayout(tmp_path / "build")) == genes_of(built(tmp_path, SYSTEMATIC))


TWICE = SYSTEMATIC + "YAL003W|YAL099W|YAL001C\t0.9\n"


def test_a_gene_by_two_names_is_refused_counted_or_taken_once(tmp_path: Path) -> None:
    said = (
        r"table.tsv:12: found genes \['YAL001C', 'YAL003W', 'YAL099W'\], two of which are YAL003W; "
        "expected each gene once, or genotypes.same_gene=merge"
    )
    with pytest.raises(InputError, match=said):
        built(tmp_path, TWICE)
    skipped = built(tmp_path, TWICE, genotypes={"on_bad_row": "skip"})
    assert read_json(skipped.genotypes / "ledger.json")["dropped"] == {"repeated_gene": 1}
    merged = built(tmp_path, TWICE, genotypes={"same_gene": "merge"})
    ledger = read_json(merged.genotypes / "ledger.json")
    assert (ledger["merged"], ledger["dropped"]) == (1, {})
    assert ledger["names"]["same_gene_rows"] == 1
    assert genes_of(merged) == genes_of(built(tmp_path, SYSTEMATIC))


HEADER = "Query Strain ID\tArray Strain ID\tAdjusted genetic interaction score (epsilon or tau)"
FITNESS = "Double/triple mutant fitness"
TAU = f"{HEADER}\tP-value\t{FITNESS}\t{FITNESS} standard deviation"


def strains(*pairs: str) -> str:
    """A table of the tau-SGA form; a pair is `QUERY ARRAY`."""
    rows = (pair.replace(" ", "\t") for pair in pairs)
    return "\n".join([TAU, *(f"{row}\t0.1\t0.5\t0.9\t0.1" for row in rows)]) + "\n"


CROSSED = [
    f"{query} YAL00{array}_dma1"
    for query in ("NYAL001C+HO_tm1", "yal002w+YAL006W_tm2", "YDL227C+ydl227c_tm3", "HO_tm4")
    for array in ("3W", "4W", "5C")
]


@pytest.mark.parametrize("control", ["HO", "YDL227C", "ho", "ydl227c"])
def test_all_names_of_the_control_are_the_control(tmp_path: Path, control: str) -> None:
    layout = built(tmp_path, strains(*CROSSED), genotypes={"control_gene": control})
    table = pl.read_parquet(layout.genotypes / "genotypes.parquet" / "*.parquet")
    assert {tuple(genes) for genes in table["genes"]} == {
        *(("YAL001C", f"YAL00{n}") for n in ("3W", "4W", "5C")),
        *((f"YAL00{n}",) for n in ("3W", "4W", "5C")),
        ("YAL002W", "YAL003W", "YAL006W"), ("YAL002W", "YAL004W", "YAL006W"),
        ("YAL002W", "YAL005C", "YAL006W"),
    }  # fmt: skip
    queries = {query for own in table["queries"] for query in own}
    assert queries == {"YAL001C", "YAL002W|YAL006W"}


def test_another_control_by_its_alias(tmp_path: Path) -> None:
    settings = {"genotypes": {"control_gene": "nyal006w"}}
    layout = built(tmp_path, strains(*CROSSED), **settings)
    assert ["YAL002W", "YAL003W"] in genes_of(layout)
    assert [gene for gene in ("HO", "YDL227C") if [gene, "YAL001C", "YAL003W"] in genes_of(layout)]


@pytest.mark.parametrize(
    ("control", "near"), [("YAL07C", "YAL003W|YAL005C|YAL001C"), ("HOO", "HO")]
)
def test_a_control_that_is_nowhere_is_refused(tmp_path: Path, control: str, near: str) -> None:
    said = (
        rf"control_gene is '{control}', which is in no strain .* nearest name there is '({near})'"
    )
    with pytest.raises(InputError, match=said):
        built(tmp_path, strains(*CROSSED[:3]), genotypes={"control_gene": control})


def test_a_control_only_in_an_array_is_there(tmp_path: Path) -> None:
    settings = {"genotypes": {"control_gene": "nYAL004w"}}
    layout = built(tmp_path, strains(*CROSSED[:6]), **settings)
    assert ["YAL002W", "YAL004W", "YAL006W"] in genes_of(layout)


@pytest.mark.usefixtures("no_cluster")
def test_many_pieces_give_the_same_bytes(tmp_path: Path) -> None:
    table = table_of("yal099w", "NYAL004w", "nobody")
    one = built(tmp_path, table)
    many = built(tmp_path, table, genotypes={"piece_bytes": 60, "part_rows": 3})
    assert genes_of(one) == genes_of(many)
    for file in ("genes.parquet", "gene_names.parquet", "ledger.json"):
        assert (one.genotypes / file).read_bytes() == (many.genotypes / file).read_bytes()


# In a build and from a checkpoint: the same gene for every name


IDS, OTHERS = ("YAL001C", "YAL002W", "YAL003W"), ("ABC1", "abc1", "Abc1", "yal001c", "DEF2", "ghi")
ANY = st.sampled_from([*IDS, *OTHERS, "YAL001c", "Def2", "GHI", "nobody", "YAL004W"])
LINES = st.lists(
    st.tuples(
        st.sampled_from(IDS), st.sampled_from(OTHERS), st.lists(ANY, max_size=2),
        st.sampled_from(["GO:0000003", "GO:0000005", "GO:9999999"]),  # the last is no term
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@given(LINES, st.dictionaries(ANY, ANY, max_size=3), st.booleans(), st.sets(st.sampled_from(IDS)))
@settings(max_examples=examples(300))
def test_a_name_means_the_same_to_a_build_and_to_a_model(
    lines: list[tuple[str, str, list[str], str]],
    mapping: dict[str, str],
    exact: bool,
    pruned: set[str],
) -> None:
    """Genes that pruning loses are known by their names all the same."""
    import tempfile

    rows = ["!gaf-version: 2.2"] + [
        "\t".join(["DB", "x", symbol, "", term, "r", "IMP", "", "P", "", "|".join([gene, *more]),
                   "gene", "taxon:1", "20150101", "DB", "", ""])
        for gene, symbol, more, term in lines
    ]  # fmt: skip
    terms = pl.DataFrame({"term": ["GO:0000003", "GO:0000005"], "obsolete": [False, False]})
    none = pl.DataFrame(schema={"id": pl.String, "term": pl.String, "kind": pl.String})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.gaf"
        path.write_text("\n".join(rows))
        found = read_annotations(path, terms, none, Annotations())
    table = pl.concat([found.names, mapped(mapping)]).sort("name", "kind", "gene")
    pairs = found.pairs.filter(~pl.col("gene").is_in(list(pruned)))
    pairs = pl.concat([pairs, pl.DataFrame({"term": ["GO:0000003"], "gene": ["ZZZ9"]})])
    ids = {gene for gene, *_ in lines}
    table = pl.concat([table, pl.DataFrame([("ZZZ9", "ZZZ9", "systematic")], table.schema,
                                           orient="row")])  # fmt: skip
    graph = number(
        pl.DataFrame({"term": ["GO:0000003"], "name": ["n"], "genes_contained": [1000]}),
        pl.DataFrame({"term": ["GO:0000003"], "stratum": [0], "height": [0]}),
        pl.DataFrame(schema={"child": pl.String, "parent": pl.String}),
        pairs.filter(term="GO:0000003"),
        table,
        exact_names=exact,
    )
    graph = CellGraph.from_files(graph.to_files().__getitem__, Path("checkpoint"))
    names = GeneNames(table.select("name", "gene", "kind").rows(), exact=exact)
    model = GeneNames.of(graph)
    for name in (*IDS, *OTHERS, "YAL001c", "Def2", "GHI", "nobody", "YAL004W", "ZZZ9", "zzz9"):
        assert names.resolve(name) == model.resolve(name), name
        if name in ids and not mapping:
            assert names.resolve(name).gene == name  # an id, as written, wins


@given(st.lists(st.lists(ANY, min_size=1, max_size=3), min_size=1, max_size=8), st.booleans())
@settings(max_examples=examples(150))
def test_tables_are_read_name_by_name(rows: list[list[str]], merge: bool) -> None:
    """By columns, all at once, the same comes out as by rows of names one by one."""
    names = GeneNames([("ABC1", "YAL001C", "symbol"), ("DEF2", "YAL002W", "symbol"),
                       ("ghi", "YAL002W", "synonym"), ("ghi", "YAL003W", "synonym")])  # fmt: skip
    text = "\n".join(["genes\tfitness", *("|".join(row) + "\t1" for row in rows)]) + "\n"
    expected = []
    for row in rows:
        genes = [names.resolve(name).gene for name in row]
        if merge or len(set(genes)) == len(genes):
            expected.append(sorted(set(genes)))
    found = read_with(text, names, merge=merge)
    assert found.frame["genes"].to_list() == expected
    kept = [row for row in rows if merge or len({names.resolve(n).gene for n in row}) == len(row)]
    counted: dict[str, int] = {}
    for name in (name for row in kept for name in row):
        counted[name] = counted.get(name, 0) + 1
    assert found.names == counted


def test_ledger_of_a_network_counts_names(tmp_path: Path) -> None:
    (tmp_path / "net.csv").write_text("gene_a,gene_b\nyal001c,NYAL002W\nYAL001C,YAL002W\nx,y\n")
    source = {"sources": {"networks": [str(tmp_path / "net.csv")]}}
    layout = built(tmp_path, SYSTEMATIC, **source)
    account = json.loads((layout.networks / "ledger.json").read_text())["networks"]["net"]
    assert (account["edges"], account["merged"], account["dropped"]["unknown_gene"]) == (1, 1, 1)
    assert account["names"] == {"as_written": 2, "renamed": 2, "ambiguous": 0, "unresolved": 2}
