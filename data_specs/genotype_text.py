"""How names are separated in the text of a genotype: one rule for tables, files and commands.

The first of `|`, `;`, `,` and `+` that occurs separates the names; where there is none, white space
does. A known name that holds such a character itself (`spI IFN`, `DUR1,2`) is kept whole.
"""

import re
from collections.abc import Iterable

from data_specs.errors import InputError

SEPARATORS = "|;,+"
SEPARATED = re.compile(r"[|;,+\s]")
_WORDS = 40  # no name has more parts


def whole_names(names: Iterable[str]) -> frozenset[str]:
    """Those of the known names that a split would tear apart, case folded.

    `|` always separates: no name has it.
    """
    return frozenset(n.casefold() for n in names if SEPARATED.search(n) and "|" not in n)


def names_in(text: str, whole: frozenset[str] = frozenset()) -> list[str]:
    """The parts of a text, as they stand; one that is empty or holds a separator is no name.

    Args:
        text: of one genotype.
        whole: as `whole_names` gives them.
    """
    text = text.strip()
    kept = _spans(text, whole) if whole else []
    covered = {position for first, last in kept for position in range(first, last)}
    outside = [(position, sign) for position, sign in enumerate(text) if position not in covered]
    signs = {sign for _, sign in outside}
    separator = next((sign for sign in SEPARATORS if sign in signs), None)
    parts, begin = [], 0
    for position, sign in outside:
        if sign == separator or (separator is None and sign.isspace()):
            parts.append(text[begin:position].strip())
            begin = position + 1
    parts.append(text[begin:].strip())
    return parts if separator else [part for part in parts if part]


def _spans(text: str, whole: frozenset[str]) -> list[tuple[int, int]]:
    """Where known names that hold a separator stand in a text, the longest first found."""
    ends = [*(match.start() for match in SEPARATED.finditer(text)), len(text)]
    starts = [0, *(end + 1 for end in ends[:-1])]
    spans, position = [], 0
    while position < len(starts):
        for end in range(min(position + _WORDS, len(ends)) - 1, position, -1):
            if text[starts[position] : ends[end]].casefold() in whole:
                spans.append((starts[position], ends[end]))
                position = end
                break
        position += 1
    return spans


def is_name(part: str, whole: frozenset[str] = frozenset()) -> bool:
    """Whether a part of a text is one name."""
    return bool(part) and (not SEPARATED.search(part) or part.casefold() in whole)


def split_names(text: str, whole: frozenset[str] = frozenset()) -> list[str]:
    """The names in a genotype's text, each once, in order; empty parts are omitted.

    Raises:
        InputError: two kinds of separators.
    """
    parts = [part for part in names_in(text, whole) if part]
    for part in parts:
        if not is_name(part, whole):
            raise InputError(
                f"'{text.strip()}': '{part}' is no name of a gene; expected names separated by one "
                f"and the same of {' '.join(SEPARATORS)} or blanks, as in 'YAL001C|YBR002C'"
            )
    return list(dict.fromkeys(parts))
