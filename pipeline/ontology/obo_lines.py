"""An OBO file line by line: every line is a header, a tag with its value, a comment, or blank.

What is none of these is an error with file and line, so that no line is passed over. The format is
OBO 1.2 and 1.4; a blank line inside a stanza, an indented line, and a tab or nothing after a tag's
colon change nothing.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from data_specs.errors import InputError

STANZAS = ("Term", "Typedef", "Instance", "Annotation", "Formula")
# Tags from which a hierarchy is made: a near miss of one of these is an error.
READ = (
    "id", "name", "namespace", "alt_id", "is_a", "relationship", "is_obsolete", "replaced_by",
)  # fmt: skip
# The other tags of a term, of OBO 1.0 to 1.4.
_KNOWN = frozenset(READ) | {
    "is_anonymous", "def", "comment", "subset", "synonym", "exact_synonym", "narrow_synonym",
    "broad_synonym", "related_synonym", "xref", "xref_analog", "xref_unk", "xref_unknown",
    "builtin", "property_value", "intersection_of", "union_of", "equivalent_to", "disjoint_from",
    "consider", "use_term", "created_by", "creation_date", "modified_by", "modification_date",
    "expand_assertion_to",
}  # fmt: skip
# Characters that end a line in Unicode and in editors, but not in OBO files.
_BREAK = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNREAD = _KNOWN - {*READ}
_HEADER = re.compile(r"\[\s*(\w+)\s*\]\s*(?:!.*)?", re.DOTALL)
_NEAREST = {re.sub(r"[^a-z]", "", tag): tag for tag in READ}


class Clause(NamedTuple):
    """A tag and its value as written, and the line that it begins in."""

    line: int
    tag: str
    value: str


@dataclass(slots=True)
class Stanza:
    """`[Term]` or another; that of kind "" is the head of the file.

    `clauses` are those of tags that are read, and of tags that OBO does not have.
    """

    line: int
    kind: str
    clauses: list[Clause] = field(default_factory=list)


def read_stanzas(text: str, path: Path) -> list[Stanza]:
    """Cut a text into its head and its stanzas.

    Raises:
        InputError: a line that is no header, tag, comment or blank, or a stanza that OBO does not
            have. The head is not judged where no stanza follows: the text is then no OBO.
    """
    stanza = Stanza(1, "")
    stanzas = [stanza]
    strange: tuple[int, str] | None = None
    for line_number, line in _joined(text, path):
        if line[0] == "[":
            stanza = Stanza(line_number, _kind(line, f"{path}:{line_number}"))
            stanzas.append(stanza)
            continue
        tag, colon, value = line.partition(":")
        tag = tag.rstrip()
        if colon and tag in _UNREAD:
            continue
        if colon and (tag in _KNOWN or _is_tag(tag, value, stanza.kind)):
            stanza.clauses.append(Clause(line_number, tag, value.lstrip()))
        elif len(stanzas) == 1:
            strange = strange or (line_number, line)
        else:
            raise InputError(f"{path}:{line_number}: {_no_tag(line)}")
    if strange and len(stanzas) > 1:
        raise InputError(f"{path}:{strange[0]}: {_no_tag(strange[1])}")
    return stanzas


def _is_tag(tag: str, value: str, kind: str) -> bool:
    """Whether a word that is no tag of OBO's terms may still be a tag.

    A term's needs a blank after its colon: else it is rather an id or an address, the rest of a
    line that was cut in two.
    """
    if not tag or len(tag.split()) > 1:
        return False
    return kind != "Term" or not value or value[0].isspace() or near_miss(tag) is not None


def _joined(text: str, path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of the lines that are neither blank nor comments, without blanks around.

    A line that ends in a backslash goes on in the next one.
    """
    begun, begin = "", 0
    for line_number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        _refuse_breaks(line, f"{path}:{line_number}")
        if begun:
            tag = line.partition(":")[0].rstrip()
            if _HEADER.fullmatch(line) or tag in _KNOWN:
                raise InputError(
                    f"{path}:{line_number - 1}: ends with a backslash, so that the next line "
                    f"('{line[:40]}') would belong to it. Remove the backslash."
                )
            line, line_number = begun + line, begin
            begun = ""
        elif not line or line.startswith("!"):
            continue
        if line.endswith("\\") and (len(line) - len(line.rstrip("\\"))) % 2:
            begun, begin = line[:-1], line_number
            continue
        yield line_number, line
    if begun:
        yield begin, begun


def _refuse_breaks(line: str, where: str) -> None:
    """Refuse a line in which another one begins behind a character that ends no line here."""
    for found in _BREAK.finditer(line):
        rest = line[found.end() :].lstrip()
        tag = rest.partition(":")[0].rstrip()
        if rest.startswith("[") or tag in _KNOWN or near_miss(tag):
            raise InputError(
                f"{where}: the character U+{ord(found[0]):04X} stands before '{rest[:40]}'; "
                "expected a line feed. Replace it by one."
            )


def _kind(line: str, where: str) -> str:
    found = _HEADER.fullmatch(line)
    kinds = {kind.lower(): kind for kind in STANZAS}
    if found is None or found[1].lower() not in kinds:
        raise InputError(
            f"{where}: '{line[:60]}' is no header of a stanza; expected [Term], [Typedef] or "
            "[Instance]"
        )
    return kinds[found[1].lower()]


def _no_tag(line: str) -> str:
    first = line.split()[0].partition(":")[0]
    meant = first if first in READ else near_miss(first)
    todo = f"Did you mean '{meant}: …'?" if meant else "Correct or remove it."
    return (
        f"'{line[:60]}' is no tag with a value ('is_a: GO:0000001'), header ('[Term]'), comment "
        f"('! …') or blank line. {todo}"
    )


def near_miss(tag: str) -> str | None:
    """The tag that a hierarchy is made of and that this one was probably meant to be."""
    if tag in _KNOWN:
        return None
    plain = re.sub(r"[^a-z]", "", tag.lower())
    if plain in _NEAREST:
        return _NEAREST[plain]
    long = [name for name in _NEAREST if name != "id"]  # so short that much is near it
    near = difflib.get_close_matches(plain, long, n=1, cutoff=0.75)
    return _NEAREST[near[0]] if near else None
