"""The HTML report in a real browser."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import threading

import pytest

from fanwise.progress.html import render_html
from support.sample_report import sample_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = """
--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-default-apps --disable-extensions
--enable-logging=stderr --virtual-time-budget=3000 --dump-dom
"""


@pytest.fixture
def browser(tmp_path):
    """Opens a page and returns its document and what was said on its console."""
    if CHROMIUM is None:
        reason = "needs Debian's chromium"
        if os.environ.get("FANWISE_TEST_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    program: str = CHROMIUM

    def look(url):
        profile = tmp_path / "profile"
        found = subprocess.run(
            [program, *FLAGS.split(), f"--user-data-dir={profile}", url],
            capture_output=True,
            text=True,
            timeout=90,
            check=True,
        )
        console = re.findall(r"CONSOLE.*", found.stderr)
        return found.stdout, console

    return look


@pytest.fixture
def site():
    """A server on loopback: pages by path, and the paths that were asked for."""
    pages: dict[str, str] = {}
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = pages.get(self.path, "").encode()
            self.send_response(200 if self.path in pages else 404)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", pages, asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.chromium
def test_the_report_runs_nothing_and_loads_nothing(browser, site, tmp_path):
    url, _, asked = site
    hostile = (
        f"'\"></title><script>fetch('{url}/script')</script><img src={url}/image>"
        f"<style>@import '{url}/style';</style><svg onload=fetch('{url}/svg')>"
    )
    page = tmp_path / "report.html"
    page.write_text(render_html(sample_report(60, hostile=hostile)), encoding="utf-8")
    document, console = browser(page.as_uri())
    assert console == []
    assert asked == []
    assert document.count("<g>") == 60
    assert "&lt;script&gt;fetch" in document
    assert not re.search(r"<(script|img|iframe|link)\b", document)


@pytest.mark.chromium
def test_a_page_that_did_would_be_noticed(browser, site, tmp_path):
    url, _, asked = site
    page = tmp_path / "bad.html"
    page.write_text(f"<img src='{url}/image'><script>console.error('said')</script>")
    _, console = browser(page.as_uri())
    assert any("said" in line for line in console)
    assert asked == ["/image"]


@pytest.mark.chromium
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_is_never_wider_than_its_window(browser, site, width):
    url, pages, _ = site
    long_word = "x" * 300
    pages["/report"] = render_html(sample_report(60, hostile=long_word))
    pages["/frame"] = f"""<iframe id=f src=/report width={width} height=900></iframe><script>
        f.onload = () => {{
          const page = f.contentDocument.documentElement;
          document.title = page.scrollWidth + " of " + page.clientWidth;
        }}</script>"""
    document, _ = browser(f"{url}/frame")
    measured = re.search(r"<title>(\d+) of (\d+)</title>", document)
    assert measured, document[:500]
    assert int(measured[1]) <= int(measured[2])
