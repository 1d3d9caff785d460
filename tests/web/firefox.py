# SPDX-License-Identifier: MIT
"""Firefox by Marionette, the protocol behind its geckodriver, which Debian 12 does not package: as much of what
Selenium's driver offers as browser.py uses. A message is its length, a colon and JSON: [0, number, command, parameters]
there, [1, number, error, result] back."""
import base64
import json
import os
import pathlib
import socket
import subprocess
import time

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's key of a reference
PREFERENCES = {"marionette.port": 0, "browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
               "browser.dom.window.dump.enabled": True, "devtools.console.stdout.content": True, "network.captive-portal-service.enabled": False,
               "services.settings.server": "data:,none"}
SECONDS = 120


class Element:
    """One of the page's elements."""

    def __init__(self, firefox, reference):
        self.firefox, self.reference = firefox, reference

    def _call(self, command, **parameters):
        return self.firefox.call("WebDriver:" + command, id=self.reference, **parameters)

    def click(self):
        self._call("ElementClick")

    def clear(self):
        self._call("ElementClear")

    def send_keys(self, *keys):
        self._call("ElementSendKeys", text="".join(keys))

    @property
    def text(self):
        return self._call("GetElementText")["value"]

    def find_element(self, by, value):
        return self.find_elements(by, value)[0]

    def find_elements(self, by, value):
        return self.firefox.find_elements(by, value, element=self.reference)


class Firefox:
    """A Firefox of its own, with a profile in 'folder'."""

    def __init__(self, folder, dark, width):
        folder = pathlib.Path(folder)
        folder.mkdir()
        preferences = {**PREFERENCES, "ui.systemUsesDarkTheme": int(dark), "layout.css.prefers-color-scheme.content-override": 0 if dark else 1}
        (folder / "user.js").write_text("".join(f"user_pref({json.dumps(n)}, {json.dumps(v)});\n" for n, v in preferences.items()))
        self.log = open(folder / "log", "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "firefox-esr", "--headless", "--no-remote", "--marionette", "--profile", folder],
                                        env={**os.environ, "HOME": str(folder)}, stdout=self.log, stderr=subprocess.STDOUT)
        self.number = 0
        self.socket = socket.create_connection(("127.0.0.1", self._port(folder / "MarionetteActivePort")), SECONDS)
        self.answers = self.socket.makefile("rb")
        self._read()  # who it is
        self.call("WebDriver:NewSession", capabilities={"pageLoadStrategy": "normal"})
        self.set_window_size(width, 1300)

    def _port(self, file):
        for _ in range(SECONDS * 10):
            if file.exists() and file.read_text().strip():
                return int(file.read_text())
            time.sleep(0.1)
        raise RuntimeError("Firefox does not begin")

    def _read(self):
        length = b""
        while (byte := self.answers.read(1)) != b":":
            if not byte:
                raise RuntimeError("Firefox has gone")
            length += byte
        return json.loads(self.answers.read(int(length)))

    def call(self, command, **parameters):
        self.number += 1
        message = json.dumps([0, self.number, command, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._read()
        if error:
            raise RuntimeError(f"{command}: {error['message']}")
        return result

    def get(self, url):
        self.call("WebDriver:Navigate", url=url)

    @property
    def current_url(self):
        return self.call("WebDriver:GetCurrentURL")["value"]

    def execute_script(self, code, *arguments):
        """In the page's own scope, whose constants a script of Marionette's does not see."""
        whole = f"JSON.stringify((function () {{ {code} }}).apply(null, {json.dumps(arguments)}) ?? null)"
        script = "return JSON.parse((window.wrappedJSObject || window).eval(arguments[0]))"
        return self.call("WebDriver:ExecuteScript", script=script, args=[whole])["value"]

    def find_elements(self, by, value, **scope):
        if by == "id":
            by, value = "css selector", f'[id="{value}"]'
        return [Element(self, e[ELEMENT]) for e in self.call("WebDriver:FindElements", using=by, value=value, **scope)]

    def find_element(self, by, value):
        return self.find_elements(by, value)[0]

    def keys(self, *keys):
        presses = [{"type": kind, "value": key} for key in "".join(keys) for kind in ("keyDown", "keyUp")]
        self.call("WebDriver:PerformActions", actions=[{"type": "key", "id": "keys", "actions": presses}])

    def set_window_size(self, width, height):
        """The page's size, as Chromium's without a head has it: the window has bars around it."""
        self.call("WebDriver:SetWindowRect", width=width, height=height)
        script = "return [window.outerWidth - window.innerWidth, window.outerHeight - window.innerHeight]"
        more = self.call("WebDriver:ExecuteScript", script=script, args=[])["value"]
        self.call("WebDriver:SetWindowRect", width=width + more[0], height=height + more[1])

    def save_screenshot(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self.call("WebDriver:TakeScreenshot", full=False)["value"]))

    def get_log(self, _):
        """Errors and what was written to the console, of all pages so far; RSLoader is the browser's own."""
        self.log.flush()
        lines = pathlib.Path(self.log.name).read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if line.startswith(("JavaScript error: file:", "JavaScript warning: file:", "console.")) and "RSLoader" not in line]

    def quit(self):
        self.process.terminate()
        self.process.wait()
        self.socket.close()
        self.log.close()
