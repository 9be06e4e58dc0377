"""`dcell report` from the command line, on the tiny build and on the simulator's networks."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from data_specs.errors import ArtefactError, InputError
from data_specs.layout import read_json, write_json
from data_specs.parameters.sections import resolve
from dcell_model.cli import main
from dcell_model.report.stage import run
from pipeline.build import build
from tests.conftest import tiny_parameters
from tests.dcell_model.conftest import seen


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_build: Path) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    main(["train", "--data", str(tiny_build), "--out", str(out), "--set", "train.epochs=2",
          "train.batch_size=16", "model.width_min=4", "baselines.mlp_epochs=2"])  # fmt: skip
    return out


class Page(HTMLParser):
    """What a page fetches, and its text; open and closing tags must match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)
        names = ("src", "srcset", "data", "poster", *(["href"] if tag != "a" else []))
        self.fetched += [value or "" for name, value in attrs if name in names]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page(
    trained: Path, tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["report", "--data", str(tiny_build), "--run", str(trained)])
    assert capsys.readouterr().out == f"{trained / 'report.html'}\n"
    html = (trained / "report.html").read_text(encoding="utf-8")
    run(tiny_build, trained, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == html  # the same bytes
    page = Page(html)
    assert len(page.fetched) == 2
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.fetched)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in html
    assert "@import" not in html
    text = re.sub(r"\s+", " ", page.text)
    ledger, metrics = (read_json(folder / f"{name}.json") for folder, name in
                       ((tiny_build, "ledger"), (trained, "metrics")))  # fmt: skip
    for entry in read_json(tiny_build / "sources" / "sources.json")["inputs"]:
        assert f"SHA-256 {entry['sha256']}" in text
    assert f"lines kept {ledger['kept']}" in text
    assert f"{metrics['test']['mse']:.4f}"[:4] in text
    assert "ridge" in text
    assert "dcell train \\ --data" in text
    assert read_json(trained / "train.json")["commit"] in text
    assert "GO:ROOT" not in text  # the root is the prediction, not one of its subsystems


def test_names_are_text(trained: Path, tiny_build: Path, tmp_path: Path) -> None:
    """What a file says is never markup."""
    evil = "<script>alert(1)</script>"
    shutil.copytree(tiny_build, tmp_path / "data")
    ledger = tmp_path / "data" / "ledger.json"
    ledger.write_text(ledger.read_text().replace('"negated"', f'"{evil}"'))
    assert evil in ledger.read_text()
    run(tmp_path / "data", trained, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert evil not in html
    assert "&lt;script&gt;" in html


def test_dango(simulated_build: Path, tmp_path: Path) -> None:
    """A model without subsystems has a report without them."""
    out = tmp_path / "run"
    main(["train", "--data", str(simulated_build), "--out", str(out), "--model", "dango", "--set",
          "train.epochs=1", "dango.width=16", "dango.pretrain_steps=2"])  # fmt: skip
    run(simulated_build, out, tmp_path / "report.html")
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "DANGO trained to predict interaction" in text
    assert "Subsystems" not in text
    assert "invented" in text


def test_several_phenotypes(simulated_build: Path, tmp_path: Path) -> None:
    main(["train", "--data", str(simulated_build), "--out", str(tmp_path / "run"), "--set",
          "train.epochs=1", "train.phenotypes=[fitness,interaction]"])  # fmt: skip
    text = Page((tmp_path / "run" / "report.html").read_text(encoding="utf-8")).text
    assert "DCell trained to predict fitness" in text
    assert "predicts fitness, interaction; this page is of the first" in text


def test_nothing_held_out(tmp_path: Path) -> None:
    given = tiny_parameters(split={"val": 0, "test": 0}, train={"epochs": 1, "batch_size": 16})
    data = build(resolve(given), tmp_path / "data").root
    main(["train", "--data", str(data), "--out", str(tmp_path / "run"), "--set",
          "train.epochs=1", "train.batch_size=16", "baselines.mlp_epochs=2"])  # fmt: skip
    text = Page((tmp_path / "run" / "report.html").read_text(encoding="utf-8")).text
    assert "of the training part" in text
    assert "which is what it was trained on" in text


def test_what_is_refused(trained: Path, tiny_build: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        run(tiny_build, trained, tmp_path)
    with pytest.raises(ArtefactError, match=r"metrics\.json: no such file"):
        run(tiny_build, tmp_path, tmp_path / "report.html")
    shutil.copytree(trained, tmp_path / "old")
    record = read_json(trained / "train.json")
    del record["settings"]
    write_json(tmp_path / "old" / "train.json", record)
    with pytest.raises(ArtefactError, match=r"train\.json: written by an earlier version"):
        run(tiny_build, tmp_path / "old", tmp_path / "report.html")
    shutil.copytree(tiny_build, tmp_path / "other")
    link = tmp_path / "other" / "split" / "link.json"
    link.write_text(link.read_text().replace('"digest": "', '"digest": "0'))
    with pytest.raises(ArtefactError, match="was made from another split"):
        run(tmp_path / "other", trained, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_in_both_schemes(browser: Any, trained: Path, scheme: str) -> None:
    with seen(browser, (trained / "report.html").as_uri(), scheme) as page:
        assert page.evaluate("document.scrollingElement.scrollWidth") == 390
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 27)"}[scheme]
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
