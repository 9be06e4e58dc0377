"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings
from matplotlib.figure import Figure

from tests import plotting

CHECKOUT = Path(__file__).parents[1]
TINY = CHECKOUT / "tests" / "data"
LONG = "DCELL_LONG" in os.environ  # `make test-long`
if not torch.cuda.is_available():  # before Triton is imported
    os.environ.setdefault("TRITON_INTERPRET", "1")
torch.set_num_threads(1)  # tests run side by side
# No example fails by its time, whatever else the machine does.
settings.register_profile(
    "tests", deadline=None, max_examples=100 if LONG else 25,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.load_profile("tests")
Figure.savefig = plotting.blank  # type: ignore[method-assign]


def examples(many: int) -> int:
    """So many examples of a property in `make test-long`, else a quarter of them."""
    return many if LONG else max(5, many // 4)


@pytest.fixture(autouse=True)
def _plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("plots"):
        monkeypatch.setattr(Figure, "savefig", plotting.DRAWN)


@pytest.fixture(scope="session")
def tiny_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a build of the tiny files; read only."""
    from data_specs.parameters.sections import resolve
    from pipeline.build import build

    out = tmp_path_factory.mktemp("tiny") / "build"
    return build(resolve(tiny_parameters()), out).root


@pytest.fixture(scope="session")
def simulated_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a build of simulated inputs, gene networks and all; read only."""
    from data_specs.parameters.sections import resolve
    from pipeline.build import build

    small = {"terms": 40, "genes": 80, "annotations": 400, "queries": 10, "arrays": 30,
             "triples": 200}  # fmt: skip
    return build(resolve({"simulate": small}), tmp_path_factory.mktemp("sim") / "build").root


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_build: Path) -> Path:
    """Checkpoint of a float32 model on the tiny build; read only."""
    from data_specs.cell_graph import CellGraph
    from data_specs.parameters.sections import resolve
    from dcell_model.checkpoint import format as checkpoint
    from tests.trained_models import NAMES, SCALE, trained_model

    model = trained_model(CellGraph.read(tiny_build / "cell_graph"), torch.float32)
    path = tmp_path_factory.mktemp("trained") / "checkpoint.pt"
    parameters = resolve({"model": {"width_min": 3}})
    checkpoint.save(checkpoint.describe(model, parameters, NAMES, SCALE, 1, {}), path)
    return path


@pytest.fixture(scope="session")
def real_build(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a build of the real files with containment 4, made by one worker; read only."""
    from data_specs.parameters.sections import resolve
    from pipeline.build import build

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all workers
    with FileLock(folder / "real.lock"):
        if not (folder / "real").exists():
            build(resolve({"sources": real_sources(real_data)}), folder / "real")
    return folder / "real"


def real_sources(real_data: Path) -> dict[str, object]:
    """Section `sources` for the real ontology, annotations and triple mutants."""
    return {
        "profile": "yeast",
        "ontology": str(real_data / "go" / "go-2019-01-27.obo.gz"),
        "annotations": str(real_data / "annotations" / "gene_association.sgd.2017-01-14.gaf.gz"),
        "genotypes": [str(real_data / "genotypes" / "tau_sga_trigenic.tsv")],
    }


def tiny_parameters(**sections: dict[str, object]) -> dict[str, dict[str, object]]:
    """Parameters for the tiny files, with sections or keys changed."""
    given: dict[str, dict[str, object]] = {
        "sources": {
            "profile": "local",
            "ontology": str(TINY / "tiny.obo"),
            "annotations": str(TINY / "tiny.gaf"),
            "genotypes": [str(TINY / "tiny.tsv")],
        },
        "annotations": {"gene_id_columns": [11], "gene_id_pattern": "YAL[0-9]{3}[CW]"},
        "hierarchy": {"containment": 2},
    }
    for name, values in sections.items():
        given[name] = given.get(name, {}) | values
    return given


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real input files; skips the test where there is none."""
    folder = Path(os.environ.get("DCELL_REAL_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set DCELL_REAL_DATA")
    return folder
