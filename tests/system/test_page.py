"""The page of GET / in headless Chromium."""

import json
import urllib.request

import pytest

from lib.browser import Browser
from lib.process import free_port, wait_until
from lib.targets import echo, recv_exactly


@pytest.fixture
def browser():
    one = Browser()
    yield one
    one.close()


ROW = "document.querySelector('#tunnels [data-name=\"{}\"]')"


def state(name):
    return f"({ROW.format(name)} ?.dataset.state)"


POINTS = ROW.format("one") + ".querySelector('polyline').getAttribute('points').split(' ')"


def past(page):
    with urllib.request.urlopen(f"http://127.0.0.1:{page.http}/v1/traffic", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def page(adit, sshd, serve, tunnels, browser):
    """A tunnel on a page that is open."""
    class Page:
        server = sshd()
        port, http = free_port(), free_port()
        target = serve(echo)
    adit.configure(http_listen=f"127.0.0.1:{Page.http}", hosts={"server": tunnels.host(Page.server)},
                   tunnels={"one": tunnels.local(Page.port, Page.target.port)})
    adit.start()
    adit.wait_listening(Page.http)
    browser.open(f"http://127.0.0.1:{Page.http}/")
    browser.wait(f"{state('one')} === 'up'", "the tunnel that is up")
    return Page


def test_a_tunnel_goes_down_and_comes_back_without_a_reload(adit, page, browser):
    browser.run("window.witness = 1")
    page.server.stop()
    browser.wait(f"{state('one')} === 'down'", "the tunnel that went down")
    browser.wait(f"{ROW.format('one')}.querySelector('.reason').innerText.length > 10", "the reason")
    assert "1 down" in browser.run("document.querySelector('#counts').innerText")
    assert browser.run("document.title").startswith("1 not up")
    page.server.start()
    browser.wait(f"{state('one')} === 'up'", "the tunnel that came back")
    browser.wait(f"{ROW.format('one')}.querySelector('.reason').hidden", "the end of the reason")
    assert browser.run("window.witness") == 1
    with adit.connect(page.port) as client:
        for _ in range(20):
            client.sendall(b"x" * 10000)
            recv_exactly(client, 10000)
        browser.wait(f"/1 stream\\b/.test({ROW.format('one')}.innerText)", "the stream")
    browser.wait(f"/[1-9][0-9]* K/.test({ROW.format('one')}.innerText)", "the bytes")
    browser.wait(f"{POINTS}.some(point => Number(point.split(',')[1]) < 12)", "the peak in the graph")
    # Who opens the page now sees what was before.
    wait_until(lambda: any(past(page)["tunnels"][0]["bytes_per_s"]), "a sample of the traffic")
    browser.open(f"http://127.0.0.1:{page.http}/")
    browser.wait(f"{state('one')} === 'up'", "the page again")
    browser.wait(f"{POINTS}.length > 140 && {POINTS}.slice(0, -5).some(point => Number(point.split(',')[1]) < 12)",
                 "the peak that was before the page")
    assert past(page)["hosts"][0]["name"] == "server" and any(past(page)["hosts"][0]["bytes_per_s"])
    # A reload may take a forward away, and its bytes off the total.
    assert browser.run("(() => { const graph = new Graph(document.body); graph.add(5e9, 2); const rate = graph.add(1e9, 2); "
                       "graph.end(); graph.svg.remove(); return rate; })()") == 0
    assert not browser.complaints
    adit.stop()
    browser.wait("document.querySelector('#live').innerText.includes('no answer')", "the end of adit")


def test_a_tunnel_that_nobody_wants_is_no_alarm(adit, page, browser, tunnels, folder):
    adit.configure(http_listen=f"127.0.0.1:{page.http}", hosts={"server": tunnels.host(page.server)},
                   tunnels={"lazy": tunnels.local(free_port(), page.target.port, connect="on-demand")})
    assert adit.run("reload", "-s", folder / "control.sock").returncode == 0
    page.server.stop()  # or its link, which is up, would carry it
    browser.wait(f"{state('lazy')} === 'idle'", "the tunnel that is idle")
    assert browser.run("document.querySelector('#counts').innerText") == "1 idle"
    assert browser.run("document.title") == "adit"
    red = "getComputedStyle(document.documentElement).getPropertyValue('--down')"
    colours = browser.run(f"(() => {{ const probe = document.createElement('i'); probe.style.color = {red};"
                          "document.body.append(probe); return ['i', '.state', '.reason', '.forward .state'].map(what =>"
                          "getComputedStyle(document.querySelector(what === 'i' ? what : '#tunnels ' + what)).color); })()")
    assert colours[0] not in colours[1:]
    adit.stop()


def test_what_adit_says_is_text_and_never_markup(adit, page, browser, sshd, tunnels, folder):
    evil = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>"
    adit.configure(http_listen=f"127.0.0.1:{page.http}", hosts={"server": tunnels.host(page.server)},
                   tunnels={"evil": {"via": "server", "local": f"unix:{folder}/{evil}", "to": "127.0.0.1:1"}})
    assert adit.run("reload", "-s", folder / "control.sock").returncode == 0
    browser.wait(f"{ROW.format('evil')} ?.innerText.includes('<img src=x onerror=')", "the text")
    assert browser.run("window.hacked") is None
    assert browser.run("document.querySelectorAll('main img, main script').length") == 0
    adit.stop()


def test_a_thousand_tunnels_are_filtered_by_name_and_state(adit, page, browser, folder, tunnels):
    many = {f"tunnel-{i:04}": {"via": "server", "local": f"unix:{folder}/{i}", "to": "127.0.0.1:1", "enabled": i % 10 != 0}
            for i in range(1000)}
    adit.configure(http_listen=f"127.0.0.1:{page.http}", hosts={"server": tunnels.host(page.server)}, tunnels=many)
    assert adit.run("reload", "-s", folder / "control.sock").returncode == 0
    browser.wait("document.querySelectorAll('#tunnels article').length === 1000", "a thousand rows")
    # An update of all rows, in which nothing is new, makes no row anew and draws no graph that nobody sees.
    changes = browser.run("(() => { const o = new MutationObserver(() => {}), all = document.querySelector('#tunnels');"
                          "o.observe(all, {subtree: true, childList: true, attributes: true}); show(last);"
                          "const seen = o.takeRecords(); o.disconnect(); return {"
                          "rows: seen.filter(r => r.type === 'childList' && r.target.matches('#tunnels, article')).length,"
                          "graphs: seen.filter(r => r.target.matches('polyline')).length}; })()")
    assert changes["rows"] == 0 and 0 < changes["graphs"] < 100

    def shown(name, state):
        return browser.run(f"(() => {{ const n = document.querySelector('#name'), s = document.querySelector('#state');"
                           f"n.value = {json.dumps(name)}; s.value = {json.dumps(state)};"
                           "n.dispatchEvent(new Event('input')); s.dispatchEvent(new Event('change'));"
                           "return [...document.querySelectorAll('#tunnels article')].filter(r => !r.hidden).length; })()")
    assert shown("", "") == 1000
    assert shown("0042", "") == 1
    assert shown("TUNNEL-00", "") == 100
    assert shown("", "stopped") == 100
    assert shown("nothing", "") == 0
    assert not browser.run("document.querySelector('#none').hidden")
    adit.stop()


def test_it_fits_a_telephone_in_light_and_dark(adit, page, browser):
    browser.call("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=2, mobile=True)
    grounds = []
    for scheme in ("light", "dark"):
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        assert browser.run("document.documentElement.scrollWidth") <= 360
        grounds.append(browser.run("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]
    adit.stop()


def test_it_asks_nobody_else_and_its_policy_holds(adit, page, browser):
    sources = wait_until(lambda: browser.run("performance.getEntriesByType('resource').map(entry => entry.name)"), "requests")
    assert {source.split("?")[0] for source in sources} <= {f"http://127.0.0.1:{page.http}/v1/status",
                                                          f"http://127.0.0.1:{page.http}/v1/traffic", "data:,"}
    browser.run("(() => { const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
                "document.body.append(s); })()")
    assert browser.run("window.hacked") is None
    assert any("Content Security Policy" in text for text in browser.complaints)
    adit.stop()
