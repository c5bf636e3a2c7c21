#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what at `teu registry`: TLS, users, tokens, rules, certificates, reload; with skopeo and podman.

Prints TAP. Every registry runs in a network namespace of this process.
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
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse
import warnings

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.environ.get("TEU", os.path.join(TOP, "build/teu"))
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = b"{}"
CASES = []
DIR = ""
HASH = {}  # bcrypt of cost 4, made by libcrypt
PASSWORD = {"alice": "wonder:land", "bob": "builder", "ci": "robot-secret", "old": "stale"}


def case(fn):
    CASES.append(fn)
    return fn


def sh(*cmd, **more):
    return subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **more)


def path(name):
    return os.path.join(DIR, name)


def write(name, text):
    with open(path(name), "w") as f:
        f.write(text)
    return path(name)


class Answer:
    def __init__(self, r):
        self.status, self.body = r.status, r.read()
        self.headers = {k.lower(): v for k, v in r.getheaders()}

    def json(self):
        return json.loads(self.body)


class Registry:
    """One registry; `with` ends it."""

    def __init__(self, *options, tls=False, port=5000, host="127.0.0.1"):
        self.root = tempfile.mkdtemp(prefix="root-", dir=DIR)
        self.port, self.host, self.tls = port, host, tls
        self.log = path(f"log-{os.path.basename(self.root)}")
        if tls:
            options = ("--tls-cert", path("server.pem"), "--tls-key", path("server.key"), *options)
        env = dict(os.environ)
        if "--user" in options:  # the leak checker of a sanitizer build traces its process, which the filter forbids
            env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        with open(self.log, "w") as log:
            self.p = subprocess.Popen([TEU, "--root", self.root, "registry", "--listen", f"{host}:{port}", *options],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def __enter__(self):
        self.wait_log("registry ready")
        return self

    def wait_log(self, text, times=1):
        for _ in range(1200):
            if open(self.log).read().count(text) >= times:
                return
            assert self.p.poll() is None, open(self.log).read()
            time.sleep(0.05)
        raise AssertionError(f"never said '{text}': " + open(self.log).read())

    def __exit__(self, *what):
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(60)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        shutil.rmtree(self.root, ignore_errors=True)
        if not what[0]:
            assert self.p.returncode == 0, open(self.log).read()

    def reload(self, says="reload done"):
        before = open(self.log).read().count(says)
        self.p.send_signal(signal.SIGHUP)
        self.wait_log(says, before + 1)

    def connect(self, cert=None):
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=60)
        ctx = ssl.create_default_context(cafile=path("ca.pem"))
        if cert:
            ctx.load_cert_chain(path(cert + ".pem"), path(cert + ".key"))
        return http.client.HTTPSConnection("localhost", self.port, timeout=60, context=ctx)

    def ask(self, method, where, body=None, headers=None, user=None, token=None, cert=None, password=None):
        headers = dict(headers or {})
        if user:
            text = f"{user}:{PASSWORD[user] if password is None else password}"
            headers["Authorization"] = "Basic " + base64.b64encode(text.encode()).decode()
        if token:
            headers["Authorization"] = "Bearer " + token
        c = self.connect(cert)
        try:
            c.request(method, where, body, headers)
            return Answer(c.getresponse())
        finally:
            c.close()

    def token(self, *scopes, user=None, **more):
        q = [("service", "teu-registry"), *(("scope", s) for s in scopes), *more.items()]
        a = want(self.ask("GET", "/token?" + urllib.parse.urlencode(q), user=user), 200)
        assert a.headers["cache-control"] == "no-store"
        return a.json()

    def push(self, repo, data=b"layer", tag="latest", **who):
        for blob in (EMPTY, data):
            d = digest(blob)
            a = want(self.ask("POST", f"/v2/{repo}/blobs/uploads/?digest={d}", blob, **who), 201)
        m = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": desc(EMPTY, "application/vnd.oci.empty.v1+json"),
                        "artifactType": "a/b", "layers": [desc(data, "a/c")]}).encode()
        a = want(self.ask("PUT", f"/v2/{repo}/manifests/{tag}", m, {"Content-Type": MANIFEST}, **who), 201)
        return a.headers["docker-content-digest"]


def desc(data, media):
    return {"mediaType": media, "digest": digest(data), "size": len(data)}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def want(a, *statuses):
    assert a.status in statuses, f"status {a.status}, wanted {statuses}: {a.body[:300]!r} {a.headers}"
    return a


def code(a):
    return a.json()["errors"][0]["code"]


def challenge(a):
    want(a, 401)
    assert code(a) == "UNAUTHORIZED"
    kind, rest = a.headers["www-authenticate"].split(" ", 1)
    return kind, dict(p.split("=", 1) for p in rest.replace('"', "").replace("pull,push", "pull+push").split(","))


