#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`teu registry` beside Debian's docker-registry, in turn and in one run: bench-registry.py [--quick] [--json FILE]

Each server runs on one core, its clients on the other, in a network namespace of their own, on one file system. Every
figure is the median of interleaved rounds; CPU is the server's own time, from /proc/PID/stat. A row tells both figures,
their ratio and the goal. docker-registry runs with its defaults, the filesystem driver and its in-memory cache; it does
not sync what it acknowledges, ours does.
"""
import base64
import ctypes
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.environ.get("TEU", os.path.join(TOP, "build", "teu"))
TICK = os.sysconf("SC_CLK_TCK")
MB = 1 << 20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def on_core(core):
    return ["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 and shutil.which("taskset") else []


def peer():
    cache = os.environ.get("TEU_CACHE", os.path.expanduser("~/.cache/teu"))
    return shutil.which("docker-registry") or shutil.which("docker-registry", path=os.path.join(cache, "peers/usr/bin"))


def digest(b):
    return "sha256:" + hashlib.sha256(b).hexdigest()


class Server:
    name = ""

    def __init__(self, scratch, port):
        self.dir, self.port, self.p, self.token = os.path.join(scratch, self.name), port, None, None
        os.makedirs(self.dir, exist_ok=True)

    def command(self):
        raise NotImplementedError

    def start(self):
        """Seconds from the fork to the first answer."""
        log = open(os.path.join(self.dir, "log"), "ab")
        argv = on_core(0) + self.command()
        begun = time.perf_counter()
        self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while time.perf_counter() - begun < 20:
            try:
                with socket.create_connection(("127.0.0.1", self.port)) as s:
                    s.sendall(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    if s.recv(100).startswith(b"HTTP/1.1 "):
                        return time.perf_counter() - begun
            except OSError:
                if self.p.poll() is not None:
                    break
                time.sleep(0.0002)
        raise RuntimeError(f"{self.name} does not start: " + open(os.path.join(self.dir, "log"), errors="replace").read()[-600:])

    def stop(self):
        if not self.p:
            return
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.p = None

    def cpu(self):
        f = open(f"/proc/{self.p.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(f[11]) + int(f[12])) / TICK

    def peak(self):
        """Most memory since the start, in bytes."""
        return next(int(l.split()[1]) * 1024 for l in open(f"/proc/{self.p.pid}/status") if l.startswith("VmHWM"))

    def headers(self, more=None):
        return {**({"Authorization": "Bearer " + self.token} if self.token else {}), **(more or {})}

    def ask(self, method, path, body=None, headers=None, want=(200,)):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            c.request(method, path, body, self.headers(headers))
            r = c.getresponse()
            text = r.read()
            if r.status not in want:
                raise RuntimeError(f"{self.name}: {method} {path}: {r.status} {text[:300]}")
            return r.headers, text
        finally:
            c.close()

    def push_blob(self, repo, data, name):
        """POST, PATCH, PUT as docker does; seconds of it."""
        begun = time.perf_counter()
        h, _ = self.ask("POST", f"/v2/{repo}/blobs/uploads/", b"", want=(202,))
        h, _ = self.ask("PATCH", h["Location"], data, {"Content-Type": "application/octet-stream"}, want=(202,))
        at = h["Location"]
        self.ask("PUT", at + ("&" if "?" in at else "?") + "digest=" + name, b"", want=(201,))
        return time.perf_counter() - begun

    def push_image(self, repo, layer):
        config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
        for b in (config, layer):
            self.push_blob(repo, b, digest(b))
        m = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)},
                        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(layer), "size": len(layer)}] * 8}).encode()
        self.ask("PUT", f"/v2/{repo}/manifests/latest", m, {"Content-Type": MANIFEST}, want=(201,))
        return digest(m)


class Teu(Server):
    name = "teu"
    more = []

    def command(self):
        return [TEU, "--root", os.path.join(self.dir, "root"), "registry", "--listen", f"127.0.0.1:{self.port}", *self.more]


class TeuUsers(Teu):
    """The same with users: every request brings a token."""
    name = "teu-users"

    def start(self):
        users = os.path.join(self.dir, "users")
        crypt = ctypes.CDLL("libcrypt.so.1").crypt
        crypt.restype = ctypes.c_char_p
        with open(users, "w") as f:
            f.write("bench:" + crypt(b"secret", b"$2b$04$abcdefghijklmnopqrstuu").decode() + "\n")
        self.more = ["--htpasswd", users]
        took = super().start()
        self.token = None
        basic = {"Authorization": "Basic " + base64.b64encode(b"bench:secret").decode()}
        scope = "repository:bench/image:pull,push"
        self.token = json.loads(self.ask("GET", f"/token?service=teu-registry&scope={scope}", headers=basic)[1])["token"]
        return took


class DockerRegistry(Server):
    name = "docker-registry"

    def command(self):
        with open(os.path.join(self.dir, "config.yml"), "w") as f:
            f.write(f"""version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{cache: {{blobdescriptor: inmemory}}, filesystem: {{rootdirectory: {self.dir}/root}}}}
