"""The check that what was begun goes on as it began: runs, comparisons, tunings and screens."""

from collections.abc import Collection, Mapping
from typing import Any

from data_specs.errors import InputError


def refuse_difference(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    begun: str,
    remedy: str,
    *,
    free: Collection[str] = (),
) -> None:
    """Refuse to go on with what was begun with other settings, or on other data.

    Args:
        before: what it depends on as it was begun, by the name that a user knows.
        now: the same as it is asked for; what is None may as well be missing.
        begun: the beginning of the message, such as `runs/first/last.pt: was trained with`.
        remedy: its end: what may be done.
        free: names that may differ.

    Raises:
        InputError: names the first that differs, with both values.
    """
    for name in dict.fromkeys((*now, *before)):
        if name not in free and before.get(name) != now.get(name):
            then, given = (values.get(name, "not there") for values in (before, now))
            raise InputError(f"{begun} {name}={then}, now it is {given}; {remedy}")
