"""A build is whole or not at all, and says what was wrong."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from dcell_model.data.dataset import MutantStateDataset
from pipeline.build import build
from pipeline.export import export
from pipeline.show import show
from pipeline.verify import verify
from tests.conftest import TINY, tiny_parameters


def attempt(out: Path, **sections: dict[str, Any]) -> None:
    build(resolve(tiny_parameters(**sections)), out)


def source(tmp_path: Path, role: str, text: str, name: str = "bad.txt") -> dict[str, Any]:
    path = tmp_path / name
    path.write_text(text)
    return {role: [str(path)] if role == "genotypes" else str(path)}


def test_tiny_build(tiny_build: Path) -> None:
    graph = CellGraph.read(tiny_build / "cell_graph")
    assert graph.term_ids[0] == "GO:ROOT"
    assert set(graph.term_ids) == {
        "GO:ROOT", "GO:0000001", "GO:0000002", "GO:0000003", "GO:0000004", "GO:0000005",
        "GO:0000007",
    }  # fmt: skip
    assert len(MutantStateDataset(tiny_build / "store")) == 45
    ledger = json.loads((tiny_build / "ledger.json").read_text())
    assert ledger["steps"][0]["step"] == "annotated"
    assert ledger["inputs"][0]["version"] == "releases/tiny"
    assert ledger["lines"] == ledger["kept"] + sum(ledger["dropped"].values())


def test_same_bytes_again(tiny_build: Path, tmp_path: Path) -> None:
    attempt(tmp_path / "again")
    for path in sorted(tiny_build.rglob("*")):
        if path.is_file():
            again = tmp_path / "again" / path.relative_to(tiny_build)
            assert again.read_bytes() == path.read_bytes(), path


def test_assayed_genes_only(tmp_path: Path) -> None:
    table = "genes\tfitness\nYAL001C|YAL002W\t1\nYAL006W|YAL003W\t2\nYAL001C|YAL006W\t2\n"
    attempt(
        tmp_path / "build",
        sources=source(tmp_path, "genotypes", table, "few.tsv"),
        hierarchy={"gene_universe": "assayed"},
    )
    graph = CellGraph.read(tmp_path / "build" / "cell_graph")
    assert set(graph.gene_ids) <= {"YAL001C", "YAL002W", "YAL003W", "YAL006W"}
    ledger = json.loads((tmp_path / "build" / "ledger.json").read_text())
    assert ledger["steps"][0]["step"] == "gene_universe"


def test_rebuilding_replaces(tmp_path: Path) -> None:
    out = tmp_path / "build"
    attempt(out)
    with pytest.raises(InputError, match=r"holds a build .* written 20.* --overwrite replaces it"):
        attempt(out, store={"layout": "dense"})
    build(resolve(tiny_parameters(store={"layout": "dense"})), out, overwrite=True)
    assert MutantStateDataset(out / "store").meta.layout == "dense"
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_something_else_is_not_replaced(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "mine"
    if kind == "file":
        out.write_text("thesis")
    else:
        out.mkdir()
        (out / "thesis.tex").write_text("thesis")
    with pytest.raises(InputError, match=r"is a file|not an earlier build"):
        attempt(out)
    kept = out if kind == "file" else out / "thesis.tex"
    assert kept.read_text() == "thesis"


GOOD_LINE = (TINY / "tiny.gaf").read_text().splitlines()[2]
TWELVE = "\t".join(GOOD_LINE.split("\t")[:12])
OBO = "format-version: 1.4\n\n[Term]\nid: GO:1\nname: one\n"


@pytest.mark.parametrize(
    ("role", "text", "message"),
    [
        ("annotations", TWELVE + "\n", r"bad.txt:1: found 12 tab-separated columns"),
        ("annotations", GOOD_LINE.replace("20150101", "2017-3-1") + "\n", "expected YYYYMMDD"),
        ("annotations", "!gaf-version: 2.2\n", "no annotation is left of 0 lines"),
        ("ontology", OBO + "is_a: GO:1\n", "the ontology has a cycle: GO:1 -is_a-> GO:1"),
        ("ontology", OBO + "is_a: GO:2\n", "bad.txt:6: GO:1 is_a 'GO:2'"),
        ("ontology", "format-version: 1.4\n", "no terms"),
        ("genotypes", "who\tknows\n1\t2\n", "header"),
        ("genotypes", "genes\tfitness\nYAL001C|YAL001C\t1\n", "YAL001C"),
        ("genotypes", "genes\tfitness\nYAL001C|YAL002W\tNaN\nYAL001C\t0,1\n", "bad.txt:3"),
        ("genotypes", "", "empty"),
    ],
)
def test_bad_input(tmp_path: Path, role: str, text: str, message: str) -> None:
    out = tmp_path / "out" / "build"
    with pytest.raises(InputError, match=message):
        attempt(out, sources=source(tmp_path, role, text))
    assert not out.exists()
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


@pytest.mark.parametrize("role", ["ontology", "annotations", "genotypes"])
def test_truncated_gzip(tmp_path: Path, role: str) -> None:
    name = {"ontology": "tiny.obo", "annotations": "tiny.gaf", "genotypes": "tiny.tsv"}[role]
    path = tmp_path / (name + ".gz")
    path.write_bytes(gzip.compress((TINY / name).read_bytes())[:-20])
    given = [str(path)] if role == "genotypes" else str(path)
    with pytest.raises(InputError, match="cut off"):
        attempt(tmp_path / "build", sources={role: given})
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"hierarchy": {"containment": 99}}, "pruning step 'containment'"),
        ({"annotations": {"date_cutoff": "1990-01-01"}}, "no annotation is left of 20 lines"),
        ({"genotypes": {"orders": [7]}}, "order"),
    ],
)
def test_empty_result_names_what_emptied_it(
    tmp_path: Path, sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        attempt(tmp_path / "build", **sections)
    assert list(tmp_path.iterdir()) == []


def test_store_of_another_build(tiny_build: Path, tmp_path: Path) -> None:
    attempt(tmp_path / "other", hierarchy={"relations": ["is_a", "part_of"]})
    mixed = tmp_path / "mixed"
    shutil.copytree(tiny_build, mixed)
    shutil.rmtree(mixed / "store")
    shutil.copytree(tmp_path / "other" / "store", mixed / "store")
    with pytest.raises(InputError, match="fingerprint"):
        MutantStateDataset(mixed / "store")


def test_inputs_in_other_line_ends_encodings_and_packings(tiny_build: Path, tmp_path: Path) -> None:
    import bz2
    import lzma

    def old_mac(name: str) -> bytes:
        return (TINY / name).read_bytes().replace(b"\n", b"\r")

    (tmp_path / "o").write_bytes(bz2.compress(old_mac("tiny.obo")))
    (tmp_path / "a").write_bytes(old_mac("tiny.gaf").decode().encode("utf-16"))
    (tmp_path / "g").write_bytes(lzma.compress(old_mac("tiny.tsv")))
    sources = {
        "ontology": str(tmp_path / "o"), "annotations": str(tmp_path / "a"),
        "genotypes": [str(tmp_path / "g")],
    }  # fmt: skip
    built = build(resolve(tiny_parameters(sources=sources)), tmp_path / "build").root
    for part in ("cell_graph/cell_graph.json", "store/manifest.json", "annotations/ledger.json"):
        assert (built / part).read_bytes() == (tiny_build / part).read_bytes()


def test_what_a_file_lacks_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (TINY / "tiny.gaf").read_text().replace("\tIGI\t", "\tIDA\t")
    (tmp_path / "a.gaf").write_text(lines)
    given = tiny_parameters(sources={"annotations": str(tmp_path / "a.gaf")})
    given["annotations"] = {"gene_id_columns": [10, 3]}
    build(resolve({"preset": "torchcell", **given}), tmp_path / "build")
    said = capsys.readouterr().err
    assert "note: preset torchcell goes by evidence IGI, which no line of" in said
    assert "column 10 is empty in every line" in said
    assert "3 ('NYAL001C'), 11 ('YAL001C|alias of YAL001C')" in said
    given["annotations"]["exclude_evidence"] = ["IGI"]
    with pytest.raises(InputError, match="'IGI' is in no line of"):
        build(resolve(given), tmp_path / "another")


def test_several_annotation_files_give_the_same_hierarchy(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A GAF in two parts, which share rows, and the second once more as GPAD with a GPI."""
    header, *lines = (TINY / "tiny.gaf").read_text().splitlines()
    rows = lines[1:]
    (tmp_path / "a.gaf").write_text("\n".join([header, *rows[:12], ""]))
    (tmp_path / "b.gaf").write_text("\n".join([header, *rows[9:], ""]))
    eco = {"IMP": "ECO:0000315", "IEA": "ECO:0007669", "IGI": "ECO:0000316"}
    cells = [row.split("\t") for row in rows[9:]]
    gpad = [
        "\t".join([f"SGD:{c[1]}", "NOT" * c[3].startswith("NOT"), "RO:0002331", c[4], c[5],
                   eco[c[6]], "", "", "2015-01-01", "SGD", "", ""])
        for c in cells
    ]  # fmt: skip
    (tmp_path / "b.gpad").write_text("\n".join(["!gpad-version: 2.0", *gpad, ""]))
    gpi = ["\t".join([f"SGD:{c[1]}", c[2], "", c[10], "gene", c[12]]) for c in cells]
    (tmp_path / "b.gpi").write_text("\n".join(["!gpi-version: 2.0", *gpi, ""]))

    def built(name: str, **files: list[str]) -> DataLayout:
        sources = {role: [str(tmp_path / file) for file in given] for role, given in files.items()}
        return build(resolve(tiny_parameters(sources=sources)), tmp_path / name)

    first = built("gaf", annotations=["a.gaf", "b.gaf"])
    second = built("gpad", annotations=["a.gaf", "b.gpad"], gene_info=["b.gpi"])
    fingerprint = CellGraph.read(tiny_build / "cell_graph").fingerprint
    for layout in (first, second):
        assert CellGraph.read(layout.cell_graph).fingerprint == fingerprint
        assert [check.detail for check in verify(layout) if not check.passed] == []
    ledger = json.loads(first.ledger.read_text())
    assert ledger["dropped"]["repeated"] == 3
    assert [(file["lines"], file["format"]) for file in ledger["annotation_files"]] == [
        (12, "GAF"), (11, "GAF"),
    ]  # fmt: skip
    assert [Path(entry["path"]).name for entry in ledger["inputs"]] == [
        "tiny.obo", "a.gaf", "b.gaf", "tiny.tsv",
    ]  # fmt: skip
    assert "repeated" not in json.loads(second.ledger.read_text())["dropped"]
    show(first)
    said = capsys.readouterr().out
    assert "a.gaf (GAF): 12 lines, " in said
    assert "3 repeated" in said
    # One file is a text in the parameters, as it was before there could be several.
    given = json.loads((tiny_build / "params.json").read_text())["sources"]["annotations"]
    assert given == str(TINY / "tiny.gaf")
    assert resolve(json.loads(first.parameters.read_text())).sources.annotations == tuple(
        str(tmp_path / name) for name in ("a.gaf", "b.gaf")
    )
    with pytest.raises(
        InputError,
        match=r"sources.gene_info is .*b.gpi, and nothing would read it: .* GPAD 1, GPAD 2",
    ):
        built("neither", annotations=["a.gaf"], gene_info=["b.gpi"])


