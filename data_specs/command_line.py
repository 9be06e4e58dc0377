"""Commands of `dcell` and `dcell-data`: frozen dataclasses whose fields are the options.

A field says everything about its option: type and bounds as at a parameter
(`data_specs.parameters.sections`), the default, and the help as a text among the type's marks. The
option of `part_rows` is `--part-rows`, that of `with_` is `--with`; a `rlipp` that is true by
default has `--no-rlipp`. The docstring is the command's help; a call of an instance runs it.
"""

import argparse
import dataclasses
import inspect
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

from data_specs.errors import ParameterError, exit_with_message
from data_specs.outputs import output_path
from data_specs.parameters import SECTIONS, Parameters, Values, fit, override, read, unknown
from data_specs.terminal import as_typed
from data_specs.version import version


@dataclass(frozen=True, slots=True)
class Metavar:
    """How `--help` writes a value, and the option before it: none, or also a former name."""

    name: str
    positional: bool = False
    former: str = ""


File = Annotated[Path, Metavar("F")]
Folder = Annotated[Path, Metavar("DIR")]
OutputFile = Annotated[Path, Metavar("F"), output_path]
OutputFolder = Annotated[Path, Metavar("DIR"), output_path]
Build = Annotated[Path, Metavar("DIR"), "folder of a build"]
BuildArgument = Annotated[Path, Metavar("DIR", positional=True), "folder of a build"]
Checkpoint = Annotated[Path, Metavar("F"), "checkpoint.pt of a run; nothing else is needed"]
Name = Annotated[str, as_typed]
Assignments = Annotated[
    tuple[str, ...], Metavar("KEY=VALUE"), "parameters; `dcell-data parameters` prints all"
]

_METAVARS = {int: "N", float: "X", str: "NAME"}
_KEY = "parameter"


class Command(Protocol):
    """A frozen dataclass of options."""

    def __call__(self) -> None:
        """Run the command."""


def sets(key: str, *, required: bool = False) -> Any:
    """A field that gives a parameter: its type, bounds and help are those of the parameter."""
    default: Any = {} if required else {"default": None}
    return field(metadata={_KEY: key}, **default)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakesParameters:
    """The options with which a command of either program takes parameters."""

    parameters: Annotated[
        Path | None,
        Metavar("F", former="--params"),
        "parameters to start from: YAML or JSON, such as params.json of a build",
    ] = None
    set: Assignments = ()

    def over(self, base: Mapping[str, Any]) -> Values:
        """The values of the file, or else those of `base`, with those of the options over them."""
        given = read(self.parameters) if self.parameters else dict(base)
        for key, value in self._by_options().items():
            section, _, name = key.partition(".")
            given[section] = {**(given.get(section) or {}), name: value} if name else value
        return override(given, self.set)

    def assignments(self) -> list[str]:
        """What the options give, as `section.key=value`."""
        return [*self.set, *(f"{key}={value}" for key, value in self._by_options().items())]

    def _by_options(self) -> Values:
        """Parameters that have an option of their own, as given; refuse those given twice."""
        found: Values = {}
        for option in dataclasses.fields(self):
            value = getattr(self, option.name)
            if (key := option.metadata.get(_KEY)) and value is not None:
                for assignment in self.set:
                    if assignment.startswith(f"{key}="):
                        raise ParameterError(
                            f"--set {assignment}: {_flag(option)} gives {key} too; omit one of them"
                        )
                found[key] = value
        return found


