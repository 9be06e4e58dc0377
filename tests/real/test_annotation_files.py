"""The real annotation file in two parts that overlap is the file."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from pipeline.annotations.stage import read_annotations


@pytest.mark.real
def test_two_files_that_overlap(real_build: Path, real_data: Path, tmp_path: Path) -> None:
    layout = DataLayout(real_build)
    terms = pl.read_parquet(layout.ontology / "terms.parquet")
    aliases = pl.read_parquet(layout.ontology / "aliases.parquet")
    config = resolve({"sources": {"profile": "yeast"}}).annotations
    whole = real_data / "annotations" / "gene_association.sgd.2017-01-14.gaf.gz"
    lines = gzip.decompress(whole.read_bytes()).decode().splitlines()
    rows = [line for line in lines if not line.startswith("!")]
    parts = {"a.gaf": rows[:70_000], "b.gaf": rows[50_000:]}
    for name, part in parts.items():
        (tmp_path / name).write_text("\n".join(["!gaf-version: 2.0", *part, ""]))
    one = read_annotations(whole, terms, aliases, config)
    both = read_annotations([tmp_path / name for name in parts], terms, aliases, config)
    assert both.pairs.equals(one.pairs)
    assert both.names.equals(one.names)
    repeats = len(rows) - len(set(rows))  # the file has some itself, which count when it is alone
    assert both.dropped == {"repeated": 20_000 + repeats, **one.dropped}
    assert (both.lines, both.kept) == (one.lines + 20_000, one.kept - repeats)
    shared = {account.pairs - account.pairs_here_only for account in both.files}
    assert len(shared) == 1
    assert sum(a.pairs for a in both.files) - shared.pop() == one.pairs.height
