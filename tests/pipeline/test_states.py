"""Builds in which genes have states: by kinds of alleles, or in a column of a plain table."""

import itertools
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from torch_geometric.loader import DataLoader

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError, ParameterError
from data_specs.layout import DataLayout, read_json
from data_specs.parameters import override, resolve
from data_specs.store import StoreReader
from dcell_model.baselines import multi_hot
from dcell_model.data import MutantStateDataset
from dcell_model.data.batches import ResidentSamples
from dcell_model.data.pyg import HeteroMutantStates, PyGMutantStates, batch_of
from pipeline.build import build
from pipeline.cli import main
from pipeline.export import cellmaps_tables
from pipeline.verify import verify
from tests.conftest import tiny_parameters
from tests.strain_tables import write_long_form

ROWS = [  # query, its allele, array, its allele, interaction
    ("YAL001C_tsq1", "abc-1", "YAL002W_dma2", "def", -0.5),
    ("YAL001C_damp1", "abc-damp", "YAL002W_dma2", "def", 0.25),
    ("YAL002W_sn2", "def", "YAL001C_tsa9", "abc-1", -0.25),
    ("YAL002W_sn2", "def", "YAL001C_tsa7", "abc-2", -0.75),
    ("YAL001C_sn1", "abc", "YAL002W_dma2", "def", 0.125),
    ("YAL001C+YAL003W_tm2", "abc-3+ghiΔ", "YAL002W_dma2", "def", 0.5),
    ("YAL004W_S253", "jkl-supp1", "YAL005C_dma5", "", 0.375),
    ("YAL006W_sn2", "", "YAL007C_dma5", "", 0.625),
    ("YAL006W_sn2", "", "YAL005C_dma5", "", 0.75),
]
STATES = {"ts": 0.25, "damp": 0.5}
# By genes, then by states; rows of two ts alleles of one gene are one genotype.
FOUND = [
    (["YAL001C", "YAL002W"], [0.0, 0.0], 0.125),
    (["YAL001C", "YAL002W"], [0.25, 0.0], -0.5),
    (["YAL001C", "YAL002W"], [0.5, 0.0], 0.25),
    (["YAL001C", "YAL002W", "YAL003W"], [0.0, 0.0, 0.0], 0.5),
    (["YAL004W", "YAL005C"], [0.0, 0.0], 0.375),
    (["YAL005C", "YAL006W"], [0.0, 0.0], 0.75),
    (["YAL006W", "YAL007C"], [0.0, 0.0], 0.625),
]
PLAIN = [
    ("YAL001C|YAL002W", "0|0.5", 0.5), ("YAL002W|YAL001C", "0.5|0", 0.7),
    ("YAL001C|YAL002W", "", 0.1), ("YAL003W", "0.3", 0.9), ("YAL004W;YAL005C", "2;0", 0.8),
    ("YAL005C", "0", 0.75), ("YAL006W", "0.999", 1.0), ("YAL007C", "0.25", 0.6),
]  # fmt: skip


def strains(folder: Path) -> str:
    return write_long_form(folder / "long.txt", ROWS)


def plain(folder: Path, rows: list[tuple[str, str, float]] = PLAIN) -> str:
    lines = ["genes\tstates\tgrowth", *("\t".join(map(str, row)) for row in rows)]
    path = folder / "plain.tsv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def made(folder: Path, table: str, layout: str = "delta", **genotypes: object) -> DataLayout:
    given = tiny_parameters(
        sources={"genotypes": [table]}, genotypes=genotypes,
        store={"layout": layout}, split={"val": 0.2, "test": 0.2}, dask={"workers": 1},
    )  # fmt: skip
    return build(resolve(given), folder / "build")


def genotypes_of(layout: DataLayout) -> pl.DataFrame:
    parts = sorted((layout.store / "samples.parquet").iterdir())
    return pl.concat([pl.read_parquet(part) for part in parts])


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> DataLayout:
    """A build of the plain table; read only."""
    folder = tmp_path_factory.mktemp("states")
    return made(folder, plain(folder))


