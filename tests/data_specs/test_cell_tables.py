"""The altered inputs of cell lines; what is faulty is in the tests of `pipeline.genotypes`."""

from pathlib import Path

import pytest

from data_specs.cell_lines import CellFiles
from data_specs.cell_tables import altered_genes
from data_specs.errors import InputError


@pytest.fixture
def files(tmp_path: Path) -> CellFiles:
    texts = {
        "gene2ind": "1\tRB1\n0\tTP53\n", "cell2ind": "0 first\n1 second\n2 third\n",
        "cell2mutation": "1,0\n0,0\n1,1\n", "cell2cndeletion": "1.0,0.0\n0.0,1.0\n0.0,0.0\n",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)
    return CellFiles.of(tmp_path / f"{name}.txt" for name in texts)


def test_apart(files: CellFiles) -> None:
    assert altered_genes(files, ("cndeletion", "mutation")) == {
        "first": ["TP53:cndeletion", "TP53:mutation"], "second": ["RB1:cndeletion"],
        "third": ["TP53:mutation", "RB1:mutation"],
    }  # fmt: skip


def test_together(files: CellFiles) -> None:
    found = {"first": ["TP53"], "second": ["RB1"], "third": ["TP53", "RB1"]}
    assert altered_genes(files, ()) == found


def test_other_channels_are_refused(files: CellFiles) -> None:
    with pytest.raises(InputError, match="tables of cndeletion, mutation; expected mutation"):
        altered_genes(files, ("mutation",))
