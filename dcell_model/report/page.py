"""The page from its parts: a template, a style sheet, and how numbers are written."""

import math
import re
from importlib import resources
from typing import Any

from data_specs.ledger_words import words
from data_specs.parameters import PROFILES
from data_specs.terminal import printable

_GO = re.compile(r"GO:\d{7}")
_YEAST = re.compile(str(PROFILES["yeast"]["annotations"]["gene_id_pattern"]))


def render(**parts: Any) -> str:
    """HTML of a report; everything in `parts` is text to the template, never markup.

    Names are shown as in a terminal (`data_specs.terminal`): none turns or hides its surroundings.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dcell_model.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count, "score": score, "like": like, "signed": signed, "size": size,
        "percent": percent, "share": share, "duration": duration, "amigo": amigo, "sgd": sgd,
        "words": words,
    }  # fmt: skip
    style = resources.files("dcell_model.report").joinpath("page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(style=style, **parts)


def _shown(value: Any) -> Any:
    """A value as the template writes it; markup is only the template's own."""
    from markupsafe import Markup

    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def count(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def score(value: float | None, digits: int = 3) -> str:
    """Three decimals, or three digits where that would be 0.00…; a dash for None."""
    if value is None:
        return "–"
    small = 0 < abs(value) < 10 ** (1 - digits)
    return (f"{value:.{digits}g}" if small else f"{value:.{digits}f}").replace("-", "−")


def share(value: float | None) -> str:
    """Three decimals of a share of 1, which has no sign where they are 0; a dash for None."""
    return "–" if value is None else f"{value:z.3f}".replace("-", "−")


def like(value: float, most: float) -> str:
    """As many decimals as give the largest of a column three digits."""
    decimals = 2 - math.floor(math.log10(abs(most))) if most else 2
    return f"{value:.{min(max(2, decimals), 9)}f}".replace("-", "−")


def signed(value: float) -> str:
    """Four decimals with a sign."""
    return f"{value:+.4f}".replace("-", "−")


def size(count_: int) -> str:
    """Bytes in the unit that leaves one to four digits."""
    value, unit = float(count_), "bytes"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"


def percent(share: float) -> str:
    """A share of 1 as CSS has it."""
    return f"{100 * share:.3f}%"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 3600:.3g} h"


def amigo(term: str) -> str | None:
    """Where AmiGO shows a term; None for what is no GO id."""
    return f"https://amigo.geneontology.org/amigo/term/{term}" if _GO.fullmatch(term) else None


def sgd(gene: str) -> str | None:
    """Where SGD shows a gene; None for what is no systematic name of yeast."""
    return f"https://www.yeastgenome.org/locus/{gene}" if _YEAST.fullmatch(gene) else None
