"""The errors that a user can cause.

Messages say what is wrong, where, what was found, what was expected and what to do. Console
commands print them without a traceback and exit with status 1; from Python they are `ValueError`s.
"""

import contextlib
import sys
from collections.abc import Iterator


class InputError(ValueError):
    """Something that the user gave cannot be used as it is."""


class ParameterError(InputError):
    """A parameter is unknown, of the wrong type or out of its range."""


class ArtefactError(InputError):
    """A built artefact is damaged, of another version, or belongs to other data."""


@contextlib.contextmanager
def exit_with_message() -> Iterator[None]:
    """Let a console command end with one line and status 1 instead of a traceback."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted; earlier outputs are untouched", file=sys.stderr)
        raise SystemExit(130) from None
