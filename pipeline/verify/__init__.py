"""Check everything that a build promises."""

from pipeline.verify.build import Check, verify

__all__ = ["Check", "verify"]
