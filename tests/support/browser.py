"""A headless Chromium for tests of a page, and a review server as a program of its own that can be killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest


def start_chromium():
    """Playwright and a browser: $SPINEMED_CHROMIUM, Debian's, or Playwright's own. Skips, saying why, if there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install '.[browser]')")
    program = os.environ.get("SPINEMED_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    playwright = sync_api.sync_playwright().start()
    try:
        return playwright, playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
    except sync_api.Error as error:
        playwright.stop()
        pytest.skip(f"no Chromium starts ({str(error).splitlines()[0]}): apt-get install chromium, or set SPINEMED_CHROMIUM")


class ReviewServer:
    """``python -m dataset_builders review`` on a free port of the loopback."""

    def __init__(self, work):
        self.work = work
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "dataset_builders", "review", "--work", str(self.work), "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(600):
            if self.process.poll() is not None:
                raise AssertionError(self.process.stdout.read())
            try:
                return urllib.request.urlopen(self.address, timeout=5).close()
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def freeze(self):
        os.kill(self.process.pid, signal.SIGSTOP)
