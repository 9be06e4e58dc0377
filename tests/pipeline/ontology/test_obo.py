"""Every line of an OBO file is read as the format means it, or refused with its number."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_specs.errors import InputError
from pipeline.ontology.obo import OboFile, read_obo
from pipeline.ontology.obo_lines import READ, near_miss
from pipeline.ontology.stage import read_ontology
from tests.conftest import TINY

PATH = Path("onto.obo")
LINES = (TINY / "tiny.obo").read_text().splitlines()
PLAIN = read_obo("\n".join(LINES), PATH)
INSIDE = [n for n, line in enumerate(LINES) if line and n > 4 and line[0] != "["]


def meaning(obo: OboFile) -> object:
    """All that is read, without the numbers of lines."""
    return obo.version, {
        term: (
            record.name, record.namespace, record.obsolete, sorted(record.alt_ids),
            record.replaced_by, [edge[:3] for edge in record.parents],
        )
        for term, record in obo.records.items()
    }  # fmt: skip


def one_term(*lines: str) -> OboFile:
    return read_obo("\n".join(["[Term]", "id: GO:1", *lines]), PATH)


UNCHANGED: dict[str, Callable[[str], str]] = {
    "a blank line before": lambda line: f"\n{line}",
    "a comment before": lambda line: f"  ! is_a: GO:77\n{line}",
    "nothing after the colon": lambda line: line.replace(": ", ":", 1),
    "a tab after the colon": lambda line: line.replace(": ", ":\t", 1),
    "a blank before the colon": lambda line: line.replace(": ", " : ", 1),
    "indentation": lambda line: f"\t  {line}",
    "blanks behind": lambda line: f"{line} \t",
    "a comment behind": lambda line: f"{line} ! x {{y}}",
    "modifiers behind": lambda line: re.sub(
        r"( !.*)?$", r' {source="PMID:1 ! \\"x\\"", is_inferred="true"}\1', line, count=1
    ),
    "cut by a backslash": lambda line: line.replace(": ", ": \\\n", 1),
    "an unread tag before": lambda line: f'def: "is_a: GO:77" [x:y]\n{line}',
    "an unknown tag before": lambda line: f"my_tag: GO:77\n{line}",
}


@given(
    edits=st.dictionaries(
        st.sampled_from(INSIDE),
        st.lists(st.sampled_from(list(UNCHANGED)), max_size=2, unique=True),
        max_size=9,
    ),
    end=st.sampled_from(["\n", "\r", "\r\n"]),
    dense=st.booleans(),
)
@example({INSIDE[0]: ["an unknown tag before", "nothing after the colon"]}, "\n", False)
def test_what_means_the_same_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, edits: dict[int, list[str]], end: str, dense: bool
) -> None:
    lines = list(LINES)
    for number, own in edits.items():
        for edit in own:  # of the line itself, not of one that an edit put before it
            before, end_of_it, line = lines[number].rpartition("\n")
            lines[number] = before + end_of_it + UNCHANGED[edit](line)
    text = "\n".join(lines)
    text = re.sub(r"\n+", "\n", text) if dense else text
    if not any("cut by a backslash" in own and len(own) > 1 for own in edits.values()):
        assert meaning(read_obo(text, PATH)) == meaning(PLAIN)
        path = tmp_path_factory.mktemp("obo") / "edited.obo"
        path.write_bytes(text.replace("\n", end).encode())
        assert read_ontology(path).edges.equals(read_ontology(TINY / "tiny.obo").edges)


DAMAGE: dict[str, Callable[[str, int], str]] = {
    "drop a letter of the tag": lambda line, at: drop(line, at % line.index(":")),
    "double a letter of the tag": lambda line, at: line[: at % 2 + 1] + line[at % 2 :],
    "large letters": lambda line, _: line.upper(),
    "a large first letter": lambda line, _: line[0].upper() + line[1:],
    "a hyphen": lambda line, _: line.replace("_", "-", 1),
    "no colon": lambda line, _: line.replace(":", "", 1),
    "no value": lambda line, _: line[: line.index(":") + 1],
    "a blank in the tag": lambda line, _: f"{line[0]} {line[1:]}",
    "a word more": lambda line, _: line.partition(" !")[0] + " x",
    "cut in two": lambda line, _: line.replace(": ", ":\n", 1),
    "open modifiers": lambda line, _: line.partition(" !")[0] + ' {source="x',
}


def drop(line: str, at: int) -> str:
    return line[:at] + line[at + 1 :]


@given(number=st.sampled_from(INSIDE), damage=st.sampled_from(list(DAMAGE)), at=st.integers(0, 20))
def test_no_damaged_line_vanishes(number: int, damage: str, at: int) -> None:
    lines = list(LINES)
    lines[number] = DAMAGE[damage](lines[number], at)
    said, found = "", PLAIN
    try:
        found = read_obo("\n".join(lines), PATH)
    except InputError as error:
        said = str(error)
    in_term = number < LINES.index("[Typedef]")
    if said:  # names the line, the one below, or the header of a stanza without an id
        header = max(n for n in range(number) if LINES[n].startswith("["))
        assert re.match(r"onto\.obo:(\d+):", said)
        assert int(said.split(":")[1]) in (number + 1, number + 2, header + 1)
    elif in_term and lines[number] != LINES[number]:
        assert meaning(found) != meaning(PLAIN) or found.unknown_tags != PLAIN.unknown_tags


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Is_a: GO:2", "unknown tag 'Is_a:'; did you mean 'is_a:'"),
        ("isa: GO:2", "did you mean 'is_a:'"),
        ("is-a:GO:2", "did you mean 'is_a:'"),
        ("is_aa: GO:2", "did you mean 'is_a:'"),
        ("relatonship: part_of GO:2", "did you mean 'relationship:'"),
        ("Alt_ID: GO:2", "did you mean 'alt_id:'"),
        ("replaced-by: GO:2", "did you mean 'replaced_by:'"),
        ("is_obsolet: true", "did you mean 'is_obsolete:'"),
        ("ID: GO:2", "did you mean 'id:'"),
        ("is_a GO:2 ! x", "no tag with a value.*Did you mean 'is_a: …'"),
        ("is a: GO:2", "no tag with a value"),
        ("and more of a definition", "no tag with a value"),
        ("https://purl.org/x", "no tag with a value"),
        ("GO:0000002", "no tag with a value"),
        ("is_a:", "is_a is ''; expected one word"),
        ("is_a: ! GO:2", "expected one word"),
        ("is_a: GO:2 process", "is_a is 'GO:2 process'; expected one word"),
        ('is_a: GO:2 {source="x', "expected one word"),
        ("relationship: part_of", "expected a relation and an id"),
        ("relationship: part_of ! GO:2", "expected a relation and an id"),
        ("relationship: part_of GO:2 GO:3", "expected a relation and an id"),
        ("is_obsolete: yes", "is_obsolete is 'yes'; expected true or false"),
        ("is_obsolete:", "expected one word"),
        ("is_obsolete: true\nis_obsolete: false", "a second is_obsolete"),
        ("name: a\nname: b", "a second name .*'b' after 'a' in line 3"),
        ("id: GO:2", "a second id in one .Term. stanza.*Is a line '.Term.' missing"),
        ("[Term", "no header of a stanza"),
        ("[Trem]", "no header of a stanza"),
        ("[Term] id: GO:2", "no header of a stanza"),
        ("name: a \\\nis_a: GO:2", "ends with a backslash"),
        ("[Term]\nname: b", "a .Term. stanza has no id"),
        ("name: a\vis_a: GO:2", r"U\+000B stands before 'is_a: GO:2'"),
        ("def: a\u2028[Term]", r"U\+2028 stands before"),
    ],
)
def test_what_is_refused(line: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"onto\.obo:[34]: .*{said}"):
        one_term(line)


def test_a_strange_line_above_the_first_stanza() -> None:
    with pytest.raises(InputError, match=r"onto\.obo:2: 'some text' is no tag"):
        read_obo("format-version: 1.2\nsome text\n\n[Term]\nid: GO:1\n", PATH)
    with pytest.raises(InputError, match="no terms"):
        read_obo("some text\n", PATH)


@pytest.mark.parametrize(
    "line",
    ["true", "true ! merged", 'true {source="x"}', 'true{source="!"} ! x', "\ttrue!x", "True"],
)
def test_obsolete_whatever_comes_behind(line: str) -> None:
    assert one_term(f"is_obsolete:{line}").records["GO:1"].obsolete


@pytest.mark.parametrize(
    ("modifiers", "conditional"),
    [
        ('{gci_filler="GO:3", gci_relation="part_of"} ! x', True),
        ('{source="x", gci_relation="part_of"}', True),
        ("{gci_filler=GO:3}", True),
        ('{is_inferred="true"}', False),
        ('{source="see gci_filler=x, or gci_relation = y"}', False),
        ('! {gci_filler="GO:3"}', False),
        ("", False),
    ],
)
def test_conditions(modifiers: str, conditional: bool) -> None:
    edges = one_term(f"is_a: GO:2 {modifiers}", f"relationship: part_of GO:2{modifiers}")
    assert [edge.conditional for edge in edges.records["GO:1"].parents] == [conditional] * 2


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("poly{(1,4)-alpha} glycogenin", "poly{(1,4)-alpha} glycogenin"),
        ("a {b}", "a {b}"),
        ('a {comment="b"}', "a"),
        ('a {comment="b ! c", x="d"} ! e', "a"),
        ("Wow! a", "Wow! a"),
        ("a ! b", "a"),
        (r"a \! b \{c\} \\ d\ne", r"a ! b {c} \ d e"),
        ("a: b", "a: b"),
    ],
)
def test_names(written: str, name: str) -> None:
    assert one_term(f"name: {written}").records["GO:1"].name == name


def test_escaped_ids_and_other_stanzas() -> None:
    obo = read_obo(
        "[ term ] ! x\nid: GO\\:1\n[Typedef]\nid: part_of\nis_a:x\nwhatever:x\n[Instance]\nid: i\n"
        "[Term]\nid: GO:2\nis_a: GO\\:1!one\n",
        PATH,
    )
    assert list(obo.records) == ["GO:1", "GO:2"]
    assert [edge.term for edge in obo.records["GO:2"].parents] == ["GO:1"]
    assert obo.records["GO:2"].namespace == "default"


def test_a_tag_that_obo_does_not_have_is_counted() -> None:
    assert one_term("seen: x", "my_tag: y", "seen: z").unknown_tags == {"my_tag": 1, "seen": 2}
    assert [near_miss(tag) for tag in (*READ, "is_anonymous", "def", "xref")] == [None] * 11
