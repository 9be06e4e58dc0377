"""What the ledger says in words: every count that is not 0, under the reason that a user reads."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs import ledger_words
from data_specs.layout import DataLayout, read_json

NAMES = st.sampled_from(["negated", "no_gene_id", "bad_row"])
REASONS = st.dictionaries(NAMES, st.integers(0, 10**7))


@given(REASONS)
def test_every_drop_is_said_with_its_reason(reasons: dict[str, int]) -> None:
    said = ledger_words.dropped(reasons)
    found = re.findall(r"([\d,]+) (negated|no gene id|bad row)", said)
    counts = {name: count for name, count in reasons.items() if count}
    assert [(ledger_words.words(name), f"{n:,}") for name, n in counts.items()] == [
        (name, number) for number, name in found
    ]
    assert (said == "dropped: none") == (not counts)


@pytest.mark.parametrize(
    ("lines_of", "part", "expected"),
    [
        (ledger_words.of_annotations, {"lines": 0, "kept": 0, "dropped": {}},
         ["0 lines, 0 kept", "dropped: none"]),
        (ledger_words.of_annotations,
         {"lines": 3, "kept": 2, "dropped": {"repeated": 1}, "annotation_files": [
             {"path": "a", "format": "GPAD 2", "lines": 3, "kept": 2, "pairs": 2,
              "pairs_here_only": 1, "unmapped_evidence": {"ECO:1": 2}, "genes_without_info": 4}]},
         ["3 lines, 2 kept", "dropped: 1 repeated",
          "a (GPAD 2): 3 lines, 2 kept, 2 pairs, 1 of them in no other file",
          "evidence without a code of GO: 2 ECO:1", "genes that no GPI file has: 4"]),
        (ledger_words.of_ontology, {}, []),
        (ledger_words.of_ontology, {"dropped_edges": {"conditional": 0}, "unknown_tags": {}}, []),
        (ledger_words.of_ontology, {"dropped_edges": {"obsolete_parent": 2},
                                    "unknown_tags": {"is_A": 1}},
         ["edges dropped: 2 obsolete parent",
          "lines by tags that OBO does not have: 1 is_A"]),
        (ledger_words.of_genotypes,
         {"rows": 1500, "genotypes": 1200, "merged": 290, "dropped": {"bad_row": 10},
          "orders": {"1": 200, "2": 999, "4": 1}},
         ["1,500 rows, 1,200 genotypes (200 single, 999 double, 1 4-fold)",
          "dropped: 10 bad row; 290 rows merged"]),
        (ledger_words.of_genotypes,
         {"rows": 9, "genotypes": 8, "merged": 1, "dropped": {}, "orders": {"2": 8},
          "files": [{"cell_lines": {
              "rows": 14, "dropped": {"other_drug": 5}, "cell_lines": 8, "drugs": {"A": 9},
              "channels": ["del", "mut"], "apart": False}}, {}],
          "states": {"0": 12, "0.5": 4}},
         ["14 responses, 8 cell lines; taken: A (9); dropped: 5 other drug; channels: del, mut "
          "together", "9 rows, 8 genotypes (8 double)", "dropped: none; 1 rows merged",
          "states of the genes of genotypes: 12 in 0, 4 in 0.5"]),
        (ledger_words.of_store, {"samples": 9, "bytes_per_sample": 1.5, "dropped": {}},
         ["9 samples, 1.5 bytes each"]),
        (ledger_words.of_store,
         {"samples": 9, "bytes_per_sample": 1.5, "dropped": {"unannotated": 4}},
         ["9 samples, 1.5 bytes each", "dropped: 4 unannotated"]),
        (ledger_words.of_network, {"edges": 2, "genes": 3, "dropped": {"self": 0, "weight": 1}},
         ["2 edges between 3 genes", "dropped: 1 weight"]),
    ],
)  # fmt: skip
def test_lines_of_a_step(
    lines_of: Callable[[Any], list[str]], part: dict[str, Any], expected: list[str]
) -> None:
    assert lines_of(part) == expected


def test_lines_of_names() -> None:
    store, genotypes = {"unannotated_genes": 2}, {"genes": 1400}
    assert ledger_words.of_names(genotypes, store) == ["2 of 1,400 genes without annotation"]
    genotypes["names"] = {"as_written": 1399, "renamed": 0}  # type: ignore[assignment]
    assert ledger_words.of_names(genotypes, store)[1:] == ["1,399 as written, 0 renamed"]


def test_lines_of_a_build(simulated_build: Path) -> None:
    ledger = read_json(DataLayout(simulated_build).ledger)
    said = [
        *ledger_words.of_annotations(ledger), *ledger_words.of_genotypes(ledger["genotypes"]),
        *ledger_words.of_store(ledger["store"]),
        *ledger_words.of_names(ledger["genotypes"], ledger["store"]),
    ]  # fmt: skip
    for reason, count in (ledger["dropped"] | ledger["genotypes"]["dropped"]).items():
        assert not count or any(f"{count:,} {ledger_words.words(reason)}" in line for line in said)
