# SPDX-License-Identifier: MIT
"""The page in headless Chromium, or with --firefox in Firefox: each guided scenario, step by step against the host's objects
(build/web/play), undo, links, keys, and how it looks. Prints TAP."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import firefox
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

BUILD = pathlib.Path(os.environ.get("BUILD", "build")).resolve()
FIREFOX = "--firefox" in sys.argv
PAGE = BUILD / "web" / "leafcutter.html"
WORK = BUILD / "web" / "firefox" if FIREFOX else BUILD / "web"
SHOTS = WORK / "screenshots"
TRACE = WORK / "demonstration.trace"  # tests/web/run makes it
WIDTH = 1280


def read_scenarios():
    """[(name, [(words, [expected])])] of web/scenarios."""
    scenarios = []
    for line in open("web/scenarios", encoding="utf-8"):
        line = line.rstrip("\n")
        if line.startswith("="):
            scenarios.append((line[1:].split(":")[0].strip(), []))
        elif line.startswith("!"):
            scenarios[-1][1][-1][1].append(line[1:].strip())
        elif line and line[0] not in "#>":
            scenarios[-1][1].append((line, []))
    return scenarios


def on_host(steps):
    """[(answer, state)] of the same steps on the native objects, as the texts they are."""
    done = subprocess.run([BUILD / "web" / "play"], input="".join(s + "\n" for s in steps),
                          capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return list(zip(lines[::2], lines[1::2]))


def open_browser(dark=False):
    if FIREFOX:
        return firefox.Firefox(profile.name, dark, WIDTH)
    options = Options()
    for argument in ("headless", "no-sandbox", "disable-gpu", "no-first-run", "hide-scrollbars", "force-prefers-reduced-motion",
                     "disable-background-networking", "disable-component-update", "disable-sync",
                     f"window-size={WIDTH},1300", "user-data-dir=" + profile.name):
        options.add_argument("--" + argument)
    if dark:
        options.add_argument("--blink-settings=preferredColorScheme=0")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class Page:
    """The page as a user has it: what is clicked and typed, and what is there then."""

    def __init__(self, browser):
        self.browser = browser

    def open(self, hash_=""):
        self.browser.get("about:blank")
        self.browser.get(PAGE.as_uri() + hash_)
        wait(lambda: self.js("return document.body.dataset.ready") == "yes")

    def js(self, code, *arguments):
        return self.browser.execute_script(code, *arguments)

    def steps(self):
        return self.js("return page.steps.map((s) => [s.words, s.answer, s.state])")

    def press(self, id_):
        self.browser.find_element(By.ID, id_).click()

    def text(self, id_):
        return self.browser.find_element(By.ID, id_).text

    def keys(self, *keys):
        if FIREFOX:
            self.browser.keys(*keys)
        else:
            webdriver.ActionChains(self.browser).send_keys(*keys).perform()

    def shot(self, name):
        """The whole page, however long."""
        height = self.js("return document.documentElement.scrollHeight")
        self.browser.set_window_size(WIDTH, max(height + 20, 900))
        self.browser.save_screenshot(str(SHOTS / (name + ".png")))


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.05)


def same(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: found {found!r}, expected {expected!r}")


def check_scenario(name, steps):
    """Click through it: each step is on the page what it is on the host, and shows what it must."""
    page.open(f"#{name}!")
    host = on_host([words for words, _ in steps])
    for n, (words, expected) in enumerate(steps):
        if n:
            page.press("next")
        found = page.steps()
        same(len(found), n + 1, "steps done")
        same(found[n][0], words, "the step")
        same(found[n][1], host[n][0], f"the answer to '{words}' and the host's")
        same(found[n][2], host[n][1], f"the state after '{words}' and the host's")
        for text in expected:
            if text not in page.text("lines"):
                raise AssertionError(f"'{words}' does not show '{text}': {page.text('lines')}")
    same(page.js("return document.getElementById('next').disabled"), True, "the end is reached")
    page.shot(name)


def check_rivals():
    """transition=retype and fill=table: page and host agree, no leaf is lost, a fault fills a table."""
    steps = ["vm kvm-6.7 transition=retype fill=table", "mtrr all 1 UC 0x2000000 2M", "mtrr all 2 WC 0x2240000 256K",
             "read 0 0x2000000", "read 0 0x2240000", "iommu on", "context 0 1", "queue context device 0", "ring",
             "read 0 0x2240000"]
    page.open("#!" + ";".join(steps).replace(" ", "+"))
    host = on_host(steps)
    same([step[1:] for step in page.steps()], [list(pair) for pair in host], "answers and states")
    if "retyped" not in host[8][0] or "violation" in host[9][0] or "leaf WC" not in host[9][0]:
        raise AssertionError(host[8][0] + host[9][0])


def check_undo():
    """Each step can be undone, back to the first; and done again."""
    page.open(f"#{last_name}!")
    page.press("all")
    whole = page.steps()
    for left in range(len(whole) - 1, 0, -1):
        page.press("undo")
        same(page.steps(), whole[:left], "the steps after undo")
        same(page.js("return machine.state()"), whole[left - 1][2], "the machine after undo")
    same(page.js("return document.getElementById('undo').disabled"), True, "nothing left to undo")
    page.press("all")
    same(page.steps(), whole, "all done again")


def check_link():
    """The address is the scenario: opened anew it restores steps, machine and guide."""
    page.open(f"#{last_name}!")
    for _ in range(4):
        page.press("next")
    before, said = page.steps(), page.text("guide")
    link = page.browser.current_url
    same(page.js("return document.getElementById('link').href"), link, "the link shown")
    page.open(link[link.index("#"):])
    same(page.steps(), before, "the steps restored")
    same(page.text("guide"), said, "the guide's text")
    page.open("#!vm;frob+1")
    same([s[0] for s in page.steps()], ["vm"], "the steps of a link that ends in nonsense")
    for nonsense in ("#!frob", "#%E0%A4%A", "#nowhere!"):
        page.open(nonsense)
        same(len(page.steps()), 1, f"the steps of {nonsense}")


def check_forms():
    """What one does by hand is a step; a step that makes no sense is refused, and says why."""
    page.open()
    count = len(page.steps())
    for details in page.browser.find_elements(By.TAG_NAME, "details"):
        details.find_element(By.TAG_NAME, "summary").click()
    forms = page.browser.find_elements(By.CSS_SELECTOR, "#operations form")
    for form in forms[:-1]:
        form.find_element(By.TAG_NAME, "button").click()
        count += 1
        same(page.js("return page.error"), "", form.text)
        same(len(page.steps()), count, f"steps after '{form.text}'")
    page.shot("by-hand")
    field = forms[0].find_element(By.TAG_NAME, "input")
    field.clear()
    field.send_keys("nowhere", Keys.ENTER)
    same(len(page.steps()), count, "a refused step is none")
    if "expected read VCPU ADDRESS" not in page.text("lines"):
        raise AssertionError("not said what was expected: " + page.text("lines"))


def check_old_byte():
    """docs/page.md: three clicks in scenario 6 and a device reads an old byte, by name; DMA that is blocked says why."""
    page.open("#lost!")
    while page.steps()[-1][0] != "dma out 0 0x4000000":
        page.press("next")
    same(len(page.steps()), 10, "the step that docs/page.md names")
    for details in page.browser.find_elements(By.CSS_SELECTOR, "#operations details"):
        details.find_element(By.TAG_NAME, "summary").click()
    by_button = {form.find_element(By.TAG_NAME, "button").text: form
                 for form in page.browser.find_elements(By.CSS_SELECTOR, "#operations form")}
    byte = by_button["Write"].find_element(By.CSS_SELECTOR, "[name=byte]")
    byte.clear()
    byte.send_keys("0x77")
    by_button["Write"].find_element(By.TAG_NAME, "button").click()
    by_button["Device reads"].find_element(By.TAG_NAME, "button").click()
    for text in ("device 0 reads 0x00", "an old byte: vCPU 0 wrote 0x77, which is in the cache only"):
        if text not in page.text("lines"):
            raise AssertionError(f"not said: {text}: {page.text('lines')}")
    same([option.text for option in by_button["Skip zaps"].find_elements(By.TAG_NAME, "option")], ["on", "off"], "words of a switch")
    by_button["Skip zaps"].find_element(By.TAG_NAME, "button").click()
    if "clear_leaves()" not in page.text("lines"):
        raise AssertionError("not cited: " + page.text("lines"))
    page.open("#!vm;iommu+on;context+0+1;queue+context+device+0;ring;dma+in+0+0x4000000+1")
    if "device 0 may not write iova 0x4000000: reason 0x5, no page, or one that may not be written" not in page.text("lines"):
        raise AssertionError("not decoded: " + page.text("lines"))


def check_keys():
    """n and u step and undo; in the EPT arrows move, Enter opens a table and explains a leaf."""
    page.open("#demonstration!")
    page.keys("nnn")
    same(len(page.steps()), 4, "steps after three times n")
    page.keys("u")
    same(len(page.steps()), 3, "steps after u")
    page.keys("n")
    page.js("document.querySelector('#ept .level:last-child .cell[tabindex=\"0\"]').focus()")
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ENTER)
    why = page.text("why")
    if "ept_explain" not in why or "WB + ignore PAT" not in why:
        raise AssertionError("no explanation: " + why)


def check_looks():
    """Nothing below 12 px, nothing wider than the window, a letter on each coloured cell."""
    page.open(f"#{last_name}!")
    page.press("all")
    small = page.js("""return [...document.querySelectorAll('body *')].filter((e) =>
        e.textContent.trim() && parseFloat(getComputedStyle(e).fontSize) < 12).map((e) => e.outerHTML.slice(0, 80))""")
    same(small, [], "text below 12 px")
    page.press("show-time")
    page.press("trace-example")
    wait(lambda: "the demonstration" in page.text("trace-about"))
    small = page.js("""return [...document.querySelectorAll('svg')].filter((s) => s.getBoundingClientRect().width &&
        s.getBoundingClientRect().width / s.viewBox.baseVal.width < 0.95).length""")
    same(small, 0, "pictures drawn smaller than their letters")
    page.press("show-play")
    small = page.js("""return [...document.querySelectorAll('svg')].filter((s) => s.getBoundingClientRect().width &&
        s.getBoundingClientRect().width / s.viewBox.baseVal.width < 0.95).length""")
    same(small, 0, "pictures of the playground drawn smaller than their letters")
    page.browser.set_window_size(WIDTH, 900)
    if page.js("return document.documentElement.scrollWidth") > WIDTH:
        raise AssertionError("wider than the window")
    bare = page.js("""return [...document.querySelectorAll('.cell:not(.t-none)')].filter((c) =>
        !/^[BUCTPbuctp▸]$/.test(c.textContent)).length""")
    same(bare, 0, "coloured cells without a letter")


def check_dark():
    """In the dark the ground is dark, and the same is shown."""
    browser = open_browser(dark=True)
    try:
        dark = Page(browser)
        dark.open("#demonstration!")
        dark.press("all")
        same(dark.js("return matchMedia('(prefers-color-scheme: dark)').matches"), True, "it is dark")
        ground = dark.js("return getComputedStyle(document.body).backgroundColor")
        if max(map(int, re.findall(r"\d+", ground)[:3])) > 60:
            raise AssertionError("a light ground: " + ground)
        dark.shot("dark")
        same(browser.get_log("browser"), [], "the console")
    finally:
        browser.quit()


def on_terminal(*arguments):
    """What tools/trace prints."""
    return subprocess.run(["tools/trace", *arguments], capture_output=True, text=True, check=False).stdout


def open_trace(path):
    """By the file button, as somebody who chooses one."""
    page.open()
    page.press("show-time")
    page.browser.find_element(By.ID, "trace-file").send_keys(str(path))
    wait(lambda: path.name in page.text("trace-about"))


def check_trace():
    """A trace from Bochs: as many exits, zaps, INVEPTs and events, and the same table, as tools/trace."""
    open_trace(TRACE)
    lines = on_terminal(TRACE).splitlines()
    counts = [sum(text in line for line in lines) for text in ("", " exit: ", " zap from ", " INVEPT on ")]
    found = re.match(r"[^:]*: ([\d ]+) events, ([\d ]+) exits, (\d+) zaps, (\d+) INVEPTs", page.text("trace-about"))
    same([int(n.replace(" ", "")) for n in found.groups()], counts, "events, exits, zaps, INVEPTs")
    if "lost" in page.text("trace-about") or "cut off" in page.text("trace-about"):
        raise AssertionError(page.text("trace-about"))
    rows = page.js("""return reasons_of(time.trace).map((r) => [vm_name(r.vm), time.trace.reasons[r.reason], r.count,
        r.total, r.mean.toFixed(1), r.median, r.most99, r.most].join(' '))""")
    same(rows, [" ".join(line.split()) for line in on_terminal("--summary", TRACE).splitlines()[1:]], "the reasons")
    words = page.js("return time.trace.events.map((e) => text_of(e))")
    same(words, [re.sub(r"^ *\d+ cpu \d+ \S+ ", "", line) for line in lines], "the events in words")
    page.shot("timeline")


def check_rebuilt():
    """The EPT of any moment: each zap clears the leaves known, and the demonstration's are there."""
    open_trace(TRACE)
    page.browser.find_element(By.ID, "trace-search").send_keys("noncoherent count 0 -> 1")
    same(page.text("search-found"), "1 found, this is 1", "the transition")
    same(page.text("rebuilt-count"), "0", "leaves after it")
    page.browser.find_element(By.ID, "trace-search").clear()
    page.browser.find_element(By.ID, "trace-search").send_keys("zap", Keys.ENTER)
    before = page.js("return rebuild_ept(time.trace, 0, time.at - 1)").get("doubt")
    same(before, "", "doubt before a zap")
    page.js("document.getElementById('lanes').focus()")
    page.keys(Keys.END)
    same(page.js("return rebuild_ept(time.trace, 0, time.at).doubt"), "", "doubt at the end")
    lines = on_terminal(TRACE).splitlines()
    installed = sum(" leaf, " in line for line in lines)
    cleared = sum(int(re.search(r"bytes: (\d+) leaves", line)[1]) for line in lines if " zap from " in line)
    same(page.text("rebuilt-count"), str(installed - cleared), "leaves at the end")
    page.keys("+++", Keys.ARROW_LEFT, "-")