def fails(*options, says, listen="127.0.0.1:5001"):
    r = sh(TEU, "--root", path("never"), "registry", "--listen", listen, *options)
    assert r.returncode != 0, "it began"
    for word in says if isinstance(says, (list, tuple)) else [says]:
        assert word in r.stderr, r.stderr


def make_certs():
    def openssl(*a):
        r = sh("openssl", *a, cwd=DIR)
        assert r.returncode == 0, r.stderr

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=test CA", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    for name, cn, ext in (("server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:192.0.2.1\nextendedKeyUsage=serverAuth"),
                          ("server2", "second", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth"),
                          ("alice", "alice", "extendedKeyUsage=clientAuth"), ("eve", "eve", "extendedKeyUsage=clientAuth")):
        write("ext", ext + "\nbasicConstraints=CA:FALSE\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out", "csr", "-subj", "/CN=" + cn)
        openssl("x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "20", "-extfile", "ext", "-out", name + ".pem")


def make_users():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import crypt
    for name, word in PASSWORD.items():
        # libcrypt by Python; "$2b$04$" and 22 characters of salt
        HASH[name] = crypt.crypt(word, "$2b$04$" + "abcdefghijklmnopqrstuO")
        assert HASH[name] and HASH[name].startswith("$2b$04$"), HASH[name]
    write("users", f"# two people\nalice:{HASH['alice']}\n\nbob:{HASH['bob']}\r\n")
    write("config", json.dumps({
        "robots": {"ci": {"secret": HASH["ci"], "expires": "2199-01-01T00:00:00Z"}, "old": {"secret": HASH["old"], "expires": "2001-01-01T00:00:00Z"}},
        "groups": {"dev": ["bob"]},
        "rules": [
            {"repositories": ["**"], "users": ["alice"], "actions": ["pull", "push", "delete"]},
            {"repositories": ["team/**"], "groups": ["dev"], "actions": ["pull", "push"]},
            {"repositories": ["team/*"], "users": ["ci"], "actions": ["pull"]},
            {"repositories": ["public/**"], "anonymous": True, "actions": ["pull"]},
        ],
        "immutableTags": [{"repositories": ["team/*"], "tags": ["v*"]}],
    }))


# ---- TLS ----


@case
def other_machines_come_by_tls_and_by_name_only():
    fails(says="without TLS", listen="192.0.2.1:5001")
    fails("--tls-cert", path("server.pem"), "--tls-key", path("server.key"), says=["without users", "--htpasswd"], listen="192.0.2.1:5001")
    fails("--htpasswd", path("users"), says="without TLS", listen="0.0.0.0:5001")
    fails("--tls-cert", path("server.pem"), says="1 certificates, but 0 keys")
    fails("--tls-cert", path("server.pem"), "--tls-key", path("alice.key"), says="--tls-cert")
    fails("--tls-cert", path("server.pem"), "--tls-key", path("absent"), says=["--tls-key", "absent"])
    fails("--tls-client-ca", path("ca.pem"), says="--tls-client-ca: needs")
    with Registry("--htpasswd", path("users"), tls=True, host="0.0.0.0") as g:
        want(g.ask("GET", "/v2/", user="alice"), 200)
        challenge(g.ask("GET", "/v2/"))


@case
def tls_speaks_both_protocols():
    with Registry(tls=True) as g:
        for offer, got in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)):
            ctx = ssl.create_default_context(cafile=path("ca.pem"))
            if offer:
                ctx.set_alpn_protocols(offer)
            with ctx.wrap_socket(socket.create_connection(("127.0.0.1", g.port), timeout=60), server_hostname="localhost") as s:
                assert s.selected_alpn_protocol() == got, s.selected_alpn_protocol()
        for version in ("--http1.1", "--http2"):
            r = sh("curl", "-sS", version, "--cacert", path("ca.pem"), f"https://localhost:{g.port}/v2/", "-w", "%{http_version}")
            assert r.stdout == "{}" + ("2" if version == "--http2" else "1.1"), r
        g.push("over/tls", os.urandom(3 << 20))


@case
def a_reload_takes_new_certificates_and_leaves_connections_alone():
    for end in ("pem", "key"):
        shutil.copy(path("server." + end), path("live." + end))
    with Registry("--tls-cert", path("live.pem"), "--tls-key", path("live.key")) as g:
        g.tls = True
        old = g.connect()
        old.request("GET", "/v2/")
        old.getresponse().read()
        sock = old.sock
        before = old.sock.getpeercert()["subject"]
        for end in ("pem", "key"):
            shutil.copy(path("server2." + end), path("live." + end))
        g.reload()
        new = g.connect()
        new.connect()
        assert new.sock.getpeercert()["subject"] != before
        new.close()
        old.request("GET", "/v2/")
        assert old.getresponse().read() == b"{}" and old.sock is sock
        shutil.copy(path("alice.key"), path("live.key"))
        g.reload("reload failed")
        want(g.ask("GET", "/v2/"), 200)
        old.close()


