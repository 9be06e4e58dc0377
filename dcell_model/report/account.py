"""The ledger as waterfalls: what came in, what each reason took away, what was left.

A bar is a count with the place that it takes on a scale from 0 to 1, on which 1 is what came in.
What is dropped hangs where the bar before it ends.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from data_specs.ledger_words import orders, words


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a waterfall.

    Attributes:
        label: the records that are counted.
        count: how many.
        start: where the bar begins, of 1.
        width: how much it takes, of 1.
        kind: `total`, `dropped` or `part`.
    """

    label: str
    count: int
    start: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A title and its bars, from all records to those that are left."""

    title: str
    bars: tuple[Bar, ...]


def waterfalls(ledger: Mapping[str, Any]) -> list[Waterfall]:
    """Annotations and genotypes, as `ledger.json` counts them."""
    genotypes, store, split = ledger["genotypes"], ledger["store"], ledger["split"]
    annotations = _waterfall("annotation lines", ledger["lines"], [
        (ledger["dropped"], "lines kept"),
    ])  # fmt: skip
    merged = {"repeated, merged with the first": genotypes["merged"]}
    samples = _waterfall("rows of genotypes", genotypes["rows"], [
        (genotypes["dropped"] | merged, f"genotypes ({orders(genotypes)})"),
        (store["dropped"], "samples in the store"),
    ])  # fmt: skip
    names = {"train": "training", "val": "validation", "test": "test", "excluded": "excluded"}
    parts = {name: split[part] for part, name in names.items() if split[part]}
    return [
        Waterfall("Annotations", annotations),
        Waterfall("Genotypes", samples),
        Waterfall(f"Split ({split['method']})", tuple(_parts(parts))),
    ]


def strata(ledger: Mapping[str, Any]) -> tuple[Bar, ...]:
    """Terms by stratum, the widest taking the whole scale."""
    counts = ledger["strata"]
    most = max([1, *counts])
    return tuple(
        Bar(f"stratum {index}", count, 0.0, count / most, "part")
        for index, count in enumerate(counts)
    )


def _waterfall(
    label: str, total: int, steps: Iterable[tuple[Mapping[str, int], str]]
) -> tuple[Bar, ...]:
    """Bars of a total, of the losses of each step by reason, and of the rest after each step."""
    scale, left = max(1, total), total
    bars = [Bar(label, total, 0.0, total / scale, "total")]
    for reasons, result in steps:
        taken = {reason: count for reason, count in reasons.items() if count}
        for reason, count in taken.items():
            left -= count
            bars.append(Bar(words(reason), count, left / scale, count / scale, "dropped"))
        if taken or bars[-1].label != result:
            bars.append(Bar(result, left, 0.0, left / scale, "total"))
    return tuple(bars)


def _parts(parts: Mapping[str, int]) -> Iterable[Bar]:
    """Parts of a whole, each where the one before it ends."""
    whole, before = max(1, sum(parts.values())), 0
    for name, count in parts.items():
        yield Bar(name, count, before / whole, count / whole, "part")
        before += count