def run_program(
    program: str,
    about: str | None,
    commands: Sequence[type[Command]],
    arguments: Sequence[str] | None = None,
) -> None:
    """Run the command that the arguments name; an input error is one line and status 1."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("--version", action="version", version=f"{program} {version()}")
    group = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    named = {command.__name__.lower(): command for command in commands}
    parsers = {
        name: _add_options(group.add_parser(name, help=_paragraphs(command)[0]), command)
        for name, command in named.items()
    }
    with exit_with_message():
        words = sys.argv[1:] if arguments is None else arguments
        if words and not words[0].startswith("-") and words[0] not in named:
            raise ParameterError(unknown(words[0], named, program))
        given, rest = parser.parse_known_args(words)
        values = vars(given)
        name = values.pop("command")
        _options(parsers[name], named[name], values, rest)()


def run_command(
    program: str, command: type[Command], arguments: Sequence[str] | None = None
) -> None:
    """Run a program of one command, as `run_program` does."""
    parser = _add_options(argparse.ArgumentParser(prog=program), command)
    with exit_with_message():
        given, rest = parser.parse_known_args(arguments)
        _options(parser, command, vars(given), rest)()


def _options(
    parser: argparse.ArgumentParser, command: Any, given: Values, rest: Sequence[str]
) -> Command:
    """The command with what was given, each value held to its type and bounds."""
    known = {option.name: _flag(option) for option in dataclasses.fields(command)}
    if rest and rest[0].startswith("-"):
        raise ParameterError(unknown(rest[0], known.values(), parser.prog))
    if rest:
        raise ParameterError(f"{parser.prog}: '{rest[0]}' belongs to no option")
    fitted: Command = command(
        **{
            name: fit(given[name], hint, known[name])
            for name, hint in _hints(command).items()
            if name in given
        }
    )
    return fitted


def _add_options(parser: argparse.ArgumentParser, command: Any) -> argparse.ArgumentParser:
    paragraphs = _paragraphs(command)
    lists = [n for n, text in enumerate(paragraphs) if text.split("\n")[0].endswith(":")]
    end = lists[0] if lists else len(paragraphs)
    parser.description = "\n\n".join(paragraphs[:end])
    parser.epilog = "\n\n".join([*paragraphs[end:], *getattr(command, "NOTES", ())])
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    hints = _hints(command)
    declared = inspect.get_annotations(command)
    for option in sorted(
        dataclasses.fields(command), key=lambda option: option.name not in declared
    ):
        _add_option(parser, option, hints[option.name])
    return parser


def _add_option(parser: Any, option: Any, hint: Any) -> None:
    core, *marks, text = get_args(hint)
    flag, required = _flag(option), option.default is MISSING
    if option.default not in (None, (), MISSING) and core is not bool:
        several = isinstance(option.default, tuple)
        shown = " ".join(map(str, option.default)) if several else f"{option.default}"
        text = f"{text} (default: {shown})".strip()
    given = {"help": text.replace("%", "%%"), "default": argparse.SUPPRESS, "dest": option.name}
    if core is bool:
        parser.add_argument(flag, action=f"store_{not option.default}".lower(), **given)
        return
    if get_origin(core) is tuple:
        given |= {"nargs": "+", "action": "extend"}
        core, inner = _unfolded(get_args(core)[0])
        marks = [*inner, *marks]
    choices = "{" + ",".join(map(str, get_args(core))) + "}"
    of_type = choices if get_origin(core) is Literal else _METAVARS.get(core, "")
    metavar = next(
        (mark for mark in reversed(marks) if isinstance(mark, Metavar)), Metavar(of_type)
    )
    if metavar.positional:
        parser.add_argument(option.name, metavar=metavar.name, help=given["help"])
    else:
        flags = [flag, metavar.former] if metavar.former else [flag]
        parser.add_argument(*flags, metavar=metavar.name, required=required, **given)


def _flag(option: Any) -> str:
    name = option.name.rstrip("_").replace("_", "-")
    return f"--no-{name}" if option.default is True else f"--{name}"


def _paragraphs(command: Any) -> list[str]:
    """The docstring's: what the command does, more of it, and lists that end in examples."""
    return inspect.cleandoc(command.__doc__).split("\n\n")


def _hints(command: Any) -> Values:
    """Each option's type or that of its parameter, without `| None`; the last mark is the help."""
    result = {}
    hints = get_type_hints(command, include_extras=True)
    for option in dataclasses.fields(command):
        hint, more = hints[option.name], ""
        if key := option.metadata.get(_KEY):
            section, _, name = key.rpartition(".")
            hint = get_type_hints(SECTIONS.get(section, Parameters), include_extras=True)[name]
            more = f" (sets {key})" if section else ""
            if section == "sources":  # those are paths
                hint = Annotated[hint, Metavar("F")]
        core, marks = _unfolded(hint)
        texts = ["", *(mark for mark in marks if isinstance(mark, str))]
        result[option.name] = Annotated[(core, *marks, f"{texts[-1]}{more}".strip())]
    return result


def _unfolded(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without its marks and without `| None`, and the marks, the outermost last."""
    if get_origin(hint) is Annotated:
        core, marks = _unfolded(get_args(hint)[0])
        return core, (*marks, *get_args(hint)[1:])
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (part for part in get_args(hint) if part is not type(None))
        return _unfolded(inner)
    return hint, ()
