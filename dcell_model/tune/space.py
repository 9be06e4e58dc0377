"""Which parameters are searched, and in which range: the default tables, and `--search`.

A parameter is searched over a range, `LOW:HIGH` or `LOW:HIGH:log`, or over choices, `a,b,c`. The
bounds of the parameter itself hold for every value (`data_specs.parameters`).
"""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from data_specs.errors import ParameterError
from data_specs.parameters import (
    KEYS,
    MODEL_SECTIONS,
    SECTIONS,
    Parameters,
    fit,
    resolve,
    unknown,
)
from data_specs.terminal import as_typed
from dcell_model.models import record_of

_COMPARED = "it decides what is compared; --set it for all trials"
_NO_SCORE = "no score depends on it"
# Parameters that cannot be searched, with the reason.
FIXED = {
    "train.model": "search one model at a time: --set train.model=NAME",
    "train.select": _COMPARED,
    "train.phenotypes": _COMPARED,
    "train.standardize": _COMPARED,
    "train.seed": "the best of several seeds is no better setting; --repeats shows their effect",
    "train.engine": _NO_SCORE,
    "train.device": _NO_SCORE,
    "train.num_workers": _NO_SCORE,
    "train.checkpoint_steps": _NO_SCORE,
}
_DIGITS = 3  # that a drawn number has, so that files and lines can be read


