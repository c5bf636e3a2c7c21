#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`teu registry` as a pull-through cache: of another `teu registry`, and of servers that are slow, lie, cut or refuse.

Prints TAP. Everything runs in a network namespace of this process.
"""
import base64
import http.client
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time

import registries as r
from registries import EMPTY, INDEX, MANIFEST, Registry, Server, case, cut, desc, digest, image, sh, until

UP = "http://127.0.0.1:5001"
PEERS = os.path.join(os.environ.get("TEU_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "teu"), "peers")
BIG = bytes(range(256)) * 4096 * 3  # 3 MiB


def bytes_in(root):
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(os.path.join(root, "store/blobs")) for f in fs)


class Far(Server):
    """An upstream: `manifests` by "repo:ref", `blobs` by digest; `rule` may answer in its place."""

    def __init__(self, port=5001):
        self.manifests, self.blobs, self.rule = {}, {}, None
        super().__init__(port, self.answer)

    def put(self, repo, tag, *layers):
        m = image(*layers)
        for b in (EMPTY, *layers):
            self.blobs[digest(b)] = b
        for ref in (tag, digest(m)):
            self.manifests[f"{repo}:{ref}"] = m
        return digest(m)

    def answer(self, method, where, headers, body):
        where = where.split("?")[0]
        if self.rule:
            got = self.rule(method, where, headers)
            if got:
                return got
        if where == "/v2/":
            return 200, {}, b"{}"
        name, kind, ref = where[4:].rsplit("/", 2)
        found = self.manifests.get(f"{name}:{ref}") if kind == "manifests" else self.blobs.get(ref)
        if kind == "tags":
            tags = [k.rsplit(":", 1)[1] for k in self.manifests if k.startswith(name + ":") and "sha256:" not in k]
            return 200, {}, r.json.dumps({"name": name, "tags": tags}).encode()
        if found is None:
            return 404, {}, b'{"errors":[{"code":"UNKNOWN","message":"it is not there"}]}'
        if kind == "manifests":
            return 200, {"Content-Type": MANIFEST, "Docker-Content-Digest": digest(found)}, found
        return 200, {}, found


def proxy(port=5000, ttl="0s", **more):
    return Registry(port, config={"upstreams": [{"url": UP, "ttl": ttl}], **more})


@case
def a_whole_registry_is_mirrored_and_goes_on_without_it():
    with Registry(5001) as far, Registry(5000, "--proxy", UP) as near:
        top = far.push("a/b", "1", b"layer", BIG)
        m = near.get("/v2/a/b/manifests/1")
        assert m.headers["docker-content-digest"] == top and digest(m.body) == top
        assert near.get(f"/v2/a/b/blobs/{digest(BIG)}").body == BIG
        a = near.ask("HEAD", f"/v2/a/b/blobs/{digest(b'layer')}", want=200)
        assert a.headers["content-length"] == "5"
        assert near.get("/v2/a/b/tags/list").json()["tags"] == ["1"]
        a = near.ask("GET", f"/v2/a/b/blobs/{digest(b'layer')}", None, {"Range": "bytes=1-2"}, want=206)
        assert a.body == b"ay", a.body
        near.get("/v2/a/b/manifests/2", want=404)
        near.get(f"/v2/a/b/blobs/{digest(b'none')}", want=404)
        a = near.ask("POST", "/v2/a/b/blobs/uploads/", want=405)
        assert "cache of another registry" in a.body.decode()
        far.stop()
        assert near.get(f"/v2/a/b/manifests/{top}").body == m.body
        assert near.get(f"/v2/a/b/blobs/{digest(BIG)}").body == BIG
        assert near.get("/v2/a/b/manifests/1").body == m.body  # within its time
        near.get("/v2/a/b/manifests/other", want=503)


@case
def tags_are_asked_for_again_and_answered_stale_when_nobody_answers():
    with Far() as far, proxy() as near:
        one = far.put("a", "1", b"one")
        assert near.has("a", "1") == one and near.has("a", "1") == one
        assert far.count("GET", "/v2/a/manifests/1") == 1 and far.count("HEAD", "/v2/a/manifests/1") == 1
        two = far.put("a", "1", b"two")
        assert near.has("a", "1") == two
        assert near.has("a", one) == one  # by digest for ever
        far.rule = lambda *a: (500, {}, b"")
        a = near.get("/v2/a/manifests/1")
        assert a.headers["docker-content-digest"] == two and a.headers["warning"].startswith("110 "), a.headers
        far.rule = None
        # It is left alone for a moment after failures, then asked again.
        until(lambda: "warning" not in near.get("/v2/a/manifests/1").headers, "fresh again")
        del far.manifests["a:1"]
        near.get("/v2/a/manifests/1", want=404)
        assert near.has("a", two) == two


@case
def fifty_clients_of_one_new_blob_are_one_request():
    gate = threading.Event()

    def slow(method, where, headers):
        if method != "GET" or "/blobs/" not in where:
            return None

        def out(h):
            h.wfile.write(BIG[:1 << 20])
            h.wfile.flush()
            gate.wait(60)
            h.wfile.write(BIG[1 << 20:])

        return 200, {"Content-Length": str(len(BIG))}, out

    with Far() as far, proxy() as near:
        far.put("a", "1", BIG)
        far.rule = slow
        first, got = [], []

        def client():
            c = http.client.HTTPConnection("127.0.0.1", 5000, timeout=60)
            c.request("GET", f"/v2/a/blobs/{digest(BIG)}")
            a = c.getresponse()
            head = a.read(4096)  # comes while the upstream still sends
            first.append(len(head))
            got.append(head + a.read())
            c.close()

        threads = [threading.Thread(target=client) for _ in range(50)]
        for t in threads:
            t.start()
        until(lambda: len(first) == 50, "all have the first bytes")
        assert not got
        gate.set()
        for t in threads:
            t.join(60)
        assert got == [BIG] * 50, [len(g) for g in got]
        assert far.count("GET", f"/v2/a/blobs/{digest(BIG)}") == 1
        until(lambda: bytes_in(near.root) >= len(BIG), "it is kept")


@case
def wrong_bytes_reach_nobody_whole_and_are_not_kept():
    with Far() as far, proxy() as near:
        far.put("a", "1", BIG)
        far.blobs[digest(BIG)] = BIG[:-1] + b"!"
        try:
            body = near.get(f"/v2/a/blobs/{digest(BIG)}").body
            raise AssertionError(f"{len(body)} bytes came")
        except (http.client.IncompleteRead, ConnectionError):
            pass
        near.ask("GET", f"/v2/a/blobs/{digest(BIG)}", None, {"Range": "bytes=-2"}, want=503)
        assert bytes_in(near.root) == 0
        until(lambda: not os.listdir(os.path.join(near.root, "store/uploads")), "nothing is left of it")
        m = far.manifests["a:1"]
        far.manifests[f"a:{digest(m)}"] = m + b" "
        near.get(f"/v2/a/manifests/{digest(m)}", want=503)
        far.blobs[digest(BIG)] = BIG
        until(lambda: near.ask("GET", f"/v2/a/blobs/{digest(BIG)}").body == BIG, "the right ones come")


@case
def a_download_that_is_cut_goes_on():
    cuts = []

    def breaks(method, where, headers):
        if method != "GET" or "/blobs/" not in where:
            return None
        if headers.get("Range"):
            n = int(headers["Range"].split("=")[1].split("-")[0])
            return 206, {"Content-Range": f"bytes {n}-{len(BIG) - 1}/{len(BIG)}"}, BIG[n:]
        cuts.append(1)

        def out(h):
            h.wfile.write(BIG[:1 << 20])
            cut(h)

        return 200, {"Content-Length": str(len(BIG))}, out

    with Far() as far, proxy() as near:
        far.put("a", "1", BIG)
        far.rule = breaks
        assert near.get(f"/v2/a/blobs/{digest(BIG)}").body == BIG and len(cuts) == 1


@case
def rate_limits_are_told_and_heeded():
    with Far() as far, proxy() as near:
        one = far.put("a", "1", b"one")
        assert near.has("a", "1") == one
        far.rule = lambda m, w, h: (429, {"Retry-After": "1800"}, b"") if w != "/v2/" else None
        assert near.get("/v2/a/manifests/1").headers["warning"].startswith("110")
        a = near.get("/v2/a/manifests/2", want=429)
        assert a.json()["errors"][0]["code"] == "TOOMANYREQUESTS" and 60 < int(a.headers["retry-after"]) <= 1800, a.headers
        n = len(far.seen)
        near.get("/v2/a/manifests/3", want=429)
        near.get(f"/v2/a/blobs/{digest(b'x')}", want=429)
        assert len(far.seen) == n, far.seen[n:]


@case
def prefixes_names_and_credentials():
    def basic(method, where, headers):
        want = "Basic " + base64.b64encode(b"bob:secret").decode()
        if headers.get("Authorization") != want:
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b"{}"
        return None

    ups = [{"prefix": "docker.io", "url": UP, "authFile": r.write("auth", "bob:secret\n"), "ns": "hub.example"}]
    with Far() as far, Registry(5000, config={"upstreams": ups}) as near:
        far.rule = basic
        one = far.put("library/busybox", "1", b"one")
        assert near.has("docker.io/library/busybox", "1") == one
        for ns in ("docker.io", "hub.example"):
            a = near.get(f"/v2/library/busybox/manifests/1?ns={ns}")
            assert digest(a.body) == one
        near.get("/v2/library/busybox/manifests/1?ns=quay.example", want=404)
        near.get("/v2/library/busybox/manifests/1", want=404)
        near.push("own/image", "1", b"mine")  # no upstream is behind it
        assert near.has("own/image", "1")
        near.ask("POST", "/v2/docker.io/x/blobs/uploads/", want=405)
        far.rule = lambda *a: (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"{}")
        near.get("/v2/docker.io/library/busybox/manifests/none", want=404)


@case
def an_upstream_with_its_own_authority_wants_tokens():
    cert, key = r.certificate("far")
    os.makedirs(r.path("certs/127.0.0.1:5001"))
    shutil.copy(cert, r.path("certs/127.0.0.1:5001/ca.crt"))
    conf = {"url": "https://127.0.0.1:5001", "authFile": r.write("far-auth", "bob:secret\n"), "certsDir": r.path("certs")}
    with Registry(5001) as far:
        top = far.push("a/b", "1", b"layer")
        a = subprocess.run([r.TEU, "registry", "user", "add", "bob", "--password-stdin", "--admin", far.admin], input="secret\n",
                           capture_output=True, text=True, timeout=60)
        assert a.returncode == 0, a.stderr
        far.stop()
        far.options += ["--tls-cert", cert, "--tls-key", key, "--access-log", r.path("far-access")]
        far.start()
        with Registry(5000, config={"upstreams": [conf]}) as near:
            assert near.has("a/b", "1") == top
            assert near.get(f"/v2/a/b/blobs/{digest(b'layer')}").body == b"layer"
        until(lambda: "/token" in open(r.path("far-access")).read(), "a token was asked for")
        with Registry(5000, config={"upstreams": [{**conf, "ttl": "0s"}]}) as near:
            assert near.has("a/b", "1") == top
            near.stop()
            os.rename(r.path("certs"), r.path("away"))  # somebody else answers: what is here stays
            near.start()
            a = near.get("/v2/a/b/manifests/1")
            assert digest(a.body) == top and a.headers["warning"].startswith("110 "), a.headers
            near.get("/v2/a/b/manifests/2", want=503)
            os.rename(r.path("away"), r.path("certs"))
        with Registry(5000, config={"upstreams": [{**conf, "authFile": r.write("bad-auth", "bob:wrong\n")}]}) as near:
            near.get("/v2/a/b/manifests/1", want=404)


@case
def what_was_not_wanted_for_longest_goes():
    layers = [os.urandom(300_000) for _ in range(4)]
    with Far() as far, proxy(cache={"size": "800Ki"}) as near:
        for i, b in enumerate(layers):
            far.put(f"r{i}", "1", b)
            near.get(f"/v2/r{i}/manifests/1")
            assert near.get(f"/v2/r{i}/blobs/{digest(b)}").body == b
            kept = os.path.join(near.root, "store/blobs/sha256", digest(b)[7:])
            until(lambda: os.path.exists(kept), "it is kept")
        until(lambda: bytes_in(near.root) < 800 << 10, "the cache is within its size")
        n = far.count("GET", f"/v2/r0/blobs/{digest(layers[0])}")
        assert near.get(f"/v2/r0/blobs/{digest(layers[0])}").body == layers[0]  # it comes again
        assert far.count("GET", f"/v2/r0/blobs/{digest(layers[0])}") == n + 1


@case
def killed_in_the_middle_it_has_nothing_half():
    with Far() as far, proxy() as near:
        top = far.put("a", "1", BIG)
        began, hold = threading.Event(), threading.Event()

        def half(method, where, headers):
            if method != "GET" or "/blobs/" not in where or began.is_set():
                return None

            def out(h):
                h.wfile.write(BIG[:2 << 20])
                h.wfile.flush()
                began.set()
                hold.wait(60)

            return 200, {"Content-Length": str(len(BIG))}, out

        far.rule = half

        def client():
            try:
                near.ask("GET", f"/v2/a/blobs/{digest(BIG)}")
            except (OSError, http.client.HTTPException):
                pass

        t = threading.Thread(target=client)
        t.start()
        began.wait(60)
        near.kill()
        hold.set()
        t.join(60)
        near.start()
        assert bytes_in(near.root) == 0
        assert near.has("a", "1") == top
        assert near.get(f"/v2/a/blobs/{digest(BIG)}").body == BIG


@case
def a_hanging_upstream_does_not_hold_up_the_end():
    hold = threading.Event()
    with Far() as far, proxy() as near:
        far.rule = lambda m, w, h: hold.wait(60) and None if w != "/v2/" else None

        def client():
            try:
                near.ask("GET", "/v2/a/manifests/1")
            except (OSError, http.client.HTTPException):
                pass

        t = threading.Thread(target=client)
        t.start()
        until(lambda: far.count("GET", "/v2/a/manifests/1"), "it is asked")
        begun = time.monotonic()
        near.p.send_signal(signal.SIGTERM)
        until(lambda: "registry ends" in near.said(), "it ends")
        assert near.stop() == 0  # the second signal waits for nobody
        assert time.monotonic() - begun < 30
        hold.set()
        t.join(60)


@case
def skopeo_and_podman_pull_through():
    if not shutil.which("skopeo"):
        return "SKIP no skopeo"
    with Registry(5001) as far, proxy() as near:
        top = far.push("lib/x", "1", b"layer")
        index = r.json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {**desc(image(b"layer"), MANIFEST), "platform": {"os": "linux", "architecture": "amd64"}}]}).encode()
        far.manifest("lib/x", "multi", index, INDEX)
        out = r.path("copy")
        a = sh("skopeo", "copy", "--all", "--preserve-digests", "--src-tls-verify=false", "docker://127.0.0.1:5000/lib/x:multi",
               f"oci:{out}:x")
        assert a.returncode == 0, a.stderr
        assert os.path.exists(os.path.join(out, "blobs/sha256", top[7:]))
        a = sh("skopeo", "list-tags", "--tls-verify=false", "docker://127.0.0.1:5000/lib/x")
        assert r.json.loads(a.stdout)["Tags"] == ["1", "multi"], a
    return None


@case
def a_range_leaves_as_soon_as_it_is_here():
    gate = threading.Event()

    def slow(method, where, headers):
        if method != "GET" or "/blobs/" not in where:
            return None

        def out(h):
            h.wfile.write(BIG[:1 << 20])
            h.wfile.flush()
            gate.wait(60)
            h.wfile.write(BIG[1 << 20:])

        return 200, {"Content-Length": str(len(BIG))}, out

    with Far() as far, proxy() as near:
        far.put("a", "1", BIG)
        far.rule = slow
        where = f"/v2/a/blobs/{digest(BIG)}"
        a = near.ask("GET", where, None, {"Range": "bytes=1000-1999"}, want=206)
        assert a.body == BIG[1000:2000] and a.headers["content-range"] == f"bytes 1000-1999/{len(BIG)}", a.headers
        got = []
        t = threading.Thread(target=lambda: got.append(near.ask("GET", where, None, {"Range": "bytes=-10"}, want=206)))
        t.start()
        near.ask("GET", where, None, {"Range": "bytes=5-6"}, want=206)
        assert not got
        gate.set()
        t.join(60)
        assert got and got[0].body == BIG[-10:]
        near.ask("GET", where, None, {"Range": f"bytes={len(BIG)}-"}, want=416)
        assert far.count("GET", where) == 1


@case
def sizes_are_asked_for_once_and_may_be_missing():
    def no_length(method, where, headers):
        if "/blobs/" not in where:
            return None
        if method == "HEAD":
            return 200, {}, lambda h: None
        if headers.get("Range"):
            return 206, {"Content-Range": f"bytes 0-0/{len(BIG)}"}, BIG[:1]
        return None

    with Far() as far, proxy(ttl="1h") as near:
        far.put("a", "1", BIG, b"small")
        where = f"/v2/a/blobs/{digest(b'small')}"
        for _ in range(3):
            assert near.ask("HEAD", where, want=200).headers["content-length"] == "5"
        assert far.count("HEAD", where) == 1 and far.count("GET", where) == 0
        far.rule = no_length
        where = f"/v2/a/blobs/{digest(BIG)}"
        assert near.ask("HEAD", where, want=200).headers["content-length"] == str(len(BIG))
        assert near.get(where).body == BIG


# ---- clients as they are ----

def tar_layer():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        e = tarfile.TarInfo("hello")
        e.size = 6
        t.addfile(e, io.BytesIO(b"hello\n"))
    return out.getvalue()


def hub(whole):
    """A registry with library/hello:1, as Docker Hub would have it, and a cache of all of it, or below quay.example."""
    far = Registry(5001)
    near = Registry(5000, "--proxy", UP) if whole else Registry(5000, config={"upstreams": [{"prefix": "quay.example", "url": UP}]})
    layer = tar_layer()
    config = r.json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                           "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}).encode()
    for b in (layer, config):
        far.blob("library/hello", b)
    m = {"schemaVersion": 2, "mediaType": MANIFEST, "config": desc(config, "application/vnd.oci.image.config.v1+json"),
         "layers": [desc(layer, "application/vnd.oci.image.layer.v1.tar")]}
    far.top = far.manifest("library/hello", "1", r.json.dumps(m).encode())
    far.layer = digest(layer)
    return far, near


def was_cached(near, name, far):
    assert near.has(name, "1") == far.top
    kept = os.path.join(near.root, "store/blobs/sha256", far.layer[7:])
    until(lambda: os.path.exists(kept), "its layer is in the cache")


def through(whole):
    """fn(far, near) with the two registries."""
    def of(fn):
        def run():
            far, near = hub(whole)
            with far, near:
                return fn(far, near)
        run.__name__ = fn.__name__
        return case(run)
    return of


def peer(name):
    dirs = os.pathsep.join(os.path.join(PEERS, d) for d in ("usr/bin", "usr/sbin"))
    return shutil.which(name) or shutil.which(name, path=dirs)


# What they keep at fixed places is in a mount namespace.
ALONE = ("unshare", "-m", "sh", "-c", 'for d in /run/containerd /run/docker; do mkdir -p $d && mount -t tmpfs none $d; done; exec "$@"', "sh")


class Daemon:
    def __init__(self, name, *cmd, **env):
        self.log = r.path(f"log-{name}")
        with open(self.log, "w") as log:
            self.p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **env})

    def ready(self, *cmd):
        until(lambda: sh(*cmd).returncode == 0 or self.p.poll() is not None, cmd[0])
        assert self.p.poll() is None, open(self.log).read()[-1500:]

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.p.terminate()
        try:
            self.p.wait(30)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()


@through(True)
def our_engine_pulls_by_its_mirror(far, near):
    run = r.path("engine")
    sock = f"unix://{run}.sock"
    with Daemon("engine", r.TEU, "--root", run, "--run", run + ".run", "engine", "--host", sock,
                "--registry-mirror", "http://127.0.0.1:5000", TEU_OCI=os.environ.get("TEU_OCI", os.path.join(r.TOP, "build/teu-oci"))) as d:
        d.ready(r.TEU, "--host", sock, "version")
        docker = peer("docker")
        a = sh(*([docker, "-H", sock] if docker else [r.TEU, "--host", sock]), "pull", "hello:1")
        assert a.returncode == 0, a.stderr + open(d.log).read()[-1500:]
        was_cached(near, "library/hello", far)
    return None if docker else "SKIP no docker: the engine's own client pulled"


@through(False)
def podman_pulls_by_a_mirror(far, near):
    if not peer("podman"):
        return "SKIP no podman"
    conf = r.write("registries.conf", """
