"""The version of this project, as it is installed."""

from importlib import metadata


def version() -> str:
    """That of the installed package; what lies in a folder only has none."""
    try:
        return metadata.version("dcell")
    except metadata.PackageNotFoundError:
        return "unknown: not installed"
