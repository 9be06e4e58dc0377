import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from goatools.obo_parser import OBOReader
from sklearn.linear_model import Ridge

from data_specs.errors import ParameterError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import Hierarchy as HierarchyConfig
from data_specs.parameters.sections import Simulate, resolve
from pipeline.annotations.stage import AnnotationTable, read_annotations
from pipeline.hierarchy import stage as hierarchy
from pipeline.ontology.stage import Ontology, read_ontology
from pipeline.simulate.stage import RawInputs, run, simulate
from pipeline.strata import stratify

SMALLEST = Simulate(terms=30, genes=60, annotations=300, queries=5, arrays=40, triples=180)
DEMO = Simulate()
YEAST = Simulate(
    terms=4000, genes=6000, annotations=70_000, queries=172, arrays=1100, triples=91_000
)
EVIDENCE = {"IDA", "IMP", "IEA", "ISS", "IPI", "HDA", "IBA", "TAS", "IGI"}
SYSTEMATIC = re.compile(r"Y[A-P][LR]\d{3}[WC]")
HO = "YDL227C"
ADJUSTED = "Adjusted genetic interaction score (epsilon or tau)"


@pytest.fixture(scope="module")
def demo() -> RawInputs:
    return simulate(DEMO)


@pytest.fixture(scope="module")
def smallest() -> RawInputs:
    return simulate(SMALLEST)


