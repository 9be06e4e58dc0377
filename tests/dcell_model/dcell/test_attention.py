"""Attention over a term's inputs: as PyTorch's own, off by default, learnt, and in all commands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from data_specs.errors import ParameterError
from data_specs.parameters.sections import Model, resolve
from dcell_model import train
from dcell_model.cli import main
from dcell_model.dcell.attention import attend
from dcell_model.dcell.model import DCell
from dcell_model.dcell.per_term import split_by_term
from dcell_model.predict.tables import predictions
from dcell_model.predict.tables import resolve as resolve_names
from dcell_model.predict.trained import Trained
from dcell_model.serve.view import genotype_view
from tests.hierarchies import cell_graph, random_cell_graph
from tests.trained_models import NAMES, SCALE, expected_of, trained_model

GRAPH = random_cell_graph(3)


@torch.no_grad()
def test_it_is_that_of_torch_where_all_tokens_have_one_width() -> None:
    """Three children of width 6, and `MultiheadAttention` whose projections they share."""
    graph = cell_graph([(1, 0), (2, 0), (3, 0)], [(1, 0), (2, 1), (3, 2)], terms=4, genes=3)
    model = DCell(graph, Model(width_min=6, attention_heads=2, attention_width=6)).double()
    own, tokens = split_by_term(model)[0], model.layout.tokens[0]
    assert tokens.widths == (6, 6, 6)
    assert own.attention_in is not None
    assert own.attention_bias is not None
    assert own.attention_out is not None
    torch_attention = torch.nn.MultiheadAttention(6, 2, batch_first=True).double()
    torch_attention.out_proj.bias.zero_()
    own.attention_in.copy_(torch_attention.in_proj_weight.repeat(1, 3))
    own.attention_bias.copy_(torch_attention.in_proj_bias.expand(3, -1))
    own.attention_out.copy_(torch_attention.out_proj.weight.repeat(3, 1))
    x = torch.randn(5, 3, 6, dtype=torch.float64)
    expected = x + torch_attention(x, x, x, need_weights=False)[0]
    torch.testing.assert_close(attend(own, tokens, x.flatten(1), 2), expected.flatten(1))


@torch.no_grad()
def test_its_equation() -> None:
    """A child of width 3 and the embedding of two genes, with the softmax written out."""
    graph = cell_graph([(1, 0)], [(0, 0), (0, 1), (1, 2)], terms=2, genes=3)
    config = Model(width_min=3, attention_heads=1, attention_width=4, gene_embedding=2)
    model = DCell(graph, config).double()
    own, tokens = split_by_term(model)[0], model.layout.tokens[0]
    assert (tokens.widths, tokens.count) == ((3, 2), 3)
    assert own.attention_in is not None
    assert own.attention_bias is not None
    assert own.attention_out is not None
    x = torch.randn(7, dtype=torch.float64)
    parts = [(x[:3], slice(0, 3), 0), (x[3:5], slice(3, 5), 1), (x[5:], slice(3, 5), 1)]
    qkv = [
        (own.attention_in[:, rows] @ part + own.attention_bias[kind]).split(4)
        for part, rows, kind in parts
    ]
    expected = []
    for (part, rows, _), (q, _, _) in zip(parts, qkv, strict=True):
        shares = torch.stack([q @ k / 2 for _, k, _ in qkv]).softmax(0)
        mixed = sum(share * v for share, (_, _, v) in zip(shares, qkv, strict=True))
        expected.append(part + own.attention_out[rows] @ mixed)
    torch.testing.assert_close(attend(own, tokens, x[None], 1)[0], torch.cat(expected))


@pytest.mark.parametrize("embedding", [0, 3])
def test_other_parameters_are_drawn_as_without_it(embedding: int) -> None:
    states = []
    for heads in (0, 4):
        torch.manual_seed(5)
        config = Model(attention_heads=heads, gene_embedding=embedding)
        states.append(DCell(GRAPH, config).state_dict())
    for name, value in states[0].items():
        assert torch.equal(states[1][name], value), name
    more = set(states[1]) - set(states[0])
    assert more == {"attention_in", "attention_bias", "attention_out"}


@torch.no_grad()
def test_parameters_and_penalty_count_it() -> None:
    model, plain = DCell(GRAPH, Model(attention_heads=4)), DCell(GRAPH, Model())
    own = model.attention_in, model.attention_bias, model.attention_out
    assert model.num_parameters() - plain.num_parameters() == sum(p.numel() for p in own) > 0
    plain.load_state_dict({n: model.state_dict()[n] for n in plain.state_dict()})
    beyond = float(model.weight_penalty() - plain.weight_penalty())
    assert beyond == pytest.approx(float(own[0].square().sum() + own[2].square().sum()), rel=1e-4)


def test_a_width_that_heads_do_not_divide() -> None:
    message = "model.attention_width is 16; expected a multiple of model.attention_heads, 3"
    with pytest.raises(ParameterError, match=message):
        resolve({"model": {"attention_heads": 3}})


@pytest.mark.parametrize("engine", ["incremental", "reference"])
@pytest.mark.parametrize("embedding", [0, 4])
def test_it_learns(engine: str, embedding: int, tiny_build: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "train": {"epochs": 20, "batch_size": 16, "patience": None, "engine": engine},
        "model": {"width_min": 4, "attention_heads": 2, "gene_embedding": embedding},
    }
    record = train.run(tiny_build, tmp_path / "run", resolve(given))
    losses = [row["train_loss"] for row in record["history"]]
    assert losses[-1] < 0.9 * losses[0]
    more = {**given, "train": {**given["train"], "epochs": 21, "schedule": "constant"}}
    assert len(train.run(tiny_build, tmp_path / "more", resolve(more))["history"]) == 21


VARIANTS = [{"attention_heads": 2}, {"attention_heads": 4, "gene_embedding": 3, "norm": "layer"}]


@pytest.mark.parametrize("config", VARIANTS)
def test_predictions_and_the_local_page_are_the_reference_s(config: dict[str, Any]) -> None:
    graph = random_cell_graph(4)
    model = trained_model(graph, **config)
    genotypes = [[0, 3], [1, 2, 5], [7]]
    expected = expected_of(model, genotypes)
    trained = Trained.of([model], list(NAMES), SCALE)
    rows = [[graph.gene_ids[gene] for gene in own] for own in genotypes]
    _, (table, states) = predictions(trained, resolve_names(trained, rows), subsystems=True)
    assert states is not None
    found = np.array([[row[f"{name}_predicted"] for name in NAMES] for row in table.to_pylist()])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    for own, values in zip(rows, expected, strict=True):
        view = genotype_view(trained, own)
        np.testing.assert_allclose(view["predicted"], values, rtol=1e-6)
        assert view["terms"]


def test_every_command(tiny_build: Path, tmp_path: Path) -> None:
    """From training to a screen, from a checkpoint alone where that is enough."""
    run = tmp_path / "run"
    main(["train", "--data", str(tiny_build), "--out", str(run), "--set", "train.epochs=2",
          "train.batch_size=16", "train.decay=0", "model.width_min=4", "model.attention_heads=2",
          "model.gene_embedding=2", "baselines.trials=1", "baselines.mlp_epochs=1",
          "baselines.fm_sweeps=2"])  # fmt: skip
    metrics = json.loads((run / "metrics.json").read_text())
    assert np.isfinite(metrics["test"]["mse"])
    checkpoint = str(run / "checkpoint.pt")
    main(["export", "--checkpoint", checkpoint, "--out", str(tmp_path / "model.npz")])
    again = str(tmp_path / "again.pt")
    main(["import", "--parameters", str(tmp_path / "model.npz"), "--out", again])
    tables = []
    for number, path in enumerate((checkpoint, again)):
        out = tmp_path / f"screen-{number}"
        main(["screen", "--checkpoint", path, "--out", str(out), "--order", "2"])
        tables.append(pl.read_parquet(out / "genotypes.parquet"))
    assert tables[0].equals(tables[1])
    main(["explain", "--checkpoint", checkpoint, "--data", str(tiny_build), "--out",
          str(tmp_path / "explained"), "--permutations", "9", "--min-samples", "4"])  # fmt: skip
    assert len(pl.read_parquet(tmp_path / "explained" / "importance.parquet"))
