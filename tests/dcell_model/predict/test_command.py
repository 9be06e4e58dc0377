"""`dcell predict`: whatever genotypes come in, the tables that come out."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import torch

from data_specs.cell_graph import CellGraph
from data_specs.parameters.sections import resolve
from dcell_model import train
from dcell_model.checkpoint import format as checkpoint
from dcell_model.cli import main
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.engines.reference import outputs_and_heads
from dcell_model.predict.command import DELIMITERS
from tests.trained_models import NAMES, SCALE, expected_of, trained_model

GENOTYPES = ["YAL001C|NYAL002W", "nyal003w", "YAL001C|YAL0O5C"]  # the last with one that is none


def predict(tiny_checkpoint: Path, *arguments: str) -> None:
    main(["predict", "--checkpoint", str(tiny_checkpoint), *arguments])


def read(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    options = pa_csv.ParseOptions(delimiter=DELIMITERS[path.suffix])
    # An empty text is none, not missing.
    strings = pa_csv.ConvertOptions(strings_can_be_null=False, column_types={
        name: pa.string() for name in ("given", "genes", "unknown", "unseen", "term")
    })  # fmt: skip
    return pa_csv.read_csv(path, parse_options=options, convert_options=strings)


def given_in(kind: str, folder: Path) -> str:
    """The genotypes as one of the inputs that there are; none has a phenotype."""
    path = folder / f"g.{kind}"
    if kind == "inline":
        return "; ".join(genotype.replace("|", ",") for genotype in GENOTYPES)
    if kind == "parquet":
        pq.write_table(pa.table({"genes": [own.split("|") for own in GENOTYPES]}), path)
    elif kind == "txt":
        path.write_text("# mutants\n" + "\n".join(GENOTYPES) + "\n")
    else:
        path.write_text("\n".join(["genes", *GENOTYPES, ""]))
    return str(path)


@pytest.mark.parametrize("kind", ["inline", "txt", "csv", "tsv", "parquet"])
def test_inputs_without_labels(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    out = tmp_path / "p.parquet"
    predict(tiny_checkpoint, "--genotypes", given_in(kind, tmp_path), "--out", str(out))
    table = read(out).to_pydict()
    assert table["given"] == GENOTYPES
    assert table["genes"] == ["YAL001C|YAL002W", "YAL003W", "YAL001C"]
    assert table["known"] == [2, 1, 1]
    assert table["unknown"] == ["", "", "YAL0O5C"]
    (model,) = checkpoint.restore(checkpoint.load(tiny_checkpoint), None, tiny_checkpoint)
    index = model.graph.gene_ids.index
    deleted = [sorted(map(index, genes.split("|"))) for genes in table["genes"]]
    found = [table["fitness_predicted"], table["size_predicted"]]
    np.testing.assert_allclose(np.transpose(found), expected_of(model, deleted), rtol=1e-5)
    captured = capsys.readouterr()
    assert captured.out.split() == [str(out)]
    assert "YAL0O5C is no name of a gene here; near: YAL005C" in captured.err
    assert "predicted as if they were not deleted" in captured.err


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_text_holds_what_parquet_holds(tiny_checkpoint: Path, tmp_path: Path, suffix: str) -> None:
    """Both tables; a wild type among the genotypes, and one of unknown genes only."""
    (tmp_path / "g.csv").write_text("genes,label\nYAL001C,1\n,2\nnobody,3\nYAL003W|YAL004W,4\n")
    given = ("--genotypes", str(tmp_path / "g.csv"), "--subsystems", "--out")
    predict(tiny_checkpoint, *given, str(tmp_path / f"p.{suffix}"))
    predict(tiny_checkpoint, *given, str(tmp_path / "p.parquet"))
    for name in ("p", "p.subsystems"):
        text = read(tmp_path / f"{name}.{suffix}").to_pydict()
        table = read(tmp_path / f"{name}.parquet").to_pydict()
        assert list(text) == list(table)
        for column, values in table.items():
            if column.endswith(("_predicted", "_change")):
                np.testing.assert_allclose(text[column], values, rtol=1e-6, err_msg=column)
            else:
                assert text[column] == values, column
    assert table["genotype"].count(1) == table["genotype"].count(2) == 0  # nothing is reached
    states = read(tmp_path / "p.parquet").to_pydict()
    assert states["fitness_predicted"][1] == states["fitness_predicted"][2]
    assert "label" not in states


def test_subsystems(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (model,) = checkpoint.restore(checkpoint.load(tiny_checkpoint), None, tiny_checkpoint)
    first, three = model.graph.gene_ids[0], "|".join(model.graph.gene_ids[:3])
    given = ("--genotypes", f"{first};{three}", "--subsystems")
    predict(tiny_checkpoint, *given, "--out", str(tmp_path / "p.parquet"))
    states = read(tmp_path / "p.subsystems.parquet").to_pylist()
    genotypes: list[list[int]] = [[], [0], [0, 1, 2]]
    with torch.no_grad():
        outputs, heads = outputs_and_heads(model, encode_genotypes(model.graph, genotypes))
    found = {(own["genotype"], own["term"]): own for own in states}
    for term, term_id in enumerate(model.graph.term_ids):
        head = heads[term].double() * SCALE[1].double() + SCALE[0].double()
        assert found[None, term_id]["fitness_predicted"] == pytest.approx(float(head[0, 0]))
        for row in (0, 1):
            away = float((outputs[term][row + 1] - outputs[term][0]).square().mean().sqrt())
            own = found.get((row, term_id))
            if own is None:  # not reached: exactly the wild type
                assert away == 0
                continue
            assert own["state_change"] == pytest.approx(away, abs=1e-5)
            assert own["size_predicted"] == pytest.approx(float(head[row + 1, 1]), abs=1e-5)
            change = float(head[row + 1, 1] - head[0, 1])
            assert own["size_change"] == pytest.approx(change, abs=1e-5)
            assert own["stratum"] == model.graph.strata[term]


def test_on_the_terminal(tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["predict", "--checkpoint", str(tiny_checkpoint), "--subsystems", "--genotypes",
          "NYAL001C,YAL002W; nyal003w|YAL0O5C"])  # fmt: skip
    captured = capsys.readouterr()
    assert "YAL001C YAL002W" in captured.out
    assert "subsystems reached" in captured.out
    assert "YAL0O5C is no name of a gene here; near: YAL005C" in captured.err
    assert max(map(len, captured.out.splitlines())) <= 80


def test_a_name_of_several_genes_is_one_that_is_not_known(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a build, where it is a gene without annotation."""
    rows = [("TWO", "YAL001C", "synonym"), ("TWO", "YAL002W", "synonym")]
    path = checkpoint_with(tiny_build, tmp_path, rows)
    predict(path, "--genotypes", "TWO,YAL003W", "--out", str(tmp_path / "p.csv"))
    table = read(tmp_path / "p.csv").to_pydict()
    assert (table["genes"], table["unknown"]) == (["YAL003W"], ["TWO"])
    assert "TWO is a name of 2 genes: YAL001C, YAL002W" in capsys.readouterr().err


