# SPDX-License-Identifier: Apache-2.0
"""A small Docker API client over a Unix socket, and an engine to drive, for torture tests and benches. Standard library only."""
import http.client
import json
import os
import signal
import socket
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.environ.get("TEU", os.path.join(TOP, "build/teu"))


class ApiError(RuntimeError):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


class Api(http.client.HTTPConnection):
    """One keep-alive connection."""

    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def call(self, method, url, body=None, raw=None, ctype="application/json"):
        headers, data = {}, None
        if raw is not None:
            data, headers = raw, {"Content-Type": "application/x-tar"}
        elif body is not None:
            data, headers = json.dumps(body), {"Content-Type": ctype}
        self.request(method, "/v1.47" + url, data, headers)
        r = self.getresponse()
        text = r.read()
        if r.status >= 400:
            raise ApiError(r.status, text[:400].decode(errors="replace"))
        try:
            return json.loads(text)
        except ValueError:
            return text


class Engine:
    """teu engine with its own root and run directories below `tmp`."""

    def __init__(self, tmp, name="e", env=None):
        self.root, self.run, self.sock = f"{tmp}/{name}/root", f"{tmp}/{name}/run", f"{tmp}/{name}.sock"
        self.log = open(f"{tmp}/{name}.log", "a")
        self.env = dict(os.environ, **(env or {}))
        self.proc = None

    def start(self, timeout=20):
        self.proc = subprocess.Popen([TEU, "--root", self.root, "--run", self.run, "engine", "--host", f"unix://{self.sock}"],
                                     stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=self.env, start_new_session=True)
        until = time.monotonic() + timeout
        while True:
            try:
                self.api().call("GET", "/_ping")
                return self
            except (OSError, http.client.HTTPException):
                if self.proc.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"the engine does not answer (exit {self.proc.poll()}), see {self.log.name}")
                time.sleep(0.002)

    def api(self, timeout=60):
        return Api(self.sock, timeout)

    def kill(self):
        self.proc.send_signal(signal.SIGKILL)
        self.proc.wait()

    def stop(self):
        self.proc.terminate()
        return self.proc.wait(30)

    def load_busybox(self):
        tar = subprocess.run([os.path.join(TOP, "tools/image"), "busybox"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        with open(tar, "rb") as f:
            self.api().call("POST", "/images/create?fromSrc=-&repo=busybox&tag=latest", raw=f.read())

    def shims(self):
        """pid -> container id of this engine's shims."""
        out = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                cmd = open(f"/proc/{pid}/cmdline").read().split("\0")
            except OSError:
                continue
            if len(cmd) > 3 and cmd[1] == "shim" and cmd[3].startswith(self.run + "/"):
                out[int(pid)] = cmd[2]
        return out

    def leftovers(self):
        """What must not be there when no container exists."""
        bad = [f"shim {p}" for p in self.shims()]
        bad += [f"mount {l.split()[4]}" for l in open("/proc/self/mountinfo") if self.root in l or self.run in l]
        for d in (f"{self.root}/containers", f"{self.run}/oci", f"{self.run}/c"):
            if os.path.isdir(d):
                bad += [f"{d}/{f}" for f in os.listdir(d) if not f.startswith((".", "@"))]
        for top, dirs, _ in os.walk("/sys/fs/cgroup"):
            for d in dirs:
                if d.startswith("teu-") and os.path.isdir(f"{top}/{d}"):
                    bad += [f"{top}/{d}/{c}" for c in os.listdir(f"{top}/{d}") if len(c) == 64 and c in self.known]
            if top.count("/") > 4:
                dirs[:] = []
        return bad

    known = frozenset()

    def wait_clean(self, timeout=10):
        until = time.monotonic() + timeout
        while True:
            bad = self.leftovers()
            if not bad or time.monotonic() > until:
                return bad
            time.sleep(0.02)


def in_own_namespaces(argv0, args):
    """Runs the script again in its own network and mount namespace."""
    if os.environ.get("TEU_IN_NS") == "1":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.environ["TEU_IN_NS"] = "1"
    os.execvp("unshare", ["unshare", "-n", "-m", "--propagation", "private", argv0, *args])
