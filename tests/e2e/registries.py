# SPDX-License-Identifier: Apache-2.0
"""Several registries and servers in a network namespace of this process, for tests of what they say to each other."""
import ctypes
import hashlib
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.environ.get("TEU", os.path.join(TOP, "build/teu"))
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = b"{}"
CASES = []
DIR = ""


def case(fn):
    CASES.append(fn)
    return fn


def path(name):
    return os.path.join(DIR, name)


def write(name, text, mode=0o600):
    with open(path(name), "w") as f:
        f.write(text)
    os.chmod(path(name), mode)
    return path(name)


def sh(*cmd, **more):
    return subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **more)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def certificate(name):
    """A certificate of its own for 127.0.0.1, which is a CA too, and its key: two paths."""
    a = sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path(name + ".key"), "-out",
           path(name + ".pem"), "-days", "30", "-subj", "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1")
    assert a.returncode == 0, a.stderr
    return path(name + ".pem"), path(name + ".key")


def desc(data, media):
    return {"mediaType": media, "digest": digest(data), "size": len(data)}


def image(*layers, **more):
    m = {"schemaVersion": 2, "mediaType": MANIFEST, "config": desc(EMPTY, "application/vnd.oci.empty.v1+json"),
         "artifactType": "a/b", "layers": [desc(b, "a/layer") for b in layers], **more}
    return json.dumps(m).encode()


def until(fn, what="it"):
    for _ in range(1200):
        got = fn()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


class Answer:
    def __init__(self, r, body=None):
        self.status = r.status
        self.headers = {k.lower(): v for k, v in r.getheaders()}
        self.body = r.read() if body is None else body

    def json(self):
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, where):
        super().__init__("registry", timeout=60)
        self.where = where

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.where)


class Registry:
    """One `teu registry` on a port of its own; its root outlives stop()."""

    def __init__(self, port, *options, config=None):
        self.port, self.options = port, list(options)
        self.root = tempfile.mkdtemp(prefix="root-", dir=DIR)
        self.log, self.admin = path(f"log-{port}"), os.path.join(self.root, "admin")
        if config is not None:
            self.options += ["--config", write(f"config-{port}", json.dumps(config), 0o644)]
        self.start()

    def start(self):
        env = dict(os.environ)
        if "--user" in self.options:  # the leak checker of a sanitizer build traces its process, which the filter forbids
            env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        with open(self.log, "w") as log:
            self.p = subprocess.Popen([TEU, "--root", self.root, "registry", "--listen", f"127.0.0.1:{self.port}",
                                       "--admin", self.admin, *self.options],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        until(lambda: "registry ready" in self.said() or self.p.poll() is not None, "ready")
        assert self.p.poll() is None, self.said()

    def said(self):
        return open(self.log, errors="replace").read()

    def kill(self):
        self.p.kill()
        self.p.wait()

    def stop(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
            self.p.wait(60)
        return self.p.returncode

    def __enter__(self):
        return self

    def __exit__(self, *what):
        code = self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
        if not what[0]:
            assert code == 0, f"ends with {code}: " + self.said()[-2000:]

    def ask(self, method, where, body=None, headers=None, want=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            c.request(method, where, body, headers or {})
            a = Answer(c.getresponse())
        finally:
            c.close()
        if want is not None:
            assert a.status == want, f"{method} {where}: {a.status}, wanted {want}: {a.body[:300]!r}"
        return a

    def get(self, where, want=200, **headers):
        return self.ask("GET", where, None, headers, want)

    def tell(self, method, where, want=200):
        c = UnixConnection(self.admin)
        try:
            c.request(method, where)
            a = Answer(c.getresponse())
        finally:
            c.close()
        assert a.status == want, f"{method} {where}: {a.status}: {a.body[:300]!r}"
        return a.json() if want == 200 else a

    def outward(self, kind, name):
        return next(e for e in self.tell("GET", "/outward")[kind] if e.get("name", e.get("prefix")) == name)

    def blob(self, repo, data):
        self.ask("POST", f"/v2/{repo}/blobs/uploads/?digest={digest(data)}", data, want=201)

    def manifest(self, repo, ref, m, media=MANIFEST):
        self.ask("PUT", f"/v2/{repo}/manifests/{ref}", m, {"Content-Type": media}, want=201)
        return digest(m)

    def push(self, repo, tag, *layers, **more):
        for b in (EMPTY, *layers):
            self.blob(repo, b)
        return self.manifest(repo, tag, image(*layers, **more))

    def has(self, repo, ref):
        a = self.ask("HEAD", f"/v2/{repo}/manifests/{ref}")
        return a.headers["docker-content-digest"] if a.status == 200 else None


class Server:
    """A server of ours: handle(method, path, headers, body) -> (status, headers, body or a function that writes it)."""

    def __init__(self, port, handle, tls=None):
        outer = self
        self.port, self.handle, self.seen, self.lock = port, handle, [], threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with outer.lock:
                    outer.seen.append((self.command, self.path, dict(self.headers), body))
                try:
                    status, headers, out = outer.handle(self.command, self.path, self.headers, body)
                    self.send_response(status)
                    for k, v in headers.items():
                        self.send_header(k, v)
                    if not callable(out):
                        if "Content-Length" not in headers:
                            self.send_header("Content-Length", str(len(out)))
                        self.end_headers()
                        if self.command != "HEAD":
                            self.wfile.write(out)
                    else:
                        self.end_headers()
                        if self.command != "HEAD":
                            out(self)
                except OSError:
                    self.close_connection = True

            do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

            def log_message(self, *a):
                pass

        class Threads(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, address):
                pass  # a client that left

        self.http = Threads(("127.0.0.1", port), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def count(self, method, where):
        with self.lock:
            return sum(1 for m, p, _, _ in self.seen if m == method and p.split("?")[0] == where)

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.stop()


def cut(handler):
    """Ends a connection in the middle."""
    handler.close_connection = True
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def main(name):
    global DIR
    if os.geteuid() != 0 or not os.access(TEU, os.X_OK):
        print("needs root and a built teu")
        return 77
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        print("needs a network namespace")
        return 77
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    DIR = tempfile.mkdtemp(prefix=f"teu-{name}-")
    os.chmod(DIR, 0o755)
    failed = 0
    try:
        only = sys.argv[1:]
        cases = [fn for fn in CASES if not only or fn.__name__ in only]
        for n, fn in enumerate(cases, 1):
            begun = time.monotonic()
            try:
                said = fn()
                print(f"ok {n} - {fn.__name__}" + (f" # {said}" if said else ""), flush=True)
            except Exception:
                failed += 1
                print(f"not ok {n} - {fn.__name__}")
                print("".join("# " + l + "\n" for l in traceback.format_exc().splitlines()[-8:]), end="", flush=True)
                for log in sorted(os.listdir(DIR)):
                    if log.startswith("log-"):
                        print("".join("# " + l for l in open(path(log), errors="replace").readlines()[-6:]), end="")
            if os.environ.get("TEU_TIMES"):
                print(f"# {time.monotonic() - begun:.2f} s", flush=True)
        print(f"1..{len(cases)}")
    finally:
        shutil.rmtree(DIR, ignore_errors=True)
    return 1 if failed else 0
