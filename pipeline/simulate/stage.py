"""Stage `simulate`: the raw inputs of the demo, drawn from a hidden hierarchical truth.

Nothing is measured here, so what can be learnt is known: `truth.json` says it. The parts are the
cell (`simulated_cell`), what is known of it (`simulated_knowledge`), what is measured between its
genes (`simulated_networks`), the screen of its mutants (`simulated_screen`) and the function behind
their scores (`hidden_truth`).
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data_specs.errors import ParameterError
from data_specs.files import replacing_folder
from data_specs.layout import ENTRIES, DataLayout
from data_specs.output_folders import FolderKind, refuse_not_empty, taken
from data_specs.parameters import Parameters, Simulate
from data_specs.workers import workers
from pipeline.simulate.cell import NAMES, Cell, Ints, draw_cell, least_annotations
from pipeline.simulate.hidden_truth import (
    THRESHOLDS,
    Floats,
    Truth,
    additive_fit,
    below,
    choose_planted,
    draw_truth,
    scores,
    sum_effects,
)
from pipeline.simulate.knowledge import draw_aliases, write_gaf, write_obo
from pipeline.simulate.networks import draw_networks
from pipeline.simulate.pairs import PIECE, QUERY_SHARE, draw_pairs, write_pairs
from pipeline.simulate.screen import COLUMNS, Screen, draw_screen, measure

PLANTED_SHARE, MOST_PLANTED = 0.08, 120  # of the terms; and how many at most


@dataclass(frozen=True, slots=True)
class RawInputs:
    """Contents of the files, and the hidden truth."""

    ontology: str  # OBO 1.4
    annotations: str  # GAF 2.2
    genotypes: str  # tab-separated, columns of Kuzmin et al. 2018, Data S1
    truth: str  # JSON
    networks: dict[str, str]  # by name: tab-separated gene_a, gene_b, weight
    cell: Cell = field(compare=False)
    hidden: Truth = field(compare=False)


def simulate(config: Simulate) -> RawInputs:
    """Draw all inputs; the same config gives the same bytes.

    Raises:
        ParameterError: the numbers do not go together; says which to change.
    """
    _check(config)
    of_cell, of_knowledge, of_screen, of_truth = np.random.default_rng(config.seed).spawn(4)
    cell = draw_cell(config, of_cell)
    planted = choose_planted(cell, min(max(4, round(PLANTED_SHARE * config.terms)), MOST_PLANTED))
    screen = draw_screen(config, cell, planted, of_screen)
    truth = draw_truth(cell, planted, screen.genotypes, of_truth)
    noise_free = scores(cell, truth, screen.genotypes)
    table, rows = measure(screen, cell, noise_free, config.noise, of_screen)
    aliases = draw_aliases(cell, of_knowledge)
    told = _describe(cell, screen, truth, noise_free[rows], table[COLUMNS[6]].to_numpy(), rows)
    return RawInputs(
        ontology=write_obo(cell, aliases, f"simulated/seed-{config.seed}"),
        annotations=write_gaf(cell, aliases, below(cell, planted), of_knowledge),
        genotypes=table.write_csv(separator="\t", quote_style="never", float_precision=4),
        truth=json.dumps({"seed": config.seed, "noise": config.noise} | told, indent=2) + "\n",
        networks=draw_networks(cell, np.random.default_rng([config.seed, 2])),
        cell=cell,
        hidden=truth,
    )


def _check(config: Simulate) -> None:
    """Refuse numbers that do not go together, before anything is drawn."""
    crosses = config.queries * config.arrays
    deleted = 2 * config.queries + config.arrays
    fewest, most = least_annotations(config), config.terms * config.genes // 3
    for key, value, least, limit, why in (
        ("seed", config.seed, 0, None, ""),
        ("noise", config.noise, 0, 1, ""),
        ("terms", config.terms, 30, 50_000, "three namespaces, each several strata deep"),
        ("queries", config.queries, 4, None, "fewer cannot tell interactions from single effects"),
        ("arrays", config.arrays, 10, None, "fewer cannot tell interactions from single effects"),
        ("genes", config.genes, deleted, NAMES, "2 × queries + arrays are deleted"),
        ("triples", config.triples, 50, crosses, "queries × arrays can be crossed"),
        ("pairs", config.pairs, 0, round(QUERY_SHARE * config.genes) * config.genes, "of genes"),
        ("annotations", config.annotations, fewest, most, "6 × terms + genes; terms × genes / 3"),
    ):
        if not (value >= least and (limit is None or value <= limit)):  # NaN is refused too
            bounds = f"at least {least}" + (f" and at most {limit}" if limit is not None else "")
            reason = f" ({why})" if why else ""
            raise ParameterError(f"simulate.{key} is {value}; expected {bounds}{reason}")


def _describe(
    cell: Cell, screen: Screen, truth: Truth, noise_free: Floats, measured: Floats, rows: Ints
) -> dict[str, Any]:
    """The hidden function, and the shares of the measured variance that could be explained.

    `ceiling` is what the function itself reaches, `additive` the best sum of single-gene effects.
    """
    genotypes = screen.genotypes[rows]
    additive = sum_effects(additive_fit(genotypes, noise_free, len(cell.genes)), genotypes)
    kinds = {threshold: kind for kind, threshold in THRESHOLDS.items()}
    size = cell.contained.sum(axis=1)
    return {
        "signal_variance": round(float(noise_free.var()), 8),
        "noise_variance": round(float((measured - noise_free).var()), 8),
        "ceiling": _fit(noise_free, measured),
        "additive": _fit(additive, measured),
        "planted": [
            {
                "term": cell.term_ids[term],
                "name": cell.term_names[term],
                "genes": int(size[term]),
                "kind": kinds[threshold],
                "importance": round(importance, 6),
            }
            for term, threshold, importance in zip(
                truth.planted.tolist(),
                truth.threshold.tolist(),
                truth.importance.tolist(),
                strict=True,
            )
        ],
        "gene_effects": {
            cell.genes[gene]: round(float(truth.gene_effect[gene]), 6)
            for gene in sorted(np.unique(genotypes[genotypes >= 0]), key=cell.genes.__getitem__)
        },
    }


def _fit(predicted: Floats, measured: Floats) -> dict[str, float]:
    pearson = float(np.corrcoef(predicted, measured)[0, 1])
    return {"r2": round(pearson**2, 4), "pearson": round(pearson, 4)}


def write(parameters: Parameters, out: Path, *, overwrite: bool = False) -> list[Path]:
    """Write the files of `run` into a folder of their own, new or empty.

    Args:
        parameters: resolved parameters.
        out: the folder.
        overwrite: replace files of these names; all others in the folder stay.

    Raises:
        ParameterError: see `simulate`.
        InputError: the folder is not empty, is a file, or in use.
    """
    names = ENTRIES["simulated"]
    with taken(out, FolderKind("simulation", names, ()), overwrite=overwrite):
        refuse_not_empty(out, overwrite=overwrite)
        with replacing_folder(out, names) as partial:
            partial.mkdir()
            run(parameters, DataLayout(partial))
            for file in sorted((partial / "simulated").iterdir()):
                file.rename(partial / file.name)
            (partial / "simulated").rmdir()
    return [out / name for name in sorted(names) if (out / name).is_file()]


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Write `ontology.obo`, `annotations.gaf`, `genotypes.tsv`, `truth.json` and the networks.

    With `simulate.pairs`, a genome-wide screen too: `pairs.tsv`.
    """
    config = parameters.simulate
    inputs = simulate(config)
    pieces = -(-config.pairs // PIECE)
    with (
        replacing_folder(layout.simulated, layout.own("simulated")) as folder,
        workers(parameters.dask, pieces) as each,
    ):
        folder.mkdir()
        for name, text in (
            ("ontology.obo", inputs.ontology),
            ("annotations.gaf", inputs.annotations),
            ("genotypes.tsv", inputs.genotypes),
            ("truth.json", inputs.truth),
            *((f"{network}.tsv", text) for network, text in inputs.networks.items()),
        ):
            (folder / name).write_text(text, encoding="utf-8")
        if config.pairs:
            pairs = draw_pairs(config, np.random.default_rng([config.seed, 1]))
            write_pairs(config, inputs.cell, inputs.hidden, pairs, folder / "pairs.tsv", each)
