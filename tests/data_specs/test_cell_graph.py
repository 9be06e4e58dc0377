"""The cell graph on disk."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError
from tests.hierarchies import random_cell_graph


@pytest.mark.parametrize("origin", ["root", "leaves"])
@pytest.mark.parametrize("seed", range(5))
def test_round_trip(seed: int, origin: str, tmp_path: Path) -> None:
    graph = random_cell_graph(seed, origin=origin)
    graph.write(tmp_path / "graph")
    again = CellGraph.read(tmp_path / "graph")
    assert again.fingerprint == graph.fingerprint
    for name in CellGraph.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(graph, name))


def test_names_travel_with_it_and_are_not_in_the_fingerprint(tmp_path: Path) -> None:
    graph = random_cell_graph(0)
    named = dataclasses.replace(graph, gene_names=(("ABC1", "G001", "symbol"),))
    named.write(tmp_path / "graph")
    assert CellGraph.read(tmp_path / "graph").gene_names == named.gene_names
    assert named.fingerprint == graph.fingerprint
    assert {path.name: path.read_bytes() for path in (tmp_path / "graph").iterdir()} == (
        named.to_files()
    )


@pytest.mark.parametrize("exact", [True, False])
def test_whether_names_are_exact_travels_with_it(exact: bool, tmp_path: Path) -> None:
    graph = dataclasses.replace(random_cell_graph(0), exact_names=exact)
    graph.write(tmp_path / "graph")
    assert CellGraph.read(tmp_path / "graph").exact_names == exact
    assert graph.fingerprint == random_cell_graph(0).fingerprint


def test_a_graph_from_before_names_could_be_exact_is_read(tmp_path: Path) -> None:
    graph = random_cell_graph(0)
    graph.write(tmp_path / "graph")
    path = tmp_path / "graph" / "cell_graph.json"
    description = json.loads(path.read_text())
    del description["exact_names"]
    path.write_text(json.dumps(description))
    again = CellGraph.read(tmp_path / "graph")
    assert (again.fingerprint, again.exact_names) == (graph.fingerprint, False)


@pytest.mark.parametrize("change", [{"exact_namez": True}, {"exact_names": "yes"}])
def test_a_description_with_something_else_in_it_is_refused(
    change: dict[str, object], tmp_path: Path
) -> None:
    random_cell_graph(0).write(tmp_path / "graph")
    path = tmp_path / "graph" / "cell_graph.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtefactError, match=r"cell_graph.json: keys .*; expected .*exact_names"):
        CellGraph.read(tmp_path / "graph")


def test_any_arrow_reader_can_map_it(tmp_path: Path) -> None:
    graph = random_cell_graph(0)
    graph.write(tmp_path / "graph")
    with pa.memory_map(str(tmp_path / "graph" / "annotations.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    assert table.to_pydict()["term"] == graph.annotations[:, 0].tolist()


@pytest.mark.parametrize(
    "name", ["term_ids", "gene_ids", "strata", "genes_contained", "annotations", "edges"]
)
def test_fingerprint_covers_all_that_gives_meaning(name: str) -> None:
    graph = random_cell_graph(0)
    fields = {field: getattr(graph, field) for field in CellGraph.__dataclass_fields__}
    changed = list(fields[name])
    changed[0], changed[-1] = changed[-1], changed[0]
    if not isinstance(changed[0], str):
        changed = np.array(changed)
    if not np.array_equal(changed, fields[name]):
        assert CellGraph(**(fields | {name: changed})).fingerprint != graph.fingerprint
    else:
        changed[0] += 1
        assert CellGraph(**(fields | {name: changed})).fingerprint != graph.fingerprint


def test_other_version(tmp_path: Path) -> None:
    random_cell_graph(0).write(tmp_path / "graph")
    path = tmp_path / "graph" / "cell_graph.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(ArtefactError, match=r"99\]; expected 'dcell-cell-graph' version 3"):
        CellGraph.read(tmp_path / "graph")


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    random_cell_graph(0).write(tmp_path / "graph")
    path = tmp_path / "graph" / "edges.arrow"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ArtefactError, match=r"edges\.arrow: its checksum differs"):
        CellGraph.read(tmp_path / "graph")
    path.unlink()
    with pytest.raises(ArtefactError, match=r"edges\.arrow"):
        CellGraph.read(tmp_path / "graph")
    with pytest.raises(ArtefactError, match="folder of a finished build"):
        CellGraph.read(tmp_path / "nowhere")


def test_other_hierarchy_names_both() -> None:
    a, b = random_cell_graph(0), random_cell_graph(1)
    a.require(a.fingerprint, "this")
    with pytest.raises(ArtefactError) as error:
        a.require(b.fingerprint, "the store x")
    assert a.fingerprint[:12] in str(error.value)
    assert b.fingerprint[:12] in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "terms.arrow",
        "genes.arrow",
        "annotations.arrow",
        "edges.arrow",
        "names.arrow",
        "cell_graph.json",
    ],
)
def test_every_byte_flipped(tmp_path: Path, name: str) -> None:
    """Refused, or of no meaning (padding): never another graph."""
    graph = random_cell_graph(0)
    graph.write(tmp_path / "graph")
    path = tmp_path / "graph" / name
    whole = path.read_bytes()
    refused = 0
    for place, byte in enumerate(whole):
        path.write_bytes(whole[:place] + bytes([byte ^ 1 << (place % 8)]) + whole[place + 1 :])
        try:
            found = CellGraph.read(tmp_path / "graph")
        except ArtefactError:
            refused += 1
            continue
        assert found.fingerprint == graph.fingerprint
        for field in CellGraph.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(found, field), getattr(graph, field))
    assert refused > len(whole) / 5


@pytest.mark.parametrize("name", ["terms.arrow", "annotations.arrow", "cell_graph.json"])
def test_every_length(tmp_path: Path, name: str) -> None:
    random_cell_graph(0).write(tmp_path / "graph")
    path = tmp_path / "graph" / name
    whole = path.read_bytes()
    for length in range(len(whole.rstrip())):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtefactError):
            CellGraph.read(tmp_path / "graph")