def make_trace(name, *words, **environment):
    """A run in Bochs, traced: its file, and what the monitor says of the EPT at each transition and at the end."""
    path = TRACE.with_name(name + ".trace")
    subprocess.run(["tests/web/trace", path, *words], check=True, env={**os.environ, **environment})
    return path, runs_said(path)


def runs_said(path):
    """The monitor's runs of leaves at each stop: [[(first, last, leaves, size, rights and type)]]."""
    stops = []
    for line in path.with_name(path.name + ".console").read_text(encoding="utf-8").splitlines():
        if line.endswith("> ept"):
            stops.append([])
        run = re.match(r"hv:   (0x[0-9a-f]+)-(0x[0-9a-f]+) +(\d+) leaves of (\w+), (.*)", line)
        if run:
            stops[-1].append([int(run[1], 16), int(run[2], 16), int(run[3]), run[4], run[5]])
    return stops


# The same of the page's leaves, behind event 'number' and what belongs to the same exit.
RUNS_REBUILT = """const T = time.trace.types, events = time.trace.events;
    let at = arguments[0];
    while (at + 1 < events.length && events[at + 1].type !== T.EXIT) at++;
    const {leaves, doubt} = rebuild_ept(time.trace, 0, at), runs = [];
    if (doubt) return doubt;
    for (const [gpa, l] of [...leaves].sort((x, y) => x[0] - y[0])) {
        const last = runs[runs.length - 1], rights = [...'RWX'].map((r, i) => l.bits >> i & 1 ? r : '-').join('');
        const what = rights + ', ' + leaf_type(l.bits) + (leaf_pat(l.bits) ? '' : ' + ignore PAT'), size = LEVEL_NAME[l.level];
        if (last && last[1] + 1 === gpa && last[3] === size && last[4] === what) { last[1] = gpa + l.size - 1; last[2]++; }
        else runs.push([gpa, gpa + l.size - 1, 1, size, what]);
    }
    return runs"""