http: {{addr: "127.0.0.1:{self.port}"}}
""")
        return [peer(), "serve", os.path.join(self.dir, "config.yml")]


# ---- what is measured: each returns a figure ----

def manifest_rate(server, path, seconds):
    """GETs per second of the server's CPU; longer when a busy machine gave it too little to count."""
    for times in (1, 3, 9):
        rate = manifest_rate_once(server, path, seconds * times)
        if rate:
            return rate
    raise RuntimeError(f"{server.name}: got no CPU to be measured")


def manifest_rate_once(server, path, seconds):
    words = []
    for k, v in server.headers({"Accept": MANIFEST}).items():
        words += ["-H", f"{k}: {v}"]
    before = server.cpu()
    r = subprocess.run(on_core(1) + [TEU, "bench", "http", "-q", "--format", "json", "-c", "32", "-d", f"{seconds * 1000:.0f}ms", *words,
                                     f"http://127.0.0.1:{server.port}{path}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    used = server.cpu() - before
    try:
        got = json.loads(r.stdout)
    except ValueError:
        raise RuntimeError(r.stderr.strip()[-300:]) from None
    if sum(got["errors"].values()) or not got["done"]:
        raise RuntimeError(f"{server.name}: errors {got['errors']}, {got['done']} done")
    return got["done"] / used if used >= 4 / TICK else None


def drain(port, path, headers, slow=None):
    """Reads an answer and throws it away in the kernel; slow: an event that is waited for behind the first bytes."""
    s = socket.create_connection(("127.0.0.1", port))
    head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n".encode())
    got = len(s.recv(65536))
    if slow:
        slow.wait()
    while True:
        n = len(s.recv(MB))
        if not n:
            break
        got += n
    s.close()
    return got


def get_cpu(server, path, size, times):
    before = server.cpu()
    for _ in range(times):
        got = drain(server.port, path, server.headers())
        if got < size:
            raise RuntimeError(f"{server.name}: {got} bytes of {size}")
    return (server.cpu() - before) / (size * times) * (1 << 30)


def pulls_memory(server, path, size, n):
    """Peak with n pulls at once, whose readers all pause in the middle; bytes."""
    server.stop()
    server.start()
    go, got = threading.Event(), []
    threads = [threading.Thread(target=lambda: got.append(drain(server.port, path, server.headers(), go))) for _ in range(n)]
    for t in threads:
        t.start()
    time.sleep(0.5)
    go.set()
    for t in threads:
        t.join(120)
    if len(got) != n or min(got) < size:
        raise RuntimeError(f"{server.name}: a pull was cut")
    return server.peak()


def interleaved(servers, rounds, fn):
    got = {s.name: [] for s in servers}
    for _ in range(rounds):
        for s in servers:
            got[s.name].append(fn(s))
    return {k: statistics.median(v) for k, v in got.items()}


def restarts(s):
    s.stop()
    return s.start() * 1000


def measure(servers, quick, tell):
    blob = os.urandom(MB) * (100 if quick else 500)
    name = digest(blob)
    rounds = 3 if quick else 5
    seconds = 0.5 if quick else 2.0
    plain = [s for s in servers if s.name != "teu-users"]
    tell("start to the first answer", "ms", interleaved(plain, 5 if quick else 15, restarts), "<= 10", low=True)
    of = {}
    for s in servers:
        of[s.name] = s.push_image("bench/image", os.urandom(MB))
    tell("manifest GET by tag", "/CPU s", interleaved(plain, rounds, lambda s: manifest_rate(s, "/v2/bench/image/manifests/latest", seconds)), ">= 20 x")
    by = interleaved(servers, rounds, lambda s: manifest_rate(s, "/v2/bench/image/manifests/" + of[s.name], seconds))
    tell("manifest GET by digest", "/CPU s", by, ">= 20 x")
    if "teu-users" in by:
        users = {"teu": by["teu-users"], **{k: v for k, v in by.items() if k == "docker-registry"}}
        tell("the same, ours with Bearer, theirs open", "/CPU s", users, ">= 20 x")
    n = [0]

    def put(s):
        n[0] += 1
        data = n[0].to_bytes(8, "big") + blob[8:]
        return len(data) / s.push_blob("bench/put", data, digest(data)) / MB
    tell(f"PUT {len(blob) // MB} MB", "MB/s", interleaved(plain, rounds, put), ">= 2 x")
    for s in plain:
        s.push_blob("bench/image", blob, name)
    path = f"/v2/bench/image/blobs/{name}"
    tell("GET, CPU", "ms/GB", {k: v * 1000 for k, v in interleaved(plain, rounds, lambda s: get_cpu(s, path, len(blob), 2)).items()}, "<= 1/2", low=True)
    memory = interleaved(plain, 1 if quick else 3, lambda s: pulls_memory(s, path, len(blob), 100) / MB) if not quick else None
    if quick:
        small = os.urandom(8 * MB)
        for s in plain:
            s.push_blob("bench/image", small, digest(small))
        memory = interleaved(plain, 1, lambda s: pulls_memory(s, "/v2/bench/image/blobs/" + digest(small), len(small), 100) / MB)
    tell("memory, 100 pulls at once", "MB", memory, "<= 16", low=True)


def main():
    args = sys.argv[1:]
    if "--inside" not in args:
        return subprocess.run(["unshare", "-n", "--", sys.executable, os.path.abspath(__file__), "--inside", *args]).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    scratch = tempfile.mkdtemp(prefix="teu-bench-registry-")
    rows, notes, servers = [], [], []
    kinds = [Teu, TeuUsers, DockerRegistry]
    if not peer():
        kinds.remove(DockerRegistry)
        notes.append("docker-registry is not installed")

    def tell(what, unit, values, goal, low=False):
        ours, peer = values["teu"], values.get("docker-registry")
        ratio = None if not peer else ours / peer
        rows.append({"what": what, "unit": unit, "teu": ours, "peer": peer, "ratio": ratio, "goal": goal})
        print(f"{what:42} {ours:12,.1f} {peer or 0:12,.1f} {unit:8} {f'{ratio:.3f}' if low and ratio else f'{ratio:.2f}' if ratio else '-':>8} x   {goal}", flush=True)

    try:
        for i, kind in enumerate(kinds):
            s = kind(scratch, 5100 + i)
            servers.append(s)
            s.start()
        print(f"{'what':42} {'teu':>12} {'peer':>12}")
        measure(servers, "--quick" in args, tell)
    except (RuntimeError, OSError) as e:
        notes.append(str(e))
    finally:
        for s in servers:
            s.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    for n in notes:
        print("note:", n)
    if "--json" in args:
        with open(args[args.index("--json") + 1], "w") as f:
            json.dump({"rows": rows, "notes": notes}, f)
    return 1 if any("not installed" not in n for n in notes) else 0


if __name__ == "__main__":
    sys.exit(main())
