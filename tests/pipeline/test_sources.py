"""Which raw files are read, and what is said where one cannot be had."""

import bz2
import functools
import gzip
import http.server
import io
import lzma
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_specs.errors import InputError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import Sources
from data_specs.source_manifest import YEAST, Source
from pipeline.sources import describe, fetch, located, settle
from tests.conftest import TINY

TEXT = b"some table\n"
SHA = "4e5f0b9bd8cd32c1ed3f51ecb5a2a9a8b1b7a8f6c2b3d2a1b1ecadbd3e53ac1d"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine with a plain file and a zip of it."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "table.tsv").write_bytes(TEXT)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("table.tsv", TEXT)
    (served / "table.zip").write_bytes(buffer.getvalue())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def source(url: str, sha256: str | None = None) -> Source:
    return Source(role="genotypes", url=url, file="table.tsv", sha256=sha256, citation="nobody")


@pytest.mark.parametrize("name", ["table.tsv", "table.zip"])
def test_fetch(server: str, tmp_path: Path, name: str) -> None:
    import hashlib

    wanted = source(f"{server}/{name}", hashlib.sha256(TEXT).hexdigest())
    assert fetch(wanted, tmp_path / "cache").read_bytes() == TEXT


def test_wrong_checksum(server: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"SHA-256|could not be downloaded"):
        fetch(source(f"{server}/table.zip", SHA), tmp_path / "cache")


def test_no_network(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        fetch(source("http://127.0.0.1:9/table.tsv"), tmp_path / "cache")
    message = str(error.value)
    assert "table.tsv could not be downloaded from http://127.0.0.1:9/table.tsv" in message
    assert "sources.genotypes" in message


def test_demo_profile(tmp_path: Path) -> None:
    layout = DataLayout(tmp_path)
    layout.simulated.mkdir()
    for name in ("ontology.obo", "annotations.gaf", "genotypes.tsv", "complexes.tsv",
                 "coexpression.tsv"):  # fmt: skip
        (layout.simulated / name).write_text("x")
    settled = settle(Sources(), layout)
    assert settled["ontology"] == "simulated/ontology.obo"  # from the build's folder on
    assert located(layout, settled["ontology"]) == layout.simulated / "ontology.obo"
    assert settled["genotypes"] == ["simulated/genotypes.tsv"]
    assert settled["networks"] == ["simulated/complexes.tsv", "simulated/coexpression.tsv"]


def test_own_files_are_not_taken_for_simulated_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "simulated"
    own.mkdir()
    for name in ("ontology.obo", "genotypes.tsv"):
        (own / name).write_text("x")
    config = Sources(ontology="simulated/ontology.obo", genotypes=("simulated/genotypes.tsv",))
    layout = DataLayout(tmp_path / "build")
    settled = settle(config, layout)
    assert located(layout, settled["ontology"]) == own / "ontology.obo"
    assert located(layout, settled["genotypes"][0]) == own / "genotypes.tsv"


def test_own_ontology_brings_its_own_annotations(tmp_path: Path) -> None:
    own = Sources(ontology=str(TINY / "tiny.obo"), genotypes=(str(TINY / "tiny.tsv"),))
    assert settle(own, DataLayout(tmp_path))["annotations"] is None


def test_local_profile_needs_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no ontology file: set sources\.ontology"):
        settle(Sources(profile="local"), DataLayout(tmp_path))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.obo: no such file"):
        settle(Sources(ontology="nowhere.obo", genotypes=("x",)), DataLayout(tmp_path))


def test_versions_come_from_the_headers() -> None:
    assert describe("o", TINY / "tiny.obo")["version"] == "releases/tiny"
    assert describe("a", TINY / "tiny.gaf")["version"] == "2024-01-01"
    assert describe("g", TINY / "tiny.tsv")["version"] is None


def test_versions_of_packed_files(tmp_path: Path) -> None:
    raw = (TINY / "tiny.obo").read_bytes()
    utf_16 = raw.decode().replace("\n", "\r").encode("utf-16")
    for packed in (bz2.compress(raw), lzma.compress(raw), gzip.compress(utf_16)):
        (tmp_path / "packed").write_bytes(packed)
        assert describe("o", tmp_path / "packed")["version"] == "releases/tiny"
    (tmp_path / "packed").write_bytes(bz2.compress(raw)[:20])
    assert describe("o", tmp_path / "packed")["version"] is None


@pytest.mark.parametrize("role", ["ontology", "annotations", "genotypes", "test_genotypes"])
def test_what_is_no_file_is_called_what_it_is_at_once(tmp_path: Path, role: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    given: dict[str, Any] = {
        "ontology": str(TINY / "tiny.obo"), "genotypes": (str(TINY / "tiny.tsv"),),
    }  # fmt: skip
    for name, found in (("pipe", "is a pipe"), ("", "is a folder"), ("x", "no such file")):
        place = str(tmp_path / name)
        own = place if role == "ontology" else (place,)
        with pytest.raises(InputError, match=found):
            settle(Sources(**(given | {role: own})), DataLayout(tmp_path))


def test_manifest_pins_what_can_be_pinned() -> None:
    assert [source.role for source in YEAST] == ["ontology", "annotations", "genotypes"]
    assert YEAST[2].sha256 is not None
    assert len(YEAST[2].sha256) == 64
