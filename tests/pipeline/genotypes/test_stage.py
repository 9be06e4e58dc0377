import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.errors import InputError
from data_specs.genotype_tables import FORMS
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters.sections import Genotypes, resolve
from data_specs.tables import GENOTYPE_KEYS, write_table
from pipeline.genotypes.stage import run
from pipeline.sources import describe
from tests.conftest import examples
from tests.genotype_tables import GenotypeTable, merge, read

ALL = Genotypes()
NAMES = [
    ("ABC1", "YAL001C", "symbol"), ("ABC2", "YAL002W", "symbol"), ("DUR1,2", "YBR208C", "symbol"),
    ("spI IFN", "IFN1", "synonym"),
]  # fmt: skip
FEW = settings(max_examples=examples(40))
Writer = Callable[[str, str], Path]
Row = tuple[str, str | None, float, float | None]  # genes, query, interaction, fitness


def a_table(rows: Sequence[Row], dropped: int = 0) -> GenotypeTable:
    frame = pl.DataFrame(
        [(genes.split("|") if genes else [], *rest) for genes, *rest in rows],
        schema={
            "genes": pl.List(pl.String),
            "query": pl.String,
            "interaction": pl.Float64,
            "fitness": pl.Float64,
        },
        orient="row",
    )
    return GenotypeTable(
        path=Path("t.tsv"),
        form="plain",
        rows=len(rows) + dropped,
        frame=frame,
        phenotypes=("interaction", "fitness"),
        dropped={"malformed": dropped} if dropped else {},
    )


def adds_up(ledger: dict[str, Any]) -> bool:
    dropped = sum(ledger["dropped"].values())
    return bool(ledger["rows"] == dropped + ledger["merged"] + ledger["genotypes"])


def test_one_row_is_kept_as_it_is() -> None:
    found, ledger = merge([("train", a_table([("A|B", "A", 0.1, None)]))], ALL)
    assert found.row(0, named=True) == {
        "genes": ["A", "B"],
        "queries": ["A"],
        "given": "train",
        "count": 1,
        "interaction": 0.1,
        "fitness": None,
        "interaction_spread": None,
        "fitness_spread": None,
    }
    assert ledger == {
        "files": [
            {
                "path": "t.tsv",
                "format": "plain",
                "rows": 1,
                "given": "train",
                "phenotypes": ["interaction", "fitness"],
                "left_out": {},
                "not_measured": {},
            }
        ],
        "rows": 1,
        "dropped": {},
        "merged": 0,
        "genotypes": 1,
        "genes": 2,
        "orders": {"2": 1},
        "given_test": 0,
    }


def test_rows_of_one_gene_set_are_merged() -> None:
    rows: list[Row] = [
        ("A|B", "B", 0.1, None),
        ("C", None, 0.5, 1.0),
        ("A|B", "A", 0.4, 0.9),
        ("A|B", "B", 0.7, 0.8),
    ]
    found, ledger = merge([("train", a_table(rows))], ALL)
    assert found["genes"].to_list() == [["A", "B"], ["C"]]
    assert found["queries"].to_list() == [["A", "B"], []]
    assert found["count"].to_list() == [3, 1]
    assert found["interaction"].to_list() == pytest.approx([mean([0.1, 0.4, 0.7]), 0.5], rel=1e-15)
    assert found["interaction_spread"][0] == pytest.approx(stdev([0.1, 0.4, 0.7]), rel=1e-15)
    assert found["fitness"].to_list() == pytest.approx([mean([0.9, 0.8]), 1.0], rel=1e-15)
    assert found["fitness_spread"][0] == pytest.approx(stdev([0.9, 0.8]), rel=1e-15)
    assert found["interaction_spread"][1] is None
    assert (ledger["merged"], ledger["orders"]) == (2, {"1": 1, "2": 1})


def test_rows_are_sorted_as_lists_of_genes_are() -> None:
    """Joined by `|`, `YAL001C-A` would come before `YAL001C`."""
    genes = ["YAL001C-A|YBR001W", "YAL001C|YBR002W", "YAL001C", "YAL001C|YBR001W-A", "Q1|Q2|Q3"]
    found, _ = merge([("train", a_table([(g, None, 1.0, None) for g in genes]))], ALL)
    assert found["genes"].to_list() == sorted(g.split("|") for g in genes)


