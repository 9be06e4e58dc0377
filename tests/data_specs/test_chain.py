"""The chain of fingerprints: from the inputs to predictions, and every way of breaking it."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from data_specs import chain
from data_specs.errors import ArtefactError, InputError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from dcell_model import train
from dcell_model.evaluate import stage as evaluate
from pipeline.build import build
from pipeline.cli import main
from tests.conftest import tiny_parameters


@pytest.fixture
def layout(tiny_build: Path, tmp_path: Path) -> DataLayout:
    shutil.copytree(tiny_build, tmp_path / "build")
    return DataLayout(tmp_path / "build")


@pytest.fixture(scope="module")
def other_build(tmp_path_factory: pytest.TempPathFactory) -> DataLayout:
    """The same but for its hierarchy, and so its cell graph, store and split."""
    folder = tmp_path_factory.mktemp("other") / "build"
    parameters = resolve(tiny_parameters(hierarchy={"relations": ["is_a", "part_of"]}))
    return build(parameters, folder)


def trained(data: Path, out: Path) -> Path:
    parameters = resolve({"train": {"epochs": 1}, "model": {"width_min": 2}})
    train.run(data, out, parameters)
    (out / "baselines.json").write_text("{}")
    evaluate.run(data, out, out / "baselines.json", out)
    return out


def faults(layout: DataLayout, run: Path | None = None) -> dict[str, str]:
    return {link.name: link.fault for link in chain.chain(layout, run) if link.fault}


def test_the_whole_chain_fits(layout: DataLayout, tmp_path: Path) -> None:
    run = trained(layout.root, tmp_path / "run")
    links = list(chain.chain(layout, run))
    names = ["inputs", "hierarchy", "cell_graph", "store", "split", "networks", "checkpoint",
             "predictions"]  # fmt: skip
    assert [link.name for link in links] == names
    assert not faults(layout, run)
    digests = {link.name: link.digest for link in links}
    assert len(set(digests.values())) == len(links)
    for link in links[1:]:
        assert link.made_from
        assert all(digests[name] == digest for name, digest in link.made_from.items())


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        ("hierarchy/edges.parquet", "hierarchy"),
        ("cell_graph/cell_graph.json", "cell_graph"),
        ("store/manifest.json", "store"),
        ("split/split.parquet", "split"),
    ],
)
def test_a_changed_file(layout: DataLayout, changed: str, broken: str) -> None:
    with (layout.root / changed).open("ab") as stream:
        stream.write(b" ")
    assert list(faults(layout)) == [broken]
    assert "was changed after it was made" in faults(layout)[broken]


@pytest.mark.parametrize(
    ("exchanged", "broken"),
    [
        ("hierarchy", {"cell_graph": "another hierarchy"}),
        ("cell_graph", {"cell_graph": "another hierarchy", "store": "another cell graph"}),
        (
            "store",
            {"store": "another cell graph", "split": "another store", "networks": "another store"},
        ),
        ("split", {"split": "another store"}),
    ],
)
def test_parts_of_two_builds(
    layout: DataLayout, other_build: DataLayout, exchanged: str, broken: dict[str, str]
) -> None:
    shutil.rmtree(layout.root / exchanged)
    shutil.copytree(other_build.root / exchanged, layout.root / exchanged)
    found = faults(layout)
    assert list(found) == list(broken)
    for name, message in broken.items():
        assert f"was made from {message}" in found[name]


def test_a_split_of_another_store_is_not_trained_on(
    layout: DataLayout, other_build: DataLayout, tmp_path: Path
) -> None:
    shutil.rmtree(layout.split)
    shutil.copytree(other_build.split, layout.split)  # as many samples: nothing else would tell
    with pytest.raises(ArtefactError, match="split: was made from another store"):
        trained(layout.root, tmp_path / "run")


def test_a_checkpoint_is_neither_resumed_nor_judged_on_another_split(
    layout: DataLayout, tmp_path: Path
) -> None:
    run = trained(layout.root, tmp_path / "run")
    parts = pl.read_parquet(layout.split / "split.parquet")
    parts.with_columns(pl.col("part").reverse()).write_parquet(layout.split / "split.parquet")
    chain.write_link(layout, "split", layout.split)
    assert list(faults(layout, run)) == ["checkpoint"]
    parameters = resolve({"train": {"epochs": 1}, "model": {"width_min": 2}})
    with pytest.raises(ArtefactError, match=r"last\.pt was made from another split"):
        train.run(layout.root, run, parameters, resume=True)
    with pytest.raises(ArtefactError, match=r"checkpoint\.pt was made from another split"):
        evaluate.run(layout.root, run, run / "baselines.json", run)


def test_an_input_changed_under_a_running_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import sources
    from pipeline.build import STAGES

    given = tiny_parameters()
    table = tmp_path / "genotypes.tsv"
    shutil.copy(given["sources"]["genotypes"][0], table)
    given["sources"]["genotypes"] = [str(table)]

    def then_edit(*arguments: object) -> None:
        sources.run(*arguments)  # type: ignore[arg-type]
        table.write_text(table.read_text() + "\n")

    monkeypatch.setitem(STAGES, "sources", then_edit)
    with pytest.raises(InputError, match=r"genotypes\.tsv: was changed since the stage 'sources'"):
        build(resolve(given), tmp_path / "build")


def test_show_prints_it(
    layout: DataLayout, other_build: DataLayout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(layout.root, tmp_path / "run")
    capsys.readouterr()
    main(["show", str(layout.root), "--run", str(run)])
    shown = capsys.readouterr().out
    for link in chain.chain(layout, run):
        assert f"{link.digest[:32]}  fits" in shown
    assert max(map(len, shown.splitlines())) <= 100
    with pytest.raises(SystemExit):
        main(["show", str(other_build.root), "--run", str(run)])
    captured = capsys.readouterr()
    assert "was made from another cell graph" in captured.out
    assert "the chain is broken at checkpoint" in captured.err


def test_links_that_are_none(layout: DataLayout, tmp_path: Path) -> None:
    run = trained(layout.root, tmp_path / "run")
    (layout.store / "link.json").write_text("[]")
    with pytest.raises(ArtefactError, match="not a link of the chain"):
        faults(layout)
    (layout.store / "link.json").unlink()
    with pytest.raises(ArtefactError, match="no such file"):
        faults(layout)
    chain.write_link(layout, "store", layout.store)
    record = json.loads((run / "train.json").read_text())
    (run / "train.json").write_text(json.dumps(record | {"link": None}))
    with pytest.raises(ArtefactError, match="does not say on which data it was trained"):
        faults(layout, run)
