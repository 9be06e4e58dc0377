"""The part of every sample, as the split says."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from data_specs.chain import LINK, Link, write_link
from data_specs.errors import ArtefactError
from data_specs.layout import DataLayout, write_json
from data_specs.tables import PARTS
from dcell_model.data.targets import read_parts, scaling, usable_samples


def write(folder: Path, parts: list[str | None], row_group_size: int | None = None) -> DataLayout:
    layout = DataLayout(folder)
    layout.split.mkdir()
    table = pl.DataFrame({"sample": range(len(parts)), "part": parts})
    table.write_parquet(layout.split / "split.parquet", row_group_size=row_group_size)
    write_json(layout.store / LINK, Link("store", "0" * 64, {}).to_json())
    write_link(layout, "split", layout.split)
    return layout


@pytest.mark.parametrize("row_group_size", [None, 2])
def test_parts_are_read(tmp_path: Path, row_group_size: int | None) -> None:
    names = ["val", "train", "train", "excluded", "test", "train", "val"]
    found = read_parts(write(tmp_path, names, row_group_size))
    assert found.dtype == np.uint8
    assert np.array(PARTS)[found].tolist() == names


def test_samples_by_part() -> None:
    targets = np.array([[1.0, 1.0], [2.0, np.nan], [3.0, 3.0], [4.0, 4.0]], dtype=np.float32)
    parts = np.array([0, 0, 2, 0], dtype=np.uint8)
    found = {part: samples.tolist() for part, samples in usable_samples(targets, parts).items()}
    assert found == {"train": [0, 3], "val": [], "test": [2], "excluded": []}


@pytest.mark.parametrize("part", ["tset", None])
def test_an_unknown_part(tmp_path: Path, part: str | None) -> None:
    layout = write(tmp_path, ["train", part])
    with pytest.raises(ArtefactError, match=r"split\.parquet: a part that is none of"):
        read_parts(layout)


def test_no_split(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"no such file\. Is .* the folder of a finished build"):
        read_parts(DataLayout(tmp_path))


def test_scaling_of_a_networks_targets() -> None:
    targets = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    mean, std = scaling(targets, standardize=True)
    assert mean.tolist() == [2.0, 5.0]
    assert std.tolist() == pytest.approx([2**0.5, 1.0])  # of a sample; 1 for the constant
    mean, std = scaling(targets, standardize=False)
    assert (mean.tolist(), std.tolist()) == ([0.0, 0.0], [1.0, 1.0])
