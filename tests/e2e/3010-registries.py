#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls and pushes with registries that behave as the public ones state it, and with bad ones. Prints TAP.

One server speaks for all of them, by name: token flows of Docker Hub, ghcr, quay, ECR, ACR and Artifact Registry; rate limits;
connections that break; lies. Names, certificates and proxies exist in namespaces of this process alone.
"""
import base64
import ctypes
import email.utils
import gzip
import hashlib
import http.server
import io
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import traceback
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.environ.get("TEU", os.path.join(TOP, "build/teu"))
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
GAR = "europe-docker.pkg.dev"
NAMES = ["registry-1.docker.io", "auth.docker.io", "cdn.docker.test", "ghcr.io", "cdn.ghcr.test", "quay.io", "cdn.quay.test", ECR,
         "s3.ecr.test", "mine.azurecr.io", "blob.acr.test", GAR, "cdn.gar.test", "bad.test", "mirror.test", "own-ca.test", "wall.test"]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CASES = []
DIR = ""


def case(fn):
    CASES.append(fn)
    return fn


def path(*names):
    return os.path.join(DIR, *names)


def digest(b):
    return "sha256:" + hashlib.sha256(b).hexdigest()


# ---- an image ----

def layer(name, size):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as t:
        info = tarfile.TarInfo(name)
        info.size = size
        t.addfile(info, io.BytesIO(hashlib.shake_128(name.encode()).digest(size)))
    return raw.getvalue(), gzip.compress(raw.getvalue(), 1, mtime=0)


LAYERS = [layer("etc-a", 1000), layer("usr-b", 600000)]
CONFIG = json.dumps({"architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux", "config": {},
                     "rootfs": {"type": "layers", "diff_ids": [digest(raw) for raw, _ in LAYERS]}}).encode()
BLOBS = {digest(b): b for b in (CONFIG, *[z for _, z in LAYERS])}
BIG = digest(LAYERS[1][1])


def manifest(layers=None, **more):
    layers = layers or [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(z), "size": len(z)} for _, z in LAYERS]
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                      "digest": digest(CONFIG), "size": len(CONFIG)}, "layers": layers, **more}).encode()


# ---- the server ----

def bearer(realm, service):
    return lambda scope: f'Bearer realm="{realm}",service="{service}",scope="{scope}"'


CHALLENGE = {
    "registry-1.docker.io": bearer("https://auth.docker.io/token", "registry.docker.io"),
    "ghcr.io": bearer("https://ghcr.io/token", "ghcr.io"),
    "quay.io": bearer("https://quay.io/v2/auth", "quay.io"),
    "mine.azurecr.io": bearer("https://mine.azurecr.io/oauth2/token", "mine.azurecr.io"),
    GAR: bearer(f"https://{GAR}/v2/token", GAR),
    ECR: lambda scope: f'Basic realm="https://{ECR}/",service="ecr.amazonaws.com"',
}
STORAGE = {"registry-1.docker.io": "cdn.docker.test", "ghcr.io": "cdn.ghcr.test", "quay.io": "cdn.quay.test", ECR: "s3.ecr.test",
           "mine.azurecr.io": "blob.acr.test", GAR: "cdn.gar.test"}
USERS = {"registry-1.docker.io": ("me", "dckr_pat_x"), "ghcr.io": ("me", "ghp_x"), "quay.io": ("org+robot", "R0B0T"),
         ECR: ("AWS", "ecr-password"), GAR: ("oauth2accesstoken", "ya29.x")}
REFRESH = "acr-refresh-token"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = []  # (host, method, path, headers)
    hits = {}  # how often a thing was asked for
    uploads = {}
    tags = {}
    blobs = set()
    lock = threading.Lock()

    def log_message(self, *a):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), str(v))
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def count(self, what):
        with self.lock:
            self.hits[what] = self.hits.get(what, 0) + 1
            return self.hits[what]

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        out = b""
        while n := int(self.rfile.readline(), 16):
            out += self.rfile.read(n)
            self.rfile.readline()
        self.rfile.readline()
        return out

    def handle_any(self):
        self.host = (self.headers.get("Host") or "").split(":")[0]
        self.url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(self.url.query)
        with self.lock:
            self.seen.append((self.host, self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        try:
            self.answer()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_any

    def answer(self):
        parts = self.url.path.split("/")
        if self.host in STORAGE.values():  # signed addresses: an Authorization header would be a second way in, and is refused
            if self.headers.get("Authorization"):
                return self.reply(400, b"InvalidArgument: only one auth mechanism allowed")
            return self.send_blob(self.url.path[1:])
        if self.url.path in ("/token", "/v2/auth", "/oauth2/token", "/v2/token"):
            return self.token()
        if self.host in CHALLENGE and not self.allowed():
            self.close_connection = True  # a body may be on its way
            scope = f"repository:{'/'.join(parts[2:-2])}:pull" if len(parts) > 4 else ""
            return self.reply(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
                              WWW_Authenticate=CHALLENGE[self.host](scope))
        if self.url.path == "/v2/":
            return self.reply(200, b"{}", Docker_Distribution_Api_Version="registry/2.0")
        if "uploads" in parts:
            return self.upload("/".join(parts[2:parts.index("blobs")]))
        self.repo, kind, ref = "/".join(parts[2:-2]), parts[-2], parts[-1]
        if kind == "manifests":
            return self.manifest(ref)
        if kind == "blobs":
            return self.blob(ref)
        self.reply(404, b"{}")

    def basic(self):
        v = self.headers.get("Authorization", "")
        if not v.startswith("Basic "):
            return None
        return tuple(base64.b64decode(v[6:]).decode().split(":", 1))

    def allowed(self):
        if self.host == ECR:
            return self.basic() == USERS[ECR]
        v = self.headers.get("Authorization", "")
        if not v.startswith("Bearer good:"):
            return False
        _, host, scopes, number = base64.b64decode(v[12:]).decode().split("|")
        want = "push" if self.command not in ("GET", "HEAD") else "pull"
        return host == self.host and (self.url.path == "/v2/" or any(self.url.path.startswith(f"/v2/{s.split(':')[1]}/") and want in s.split(":")[2]
                                                                     for s in scopes.split(" ") if s.count(":") == 2))

    def token(self):
        registry = "registry-1.docker.io" if self.host == "auth.docker.io" else self.host
        user = self.basic()
        scopes = self.query.get("scope", [])
        extra = {}
        if self.command == "POST":
            form = urllib.parse.parse_qs(self.body().decode())
            if registry != "mine.azurecr.io":
                return self.reply(404)
            if form.get("grant_type") != ["refresh_token"] or form.get("refresh_token") != [REFRESH] or form.get("service") != [registry]:
                return self.reply(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"the refresh token is not valid"}]}')
            scopes, key = form.get("scope", []), "access_token"
        elif registry == "mine.azurecr.io":
            return self.reply(401)
        else:
            service = {"registry-1.docker.io": "registry.docker.io"}.get(registry, registry)
            if self.query.get("service") != [service] or (user and user != USERS[registry]) or (not user and registry == GAR):
                return self.reply(401, b'{"details":"incorrect username or password"}')
            key = "token"
            if registry == "registry-1.docker.io":
                extra = {"expires_in": 300, "issued_at": "2024-01-01T00:00:00Z"}
                if "offline_token" in self.query:
                    extra["refresh_token"] = "hub-refresh"
            elif registry == GAR:
                extra = {"expires_in": 3600}
        if not user and key == "token":
            scopes = [s.replace(",push", "") for s in scopes]  # anonymous: the granted part alone
        text = f"|{registry}|{' '.join(scopes)}|{self.count('token')}"
        self.reply(200, json.dumps({key: "good:" + base64.b64encode(text.encode()).decode(), **extra}).encode(), Content_Type="application/json")

    def upload(self, repo):
        if self.command == "POST":
            return self.reply(202, Location=f"/v2/{repo}/blobs/uploads/u{self.count('upload')}?state=x", Range="0-0")
        with self.lock:
            data = self.uploads.setdefault(self.url.path, b"") + self.body()
            self.uploads[self.url.path] = data
        if self.command == "PATCH":
            return self.reply(202, Location=self.path, Range=f"0-{len(data) - 1}")
        if digest(data) != self.query["digest"][0]:
            return self.reply(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
        self.blobs.add((repo, digest(data)))
        self.reply(201, Docker_Content_Digest=digest(data))

    def manifest(self, ref):
        key = (self.host, self.repo, ref)
        if self.command == "PUT":
            data = self.body()
            self.tags[key] = data
            return self.reply(201, Docker_Content_Digest=digest(data))
        media, m = MANIFEST, self.tags.get(key) or self.special(ref)
        if m is None:
            return
        if isinstance(m, tuple):
            media, m = m
        self.reply(200, m, Content_Type=media, Docker_Content_Digest=digest(m))

    def special(self, ref):
        """Manifests of repositories with a mistake in them; None: answered."""
        n = self.count(self.host + self.path)
        if self.host == "mirror.test" and self.repo != "library/mirrored":
            return self.reply(404, b"{}")
        if self.repo == "limited" and n <= 2:
            after = "1" if n == 1 else email.utils.formatdate(time.time() + 1, usegmt=True)
            return self.reply(429, b'{"errors":[{"code":"TOOMANYREQUESTS"}]}', Retry_After=after)
        if self.repo == "always-limited":
            return self.reply(429, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit"}]}', Retry_After="0")
        if self.repo == "schema1":
            return "application/vnd.docker.distribution.manifest.v1+prettyjws", b'{"schemaVersion":1,"name":"x","tag":"1","fsLayers":[]}'
        if self.repo == "foreign":
            z = LAYERS[0][1]
            return manifest([{"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": digest(z), "size": len(z),
                              "urls": [f"https://cdn.docker.test/{digest(z)}"]},
                             {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": BIG, "size": len(LAYERS[1][1])}])
        if self.repo == "unplain":
            return self.reply(307, Location="http://bad.test/v2/x/manifests/1")
        if self.repo == "circle":
            return self.reply(302, Location=self.path)
        return manifest()

    def blob(self, d):
        if self.command == "HEAD":
            return self.reply(200 if (self.repo, d) in self.blobs else 404, Content_Length=len(BLOBS.get(d, b"")))
        if self.host in STORAGE:
            return self.reply(307, Location=f"https://{STORAGE[self.host]}/{d}?signature=x")
        if self.repo == "foreign" and d == digest(LAYERS[0][1]):
            return self.reply(404, b"{}")
        self.send_blob(d)

    def send_blob(self, d):
        data, how = BLOBS[d], getattr(self, "repo", "")
        begin, status, headers = 0, 200, {"ETag": f'"{d}"'}
        n = self.count(self.host + self.url.path)
        if (want := self.headers.get("Range", "")).startswith("bytes=") and how != "norange":
            begin = int(want[6:].split("-")[0])
            status, headers["Content_Range"] = 206, f"bytes {begin}-{len(data) - 1}/{len(data)}"
            if how == "etag":
                headers["ETag"] = '"another"'
        rest = data[begin:]
        if d == BIG and how in ("cut", "norange", "etag") and n <= 2:  # half, then the connection breaks
            headers["Content_Length"] = len(rest)
            self.reply(status, rest[:len(rest) // 2], **headers)
            self.close_connection = True
            return
        if d == BIG and how == "wrong":
            rest = rest[:4] + b"time" + rest[8:]  # still good gzip
        if d == BIG and how == "short":
            rest = b"" if begin else rest[:1000]
        if d == BIG and how == "long":
            rest += b"x" * 100000
        self.reply(status, rest, **headers)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *a):
        pass


def serve(port, cert, client_ca=None):
    s = Server(("127.0.0.1", port), Handler)
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(path(cert + ".pem"), path(cert + ".key"))
    if client_ca:
        ctx.verify_mode = ssl.CERT_REQUIRED
        ctx.load_verify_locations(path(client_ca + ".pem"))
    s.socket = ctx.wrap_socket(s.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=s.serve_forever, daemon=True).start()


class Proxy(http.server.BaseHTTPRequestHandler):
    asked = []

    def log_message(self, *a):
        pass

    def do_CONNECT(self):
        self.asked.append((self.path, self.headers.get("Proxy-Authorization")))
        with socket.create_connection(("127.0.0.1", int(self.path.split(":")[1]))) as far:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            back = threading.Thread(target=self.move, args=(far, self.connection))
            back.start()
            self.move(self.connection, far)
            back.join()
        self.close_connection = True

    def move(self, a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


# ---- the machine ----

def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, stdin=subprocess.DEVNULL)


def make_ca(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path(name + ".key"), "-out", path(name + ".pem"),
            "-days", "30", "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def make_cert(name, ca, hosts):
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path(name + ".key"), "-out", path(name + ".csr"),
            "-subj", f"/CN={name}")
    with open(path("ext"), "w") as f:
        f.write("subjectAltName=" + ",".join("DNS:" + h for h in hosts) + "\nextendedKeyUsage=serverAuth,clientAuth\n")
    openssl("x509", "-req", "-in", path(name + ".csr"), "-CA", path(ca + ".pem"), "-CAkey", path(ca + ".key"), "-out", path(name + ".pem"),
            "-days", "20", "-set_serial", "7", "-extfile", path("ext"))


def make_machine():
    def mount(*args):
        subprocess.run(["mount", *args], check=True)

    mount("--make-rprivate", "/")
    with open(path("hosts"), "w") as f:
        f.write("127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {n}\n" for n in NAMES))
    mount("--bind", path("hosts"), "/etc/hosts")
    with open(path("resolv"), "w") as f:
        f.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    mount("--bind", path("resolv"), "/etc/resolv.conf")
    make_ca("ca")
    make_ca("own")
    make_cert("server", "ca", [n for n in NAMES if n != "own-ca.test"])
    make_cert("ownserver", "own", ["own-ca.test"])
    make_cert("client", "own", ["client"])
    roots = "/etc/ssl/certs/ca-certificates.crt"
    if os.path.exists(roots):
        mount("--bind", path("ca.pem"), roots)
    mount("-t", "tmpfs", "tmpfs", "/etc/docker") if os.path.isdir("/etc/docker") else os.makedirs("/etc/docker")
    certs = "/etc/docker/certs.d/own-ca.test:8443"
    os.makedirs(certs)
    shutil.copy(path("own.pem"), certs + "/ca.crt")
    shutil.copy(path("client.pem"), certs + "/client.cert")
    shutil.copy(path("client.key"), certs + "/client.key")
    os.chmod(certs + "/client.key", 0o600)
    serve(443, "server")
    serve(8443, "ownserver", client_ca="own")
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 3128), Proxy)
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()


class Engine:
    def __init__(self, name, *options, **env):
        self.sock, self.env = path(name, "sock"), dict(os.environ, DOCKER_CONFIG=path("config"))
        os.makedirs(path(name))
        for k in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
            self.env.pop(k, None)
        self.log = open(path(name, "log"), "w")
        self.p = subprocess.Popen([TEU, "--root", path(name, "root"), "--run", path(name, "run"), "engine", "--host", f"unix://{self.sock}", *options],
                                  stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env={**self.env, **env})
        self.wait()  # a client that finds nobody would start an engine itself
        self.ok("version")

    def wait(self):
        for _ in range(400):
            with socket.socket(socket.AF_UNIX) as s:
                if s.connect_ex(self.sock) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("the engine does not listen")

    def run(self, *args, **more):
        return subprocess.run([TEU, "--host", f"unix://{self.sock}", *args], capture_output=True, text=True, timeout=60, env=self.env,
                              **({} if "input" in more else {"stdin": subprocess.DEVNULL}), **more)

    def ok(self, *args, **more):
        for _ in range(400 if args == ("version",) else 1):
            r = self.run(*args, **more)
            if r.returncode == 0:
                return r.stdout
            time.sleep(0.05)
        raise AssertionError(f"{args}: {r.stdout} {r.stderr}")

    def fails(self, words, *args, **more):
        r = self.run(*args, **more)
        text = r.stdout + r.stderr
        assert r.returncode != 0 and words in text, f"{args}: '{words}' is not in ({r.returncode}) {text}"
        for _ in range(200):  # it goes right after its answer
            if not os.listdir(path("e", "root", "store", "ingest")):
                return
            time.sleep(0.05)
        raise AssertionError("something stayed")

    def end(self):
        self.p.terminate()
        self.p.wait(30)


def seen(host, part="", method=None):
    return [s for s in Handler.seen if s[0] == host and part in s[2] and method in (None, s[1])]


def pulled(name, again=True):
    """It comes, and what it needs is there."""
    Handler.seen.clear()
    E.ok("pull", name)
    assert json.loads(E.ok("image", "inspect", name))[0]["Id"] == digest(CONFIG)
    E.ok("rmi", "-f", name)


def login(host, user, password):
    E.ok("login", "-u", user, "--password-stdin", host, input=password + "\n")


# ---- the public registries ----

@case
def docker_hub():
    pulled("busybox:1")
    token = seen("auth.docker.io", "/token")[0]
    assert "service=registry.docker.io" in token[2] and "scope=repository%3Alibrary%2Fbusybox%3Apull" in token[2], token
    assert "authorization" not in token[3]
    assert len(seen("auth.docker.io")) == 1, "one token serves the whole pull"
    assert seen("cdn.docker.test", BIG) and not any("authorization" in s[3] for s in seen("cdn.docker.test"))
    E.fails("401", "login", "-u", "me", "--password-stdin", input="wrong\n")
    login("docker.io", *USERS["registry-1.docker.io"])
    assert "hub-refresh" in open(path("config", "config.json")).read() or base64.b64encode(b"me:").decode()[:3] in open(path("config", "config.json")).read()
    E.ok("logout", "docker.io")


@case
def ghcr_push_and_pull():
    login("ghcr.io", *USERS["ghcr.io"])
    E.ok("pull", "ghcr.io/me/app:1")
    E.ok("tag", "ghcr.io/me/app:1", "ghcr.io/me/other:2")
    Handler.seen.clear()
    E.ok("push", "ghcr.io/me/other:2")
    assert any("pull%2Cpush" in s[2] for s in seen("ghcr.io", "/token"))
    assert Handler.tags[("ghcr.io", "me/other", "2")] == manifest()
    assert ("me/other", BIG) in Handler.blobs
    E.ok("logout", "ghcr.io")
    E.fails("the registry answers 401", "push", "ghcr.io/me/other:2")
    E.ok("rmi", "-f", digest(CONFIG))


@case
def quay_with_a_robot():
    login("quay.io", *USERS["quay.io"])
    pulled("quay.io/org/app:1")
    token = seen("quay.io", "/v2/auth")[0]
    assert "account=org%2Brobot" in token[2] and token[3]["authorization"].startswith("Basic "), token
    E.ok("logout", "quay.io")


@case
def ecr_by_a_credential_helper():
    os.makedirs(path("bin"), exist_ok=True)
    with open(path("bin", "docker-credential-ecr-login"), "w") as f:
        f.write('#!/bin/sh\n[ "$1" = get ] || exit 1\nread host || :\nprintf \'{"ServerURL":"%s","Username":"AWS","Secret":"ecr-password"}\' "$host"\n')
    os.chmod(path("bin", "docker-credential-ecr-login"), 0o755)
    E.env["PATH"] = path("bin") + ":" + os.environ["PATH"]
    with open(path("config", "config.json"), "w") as f:
        json.dump({"credHelpers": {ECR: "ecr-login"}}, f)
    pulled(f"{ECR}/team/app:1")
    assert not any("authorization" in s[3] for s in seen("s3.ecr.test"))
    with open(path("config", "config.json"), "w") as f:
        json.dump({"credsStore": "ecr-login"}, f)
    pulled(f"{ECR}/team/app:1")
    os.unlink(path("config", "config.json"))
    E.fails("401", "pull", f"{ECR}/team/app:1")


@case
def acr_by_a_refresh_token():
    with open(path("config", "config.json"), "w") as f:
        json.dump({"auths": {"mine.azurecr.io": {"auth": base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode(), "identitytoken": REFRESH}}}, f)
    pulled("mine.azurecr.io/app:1")
    assert seen("mine.azurecr.io", "/oauth2/token", "POST") and seen("blob.acr.test", BIG)
    with open(path("config", "config.json"), "w") as f:
        json.dump({"auths": {"mine.azurecr.io": {"identitytoken": "old"}}}, f)
    E.fails("the refresh token is not valid", "pull", "mine.azurecr.io/app:1")
    os.unlink(path("config", "config.json"))


@case
def artifact_registry():
    E.fails("incorrect username or password", "pull", f"{GAR}/project/repo/app:1")
    login(GAR, *USERS[GAR])
    pulled(f"{GAR}/project/repo/app:1")
    assert "scope=repository%3Aproject%2Frepo%2Fapp%3Apull" in seen(GAR, "/v2/token")[-1][2]
    E.ok("logout", GAR)


# ---- bad days ----

@case
def a_rate_limit_is_waited_for():
    began = time.monotonic()
    pulled("bad.test/limited:1")
    assert time.monotonic() - began >= 1, "Retry-After was not heeded"
    E.fails("You have reached your pull rate limit", "pull", "bad.test/always-limited:1")


@case
def a_broken_download_goes_on():
    for repo in ("cut", "norange", "etag"):
        pulled(f"bad.test/{repo}:1")
        ranges = [s[3].get("range") for s in seen("bad.test", BIG, "GET")]
        assert len(ranges) == 3 and ranges[0] is None and ranges[1].startswith("bytes="), ranges


@case
def lies_about_bytes_are_found():
    E.fails("the bytes have digest", "pull", "bad.test/wrong:1")
    E.fails("too early", "pull", "bad.test/short:1")
    E.fails("more bytes come than it has", "pull", "bad.test/long:1")


@case
def what_cannot_be_pulled_is_named():
    E.fails("schema 1", "pull", "bad.test/schema1:1")
    E.fails("redirect from https to", "pull", "bad.test/unplain:1")
    E.fails("more than 10 redirects", "pull", "bad.test/circle:1")
    E.fails("nowhere.test", "pull", "nowhere.test/x:1")


@case
def a_foreign_layer_comes_from_its_address():
    Handler.seen.clear()
    E.ok("pull", "bad.test/foreign:1")
    assert seen("cdn.docker.test", digest(LAYERS[0][1])) and not any("authorization" in s[3] for s in seen("cdn.docker.test"))
    E.ok("rmi", "-f", "bad.test/foreign:1")


# ---- ways there ----

@case
def a_host_has_its_own_ca_and_asks_for_a_certificate():
    pulled("own-ca.test:8443/x:1")
    shutil.move("/etc/docker/certs.d/own-ca.test:8443/client.cert", path("aside"))
    E.fails("own-ca.test:8443", "pull", "own-ca.test:8443/x:1")
    shutil.move(path("aside"), "/etc/docker/certs.d/own-ca.test:8443/client.cert")
    shutil.move("/etc/docker/certs.d/own-ca.test:8443/ca.crt", path("aside"))
    E.fails("certificate", "pull", "own-ca.test:8443/x:1")
    shutil.move(path("aside"), "/etc/docker/certs.d/own-ca.test:8443/ca.crt")


@case
def a_mirror_serves_docker_hub_alone():
    global E
    first, E = E, Engine("m", "--registry-mirror", "https://mirror.test")
    try:
        login("docker.io", *USERS["registry-1.docker.io"])
        pulled("mirrored:1")
        assert seen("mirror.test", BIG) and not seen("registry-1.docker.io", BIG)
        assert not any("authorization" in s[3] for s in seen("mirror.test"))
        pulled("not-mirrored:1")
        assert seen("mirror.test", "not-mirrored") and seen("registry-1.docker.io", "manifests")
        pulled("bad.test/plain:1")
        assert not seen("mirror.test")
        E.ok("logout", "docker.io")
    finally:
        E.end()
        E = first


@case
def proxies_of_the_environment_are_used():
    global E
    first, E = E, Engine("p", HTTPS_PROXY="http://user:pw@127.0.0.1:3128", NO_PROXY="bad.test,.gar.test")
    try:
        pulled("quay.io/org/proxied:1")
        assert ("quay.io:443", "Basic " + base64.b64encode(b"user:pw").decode()) in Proxy.asked, Proxy.asked
        assert any(a[0] == "cdn.quay.test:443" for a in Proxy.asked)
        Proxy.asked.clear()
        pulled("bad.test/plain:1")
        assert not Proxy.asked
    finally:
        E.end()
        E = first


@case
def the_engine_never_talks_itself():
    assert not any("/v2/" in l for l in open(path("e", "log"))), "a request is in the engine's log"
    fds = [os.readlink(f"/proc/{E.p.pid}/fd/{n}") for n in os.listdir(f"/proc/{E.p.pid}/fd")]
    kids = open(f"/proc/{E.p.pid}/task/{E.p.pid}/children").read().split()
    assert not kids, f"helpers stayed: {kids}"
    assert len([f for f in fds if f.startswith("pipe:")]) < 8, fds


def main():
    global DIR, E
    if os.geteuid() != 0 or not os.access(TEU, os.X_OK) or not shutil.which("openssl"):
        print("needs root, openssl and a built teu")
        return 77
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000 | 0x00020000) != 0:
        print("needs network and mount namespaces")
        return 77
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    DIR = tempfile.mkdtemp(prefix="teu-registries-")
    failed, E = 0, None
    try:
        os.makedirs(path("config"))
        make_machine()
        E = Engine("e")
        cases = [fn for fn in CASES if not sys.argv[1:] or fn.__name__ in sys.argv[1:]]
        for n, fn in enumerate(cases, 1):
            try:
                began = time.monotonic()
                fn()
                print(f"ok {n} - {fn.__name__} # {time.monotonic() - began:.1f} s", flush=True)
            except Exception:
                failed += 1
                print(f"not ok {n} - {fn.__name__}")
                print("".join("# " + l + "\n" for l in traceback.format_exc().splitlines()[-6:]), end="", flush=True)
        print(f"1..{len(cases)}")
    finally:
        if E:
            E.end()
        subprocess.run(["umount", "-l", "/etc/hosts"], capture_output=True)
        shutil.rmtree(DIR, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