[[registry]]
prefix = "quay.example"
location = "quay.example"
[[registry.mirror]]
location = "127.0.0.1:5000/quay.example"
insecure = true
""")
    top = r.path("podman")
    a = sh("podman", "--root", top, "--runroot", top + ".run", "--tmpdir", top + ".tmp", "--storage-driver", "vfs", "--events-backend", "file",
           "pull", "-q", "--signature-policy", r.write("policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}'),
           "quay.example/library/hello:1", env={**os.environ, "CONTAINERS_REGISTRIES_CONF": conf})
    assert a.returncode == 0, a.stderr
    was_cached(near, "quay.example/library/hello", far)
    return None


@through(False)
def containerd_pulls_by_hosts_toml(far, near):
    if not peer("containerd") or not peer("ctr"):
        return "SKIP no containerd"
    top = r.path("containerd")
    hosts = os.path.join(top, "hosts", "quay.example")
    os.makedirs(hosts)
    with open(os.path.join(hosts, "hosts.toml"), "w") as f:
        f.write('server = "https://quay.example"\n[host."http://127.0.0.1:5000"]\n  capabilities = ["pull", "resolve"]\n')
    conf = r.write("containerd.toml", f"""
version = 2
root = "{top}/root"
state = "{top}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.tracing", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "{top}/sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{top}/opt"
""")
    ctr = (peer("ctr"), "-a", f"{top}/sock")
    with Daemon("containerd", *ALONE, peer("containerd"), "-c", conf) as d:
        d.ready(*ctr, "version")
        a = sh(*ctr, "content", "fetch", "--hosts-dir", os.path.join(top, "hosts"), "quay.example/library/hello:1")
        assert a.returncode == 0, a.stderr + a.stdout
        assert far.top in sh(*ctr, "images", "ls").stdout
        was_cached(near, "quay.example/library/hello", far)  # ns= chose the upstream
    return None


@through(True)
def dockerd_pulls_by_its_mirror(far, near):
    if not all(peer(p) for p in ("dockerd", "containerd", "docker")):
        return "SKIP no dockerd"
    top = r.path("dockerd")
    sock = f"unix://{top}.sock"
    path = os.pathsep.join([os.path.dirname(peer("containerd")), os.path.dirname(peer("dockerd")), os.environ["PATH"]])
    with Daemon("dockerd", *ALONE, peer("dockerd"), "--data-root", top, "--exec-root", top + ".run", "-H", sock, "-p", top + ".pid", "--bridge=none",
                "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--storage-driver", "vfs", "--registry-mirror", "http://127.0.0.1:5000",
                PATH=path) as d:
        d.ready(peer("docker"), "-H", sock, "version")
        a = sh(peer("docker"), "-H", sock, "pull", "hello:1")
        assert a.returncode == 0, a.stderr + open(d.log).read()[-1500:]
        was_cached(near, "library/hello", far)
    return None


if __name__ == "__main__":
    sys.exit(r.main("through"))
