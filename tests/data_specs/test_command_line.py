"""Options of commands come from the fields of their dataclasses."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Lt

from data_specs.command_line import (
    BuildArgument,
    OutputFile,
    TakesParameters,
    run_command,
    run_program,
    sets,
)
from data_specs.parameters import Seeds, override, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw(TakesParameters):
    """Draw 5 % of a build.

    Prints what it was given.

    Example:
      program draw data --share 0.5
    """

    data: BuildArgument
    share: Annotated[float, Ge(0), Lt(1), "of the samples"] = 0.05
    seeds: Seeds = (0, 1)
    order: Literal[2, 3] = 2
    with_: Annotated[bool, "omit the rest"] = True
    out: Annotated[OutputFile | None, "file to write"] = None
    members: int | None = sets("train.members")
    gene_names: str | None = sets("sources.gene_names")
    preset: str | None = sets("preset")

    def __call__(self) -> None:
        print(self.data, self.share, self.seeds, self.order, self.with_, self.out)
        print(json.dumps([self.assignments(), self.over({"train": {"epochs": 3}})]))


def run(capsys: pytest.CaptureFixture[str], *given: str) -> list[str]:
    run_program("program", "Draws.", [Draw], ["draw", "d", *given])
    return capsys.readouterr().out.splitlines()


def test_values_have_the_types_of_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys)[0] == "d 0.05 (0, 1) 2 True None"
    given = ["--share", "1e-2", "--seeds", "3", "--seeds", "4", "--order", "3", "--no-with"]
    assert run(capsys, *given, "--out", "none")[0] == "d 0.01 (3, 4) 3 False none"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--share", "1"], "--share is 1.0; expected at least 0 and less than 1"),
        (["--share", "inf"], "--share is inf; expected a finite number"),
        (["--share", "much"], "--share is 'much'; expected a number"),
        (["--seeds", "0", "-1"], "--seeds is -1; expected at least 0 and less than 4294967296"),
        (["--seeds", "1", "1"], "--seeds is [1, 1]; expected values that all differ"),
        (["--seeds", "1.5"], "--seeds is '1.5'; expected a whole number"),
        (["--order", "4"], "--order: unknown '4'; did you mean '3'? Known: 2, 3."),
        (["--members", "0"], "--members is 0; expected at least 1 and at most 100"),
        (["--membres", "2"], "program draw: unknown '--membres'; did you mean '--members'?"),
        (["more"], "program draw: 'more' belongs to no option"),
        (
            ["--members", "2", "--set", "train.members=3"],
            "--set train.members=3: --members gives train.members too; omit one of them",
        ),
    ],
)
def test_wrong_values_are_one_line(
    capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as end:
        run(capsys, *given)
    assert end.value.code == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {said}")
    assert len(printed.splitlines()) == 1


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_program("program", "Draws.", [Draw], ["drew"])
    assert "program: unknown 'drew'; did you mean 'draw'?" in capsys.readouterr().err


def test_parameters_are_given_the_same_everywhere(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "p.yaml").write_text("split: {val: 0.2}\n")
    options = ["--members", "2", "--preset", "torchcell", "--set", "train.lr=0.1"]
    assignments, values = json.loads(run(capsys, *options, "--gene-names", "n.tsv")[1])
    assert assignments[0] == "train.lr=0.1"
    assert values["train"] == {"epochs": 3, "members": 2, "lr": 0.1}
    assert values["sources"] == {"gene_names": "n.tsv"}
    assert resolve(override({"train": {"epochs": 3}}, assignments)) == resolve(values)
    _, values = json.loads(run(capsys, "--parameters", str(tmp_path / "p.yaml"))[1])
    assert values == {"split": {"val": 0.2}}


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command("draw", Draw, ["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for part in (
        "Draw 5 % of a build. Prints what it was given.",
        "DIR folder of a build",
        "--share X of the samples (default: 0.05)",
        "[--seeds N [N ...]]",
        "--order {2,3} (default: 2)",
        "--no-with omit the rest",
        "--gene-names F names of genes",
        "(sets train.members)",
        "Example: program draw data --share 0.5",
    ):
        assert part in shown