def check_rebuilt_exactly():
    """The EPT rebuilt is the hypervisor's, at each transition and at the end: zap, retype, tables filled, two copies."""
    for name, *words in (("memtypes", "memtypes"), ("retype", "memtypes", "transition=retype"),
                         ("table", "memtypes", "fill=table"), ("both", "memtypes", "transition=retype", "fill=table"),
                         ("coherence", "coherence"), ("copies", "coherence", "fill=table")):
        path, said = make_trace(name, *words)
        open_trace(path)
        stops = page.js("""const T = time.trace.types;
            return time.trace.events.filter((e) => e.type === T.TRANSITION || e.type === T.END).map((e) => e.number)""")
        same(len(stops), len(said), f"stops of {name}")
        for number, runs in zip(stops, said):
            same(page.js(RUNS_REBUILT, number), runs, f"{name}: the EPT behind event {number}")
    # Two vCPUs on two CPUs tell beside each other: at the end all is told.
    smp, said = make_trace("smp", "smp", CPUS="2", STOPS="exit")
    open_trace(smp)
    same(page.js(RUNS_REBUILT, page.js("return time.trace.events.length - 1")), said[-1], "smp: the EPT at the end")
    # A hole in the last of them: nothing is known until all runs are told again, then all is.
    holes, data = path.with_name("holes.trace"), path.read_bytes()
    holes.write_bytes(data[:6400] + data[6400 + 32 * 3:])
    open_trace(holes)
    doubts = page.js("""const {events, gaps, types} = time.trace, hole = events.findIndex((e) => e.t >= gaps[0]);
        const again = events.findIndex((e) => e.number > hole && e.type === types.RUN && e.a & 0x100);
        return [hole - 1, hole, again - 1, again, events.length - 1].map((n) => rebuild_ept(time.trace, 0, n).doubt !== '')""")
    same(doubts, [False, True, True, False, False], "doubt before, in, and behind the hole, at the next runs, at the end")


