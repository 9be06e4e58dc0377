"""Predictions and screens from a checkpoint alone, against the reference engine."""

import itertools
import json
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from dcell_model.checkpoint import format as checkpoint
from dcell_model.cli import main
from dcell_model.predict.trained import Trained
from dcell_model.screen import command as screen
from dcell_model.screen.engine import ScreenEngine
from tests.engines import WAYS, running
from tests.hierarchies import random_cell_graph
from tests.trained_models import NAMES, SCALE, expected_of, trained_model

VARIANTS = [
    {}, {"norm_order": "norm_act"}, {"norm": "layer", "activation": "gelu"}, {"norm": "none"},
    {"layers": 2}, {"gene_input": "disruption", "gene_embedding": 3, "activation": "relu"},
    {"attention_heads": 2, "gene_embedding": 2},
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_all_orders_equal_the_reference(seed: int, variant: dict[str, object], way: str) -> None:
    with running(way):
        compare_all_orders(seed, variant)


def compare_all_orders(seed: int, variant: dict[str, object]) -> None:
    graph = random_cell_graph(seed)
    model = trained_model(graph, **variant)
    trained = Trained.of([model], list(NAMES), SCALE)
    engine = ScreenEngine(trained, batch_size=64)
    for order in (0, 1, 2, 3):
        rows = list(itertools.combinations(range(graph.num_genes), order))
        found = trained.predict(
            np.array(rows, dtype=np.int64).reshape(len(rows), order), batch_size=100
        )
        expected = expected_of(model, [list(own) for own in rows])
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        few = slice(0, 50) if order == 3 else slice(None)  # triples of few pairs are combined
        roots = engine.predict(np.array(rows, dtype=np.int64).reshape(len(rows), order)[few])
        found = trained.predictions(roots).values.numpy()
        np.testing.assert_allclose(found, expected[few], rtol=1e-9, atol=1e-12)


def run_screen(tiny_checkpoint: Path, out: Path, *more: str) -> None:
    main(["screen", "--checkpoint", str(tiny_checkpoint), "--out", str(out), *more])


@pytest.mark.parametrize("order", [2, 3])
def test_screen_equals_the_reference(tiny_checkpoint: Path, tmp_path: Path, order: int) -> None:
    run_screen(tiny_checkpoint, tmp_path / "s", "--order", str(order), "--part-rows", "7")
    table = pq.read_table(tmp_path / "s" / "genotypes.parquet").to_pydict()
    (model,) = checkpoint.restore(checkpoint.load(tiny_checkpoint), None, tiny_checkpoint)
    ids = list(model.graph.gene_ids)
    rows = [list(own) for own in itertools.combinations(range(len(ids)), order)]
    for n in range(order):
        assert table[f"gene_{n + 1}"] == [ids[own[n]] for own in rows]
    np.testing.assert_allclose(table["prediction"], expected_of(model, rows)[:, 0], rtol=1e-5)
    wild, single = (
        expected_of(model, [[]])[0, 0],
        expected_of(model, [[g] for g in range(len(ids))]),
    )
    f = single[:, 0] / wild

    def y(*genes: int) -> float:
        return float(expected_of(model, [list(genes)])[0, 0]) / wild

    def e(i: int, j: int) -> float:
        return y(i, j) - float(f[i] * f[j])

    for own, found in zip(rows, table["interaction"], strict=True):
        if order == 2:
            assert found == pytest.approx(e(*own), abs=1e-5)
        else:
            i, j, k = own
            tau = y(i, j, k) - f[i] * f[j] * f[k] - e(i, j) * f[k] - e(i, k) * f[j] - e(j, k) * f[i]
            assert found == pytest.approx(tau, abs=1e-5)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_stopped_and_started_again(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ("--order", "3", "--part-rows", "5")
    run_screen(tiny_checkpoint, tmp_path / "whole", *settings)
    plain, calls = screen.Screen.part, []

    def killed(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return plain(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(screen.Screen, "part", killed)
    with pytest.raises(SystemExit):
        run_screen(tiny_checkpoint, tmp_path / "s", *settings)
    before = contents(tmp_path / "s")
    assert len(before) == 3 + 1
    monkeypatch.setattr(screen.Screen, "part", plain)
    run_screen(tiny_checkpoint, tmp_path / "s", *settings)
    after = contents(tmp_path / "s")
    assert after == contents(tmp_path / "whole")
    assert before.items() <= after.items()


def test_another_screen_is_not_continued(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_screen(tiny_checkpoint, tmp_path / "s", "--order", "2")
    with pytest.raises(SystemExit):
        run_screen(tiny_checkpoint, tmp_path / "s", "--order", "3")
    assert "holds a screen with order=2, now it is 3" in capsys.readouterr().err


def test_threshold_and_top(tiny_checkpoint: Path, tmp_path: Path) -> None:
    run_screen(tiny_checkpoint, tmp_path / "all", "--order", "2", "--top", "4", "--part-rows", "6")
    values = np.abs(pq.read_table(tmp_path / "all" / "genotypes.parquet")["interaction"])
    limit = float(np.sort(values)[-6])
    top = pq.read_table(tmp_path / "all" / "top.parquet")
    assert np.abs(top["interaction"].to_numpy()).tolist() == np.sort(values)[::-1][:4].tolist()
    assert top["name_1"].to_pylist() == [f"N{gene}" for gene in top["gene_1"].to_pylist()]
    more = ("--order", "2", "--part-rows", "6", "--threshold", repr(limit), "--top", "4")
    run_screen(tiny_checkpoint, tmp_path / "some", *more)
    kept = pq.read_table(tmp_path / "some" / "genotypes.parquet")
    assert (np.abs(kept["interaction"]) >= limit - 1e-9).all()
    assert kept.num_rows in (5, 6)  # in float32 the least may be below the limit
    assert pq.read_table(tmp_path / "some" / "top.parquet").equals(top)


def test_around_genes_by_name(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "genes.txt").write_text("YAL003W NYAL004W\nYAL006W\nnobody\n")
    run_screen(
        tiny_checkpoint, tmp_path / "s", "--order", "3", "--with", "YAL001C|YAL002W", "NYAL003W",
        "--genes", str(tmp_path / "genes.txt"), "--phenotype", "size", "--score", "additive",
    )  # fmt: skip
    table = pq.read_table(tmp_path / "s" / "genotypes.parquet")
    rows = set(zip(*(table[f"gene_{n}"].to_pylist() for n in (1, 2, 3)), strict=True))
    pair = ("YAL001C", "YAL002W")
    assert rows == {
        (*pair, "YAL003W"), (*pair, "YAL004W"), (*pair, "YAL006W"),
        ("YAL003W", "YAL004W", "YAL006W"),
    }  # fmt: skip
    captured = capsys.readouterr()
    assert "nobody is no name of a gene here" in captured.err
    assert "omitted from the screen" in captured.err
    assert max(map(len, captured.out.splitlines())) <= 80
    assert json.loads((tmp_path / "s" / "summary.json").read_text())["left_out"] == ["nobody"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--order", "2", "--with", "YAL0O1C"], "near: "),
        (["--order", "2", "--with", "YAL001C|YAL002W|YAL003W"], "expected 1 to 2"),
        (["--order", "2", "--phenotype", "colour"], "it has fitness, size"),
        (["--order", "2", "--phenotype", "size"], "--score additive"),
    ],
)
def test_what_is_refused(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str],
    message: str,
) -> None:  # fmt: skip
    with pytest.raises(SystemExit):
        run_screen(tiny_checkpoint, tmp_path / "s", *arguments)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_predict_equals_screen(tiny_checkpoint: Path, tmp_path: Path) -> None:
    run_screen(tiny_checkpoint, tmp_path / "s", "--order", "2")
    screened = pq.read_table(tmp_path / "s" / "genotypes.parquet")
    pairs = zip(screened["gene_1"].to_pylist(), screened["gene_2"].to_pylist(), strict=True)
    (tmp_path / "g.txt").write_text("\n".join("|".join(pair) for pair in pairs))
    for suffix in ("parquet", "csv", "tsv"):
        out = tmp_path / f"p.{suffix}"
        given = ("--checkpoint", str(tiny_checkpoint), "--genotypes", str(tmp_path / "g.txt"))
        main(["predict", *given, "--out", str(out)])
        delimiter = pa_csv.ParseOptions(delimiter="\t" if suffix == "tsv" else ",")
        table = (
            pq.read_table(out)
            if suffix == "parquet"
            else pa_csv.read_csv(out, parse_options=delimiter)
        )
        assert table.column_names == [
            "genotype", "given", "genes", "known", "unknown", "unseen",
            "fitness_predicted", "size_predicted",
        ]  # fmt: skip
        np.testing.assert_allclose(table["fitness_predicted"], screened["prediction"], rtol=1e-5)
