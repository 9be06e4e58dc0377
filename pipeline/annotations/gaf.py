"""GAF 2.0 to 2.2, and the form in which the lines of all annotation formats are judged.

That form is a table of GAF's 17 columns, `c1` … `c17`, and beside them

- `line`, the number of the line in its file
- `stated`, the evidence as the file has it: of GPAD it is a class of ECO, and `c7` the code for it
- `fault`, in words, of a line that is malformed; null of all others
"""

import polars as pl

GAF_COLUMNS = 17  # GAF 2.0 to 2.2; the last two are optional
CELLS = tuple(f"c{n}" for n in range(1, GAF_COLUMNS + 1))
FORM = ("line", "fault", "stated", *CELLS)


def split_lines(text: str, columns: int, comment: str = "!") -> pl.DataFrame:
    """Lines that are neither blank nor comments, as cells without blanks around them.

    Returns:
        `line`, `columns` (how many the line has), and `c1` …, null beyond the line's end.
    """
    first = pl.col("text").str.strip_chars()
    return (
        pl.DataFrame({"text": text.split("\n")}, schema={"text": pl.String})
        .with_row_index("line", offset=1)
        .filter(~first.str.starts_with(comment) & (first != ""))
        .with_columns(
            columns=pl.col("text").str.count_matches("\t", literal=True) + 1,
            parts=pl.col("text")
            .str.split_exact("\t", columns - 1)
            .struct.rename_fields([f"c{n}" for n in range(1, columns + 1)]),
        )
        .unnest("parts")
        .with_columns(pl.col("^c[0-9]+$").str.strip_chars())
        .drop("text")
    )


def read(text: str) -> pl.DataFrame:
    """The lines of a GAF; evidence codes are written large, whoever wrote them small."""
    lines = split_lines(text, GAF_COLUMNS).with_columns(pl.col("c7").str.to_uppercase())
    date = pl.col("c14")
    fault = first_fault(
        wrong_number(15, GAF_COLUMNS),
        (pl.col("c5") == "", pl.lit("column 5 (GO id) is empty; expected a term id")),
        (
            ~date.str.contains(r"^[0-9]{8}$"),
            pl.format("column 14 (date) is '{}'; expected YYYYMMDD", date),
        ),
    )
    return lines.with_columns(stated=pl.col("c7"), fault=fault).select(FORM)


def in_form(lines: pl.DataFrame, fault: pl.Expr, **cells: pl.Expr | str) -> pl.DataFrame:
    """Lines of another format in the form; columns that it lacks are empty.

    Args:
        lines: with their numbers in `line`.
        fault: words for what is wrong, or null.
        cells: columns of a GAF, or names of those that fill them.
    """
    filled = {name: cells.get(name, pl.lit("")) for name in CELLS}
    table = lines.select("line", fault=fault, **filled)
    return table.with_columns(stated=pl.col("c7")).select(FORM)


Fault = tuple[pl.Expr, pl.Expr]  # when it holds, and its words


def first_fault(*faults: Fault) -> pl.Expr:
    """The words of the first fault that holds, or null."""
    return pl.coalesce(pl.when(holds).then(words) for holds, words in faults)


def wrong_number(least: int, most: int) -> Fault:
    """The fault of a line with fewer or more columns."""
    found = pl.col("columns")
    expected = f"{least} to {most}" if least < most else f"{most}"
    words = pl.format("found {} tab-separated columns; expected " + expected, found)
    return ~found.is_between(least, most), words