@pytest.fixture(scope="module")
def folder(demo: RawInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(demo, tmp_path_factory.mktemp("demo"))


def written(inputs: RawInputs, folder: Path) -> Path:
    (folder / "ontology.obo").write_text(inputs.ontology)
    (folder / "annotations.gaf").write_text(inputs.annotations)
    return folder


def stanzas(inputs: RawInputs) -> list[dict[str, list[str]]]:
    """Tags and values of every [Term]."""
    found = []
    for block in inputs.ontology.split("\n\n"):
        head, *lines = block.strip().split("\n")
        if head == "[Term]":
            tags: dict[str, list[str]] = {}
            for line in lines:
                tag, _, value = line.partition(": ")
                tags.setdefault(tag, []).append(value)
            found.append(tags)
    return found


def lines_of(inputs: RawInputs) -> list[list[str]]:
    return [line.split("\t") for line in inputs.annotations.splitlines() if line[0] != "!"]


def table_of(inputs: RawInputs) -> pl.DataFrame:
    return pl.read_csv(io.StringIO(inputs.genotypes), separator="\t")


def genes_of(table: pl.DataFrame) -> list[tuple[str, ...]]:
    """Deleted genes of every row, sorted, without the control."""
    rows = table.select("Query strain ID", "Array strain ID").iter_rows()
    return [
        tuple(sorted({*query.split("_")[0].split("+"), array.split("_")[0]} - {HO}))
        for query, array in rows
    ]


def known(folder: Path, **config: Any) -> tuple[Ontology, AnnotationTable]:
    """What the pipeline reads from the files, with the yeast profile."""
    ontology = read_ontology(folder / "ontology.obo")
    parameters = resolve({"annotations": config}).annotations
    gaf = folder / "annotations.gaf"
    return ontology, read_annotations(gaf, ontology.terms, ontology.aliases, parameters)


def pruned(folder: Path, config: HierarchyConfig, **annotations: Any) -> hierarchy.Hierarchy:
    ontology, table = known(folder, **annotations)
    live = ontology.terms.filter(~pl.col("obsolete"))["term"]
    edges = ontology.edges.select("child", "parent").iter_rows()
    return hierarchy.prune(hierarchy.assemble(live, edges, table.pairs.iter_rows()), config)[0]


def test_goatools_reads_the_ontology(folder: Path) -> None:
    terms = list(OBOReader(str(folder / "ontology.obo"), optional_attrs={"relationship"}))
    live = [term for term in terms if not term.is_obsolete]
    assert len(live) == DEMO.terms
    assert {t.item_id for t in live if not t._parents} == {"GO:0008150", "GO:0003674", "GO:0005575"}
    assert any(term.alt_ids for term in live)
    assert any(term.relationship.get("part_of") for term in live)
    assert 0.1 < np.mean([len(term._parents) > 1 for term in live]) < 0.5


def test_obo_stanzas(demo: RawInputs) -> None:
    header, *_, typedef = demo.ontology.split("\n\n")
    assert header.startswith("format-version: 1.4\ndata-version: simulated/seed-0\n")
    assert "ontology: go" in header
    assert typedef == "[Typedef]\nid: part_of\nname: part of\nis_transitive: true\n"
    terms = stanzas(demo)
    names = {term["id"][0]: term["name"][0] for term in terms}
    assert len(names) == len(set(names.values())) == len(terms)
    assert list(names) == sorted(names)
    for term in terms:
        assert re.fullmatch(r"GO:\d{7}", term["id"][0])
        for value in term.get("is_a", []) + [v[8:] for v in term.get("relationship", [])]:
            target, _, comment = value.partition(" ! ")
            assert names[target] == comment
    retired = [term for term in terms if term.get("is_obsolete") == ["true"]]
    assert {len(term.get("replaced_by", [])) for term in retired} == {0, 1}
    assert any(term.get("consider") for term in retired)
    assert not any(term.get("is_a") for term in retired)


def test_an_alias_is_no_term(demo: RawInputs) -> None:
    terms = stanzas(demo)
    alternatives = [alt for term in terms for alt in term.get("alt_id", [])]
    assert len(alternatives) == len(set(alternatives)) >= 3
    assert not {term["id"][0] for term in terms} & set(alternatives)


def test_gaf_columns(demo: RawInputs) -> None:
    assert demo.annotations.startswith("!gaf-version: 2.2\n")
    assert "\n!date-generated: " in demo.annotations
    lines = lines_of(demo)
    assert lines == sorted(lines)
    namespace = {t["id"][0]: t["namespace"][0] for t in stanzas(demo)}
    aspects = {"P": "biological_process", "F": "molecular_function", "C": "cellular_component"}
    relation = {"P": "involved_in", "F": "enables", "C": "located_in"}
    for line in lines:
        assert len(line) == 17
        assert line[0] == "SGD"
        assert re.fullmatch(r"S\d{9}", line[1])
        assert line[3] in (relation[line[8]], "NOT|" + relation[line[8]])
        assert namespace.get(line[4], aspects[line[8]]) == aspects[line[8]]
        assert line[6] in EVIDENCE
        assert bool(line[7]) == (line[6] in {"IGI", "IPI", "ISS", "IEA"})
        assert line[12] == "taxon:559292"
        assert re.fullmatch(r"20(0[1-9]|1\d|2[0-4])(0[1-9]|1[0-2])([0-2]\d|3[01])", line[13])
    assert {line[6] for line in lines} == EVIDENCE


def test_gaf_gene_names(demo: RawInputs) -> None:
    by_id: dict[str, set[tuple[str, str]]] = {}
    for line in lines_of(demo):
        by_id.setdefault(line[1], set()).add((line[2], line[10]))
    named = [value for values in by_id.values() for value in values]
    assert len(named) == len(by_id) == len({symbol for symbol, _ in named})
    synonyms = [list(map(SYSTEMATIC.fullmatch, names.split("|"))) for _, names in named]
    first, later = sum(bool(s[0]) for s in synonyms), sum(any(s[1:]) for s in synonyms)
    assert first > 100
    assert later > 100
    assert 0 < sum(not any(s) for s in synonyms) < 10
    assert HO not in demo.annotations


def test_every_reason_to_drop_a_line_occurs(folder: Path) -> None:
    _, table = known(folder, exclude_evidence=["IGI"], date_cutoff="2017-07-19")
    assert set(table.dropped) >= {"negated", "no_gene_id", "evidence", "date", "obsolete"}
    assert all(table.remapped.values())


@pytest.mark.parametrize("config", [SMALLEST, DEMO, pytest.param(YEAST, marks=pytest.mark.slow)])
def test_counts_are_those_asked_for(config: Simulate, tmp_path: Path) -> None:
    inputs = simulate(config)
    ontology, table = known(written(inputs, tmp_path))
    assert ontology.terms.filter(~pl.col("obsolete")).height == config.terms
    assert table.pairs.height == config.annotations
    assert 0.95 * config.genes < table.pairs["gene"].n_unique() <= config.genes
    genotypes = genes_of(table_of(inputs))
    assert sum(len(genes) == 3 for genes in set(genotypes)) == config.triples
    assert len(genotypes) < 1.3 * config.triples
    depth = {30: (4, 4), 200: (6, 7), 4000: (12, 16)}[config.terms]
    live = ontology.terms.filter(~pl.col("obsolete"))["term"].to_list()
    edges = ontology.edges.select("child", "parent").rows()
    roots = set(live) - {child for child, _ in edges}
    strata = stratify([*live, "GO:ROOT"], edges + [(root, "GO:ROOT") for root in roots])
    assert depth[0] <= strata["stratum"].n_unique() <= depth[1]


def test_genotype_table(demo: RawInputs) -> None:
    table = table_of(demo)
    assert table.columns == [
        "Query strain ID", "Query allele name", "Array strain ID", "Array allele name",
        "Combined mutant type", "Raw genetic interaction score (epsilon)", ADJUSTED, "P-value",
        "Query single/double mutant fitness", "Array single mutant fitness",
        "Combined mutant fitness", "Combined mutant fitness standard deviation",
    ]  # fmt: skip
    assert table.null_count().sum_horizontal().item() == 0
    assert table["Query strain ID"].str.contains(r"^Y\w{6}\+Y\w{6}_tm\d+$").all()
    assert table["Array strain ID"].str.contains(r"^Y\w{6}_(dma|tsa)\d+$").all()
    assert table.select("Query strain ID", "Array strain ID").is_duplicated().sum() == 0
    assert table["Query allele name"].str.contains(r"^[a-z]{3}\d+Δ\+[a-z]{3}\d+Δ$|hoΔ").all()
    control = table["Query strain ID"].str.contains(HO)
    assert (table["Combined mutant type"] == "digenic").equals(control)
    for place in (f"^{HO}", rf"\+{HO}"):
        assert table["Query strain ID"].str.contains(place).any()
    deleted = genes_of(table)
    assert {len(genes) for genes in deleted} == {2, 3}
    assert 0 < len(deleted) - len(set(deleted)) < 0.03 * len(deleted)
    assert table["P-value"].is_between(0, 0.5).all()
    assert 0.08 < table[ADJUSTED].std() < 0.1  # type: ignore[operator]
    assert "-0.0000" not in demo.genotypes


def test_nearly_every_deleted_gene_is_annotated(demo: RawInputs, folder: Path) -> None:
    annotated = set(known(folder)[1].pairs["gene"])
    deleted = {gene for genes in genes_of(table_of(demo)) for gene in genes}
    assert 0 < len(deleted - annotated) < 0.02 * len(deleted)
    assert HO not in deleted


def test_planted_terms_survive_the_strictest_pruning(demo: RawInputs, folder: Path) -> None:
    planted = {term["term"]: term["genes"] for term in json.loads(demo.truth)["planted"]}
    loose, strict = pruned(folder, HierarchyConfig()), HierarchyConfig(containment=6)
    assert {t: loose.contained[t].bit_count() for t in planted} == planted
    left = pruned(folder, strict, exclude_evidence=["IGI"])
    assert {t: left.contained[t].bit_count() for t in planted} == planted
    assert set(planted) <= set(left.parents)
    assert 0.8 * DEMO.terms < len(left.parents) < DEMO.terms


@pytest.mark.parametrize("seed", range(3))
def test_the_truth_says_what_can_be_learnt(seed: int) -> None:
    truth = json.loads(simulate(replace(DEMO, seed=seed)).truth)
    assert truth["ceiling"]["pearson"] > 0.9
    assert 0.35 < truth["additive"]["pearson"] < 0.55
    assert truth["signal_variance"] == pytest.approx(0.08**2, rel=0.05)
    assert truth["noise_variance"] == pytest.approx(DEMO.noise**2, rel=0.05)
    assert {term["kind"] for term in truth["planted"]} == {"fragile", "buffered"}


def test_hits_of_terms_explain_what_genes_do_not(demo: RawInputs, folder: Path) -> None:
    """A linear model of the genes is mediocre, one that knows which terms are hit is good."""
    table = table_of(demo)
    deleted, score = genes_of(table), table[ADJUSTED].to_numpy()
    cell = pruned(folder, HierarchyConfig())
    genes = sorted({gene for row in deleted for gene in row})
    column = {gene: index for index, gene in enumerate(genes)}
    x_MG = np.zeros((len(deleted), len(genes)))
    for row, members in enumerate(deleted):
        x_MG[row, [column[gene] for gene in members]] = 1
    bit = {gene: 1 << index for index, gene in enumerate(cell.genes)}
    contained_TG = np.array(
        [[bool(bits & bit.get(gene, 0)) for gene in genes] for bits in cell.contained.values()]
    )
    hits_MT = x_MG @ contained_TG.T
    part_of = {genes: index for index, genes in enumerate(dict.fromkeys(deleted))}
    held_out = np.random.default_rng(0).random(len(part_of)) < 0.2
    test = held_out[[part_of[genes] for genes in deleted]]

    def pearson(features: Any, alpha: float) -> float:
        model = Ridge(alpha=alpha, solver="cholesky").fit(features[~test], score[~test])
        return float(np.corrcoef(model.predict(features[test]), score[test])[0, 1])

    assert 0.25 < pearson(x_MG, 10) < 0.55
    assert pearson(np.hstack([hits_MT >= 1, hits_MT >= 2, x_MG]), 10) > 0.85


def test_no_noise_leaves_nothing_unexplained() -> None:
    assert json.loads(simulate(replace(SMALLEST, noise=0.0)).truth)["ceiling"]["r2"] == 1.0


def test_the_same_seed_gives_the_same_bytes(smallest: RawInputs) -> None:
    assert simulate(SMALLEST) == smallest
    other = simulate(replace(SMALLEST, seed=1))
    for name in ("ontology", "annotations", "genotypes", "truth"):
        assert getattr(other, name) != getattr(smallest, name)


def test_noise_changes_only_the_measurements(smallest: RawInputs) -> None:
    other = simulate(replace(SMALLEST, noise=0.05))
    assert other.ontology == smallest.ontology
    assert other.annotations == smallest.annotations
    assert other.genotypes != smallest.genotypes


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_bytes_do_not_depend_on_the_hash_seed(hash_seed: str, smallest: RawInputs) -> None:
    program = (
        f"from data_specs.parameters import *\nfrom pipeline.simulate.stage import *\n{DIGEST}"
    )
    result = subprocess.run(
        [sys.executable, "-c", f"{program}\nprint(digest(simulate({SMALLEST!r})))"],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    scope: dict[str, Any] = {}
    exec(DIGEST, scope)
    assert result.stdout.strip() == scope["digest"](smallest)


DIGEST = """
import hashlib
def digest(inputs):
    texts = (inputs.ontology, inputs.annotations, inputs.genotypes, inputs.truth)
    return hashlib.sha256("".join(texts).encode()).hexdigest()
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"terms": 29}, "simulate.terms is 29; expected at least 30 and at most 50000"),
        ({"seed": -1}, "simulate.seed is -1; expected at least 0"),
        ({"queries": 3}, "simulate.queries is 3; expected at least 4"),
        ({"arrays": 9, "triples": 50}, "simulate.arrays is 9; expected at least 10"),
        ({"genes": 49}, "simulate.genes is 49; expected at least 50"),
        ({"genes": 20_000}, "simulate.genes is 20000; expected at least 50 and at most 12799"),
        ({"triples": 201}, "simulate.triples is 201; expected at least 50 and at most 200"),
        ({"annotations": 239}, "simulate.annotations is 239; expected at least 240"),
        (
            {"annotations": 601},
            "simulate.annotations is 601; expected at least 240 and at most 600",
        ),
        ({"noise": -0.1}, "simulate.noise is -0.1; expected at least 0"),
        ({"noise": float("nan")}, "simulate.noise is nan; expected at least 0"),
    ],
)
def test_numbers_that_do_not_go_together(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}"):
        simulate(replace(SMALLEST, **change))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "corner",
    [
        Simulate(terms=30, genes=60, annotations=240, queries=4, arrays=13, triples=50),
        Simulate(terms=30, genes=60, annotations=600, queries=4, arrays=52, triples=208),
        Simulate(terms=31, genes=300, annotations=700, queries=100, arrays=100, triples=400),
        Simulate(terms=400, genes=60, annotations=8000, queries=10, arrays=40, triples=400),
    ],
)
def test_the_allowed_limits_work(corner: Simulate, seed: int) -> None:
    inputs = simulate(replace(corner, seed=seed))
    assert len(stanzas(inputs)) > corner.terms
    deleted = genes_of(table_of(inputs))
    assert sum(len(genes) == 3 for genes in set(deleted)) == corner.triples


def test_run_writes_the_files(tmp_path: Path, smallest: RawInputs) -> None:
    values = {key: getattr(SMALLEST, key) for key in Simulate.__slots__}
    layout = DataLayout(tmp_path / "data")
    for _ in range(2):  # a second run takes the place of the first
        run(resolve({"simulate": values}), layout)
        files = {path.name: path.read_text() for path in layout.simulated.iterdir()}
        assert files == {
            "ontology.obo": smallest.ontology,
            "annotations.gaf": smallest.annotations,
            "genotypes.tsv": smallest.genotypes,
            "truth.json": smallest.truth,
            **{f"{name}.tsv": text for name, text in smallest.networks.items()},
        }
    assert [path.name for path in layout.root.iterdir()] == ["simulated"]
