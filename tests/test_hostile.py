"""Readers fed with rubbish: they read it or say what is wrong with it, and do nothing else."""

import contextlib
import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.errors import InputError
from data_specs.parameters.sections import Annotations, resolve
from data_specs.raw_files import read_text
from dcell_model.checkpoint import format as checkpoint
from dcell_model.checkpoint import per_term_file
from dcell_model.dcell.model import DCell
from pipeline.annotations.gene_info import read_gene_info
from pipeline.annotations.stage import read_annotations
from pipeline.exchange import cx2, gennet, graphml
from pipeline.exchange.topology import parse
from pipeline.networks.formats import read_networks
from pipeline.ontology.stage import read_ontology
from tests.conftest import LONG, TINY
from tests.genotype_tables import read
from tests.hierarchies import random_cell_graph

TABLE = (TINY / "tiny.tsv").read_bytes()
TOPOLOGY = b"ROOT: A 2\n1 2\nROOT B C\ngenes: G1 G2\nB G1\nC G2\n"
ONTOLOGY = read_ontology(TINY / "tiny.obo")


def read_gaf(path: Path) -> object:
    return read_annotations(path, ONTOLOGY.terms, ONTOLOGY.aliases, Annotations())


GPAD = b"SGD:S1\t\tRO:1\tGO:0000003\tPMID:1\tECO:0000315\t\t\t2015-01-01\tSGD\t\t\n"
JSON = (
    b'{"graphs": [{"nodes": [{"id": "http://purl.obolibrary.org/obo/GO_1", "lbl": "a", "type": '
    b'"CLASS", "meta": {"basicPropertyValues": [{"pred": "x", "val": "\\u00e9"}]}}, '
    b'{"id": "GO:2"}], "edges": [{"sub": "GO:2", "pred": "is_a", "obj": "GO:1"}]}]}'
)
HPOA = (
    b"#version: 1\ndatabase_id\tdisease_name\tqualifier\thpo_id\nOMIM:1\tx\t\tHP:1\tPMID:1\tTAS\t"
    b"\t1/2\t\t\tP\tHPO:x[2012-07-03]\n"
)
MAPPING = b"1\tR-HSA-1\thttps://x.org/R-HSA-1\tname\tTAS\tHomo sapiens\n"
SMALL = parse("ROOT: A 2\nGENES: x\nTERMS: B\nROOT: B 1\nGENES: y\nTERMS:\n", Path("small"))


def small_state() -> checkpoint.Checkpoint:
    graph = random_cell_graph(0, terms=2, genes=2)
    parameters = resolve({"model": {"width_min": 1}})
    scale = (torch.zeros(1), torch.ones(1))
    model = DCell(graph, parameters.model)
    return checkpoint.describe(model, parameters, ("score",), scale, 1, {})


def small_checkpoint() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(small_state(), Path(folder) / "model.pt")
        return (Path(folder) / "model.pt").read_bytes()


def small_per_term_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        per_term_file.export(small_state(), Path("model.pt"), Path(folder) / "model.npz")
        return (Path(folder) / "model.npz").read_bytes()


READERS: dict[str, tuple[bytes, Callable[[Path], object]]] = {
    "obo": ((TINY / "tiny.obo").read_bytes(), read_ontology),
    "gaf": ((TINY / "tiny.gaf").read_bytes(), read_gaf),
    "obo graphs": (JSON, read_ontology),
    "reactome": (b"R-HSA-1\tR-HSA-2\nR-HSA-1\tR-HSA-3\n", read_ontology),
    "gmt": (b"A\tna\tg1\tg2\nB\tGO:0000003\tg1\n", read_ontology),
    "gpad": (b"!gpad-version: 2.0\n" + 2 * GPAD, read_gaf),
    "gpi": (
        b"!gpi-version: 2.0\nSGD:S1\tTFC3\t\tA|B\tgene\tNCBITaxon:1\n",
        lambda path: read_gene_info([path]),
    ),
    "annotations of sets": (b"A\tna\tg1\tg2\nB\tGO:0000003\tg1\n", read_gaf),
    "annotations of reactome": (MAPPING, read_gaf),
    "annotations of diseases": (HPOA, read_gaf),
    "genotypes": (TABLE, read),
    "dcell text": (b"2 A B 0.5\n1 C 1\n3 A B C -2\n", read),
    "plain": (b'genes,score,od\n"A|B",1,2\nC,0.5,\n', read),
    "topology": (TOPOLOGY, lambda path: parse(read_text(path), path)),
    "gennet": (gennet.write(SMALL).encode(), read_ontology),
    "cx2": (cx2.write(SMALL).encode(), read_ontology),
    "graphml": (graphml.write(SMALL).encode(), read_ontology),
    "networks": (b"gene_a\tgene_b\tweight\nA\tB\t0.5\nC\tA\t1\n", read_networks),
    "indices": (b"1\t2\t0.5\n2\t1\t0.5\n", lambda path: read_networks(path, ["A", "B"])),
    "string": (
        b"protein1 protein2 fusion combined_score\n4.A 4.B 0 9\n4.B 4.A 1 5\n",
        read_networks,
    ),
    "gzip": (gzip.compress(TABLE[:2000], mtime=0), read),
    "checkpoint": (small_checkpoint(), checkpoint.load),
    "per-term file": (small_per_term_file(), per_term_file.import_),
}
EXAMPLES = 2500 if LONG else 50
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "repeat", "swap"]),
        st.integers(0, 2**20),
        st.integers(0, 300),
        st.binary(max_size=6)
        | st.sampled_from([b"\x00", b"\n", b"\t", b'"', b"\xff", b"nan", b"|"]),
    ),
    min_size=1,
    max_size=6,
)


def edited(raw: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, place, length, some in edits:
        at = place % (len(raw) + 1)
        part = raw[at : at + length]
        if kind == "flip" and part:
            raw = raw[:at] + bytes([part[0] ^ (some[0] if some else 255)]) + raw[at + 1 :]
        elif kind == "cut":
            raw = raw[:at] + raw[at + length :]
        elif kind == "insert":
            raw = raw[:at] + some + raw[at:]
        elif kind == "repeat":
            raw = raw[:at] + part * 3 + raw[at:]
        elif kind == "swap":
            raw = raw[at:] + raw[:at]
    return raw


def read_or_refuse(kind: str, raw: bytes) -> None:
    """Offer bytes to a reader: it reads them or raises `InputError`, and leaves no file behind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.txt"
        path.write_bytes(raw)
        with contextlib.suppress(InputError):
            READERS[kind][1](path)
        assert [entry.name for entry in Path(folder).iterdir()] == ["file.txt"]


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=EXAMPLES)
@given(edits=EDITS)
def test_rubbish(kind: str, edits: list[tuple[str, int, int, bytes]]) -> None:
    read_or_refuse(kind, edited(READERS[kind][0], edits))


@pytest.mark.parametrize("kind", READERS)
def test_every_length(kind: str, tmp_path: Path) -> None:
    whole, reader = READERS[kind]
    path = tmp_path / "file.txt"
    for length in range(0, len(whole), max(1, len(whole) // (150 if LONG else 50))):
        path.write_bytes(whole[:length])
        said = str(path)
        try:
            reader(path)
        except InputError as error:
            said = str(error)
        assert str(path) in said
