# SPDX-License-Identifier: Apache-2.0
"""API servers and etcd members as torture tests and benches start, ask and kill them: in a network of their own."""
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.environ.get("TEU", os.path.join(TOP, "build", "teu"))
TOKEN = "torture"
TICK = os.sysconf("SC_CLK_TCK")


def own_network(name):
    """Runs this program again in a network namespace of its own, as mapped root of its mounts."""
    if os.environ.get("TEU_OWN_NET") == name:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return
    os.environ["TEU_OWN_NET"] = name
    os.execvp("unshare", ["unshare", "-n", "-m", sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]])


def program(path):
    """A program of the gcc build, built when it is not there."""
    full = os.path.join(TOP, "build/gcc", path)
    if not os.access(full, os.X_OK):
        subprocess.run(["ninja", "-C", os.path.join(TOP, "build/gcc"), path], check=True, stdout=subprocess.DEVNULL)
    return full


class Died(Exception):
    pass


class Server:
    """A `teu apiserver` below a directory; the same again after a kill."""

    def __init__(self, top, port=6443, name="api", args=(), prefix=()):
        self.dir, self.port, self.args, self.prefix = os.path.join(top, name), port, list(args), list(prefix)
        self.root, self.p = os.path.join(self.dir, "root"), None
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(top, 0o755)
        os.chmod(self.dir, 0o755)
        self.tokens, self.log = os.path.join(self.dir, "tokens"), os.path.join(self.dir, "log")
        with open(self.tokens, "w") as f:
            f.write(f'{TOKEN},admin,1,"system:masters"\n')

    def start(self, wait=True):
        """Seconds from exec to the first answer that is ready."""
        log = open(self.log, "ab")
        begun = time.perf_counter()
        self.p = subprocess.Popen([*self.prefix, TEU, "--root", self.root, "--run", os.path.join(self.dir, "run"), "apiserver",
                                   "--listen", f"127.0.0.1:{self.port}", "--token-auth-file", self.tokens, *self.args],
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        return self.wait(begun) if wait else None

    def wait(self, begun, seconds=60):
        while time.perf_counter() - begun < seconds:
            if self.p.poll() is not None:
                raise Died(f"the server ended with {self.p.returncode}: {self.said()}")
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    return time.perf_counter() - begun
            except OSError:
                pass
            time.sleep(0.001)
        raise Died(f"the server is not ready after {seconds} s: {self.said()}")

    def said(self, n=1500):
        with open(self.log, errors="replace") as f:
            return f.read()[-n:].strip()

    def pid(self):
        """The server itself, below what it was started through."""
        pid = self.p.pid
        for _ in self.prefix[:1]:
            kids = open(f"/proc/{pid}/task/{pid}/children").read().split()
            if kids:
                pid = int(kids[0])
        return pid

    def end(self, sig=signal.SIGTERM):
        """The exit status; None when there was none."""
        if not self.p:
            return None
        p, self.p = self.p, None
        if p.poll() is None:
            p.send_signal(sig)
        try:
            return p.wait(30)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise Died("the server does not end: " + self.said()) from None

    def kill(self):
        return self.end(signal.SIGKILL)

    def ca(self):
        return os.path.join(self.root, "apiserver/pki/ca.crt")

    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def connect(self, timeout=60):
        """A TLS socket; the server's name is not looked at."""
        return unverified().wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=timeout))

    def ask(self, method, path, body=None, headers=None, timeout=60):
        """Status and body, as text; a dict is sent as JSON."""
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=unverified())
        h = {"Authorization": "Bearer " + TOKEN, **(headers or {})}
        if isinstance(body, dict):
            body = json.dumps(body)
            h.setdefault("Content-Type", "application/json")
        try:
            c.request(method, path, body, h)
            r = c.getresponse()
            return r.status, r.read().decode(errors="replace")
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            c.close()

    def get(self, path):
        status, text = self.ask("GET", path)
        if status != 200:
            raise Died(f"GET {path}: {status} {text[:300]}")
        return json.loads(text)

    def memory(self, what="VmRSS"):
        with open(f"/proc/{self.pid()}/status") as f:
            return next((int(l.split()[1]) * 1024 for l in f if l.startswith(what + ":")), 0)

    def cpu(self):
        f = open(f"/proc/{self.pid()}/stat").read().rsplit(")", 1)[1].split()
        return (int(f[11]) + int(f[12])) / TICK


CONTEXT = []


def unverified():
    if not CONTEXT:
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        CONTEXT.append(c)
    return CONTEXT[0]


def config_map(space, name, data=None, labels=None):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": space, "name": name, **({"labels": labels} if labels else {})},
            "data": data or {"k": "v"}}


# ---- etcd ----

def etcd_program():
    cache = os.environ.get("TEU_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "teu")
    return shutil.which("etcd") or shutil.which("etcd", path=os.path.join(cache, "peers/usr/bin"))


class Etcd:
    """A cluster of Debian's etcd."""

    def __init__(self, top, members=3, fsync=False, port=2379):
        self.dir, self.n, self.fsync, self.port, self.p = os.path.join(top, "etcd"), members, fsync, port, [None] * members
        os.makedirs(self.dir, exist_ok=True)
        for i in range(members):
            self.start(i)

    def urls(self):
        return [f"http://127.0.0.1:{self.port + 10 * i}" for i in range(self.n)]

    def peer(self, i):
        return f"http://127.0.0.1:{self.port + 1 + 10 * i}"

    def start(self, i):
        with open(os.path.join(self.dir, f"m{i}.log"), "ab") as log:
            self.p[i] = subprocess.Popen(
                [etcd_program(), "--name", f"m{i}", "--data-dir", os.path.join(self.dir, f"m{i}"), "--listen-client-urls", self.urls()[i],
                 "--advertise-client-urls", self.urls()[i], "--listen-peer-urls", self.peer(i), "--initial-advertise-peer-urls", self.peer(i),
                 "--initial-cluster", ",".join(f"m{k}={self.peer(k)}" for k in range(self.n)), "--initial-cluster-state", "new",
                 "--heartbeat-interval", "50", "--election-timeout", "500", "--max-txn-ops", "1024",
                 *([] if self.fsync else ["--unsafe-no-fsync"])], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self, i):
        if self.p[i]:
            self.p[i].kill()
            self.p[i].wait()
            self.p[i] = None

    def healthy(self, i):
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port + 10 * i, timeout=5)
            c.request("GET", "/health")
            return b"true" in c.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            c.close()

    def wait(self, which=None, seconds=30):
        """Until those members say that they are healthy (all of them)."""
        end = time.monotonic() + seconds
        for i in range(self.n) if which is None else which:
            while not self.healthy(i):
                if time.monotonic() > end:
                    raise Died(f"etcd m{i} is not healthy: " + open(os.path.join(self.dir, f"m{i}.log"), errors="replace").read()[-500:])
                time.sleep(0.02)

    def end(self):
        for i in range(self.n):
            self.kill(i)


class Scratch:
    """A directory that goes, with what was started in it."""

    def __init__(self, name):
        self.path, self.running = tempfile.mkdtemp(prefix=f"teu-{name}-"), []

    def __enter__(self):
        return self

    def add(self, x):
        self.running.append(x)
        return x

    def __exit__(self, *_):
        for x in reversed(self.running):
            try:
                x.kill() if isinstance(x, Server) else x.end()
            except (Died, OSError):
                pass
        shutil.rmtree(self.path, ignore_errors=True)
