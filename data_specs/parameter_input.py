"""Parameters as a user gives them: a file, and `section.key=value` on the command line."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from data_specs.errors import ParameterError
from data_specs.parameter_values import unknown
from data_specs.parameters import KEYS, SECTIONS, Parameters, Values, resolve

# PyYAML raises these too: of a date like 2017-13-45, of numbers of thousands of digits, of nesting.
_NOT_YAML = (ValueError, RecursionError)


def load(path: Path, overrides: Iterable[str] = ()) -> Parameters:
    """Read `params.yaml` or `params.json` and apply `key=value` overrides.

    Raises:
        ParameterError: the file is missing or unreadable, or holds an unknown key or value.
    """
    import yaml

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise ParameterError(f"{path}: no such parameter file") from None
    except (yaml.YAMLError, *_NOT_YAML) as error:
        raise ParameterError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(given, dict):
        raise ParameterError(f"{path}: expected sections with keys, found {type(given).__name__}")
    # A key without a value stands for what preset, profile or default say; `none` is a value.
    for name, values in given.items():
        if isinstance(values, dict):
            given[name] = {key: value for key, value in values.items() if value is not None}
    return resolve(override(given, overrides), where=str(path))


def override(given: Mapping[str, Any], assignments: Iterable[str]) -> Values:
    """Put `section.key=value` assignments over given values; values are YAML, strings are raw.

    Raises:
        ParameterError: an assignment without `=` or with an unknown key.
    """
    import yaml

    result: Values = {k: dict(v) if isinstance(v, Mapping) else v for k, v in given.items()}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ParameterError(f"--set {assignment}: expected section.key=value")
        if key == "preset":
            result["preset"] = None if text in ("", "null", "none") else text
            continue
        if key not in KEYS:
            raise ParameterError(unknown(key, [*KEYS, "preset"], "--set"))
        section, name = key.split(".")
        hint = get_type_hints(SECTIONS[section])[name]
        value: Any = text
        if hint not in (str, str | None) or text == "null":
            try:
                value = yaml.safe_load(text)
            except (yaml.YAMLError, *_NOT_YAML):
                raise ParameterError(f"--set {assignment}: '{text}' is not readable YAML") from None
        result[section] = {**(result.get(section) or {}), name: value}
    return result
