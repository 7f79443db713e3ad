"""Take pictures of every page of a running dashboard, at desktop and phone width, light and dark.

    python -m tests.dashboard.screenshots http://127.0.0.1:8501 FOLDER [--pages overview,theme] [--query w=30d]

With --docs it writes the pictures of the README to docs/images instead, small enough for a repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.dashboard.browser import launch

PAGES = {
    "overview": "",
    "theme": "theme?theme=cross_border_ecommerce",
    "security": "security?code=300592.SZ",
    "stories": "stories",
    "reports": "reports",
    "weekly": "reports?tab=weekly",
    "search": "search?q=游戏",
    "sql": "sql?sql=SELECT theme, uniqExact(document_id) AS n FROM document_themes FINAL GROUP BY theme",
    "system": "system",
}
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
DOCS = Path(__file__).parents[2] / "docs" / "images"


def settled(page: Page, address: str) -> None:
    """Open an address and wait until everything is drawn."""
    page.goto(address)
    page.locator(".fx-panel > *").first.wait_for()
    page.locator('.stApp[data-test-script-state="notRunning"]').wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)


def whole(page: Page, width: int, height: int) -> None:
    """Make the view as high as the page."""
    full = page.evaluate("document.querySelector('.stMain').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(max(full, height), 4000)})
    page.wait_for_timeout(1200)


def take(browser: Browser, site: str, folder: Path, names: list[str], query: str) -> None:
    """Whole pages in every size and scheme: FOLDER/NAME-SIZE-SCHEME.png."""
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                timezone_id="Asia/Shanghai",
                locale="zh-CN",
            )
            page = context.new_page()
            for name in names:
                page.set_viewport_size({"width": width, "height": height})
                settled(page, address(site, name, query))
                whole(page, width, height)
                page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
                print(f"{name}-{size}-{scheme}.png")
            context.close()


def for_docs(browser: Browser, site: str, query: str) -> None:
    """The README's pictures."""
    DOCS.mkdir(parents=True, exist_ok=True)
    wanted = (
        ("overview", "overview", "light", ""),
        ("overview-dark", "overview", "dark", ""),
        ("overview-en", "overview", "light", "lang=en"),
        ("theme", "theme", "light", ""),
        ("security", "security", "light", ""),
    )
    for name, path, scheme, more in wanted:
        context = browser.new_context(
            viewport={"width": 1440, "height": 1080},
            color_scheme="dark" if scheme == "dark" else "light",
            locale="zh-CN",
        )
        page = context.new_page()
        settled(page, address(site, path, "&".join(filter(None, (query, more)))))
        page.screenshot(path=DOCS / f"{name}.png")
        print(f"{name}.png {(DOCS / f'{name}.png').stat().st_size // 1000} kB")
        context.close()


def address(site: str, name: str, query: str) -> str:
    path = PAGES[name]
    return f"{site}/{path}{('&' if '?' in path else '?') + query if query else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("screenshots"))
    parser.add_argument("--pages", default=",".join(PAGES))
    parser.add_argument("--query", default="", help="URL parameters: w=30d, or w=custom&days=2026-11-09,2026-11-13")
    parser.add_argument("--docs", action="store_true")
    given = parser.parse_args()
    with sync_playwright() as playwright:
        browser = launch(playwright)
        if given.docs:
            for_docs(browser, given.site, given.query)
        else:
            given.folder.mkdir(parents=True, exist_ok=True)
            take(browser, given.site, given.folder, given.pages.split(","), given.query)


if __name__ == "__main__":
    main()
