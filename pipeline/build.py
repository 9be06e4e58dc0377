"""All stages on one's own files, without DVC: into a folder that is there whole or not at all."""

from collections.abc import Callable
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from data_specs.files import replacing_folder
from data_specs.layout import FORMAT, MARKER, DataLayout, write_json
from data_specs.output_folders import FolderKind, taken
from data_specs.parameters import Parameters, changed
from pipeline import (
    annotations,
    cell_graph,
    genotypes,
    hierarchy,
    ledger,
    networks,
    ontology,
    simulate,
    sources,
    split,
    store,
    strata,
)

Stage = Callable[[Parameters, DataLayout], None]

# In the order of dvc.yaml.
STAGES: dict[str, Stage] = {
    "simulate": simulate.run,
    "sources": sources.run,
    "ontology": ontology.run,
    "annotations": annotations.run,
    "genotypes": genotypes.run,
    "hierarchy": hierarchy.run,
    "strata": strata.run,
    "cell_graph": cell_graph.run,
    "store": store.run,
    "split": split.run,
    "networks": networks.run,
}


def build(
    parameters: Parameters,
    out: Path,
    progress: Callable[[str], None] = lambda _: None,
    *,
    overwrite: bool = False,
) -> DataLayout:
    """Run all stages into `out`.

    Args:
        parameters: resolved parameters.
        out: folder of the build; it must not exist, or be empty, or hold an earlier build.
        progress: called with the name of each stage as it starts.
        overwrite: replace an earlier build; other files, such as runs and notes, stay.

    Raises:
        InputError: bad input, or a folder that is something else, or in use, or holds a build.
            Nothing is left half written.
    """
    kind = kind_of(out)
    with (
        taken(out, kind, overwrite=overwrite, inputs=_inputs(parameters)),
        replacing_folder(out, kind.own) as partial,
    ):
        partial.mkdir()
        layout = DataLayout(partial)
        for name, stage in STAGES.items():
            if name == "simulate" and parameters.sources.ontology is not None:
                continue
            progress(name)
            stage(parameters, layout)
        progress("ledger")
        finish(parameters, layout)
    return DataLayout(out)


def kind_of(out: Path) -> FolderKind:
    """The kind of folder that a build is."""
    return FolderKind("build", DataLayout(out).own_of_all(), (MARKER,), MARKER, FORMAT)


def finish(parameters: Parameters, layout: DataLayout) -> None:
    """Turn the artefacts of all stages into a build: write ledger, parameters and marker."""
    ledger.run(layout, layout.ledger, layout.root / "plots")
    write_json(layout.parameters, changed(parameters))
    write_json(layout.root / MARKER, FORMAT)


def _inputs(parameters: Parameters) -> list[Path]:
    """The files that the user gave."""
    values = asdict(parameters.sources).values()
    given = chain.from_iterable(v if isinstance(v, tuple | list) else [v] for v in values)
    return [Path(value) for value in given if isinstance(value, str) and Path(value).is_file()]
