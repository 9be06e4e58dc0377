"""`dcell explain`: the table of `explain.importance` for a checkpoint, with plots.

The folder holds `importance.parquet` (a row a term, in the order of the cell graph), `explain.json`
(what was judged, and why terms have no scores) and `plots/`.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from data_specs.chain import made_from_metadata
from data_specs.errors import InputError
from data_specs.files import replacing_file, replacing_folder
from data_specs.layout import write_json
from data_specs.output_folders import FolderKind, taken
from data_specs.parameters import no_such
from data_specs.randomised import control_of
from dcell_model.data import MutantStateDataset, all_targets, read_parts, usable_samples
from dcell_model.dcell import DCell
from dcell_model.explain import plots as explain_plots
from dcell_model.explain.importance import Settings, importances, reasons, table_of
from dcell_model.explain.states import TouchedStates
from dcell_model.machine import one_thread, progress
from dcell_model.predict import open_run

MARKER, TABLE = "explain.json", "importance.parquet"
PLOTS = ("top.png", "rlipp.png")
FORMAT = {"format": "dcell-explain", "version": 1}
KIND = FolderKind(
    "explanation", (TABLE, MARKER, *(f"plots/{name}" for name in PLOTS)), (TABLE,), MARKER, FORMAT
)


@one_thread()
def run(
    trained: Path,
    data: Path,
    out: Path,
    *,
    part: str = "test",
    phenotype: str | None = None,
    terms: Sequence[str] = (),
    settings: Settings | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Judge the terms of a trained model on held-out samples.

    Args:
        trained: checkpoint of a training run.
        data: folder of the build that it was trained on.
        out: folder to write; new, empty, or an earlier one of its kind.
        part: `test` or `val`.
        phenotype: by default the model's first.
        terms: ids or names; none: all. Their false discovery rate is that of these alone.
        settings: how they are judged.
        overwrite: replace an earlier explanation; other files stay.

    Returns:
        The content of `explain.json`.

    Raises:
        InputError: an unknown phenotype or term, no sample, or a folder of something else.
        ArtefactError: the checkpoint is damaged, another model's, or of other data.
    """
    settings = settings or Settings()
    with taken(out, KIND, overwrite=overwrite, inputs=[trained]):
        return _run(trained, data, out, part, phenotype, terms, settings)


def _run(
    trained: Path,
    data: Path,
    out: Path,
    part: str,
    phenotype: str | None,
    terms: Sequence[str],
    settings: Settings,
) -> dict[str, Any]:
    run = open_run(trained, data)
    layout, members = run.layout, run.with_subsystems()
    name = phenotype or run.phenotypes[0]
    if name not in run.phenotypes:
        raise InputError(f"{trained}: {no_such('phenotype', name, run.phenotypes)}")
    column = run.phenotypes.index(name)
    chosen = term_numbers(members[0], terms)
    dataset = MutantStateDataset(layout.store, phenotypes=[name])
    targets, parts = all_targets(dataset), read_parts(layout)
    samples = usable_samples(targets, parts)[part]
    if not len(samples):
        raise InputError(f"{data}: no sample of the part '{part}' has a value of '{name}'")
    batch = dataset.batch(samples)
    states = [TouchedStates.of(member, batch) for member in members]
    scale = run.scale_of(column)
    rows = []
    with progress(f"{len(chosen):,} terms", len(chosen)) as shown:
        for row in importances(
            states, targets[samples, 0], scale, chosen, settings, phenotype=column
        ):
            rows.append(row)
            shown.advance()
    table = table_of(rows)
    origin = {"checkpoint": run.digest, "store": run.made_from["store"]}
    description: dict[str, Any] = {
        **FORMAT,
        "checkpoint": origin["checkpoint"],
        "phenotype": name,
        "part": part,
        "control": control_of(layout),  # the control that randomised the hierarchy
        "samples": len(samples),
        "samples_that_touch_no_term": len(samples) - len(states[0].rows[0]),
        "members": len(members),
        "terms": len(rows),
        "judged": len(rows) - sum(reasons(table).values()),
        "not_judged": reasons(table),
        **asdict(settings),
    }
    write_json(out / MARKER, description)
    with replacing_file(out / TABLE) as partial:
        described = table.replace_schema_metadata(made_from_metadata(origin))
        pq.write_table(described, partial, compression="zstd")
    with replacing_folder(out / "plots", PLOTS) as folder:
        folder.mkdir()
        explain_plots.top_subsystems(
            table, folder / "top.png", phenotype=name, samples=len(samples)
        )
        if settings.rlipp:
            explain_plots.rlipp_by_stratum(table, folder / "rlipp.png")
    return description


def term_numbers(model: DCell, names: Sequence[str]) -> list[int]:
    """Terms by id or name, sorted; all where none is named.

    Raises:
        InputError: no such term, or several of one name.
    """
    graph = model.graph
    if not names:
        return list(range(graph.num_terms))
    found = set()
    for name in names:
        matches = [i for i, pair in enumerate(zip(graph.term_ids, graph.term_names, strict=True))
               if name in pair]  # fmt: skip
        if len(matches) != 1:
            if not matches:
                missing = no_such("term", name, [*graph.term_ids, *graph.term_names])
                raise InputError(f"the model's hierarchy: {missing}")
            raise InputError(
                f"{len(matches)} terms '{name}' in the model's hierarchy; expected the id of one"
            )
        found.add(matches[0])
    return sorted(found)