@case
def client_certificates():
    with Registry("--tls-client-ca", path("ca.pem"), tls=True, host="0.0.0.0") as g:
        want(g.ask("GET", "/v2/", cert="eve"), 200)
        try:
            g.ask("GET", "/v2/")
            raise AssertionError("taken without a certificate")
        except (ssl.SSLError, OSError):
            pass
    with Registry("--tls-client-ca", path("ca.pem"), "--htpasswd", path("users"), "--config", path("config"), tls=True) as g:
        d = g.push("own", cert="alice")
        want(g.ask("GET", f"/v2/own/manifests/{d}", cert="alice"), 200)
        assert code(want(g.ask("GET", f"/v2/own/manifests/{d}", cert="eve"), 403)) == "DENIED"
        challenge(g.ask("GET", f"/v2/own/manifests/{d}"))


# ---- users ----


@case
def users_by_password():
    with Registry("--htpasswd", path("users")) as g:
        kind, c = challenge(g.ask("GET", "/v2/"))
        assert kind == "Bearer" and c == {"realm": "http://127.0.0.1:5000/token", "service": "teu-registry"}, c
        kind, c = challenge(g.ask("GET", "/v2/a/b/tags/list"))
        assert c["scope"] == "repository:a/b:pull", c
        kind, c = challenge(g.ask("POST", "/v2/a/b/blobs/uploads/"))
        assert c["scope"] == "repository:a/b:pull+push", c
        for _ in range(2):  # compared, then known
            want(g.ask("GET", "/v2/", user="alice"), 200)
        for user, word in (("alice", "wrong"), ("alice", ""), ("nobody", "wonder:land"), ("", "x"), ("alice", "wonder:land2")):
            challenge(g.ask("GET", "/v2/", user=user or "nobody", password=word))
        for bad in ("Basic", "Basic !!", "Basic YWxpY2U=", "Digest x=y", "Bearer a.b.c", "Basic " + "A" * 4000):
            challenge(g.ask("GET", "/v2/", headers={"Authorization": bad}))
        g.push("mine", user="bob")
        # what has no body also waits for the comparison
        a = g.ask("PUT", "/v2/mine/manifests/x", b"", {"Content-Type": MANIFEST}, user="alice", password="wrong")
        want(a, 401)
    with Registry("--htpasswd", path("users")) as g:
        a = g.ask("PUT", "/v2/mine/manifests/x", b"", {"Content-Type": MANIFEST}, user="alice")
        want(a, 400)
    with Registry("--htpasswd", path("users")) as g:
        a = want(g.ask("POST", "/v2/mine/blobs/uploads/?digest=" + digest(b""), b"", user="alice"), 201)
        text = open(g.log).read()
        assert "wonder" not in text and "$2" not in text


@case
def stored_passwords_of_other_forms_are_refused_by_name():
    for line, says in (("a:$apr1$x$y", "$apr1$"), ("a:{SHA}xx", "{SHA}"), ("a:plain", "no bcrypt hash"), ("nocolon", "NAME:HASH"),
                       (f"a:{HASH['alice']}\na:{HASH['bob']}", "twice"), (f":{HASH['alice']}", "no user name"),
                       ("a:" + HASH["alice"].replace("$04$", "$31$"), "cost 31")):
        fails("--htpasswd", write("bad", "# x\n" + line + "\n"), says=[f"line {2 + line.count(chr(10))}", says])
    fails("--htpasswd", path("absent"), says="absent")


@case
def many_wrong_passwords_make_an_address_wait():
    with Registry("--htpasswd", path("users")) as g:
        seen = {g.ask("GET", "/v2/", user="alice", password=f"guess{i}").status for i in range(20)}
        assert seen == {401, 429}, seen
        for _ in range(20):  # a machine that stands still may sit out the wait, but it doubles
            a = g.ask("GET", "/v2/", user="alice", password="again")
            if a.status == 429:
                break
        want(a, 429)
        assert code(a) == "TOOMANYREQUESTS" and int(a.headers["retry-after"]) > 0
        want(g.ask("GET", "/v2/", user="bob"), 200)  # only for that name


# ---- tokens ----


