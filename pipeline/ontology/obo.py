"""The terms of an OBO file as records, with the line of everything that may be wrong.

A value ends where its trailing modifiers `{…}` or its comment `! …` begin. A relationship that
holds under a condition only (modifiers `gci_filler`, `gci_relation`) is marked as such.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from data_specs.errors import InputError
from pipeline.ontology.obo_lines import READ, Clause, Stanza, near_miss, read_stanzas


class Parent(NamedTuple):
    """An edge as written: relation, id of the parent, whether it is conditional, and its line."""

    relation: str
    term: str
    conditional: bool = False
    line: int = 1


@dataclass(frozen=True, slots=True)
class Record:
    """The content of one stanza; `alt_ids` come with their lines."""

    term: str
    name: str
    namespace: str
    obsolete: bool = False
    alt_ids: Mapping[str, int] = field(default_factory=dict)
    replaced_by: tuple[str, ...] = ()
    parents: tuple[Parent, ...] = ()


@dataclass(frozen=True, slots=True)
class OboFile:
    """The terms by id, in the file's order; its version; how often tags occur that OBO lacks."""

    records: dict[str, Record]
    version: str | None = None
    unknown_tags: dict[str, int] = field(default_factory=dict)


# One word of a value: escaped characters belong to it, and a modifier or comment ends it.
_WORD = re.compile(r"(?:\\.|[^\s{!\\])+")
_QUOTED = r'"(?:\\.|[^"\\])*"'
_REST = re.compile(rf'\s*(\{{(?:{_QUOTED}|[^"}}])*\}})?\s*(?:!.*)?', re.DOTALL)
_CONDITION = re.compile(r"(?:^|[\s,{])gci_(?:filler|relation)\s*=")
# Modifiers at the end of a free text; other braces belong to it.
_VALUE = rf'(?:{_QUOTED}|[^\s",{{}}]*)'
_MODIFIERS = re.compile(
    rf"\s\{{\s*[\w.:-]+\s*=\s*{_VALUE}(?:\s*,\s*[\w.:-]+\s*=\s*{_VALUE})*\s*\}}\s*(?:!.*)?$",
    re.DOTALL,
)
_COMMENT = re.compile(r"(?:^|\s)!.*", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def read_obo(text: str, path: Path) -> OboFile:
    """Read the terms of an OBO file.

    Raises:
        InputError: no term; a line that OBO does not have; a stanza without an id or with two, an
            id of two stanzas, or a value of a tag that is none; names file and line.
    """
    head, *stanzas = read_stanzas(text, path)
    namespace = _text_of(head, "default-namespace") or "default"
    records: dict[str, Record] = {}
    unknown: Counter[str] = Counter()
    for stanza in stanzas:
        if stanza.kind != "Term":
            continue
        record, line = _record(stanza, namespace, path)
        if record.term in records:
            raise InputError(
                f"{path}:{line}: '{record.term}' is defined twice; expected one stanza for each "
                "term id."
            )
        records[record.term] = record
        for clause in stanza.clauses:
            if clause.tag not in READ:
                unknown[clause.tag] += 1
    if not records:
        raise InputError(
            f"{path}: no terms. Expected OBO with [Term] stanzas, OBO graphs JSON, relations of "
            "Reactome, a DCell topology (ROOT:/GENES:/TERMS:), a DrugCell ontology (three "
            "tab-separated columns), a GenNet topology.csv, CX2, GraphML or GMT."
        )
    return OboFile(records, _text_of(head, "data-version"), dict(sorted(unknown.items())))


def _text_of(head: Stanza, tag: str) -> str | None:
    return next((_text(c.value) for c in head.clauses if c.tag == tag), None)


def _record(stanza: Stanza, namespace: str, path: Path) -> tuple[Record, int]:
    """A term, and the line of its id."""
    once: dict[str, tuple[int, str]] = {}
    alt_ids: dict[str, int] = {}
    replaced_by: list[str] = []
    parents: list[Parent] = []
    for clause in stanza.clauses:
        tag = clause.tag
        if tag in ("name", "namespace", "id", "is_obsolete"):
            free = tag in ("name", "namespace")
            value = _text(clause.value) if free else _words(clause, 1, path)[0][0]
            if tag in once and (tag in ("id", "name") or value != once[tag][1]):
                raise InputError(
                    f"{path}:{clause.line}: a second {tag} in one [Term] stanza: '{value}' after "
                    f"'{once[tag][1]}' in line {once[tag][0]}; expected one. Is a line '[Term]' "
                    "missing between them?"
                )
            once[tag] = clause.line, value
        elif tag == "alt_id":
            alt_ids.setdefault(_words(clause, 1, path)[0][0], clause.line)
        elif tag == "replaced_by":
            replaced_by += _words(clause, 1, path)[0]
        elif tag == "is_a":
            (parent,), conditional = _words(clause, 1, path)
            parents.append(Parent("is_a", parent, conditional, clause.line))
        elif tag == "relationship":
            (relation, parent), conditional = _words(clause, 2, path)
            parents.append(Parent(relation, parent, conditional, clause.line))
        elif meant := near_miss(tag):
            raise InputError(
                f"{path}:{clause.line}: unknown tag '{tag}:'; did you mean '{meant}:'?"
            )
    if "id" not in once:
        raise InputError(
            f"{path}:{stanza.line}: a [Term] stanza has no id; expected one stanza for each term "
            "id."
        )
    line, obsolete = once.get("is_obsolete", (1, "false"))
    if obsolete.lower() not in ("true", "false"):
        raise InputError(f"{path}:{line}: is_obsolete is '{obsolete}'; expected true or false")
    record = Record(
        term=once["id"][1],
        name=once.get("name", (1, ""))[1],
        namespace=once.get("namespace", (1, namespace))[1],
        obsolete=obsolete.lower() == "true",
        alt_ids=alt_ids,
        replaced_by=tuple(replaced_by),
        parents=tuple(parents),
    )
    return record, once["id"][0]


def _words(clause: Clause, count: int, path: Path) -> tuple[list[str], bool]:
    """The words of a value, and whether modifiers make it conditional.

    Raises:
        InputError: there are fewer or more of them.
    """
    words: list[str] = []
    position = 0
    while len(words) < count and (found := _WORD.match(clause.value, position)):
        words.append(_unescaped(found[0]))
        position = found.end()
        while clause.value[position : position + 1].isspace():
            position += 1
    rest = _REST.fullmatch(clause.value, position)
    if len(words) < count or rest is None:
        expected = "a relation and an id" if count == 2 else "one word"
        raise InputError(
            f"{path}:{clause.line}: {clause.tag} is '{clause.value[:80]}'; expected {expected}, "
            "and behind it nothing but modifiers {…} and a comment ! …"
        )
    return words, bool(rest[1] and _CONDITION.search(re.sub(_QUOTED, "", rest[1])))


def _text(value: str) -> str:
    """A free text without its modifiers and comment."""
    if "{" in value:  # the modifiers first: a quoted one may hold an exclamation mark
        value = _MODIFIERS.sub("", value)
    if "!" in value:
        value = _COMMENT.sub("", value)
    return _unescaped(value.strip())


def _unescaped(value: str) -> str:
    r"""The meaning of an escape: `\n`, `\t` and `\W` are white space, here a blank."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda found: " " if found[1] in "ntW" else found[1], value)
