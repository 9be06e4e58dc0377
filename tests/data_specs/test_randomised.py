"""What is said of a control, and that all who show its subsystems say it."""

from pathlib import Path

import pytest

from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from data_specs.randomised import control_of, randomised
from dcell_model.cli import main
from pipeline.build import build
from tests.conftest import tiny_parameters


def test_a_hierarchy_as_it_is() -> None:
    assert randomised(None) is None
    assert randomised({"control": "genes", "seed": 0, "pairs": 9, "moved": 0}) is None


@pytest.mark.parametrize(
    ("control", "said"),
    [("genes", "75.0% of 8 annotations moved). Its terms keep their names and sizes, but not their "
               "genes: no subsystem means"),
     ("terms", "75.0% of 8 edges moved). Its terms keep their names and sizes, but not their "
               "parents and children: no")],
)  # fmt: skip
def test_what_is_lost(control: str, said: str) -> None:
    assert said in (randomised({"control": control, "seed": 2, "pairs": 8, "moved": 6}) or "")


@pytest.mark.parametrize("control", ["none", "genes"])
def test_summary_explanation_and_report_say_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], control: str
) -> None:
    hierarchy = tiny_parameters()["hierarchy"] | {"control": control}
    data = build(resolve(tiny_parameters(hierarchy=hierarchy)), tmp_path / "data").root
    run = tmp_path / "run"
    main(["train", "--data", str(data), "--out", str(run), "--set", "train.epochs=1",
          "train.batch_size=16", "model.width_min=4", "baselines.mlp_epochs=1"])  # fmt: skip
    account = control_of(DataLayout(data))
    capsys.readouterr()
    main(["summary", "--ledger", str(data / "ledger.json"), "--run", str(run)])
    printed = [" ".join(capsys.readouterr().out.split())]
    main(["explain", "--checkpoint", str(run / "checkpoint.pt"), "--data", str(data), "--out",
          str(tmp_path / "explained"), "--permutations", "9", "--min-samples", "2"])  # fmt: skip
    printed.append(" ".join(capsys.readouterr().out.split()))
    main(["report", "--data", str(data), "--run", str(run)])
    page = (run / "report.html").read_text(encoding="utf-8")
    printed.append(" ".join(page.split()))
    warning = randomised(account)
    assert (account is None) == (control == "none") == (warning is None)
    for text in printed:
        assert text.count("hierarchy is randomised") == (0 if warning is None else 1)
        assert warning is None or warning in text
    assert ("randomised hierarchy</title>" in page) == (control != "none")
    assert ("on a randomised hierarchy</h1>" in page) == (control != "none")
