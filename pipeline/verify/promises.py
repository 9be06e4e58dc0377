"""What is said of a promise that is not kept."""


class BrokenPromiseError(Exception):
    """A promise that is not kept."""


def require(condition: bool, message: str) -> None:
    """Raise `BrokenPromiseError` with a message unless a condition holds."""
    if not condition:
        raise BrokenPromiseError(message)
