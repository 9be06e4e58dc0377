"""Annotation lines: every one is kept, or counted under the first reason that holds."""

import gzip
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.errors import InputError, ParameterError
from data_specs.parameters.sections import Annotations, resolve
from pipeline.annotations.requests import evidence_of_preset
from pipeline.annotations.stage import AnnotationTable, from_topology, read_annotations
from pipeline.ontology.stage import read_ontology
from tests.conftest import TINY

ONTOLOGY = read_ontology(TINY / "tiny.obo")
PATTERN: dict[str, Any] = {"gene_id_columns": (11,), "gene_id_pattern": "YAL[0-9]{3}[CW]"}


def read(path: Path | list[Path] = TINY / "tiny.gaf", **settings: Any) -> AnnotationTable:
    config = Annotations(**(PATTERN | settings))
    return read_annotations(path, ONTOLOGY.terms, ONTOLOGY.aliases, config)


def gaf(folder: Path, *changes: dict[int, str], columns: int = 17) -> Path:
    """A GAF with one good line for each dict of changed columns (1-based)."""
    lines = []
    for change in changes:
        cells = [
            "SGD", "S1", "ABC1", "involved_in", "GO:0000003", "PMID:1", "IMP", "", "P", "",
            "YAL001C", "gene", "taxon:559292", "20150101", "SGD", "", "",
        ][:columns]  # fmt: skip
        for column, value in change.items():
            cells[column - 1] = value
        lines.append("\t".join(cells))
    path = folder / "test.gaf"
    path.write_text("!gaf-version: 2.2\n" + "\n".join(lines) + "\n")
    return path


def test_tiny_file_is_accounted_for() -> None:
    table = read(taxon="559292", exclude_evidence=("IGI",), date_cutoff="2019-12-31")
    assert table.lines == 20
    assert table.dropped == {
        "negated": 1, "taxon": 1, "no_gene_id": 1, "evidence": 1, "date": 1,
        "unknown_term": 1, "obsolete": 1,
    }  # fmt: skip
    assert table.kept == 20 - 7
    assert table.remapped == {"alt_id": 1, "replaced_by": 1}
    assert ("GO:0000002", "YAL003W") in table.pairs.rows()  # from the alternative id
    assert ("GO:0000002", "YAL004W") in table.pairs.rows()  # from the obsolete term


def test_a_pair_needs_one_good_line() -> None:
    assert ("GO:0000004", "YAL007C") in read(exclude_evidence=("IGI",)).pairs.rows()
    assert ("GO:0000004", "YAL007C") not in read(exclude_evidence=("IGI", "IMP")).pairs.rows()
    only = read(include_evidence=("IEA",))
    assert only.pairs.rows() == [("GO:0000003", "YAL001C")]


def test_line_order_does_not_matter(tmp_path: Path) -> None:
    lines = (TINY / "tiny.gaf").read_text().splitlines()
    shuffled = tmp_path / "shuffled.gaf"
    shuffled.write_text("\n".join(lines[:2] + lines[:1:-1]) + "\n")
    assert read(shuffled).pairs.equals(read().pairs)


