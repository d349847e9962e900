"""A tab of Chromium without network, which keeps what went wrong and what was asked for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

#: The browser looks nothing up by itself.
FLAGS = ("--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync")

#: Without a graphics card, WebGL is computed by the processor.
GRAPHICS = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")


def find_chromium() -> str | None:
    """Return the program, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromium(program: str, *flags: str) -> Iterator[Browser]:
    """Start the browser with further flags, and end it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, *flags, "--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """One page at a time; ``problems`` and ``requests`` are those since it was opened."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._context = None
        self.page = None
        self.problems: list[str] = []
        self.requests: list[str] = []

    def open(self, url: str, *, width: int = 1280, scripts: bool = True, **more) -> None:
        """Open a page in a context of its own, with further properties of that, and wait until it is loaded."""
        self.close()
        self._context = self._browser.new_context(
            offline=True,
            java_script_enabled=scripts,
            viewport={"width": width, "height": 900},
            accept_downloads=True,
            **more,
        )
        self.page = self._context.new_page()
        self.problems, self.requests = [], []
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("requestfailed", lambda request: self.problems.append(request.url))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)

    def close(self) -> None:
        """Close the page."""
        if self._context is not None:
            self._context.close()
            self._context = None

    def evaluate(self, expression: str):
        """Return the value of a JavaScript expression."""
        return self.page.evaluate(f"() => ({expression})")

    def press(self, key: str) -> None:
        """Press and release a key."""
        self.page.keyboard.press("Space" if key == " " else key)
