"""States behind the names of genes."""

import pytest

from data_specs.errors import InputError
from data_specs.gene_states import is_state, name_and_state, with_state


@pytest.mark.parametrize(
    ("part", "expected"),
    [("A", ("A", 0.0)), ("A=0.5", ("A", 0.5)), ("A=0", ("A", 0.0)), ("A =2", ("A", 2.0)),
     ("=", ("=", 0.0)), ("A=B=0.25", ("A=B", 0.25))],
)  # fmt: skip
def test_name_and_state(part: str, expected: tuple[str, float]) -> None:
    assert name_and_state(part) == expected


@pytest.mark.parametrize("text", ["1", "1.0000001", "-0.1", "11", "nan", "inf", "half", ""])
def test_what_is_no_state(text: str) -> None:
    with pytest.raises(InputError, match=r"is no state of A; expected a number from 0"):
        name_and_state(f"A={text}")


def test_with_state_is_read_back() -> None:
    for state in (0.0, 0.5, 0.125, 2.0):
        assert is_state(state)
        assert name_and_state(with_state("A", state)) == ("A", state)
    assert with_state("A", 0) == "A"
