"""Changes of a good table change the result as they should, or are reported: nothing is lost."""

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data_specs.errors import InputError
from data_specs.genotype_tables.words import NOT_MEASURED
from tests.conftest import examples
from tests.genotype_tables import GenotypeTable, read

Rows = list[list[str]]
HEADER = ["genes", "fitness", "note", "od"]
SPACE = st.sampled_from(["", " ", "  "])
GENES = st.lists(
    st.sampled_from(["A", "B", "C-A", "d.1", "mt:E"]), min_size=1, max_size=3, unique=True
)
VALUES = st.floats(-1e6, 1e6).map(repr)
ROWS = st.lists(
    st.tuples(GENES, VALUES, st.sampled_from(["x", "sick"]), VALUES).map(
        lambda row: ["|".join(row[0]), *row[1:]]
    ),
    min_size=1,
    max_size=8,
)
MANY = settings(max_examples=examples(100))


def text_of(rows: Rows, separator: str = "\t", ending: str = "\n") -> str:
    def quoted(cell: str) -> str:
        return f'"{cell}"' if separator in cell else cell

    return "".join(separator.join(map(quoted, row)) + ending for row in rows)


def read_text(text: str | bytes, **how: Any) -> GenotypeTable:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.tsv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(path, **how)


def complaint(text: str, **how: Any) -> str:
    try:
        read_text(text, **how)
    except InputError as error:
        return str(error)
    raise AssertionError(f"read in silence:\n{text}")


def expected(rows: Rows) -> list[tuple[list[str], float, float]]:
    return [(sorted(row[0].split("|")), float(row[1]), float(row[3])) for row in rows]


def found(table: GenotypeTable) -> list[tuple[Any, ...]]:
    return table.frame.select("genes", "fitness", "od").rows()


@MANY
@given(
    rows=ROWS,
    separator=st.sampled_from(["\t", ",", ";"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    start=st.sampled_from(["", "\ufeff", "\n\n", "a title\n"]),
    lead=st.integers(0, 2),
    pad=SPACE,
    order=st.permutations(range(4)),
    packed=st.booleans(),
)
def test_what_does_not_matter(
    rows: Rows, separator: str, ending: str, start: str, lead: int, pad: str,
    order: list[int], packed: bool,
) -> None:  # fmt: skip
    blank = [""] * lead
    changed = [[*blank, *(pad + row[at] + pad for at in order)] for row in [HEADER, *rows]]
    raw = (start + text_of(changed, separator, ending)).encode()
    table = read_text(gzip.compress(raw) if packed else raw, phenotypes=("fitness", "od"))
    assert found(table) == expected(rows)
    assert set(read_text(raw).phenotypes) == {"fitness", "od"}


@MANY
@given(rows=ROWS, joined=st.sampled_from([";", ",", "+", " ", " , ", "; "]))
def test_other_separators_of_genes(rows: Rows, joined: str) -> None:
    changed = [[row[0].replace("|", joined), *row[1:]] for row in rows]
    assert found(read_text(text_of([HEADER, *changed]))) == expected(rows)


@MANY
@given(rows=ROWS, data=st.data())
def test_words_for_not_measured(rows: Rows, data: st.DataObject) -> None:
    column = data.draw(st.sampled_from([1, 3]))
    words = st.sampled_from([*NOT_MEASURED, "ND", "#N/A"])
    cells = data.draw(st.lists(st.none() | words, min_size=len(rows), max_size=len(rows)))
    cells[data.draw(st.integers(0, len(rows) - 1))] = None  # one is measured
    changed = [[*r[:column], r[column] if w is None else w, *r[column + 1 :]]
               for r, w in zip(rows, cells, strict=True)]  # fmt: skip
    table = read_text(text_of([HEADER, *changed]))
    assert table.phenotypes == ("fitness", "od")
    count = sum(word is not None for word in cells)
    assert sum(sum(words.values()) for words in table.not_measured.values()) == count
    if column == 1:
        measured = [row for row, word in zip(rows, cells, strict=True) if word is None]
        assert found(table) == expected(measured)
        assert table.dropped == ({"missing_phenotype": count} if count else {})
    else:
        known = [None if word is not None else float(row[3])
                 for row, word in zip(rows, cells, strict=True)]  # fmt: skip
        assert table.frame["od"].to_list() == known


def decimal_comma(cell: str) -> str:
    return cell.replace(".", ",")


SPOILED: dict[str, Callable[[str], str]] = {
    "decimal comma": decimal_comma,
    "infinite": lambda _: "inf",
    "too large": lambda _: "1e39",
    "with a unit": lambda cell: f"{cell} h",
    "a bound": lambda cell: f"<{cell}",
    "per cent": lambda cell: f"{cell}%",
    "a word": lambda _: "lost",
}


@MANY
@given(
    rows=ROWS,
    column=st.sampled_from([1, 3]),
    kind=st.sampled_from(sorted(SPOILED)),
    every=st.booleans(),
    data=st.data(),
)
def test_a_cell_that_is_no_number_is_reported(
    rows: Rows, column: int, kind: str, every: bool, data: st.DataObject
) -> None:
    at = 0 if every else data.draw(st.integers(0, len(rows) - 1))
    rows = [list(row) for row in rows]
    for row in rows if every else [rows[at]]:
        spoiled = SPOILED[kind](row[column])
        assume(spoiled != row[column])  # 1e-06 has no point that could be a comma
        row[column] = spoiled
    text = text_of([HEADER, *rows])
    if kind == "a word" and all(row[column] == "lost" for row in rows):
        assert read_text(text).left_out[HEADER[column]] == "text"
        return
    said = complaint(text)
    assert f"t.tsv:{at + 2}: found '{HEADER[column]}' is '{rows[at][column]}'" in said


@MANY
@given(rows=ROWS, data=st.data())
def test_rows_of_another_width_and_headers_are_reported(rows: Rows, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    row = data.draw(st.sampled_from([HEADER, rows[at][:3], [*rows[at], "1"], ["A", *rows[at]]]))
    text = text_of([HEADER, *rows[:at], row, *rows[at:]])
    assert f"t.tsv:{at + 2}: found " in complaint(text)
    table = read_text(text, on_bad_row="skip")
    assert (found(table), table.dropped) == (expected(rows), {"malformed": 1})


@MANY
@given(rows=ROWS, place=st.integers(1, 4), values=st.sampled_from(["7", "x", "", "7x"]))
def test_a_column_more_is_taken_or_listed(rows: Rows, place: int, values: str) -> None:
    cells = ["more", *[values] * len(rows)]
    lines = zip([HEADER, *rows], cells, strict=True)
    changed = [[*row[:place], cell, *row[place:]] for row, cell in lines]
    if values == "" and place == 1:  # it could be what is to be predicted
        assert "column 'more' has no value in any row" in complaint(text_of(changed))
    else:
        table = read_text(text_of(changed))
        assert "more" in {**table.left_out, **dict.fromkeys(table.phenotypes)}
        assert (table.phenotypes[0] == "more") == (values == "7" and place == 1)
    table = read_text(text_of(changed), phenotypes=("fitness", "od"))
    assert found(table) == expected(rows)
    assert table.left_out["more"] == "not in genotypes.phenotypes"