@case
def tokens_grant_what_is_asked_and_allowed():
    with Registry("--htpasswd", path("users"), "--config", path("config")) as g:
        g.push("team/a", user="alice")
        g.push("public/x", user="alice")
        g.push("own", user="alice")
        t = g.token("repository:team/a:pull,push,delete", "repository:own:pull", "registry:catalog:*", "plugin:x:y", "junk", user="bob")
        assert t["token"] == t["access_token"] and t["expires_in"] == 300 and "issued_at" in t and "refresh_token" not in t
        claims = json.loads(base64.urlsafe_b64decode(t["token"].split(".")[1] + "=="))
        assert claims["access"] == [{"type": "repository", "name": "team/a", "actions": ["pull", "push"]},
                                    {"type": "registry", "name": "catalog", "actions": ["*"]}], claims
        assert claims["sub"] == "bob" and claims["aud"] == "teu-registry"
        head = json.loads(base64.urlsafe_b64decode(t["token"].split(".")[0] + "=="))
        assert head["alg"] == "ES256", head
        tok = t["token"]
        want(g.ask("GET", "/v2/", token=tok), 200)
        want(g.ask("GET", "/v2/team/a/tags/list", token=tok), 200)
        assert want(g.ask("GET", "/v2/_catalog", token=tok), 200).json() == {"repositories": ["public/x", "team/a"]}
        _, c = challenge(g.ask("GET", "/v2/own/tags/list", token=tok))
        assert c["error"] == "insufficient_scope" and c["scope"] == "repository:own:pull", c
        _, c = challenge(g.ask("GET", "/v2/team/a/tags/list", token=tok[:-2] + ("AA" if tok[-2:] != "AA" else "BB")))
        assert c["error"] == "invalid_token", c
        none = tok.split(".")
        none[0] = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")
        challenge(g.ask("GET", "/v2/", token=".".join(none[:2]) + "."))
        # nobody known: public things only
        t = g.token("repository:public/x:pull,push", "repository:team/a:pull")["token"]
        want(g.ask("GET", "/v2/public/x/tags/list", token=t), 200)
        want(g.ask("GET", "/v2/", token=t), 200)
        challenge(g.ask("GET", "/v2/team/a/tags/list", token=t))
        challenge(g.ask("POST", "/v2/public/x/blobs/uploads/", token=t))
        # "*" is all that one may
        t = g.token("repository:team/a:*", user="alice")["token"]
        want(g.ask("DELETE", "/v2/team/a/manifests/latest", token=t), 202)
        want(g.ask("GET", "/token?service=other", user="alice"), 403)
        want(g.ask("GET", "/token", user="alice", password="no"), 401)
        want(g.ask("PUT", "/token", b""), 405)
        a = want(g.ask("GET", "/v2/_zot/ext/mgmt", user="alice"), 404)
        assert "zot" in a.body.decode() and "admin socket" in a.body.decode(), a.body
        key = os.path.join(g.root, "registry/token-key.pem")
        assert os.stat(key).st_mode & 0o777 == 0o600


