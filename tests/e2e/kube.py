# SPDX-License-Identifier: Apache-2.0
"""One `teu apiserver` in a network namespace of this process, and a client of it that speaks plain HTTP/1.1.

A case is a function with the name of a test of upstream's conformance suite; `without` says what that test has and the
case has not (pods that run, controllers). main() prints TAP.
"""
import base64
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.environ.get("TEU", os.path.join(TOP, "build/teu"))
PORT = 6443
ADDRESS = "10.255.0.1"  # told to others: loopback is nobody's endpoint
PATCH = {"json": "application/json-patch+json", "merge": "application/merge-patch+json",
         "strategic": "application/strategic-merge-patch+json", "apply": "application/apply-patch+yaml"}
CASES = {}
API = None  # of the server that runs


def suite(sig):
    """A decorator for cases of this group: @case("name", without="needs-node")."""
    def case(name, without=None):
        def put(fn):
            full = f"[{sig}] {name}"
            assert full not in CASES, full
            CASES[full] = (fn, without)
            return fn
        return put
    return case


class Skip(Exception):
    """What a case needs is not here."""


class Status(AssertionError):
    """An answer with a code that was not wanted."""


class Answer:
    def __init__(self, r):
        self.status = r.status
        self.headers = {k.lower(): v for k, v in r.getheaders()}
        self.body = r.read()
        self.warnings = [v for k, v in r.getheaders() if k.lower() == "warning"]

    def json(self):
        return json.loads(self.body)


class Watch:
    """Events of a watch, on a connection of its own."""

    def __init__(self, api, where):
        self.c = api.connection()
        self.c.request("GET", where, headers={"Accept": "application/json"})
        self.r = self.c.getresponse()
        if self.r.status != 200:
            raise Status(f"watch {where}: {self.r.status}: {self.r.read()[:300]!r}")

    def next(self, *types):
        """The next event's object; its type has to be one of these."""
        line = self.r.readline()
        assert line, "the watch is over"
        e = json.loads(line)
        assert not types or e["type"] in types, f"{e['type']}, wanted {types}: {json.dumps(e['object'])[:300]}"
        return e["object"] if types else e

    def until(self, kind, name=None, ok=lambda o: True):
        """The object of the first event of this type (and name) that is as wanted."""
        for _ in range(1000):
            e = self.next()
            if e["type"] == kind and name in (None, e["object"]["metadata"]["name"]) and ok(e["object"]):
                return e["object"]
        raise AssertionError(f"no {kind} of {name}")

    def close(self):
        self.c.close()
        self.r.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


class Kind:
    """Objects of a resource, of one namespace or of all."""

    def __init__(self, api, group, version, kind, plural, namespace=None):
        self.api, self.plural, self.namespace, self.kind = api, plural, namespace, kind
        self.gv = f"{group}/{version}" if group else version
        self.group, self.version = group, version
        self.base = f"/apis/{self.gv}" if group else f"/api/{version}"

    def all(self):
        """The same in all namespaces."""
        return Kind(self.api, self.group, self.version, self.kind, self.plural)

    def path(self, name=None, sub=None, **query):
        at = self.base + (f"/namespaces/{self.namespace}" if self.namespace else "") + "/" + self.plural
        at += "".join("/" + x for x in (name, sub) if x)
        return at + ("?" + urllib.parse.urlencode(query) if query else "")

    def full(self, o):
        return {"apiVersion": self.gv, "kind": self.kind, **o}

    def create(self, o, want=201, **query):
        return self.api.ask("POST", self.path(**query), self.full(o), want=want).json()

    def get(self, name, sub=None, want=200, **query):
        return self.api.ask("GET", self.path(name, sub, **query), want=want).json()

    def gone(self, name):
        a = self.get(name, want=404)
        assert a["reason"] == "NotFound" and f'"{name}" not found' in a["message"], a

    def list(self, want=200, **query):
        a = self.api.ask("GET", self.path(**query), want=want).json()
        if want == 200:
            assert a["kind"] == self.kind + "List" and a["apiVersion"] == self.gv, a
        return a

    def items(self, **query):
        return self.list(**query)["items"]

    def names(self, **query):
        return [o["metadata"]["name"] for o in self.items(**query)]

    def update(self, o, sub=None, want=200, **query):
        return self.api.ask("PUT", self.path(o["metadata"]["name"], sub, **query), self.full(o), want=want).json()

    def change(self, name, fn, sub=None):
        """Read, changed by fn, written: until nobody else wrote in between."""
        for _ in range(20):
            o = self.get(name, sub if sub != "finalize" else None)
            fn(o)
            a = self.api.ask("PUT", self.path(name, sub), o)
            if a.status != 409:
                return expect(a, 200, "PUT " + self.path(name, sub)).json()
        raise AssertionError(f"always a conflict: {name}")

    def patch(self, name, body, how="merge", sub=None, want=200, **query):
        return self.api.ask("PATCH", self.path(name, sub, **query), body, {"Content-Type": PATCH[how]}, want).json()

    def delete(self, name, want=200, body=None, **query):
        return self.api.ask("DELETE", self.path(name, **query), body, want=want).json()

    def delete_all(self, body=None, want=200, **query):
        return self.api.ask("DELETE", self.path(**query), body, want=want).json()

    def watch(self, **query):
        return Watch(self.api, self.path(watch="1", **query))