def check_damaged():
    """A trace with a hole says how many records are lost, and that the EPT is not known behind it."""
    data = TRACE.read_bytes()
    holes = TRACE.with_name("holes.trace")
    holes.write_bytes(data[:64000] + data[64000 + 32 * 3 + 8:])
    open_trace(holes)
    lost = subprocess.run(["tools/trace", holes], capture_output=True, text=True, check=False).stderr
    same(re.search(r"([\d ]+) records are lost", page.text("trace-about"))[1].strip(), re.search(r"(\d+) records", lost)[1], "lost")
    same(page.js("return rebuild_ept(time.trace, 0, 5).doubt"), "", "doubt before the hole")
    page.js("choose(1e9)")
    if "cannot be rebuilt" not in page.text("rebuilt"):
        raise AssertionError(page.text("rebuilt"))
    short = TRACE.with_name("short.trace")
    short.write_bytes(data[:10010])
    open_trace(short)
    if "cut off" not in page.text("trace-about"):
        raise AssertionError(page.text("trace-about"))
    nonsense = TRACE.with_name("nonsense.trace")
    nonsense.write_bytes(b"x" * 64)
    open_trace(nonsense)
    if "no trace of Leafcutter" not in page.text("trace-about"):
        raise AssertionError(page.text("trace-about"))


