"""The models of a comparison by name."""

from pathlib import Path

import pytest

from data_specs.errors import InputError
from dcell_model.baselines import BASELINES
from dcell_model.compare.models import known, label, layout_of, require_known, usual
from dcell_model.models import MODELS


def test_every_model_has_one_name() -> None:
    assert set(known()) == {*MODELS, *BASELINES, "dcell:genes", "dcell:terms"}
    assert len(set(known())) == len(known())
    require_known(known())


@pytest.mark.parametrize(
    ("name", "near"), [("dcell:gene", "dcell:genes"), ("dango:terms", "dcell:terms")]
)
def test_a_name_of_no_model_is_refused(name: str, near: str) -> None:
    with pytest.raises(InputError, match=f"--models: unknown '{name}'; did you mean '{near}'"):
        require_known(["dcell", name])


def test_labels() -> None:
    assert [label(name) for name in ("dcell:genes", "dango", "ridge")] == [
        "DCell:genes", "DANGO", "ridge",
    ]  # fmt: skip


def test_a_control_has_the_seed_of_the_split() -> None:
    layout = layout_of(Path("data"), "dcell:terms", "gene", 3)
    assert layout.split == Path("data/controls/terms-3/splits/gene-3")
    assert layout_of(Path("data"), "ridge", "gene", 3).split == Path("data/splits/gene-3")


def test_models_on_networks_are_compared_where_there_are_some(
    tiny_build: Path, simulated_build: Path
) -> None:
    on_networks = ["dango", "multigraph"]
    found = usual(simulated_build)
    assert [name for name in found if name in on_networks] == on_networks
    assert usual(tiny_build) == [name for name in found if name not in on_networks]
    assert usual(tiny_build)[0] == "dcell"
    assert {"mlp", "ridge"} < set(usual(tiny_build)) <= set(known()) - {"mean"}