@dataclass(frozen=True, slots=True)
class Choices:
    """A parameter takes one of some values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ",".join(_written(value) for value in self.values)

    def __contains__(self, value: Any) -> bool:
        return value in self.values

    def distribution(self) -> Any:
        """As Optuna has it."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)

    def rounded(self, value: Any) -> Any:
        """A drawn value as it is used."""
        return value

    def ends(self) -> tuple[Any, ...]:
        """Values that tell whether all are possible."""
        return self.values

    def widest(self) -> int:
        """Characters of the longest value."""
        return max(len(in_words(value)) for value in self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """A parameter lies between two numbers, both included; whole if they are."""

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{_written(self.low)}:{_written(self.high)}{':log' if self.log else ''}"

    def __contains__(self, value: Any) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def distribution(self) -> Any:
        """As Optuna has it."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if isinstance(self.low, int) and isinstance(self.high, int):
            return IntDistribution(self.low, self.high, log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def rounded(self, value: Any) -> Any:
        """A drawn value as it is used: of few digits, and in the range still."""
        if isinstance(value, int):
            return value
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def ends(self) -> tuple[Any, ...]:
        """Values that tell whether all are possible."""
        return self.low, self.high

    def widest(self) -> int:
        """Characters of the longest value."""
        if isinstance(self.low, int):
            return len(str(self.high))
        # With all the digits that a value between the ends may have.
        return max(len(in_words(float(f"{abs(end):.0e}") * 1.11)) for end in self.ends())


Space = Mapping[str, Choices | Range]


def search_space(
    parameters: Parameters, searches: Sequence[str], assignments: Sequence[str]
) -> dict[str, Choices | Range]:
    """The search space: that of `--search`, else the model's default without fixed parameters.

    Args:
        parameters: those that are not searched, and the model.
        searches: `KEY=LOW:HIGH`, `KEY=LOW:HIGH:log` or `KEY=a,b,c`.
        assignments: `section.key=value`, of which none can be searched.

    Raises:
        ParameterError: an unknown parameter, one that cannot be searched, or an impossible value.
    """
    model = parameters.train.model
    held = {assignment.partition("=")[0] for assignment in assignments}
    space: dict[str, Choices | Range] = {}
    if not searches:
        usual = record_of(model).search.items()
        given = [f"{key}={text}" for key, text in usual if key not in held]
    else:
        given = list(searches)
    for search in given:
        key, equals, text = search.partition("=")
        if not equals:
            raise ParameterError(
                f"--search {search}: expected KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=a,b,c"
            )
        _refuse(key, search, model)
        if key in space:
            raise ParameterError(f"--search {search}: {key} is named twice")
        if key in held:
            raise ParameterError(f"--search {search}: --set {key} holds it; omit one of them")
        space[key] = _parsed(key, text, f"--search {search}")
    if not space:
        raise ParameterError("--set holds every parameter of the search; name others with --search")
    _refuse_impossible(parameters, space)
    return space


def _refuse(key: str, search: str, model: str) -> None:
    """Refuse a parameter that is none, that this model does not read, or that is no recipe."""
    if key not in KEYS:
        raise ParameterError(unknown(key, KEYS, f"--search {search}"))
    sections = ("train", *([MODEL_SECTIONS[model]] if model in MODEL_SECTIONS else []))
    unread = set(record_of(model).unread) - FIXED.keys()
    if key.partition(".")[0] not in sections or key in unread:
        named = " and ".join(f"{name}.*" for name in sections)
        raise ParameterError(
            f"--search {search}: training with train.model={model} does not read {key}; expected "
            f"one of {named}"
        )
    if key in FIXED:
        raise ParameterError(f"--search {search}: {key} cannot be searched: {FIXED[key]}")


def _parsed(key: str, text: str, where: str) -> Choices | Range:
    import yaml

    section, name = key.split(".")
    hint = get_type_hints(SECTIONS[section], include_extras=True)[name]
    plain = _plain(hint)
    if plain is tuple:
        raise ParameterError(f"{where}: {key} is a list, and cannot be searched")
    ranged = ":" in text
    parts = [part.strip() for part in text.split(":" if ranged else ",")]
    if ranged:
        if plain not in (int, float):
            raise ParameterError(f"{where}: {key} is no number; expected values: {key}=a,b,c")
        log = parts[2:] == ["log"]
        if len(parts) != 2 + log:
            raise ParameterError(f"{where}: expected LOW:HIGH or LOW:HIGH:log")
    values = []
    for part in parts[:2] if ranged else parts:
        try:
            value = as_typed(part) if plain is str else yaml.safe_load(part)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ParameterError(f"{where}: {part[:60]!r} is not readable YAML") from None
        values.append(fit(value, hint, where))
    if not ranged:
        if len(values) < 2 or len(set(values)) < len(values):
            raise ParameterError(f"{where}: expected at least two values, all different")
        return Choices(tuple(values))
    low, high = values
    if low is None or high is None or low >= high:
        raise ParameterError(f"{where}: {low} is not below {high}")
    if log and low <= 0:
        raise ParameterError(f"{where}: a range that is searched by its logarithm lies above 0")
    return Range(low, high, log)


def _plain(hint: Any) -> Any:
    """int, float, str, bool or tuple: the type of a parameter without bounds and without None."""
    if get_origin(hint) is Annotated:
        return _plain(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (part for part in get_args(hint) if part is not type(None))
        return _plain(inner)
    if get_origin(hint) is Literal:
        return str if isinstance(get_args(hint)[0], str) else type(None)
    return get_origin(hint) or hint


def _refuse_impossible(parameters: Parameters, space: Space) -> None:
    """Refuse ends of ranges, and choices, that go with no end of another parameter either.

    Others that do not go together are refused as trials.
    """
    for key, values in space.items():
        others = [{other: end} for other in space if other != key for end in space[other].ends()]
        for value in values.ends():
            where = f"--search {key}={values}"
            if not any(_go_together(parameters, {key: value, **other}) for other in others):
                with_values(parameters, {key: value}, where=where)


def _go_together(parameters: Parameters, values: Mapping[str, Any]) -> bool:
    try:
        with_values(parameters, values)
    except ParameterError:
        return False
    return True


def with_values(
    parameters: Parameters, values: Mapping[str, Any], where: str = "dcell tune"
) -> Parameters:
    """The parameters with other values of some keys.

    Raises:
        ParameterError: they do not go together.
    """
    given = parameters.to_dict()
    for key, value in values.items():
        section, name = key.split(".")
        given[section][name] = value
    return resolve(given, where=where)


def values_of(parameters: Parameters, keys: Sequence[str] | Space) -> dict[str, Any]:
    """The values of some keys."""
    parts = (key.split(".") for key in keys)
    return {f"{s}.{name}": getattr(getattr(parameters, s), name) for s, name in parts}


def in_words(value: Any) -> str:
    """A value as it stands in lines: numbers in few digits, 0.00123 or 1.23e-4."""
    if not isinstance(value, float):
        return _written(value)
    text = f"{value:.{_DIGITS}g}"
    if len(text) > _DIGITS + 4:
        text = f"{value:.{_DIGITS - 1}e}"
    return text.replace("e-0", "e-").replace("e+0", "e")


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return f"{value:.15g}" if isinstance(value, float) else str(value)
