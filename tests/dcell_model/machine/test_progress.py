"""Lines where the output is no terminal; a bar where it is one."""

import importlib
from pathlib import Path

import pytest

from dcell_model.machine.progress import METRICS, duration, live_metrics, progress
from tests.terminals import shown_in_a_terminal


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (75, "75 s"), (720, "12 min"), (12000, "3.3 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# The face of the package has a function of this name.
module = importlib.import_module("dcell_model.machine.progress")


def test_lines_are_sparse_and_what_is_said_is_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    with progress("400 steps", 400) as shown:
        for step in range(400):
            clock[0] += 1
            shown.advance()
            if step == 9:
                shown.say("epoch 1 of 40", "epoch 1")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "  epoch 1 of 40, 6 min left", "  epoch 1: 10%, 6 min left", "  epoch 1: 18%, 6 min left",
    ]  # fmt: skip
    assert len(lines) == 14


@pytest.mark.parametrize("settings", [{"visible": False}, {"lines": False}])
def test_nothing_of_short_work(
    capsys: pytest.CaptureFixture[str], settings: dict[str, bool]
) -> None:
    with progress("work", 2, **settings) as shown:
        shown.advance()
        shown.say("half is done", "half")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("term", "bar"), [("xterm", True), ("dumb", False)])
def test_a_terminal_gets_a_bar(term: str, bar: bool) -> None:
    program = (
        "from dcell_model.machine.progress import progress\n"
        "with progress('work', 2) as shown:\n"
        "    shown.advance(); shown.say('line', 'short'); print('\\x1b[5mname'); shown.advance()\n"
    )
    printed = shown_in_a_terminal(["-c", program], TERM=term, COLUMNS="80")
    assert (b"100%" in printed and b"short" in printed) == bar
    assert (b"  line" in printed) != bar
    if bar:  # our own colours come, those of a name do not
        assert b"\x1b[" in printed
        assert b"\x1b[5m" not in printed
        assert rb"\x1b[5mname" in printed


def test_another_training_may_remove_the_file_that_tells_editors_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVCLive has one for a repository: the training that ends second does not find it."""

    def gone() -> None:
        raise FileNotFoundError("DVCLIVE_STEP_COMPLETED")

    monkeypatch.setattr("dvclive.live.cleanup_dvclive_step_completed", gone)
    with live_metrics(tmp_path / "live", leader=True, history=[]) as log:
        log(dict.fromkeys(METRICS, 0.5))
    assert (tmp_path / "live" / "metrics.json").is_file()
    with (
        pytest.raises(FileNotFoundError, match="of the training itself"),
        live_metrics(tmp_path / "live", leader=True, history=[]),
    ):
        raise FileNotFoundError("of the training itself")