def check_example():
    """The example in the page is a whole trace of today's format, and a file can be dropped."""
    page.open()
    page.press("show-time")
    page.press("trace-example")
    wait(lambda: "the demonstration" in page.text("trace-about"))
    if "lost" in page.text("trace-about") or "cut off" in page.text("trace-about"):
        raise AssertionError(page.text("trace-about"))
    count = page.js("return time.trace.events.length")
    page.js("""const parts = new DataTransfer();
        parts.items.add(new File([Uint8Array.from(atob('AAAA'), (c) => c.charCodeAt(0))], 'dropped'));
        document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: parts, bubbles: true, cancelable: true}))""")
    wait(lambda: "dropped: no trace" in page.text("trace-about"))
    if count < 1000:
        raise AssertionError(f"{count} events")


def check_no_network():
    """The page is one file: it fetches nothing, and names nothing to fetch."""
    page.open()
    same(page.js("return performance.getEntriesByType('resource').map((e) => e.name)"
                 ".filter((n) => !n.startsWith('data:'))"), [], "what was fetched")
    same(re.findall(r'(?:src|href)="https?:[^"]*', PAGE.read_text(encoding="utf-8")), [], "addresses")


def check_names():
    """The functions that lines name stand in the files that they name."""
    for name, steps in scenarios:
        for answer, _ in on_host([words for words, _ in steps]):
            for line in json.loads(answer)["lines"]:
                source = pathlib.Path(line["file"]).read_text(encoding="utf-8")
                if not re.search(rf"\b{line['function']}\(", source):
                    raise AssertionError(f"{line['function']}() is not in {line['file']}")


