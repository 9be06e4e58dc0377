"""The version of this project, as it is installed."""

from importlib import metadata


def version() -> str:
    """The version of the installed package; a mere folder of sources has none."""
    try:
        return metadata.version("dcell")
    except metadata.PackageNotFoundError:
        return "unknown: not installed"