def expect(a, want, what):
    if a.status not in (want if isinstance(want, tuple) else (want,)):
        raise Status(f"{what}: {a.status}, wanted {want}: {a.body[:600].decode(errors='replace')}")
    return a


class Api:
    def __init__(self, tls):
        self.tls, self.keep, self.kinds, self.spaces = tls, None, {}, 0

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", PORT, timeout=30, context=self.tls)

    def ask(self, method, where, body=None, headers=None, want=None):
        head = {"Accept": "application/json", "User-Agent": "conformance", **(headers or {})}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            head.setdefault("Content-Type", "application/json")
        self.keep = self.keep or self.connection()
        try:
            self.keep.request(method, where, body, head)
            a = Answer(self.keep.getresponse())
        except Exception:
            self.hang_up()
            raise
        return a if want is None else expect(a, want, f"{method} {where}")

    def hang_up(self):
        if self.keep:
            self.keep.close()
        self.keep = None

    def get(self, where, want=200, **headers):
        return self.ask("GET", where, None, headers, want).json()

    def learn(self):
        """Resources by plural name, and by plural.group."""
        for where in ("/api", "/apis"):
            doc = self.get(where, Accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
            for group in doc["items"]:
                name = group["metadata"].get("name", "")
                for version in group["versions"]:
                    for r in version["resources"]:
                        row = (name, version["version"], r["responseKind"]["kind"], r["resource"])
                        for key in (r["resource"], f"{r['resource']}.{name}"):
                            self.kinds.setdefault(key, (row, r["scope"] == "Namespaced"))

    def kind(self, plural, namespace=None):
        row, namespaced = self.kinds[plural]
        return Kind(self, *row, namespace if namespaced else None)

    def namespace(self):
        """A new namespace's name."""
        self.spaces += 1
        name = f"conformance-{self.spaces}"
        self.kind("namespaces").create({"metadata": {"name": name}})
        return name


def api():
    return API


def kind(plural, namespace=None):
    return API.kind(plural, namespace)


def space():
    return API.namespace()


def until(fn, what="it", seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = fn()
        if got:
            return got
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


def equal(got, want):
    assert got == want, f"got {json.dumps(got)[:600]}, wanted {json.dumps(want)[:300]}"


def holds(got, want, at=""):
    """Whether all of `want` is in `got`: members of objects, items of arrays in their places, conditions by type."""
    if isinstance(want, dict):
        assert isinstance(got, dict), f"{at}: {got!r}"
        for k, v in want.items():
            assert k in got, f"{at}.{k} is missing in {json.dumps(got)[:400]}"
            holds(got[k], v, f"{at}.{k}")
    elif isinstance(want, list) and at.endswith(".conditions"):
        for v in want:
            holds(next((x for x in got if x["type"] == v["type"]), None), v, f"{at}[{v['type']}]")
    elif isinstance(want, list):
        assert isinstance(got, list) and len(got) == len(want), f"{at}: {got!r}, wanted {want!r}"
        for n, v in enumerate(want):
            holds(got[n], v, f"{at}[{n}]")
    else:
        assert got == want, f"{at}: {got!r}, wanted {want!r}"


def field(text, name):
    """A base64 value of a kubeconfig that we wrote."""
    return base64.b64decode(re.search(name + r'"?:\s*"?([A-Za-z0-9+/=]+)', text)[1])


class Server:
    """The server, its root and its client; restart() leaves the root."""

    def __init__(self, folder):
        self.folder, self.root, self.log = folder, os.path.join(folder, "root"), os.path.join(folder, "log")
        self.config = os.path.join(folder, "kubeconfig")
        self.start()
        text = open(self.config).read()
        for name in ("certificate-authority", "client-certificate", "client-key"):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(field(text, name + "-data"))
        tls = ssl.create_default_context(cafile=os.path.join(folder, "certificate-authority"))
        tls.load_cert_chain(os.path.join(folder, "client-certificate"), os.path.join(folder, "client-key"))
        self.api = Api(tls)
        self.api.server = self

    def start(self):
        with open(self.log, "w") as log:
            self.p = subprocess.Popen([*self.words(), "apiserver", "--listen", f"127.0.0.1:{PORT}", "--advertise-address", ADDRESS, "--kubeconfig-out", self.config],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: self.p.poll() is not None or "API server ready" in self.said() and os.path.exists(self.config), "a ready server")
        assert self.p.poll() is None, self.said()

    def words(self):
        return [TEU, "--root", self.root, "--run", os.path.join(self.folder, "run")]

    def teu(self, *command):
        r = subprocess.run([*self.words(), *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert r.returncode == 0, (command, r.stderr)

    def restart(self):
        equal(self.stop(), 0)
        self.start()
        self.api.hang_up()

    def said(self):
        return open(self.log, errors="replace").read()

    def stop(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
        return self.p.wait(60)


def one(n, name, without, fn):
    begun = time.monotonic()
    try:
        fn()
        print(f"ok {n} - {name.replace('#', '')}" + (f" (without what {without})" if without else ""), flush=True)
        return 0
    except Skip as e:
        print(f"ok {n} - {name.replace('#', '')} # skip {e}", flush=True)
        return 0
    except Exception:
        print(f"not ok {n} - {name.replace('#', '')}")
        print("".join("# " + l + "\n" for l in traceback.format_exc().splitlines()[-6:]), end="", flush=True)
        return 1
    finally:
        if os.environ.get("TEU_TIMES"):
            print(f"# {time.monotonic() - begun:.2f} s", flush=True)


def main(name, first=()):
    """All cases, `first` (names and functions that need no server) before them; words of the command line choose by name."""
    global API
    if os.geteuid() != 0 or not os.access(TEU, os.X_OK):
        print("needs root and a built teu")
        return 77
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        print("needs a network namespace")
        return 77
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = tempfile.mkdtemp(prefix=f"teu-{name}-")
    os.chmod(folder, 0o755)
    failed, server = 0, None
    words = sys.argv[1:]
    try:
        server = Server(folder)
        API = server.api
        API.learn()
        cases = [*((what, None, fn) for what, fn in first), *((what, without, fn) for what, (fn, without) in CASES.items())]
        cases = [c for c in cases if not words or any(w in c[0] for w in words)]
        for n, (what, without, fn) in enumerate(cases, 1):
            failed += one(n, what, without, fn)
        code = server.stop()
        print(("ok" if code == 0 else "not ok") + f" {len(cases) + 1} - the server ends by itself" + ("" if code == 0 else f"\n# with {code}"))
        failed += code != 0
        print(f"1..{len(cases) + 1}")
        if failed:
            print("".join("# " + l + "\n" for l in server.said().splitlines()[-8:]), end="")
    finally:
        if server and server.p.poll() is None:
            server.p.kill()
            server.p.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0
