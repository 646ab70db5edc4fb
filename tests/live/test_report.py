# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The web page of the report in a real browser, on a screen and on a phone, in light and dark mode."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._report import Overview
from ansible_collections.proxbox.proxbox.plugins.module_utils._report_html import page
from ansible_collections.proxbox.proxbox.tests.unit import reports
from ansible_collections.proxbox.proxbox.tests.unit.plugins.module_utils.test_report_html import Node, Page

SCREEN, PHONE = 1280, 400
"""Widths in pixels."""

DARK = "--blink-settings=preferredColorScheme=0"
"""The option of Chromium for dark mode."""

MEASURE = """
<script>
const numbers = color => color.match(/[0-9.]+/g).map(Number);
const light = color => numbers(color).slice(0, 3)
  .map(part => part / 255).map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const behind = node => {
  const color = getComputedStyle(node).backgroundColor;
  return numbers(color)[3] === 0 ? behind(node.parentElement) : color;
};
const contrast = node => {
  const [more, less] = [getComputedStyle(node).color, behind(node)].map(light).sort((one, other) => other - one);
  return (more + 0.05) / (less + 0.05);
};
addEventListener("load", () => {
  const texts = [...document.querySelectorAll("main *")].filter(
    node => [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim()));
  const shown = texts.filter(node => !node.closest(".hidden"));
  const measured = {
    width: document.documentElement.scrollWidth,
    background: getComputedStyle(document.body).backgroundColor,
    contrast: Math.min(...shown.map(contrast)),
    sizes: Math.min(...shown.map(node => parseFloat(getComputedStyle(node).fontSize))),
    bars: [...document.querySelectorAll(".bar")].map(bar => bar.offsetHeight),
    loaded: performance.getEntriesByType("resource").length,
  };
  document.body.dataset.measured = JSON.stringify(measured);
});
</script>
"""
"""Measures the page: its width, the lowest contrast, the smallest text, and the heights of the bars."""


class Browser:
    """Chromium without a window."""

    def __init__(self, program: str, folder: Path) -> None:
        self._folder = folder
        self._program = program

    def dom(self, text: str, *options: str) -> Node:
        """Return the page as the browser has parsed it."""
        return Page(self._run(text, "--dump-dom", *options)).root

    def measured(self, report: Overview, width: int, *options: str) -> dict[str, Any]:
        """Return the measurements of the page."""
        # The page itself allows no script.
        text = (
            page(report)
            .replace("default-src 'none'", "script-src 'unsafe-inline'")
            .replace("</main>", f"</main>{MEASURE}")
        )
        body = self.dom(text, f"--window-size={width},1000", *options).one("body")
        found: dict[str, Any] = json.loads(body.attributes["data-measured"] or "")
        return found

    def screenshot(self, report: Overview, width: int, *options: str) -> tuple[int, bytes]:
        """Return the width of a picture of the page, and the picture."""
        path = self._folder / "page.png"
        self._run(page(report), f"--window-size={width},1000", f"--screenshot={path}", *options)
        picture = path.read_bytes()
        assert picture.startswith(b"\x89PNG")
        return struct.unpack(">I", picture[16:20])[0], picture

    def _run(self, text: str, *options: str) -> str:
        path = self._folder / "page.html"
        path.write_text(text, encoding="utf-8")
        command = [self._program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={self._folder / 'profile'}", *options, path.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    """Chromium. The test is skipped if Chromium cannot be installed."""
    found = json.loads(os.environ["PROXBOX_BROWSER"])
    if "missing" in found:
        pytest.skip(found["missing"])
    return Browser(found["program"], tmp_path)


def test_the_page_shows_all_schedules_and_is_readable(browser: Browser) -> None:
    pictures = []
    for report in (reports.all_well(), reports.failing(), reports.empty()):
        found = browser.dom(page(report))
        assert [text.text for text in found.all("h1")] == ["Proxbox sync schedules"]
        assert f"{report.summary()}." in found.one("main").text
        rows = found.one("tbody").all("tr") if report.rows else []
        assert [row.one("th").text for row in rows] == [row.name for row in report.rows]
        assert [row.all("td")[0].text for row in rows] == [row.label for row in report.rows]
        reasons = [item.text for section in found.all("section") for item in section.all("li")]
        assert reasons == [*report.problems(), *report.remarks()]
        assert not found.all("b"), "HTML in a name is shown as text"
        more = [(SCREEN, True), (PHONE, False)] if report.unwell else []
        for width, dark in [(SCREEN, False), *more]:
            options = [DARK] * dark
            seen = browser.measured(report, width, *options)
            assert seen["width"] == width, "nothing is wider than the window"
            assert seen["background"] == ("rgb(13, 17, 23)" if dark else "rgb(246, 247, 249)")
            assert seen["contrast"] >= 4.5 and seen["sizes"] >= 12 and seen["loaded"] == 0
            runs = [run for row in report.rows for run in reversed(row.runs)]
            assert len(seen["bars"]) == len(runs) and all(height >= 3 for height in seen["bars"])
            picture_width, picture = browser.screenshot(report, width, *options)
            assert picture_width == width
            pictures.append(picture)
    assert len(set(pictures)) == 5


def test_the_longest_run_has_the_highest_bar(browser: Browser) -> None:
    report = reports.overview(reports.all_well().rows[1:2])
    bars = browser.measured(report, SCREEN)["bars"]
    took = [run["duration"] for run in reversed(report.rows[0].runs)]
    assert bars[took.index(max(took))] == max(bars) == 30
    assert bars[took.index(min(took))] == min(bars) < 20
