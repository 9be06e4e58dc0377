"""Big tables on workers: the same bytes whoever works, and nothing half done whoever dies."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from matplotlib.figure import Figure

from data_specs import workers as on_workers
from data_specs.errors import InputError
from data_specs.files import sha256_of
from data_specs.layout import DataLayout
from data_specs.parameters.sections import Dask, resolve
from data_specs.workers import workers
from pipeline.build import build
from tests.conftest import CHECKOUT, TINY
from tests.pipeline.conftest import build_here
from tests.plotting import DRAWN

pytestmark = [
    pytest.mark.plots,
    pytest.mark.xdist_group("dask"),  # clusters one after the other
    pytest.mark.filterwarnings("ignore::ResourceWarning:distributed"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # Dask's sockets
]
IN_GENOTYPES = ".*/build/.genotypes.*/*/scratch/*.arrow"
IN_STORE = ".*/build/.store.*/*/scratch/*/data.mdb"
GENES = [f"YAL{number:03d}C" for number in range(1, 160)]


def parameters(table: Path, **dask: object) -> dict[str, dict[str, object]]:
    """Some twenty-five pieces and twenty parts."""
    return {
        "sources": {
            "profile": "local",
            "ontology": str(TINY / "tiny.obo"),
            "annotations": str(TINY / "tiny.gaf"),
            "genotypes": [str(table)],
        },
        "annotations": {"gene_id_columns": [11], "gene_id_pattern": "YAL[0-9]{3}[CW]"},
        "hierarchy": {"containment": 2},
        "genotypes": {"piece_bytes": 5_000, "part_rows": 300},
        "store": {"block_bytes": 9_000},
        "dask": dask,
    }


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six thousand pairs, some of them twice, in no order."""
    rows = [
        f"{GENES[(i * 37) % 159]}|{GENES[(i * 37 + 1 + (i * i) % 157) % 159]},{i / 7:.4f}\n"
        for i in range(6_000)
    ]
    path = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    path.write_text("genes,score\n" + "".join(rows))
    return path


def digests(root: Path) -> dict[str, str]:
    """Of all files below a folder."""
    return {
        str(path.relative_to(root)): sha256_of(path)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def expected(table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A build without any cluster: all in this process."""
    with pytest.MonkeyPatch.context() as here:
        here.setattr(Figure, "savefig", DRAWN)  # as other processes do
        build_here(here)
        out = build(resolve(parameters(table)), tmp_path_factory.mktemp("here") / "build").root
    found = digests(out)
    assert sum(name.endswith("data.mdb") for name in found) > 15
    return found


def test_bytes_do_not_depend_on_the_number_of_workers(
    table: Path, expected: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """None, three, and two where workers are killed."""
    out = build(resolve(parameters(table, workers=3)), tmp_path / "build").root
    assert digests(out) == expected
    assert "dask: http://" in capsys.readouterr().out


def start(table: Path, out: Path, *settings: str) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "pipeline.cli", "build", "--out", str(out),
        "--ontology", str(TINY / "tiny.obo"), "--annotations", str(TINY / "tiny.gaf"),
        "--genotypes", str(table), "--set", "annotations.gene_id_columns=[11]",
        "annotations.gene_id_pattern=YAL[0-9]{3}[CW]", "hierarchy.containment=2",
        "genotypes.piece_bytes=5000", "genotypes.part_rows=300", "store.block_bytes=9000",
        *settings,
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=CHECKOUT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for(folder: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not any(folder.glob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"no {pattern} in {folder}"
        time.sleep(0.002)


def kill_workers(process: subprocess.Popen[str], how_many: int) -> int:
    killed = 0
    for child in psutil.Process(process.pid).children(recursive=True):
        if killed < how_many and "spawn_main" in " ".join(child.cmdline()):
            child.kill()
            killed += 1
    return killed


def test_a_killed_worker_is_replaced(table: Path, expected: dict[str, str], tmp_path: Path) -> None:
    with start(table, tmp_path / "build", "dask.workers=2") as process:
        for when in (IN_GENOTYPES, IN_STORE):
            wait_for(tmp_path, when, process)
            assert kill_workers(process, 1) == 1
        _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert digests(tmp_path / "build") == expected


def test_a_killed_client_leaves_nothing_that_opens(
    table: Path, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(table, tmp_path / "build", "dask.workers=2") as process:
        wait_for(tmp_path, IN_STORE, process)
        process.kill()
    assert not (tmp_path / "build").exists()
    assert list(tmp_path.glob(".build.*"))  # what it could not clear away itself
    build_here(monkeypatch)
    build(resolve(parameters(table)), tmp_path / "build")
    assert digests(tmp_path / "build") == expected
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_interrupted(table: Path, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    with start(table, tmp_path / "build", "dask.workers=2") as process:
        wait_for(tmp_path, IN_GENOTYPES, process)
        process.send_signal(signal.SIGINT)
        try:
            _, error = process.communicate(timeout=60)
        finally:  # or the end of the block waits for it for ever
            process.kill()
    assert process.returncode == 130
    assert "interrupted; earlier outputs are untouched" in error
    assert [path.name for path in tmp_path.iterdir()] == ["build"]
    assert list((tmp_path / "build").iterdir()) == []


@pytest.fixture
def scheduler() -> Iterator[tuple[str, subprocess.Popen[str], subprocess.Popen[str]]]:
    """A scheduler and a worker of their own, as on a cluster."""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    dask = [sys.executable, "-m", "dask"]
    with subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        stderr=subprocess.PIPE, text=True, env=environment,
    ) as leader:  # fmt: skip
        assert leader.stderr is not None
        address = ""
        while not address:
            line = leader.stderr.readline()
            assert line, "the scheduler did not start"
            found = re.search(r"Scheduler at:\s+(tcp://\S+)", line)
            address = found.group(1) if found else ""
        with subprocess.Popen(
            [*dask, "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"],
            stderr=subprocess.DEVNULL, env=environment, text=True,
        ) as worker:  # fmt: skip
            yield address, leader, worker
            for process in (worker, leader):
                process.kill()


def test_a_running_cluster(
    table: Path, expected: dict[str, str], tmp_path: Path,
    scheduler: tuple[str, subprocess.Popen[str], subprocess.Popen[str]],
) -> None:  # fmt: skip
    address, leader, _ = scheduler
    out = build(resolve(parameters(table, scheduler=address)), tmp_path / "build").root
    assert digests(out) == expected
    with start(table, tmp_path / "lost", f"dask.scheduler={address}") as process:
        wait_for(tmp_path, ".*/lost/.genotypes.*/*/scratch/*.arrow", process)
        leader.kill()
        _, error = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"the Dask scheduler {address} was lost" in error
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_no_scheduler_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_workers, "TIMEOUT", "1s")
    settings = Dask(scheduler="tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="no scheduler answers there"), workers(settings, 2):
        pass


def test_what_a_task_complains_of_is_said(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    rows = "".join(f"YAL001C|YAL{i:03d}W,{'low' if i == 555 else i}\n" for i in range(1, 700))
    path.write_text("genes,score\n" + rows)
    with pytest.raises(InputError, match=r"pairs\.csv:556: found 'score' is 'low'"):
        build(resolve(parameters(path, workers=2)), tmp_path / "build")
    assert [entry.name for entry in tmp_path.iterdir()] == ["pairs.csv"]
    assert DataLayout(tmp_path / "build").root.exists() is False
