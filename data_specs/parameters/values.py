"""Fit a given value to the type of a parameter, and name the nearest known word for a typo."""

import difflib
import types
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from data_specs.errors import ParameterError
from data_specs.parameters.ranges import check_bounds

_TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def fit(value: Any, hint: Any, where: str) -> Any:
    """Fit a YAML value to a field's type, and hold it to the range that stands there.

    Args:
        value: as `yaml.safe_load` or `json.load` give it.
        hint: the type, with its `Annotated` parts; functions among them convert the value.
        where: the name of the field in messages.

    Raises:
        ParameterError: says where, what was found and what was expected.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        fitted = fit(value, arguments[0], where)
        for convert in arguments[1:]:
            if isinstance(convert, types.FunctionType):
                fitted = convert(fitted)
        check_bounds(fitted, arguments[1:], where)
        return fitted
    if origin in (Union, types.UnionType):
        if value is None or value == "none":
            return None
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return fit(value, inner, where)
    if origin is Literal:
        if not isinstance(value, bool):
            for argument in arguments:
                if value in (argument, str(argument)):
                    return argument
        shown = value[:60] if isinstance(value, str) else _shown(value)
        raise ParameterError(unknown(shown, [str(a) for a in arguments], where))
    if origin is tuple:
        items = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        items = [items] if isinstance(items, int | float) else items
        if isinstance(items, list | tuple):
            of_option = where.startswith("--")  # its values are typed, not counted
            return tuple(
                fit(v, arguments[0], where if of_option else f"{where}[{n}]")
                for n, v in enumerate(items)
            )
    elif origin is dict:
        if isinstance(value, str):  # as a command line has it: ts:0.3,damp:0.5
            pairs = (part.partition(":") for part in value.split(","))
            value = {key.strip(): own.strip() for key, _, own in pairs}
        if isinstance(value, Mapping):
            return {
                fit(key, arguments[0], where): fit(own, arguments[1], f"{where}.{key}")
                for key, own in value.items()
            }
    elif (fitted := _plain(value, hint)) is not None:
        check_bounds(fitted, (), where)
        return fitted
    raise ParameterError(f"{where} is {_shown(value)}; expected {_expected(hint)}")


def _expected(hint: Any) -> str:
    """What a type is called."""
    if get_origin(hint) is dict:
        return "values by name, as in ts:0.3,damp:0.5"
    return _TYPES.get(hint, "a list")


def _plain(value: Any, hint: Any) -> Any:
    """The value as a plain type, or None where it is no such value."""
    if hint is bool:
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    if hint is Path:
        return Path(value) if isinstance(value, str) else None
    if hint is str:
        if hasattr(value, "isoformat"):  # YAML reads 2017-07-19 as a date
            return value.isoformat()
        return str(value) if isinstance(value, str) or _is_whole(value) else None
    if isinstance(value, float) and hint is int:
        return None
    try:  # a command line has text, and YAML 1.1 reads 1e-3 as text
        converted = hint(value) if isinstance(value, str | float) else value
    except ValueError:
        return None
    return hint(converted) if isinstance(converted, float) or _is_whole(converted) else None


def _is_whole(value: Any) -> bool:
    """Whether it is a whole number that anything here could count: YAML's may have any length."""
    return isinstance(value, int) and value.bit_length() < 64


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"{value[:60]!r}…"
    if isinstance(value, int) and not isinstance(value, bool) and not _is_whole(value):
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, list | tuple | dict | set):
        return f"a {type(value).__name__} of {len(value)}"
    return repr(value)[:80]


def unknown(name: str, known: Iterable[str], where: str) -> str:
    """`where: unknown 'name'; did you mean …?` with the nearest known names."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    if "." in name:  # a right section with a wrong key: look for the key inside the section first
        inside = [key for key in known if key.startswith(name.split(".")[0] + ".")]
        near = difflib.get_close_matches(name, inside, n=1, cutoff=0.0) or near
    listing = f" Known: {', '.join(known)}." if len(known) <= 12 else ""
    return f"{where}: unknown '{name}'; did you mean '{near[0]}'?{listing}"


def no_such(what: str, name: str, known: Sequence[str]) -> str:
    """`no WHAT 'name'; it has …`, with the nearest of several."""
    shown = ", ".join(known) if len(known) <= 12 else f"{len(known):,} others"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0) if len(known) > 1 else []
    return f"no {what} '{name}'; it has {shown}" + "".join(f". Did you mean '{n}'?" for n in near)


def absent(name: str, there: Iterable[str], where: str, place: str) -> str:
    """`where: 'name' is in place; did you mean …?` with the nearest word that occurs, and a list.

    Args:
        name: the word that was asked for, and occurs nowhere.
        there: the words that occur, the most important first.
        where: the parameter.
        place: where the search was: "no line of FILE".
    """
    there = list(there)
    folded = {other.casefold(): other for other in reversed(there)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.4)
    meant = f"; did you mean '{folded[near[0]]}'?" if near else "."
    more = f" and {len(there) - 20} more" if len(there) > 20 else ""
    listing = f" There are {', '.join(there[:20])}{more}." if there else ""
    return f"{where}: '{name}' is in {place}{meant}{listing}"