def test_kinds_of_alleles_tell_states(tmp_path: Path) -> None:
    layout = made(tmp_path, strains(tmp_path), states=STATES)
    samples = genotypes_of(layout)
    assert list(samples.select("genes", "states").iter_rows()) == [own[:2] for own in FOUND]
    assert samples["count"].to_list() == [1, 3, 1, 1, 1, 1, 1]
    reader = StoreReader(layout.store)
    values = [reader.block(n).phenotypes["interaction"] for n in range(len(reader.meta.blocks))]
    np.testing.assert_allclose(np.concatenate(values), [value for *_, value in FOUND])
    assert read_json(layout.genotypes / "ledger.json")["states"] == {"0": 13, "0.25": 1, "0.5": 1}
    assert all(check.passed for check in verify(layout))


def test_other_kinds_have_states_too(tmp_path: Path) -> None:
    """Of a strain of several genes the names of its alleles tell the kinds."""
    samples = genotypes_of(made(tmp_path, strains(tmp_path), states={"other": 0.75}))
    found = dict(zip(samples["genes"].list.join("|"), samples["states"].to_list(), strict=True))
    assert found["YAL001C|YAL002W|YAL003W"] == [0.75, 0.0, 0.0]
    assert found["YAL004W|YAL005C"] == [0.75, 0.0]


def test_alleles_and_states_together(tmp_path: Path) -> None:
    samples = genotypes_of(made(tmp_path, strains(tmp_path), states=STATES, alleles="keep"))
    pair = samples.filter(pl.col("genes").list.join("|") == "YAL001C|YAL002W")
    assert pair["alleles"].list.join("|").to_list() == ["Δ|Δ", "abc-1|Δ", "abc-2|Δ", "abc-damp|Δ"]
    assert pair["states"].to_list() == [[0, 0], [0.25, 0], [0.25, 0], [0.5, 0]]


def test_a_column_of_states(graded: DataLayout) -> None:
    samples = genotypes_of(graded)
    found = list(samples.select("genes", "states", "count").iter_rows())
    assert found[:3] == [
        (["YAL001C", "YAL002W"], [0.0, 0.0], 1), (["YAL001C", "YAL002W"], [0.0, 0.5], 2),
        (["YAL003W"], [pytest.approx(0.3)], 1),
    ]  # fmt: skip
    assert (["YAL004W", "YAL005C"], [2.0, 0.0], 1) in found
    assert StoreReader(graded.store).meta.version == 3
    assert all(check.passed for check in verify(graded))


def test_without_states_nothing_changes(tmp_path: Path) -> None:
    """All states 0: the store is as it would be without the column."""
    rows = [("YAL001C|YAL002W", "0|0", 0.5), ("YAL003W", "", 0.9), ("YAL005C", "0", 0.7)]
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    with_column = made(first, plain(first, rows))
    text = Path(plain(second, rows)).read_text().splitlines()
    bare = ["\t".join(line.split("\t")[::2]) for line in text]
    (second / "plain.tsv").write_text("\n".join(bare) + "\n")
    without = made(second, str(second / "plain.tsv"))
    assert StoreReader(with_column.store).meta == StoreReader(without.store).meta
    for path in sorted(without.store.rglob("0*.parquet")):
        twin = with_column.store / path.relative_to(without.store)
        assert twin.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("layout", ["delta", "dense"])
def test_samples_and_batches_have_the_states(tmp_path: Path, layout: str) -> None:
    data = made(tmp_path, plain(tmp_path), layout)
    dataset = MutantStateDataset(data.store)
    graph, states = CellGraph.read(data.cell_graph), genotypes_of(data)["states"].to_list()
    batch = dataset.batch(range(len(dataset)))
    assert batch.deleted_state is not None
    np.testing.assert_array_equal(batch.deleted_state, np.float32(list(itertools.chain(*states))))
    resident = ResidentSamples(dataset, "cpu").batch([3, 0, 3])
    gathered = dataset.batch([3, 0, 3])
    for name in ("state", "deleted_state", "gene", "deleted_gene"):
        np.testing.assert_array_equal(getattr(resident, name), getattr(gathered, name))
    of_pyg = PyGMutantStates(data.store)
    loader = DataLoader(of_pyg, batch_size=len(of_pyg), follow_batch=["genes", "delta"])
    of_loader = batch_of(next(iter(loader)))
    for name in ("state", "deleted_state", "gene", "deleted_gene", "sample"):
        np.testing.assert_array_equal(getattr(of_loader, name), getattr(batch, name))
    hetero = HeteroMutantStates(data.store)[0]["gene_ontology"].go_gene_strata_state
    np.testing.assert_array_equal(hetero, dataset[0].mutant_state.astype(np.float32))
    numbers = multi_hot(dataset).toarray()
    for number, own in enumerate(states):
        sample = dataset[number]
        np.testing.assert_array_equal(sample.states, np.float32(own))
        expected = graph.wild_type.astype(np.float64)
        for gene, state in zip(sample.genes, sample.states, strict=True):
            expected[expected[:, 1] == gene, 3] = state
            assert numbers[number, gene] == pytest.approx(1 - state)
        np.testing.assert_array_equal(sample.mutant_state, expected)
        rows = expected[expected[:, 3] != 1]
        np.testing.assert_array_equal(sample.delta, rows)
        mine = (batch.sample == number).numpy()
        np.testing.assert_array_equal(batch.state[mine], rows[:, 3].astype(np.float32))
    assert all(check.passed for check in verify(data))