def test_a_hierarchy_with_a_root_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text(
        "R\tA\tdefault\nR\tB\tdefault\nA\tg1\tgene\nA\tg2\tgene\nB\tg3\tgene\nR\tg4\tgene\n"
    )
    rows = "".join(f"g{a}|g{b}\t0.{a}{b}\n" for a in range(1, 5) for b in range(a + 1, 5))
    (tmp_path / "own.tsv").write_text("genes\tfitness\n" + rows)
    sources = {
        "profile": "local", "ontology": str(tmp_path / "own.txt"),
        "genotypes": [str(tmp_path / "own.tsv")],
    }  # fmt: skip

    def built(name: str, root: str, ontology: str) -> tuple[DataLayout, CellGraph]:
        given = {"sources": {**sources, "ontology": ontology},
                 "hierarchy": {"root": root, "steps": []}}  # fmt: skip
        layout = build(resolve(given), tmp_path / name)
        assert [check.detail for check in verify(layout) if not check.passed] == []
        return layout, CellGraph.read(layout.cell_graph)

    natural, graph = built("auto", "auto", sources["ontology"])
    virtual, other = built("always", "always", sources["ontology"])
    assert (graph.term_ids, other.term_ids) == (["R", "A", "B"], ["GO:ROOT", "R", "A", "B"])
    assert (graph.num_strata, other.num_strata) == (2, 3)
    assert json.loads(natural.ledger.read_text())["root"] == "R"
    assert "root" not in json.loads(virtual.ledger.read_text())
    assert MutantStateDataset(natural.store).graph.fingerprint == graph.fingerprint
    # What is exported from either comes back as it is.
    for layout, expected in ((natural, graph), (virtual, other)):
        folder = tmp_path / f"{layout.root.name}-exported"
        export(layout.root, "drugcell", folder)
        name = f"{layout.root.name}-again"
        assert built(name, "auto", str(folder / "drugcell_ont.txt"))[1].fingerprint == (
            expected.fingerprint
        )


@pytest.mark.usefixtures("no_cluster")
def test_a_folder_with_characters_of_patterns(tmp_path: Path) -> None:
    out = tmp_path / "[a]*?" / "b[1]"
    build(resolve(tiny_parameters(genotypes={"part_rows": 10})), out)
    assert [check.detail for check in verify(DataLayout(out)) if not check.passed] == []
