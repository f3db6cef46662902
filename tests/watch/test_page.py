# SPDX-License-Identifier: MIT
"""The status page: as bytes, and as a browser shows it."""

import base64
import hashlib
import html.parser
import json
import re
import signal

import pytest

from browser import Browser
from generator import length_field
from support import ROOT, wait_for
from watching import Endpoint, need, watched

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def endpoint(any_server, varve):
    """varve, after a commit of 100 rows; it knows secrets, and events say what they like."""
    any_server.generate(99)
    any_server.publish([length_field(2, HOSTILE) + length_field(6, HOSTILE)])
    port = any_server.port
    servers = {"servers": [f"nats://somebody:in-the-url@127.0.0.1:{port}"], "password": "hunter2"}
    config = watched(varve, nats={**servers, "user": "u"}, alerts={"subject": ""})
    process = varve.start(config=config)
    process.wait_rows(100)
    any_server.wait_acked(100)
    endpoint = Endpoint(process)
    endpoint.wait_ready(True)
    return endpoint


@pytest.fixture
def browser(tmp_path):
    browser = Browser(need("chromium"), tmp_path / "chromium")
    yield browser
    browser.close()


class Tags(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.seen, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


# ---- as bytes ------------------------------------------------------------------------------------


def test_page_is_small_and_self_contained(endpoint):
    status, headers, body = endpoint.get("/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert len(body) < 32 * 1024
    tags = Tags(body.decode())
    assert not tags.open
    for tag, attributes in tags.seen:
        assert tag not in ("iframe", "object", "embed", "img", "form")
        for name in ("src", "href"):
            link = attributes.get(name, "metrics")
            assert link in ("metrics", "readyz", "status.json") or link.startswith("data:image/")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    ids = [attributes["id"] for _, attributes in tags.seen if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_policy_allows_what_is_in_the_page_and_nothing_else(endpoint):
    _, headers, body = endpoint.get("/")
    parts = headers["Content-Security-Policy"].split(";")
    policy = dict(part.strip().split(" ", 1) for part in parts)
    assert policy["default-src"] == "'none'"
    for tag in ("style", "script"):
        [inline] = re.findall(f"<{tag}>(.*?)</{tag}>".encode(), body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline).digest()).decode()
        assert policy[f"{tag}-src"] == f"'sha256-{digest}'"


def test_page_and_json_say_the_same(endpoint):
    page, status = endpoint.text("/"), endpoint.status()
    assert status["ready"] is True and status["reasons"] == [] and status["version"] == 1
    assert status["connection"]["connected"] is True
    assert f"connected to {status['connection']['server']}" in page
    [stream] = status["streams"]
    assert stream["committed"] == 100 and stream["lag"] == 0
    assert sum(commit["rows"] for commit in status["commits"]) == 100
    for commit in status["commits"]:
        for shown in (commit["reason"], commit["rows"], commit["time"][11:19]):
            assert f">{shown}</td>" in page


def test_each_member_of_the_json_is_documented(endpoint):
    """By its name, in a table; and each that is listed is there."""
    chapter = (ROOT / "tools/share/doc/watch.md").read_text().split("## status.json", 1)[1]
    listed = set(re.findall(r"^\| ([a-z_.]+(?:\[\][a-z_.]*)*) \|", chapter, re.MULTILINE))

    def names(value, prefix=""):
        for key, inner in value.items():
            if isinstance(inner, dict):
                yield from names(inner, f"{prefix}{key}.")
            elif isinstance(inner, list) and inner and isinstance(inner[0], dict):
                yield from names(inner[0], f"{prefix}{key}[].")
            else:
                yield prefix + key

    alert = {
        f"alerts[].{name}" for name in ("name", "stream", "follower", "since", "until", "text")
    }
    members = ("name", "kind", "position", "lag", "lag_seconds", "rows", "refused", "failure")
    members += ("notes_removed", "memory_bytes", "files_fed", "files_read", "findings")
    follower = {f"followers[].{name}" for name in members}
    members = ("simulation_id", "events", "findings", "most")
    follower |= {f"followers[].simulations[].{name}" for name in members}
    assert (
        listed - {"member"}
        == set(names(endpoint.status())) - {"alerts", "followers"} | alert | follower
    )


def test_no_secret_and_nothing_of_an_event(endpoint):
    for path in ("/", "/status.json", "/metrics", "/readyz", "/nothing"):
        text = endpoint.text(path)
        for secret in ("hunter2", "in-the-url", "somebody", "onerror", "<img"):
            assert secret not in text


def test_names_are_escaped(any_server, varve):
    config = watched(varve, sources=[{"stream": "a<b&\"c'"}])
    endpoint = Endpoint(varve.start(config=config))
    assert ">a&lt;b&amp;&quot;c&#39;</td>" in endpoint.text("/")
    assert endpoint.status()["streams"][0]["stream"] == "a<b&\"c'"
    assert ("varve_acks_sent_total", "stream=a<b&\\\"c'") in endpoint.metrics()


# ---- in a browser --------------------------------------------------------------------------------


def test_it_shows_the_truth_before_and_after(endpoint, browser, any_server):
    browser.open(endpoint.url)
    assert browser.text("verdict").startswith("✓ readyevents become durable, since ")
    assert browser.text("connection").startswith(f"connected to 127.0.0.1:{any_server.port}")
    rows = (
        "[...document.querySelectorAll('#commits tbody tr')]"
        ".map(row => Number(row.children[3].textContent)).reduce((sum, n) => sum + n)"
    )
    assert browser.value(rows) == 100

    any_server.generate(50)
    wait_for(lambda: browser.value(rows) == 150, "the next commit on the page")

    any_server.stop(signal.SIGKILL)
    wait_for(lambda: "not connected to NATS" in browser.text("verdict"), "the page notices")
    assert browser.text("connection").startswith("not connected for ")
    assert browser.value("document.body.dataset.level") == "bad"
    wait_for(lambda: "nats_disconnected" in browser.text("alerts"), "the alert is shown")

    any_server.start()
    wait_for(lambda: browser.text("verdict").startswith("✓ ready"), "the page notices")
    assert browser.value("document.body.dataset.level") == "good"
    assert not browser.complaints()
    assert all(url == endpoint.url or url.startswith("data:") for url in browser.requests())


def test_it_says_when_varve_is_gone(endpoint, browser, varve):
    browser.open(endpoint.url)
    varve.started[0].stop()
    wait_for(lambda: "varve does not answer" in browser.text("verdict"), "the page notices")
    assert browser.value("document.body.dataset.level") == "bad"


def test_without_script(endpoint, browser):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(endpoint.url)
    shown = browser.call("DOM.getDocument", depth=-1)
    text = json.dumps(shown, ensure_ascii=False)
    assert "ready" in text and "events become durable" in text
    assert "connected to 127.0.0.1" in text
    # It loads itself again.
    wait_for(lambda: browser.requests().count(endpoint.url) > 1, "the page loads itself again")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits(endpoint, browser, width):
    """On a phone, nothing but tables scrolls sideways, and text is not tiny."""
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=800,
        deviceScaleFactor=2,
        mobile=width < 600,
    )
    browser.open(endpoint.url)
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("innerWidth") == width
    sizes = browser.value(
        "[...document.querySelectorAll('p,dt,dd,td,th,a,h2,span,.sub')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 13


def luminance(colour):
    def channel(value):
        value /= 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (channel(int(v)) for v in re.findall(r"\d+", colour)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(endpoint, browser, scheme):
    """Text has the contrast of WCAG level AAA in both schemes, and states are words."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", features=features)
    browser.open(endpoint.url)
    # The canvas has no colour of its own: it is the scheme's.
    probe = "Object.assign(document.createElement('p'), {id: 'probe'})"
    browser.value(f"document.body.appendChild({probe}).style.background = 'Canvas'")
    canvas = luminance(
        browser.value("getComputedStyle(document.getElementById('probe')).backgroundColor")
    )
    for id in ("verdict", "connection", "commits"):
        text = luminance(browser.value(f"getComputedStyle(document.getElementById('{id}')).color"))
        high, low = max(canvas, text), min(canvas, text)
        assert (high + 0.05) / (low + 0.05) >= 7
    state = browser.value("document.querySelector('#streams tbody tr').children[1].textContent")
    assert state == "pulling"
