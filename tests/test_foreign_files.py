"""Real commands over what users keep in and around outputs; and what the outputs consist of."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs import workplaces
from data_specs.layout import DataLayout
from data_specs.own_entries import Patterns, is_own
from dcell_model import cli as model_cli
from dcell_model.checkpoint.run_folder import KIND as RUN
from dcell_model.explain import command as explain
from dcell_model.screen import command as screen
from dcell_model.tune import folder as tune
from pipeline import cli as pipeline_cli
from pipeline.exchange.formats import FORMATS
from tests.data_specs.test_workplaces import Killed, killed_at, litter
from tests.foreign_trees import found, missing, plant, trees
from tests.test_faults import BUILD

QUICK = ["train.epochs=1", "train.batch_size=16", "baselines.mlp_epochs=1", "model.width_min=3"]
Main = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Made:
    """A folder with an output of every command, as it was when it was fresh."""

    top: Path
    own: dict[str, Patterns]


COMMANDS: dict[str, tuple[Main, list[str]]] = {
    "build": (pipeline_cli.main, [*BUILD, "--out", "build"]),
    "build/splits/random-0": (
        pipeline_cli.main,
        ["split", "build", "--methods", "random", "--seeds", "0", "--set", "split.val=0.2"],
    ),
    "run": (
        model_cli.main, ["train", "--data", "build", "--out", "run", "--set", *QUICK],
    ),
    "screen": (
        model_cli.main,
        ["screen", "--checkpoint", "run/checkpoint.pt", "--order", "2", "--out", "screen"],
    ),
    "explained": (
        model_cli.main,
        ["explain", "--checkpoint", "run/checkpoint.pt", "--data", "build", "--out", "explained",
         "--permutations", "2", "--min-samples", "2", "--no-rlipp"],
    ),
    "tuned": (
        model_cli.main,
        ["tune", "--data", "build", "--out", "tuned", "--trials", "2", "--repeats", "1", "--set",
         *(each for each in QUICK if not each.startswith("baselines"))],
    ),
    "exported": (
        pipeline_cli.main, ["export", "build", "--format", "cx2", "--out", "exported"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    top = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workplaces, "_A_WHILE", -1.0)
        patch.chdir(top)
        for main, command in COMMANDS.values():
            main(command)
        build = DataLayout(top / "build")
        yield Made(top, {
            "build": build.own_of_all(),
            "build/splits/random-0": build.own("split"),
            "run": RUN.own,
            "screen": screen.KIND.own,
            "explained": explain.KIND.own,
            "tuned": tune.KIND.own,
            "exported": FORMATS["cx2"].files,
        })  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_fresh_output_consists_of_its_own_files(made: Made, name: str) -> None:
    """What a stage starts to write later and does not name would be taken for a user's file."""
    files = [Path(path) for path, value in found(made.top / name).items() if value is not None]
    files = [path for path in files if name != "build" or path.parts[0] != "splits"]
    assert files
    assert [path for path in files if not is_own(path, made.own[name])] == []


def test_so_does_a_build_with_networks(simulated_build: Path) -> None:
    own = DataLayout(simulated_build).own_of_all()
    files = [path for path, value in found(simulated_build).items() if value is not None]
    assert [path for path in files if not is_own(Path(path), own)] == []
    assert "networks/complexes.parquet" in files
    assert "simulated/truth.json" in files


def test_nothing_but_the_outputs_is_left(made: Made) -> None:
    assert sorted(os.listdir(made.top)) == sorted(  # noqa: PTH208
        name for name in COMMANDS if "/" not in name
    )


@pytest.mark.parametrize(("name", "examples"), [("build", 3), ("build/splits/random-0", 4),
                                               ("run", 1), ("screen", 4), ("explained", 2),
                                               ("tuned", 1), ("exported", 4)])  # fmt: skip
def test_what_is_foreign_stays(made: Made, name: str, examples: int) -> None:
    main, command = COMMANDS[name]
    again = [*command, "--overwrite"]

    def fits(tree: Any) -> bool:
        """Whether it has no file where there is a folder of splits."""
        folders = [path for path, value in tree.items() if value is not None]
        return not any((made.top / name / path).is_dir() for path in folders)

    @settings(max_examples=examples)
    @given(
        inside=trees(made.own[name]).filter(fits),
        around=trees([*COMMANDS, *(f"{n}/*" for n in COMMANDS)]),
        kill=st.integers(0, 150),
    )  # fmt: skip
    def check(inside: Any, around: Any, kill: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            top = Path(folder) / "top"
            shutil.copytree(made.top, top)
            plant(around, top)
            plant(inside, top / name)
            os.chdir(top)
            try:
                with killed_at(kill), suppress(Killed):
                    main(again)
                if (top / name).is_dir():  # else the kill was between two renames
                    assert not missing(inside, top / name)
                main(again)
            finally:
                os.chdir(made.top)
            fresh = found(made.top / name)
            kept = {path for path, value in fresh.items() if value is not None}
            assert kept <= set(found(top / name))
            assert not missing(inside, top / name)
            assert not missing(around, top)
            assert not litter((top / name).parent)

    check()


@pytest.mark.parametrize("name", ["build", "run", "explained"])
def test_what_is_finished_is_not_replaced_without_being_asked(
    made: Made, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main, command = COMMANDS[name]
    before = found(made.top)
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert "--overwrite replaces it and leaves all other files" in said
    assert ", written 2" in said
    assert found(made.top) == before
