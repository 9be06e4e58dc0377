"""OBO and GAF as goatools reads them."""

import contextlib
import io
from pathlib import Path

from goatools.anno.gaf_reader import GafReader
from goatools.obo_parser import GODag

from pipeline.export.command import export, load


def test_goatools_reads_both(tiny_build: Path, tmp_path: Path) -> None:
    export(tiny_build, "obo", tmp_path / "out")
    hierarchy = load(tiny_build)
    with contextlib.redirect_stdout(io.StringIO()):
        dag = GODag(str(tmp_path / "out" / "hierarchy.obo"), prt=None)
        lines = GafReader(str(tmp_path / "out" / "annotations.gaf"), godag=dag).associations
    assert set(dag) == set(hierarchy.terms)
    found = {(child, parent.item_id) for child, term in dag.items() for parent in term.parents}
    assert found == set(hierarchy.edges)
    assert {term: own.name for term, own in dag.items()} == hierarchy.names
    assert {(line.GO_ID, line.DB_ID) for line in lines} == set(hierarchy.annotations)
    symbols = hierarchy.called("symbol")
    assert {line.DB_ID: line.DB_Symbol for line in lines} == symbols
    assert symbols["YAL001C"] == "NYAL001C"
    assert {"YAL001C", "alias of YAL001C"} in [set(line.DB_Synonym) for line in lines]
    assert {line.GO_ID: line.NS for line in lines}["GO:0000003"] == "BP"