def check_console():
    """No error on the browser's console in all of that."""
    same(browser.get_log("browser"), [], "the console")


def figures():
    page.open()
    paint = page.js("return performance.getEntriesByName('first-contentful-paint')[0]?.startTime || 0")
    rate = page.js("""const start = performance.now(); let n = 0;
        for (; performance.now() - start < 500; n++) machine.step('read 0 0x' + (0x1000000 + n % 4096 * 4096).toString(16));
        return n * 1000 / (performance.now() - start)""")
    print(f"# {PAGE.stat().st_size} bytes, first paint {paint:.0f} ms, {rate:.0f} steps a second")


def screenshot(path):
    """README's: the demonstration just after the attach."""
    page.open("#demonstration!")
    while page.steps()[-1][0] != "ring":
        page.press("next")
    page.browser.set_window_size(WIDTH, 1010)
    page.browser.save_screenshot(path)
    return 0


def main():
    tests = [(f"scenario {name}: page and host agree at every step", lambda n=name, s=steps: check_scenario(n, s))
             for name, steps in scenarios]
    tests += [(f.__doc__.split("\n")[0], f) for f in (check_rivals, check_undo, check_link, check_forms, check_old_byte, check_keys, check_looks, check_trace,
                                                     check_rebuilt, check_rebuilt_exactly, check_damaged, check_example,
                                                     check_dark, check_no_network, check_names, check_console)]
    if FIREFOX:  # what no browser decides
        tests = [test for test in tests if test[1] not in (check_rebuilt_exactly, check_names)]
    only = " ".join(argument for argument in sys.argv[1:] if argument != "--firefox")
    tests = [test for test in tests if re.search(only, test[0])]
    failed = 0
    for number, (title, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {title}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {title}\n# " + str(error).replace("\n", "\n# "), flush=True)
    figures()
    print(f"1..{len(tests)}")
    return failed != 0


scenarios = read_scenarios()
last_name = scenarios[-1][0]
SHOTS.mkdir(parents=True, exist_ok=True)
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as base:
    class profile:  # each browser its own
        count = 0

        @property
        def name(self):
            profile.count += 1
            return f"{base}/{profile.count}"
    profile = profile()
    browser = open_browser()
    try:
        page = Page(browser)
        status = screenshot(sys.argv[2]) if "--screenshot" in sys.argv else main()
    finally:
        browser.quit()
sys.exit(status)