def test_what_is_dropped_is_counted() -> None:
    train: list[Row] = [
        ("", None, 1.0, None),
        ("YDL227C", None, 1.0, None),
        ("A", "A", 1.0, None),
        ("A|B|C|D", "A", 1.0, None),
        ("A|B", "A", 1.0, None),
        ("A|B", "A", 1.0, None),
        ("A|C", "A", 1.0, None),
    ]
    test: list[Row] = [("A|B", "X", 5.0, None), ("A|B|C", None, 2.0, None)]
    tables = [("train", a_table(train, dropped=3)), ("test", a_table(test))]
    found, ledger = merge(tables, Genotypes(orders=(2, 3)))
    assert ledger["dropped"] == {"malformed": 3, "no_deletion": 2, "order": 2, "also_in_test": 2}
    assert adds_up(ledger)
    assert ledger["given_test"] == 2
    assert found["given"].to_list() == ["test", "test", "train"]
    assert found["interaction"].to_list() == [5.0, 2.0, 1.0]
    assert found["queries"].to_list() == [["X"], [], ["A"]]


def test_without_a_control_gene_its_deletion_is_a_genotype() -> None:
    tables = [("train", a_table([("YDL227C", None, 1.0, None)]))]
    assert merge(tables, Genotypes(control_gene=None))[0].height == 1


def test_phenotypes_of_several_files_are_united() -> None:
    other = a_table([("A", None, 3.0, 0.5), ("B", None, 1.0, None)])
    other = GenotypeTable(
        path=Path("u.tsv"),
        form="plain",
        rows=2,
        frame=other.frame.rename({"fitness": "od"}),
        phenotypes=("interaction", "od"),
        dropped={},
    )
    found, _ = merge([("train", a_table([("A", None, 1.0, 0.25)])), ("train", other)], ALL)
    means = found.select("interaction", "fitness", "od").rows()
    assert means == [(2.0, 0.25, 0.5), (1.0, None, None)]
    assert found.columns[-3:] == ["interaction_spread", "fitness_spread", "od_spread"]


def test_primary_phenotypes_must_agree() -> None:
    other = a_table([("A", None, 3.0, 0.5)])
    other = GenotypeTable(Path("u.tsv"), "plain", 1, other.frame, ("fitness",), {})
    with pytest.raises(InputError, match=r"u\.tsv: .*'fitness', but in t\.tsv it is 'interaction'"):
        merge([("train", a_table([("A", None, 1.0, 1.0)])), ("test", other)], ALL)


def test_name_of_a_spread_is_refused() -> None:
    table = a_table([("A", None, 3.0, 0.5)])
    frame = table.frame.rename({"fitness": "interaction_spread"})
    table = GenotypeTable(Path("t"), "plain", 1, frame, ("interaction", "interaction_spread"), {})
    with pytest.raises(InputError, match="'interaction_spread' is what the spread of"):
        merge([("train", table)], ALL)


def test_nothing_left_says_what_emptied_it() -> None:
    with pytest.raises(InputError, match=r"dropped: 1 no deletion, 1 order\. .*orders \[3\]"):
        merge(
            [("train", a_table([("A|B", None, 1.0, None), ("", None, 1.0, None)]))],
            Genotypes(orders=(3,)),
        )
    with pytest.raises(InputError, match="no genotype file is given"):
        merge([], ALL)


names = st.sampled_from(["A", "B", "C", "C-A"])
gene_sets = st.sets(names, max_size=3).map(lambda genes: "|".join(sorted(genes)))
values = st.floats(-1e6, 1e6)
row_lists = st.lists(
    st.tuples(gene_sets, st.none() | names, values, st.none() | values), min_size=1, max_size=40
)


@FEW
@given(rows=row_lists, more=row_lists, seed=st.integers(0, 99))
def test_order_of_rows_and_files_does_not_change_a_bit(
    rows: list[Row], more: list[Row], seed: int
) -> None:
    rows, more = [*rows, ("A|B", None, 1.0, None)], [*more, ("A", None, 1.0, None)]
    found, ledger = merge([("train", a_table(rows)), ("test", a_table(more))], ALL)
    random.Random(seed).shuffle(rows)
    random.Random(seed).shuffle(more)
    again, ledger_again = merge([("test", a_table(more)), ("train", a_table(rows))], ALL)
    assert found.equals(again)
    assert ledger | {"files": []} == ledger_again | {"files": []}
    assert adds_up(ledger)
    assert found["genes"].to_list() == sorted(found["genes"].to_list())
    assert found["genes"].is_duplicated().sum() == 0


@FEW
@given(rows=row_lists)
def test_means_and_spreads_are_those_of_the_rows(rows: list[Row]) -> None:
    rows = [*rows, ("A", None, 1.0, 1.0)]
    found, _ = merge([("train", a_table(rows))], ALL)
    for genotype in found.iter_rows(named=True):
        for column, name in ((2, "interaction"), (3, "fitness")):
            group = [r[column] for r in rows if r[0] == "|".join(genotype["genes"])]
            known = [value for value in group if value is not None]
            spread = genotype[f"{name}_spread"]
            assert (genotype[name] is None, spread is None) == (len(known) < 1, len(known) < 2)
            if known:
                assert genotype[name] == pytest.approx(mean(known), rel=1e-9, abs=1e-9)
            if len(known) > 1:
                assert spread == pytest.approx(stdev(known), rel=1e-9, abs=1e-6)


