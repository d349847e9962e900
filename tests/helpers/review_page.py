"""The page of a review in a browser."""

import json
import time

import numpy as np

#: Planes by the numbers of the viewer.
AXIAL, CORONAL, SAGITTAL = 0, 1, 2
PATIENCE_S = 90


class Page:
    """The page in a tab; what went wrong in it is kept."""

    def __init__(self, context, url):
        self.page = context.new_page()
        self.problems = []
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("requestfailed", lambda request: self.problems.append(request.url))
        self.page.goto(url)

    def get(self, expression):
        return self.page.evaluate(f"() => ({expression})")

    def wait(self, expression):
        """Wait; the rules of the page forbid Playwright's own way."""
        until = time.monotonic() + PATIENCE_S
        while not self.get(f"Boolean({expression})"):
            if time.monotonic() > until:
                raise TimeoutError(f"{expression}: {self.status!r}, {self.problems}")
            time.sleep(0.05)

    def opened(self):
        self.wait("globalThis.review && review.state.details && !review.viewer.isLoading")
        return self

    @property
    def status(self):
        return self.page.inner_text("#status")

    def told(self, text):
        self.wait(f"document.getElementById('status').textContent.includes({json.dumps(text)})")

    def choose(self, name):
        self.page.click(f"#images button:has-text('{name}')")
        self.wait(f"review.state.details?.name.includes('{name}')")
        self.opened()

    def tool(self, name):
        self.page.click(f"[data-tool={name}]")

    def place(self, plane, across, down):
        """Return a place in a plane on the screen, as fractions of its tile."""
        x, y, width, height = self.get(
            f"[...review.viewer.niivue.screenSlices.find(s => s.axCorSag === {plane}).leftTopWidthHeight]"
        )
        left, top = self.get("(b => [b.x, b.y])(document.getElementById('canvas').getBoundingClientRect())")
        scale = self.get("review.viewer.niivue.uiData.dpr")
        return left + (x + across * width) / scale, top + (y + down * height) / scale

    def stroke(self, plane, *places):
        mouse = self.page.mouse
        mouse.move(*self.place(plane, *places[0]))
        mouse.down()
        for each in places[1:]:
            mouse.move(*self.place(plane, *each), steps=6)
        mouse.up()

    def click(self, plane, across, down):
        self.page.mouse.click(*self.place(plane, across, down))

    @property
    def mask(self):
        """The mask that is drawn, with the axes of the page."""
        shape, ones = self.get(
            "[review.viewer.shape, Array.from(review.viewer.mask().keys()).filter(n => review.viewer.mask()[n])]"
        )
        mask = np.zeros(int(np.prod(shape)), np.uint8)
        mask[ones] = 1
        return mask.reshape(shape, order="F")


def where(i, j, k, shape, *, axial):
    """Return the place of a voxel in the axial or sagittal plane; the person's right and front are on the left."""
    nx, ny, nz = shape
    return (1 - (i + 0.5) / nx, 1 - (j + 0.5) / ny) if axial else (1 - (j + 0.5) / ny, 1 - (k + 0.5) / nz)
