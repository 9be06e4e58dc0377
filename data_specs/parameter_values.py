"""Fit what YAML gives to the type of a parameter, and name the nearest known one for a typo."""

import difflib
import types
from collections.abc import Iterable
from typing import Any, Literal, Union, get_args, get_origin

from data_specs.errors import ParameterError


def fit(value: Any, hint: Any, where: str) -> Any:
    """Fit a YAML value to a field's type.

    Raises:
        ParameterError: says where, what was found and what was expected.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None or value == "none":
            return None
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return fit(value, inner, where)
    if origin is Literal:
        if value in arguments and not isinstance(value, bool):
            return value
        raise ParameterError(unknown(str(value), [str(a) for a in arguments], where))
    if origin is tuple:
        items = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        items = [items] if isinstance(items, int | float) else items
        if isinstance(items, list | tuple):
            return tuple(fit(item, arguments[0], where) for item in items)
    elif hint is str:
        if hasattr(value, "isoformat"):  # YAML reads 2017-07-19 as a date
            return value.isoformat()
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    elif hint is bool:
        if isinstance(value, bool):
            return value
    elif hint is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif hint is float and not isinstance(value, bool):
        try:  # YAML 1.1 reads 1e-3 as a string
            return float(value)
        except (TypeError, ValueError):
            pass
    expected = str(hint).replace("<class '", "").replace("'>", "")
    raise ParameterError(f"{where} is {value!r}; expected {expected}")


def unknown(name: str, known: Iterable[str], where: str) -> str:
    """`where: unknown 'name'; did you mean …?` with the nearest known names."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    if "." in name:  # a right section with a wrong key: look for the key inside the section first
        inside = [key for key in known if key.startswith(name.split(".")[0] + ".")]
        near = difflib.get_close_matches(name, inside, n=1, cutoff=0.0) or near
    listing = f" Known: {', '.join(known)}." if len(known) <= 12 else ""
    return f"{where}: unknown '{name}'; did you mean '{near[0]}'?{listing}"


def absent(name: str, there: Iterable[str], where: str, place: str) -> str:
    """`where: 'name' is in place; did you mean …?` with the nearest of what is there, and a list.

    Args:
        name: what was asked for, and occurs nowhere.
        there: what does occur, what matters most first.
        where: the parameter.
        place: where it was looked for: "no line of FILE".
    """
    there = list(there)
    folded = {other.casefold(): other for other in reversed(there)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.4)
    meant = f"; did you mean '{folded[near[0]]}'?" if near else "."
    more = f" and {len(there) - 20} more" if len(there) > 20 else ""
    listing = f" There are {', '.join(there[:20])}{more}." if there else ""
    return f"{where}: '{name}' is in {place}{meant}{listing}"
