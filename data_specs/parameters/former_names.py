"""Parameters and values that had another name in earlier versions: they are still understood."""

import sys
from collections.abc import Mapping
from typing import Any

from data_specs.errors import ParameterError
from data_specs.parameters.values import fit

FORMER = {
    "hierarchy.relations": "ontology.relations",
    "genotypes.unannotated": "store.unannotated",
    "ontology.root": "hierarchy.root",
}
# Values of parameters that are called otherwise now.
FORMER_VALUES = {"train.engine": {"auto": "incremental", "stratum": "incremental"}}
# Parameters that were one text in earlier versions and may be several now: a text still is one, and
# commas belong to it.
ONE_OR_SEVERAL = ("sources.annotations", "sources.gene_info")
_HINTS: dict[str, Any] = {
    "ontology.relations": tuple[str, ...], "store.unannotated": str, "hierarchy.root": str,
}  # fmt: skip


def under_present_names(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Values by section and key, those of a former name under the present one.

    Raises:
        ParameterError: both names are given, with different values.
    """
    result = {name: dict(v) if isinstance(v, Mapping) else v for name, v in given.items()}
    for name, values in FORMER_VALUES.items():
        section, key = name.split(".")
        keys = result.get(section)
        if isinstance(keys, dict) and isinstance(keys.get(key), str):
            keys[key] = values.get(keys[key], keys[key])
    for name in ONE_OR_SEVERAL:
        section, key = name.split(".")
        keys = result.get(section)
        if isinstance(keys, dict) and isinstance(keys.get(key), str) and keys[key] != "none":
            keys[key] = [keys[key]]
    for former, present in FORMER.items():
        section, key = former.split(".")
        keys = result.get(section)
        if not isinstance(keys, dict) or key not in keys:
            continue
        value = keys.pop(key)
        now, name = present.split(".")
        others = result[now] = result.get(now) or {}
        if isinstance(others, dict):
            other = others.setdefault(name, value)
            if fit(other, _HINTS[present], where) != fit(value, _HINTS[present], where):
                raise ParameterError(
                    f"{where}: {present} is {other} and {former}, its former name, is {value}; "
                    f"expected one of them. Omit {former}."
                )
    return result


def say_former(typed: Mapping[str, Any], where: str) -> None:
    """Tell a user who typed a former name the present one."""
    for former, present in FORMER.items():
        section, key = former.split(".")
        keys = typed.get(section)
        if isinstance(keys, Mapping) and key in keys:
            print(f"note: {where}: {former} is called {present} now", file=sys.stderr)
    for name, values in FORMER_VALUES.items():
        section, key = name.split(".")
        keys = typed.get(section)
        value = keys.get(key) if isinstance(keys, Mapping) else None
        if isinstance(value, str) and value in values:
            print(f"note: {where}: {name}={value} is {values[value]} now", file=sys.stderr)
