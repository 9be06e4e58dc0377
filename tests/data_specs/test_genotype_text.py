"""One rule tells the names of a genotype apart."""

import pytest

from data_specs.errors import InputError
from data_specs.genotype_text import names_in, split_names, whole_names

WHOLE = whole_names(
    ["spI IFN", "DUR1,2", "ARG5,6", "RNA(+)", "YAL001C", "a long name of it", "a|b"]
)


@pytest.mark.parametrize(
    "text", ["A|B", "A,B", "A;B", "A+B", "A B", " A ,B\t", "A|B|A", "A, B,", "A \t B", "A + B"]
)
def test_separators(text: str) -> None:
    assert split_names(text) == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("spI IFN", ["spI IFN"]),
        ("SPi ifn|B", ["SPi ifn", "B"]),
        ("B spI IFN C", ["B", "spI IFN", "C"]),
        ("DUR1,2,B", ["DUR1,2", "B"]),
        ("B,DUR1,2,ARG5,6", ["B", "DUR1,2", "ARG5,6"]),
        ("RNA(+)+B", ["RNA(+)", "B"]),
        ("a long name of it;B", ["a long name of it", "B"]),
        ("xDUR1,2", ["xDUR1", "2"]),  # as a whole name only
        ("YDR363W-A;mt:ND1", ["YDR363W-A", "mt:ND1"]),
        ("", []),
    ],
)
def test_known_names_are_kept_whole(text: str, names: list[str]) -> None:
    assert split_names(text, WHOLE) == names


@pytest.mark.parametrize("text", ["A|B C", "A|B,C", "A;B,C", "A,B C", "A|spI IFN"])
def test_two_kinds_of_separators(text: str) -> None:
    with pytest.raises(InputError, match="is no name of a gene; expected names separated by one"):
        split_names(text)


def test_empty_parts_are_kept_as_they_stand() -> None:
    assert names_in("A||B|") == ["A", "", "B", ""]
    assert names_in("  ") == []


def test_a_name_with_the_first_separator_is_none() -> None:
    assert whole_names(["a|b", "a b"]) == {"a b"}
