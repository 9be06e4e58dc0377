"""Parameters as they are given: by a file, by a build, and as `section.key=value`."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from data_specs.errors import ArtefactError, ParameterError
from data_specs.layout import MARKER, DataLayout, read_json
from data_specs.parameters.former_names import (
    FORMER,
    ONE_OR_SEVERAL,
    say_former,
    under_present_names,
)
from data_specs.parameters.sections import KEYS, SECTIONS, Parameters, Values, resolve
from data_specs.parameters.values import unknown
from data_specs.terminal import as_typed

# PyYAML raises these too: of a date like 2017-13-45, of numbers of thousands of digits, of nesting.
_NOT_YAML = (ValueError, RecursionError)


def load(path: Path, overrides: Iterable[str] = ()) -> Parameters:
    """Read `params.yaml` or `params.json` and apply `key=value` overrides.

    Raises:
        ParameterError: the file is missing or unreadable, or holds an unknown key or value.
    """
    return resolve(override(read(path), overrides), where=str(path))


def read(path: Path) -> Values:
    """The values that a file gives: a key without one stands for preset, profile or default.

    Raises:
        ParameterError: the file is missing, unreadable, or no mapping.
    """
    import yaml

    from data_specs.raw_files import read_text

    if not path.exists():
        raise ParameterError(f"{path}: no such parameter file")
    try:
        given = yaml.safe_load(read_text(path)) or {}
    except (yaml.YAMLError, *_NOT_YAML) as error:
        raise ParameterError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(given, dict):
        raise ParameterError(f"{path}: expected sections with keys, found {type(given).__name__}")
    # `none` is a value.
    for name, values in given.items():
        if isinstance(values, dict):
            given[name] = {key: value for key, value in values.items() if value is not None}
    say_former(given, str(path))
    of_build = path.name == DataLayout(path.parent).parameters.name
    return _as_built(given) if of_build and (path.parent / MARKER).is_file() else given


def override(given: Mapping[str, Any], assignments: Iterable[str]) -> Values:
    """Put `section.key=value` assignments over given values; values are YAML, strings are raw.

    Raises:
        ParameterError: an assignment without `=` or with an unknown key.
    """
    import yaml

    typed: Values = {}
    for assignment in assignments:
        key, text = _parted(assignment)
        if not key.startswith("sources."):  # those are paths
            text = as_typed(text)
        if key == "preset":
            typed["preset"] = None if text in ("", "null", "none") else text
            continue
        section, name = FORMER.get(key, key).split(".")
        hint = get_type_hints(SECTIONS[section])[name]
        value: Any = text
        whole = hint in (str, str | None) or (key in ONE_OR_SEVERAL and text[:1] != "[")
        if not whole or text == "null":
            try:
                value = yaml.safe_load(text)
            except (yaml.YAMLError, *_NOT_YAML):
                raise ParameterError(f"--set {key}: {text[:60]!r} is not readable YAML") from None
        section, name = key.split(".")
        typed[section] = {**typed.get(section, {}), name: value}
    say_former(typed, "--set")
    result = under_present_names(given, "parameters")
    for section, values in under_present_names(typed, "--set").items():
        before = result.get(section) or {}
        if section != "preset" and not isinstance(before, Mapping):
            raise ParameterError(f"section '{section}' is {before!r}; expected keys")
        result[section] = values if section == "preset" else {**before, **values}
    return result


def build_parameters(data: Path) -> Values:
    """The values that a build was made with, preset included.

    A build of DVC's stages is made with the `params.yaml` beside it. Of any other without a
    `params.json` nothing is known.

    Raises:
        ArtefactError: the build's own file is damaged.
    """
    path = DataLayout(data).parameters
    if path.is_file():
        values = read_json(path)
        if not isinstance(values, dict):
            raise ArtefactError(f"{path}: expected sections with keys; build the data again")
        return _as_built(values)
    params = params_of_stages(data)
    return read(params) if params else {}


def _as_built(values: Values) -> Values:
    """The parameters of a build: one that says nothing of its root has a virtual one.

    Builds from before there was a choice are such (`data_specs.parameters.changes`).
    """
    hierarchy = values.get("hierarchy") or {}
    if not isinstance(hierarchy, dict):
        return values
    return {**values, "hierarchy": {"root": "always", **hierarchy}}


def params_of_stages(data: Path) -> Path | None:
    """The parameter file of a build that DVC's stages made; none of another build."""
    checkout = data.resolve().parent
    by_stages = data.resolve().name == "data" and (checkout / "dvc.yaml").is_file()
    return checkout / "params.yaml" if by_stages else None


def refuse_without_effect(
    assignments: Iterable[str],
    sections: Collection[str],
    command: str,
    why: str,
    options: Mapping[str, str] | None = None,
) -> None:
    """Refuse assignments that a command would read and not use.

    Args:
        assignments: as `override` takes them.
        sections: the sections that the command uses.
        command: its name.
        why: the reason for all other parameters, and the remedy.
        options: parameters that the command takes from an option of its own, by key.

    Raises:
        ParameterError: names the first one, and the sections that the command uses.
    """
    for assignment in assignments:
        key, _ = _parted(assignment)
        if option := (options or {}).get(key):
            raise ParameterError(f"--set {assignment}: {command} takes {key} from {option}")
        if key.partition(".")[0] not in sections:
            used = ", ".join(f"{name}.*" if name in SECTIONS else name for name in sections)
            raise ParameterError(
                f"--set {assignment}: {command} does not use {key}: {why}. It uses {used}."
            )


def _parted(assignment: str) -> tuple[str, str]:
    """Key and text of an assignment."""
    key, equals, text = assignment.partition("=")
    if not equals:
        raise ParameterError(f"--set {assignment}: expected section.key=value")
    if key != "preset" and FORMER.get(key, key) not in KEYS:
        raise ParameterError(unknown(key, [*KEYS, "preset"], "--set"))
    return key, text
