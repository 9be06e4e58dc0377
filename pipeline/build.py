"""All stages on one's own files, without DVC: into a folder that is there whole or not at all."""

from collections.abc import Callable
from pathlib import Path

from data_specs.files import replacing
from data_specs.layout import FORMAT, MARKER, DataLayout, refuse_foreign, write_json
from data_specs.parameter_changes import changed
from data_specs.parameters import Parameters
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
    parameters: Parameters, out: Path, progress: Callable[[str], None] = lambda _: None
) -> DataLayout:
    """Run all stages into `out`, replacing an earlier build there.

    Args:
        parameters: resolved parameters.
        out: folder of the build; it must not exist, or be empty, or hold an earlier build.
        progress: called with the name of each stage as it starts.

    Raises:
        InputError: bad input, or a folder that is something else. Nothing is left half written.
    """
    refuse_foreign(out, "build", MARKER, FORMAT)
    with replacing(out) as partial:
        partial.mkdir()
        layout = DataLayout(partial)
        for name, stage in STAGES.items():
            if name == "simulate" and parameters.sources.ontology is not None:
                continue
            progress(name)
            stage(parameters, layout)
        progress("ledger")
        ledger.run(layout, layout.ledger, partial / "plots")
        write_json(layout.parameters, changed(parameters))
        write_json(partial / MARKER, FORMAT)
    return DataLayout(out)
