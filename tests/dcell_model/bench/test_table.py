"""The tables of the committed record, and that of docs/performance.md, which comes from it."""

import json

import pytest

from dcell_model.bench.table import markdown, print_record
from tests.conftest import CHECKOUT

RECORDS = CHECKOUT / "docs" / "records"


@pytest.mark.parametrize("name", ["engines-tau-sga.json", "engines-simulated.json"])
def test_page_shows_the_record(name: str) -> None:
    record = json.loads((RECORDS / name).read_text())
    assert markdown(record) in (CHECKOUT / "docs" / "performance.md").read_text()


@pytest.mark.parametrize("name", ["bench.json", "bench-tau-sga.json"])
def test_tables_fit_a_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_record(json.loads((RECORDS / name).read_text()))
    lines = capsys.readouterr().out.splitlines()
    assert any("1,024" in line and "incremental" in line for line in lines)
    assert max(map(len, lines)) <= 80
