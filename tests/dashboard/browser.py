"""The headless Chromium of the page tests: the system's where there is one, otherwise Playwright's own."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Error, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = (
    "no Chromium: install the system's (Debian: apt-get install chromium) or Playwright's (playwright install chromium)"
)


def launch(playwright: Playwright) -> Browser:
    """A running browser. Raises RuntimeError that says how to get one."""
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    system = next((path for name in NAMES if (path := shutil.which(name))), None)
    try:
        return playwright.chromium.launch(executable_path=system, args=arguments)
    except Error as error:
        raise RuntimeError(f"{REMEDY}\n{error.message}") from None