def test_windows_line_ends_and_gzip(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gaf.gz"
    text = (TINY / "tiny.gaf").read_text().replace("\n", "\r\n")
    path.write_bytes(gzip.compress(text.encode()))
    assert read(path).pairs.equals(read().pairs)


@pytest.mark.parametrize("columns", [15, 16, 17])
def test_15_to_17_columns(tmp_path: Path, columns: int) -> None:
    assert read(gaf(tmp_path, {}, columns=columns)).kept == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({4: "NOT|enables", 11: "none"}, "negated"),  # the first reason that holds counts
        ({4: "enables|NOT"}, "negated"),
        ({4: "NOTHING"}, None),
        ({4: "not|involved_in"}, "negated"),
        ({4: "NOT involved_in"}, "negated"),
        ({4: "involved_in, Not "}, "negated"),
        ({4: "part_of;NOT"}, "negated"),
        ({4: " NOT"}, "negated"),
        ({4: "NOT_involved_in"}, "negated"),
        ({4: "knot|notable"}, None),
        ({7: " IEA "}, "evidence"),
        ({7: "iea"}, "evidence"),
        ({13: " Taxon:559292"}, None),
        ({13: "NCBITaxon:4932"}, "taxon"),
        ({14: " 20200102 "}, "date"),
        ({5: " GO:0000003 ", 14: "20150101 "}, None),
        ({13: "taxon:4932|taxon:559292"}, "taxon"),
        ({13: "taxon:559292|taxon:4932"}, None),
        ({11: "xYAL001C|YAL001Cx"}, "no_gene_id"),
        ({11: "ABC1| YAL002W |YAL001C"}, None),
        ({14: "20200102"}, "date"),
        ({14: "20200101"}, None),  # the day itself is kept
        ({5: "GO:0000009", 14: "20200102"}, "date"),
        ({5: "GO:77"}, "unknown_term"),
        ({5: "GO:0000009"}, "obsolete"),
        ({7: "IEA", 14: "20300101"}, "evidence"),
    ],
)
def test_reasons(tmp_path: Path, change: dict[int, str], reason: str | None) -> None:
    table = read(
        gaf(tmp_path, change, {7: "IEA"}),
        taxon="taxon:559292",
        exclude_evidence=("IEA",),
        date_cutoff="2020-01-01",
    )
    assert table.dropped == Counter({"evidence": 1}) + Counter({reason: 1} if reason else {})
    assert table.kept == (0 if reason else 1)


def test_identifiers_are_taken_in_the_columns_order(tmp_path: Path) -> None:
    path = gaf(tmp_path, {3: "YAL009W", 11: "YAL001C"}, {11: ""})
    assert read(path, gene_id_columns=(3, 11)).pairs["gene"].to_list() == ["YAL009W"]
    first = read(path, gene_id_columns=(11, 3, 2), gene_id_pattern=None)
    assert first.pairs["gene"].to_list() == ["ABC1", "YAL001C"]


@pytest.mark.parametrize(
    ("change", "columns", "found"),
    [
        ({}, 12, "found 12 tab-separated columns; expected 15 to 17"),
        ({14: "2017-3-1"}, 17, "column 14 \\(date\\) is '2017-3-1'; expected YYYYMMDD"),
        ({5: ""}, 17, "column 5 \\(GO id\\) is empty"),
    ],
)
def test_malformed_lines(tmp_path: Path, change: dict[int, str], columns: int, found: str) -> None:
    path = gaf(tmp_path, {}, change, columns=columns)
    bad_line = 2 if columns == 12 else 3
    with pytest.raises(InputError, match=f"test.gaf:{bad_line}: {found}") as error:
        read(path)
    # Where no line is GAF, counting them all would leave nothing.
    assert ("on_bad_line=skip" in str(error.value)) == (columns == 17)
    assert read(path, on_bad_line="skip").dropped["malformed"] == (2 if columns == 12 else 1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"exclude_evidence": ("igi",)}, "exclude_evidence: 'igi' is in no line of .*mean 'IGI'"),
        ({"exclude_evidence": ("IGI", "IGII")}, "'IGII' is in no line .* There are IMP, IEA, IGI"),
        ({"include_evidence": ("IDA",)}, "include_evidence: 'IDA' is in no line"),
        ({"taxon": "4932"}, "annotations.taxon: '4932' is in no line .* There are 559292, 9606"),
    ],
)
def test_what_no_line_has_is_not_asked_for(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        read(**settings)


def test_a_preset_may_ask_for_evidence_that_no_line_has(tmp_path: Path) -> None:
    config = Annotations(**PATTERN, exclude_evidence=("IGI", "IEA"))
    path = gaf(tmp_path, {})
    with pytest.raises(ParameterError, match="'IEA' is in no line"):  # the user's own
        read_annotations(path, ONTOLOGY.terms, ONTOLOGY.aliases, config, ["IGI"])
    config = Annotations(**PATTERN, exclude_evidence=("IGI",))
    table = read_annotations(path, ONTOLOGY.terms, ONTOLOGY.aliases, config, ["IGI"])
    assert (table.kept, table.absent_codes) == (1, ("IGI",))
    assert evidence_of_preset(resolve({"preset": "torchcell"})) == {"IGI"}


def _with_blanks(line: str) -> str:
    return "\t".join(f" {cell}  " for cell in line.split("\t"))


UNCHANGED: dict[str, Callable[[str], str]] = {
    "blanks": _with_blanks,
    "a comment before": lambda line: f"  ! {line}\n{line}",
    "a blank line": lambda line: f"{line}\n \t",
    "small evidence": lambda line: re.sub(r"\tI(EA|MP|GI)\t", lambda m: m[0].lower(), line),
    "a small NOT": lambda line: line.replace("NOT|", "not|"),
    "a comma": lambda line: line.replace("NOT|", "NOT,"),
    "a blank in place of a bar": lambda line: line.replace("NOT|involved_in", "involved_in NOT"),
    "a small taxon": lambda line: line.replace("taxon:", "TAXON:"),
    "two columns less": lambda line: "\t".join(line.split("\t")[:15]),
}


@given(
    edits=st.dictionaries(st.integers(2, 21), st.sampled_from(list(UNCHANGED)), max_size=8),
    end=st.sampled_from(["\n", "\r", "\r\n"]),
)
def test_what_means_the_same_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, edits: dict[int, str], end: str
) -> None:
    lines = (TINY / "tiny.gaf").read_text().splitlines()
    for number, edit in edits.items():
        lines[number] = UNCHANGED[edit](lines[number])
    path = tmp_path_factory.mktemp("gaf") / "edited.gaf"
    path.write_bytes("\n".join([*lines, ""]).replace("\n", end).encode())
    settings: dict[str, Any] = {"taxon": "559292", "exclude_evidence": ("IGI",)}
    edited, plain = read(path, **settings), read(**settings)
    assert edited.pairs.equals(plain.pairs)
    assert edited.names.equals(plain.names)
    assert (edited.lines, edited.dropped) == (plain.lines, plain.dropped)


