"""The printed table of a search: one line for each trial, in 80 columns."""

from collections.abc import Sequence

from dcell_model.machine import duration
from dcell_model.tune.space import Space, in_words
from dcell_model.tune.trial import DIVERGED, FINISHED, PRUNED, REFUSED, Trial

WIDTH = 80
NOTES = {FINISHED: "", PRUNED: "pruned", DIVERGED: "nan", REFUSED: "unfit"}


class Lines:
    """The lines of a table of trials; values that no longer fit go on the line below."""

    def __init__(self, space: Space, score: str) -> None:
        self.space = space
        columns = [("no.", 3), (score, 7), ("time", 6), ("", 6)]
        for key, values in space.items():
            columns.append((key.partition(".")[2], values.widest()))
        self.names = [name.split("_") for name, _ in columns]
        self.widths = [
            max(width, *map(len, words))
            for words, (_, width) in zip(self.names, columns, strict=True)
        ]

    def header(self) -> list[str]:
        """Names of the columns, a word of each below the other."""
        high = max(map(len, self.names))
        rows = [[""] * (high - len(words)) + words for words in self.names]
        return [line for row in zip(*rows, strict=True) for line in self._lines(row) if line]

    def of(self, trial: Trial, *, best: bool) -> list[str]:
        """A trial: its score, its time, what became of it, and its values."""
        note = "best" if best else NOTES[trial.ended]
        score = "–" if trial.score is None else f"{trial.score:.4f}"
        values = (in_words(trial.values[key]) for key in self.space)
        return self._lines([str(trial.number), score, duration(trial.seconds), note, *values])

    def _lines(self, cells: Sequence[str]) -> list[str]:
        lines = [""]
        for cell, width in zip(cells, self.widths, strict=True):
            if len(lines[-1]) + 1 + width > WIDTH:
                lines.append(" " * self.widths[0])
            lines[-1] += f" {cell:>{width}}" if lines[-1] else f"{cell:>{width}}"
        return [line.rstrip() for line in lines]