def test_show_prints_states(graded: DataLayout, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", str(graded.root), "--genotype", "YAL001C,YAL002W=0.5"])
    printed = capsys.readouterr().out
    assert "states of the genes of genotypes: 5 in 0, 1 in 0.25, 1 in 0.3, 1 in 0.5" in printed
    assert re.search(r"deleting YAL001C[^=]*, YAL002W[^=]*=0.5 changes", printed)


@pytest.mark.parametrize(
    ("genes", "states"),
    [("YAL001C|YAL002W", "0.5"), ("YAL001C", "1"), ("YAL001C", "-0.1"), ("YAL001C", "eleven"),
     ("YAL001C", "10.5"), ("YAL001C", "nan|0"), ("YAL001C", "inf")],
)  # fmt: skip
def test_a_state_that_is_none_is_refused(tmp_path: Path, genes: str, states: str) -> None:
    table = plain(tmp_path, [*PLAIN, (genes, states, 0.5)])
    with pytest.raises(InputError, match=r"plain.tsv:10: found states .* not 1, which is the wild"):
        made(tmp_path, table)
    assert len(genotypes_of(made(tmp_path, table, on_bad_row="skip"))) == 7


def test_a_gene_named_twice_has_the_lower_state(tmp_path: Path) -> None:
    table = plain(tmp_path, [*PLAIN, ("YAL003W|YAL005C|YAL003W", "0.5|0.25|0.75", 0.4)])
    samples = genotypes_of(made(tmp_path, table, same_gene="merge"))
    assert (["YAL003W", "YAL005C"], [0.5, 0.25]) in list(
        samples.select("genes", "states").iter_rows()
    )


def test_states_of_kinds_need_strains(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no genotype file names strains"):
        made(tmp_path, plain(tmp_path), states=STATES)


def test_states_on_the_command_line() -> None:
    for text in ("{ts: 0.25, damp: 0.5}", "ts:0.25,damp:0.5"):
        given = override({}, [f"genotypes.states={text}"])
        assert resolve(given).genotypes.states == STATES


@pytest.mark.parametrize("states", [{"ts": 1}, {"ts": -1}, {"tz": 0.5}, "ts", {"ts": "half"}])
def test_parameters_say_what_a_state_is(states: object) -> None:
    with pytest.raises(ParameterError, match=r"genotypes.states"):
        resolve({"genotypes": {"states": states}})


def test_other_states_in_a_test_file_are_other_genotypes(tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("genes\tstates\tgrowth\nYAL001C|YAL002W\t0|0.5\t0.9\n")
    given = tiny_parameters(
        sources={"genotypes": [plain(tmp_path)], "test_genotypes": [str(tmp_path / "test.tsv")]},
        split={"val": 0.2}, dask={"workers": 1},
    )  # fmt: skip
    samples = genotypes_of(build(resolve(given), tmp_path / "build"))
    pair = samples.filter(pl.col("genes").list.join("|") == "YAL001C|YAL002W")
    assert pair["given"].to_list() == ["train", "test"]
    assert pair["count"].to_list() == [1, 1]


def test_tables_for_cellmaps_vnn_are_refused(graded: DataLayout, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="say only whether a gene is altered"):
        cellmaps_tables.write_genotypes(graded, ["YAL001C"], "growth", tmp_path)