@given(
    number=st.integers(2, 21),
    column=st.integers(0, 16),
    edit=st.sampled_from(["delete the tab", "one more tab", "empty it", "letters", "go on below"]),
)
def test_a_damaged_line_is_counted_or_refused(
    tmp_path_factory: pytest.TempPathFactory, number: int, column: int, edit: str
) -> None:
    lines = (TINY / "tiny.gaf").read_text().splitlines()
    cells = lines[number].split("\t")
    cell = cells[column]
    cells[column] = {"one more tab": f"{cell}\t", "empty it": "", "letters": f"{cell}x",
                     "go on below": f"{cell}\n", "delete the tab": cell}[edit]  # fmt: skip
    if edit == "delete the tab" and column < 16:
        cells[column : column + 2] = [cell + cells[column + 1]]
    lines[number] = "\t".join(cells)
    path = tmp_path_factory.mktemp("gaf") / "edited.gaf"
    path.write_text("\n".join([*lines, ""]))
    said = None
    try:
        table = read(path)
    except InputError as error:
        said = str(error)
    if said is not None:
        line = "[0-9]+" if edit == "go on below" else str(number + 1)
        assert re.search(rf"edited\.gaf:{line}:", said)
    else:
        assert table.kept + sum(table.dropped.values()) == table.lines
        assert table.lines == 20  # what is cut in two leaves 15 columns and a blank line


def test_names_of_genes(tmp_path: Path) -> None:
    path = gaf(
        tmp_path,
        {3: "TFC3", 11: "YAL001C|TSV115|FUN24"},
        {3: "TFC3", 11: "YAL001C|TFC3"},  # a symbol is not a synonym as well
        {3: "OLD1", 11: "YAL002W|TSV115", 5: "GO:0000009"},  # dropped, yet named
        {3: "NOT1", 11: "YAL003W", 4: "NOT"},
        {3: "FLY1", 11: "YAL004W", 13: "taxon:7227"},
    )
    names = read(path, taxon="559292").names.rows()
    assert names == [
        ("FUN24", "YAL001C", "synonym"),
        ("OLD1", "YAL002W", "symbol"),
        ("TFC3", "YAL001C", "symbol"),
        ("TSV115", "YAL001C", "synonym"),
        ("TSV115", "YAL002W", "synonym"),
        ("YAL001C", "YAL001C", "systematic"),
        ("YAL002W", "YAL002W", "systematic"),
    ]


def test_pattern_that_is_no_expression() -> None:
    with pytest.raises(ParameterError, match="gene_id_pattern"):
        read(gene_id_pattern="Y(")


