"""A headless Chromium for tests of pages; they are skipped, with the reason, where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

WHERE = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SERIOUS = {"serious", "critical"}


@contextmanager
def page_of(url: str, *, dark: bool = False, width: int = 1200) -> Iterator[Any]:
    """A page of a browser that reaches nothing but this machine; errors of its scripts fail the test."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = next((found for name in WHERE if (found := shutil.which(name))), None)
    if executable is None:
        pytest.skip(f"no browser is installed: {', '.join(WHERE)} were looked for")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        page.set_default_timeout(60_000)
        errors, elsewhere = list[str](), list[str]()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(("file:", "http://127.0.0.1")) else elsewhere.append(asked.url))
        page.goto(url)
        yield page
        browser.close()
        assert not errors
        assert not elsewhere


def faults_of(page: Any) -> list[str]:
    """What axe-core finds against people who cannot see or point, if it is serious."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in SERIOUS]