@case
def refresh_tokens_end_with_the_password():
    shutil.copy(path("users"), path("live-users"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def post(g, **fields):
        return g.ask("POST", "/token", urllib.parse.urlencode({"service": "teu-registry", "client_id": "test", **fields}), form)

    with Registry("--htpasswd", path("live-users")) as g:
        t = want(post(g, grant_type="password", username="alice", password=PASSWORD["alice"], scope="repository:a:pull", access_type="offline"), 200).json()
        r = t["refresh_token"]
        challenge(g.ask("GET", "/v2/", token=r))  # is none for requests
        n = want(post(g, grant_type="refresh_token", refresh_token=r, scope="repository:b:push"), 200).json()
        assert n["refresh_token"] == r
        assert t["scope"] == "repository:a:pull" and n["scope"] == "repository:b:push", (t, n)
        want(g.ask("POST", "/v2/b/blobs/uploads/", token=n["token"]), 202)
        want(post(g, grant_type="refresh_token", refresh_token=n["token"]), 401)
        want(post(g, grant_type="password", username="alice", password="no"), 401)
        want(post(g, grant_type="magic"), 405)
        want(post(g, grant_type="password", username="alice"), 405)
        want(g.ask("POST", "/token", b"x" * 100000, form), 413)
        write("live-users", f"alice:{HASH['bob']}\n")
        g.reload()
        want(post(g, grant_type="refresh_token", refresh_token=r), 401)
        challenge(g.ask("GET", "/v2/", user="alice"))
        want(g.ask("GET", "/v2/", user="alice", password=PASSWORD["bob"]), 200)
        write("live-users", "alice:plain\n")
        g.reload("reload failed")
        want(g.ask("GET", "/v2/", user="alice", password=PASSWORD["bob"]), 200)


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sign(claims, key="idp.key", kid="k1"):
    """A token of somebody else: Ed25519 by the openssl command."""
    text = b64(json.dumps({"alg": "EdDSA", "kid": kid, "typ": "JWT"}).encode()) + "." + b64(json.dumps(claims).encode())
    write("tosign", text)
    r = sh("openssl", "pkeyutl", "-sign", "-inkey", path(key), "-rawin", "-in", path("tosign"), "-out", path("sig"))
    assert r.returncode == 0, r.stderr
    return text + "." + b64(open(path("sig"), "rb").read())


def make_idp(name="idp.key"):
    assert sh("openssl", "genpkey", "-algorithm", "ed25519", "-out", path(name)).returncode == 0
    assert sh("openssl", "pkey", "-in", path(name), "-pubout", "-outform", "DER", "-out", path("pub")).returncode == 0
    raw = open(path("pub"), "rb").read()[-32:]
    return write("jwks", json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": b64(raw)}]}))


@case
def a_foreign_token_server_decides_by_its_claims():
    jwks = make_idp()
    opts = ["--token-jwks", jwks, "--token-realm", "https://auth.test/token", "--token-service", "reg.test", "--token-issuer", "auth.test"]
    fails(*opts[:2], says="--token-realm")
    fails("--token-issuer", "x", says="--token-jwks")
    now = int(time.time())
    base = {"iss": "auth.test", "aud": "reg.test", "exp": now + 3600, "nbf": now - 10, "iat": now - 10, "sub": "kim",
            "access": [{"type": "repository", "name": "a", "actions": ["pull", "push"]}]}
    with Registry(*opts) as g:
        _, c = challenge(g.ask("GET", "/v2/"))
        assert c == {"realm": "https://auth.test/token", "service": "reg.test"}, c
        g.push("a", token=sign(base))
        want(g.ask("DELETE", "/v2/a/manifests/latest", token=sign(base)), 401)
        want(g.ask("GET", "/v2/b/tags/list", token=sign(base)), 401)
        for wrong in ({"iss": "x"}, {"aud": "x"}, {"exp": now - 3600}, {"nbf": now + 3600}):
            _, c = challenge(g.ask("GET", "/v2/a/tags/list", token=sign({**base, **wrong})))
            assert c["error"] == "invalid_token", c
        make_idp("other.key")
        challenge(g.ask("GET", "/v2/a/tags/list", token=sign(base, "other.key")))
        want(g.ask("GET", "/token"), 404)


@case
def openid_tokens_meet_the_rules():
    jwks = make_idp()
    conf = write("oidc.yaml", f"""
oidc:
- issuer: https://idp.test
  audience: registry
  jwks: {jwks}
  userClaim: email
rules:
- repositories: ["ci/**"]
  groups: [builders]
  actions: [pull, push]
- repositories: ["kim"]
  users: [kim@test]
  actions: [pull]
""")
    now = int(time.time())
    base = {"iss": "https://idp.test", "aud": ["registry"], "exp": now + 3600, "iat": now, "sub": "1", "email": "kim@test", "groups": ["builders", "x"]}
    with Registry("--config", conf) as g:
        g.push("ci/app", token=sign(base))
        want(g.ask("GET", "/v2/ci/app/tags/list", token=sign({**base, "groups": []})), 403)
        want(g.ask("GET", "/v2/kim/tags/list", token=sign({**base, "groups": "no list"})), 404)
        want(g.ask("GET", "/v2/ci/app/tags/list", token=sign({k: v for k, v in base.items() if k != "email"})), 401)


# ---- rules ----


@case
def rules_by_repository_user_group_and_robot():
    with Registry("--htpasswd", path("users"), "--config", path("config")) as g:
        for repo in ("team/a", "team/deep/b", "public/x", "own"):
            g.push(repo, user="alice")
        may = {("bob", "team/a"): 200, ("bob", "team/deep/b"): 200, ("bob", "own"): 403, ("ci", "team/a"): 200, ("ci", "team/deep/b"): 403,
               ("bob", "public/x"): 200, (None, "public/x"): 200, (None, "own"): 401, ("old", "team/a"): 401}
        for (user, repo), status in may.items():
            a = g.ask("GET", f"/v2/{repo}/manifests/latest", user=user)
            assert a.status == status, (user, repo, a.status)
        want(g.ask("POST", "/v2/team/a/blobs/uploads/", user="ci"), 403)
        want(g.ask("DELETE", "/v2/team/a/manifests/latest", user="bob"), 403)
        assert g.ask("GET", "/v2/_catalog", user="ci").json()["repositories"] == ["public/x", "team/a"]
        want(g.ask("GET", "/v2/secret/none/tags/list", user="bob"), 403)  # not even whether it is there
        # a mount takes nothing that one may not pull
        d = digest(b"layer")
        want(g.ask("POST", f"/v2/team/z/blobs/uploads/?mount={d}&from=own", user="bob"), 202)
        want(g.ask("POST", f"/v2/team/z/blobs/uploads/?mount={d}", user="bob"), 202)
        want(g.ask("POST", f"/v2/team/z/blobs/uploads/?mount={d}&from=team/a", user="bob"), 201)


@case
def immutable_tags_stay():
    with Registry("--htpasswd", path("users"), "--config", path("config")) as g:
        g.push("team/a", b"one", "v1", user="alice")
        g.push("team/a", b"one", "v1", user="alice")  # the same again
        g.push("team/a", b"one", "edge", user="alice")
        g.push("team/a", b"two", "edge", user="alice")
        m = want(g.ask("GET", "/v2/team/a/manifests/edge", user="alice"), 200).body
        for where in ("v1", "other?tag=v1"):
            a = g.ask("PUT", f"/v2/team/a/manifests/{where}", m, {"Content-Type": MANIFEST}, user="alice")
            assert 400 <= a.status < 500 and "v1" in a.json()["errors"][0]["message"], (a.status, a.body)
        want(g.ask("DELETE", "/v2/team/a/manifests/v1", user="alice"), 403)
        want(g.ask("DELETE", "/v2/team/a/manifests/edge", user="alice"), 202)


@case
def mistakes_in_the_configuration_are_named():
    for text, says in (("rulez: []", "rulez"), ("rules: [{repositories: [a], actions: [pull]}]", "for nobody"),
                       ("rules: [{repositories: [a], users: [zoe], actions: [pull]}]", "'zoe'"),
                       ("rules: [{repositories: [a], groups: [g], actions: [pull]}]", "'g'"),
                       ("rules: [{repositories: [a], anonymous: true, actions: [fly]}]", "actions"),
                       ("rules: [{repositories: ['*a*b*c*d*e*f*g*h*i'], anonymous: true, actions: [pull]}]", "stars"),
                       ("users: {a: {password: hunter2}}", "bcrypt"), ("users: [", "line"), ("oidc: [{issuer: a, audience: b, jwks: c}]", "jwks")):
        r = sh(TEU, "--root", path("never"), "registry", "--listen", "127.0.0.1:5001", "--config", write("bad.yaml", text))
        assert r.returncode != 0 and says in r.stderr and "hunter2" not in r.stderr, (text, r.stderr)


# ---- what is told ----


def lines(name):
    return [json.loads(x) for x in open(path(name)).read().splitlines()]


@case
def the_audit_log_says_who_did_what():
    with Registry("--htpasswd", path("users"), "--config", path("config"), "--audit-log", path("audit"), "--access-log", path("access")) as g:
        want(g.ask("GET", "/v2/"), 401)  # a first question is no event
        d = g.push("team/a", user="alice")
        want(g.ask("GET", "/v2/team/a/manifests/latest", user="bob"), 200)
        want(g.ask("GET", "/v2/team/a/blobs/" + digest(b"layer"), user="bob"), 200)
        want(g.ask("DELETE", "/v2/team/a/manifests/latest", user="bob"), 403)
        want(g.ask("GET", "/v2/", user="alice", password="hunter2"), 401)
        want(g.ask("PUT", "/v2/team/a/manifests/x", b"{", {"Content-Type": MANIFEST}, user="alice"), 400)
        want(g.ask("DELETE", "/v2/team/a/manifests/latest", user="alice"), 202)
        got = [(x.get("user"), x["method"], x["object"], x.get("repository"), x.get("reference"), x.get("digest"), x["status"]) for x in lines("audit")]
        layer = digest(b"layer")
        assert got == [
            ("alice", "POST", "blob", "team/a", None, digest(EMPTY), 201),
            ("alice", "POST", "blob", "team/a", None, layer, 201),
            ("alice", "PUT", "manifest", "team/a", "latest", d, 201),
            ("bob", "GET", "manifest", "team/a", "latest", d, 200),
            ("bob", "GET", "blob", "team/a", layer, layer, 200),
            ("bob", "DELETE", "manifest", "team/a", "latest", None, 403),
            ("alice", "GET", "registry", None, None, None, 401),
            ("alice", "PUT", "manifest", "team/a", "x", None, 400),
            ("alice", "DELETE", "manifest", "team/a", "latest", None, 202),
        ], got
        assert all(x["peer"].startswith("127.0.0.1:") and x["time"] for x in lines("audit"))
        os.rename(path("audit"), path("audit.moved"))
        g.reload()
        g.push("team/b", user="alice")
        assert len(lines("audit")) == 3 and len(lines("audit.moved")) == 9
    text = open(path("access")).read() + open(path("audit.moved")).read()
    assert len(lines("access")) == 13, text
    for secret in ("hunter2", "wonder", "Basic", "$2"):
        assert secret not in text, text


@case
def the_audit_log_rotates_by_size():
    with Registry("--audit-log", path("rot"), "--audit-log-size", "1k") as g:
        for n in range(20):
            g.push("a", tag=f"t{n}")
    names = sorted(n for n in os.listdir(DIR) if n.startswith("rot"))
    assert names == ["rot", "rot.1", "rot.2", "rot.3", "rot.4"], names
    assert all(os.path.getsize(path(n)) < 2048 and lines(n) is not None for n in names)
    fails("--audit-log", "/", says="audit log")


@case
def metrics_count():
    fails("--metrics", "0.0.0.0:9000", says=["--metrics", "loopback"])
    with Registry("--htpasswd", path("users"), "--metrics", "127.0.0.1:9000") as g:
        g.push("a", user="alice")
        want(g.ask("GET", "/v2/a/manifests/latest", user="alice"), 200)
        want(g.ask("GET", "/v2/a/manifests/latest", user="alice", password="no"), 401)
        want(g.ask("POST", "/v2/a/blobs/uploads/", user="alice"), 202)
        want(g.ask("DELETE", "/v2/a/manifests/latest", user="alice"), 202)
        for where in ("/healthz", "/readyz"):
            want(g.ask("GET", where), 200)

        def scrape(accept):
            c = http.client.HTTPConnection("127.0.0.1", 9000, timeout=60)
            c.request("GET", "/metrics", headers={"Accept": accept})
            a = want(Answer(c.getresponse()), 200)
            c.close()
            return a

        text = scrape("text/plain").body.decode()
        for line in ('teu_registry_pushed_total{kind="blob"} 2', 'teu_registry_pushed_total{kind="manifest"} 1', 'teu_registry_pulled_total{kind="manifest"} 1',
                     'teu_registry_deleted_total{kind="manifest"} 1', 'teu_registry_refused_total{kind="UNAUTHORIZED"} 1', "teu_registry_uploads_open 1",
                     'http_requests_total{method="DELETE",code="202"} 1'):
            assert line + "\n" in text, (line, text)
        a = scrape("application/openmetrics-text;version=1.0.0")
        assert a.headers["content-type"].startswith("application/openmetrics-text") and a.body.endswith(b"# EOF\n")


@case
def the_admin_socket_switches_pushes_off_and_on():
    with Registry("--admin", path("admin.sock")) as g:
        def admin(method, where):
            c = http.client.HTTPConnection("admin", timeout=60)
            c.sock = socket.socket(socket.AF_UNIX)
            c.sock.settimeout(60)
            c.sock.connect(path("admin.sock"))
            c.request(method, where)
            a = Answer(c.getresponse())
            c.close()
            return a

        assert os.stat(path("admin.sock")).st_mode & 0o777 == 0o600
        g.push("a")
        want(g.ask("POST", "/v2/a/blobs/uploads/"), 202)
        s = want(admin("GET", "/status"), 200).json()
        assert s["readOnly"] is False and s["uploadsOpen"] == 1 and s["users"] is False and s["requests"] >= 4, s
        assert want(admin("POST", "/read-only"), 200).json()["readOnly"] is True
        want(g.ask("POST", "/v2/a/blobs/uploads/"), 405)
        want(g.ask("DELETE", "/v2/a/manifests/latest"), 405)
        want(g.ask("GET", "/v2/a/manifests/latest"), 200)
        assert want(admin("POST", "/read-write"), 200).json()["readOnly"] is False
        g.push("a", b"more")
        want(admin("POST", "/gc"), 200)
        for method, where in (("GET", "/gc"), ("POST", "/status"), ("GET", "/v2/")):
            assert admin(method, where).status == 404
    fails("--admin", path("none/x"), says="--admin")


# ---- without root ----


@case
def a_registry_gives_up_root():
    for bad in ("0", "x", "1:0", "1:", "-1", "99999999999"):
        fails("--user", bad, says="--user")
    os.makedirs(path("mine/x"))
    r = sh(TEU, "--root", path("mine"), "registry", "--listen", "127.0.0.1:5001", "--user", "reserved")
    assert r.returncode != 0 and "belongs to uid 0" in r.stderr, r.stderr
    own = path("fence")
    os.makedirs(own)
    for name in ("server.pem", "server.key", "users", "config"):
        shutil.copy(path(name), own)
        os.chown(os.path.join(own, name), 61901, 61901)
    os.chown(own, 61901, 61901)
    os.chmod(DIR, 0o755)
    with Registry("--user", "reserved", "--tls-cert", own + "/server.pem", "--tls-key", own + "/server.key", "--htpasswd", own + "/users",
                  "--config", own + "/config", "--audit-log", own + "/audit", "--access-log", own + "/access", host="0.0.0.0") as g:
        g.tls = True
        status = open(f"/proc/{g.p.pid}/status").read()
        field = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert field["Uid"].split() == field["Gid"].split() == ["61901"] * 4, field
        assert field["Groups"].strip() == "" and field["NoNewPrivs"] == "1" and field["Seccomp"] == "2", field
        assert all(int(field[k], 16) == 0 for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")), field
        for _ in range(2):
            d = g.push("team/a", os.urandom(100000), user="alice")
            want(g.ask("GET", "/v2/team/a/manifests/" + d, user="bob"), 200)
            want(g.ask("DELETE", "/v2/team/a/manifests/" + d, user="alice"), 202)
            g.p.send_signal(signal.SIGUSR1)
            g.reload()
        owners = {os.lstat(os.path.join(d, n)).st_uid for d, _, names in os.walk(g.root) for n in [".", *names]}
        assert owners == {61901}, owners
        assert len(lines("fence/audit")) >= 10
        if ctypes.CDLL(None).syscall(444, None, 0, 1) >= 1:  # Landlock: nothing but what is configured
            jwks = make_idp()
            os.chmod(jwks, 0o644)
            write("fence/config", json.dumps({"oidc": [{"issuer": "a", "audience": "b", "jwks": jwks}]}))
            g.reload("reload failed")
            assert "jwks" in open(g.log).read() and "Permission denied" in open(g.log).read()


# ---- other people's clients ----


@case
def skopeo_and_podman_log_in():
    if not shutil.which("skopeo") or not shutil.which("podman"):
        return "skip: needs skopeo and podman"
    image = path("layout")
    shutil.rmtree(image, ignore_errors=True)
    os.makedirs(image + "/blobs/sha256")
    layer = open("/etc/os-release", "rb").read()
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}).encode()
    m = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": desc(config, "application/vnd.oci.image.config.v1+json"),
                    "layers": [desc(layer, "application/vnd.oci.image.layer.v1.tar")]}).encode()
    for blob in (layer, config, m):
        write("layout/blobs/sha256/" + digest(blob)[7:], blob.decode())
    write("layout/oci-layout", '{"imageLayoutVersion":"1.0.0"}')
    write("layout/index.json", json.dumps({"schemaVersion": 2, "manifests": [{**desc(m, MANIFEST), "annotations": {"org.opencontainers.image.ref.name": "x"}}]}))
    shutil.rmtree(path("certs"), ignore_errors=True)
    os.makedirs(path("certs"))
    shutil.copy(path("ca.pem"), path("certs/ca.crt"))
    with Registry("--htpasswd", path("users"), "--config", path("config"), tls=True) as g:
        to, certs = f"docker://localhost:{g.port}/team/app:1", path("certs")
        skopeo = ["skopeo", "--insecure-policy"]

        def copy(*more):
            return sh(*skopeo, "copy", "--preserve-digests", "--dest-cert-dir", certs, *more, "oci:" + image + ":x", to)

        assert copy("--dest-creds", "bob:" + PASSWORD["bob"]).returncode == 0
        r = copy("--dest-creds", "bob:wrong")
        assert r.returncode != 0 and "nauthorized" in r.stderr + "nauthorized" * ("invalid username/password" in r.stderr), r.stderr
        r = copy("--dest-creds", "ci:" + PASSWORD["ci"])
        assert r.returncode != 0, "a reader has pushed"
        r = sh(*skopeo, "inspect", "--raw", "--cert-dir", certs, "--creds", "ci:" + PASSWORD["ci"], to)
        assert r.returncode == 0 and r.stdout.encode() == m, r
        r = sh(*skopeo, "inspect", "--cert-dir", certs, "--no-creds", to)
        assert r.returncode != 0
        r = sh(*skopeo, "copy", "--src-cert-dir", certs, "--src-creds", "alice:" + PASSWORD["alice"], "--dest-cert-dir", certs,
               "--dest-creds", "alice:" + PASSWORD["alice"], to, f"docker://localhost:{g.port}/public/app:1")
        assert r.returncode == 0, r.stderr
        r = sh(*skopeo, "inspect", "--raw", "--cert-dir", certs, "--no-creds", f"docker://localhost:{g.port}/public/app:1")
        assert r.returncode == 0 and r.stdout.encode() == m, r
        r = sh(*skopeo, "delete", "--cert-dir", certs, "--creds", "alice:" + PASSWORD["alice"], f"docker://localhost:{g.port}/public/app:1")
        assert r.returncode == 0, r.stderr
        home = {**os.environ, "HOME": DIR, "XDG_RUNTIME_DIR": DIR}
        login = ["podman", "--root", path("pr"), "--runroot", path("prr"), "--storage-driver", "vfs", "login", "--authfile", path("auth.json"),
                 "--cert-dir", certs, "-u", "alice"]
        r = sh(*login, "-p", PASSWORD["alice"], f"localhost:{g.port}", env=home)
        assert r.returncode == 0 and "Login Succeeded" in r.stdout, r
        r = sh(*login, "-p", "wrong", f"localhost:{g.port}", env=home)
        assert r.returncode != 0, r
    return None


def main():
    global DIR
    if os.geteuid() != 0 or not os.access(TEU, os.X_OK):
        print("needs root and a built teu")
        return 77
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        print("needs a network namespace")
        return 77
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    DIR = tempfile.mkdtemp(prefix="teu-access-")
    failed = 0
    try:
        make_certs()
        make_users()
        only = sys.argv[1:]
        cases = [fn for fn in CASES if not only or fn.__name__ in only]
        for n, fn in enumerate(cases, 1):
            try:
                said = fn()
                print(f"ok {n} - {fn.__name__}" + (f" # {said}" if said else ""), flush=True)
            except Exception:
                failed += 1
                print(f"not ok {n} - {fn.__name__}")
                print("".join("# " + l + "\n" for l in traceback.format_exc().splitlines()[-6:]), end="", flush=True)
        print(f"1..{len(cases)}")
    finally:
        if failed:
            for name in sorted(os.listdir(DIR)):
                if name.startswith("log-"):
                    print("".join("# " + l for l in open(path(name), errors="replace").readlines()[-4:]), end="")
        shutil.rmtree(DIR, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