def test_obo_without_annotations() -> None:
    with pytest.raises(InputError, match="give a GAF file"):
        from_topology(TINY / "tiny.obo")


def write(path: Path, *lines: str) -> Path:
    path.write_text("!gaf-version: 2.2\n" + "".join(f"{line}\n" for line in lines))
    return path


def test_files_are_united_and_identical_rows_count_once(tmp_path: Path) -> None:
    lines = (TINY / "tiny.gaf").read_text().splitlines()[2:]
    first = write(tmp_path / "first.gaf", *lines[:12])
    # Four rows of the first again, one of them with blanks, and one with another date.
    other = lines[0].replace("20150101", "20150102")
    second = write(
        tmp_path / "second.gaf", *lines[8:11], _with_blanks(lines[11]), *lines[12:], other
    )
    settings: dict[str, Any] = {"taxon": "559292", "exclude_evidence": ("IGI",)}
    both, whole = read([first, second], **settings), read(**settings)
    assert both.pairs.equals(whole.pairs)
    assert both.names.equals(whole.names)
    assert both.lines == 12 + 13
    assert both.dropped == {"repeated": 4, **whole.dropped}
    assert both.kept == whole.kept + 1  # the other date is another row
    own = read(first, **settings)
    account, later = both.files
    assert (account.lines, account.kept, account.dropped) == (12, own.kept, own.dropped)
    assert (later.lines, later.dropped["repeated"]) == (13, 4)
    assert account.kept + later.kept == both.kept
    # Of the pairs of the second file, those of its repeated rows and that of `other` are in both.
    alone = read(second, **settings)
    shared = set(own.pairs.rows()) & set(alone.pairs.rows())
    assert (account.pairs, later.pairs) == (own.pairs.height, alone.pairs.height)
    assert account.pairs_here_only == own.pairs.height - len(shared)
    assert later.pairs_here_only == alone.pairs.height - len(shared)


def test_a_file_twice_changes_nothing(tmp_path: Path) -> None:
    copy = tmp_path / "copy.gaf"
    copy.write_bytes((TINY / "tiny.gaf").read_bytes())
    twice, once = read([TINY / "tiny.gaf", copy]), read()
    assert twice.pairs.equals(once.pairs)
    assert twice.names.equals(once.names)
    assert (twice.kept, twice.dropped["repeated"]) == (once.kept, 20)


@given(cut=st.integers(1, 19), order=st.booleans())
def test_a_file_in_two_parts_is_the_file(
    tmp_path_factory: pytest.TempPathFactory, cut: int, order: bool
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    lines = (TINY / "tiny.gaf").read_text().splitlines()[2:]
    parts = [write(folder / "a.gaf", *lines[:cut]), write(folder / "b.gaf", *lines[cut:])]
    both = read(parts if order else parts[::-1])
    assert both.pairs.equals(read().pairs)
    assert (both.kept, both.dropped) == (read().kept, read().dropped)


def test_repeats_within_one_file_are_lines_of_their_own(tmp_path: Path) -> None:
    path = gaf(tmp_path, {}, {})
    assert (read(path).kept, read(path).dropped) == (2, {})


def test_a_malformed_line_is_said_of_its_file(tmp_path: Path) -> None:
    good = (TINY / "tiny.gaf").read_text().splitlines()[2:]
    second = write(tmp_path / "second.gaf", good[0], good[1].replace("20150101", "2015"))
    with pytest.raises(InputError, match=r"second.gaf:3: column 14 \(date\) is '2015'"):
        read([TINY / "tiny.gaf", second])
    table = read([TINY / "tiny.gaf", second], on_bad_line="skip")
    assert table.dropped["malformed"] == 1
    assert table.files[1].dropped == {"malformed": 1, "repeated": 1}


def test_a_code_that_only_one_file_has_may_be_asked_for(tmp_path: Path) -> None:
    other = gaf(tmp_path, {7: "HDA"})
    assert read([TINY / "tiny.gaf", other], include_evidence=("HDA",)).kept == 1
    with pytest.raises(ParameterError, match=r"'HDB' is in no line of .*tiny.gaf and .*test.gaf"):
        read([TINY / "tiny.gaf", other], include_evidence=("HDB",))