# The stage


def build(
    root: Path, train: Sequence[Path], test: Sequence[Path] = (), **genotypes: object
) -> DataLayout:
    layout = DataLayout(root / "data")
    paths = {"genotypes": [*map(str, train)], "test_genotypes": [*map(str, test)]}
    write_json(
        layout.sources / "sources.json",
        {
            "profile": "local",
            "ontology": "o.obo",
            "annotations": None,
            **paths,
            "inputs": [describe(str(path), path) for path in (*train, *test)],
        },
    )
    layout.annotations.mkdir(parents=True, exist_ok=True)
    names = pl.DataFrame(NAMES, schema=["name", "gene", "kind"], orient="row")
    write_table(names, layout.annotations / "names.parquet")
    run(resolve({"genotypes": genotypes}), layout)
    return layout


@pytest.fixture
def written(tmp_path: Path) -> Writer:
    def write(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_stage_writes_the_agreed_tables(tmp_path: Path, written: Writer) -> None:
    train = written("train.txt", "2 B A 0.5\n2 A C 1\n1 C 0.25\n2 B A x\n")
    layout = build(tmp_path, [train], [written("test.txt", "2 C A 2\n")], on_bad_row="skip")
    table = pq.read_table(layout.genotypes / "genotypes.parquet")
    keys = {name: table.schema.field(name).type for name in GENOTYPE_KEYS}
    assert keys == GENOTYPE_KEYS
    assert table.column_names == [*GENOTYPE_KEYS, "interaction", "interaction_spread"]
    assert table["genes"].to_pylist() == [["A", "B"], ["A", "C"], ["C"]]
    assert table["given"].to_pylist() == ["train", "test", "train"]
    assert pl.read_parquet(layout.genotypes / "genes.parquet").to_dict(as_series=False) == {
        "gene": ["A", "B", "C"]
    }
    ledger = read_json(layout.genotypes / "ledger.json")
    assert ledger["files"][1] == {
        "path": str(tmp_path / "test.txt"), "format": "dcell", "rows": 1, "given": "test",
        "phenotypes": ["interaction"], "left_out": {}, "not_measured": {},
    }  # fmt: skip
    assert ledger["dropped"] == {"malformed": 1, "also_in_test": 1}


def test_stage_gives_the_same_bytes_for_any_order_of_rows(tmp_path: Path, written: Writer) -> None:
    lines = [f"2 A{i % 7} B{i % 5} {i / 7}\n" for i in range(200)]
    first = build(tmp_path / "1", [written("t.txt", "".join(lines))])
    second = build(tmp_path / "2", [written("t.txt", "".join(reversed(lines)))])
    for name in ("genotypes.parquet/00000.parquet", "genes.parquet", "ledger.json"):
        assert (first.genotypes / name).read_bytes() == (second.genotypes / name).read_bytes()


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(("piece_bytes", "part_rows"), [(300, 7), (1000, 30)])
def test_noise_does_not_depend_on_pieces_and_parts(
    tmp_path: Path, written: Writer, piece_bytes: int, part_rows: int
) -> None:
    draw = random.Random(0)
    rows = [f"G{g}|H,{draw.gauss(g, 2)},{draw.random()}" for g in range(60) for _ in range(g % 4)]
    table = written("t.csv", "\n".join(["genes,score,sd", *rows, *rows[:9], ""]))
    accounts = [
        read_json(build(tmp_path / str(at), [table], **sizes).genotypes / "ledger.json")
        for at, sizes in enumerate([{}, {"piece_bytes": piece_bytes, "part_rows": part_rows}])
    ]
    assert accounts[0]["noise"] == accounts[1]["noise"]
    replicates, by_sd = accounts[0]["noise"]["score"]
    assert (replicates["genotypes"], replicates["copies"]) == (30, 9)
    assert replicates["repeats"] + replicates["copies"] == accounts[0]["merged"]
    assert by_sd["column"] == "sd"


def test_rows_without_the_first_phenotype_are_dropped_and_counted(
    tmp_path: Path, written: Writer
) -> None:
    text = "genes,fitness,note,plate\nA|B,0.5,x,1\nA|C,,y,2\nB|C,ND,z,-\nC,0.25,,-\n"
    layout = build(tmp_path, [written("t.csv", text)])
    ledger = read_json(layout.genotypes / "ledger.json")
    assert (ledger["genotypes"], ledger["dropped"]) == (2, {"missing_phenotype": 2})
    [file] = ledger["files"]
    assert file["phenotypes"] == ["fitness", "plate"]
    assert file["left_out"] == {"note": "text"}
    assert file["not_measured"] == {"fitness": {"(empty)": 1, "ND": 1}, "plate": {"-": 2}}


def test_a_file_without_one_value_of_the_first_phenotype(tmp_path: Path, written: Writer) -> None:
    header = "\t".join(FORMS["tau_sga"])
    rows = "".join(f"A_1\tB{n}_1\tNaN\t1\t0.5\t1\n" for n in range(3))
    files = [written("good.txt", "2 A B 1\n"), written("t.txt", f"{header}\n{rows}")]
    with pytest.raises(InputError, match=r"none of its 3 rows has a value of 'interaction'"):
        build(tmp_path, files)
    layout = build(tmp_path, files[1:], phenotypes=["fitness"])
    assert read_json(layout.genotypes / "ledger.json")["genotypes"] == 3


def test_a_bad_row_says_what_to_do(tmp_path: Path, written: Writer) -> None:
    with pytest.raises(InputError, match=r"t\.csv:3: .* 0\.9\. .*on_bad_row: skip"):
        build(tmp_path, [written("t.csv", 'genes,score\nA,1\nB,"0,9"\n')])
    layout = build(tmp_path, [written("t.csv", 'genes,score\nA,1\nB,"0,9"\n')], on_bad_row="skip")
    assert read_json(layout.genotypes / "ledger.json")["dropped"] == {"malformed": 1}


def test_phenotypes_that_are_asked_for(tmp_path: Path, written: Writer) -> None:
    files = [
        written("t.csv", "genes,plate,fitness\nA,1,0.5\n"),
        written("u.csv", "genes,fitness,od\nB,0.25,3\n"),
    ]
    with pytest.raises(InputError, match="the primary phenotype is 'fitness', but in"):
        build(tmp_path, files)
    layout = build(tmp_path, files, phenotypes=["fitness", "od"])
    table = pl.read_parquet(layout.genotypes / "genotypes.parquet" / "*.parquet")
    assert table.select("fitness", "od").rows() == [(0.5, None), (0.25, 3.0)]
    assert "plate" not in table.columns
    with pytest.raises(InputError, match="no column 'od'; did you mean"):
        build(tmp_path, files, phenotypes=["od", "fitness"])  # the first must be in each file
    with pytest.raises(InputError, match=r"no genotype file has .*'ods'; did you mean 'od'"):
        build(tmp_path, files, phenotypes=["fitness", "ods"])


def test_names_with_blanks_that_the_annotations_know(tmp_path: Path, written: Writer) -> None:
    layout = build(tmp_path, [written("t.tsv", "genes\tscore\nA|spI IFN\t1\nDUR1,2,A\t2\n")])
    genes = pl.read_parquet(layout.genotypes / "genes.parquet")["gene"].to_list()
    assert genes == ["A", "IFN1", "YBR208C"]


def test_failure_leaves_what_was_there(tmp_path: Path, written: Writer) -> None:
    layout = build(tmp_path, [written("t.txt", "2 A B 1\n")])
    with pytest.raises(InputError, match="the number of genes n"):
        build(tmp_path, [written("t.txt", "2 A B 1\n2 A 1\n")])
    assert read_json(layout.genotypes / "ledger.json")["genotypes"] == 1
    assert [path.name for path in layout.root.iterdir() if path.name.startswith(".")] == []


# Real files; numbers counted with awk, sort and uniq, not with this code


@pytest.mark.real
@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (
            ["tau_sga_trigenic.tsv"],
            [],
            {"rows": 10_432, "merged": 9, "genotypes": 10_423, "genes": 1_211,
             "orders": {"2": 5_821, "3": 4_602}, "given_test": 0},
        ),
        (
            ["dcell_GO_0006281.train.txt"],
            ["dcell_GO_0006281.test.txt"],
            {"rows": 11_651, "merged": 0, "genotypes": 11_651, "genes": 162,
             "orders": {"2": 11_651}, "given_test": 2_868},
        ),
        (
            ["costanzo2016_SGA_NxN.extract.txt", "costanzo2016_SGA_ExE.extract.txt"],
            [],
            {"rows": 100, "merged": 0, "genotypes": 100, "genes": 193,
             "orders": {"2": 100}, "given_test": 0},
        ),
    ],
)  # fmt: skip
def test_real_files(
    real_data: Path, train: list[str], test: list[str], expected: dict[str, object]
) -> None:
    folder = real_data / "genotypes"
    tables = [("train", read(folder / name, control_gene="YDL227C")) for name in train]
    tables += [("test", read(folder / name, control_gene="YDL227C")) for name in test]
    found, ledger = merge(tables, ALL)
    assert {key: ledger[key] for key in expected} == expected
    assert ledger["dropped"] == {}
    assert found["genes"].explode().n_unique() == ledger["genes"]
    assert json.loads(json.dumps(ledger)) == ledger