@pytest.mark.parametrize("exact", [True, False])
def test_names_mean_what_they_mean_in_the_build(
    tiny_build: Path, tmp_path: Path, exact: bool
) -> None:
    rows = [("b0003", "ABC2", "mapped"), ("ABC2", "YAL002W", "symbol")]
    path = checkpoint_with(tiny_build, tmp_path, rows, exact=exact)
    predict(path, "--genotypes", "b0003,yal001c,YAL004W", "--out", str(tmp_path / "p.csv"))
    table = read(tmp_path / "p.csv").to_pydict()
    assert table["genes"] == (["YAL004W"] if exact else ["YAL001C|YAL002W|YAL004W"])


def checkpoint_with(
    build: Path, folder: Path, rows: list[tuple[str, str, str]], *, exact: bool = False
) -> Path:
    """A checkpoint on the build's cell graph with these names."""
    graph = CellGraph.read(build / "cell_graph")
    graph = dataclasses.replace(graph, gene_names=rows, exact_names=exact)
    path = folder / "checkpoint.pt"
    state = checkpoint.describe(
        trained_model(graph, torch.float32), resolve({"model": {"width_min": 3}}), NAMES, SCALE,
        1, {},
    )  # fmt: skip
    checkpoint.save(state, path)
    return path


def test_a_checkpoint_is_all_that_is_needed(tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_checkpoint, tmp_path / "moved.pt")
    main(["predict", "--checkpoint", str(tmp_path / "moved.pt"), "--genotypes", "YAL001C",
          "--out", str(tmp_path / "p.csv")])  # fmt: skip
    with pytest.raises(SystemExit):
        main(["predict", "--checkpoint", str(tmp_path / "moved.pt"), "--genotypes", "YAL001C",
              "--out", str(tmp_path / "p.xlsx")])  # fmt: skip


def test_the_build_beside_the_checkpoint_changes_nothing(
    simulated_build: Path, tmp_path: Path
) -> None:
    few = {"train": {"epochs": 1, "engine": "reference"}, "model": {"width_min": 3}}
    train.run(simulated_build, tmp_path / "run", resolve(few))
    genes = CellGraph.read(simulated_build / "cell_graph").gene_ids
    given = ["--genotypes", f"{genes[0]}|{genes[1]};{genes[2]}"]
    for number, data in enumerate(([], ["--data", str(simulated_build)])):
        predict(tmp_path / "run", *given, *data, "--out", str(tmp_path / f"{number}.csv"))
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()
