"""`verify` passes what is right and finds what is not."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_specs.cell_graph import CellGraph
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters.sections import resolve
from data_specs.store.reader import STATE_COLUMNS, StoreReader
from data_specs.store.shards import Block
from data_specs.tables import PARTS, parts_of
from data_specs.workers import workers
from pipeline import build as pipeline_build
from pipeline.genotypes import stage as genotypes
from pipeline.split import stage as split
from pipeline.store import stage as store
from pipeline.verify import verify
from pipeline.verify.hierarchy import check_strata
from tests.conftest import tiny_parameters


@pytest.fixture(scope="module", params=[("delta", 1), ("delta", 4), ("dense", 4)])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """45 genotypes in this layout and in so many parts of several blocks; read only."""
    layout, parts = request.param
    given = tiny_parameters(
        genotypes={"part_rows": 45 // parts + 1},
        store={"layout": layout, "block_bytes": 250},
    )
    with pytest.MonkeyPatch.context() as here:  # no cluster
        for module in (genotypes, store, split):
            here.setattr(module, "workers", lambda settings, parts: workers(settings, 1))
        out = tmp_path_factory.mktemp("verify") / "build"
        root = pipeline_build.build(resolve(given), out).root
    found = StoreReader(root / "store").meta
    assert len(found.shards) == parts
    assert len(found.blocks) > parts
    return root


@pytest.fixture
def build(built: Path, tmp_path: Path) -> DataLayout:
    shutil.copytree(built, tmp_path / "build")
    return DataLayout(tmp_path / "build")


def failures(layout: DataLayout) -> dict[str, str]:
    return {check.name: check.detail for check in verify(layout) if not check.passed}


def rewrite(layout: DataLayout, **changes: object) -> None:
    """The cell graph with some arrays changed, consistent with its own fingerprint."""
    graph = CellGraph.read(layout.cell_graph)
    fields = {name: getattr(graph, name) for name in CellGraph.__dataclass_fields__}
    shutil.rmtree(layout.cell_graph)
    CellGraph(**(fields | changes)).write(layout.cell_graph)  # type: ignore[arg-type]


def test_good_build(build: DataLayout) -> None:
    checks = list(verify(build))
    assert all(check.passed for check in checks)
    assert len(checks) == 11
    strata = next(check for check in checks if check.name == "strata")
    assert strata.detail == "7 edges, none within a stratum; 1 within a level"


def test_damaged_cell_graph(build: DataLayout) -> None:
    path = build.cell_graph / "terms.arrow"
    raw = bytearray(path.read_bytes())
    raw[raw.find(b"GO:0000002") + 3] ^= 1
    path.write_bytes(raw)
    assert "its checksum differs from the one" in failures(build)["cell graph"]


def test_wrong_strata(build: DataLayout) -> None:
    graph = CellGraph.read(build.cell_graph)
    strata = graph.strata.copy()
    strata[-1] += 1
    rewrite(build, strata=strata)
    assert failures(build)["cell graph"].endswith(
        "strata are the longest paths neither from the root nor from the leaves."
    )


def test_an_edge_within_a_stratum(build: DataLayout) -> None:
    graph = CellGraph.read(build.cell_graph)
    strata = graph.strata.copy()
    child, parent = graph.edges[-1]
    strata[child] = strata[parent]
    said = f"{graph.term_ids[child]} and its parent {graph.term_ids[parent]} are in strata"
    with pytest.raises(Exception, match=said):
        check_strata(replace(graph, strata=strata), build)


@pytest.mark.parametrize(
    ("column", "said"),
    [("stratum", "strata.parquet: other strata"),
     ("level", r"GO:\d+ has level \d and depth \d; the ontology says"),
     ("depth", r"GO:\d+ has level \d and depth \d; the ontology says")],
)  # fmt: skip
def test_a_table_of_other_strata_or_levels(build: DataLayout, column: str, said: str) -> None:
    path = build.strata / "strata.parquet"
    table = pl.read_parquet(path)
    path.unlink()
    table.with_columns(pl.col(column) + (pl.col("term") == table["term"][-1])).write_parquet(path)
    assert re.search(said, failures(build)["strata"])


def test_a_build_from_before_there_were_levels(build: DataLayout) -> None:
    path = build.strata / "strata.parquet"
    table = pl.read_parquet(path).drop("level", "depth")
    path.unlink()
    table.write_parquet(path)
    assert not failures(build)
    path.unlink()
    assert not failures(build)


def test_shrinking_containment(build: DataLayout) -> None:
    graph = CellGraph.read(build.cell_graph)
    rewrite(build, genes_contained=graph.genes_contained + np.arange(graph.num_terms))
    assert failures(build)["hierarchy"] == "containment shrinks upwards"


def test_another_root(build: DataLayout) -> None:
    graph = CellGraph.read(build.cell_graph)
    rewrite(build, term_ids=["GO:9999999", *graph.term_ids[1:]])
    assert failures(build)["hierarchy"].startswith("the root is GO:9999999; expected ")


def test_strata_from_the_leaves(tmp_path: Path) -> None:
    given = tiny_parameters(strata={"origin": "leaves"})
    build = pipeline_build.build(resolve(given), tmp_path / "build")
    graph = CellGraph.read(build.cell_graph)
    assert (graph.strata == graph.heights[0] - graph.heights).all()
    assert not failures(build)


def test_unsorted_rows(build: DataLayout) -> None:
    graph = CellGraph.read(build.cell_graph)
    rewrite(build, annotations=graph.annotations[::-1].copy())
    assert "annotations are not sorted, each once" in failures(build)["cell graph"]


def test_damaged_block(build: DataLayout) -> None:
    path = build.store / "00000" / "data.mdb"
    raw = bytearray(path.read_bytes())
    place = raw.find(bytes(StoreReader(build.store).check_block(0)[:300]))
    raw[place + 250] ^= 0xFF
    path.unlink()  # a new file: the old one stays mapped as it was
    path.write_bytes(raw)
    assert "block 0" in failures(build)["blocks"]


@pytest.mark.parametrize("column", STATE_COLUMNS)
def test_wrong_state(build: DataLayout, monkeypatch: pytest.MonkeyPatch, column: str) -> None:
    """The last row of the last block, where the checksum does not help."""
    intact = StoreReader.block

    def damaged(self: StoreReader, number: int) -> Block:
        block = intact(self, number)
        if number < len(self.meta.blocks) - 1:
            return block
        values = block.state[column].copy()
        values[-1] ^= 1
        return replace(block, state=block.state | {column: values})

    monkeypatch.setattr(StoreReader, "block", damaged)
    found = failures(build)
    assert found.keys() == {"mutant states"}
    assert "to 44: state rows differ" in found["mutant states"]


@pytest.mark.parametrize("field", ["gene_offsets", "state_offsets"])
def test_wrong_offsets(build: DataLayout, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    intact = StoreReader.block

    def damaged(self: StoreReader, number: int) -> Block:
        block = intact(self, number)
        offsets = getattr(block, field).copy()
        offsets[1] += 1
        return replace(block, **{field: offsets})

    monkeypatch.setattr(StoreReader, "block", damaged)
    assert failures(build).keys() == {"mutant states"}


def test_samples_in_another_order(build: DataLayout) -> None:
    path = parts_of(build.store / "samples.parquet")[-1]
    samples = pl.read_parquet(path)
    pl.concat([samples[:-2], samples[-2:].reverse()]).write_parquet(path)
    assert "to 44: genes differ" in failures(build)["mutant states"]


def test_a_sample_too_few(build: DataLayout) -> None:
    path = parts_of(build.store / "samples.parquet")[-1]
    samples = pl.read_parquet(path)
    samples[:-1].write_parquet(path)
    for complaint in (failures(build)["mutant states"], failures(build)["split"]):
        assert f"{path.name}: {samples.height - 1} samples; the shard has {samples.height}" in (
            complaint
        )


def test_a_part_of_the_samples_is_missing(build: DataLayout) -> None:
    parts = parts_of(build.store / "samples.parquet")
    parts[-1].unlink()
    found = failures(build)
    assert f"{len(parts) - 1} parts for {len(parts)} shards" in found["mutant states"]
    assert found["split"] == found["mutant states"]


# The split


def change_split(layout: DataLayout, *columns: pl.Series, **ledger: object) -> str:
    """What is said of the split with these columns and entries of its ledger instead."""
    path = layout.split / "split.parquet"
    pl.read_parquet(path).with_columns(*columns).write_parquet(path)
    ledger_path = layout.split / "ledger.json"
    write_json(ledger_path, read_json(ledger_path) | ledger)
    return failures(layout).get("split", "")


def change_samples(layout: DataLayout, **columns: pl.Expr) -> None:
    """Change a column of all parts of the samples."""
    for part in parts_of(layout.store / "samples.parquet"):
        pl.read_parquet(part).with_columns(**columns).write_parquet(part)


def test_wrong_split(build: DataLayout) -> None:
    path = build.split / "split.parquet"
    table = pl.read_parquet(path)
    table[:-1].write_parquet(path)
    assert "not each once" in failures(build)["split"]
    pl.concat([table, table[-1:]]).write_parquet(path)
    assert "not each once" in failures(build)["split"]
    pl.concat([table[:-2], table[-2:].reverse()]).write_parquet(path)
    assert "not each once" in failures(build)["split"]
    pl.concat([table[:-1], table[:1]]).write_parquet(path)
    assert "not each once" in failures(build)["split"]


def test_unknown_parts(build: DataLayout) -> None:
    parts = pl.Series("part", ["train"] * 44 + ["tset"])
    assert change_split(build, parts) == "unknown parts ['tset']"
    assert change_split(build, parts.replace("tset", None)) == "unknown parts [None]"


def test_counts_are_those_of_all_parts(build: DataLayout) -> None:
    table = pl.read_parquet(build.split / "split.parquet")
    detail = next(check.detail for check in verify(build) if check.name == "split")
    counts = [f"{table.filter(part=part).height} {part}" for part in PARTS[:3]]
    assert detail == f"random: {', '.join(counts)}"


def test_a_given_test_sample_elsewhere(build: DataLayout) -> None:
    """And only where there are none must train and test be disjoint."""
    last = pl.col("genes") == pl.lit(["YAL009W", "YAL010C"])
    change_samples(build, given=pl.when(last).then(pl.lit("test")).otherwise("given"))
    parts = np.array(["train"] * 44 + ["test"])
    assert change_split(build, pl.Series("part", parts), method="gene") == ""
    parts[[0, 44]] = parts[[44, 0]]
    assert "given test sample" in change_split(build, pl.Series("part", parts))


def test_train_and_test_share_a_gene(build: DataLayout) -> None:
    sides = ["train", *["excluded"] * 43, "test"]  # YAL001C|YAL002W and YAL009W|YAL010C
    assert change_split(build, pl.Series("part", sides), method="gene") == ""
    sides[43] = "train"  # YAL008W|YAL010C
    assert change_split(build, pl.Series("part", sides)) == "train and test share 1 genes"


def test_train_and_test_share_a_query(build: DataLayout) -> None:
    """One in the first part of the samples and in the last; that many have none is no matter."""
    sides = pl.Series("part", ["train"] * 44 + ["test"])
    last, first = (
        pl.col("genes") == pl.lit(pair) for pair in (["YAL009W", "YAL010C"], ["YAL001C", "YAL002W"])
    )
    for query, said in (("Q", ""), ("P", "train and test share 1 queries")):
        queries = pl.when(first).then(pl.lit(["P"])).when(last).then(pl.lit([query]))
        change_samples(build, queries=queries.otherwise(pl.lit([], dtype=pl.List(pl.String))))
        assert change_split(build, sides, method="query") == said


def test_ledger_that_does_not_add_up(build: DataLayout) -> None:
    path = build.annotations / "ledger.json"
    ledger = read_json(path)
    write_json(path, ledger | {"kept": ledger["kept"] - 1})
    assert "do not add up" in failures(build)["ledger"]


def test_missing_parts(build: DataLayout) -> None:
    shutil.rmtree(build.store)
    shutil.rmtree(build.genotypes)
    found = failures(build)
    assert "no such file" in found["ledger"].lower()
    assert "finished build" in found["store"]
