"""A build that keeps alleles: its samples, its account, and what reads it."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_specs.errors import InputError
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters import resolve
from data_specs.store import StoreReader, alleles_of
from pipeline.build import build
from pipeline.cli import main
from pipeline.export import cellmaps_tables
from pipeline.verify import verify
from tests.conftest import tiny_parameters
from tests.strain_tables import write_long_form

ROWS = [  # query, its allele, array, its allele, interaction
    ("YAL001C_tsq1", "abc-1", "YAL002W_dma2", "def", -0.5),
    ("YAL001C_tsq2", "abc-2", "YAL002W_dma2", "def", 0.25),
    ("YAL002W_sn2", "def", "YAL001C_tsa9", "abc-1", -0.25),
    ("YAL001C_tsq2", "abc-2", "YAL003W_dma3", "ghi", 0.75),
    ("YAL001C_tsq5", "", "YAL003W_dma3", "ghi", 0.125),
    ("YAL004W_sn2", "", "YAL005C_dma5", "", 0.5),
    ("YAL004W_sn2", "", "YAL006W_dma5", "", 0.375),
    ("YAL004W_sn2", "", "YAL007C_dma5", "", 0.625),
]
PLAIN = "genes\tinteraction\nYAL005C|YAL006W\t0.875\n"
CALLED = ["abc-1|Δ", "abc-2|Δ", "abc-2|Δ", "tsq5|Δ", "Δ|Δ", "Δ|Δ", "Δ|Δ", ""]


def tables(folder: Path) -> list[str]:
    (folder / "plain.tsv").write_text(PLAIN)
    return [write_long_form(folder / "long.txt", ROWS), str(folder / "plain.tsv")]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> DataLayout:
    """A build of eight genotypes with alleles kept; read only."""
    folder = tmp_path_factory.mktemp("alleles")
    given = tiny_parameters(
        sources={"genotypes": tables(folder)}, genotypes={"alleles": "keep", "part_rows": 3},
        split={"val": 0.2, "test": 0.2}, dask={"workers": 1},
    )  # fmt: skip
    return build(resolve(given), folder / "build")


def test_samples_by_allele(kept: DataLayout) -> None:
    """Exchanged query and array are one sample; a table that names no alleles has a sample, too."""
    assert alleles_of(kept.store) == CALLED
    parts = sorted((kept.store / "samples.parquet").iterdir())
    assert len(parts) > 1
    samples = pl.concat([pl.read_parquet(part) for part in parts])
    assert samples["count"].to_list() == [2, 1, 1, 1, 1, 1, 1, 1]
    reader = StoreReader(kept.store)
    blocks = [reader.block(number) for number in range(len(reader.meta.blocks))]
    values = np.concatenate([block.phenotypes["interaction"] for block in blocks])
    assert values[:4].tolist() == [-0.375, 0.25, 0.75, 0.125]


def test_the_ledger_counts_them(kept: DataLayout) -> None:
    ledger = read_json(kept.genotypes / "ledger.json")
    assert ledger["alleles"] == {
        "gene_sets": 6, "with_several": 2, "samples_of_these": 4, "without_alleles": 1,
    }  # fmt: skip
    assert (ledger["genotypes"], ledger["merged"]) == (8, 1)


def test_show_prints_them(kept: DataLayout, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", str(kept.root), "--genotype", "YAL002W,YAL001C"])
    printed = capsys.readouterr().out
    assert "6 gene sets, 2 of them with several alleles, in 4 genotypes" in printed
    at = printed.splitlines().index("   sample  interaction  rows  alleles")
    assert printed.splitlines()[at + 1 : at + 4] == [
        "        0      -0.3750     2  abc-1|Δ", "        1       0.2500     1  abc-2|Δ", "",
    ]  # fmt: skip
    main(["show", str(kept.root), "--genotype", "YAL005C,YAL006W"])
    assert "0.8750     1  not named" in capsys.readouterr().out


def test_verify_asks_where_they_are(kept: DataLayout, tmp_path: Path) -> None:
    checks = {check.name: check for check in verify(kept)}
    assert all(check.passed for check in checks.values())
    assert checks["alleles"].detail == "6 gene sets, 2 with several alleles; each in one part"
    torn = DataLayout(Path(shutil.copytree(kept.root, tmp_path / "torn")))
    path = torn.split / "split.parquet"
    part = pl.col("sample").replace_strict({0: "train", 1: "test"}, default=pl.col("part"))
    pl.read_parquet(path).with_columns(part=part).write_parquet(path)
    found = {check.name: check.detail for check in verify(torn) if not check.passed}
    assert found["alleles"] == "1 gene sets are in more than one part"
    ledger = read_json(torn.split / "ledger.json")
    write_json(torn.split / "ledger.json", ledger | {"alleles": "apart"})
    assert "alleles" not in {check.name for check in verify(torn) if not check.passed}


def test_a_split_that_parts_them(
    kept: DataLayout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(kept.root, tmp_path / "build")
    main(["split", str(root), "--set", "split.alleles=apart", "--methods", "random"])
    capsys.readouterr()
    ledger = read_json(root / "splits" / "random-0" / "ledger.json")
    assert ledger["alleles"] == "apart"


def test_exported_genotypes_have_names_of_their_own(kept: DataLayout, tmp_path: Path) -> None:
    reader = StoreReader(kept.store)
    cellmaps_tables.write_genotypes(kept, reader.meta.other_genes, "interaction", tmp_path)
    rows = (tmp_path / cellmaps_tables.CELLS).read_text().splitlines()
    assert [row.split(":", 1)[1] for row in rows[:2]] == [
        "YAL001C|YAL002W:abc-1|Δ", "YAL001C|YAL002W:abc-2|Δ",
    ]  # fmt: skip


def test_merging_says_nothing_of_alleles(kept: DataLayout, tmp_path: Path) -> None:
    given = tiny_parameters(sources={"genotypes": tables(tmp_path)}, split={"val": 0, "test": 0})
    merged = build(resolve(given), tmp_path / "build")
    assert alleles_of(merged.store) is None
    assert "alleles" not in read_json(merged.genotypes / "ledger.json")
    assert "alleles" not in {check.name for check in verify(merged)}
    assert StoreReader(merged.store).meta.samples == 6


def test_what_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    long, plain = tables(tmp_path)
    keep = {"alleles": "keep"}
    given = tiny_parameters(sources={"genotypes": [plain]}, genotypes=keep)
    with pytest.raises(InputError, match=r"no genotype file names strains \(found plain\)"):
        build(resolve(given), tmp_path / "build")
    Path(plain).write_text("genes\tinteraction\talleles\nYAL005C|YAL006W\t0.5\t2\n")
    given = tiny_parameters(sources={"genotypes": [long, plain]}, genotypes=keep)
    with pytest.raises(InputError, match="the phenotype 'alleles' has the name of the column"):
        build(resolve(given), tmp_path / "build")
