"""A real browser, without its window, for the pages that people look at."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

NO_PLAYWRIGHT = "the browser test needs playwright, of the extra `dev`"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser on the PATH; looked for {', '.join(NAMES)}")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has none for root
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=sandbox)
        yield browser
        browser.close()


@contextlib.contextmanager
def seen(browser: Any, address: str, scheme: str, width: int = 390) -> Iterator[Any]:
    """A page as a narrow screen shows it, in a light or a dark scheme."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    try:
        page.set_default_timeout(20_000)
        page.goto(address)
        yield page
    finally:
        page.close()
