#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a registry keeps and for whom: quotas, retention, usage, read-only mode, accounts at run time; by the admin commands.

Prints TAP. Every registry runs in a network namespace of this process.
"""
import base64
import ctypes
import http.server
import importlib.machinery
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader("access", os.path.join(HERE, "3110-registry-access.py"))
access = importlib.util.module_from_spec(importlib.util.spec_from_loader("access", loader))
sys.dont_write_bytecode = True
loader.exec_module(access)
TEU, MANIFEST, EMPTY = access.TEU, access.MANIFEST, access.EMPTY
want, code, digest, desc, path, write, sh = access.want, access.code, access.digest, access.desc, access.path, access.write, access.sh
KB = 1000
CASES = []


def case(fn):
    CASES.append(fn)
    return fn


class Registry(access.Registry):
    """With an admin socket."""

    def __init__(self, conf=None, *options, **more):
        self.sock = os.path.join(tempfile.mkdtemp(prefix="a-", dir=access.DIR), "s")
        if "--user" in options:
            os.chown(os.path.dirname(self.sock), 61901, 61901)
        if conf is not None:
            options = ("--config", write("conf", json.dumps(conf)), *options)
        super().__init__("--admin", self.sock, *options, **more)

    def teu(self, *words, stdin=None):
        return subprocess.run([TEU, "registry", *words, "--admin", self.sock], input=stdin, capture_output=True, text=True, timeout=120)

    def admin(self, *words, stdin=None):
        r = self.teu(*words, stdin=stdin)
        assert r.returncode == 0, (words, r.stderr)
        return json.loads(r.stdout) if r.stdout.startswith("{") else r.stdout

    def used(self, repo):
        return next((u for u in self.admin("usage", "--format", "json")["repositories"] if u["repository"] == repo), None)

    def blob(self, repo, data, **who):
        return self.ask("POST", f"/v2/{repo}/blobs/uploads/?digest={digest(data)}", data, **who)

    def uploads(self):
        return os.listdir(os.path.join(self.root, "store/uploads"))

    def image(self, repo, tag, n, subject=None, **who):
        """A small image of its own for each n; the digest."""
        want(self.blob(repo, EMPTY, **who), 201)
        m = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "a/b", "config": desc(EMPTY, "application/vnd.oci.empty.v1+json"), "layers": [],
             "annotations": {"n": str(n)}}
        if subject:
            m["subject"] = {"mediaType": MANIFEST, "digest": subject, "size": 1}
        a = want(self.ask("PUT", f"/v2/{repo}/manifests/{tag or digest(json.dumps(m).encode())}", json.dumps(m).encode(), {"Content-Type": MANIFEST}, **who), 201)
        return a.headers["docker-content-digest"]

    def tags(self, repo):
        return want(self.ask("GET", f"/v2/{repo}/tags/list"), 200).json()["tags"] or []


def random(n):
    return os.urandom(n)


# ---- quotas ----


@case
def a_repository_is_not_filled_above_its_quota():
    with Registry({"quotas": [{"repositories": ["full/*"], "bytes": "1M"}]}) as g:
        first = random(600 * KB)
        want(g.blob("full/a", first), 201)
        a = want(g.blob("full/a", random(600 * KB)), 403)
        assert code(a) == "DENIED" and "quota: repository 'full/a'" in a.json()["errors"][0]["message"], a.body
        want(g.blob("full/a", first), 201)  # is there already
        want(g.blob("full/b", random(600 * KB)), 201)  # each by itself
        want(g.blob("other", random(1200 * KB)), 201)
        # A mount brings bytes too.
        want(g.blob("src", big := random(500 * KB)), 201)
        a = want(g.ask("POST", f"/v2/full/a/blobs/uploads/?mount={digest(big)}&from=src"), 403)
        assert code(a) == "DENIED"
        # Bytes of unknown length are looked at as they come, in one piece and in many.
        loc = want(g.ask("POST", "/v2/full/a/blobs/uploads/"), 202).headers["location"]
        a = want(g.ask("PATCH", loc, iter([b"x" * 100000] * 8), {"Content-Type": "application/octet-stream"}), 403)
        assert code(a) == "DENIED", a.body
        want(g.ask("GET", loc), 404)
        loc = want(g.ask("POST", "/v2/full/a/blobs/uploads/"), 202).headers["location"]
        want(g.ask("PATCH", loc, b"x" * 300000), 202)
        want(g.ask("PATCH", loc, b"x" * 300000), 403)
        assert g.uploads() == [], g.uploads()
        # What goes makes room.
        want(g.ask("DELETE", f"/v2/full/a/blobs/{digest(first)}"), 202)
        want(g.blob("full/a", random(900 * KB)), 201)
        want(g.blob("full/a", random(100 * KB)), 201)
        want(g.ask("POST", "/v2/full/a/blobs/uploads/"), 403)  # full to the last byte: told before anything is sent
        assert g.used("full/a")["bytes"] == 1000 * KB


@case
def pushes_side_by_side_do_not_pass_a_quota():
    with Registry({"quotas": [{"prefix": "team/", "bytes": "1M"}, {"prefix": "", "bytes": "100M"}]}) as g:
        got = []

        def push(n):
            got.append(g.blob(f"team/r{n}", random(190 * KB)).status)
        threads = [threading.Thread(target=push, args=(n,)) for n in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        assert set(got) <= {201, 403} and len(got) == 20, got
        total = sum(u["bytes"] for u in g.admin("usage", "--format", "json", "--repository", "team/*")["repositories"])
        assert total == got.count(201) * 190 * KB <= 1000 * KB, (total, got)
        assert g.uploads() == []
        while g.blob("team/last", random(190 * KB)).status == 201:
            total += 190 * KB
        assert total == 950 * KB, total
        want(g.blob("elsewhere", random(190 * KB)), 201)


@case
def tags_and_manifests_are_counted():
    with Registry({"quotas": [{"repositories": ["**"], "tags": 2, "manifests": 3}]}) as g:
        d = [g.image("a/b", f"t{n}", n) for n in range(2)]
        m = want(g.ask("GET", "/v2/a/b/manifests/t0"), 200)
        a = want(g.ask("PUT", "/v2/a/b/manifests/t9", m.body, {"Content-Type": MANIFEST}), 403)
        assert "2 tags of at most 2" in a.body.decode(), a.body
        want(g.ask("PUT", "/v2/a/b/manifests/t0", m.body, {"Content-Type": MANIFEST}), 201)
        g.image("a/b", None, 7)
        a = want(g.ask("PUT", "/v2/a/b/manifests/t0", m.body.replace(b'"0"', b'"8"'), {"Content-Type": MANIFEST}), 403)
        assert "3 manifests of at most 3" in a.body.decode(), a.body
        want(g.ask("DELETE", f"/v2/a/b/manifests/{d[1]}"), 202)
        g.image("a/b", "t8", 8)
    access.fails("--config", write("bad", json.dumps({"quotas": [{"bytes": "1M"}]})), says=["quotas[0]", "repositories", "prefix"])
    access.fails("--config", write("bad", json.dumps({"quotas": [{"prefix": "team", "bytes": "1M"}]})), says="end with '/'")
    access.fails("--config", write("bad", json.dumps({"quotas": [{"prefix": "", "bytes": "1.5M"}]})), says="bytes")


# ---- retention ----


@case
def retention_keeps_what_rules_keep():
    rules = [{"repositories": ["app/*"], "tags": ["*"], "keepLast": 2}, {"repositories": ["app/*"], "untaggedAfter": "0s"}]
    log = path("audit-retention")
    with Registry({"retention": rules, "immutableTags": [{"repositories": ["**"], "tags": ["v*"]}]}, "--audit-log", log, "--gc-grace", "0s") as g:
        d = {}
        for n, tag in enumerate(("v1", "a", "signed", "b", "c", "e")):
            d[tag] = g.image("app/x", tag, n)
            g.image("lib/x", tag, n)
        g.image("app/x", None, 99, subject=d["signed"])
        g.image("app/x", None, 100)  # no tag leads there
        plan = g.admin("retention", "--dry-run")
        assert plan["dryRun"] and sorted(x["tag"] for x in plan["dropped"] if "tag" in x) == ["a", "b"], plan
        assert len(g.tags("app/x")) == 6
        done = g.admin("retention")
        assert (done["tags"], done["manifests"]) == (2, 3), done
        assert sorted(g.tags("app/x")) == ["c", "e", "signed", "v1"]
        assert len(g.tags("lib/x")) == 6  # no rule speaks of it
        want(g.ask("GET", "/v2/app/x/manifests/" + d["a"]), 404)
        assert len(want(g.ask("GET", "/v2/app/x/referrers/" + d["signed"]), 200).json()["manifests"]) == 1
        lines = [json.loads(l) for l in open(log)]
        assert sorted(l["reference"] for l in lines if l.get("by") == "retention" and not l["reference"].startswith("sha256:")) == ["a", "b"]
        assert g.admin("retention")["tags"] == 0
        write("conf", json.dumps({"retention": [{"repositories": ["app/*"], "keepLast": 0, "signed": True}]}))
        g.admin("reload")
        g.admin("retention")
        assert g.tags("app/x") == [] and g.used("app/x")["manifests"] == 0, g.used("app/x")
        write("conf", json.dumps({"retention": [{"repositories": ["lib/*"], "pulledWithin": "1000h", "keepLastPulled": 1}]}))
        g.admin("reload")
        assert g.admin("retention", "--dry-run")["tags"] == 0  # never pulled counts as pulled when it was pushed
        write("conf", json.dumps({"retention": [{"repositories": ["lib/*"], "keepLastPulled": 1}]}))
        g.admin("reload")
        want(g.ask("GET", "/v2/lib/x/manifests/b"), 200)
        g.admin("retention")
        assert g.tags("lib/x") == ["b"], g.tags("lib/x")
        collected = g.admin("gc")
        assert collected["blobs"] >= 1, collected
    for bad, says in (({"repositories": ["a"]}, "keeps nothing"), ({"repositories": ["a"], "pushedWithin": "soon"}, "duration"), ({"repositories": ["a"], "keepLast": -1}, "keepLast")):
        access.fails("--config", write("bad", json.dumps({"retention": [bad]})), says=says)


# ---- the report, and modes ----


@case
def usage_tells_what_is_shared_and_when_it_was_used():
    with Registry() as g:
        shared, own = random(50 * KB), random(30 * KB)
        for repo, data in (("one", shared), ("one", own), ("two", shared)):
            want(g.blob(repo, data), 201)
        g.image("one", "t", 1)
        want(g.ask("GET", "/v2/one/manifests/t"), 200)
        one = g.used("one")
        assert one["tags"] == one["manifests"] == 1 and one["blobs"] == 3, one
        assert one["sharedBytes"] == 50 * KB and one["bytes"] == one["sharedBytes"] + one["ownBytes"], one
        assert one["lastPush"] and one["lastPull"] and "lastPull" not in g.used("two")
        table = g.admin("usage")
        assert table.startswith("REPOSITORY") and len(table.splitlines()) == 3, table
        assert g.admin("usage", "--repository", "tw*", "--format", "{{.Repository}} {{.Tags}}") == "two 0\n"
        r = sh(TEU, "registry", "usage", "--admin", path("absent"))
        assert r.returncode == 1 and "--admin" in r.stderr, r
        assert g.admin("gc", "--dry-run")["dryRun"]


@case
def read_only_is_switched_at_run_time():
    with Registry() as g:
        g.image("a", "t", 1)
        assert g.admin("readonly", "on")["readOnly"]
        a = want(g.blob("a", b"x"), 405)
        assert code(a) == "UNSUPPORTED"
        want(g.ask("DELETE", "/v2/a/manifests/t"), 405)
        want(g.ask("GET", "/v2/a/manifests/t"), 200)
        assert not g.admin("readonly", "off")["readOnly"]
        want(g.blob("a", b"x"), 201)
        assert g.teu("readonly", "maybe").returncode == 1
        assert g.admin("status")["readOnly"] is False


# ---- accounts ----


@case
def users_and_robots_come_and_go_at_run_time():
    with Registry() as g:
        g.image("team/app", "t", 1)
        access.PASSWORD["dora"] = "first-word"
        g.admin("user", "add", "dora", "--password-stdin", stdin="first-word\n")
        want(g.ask("GET", "/v2/"), 401)  # from now on somebody must be known
        want(g.ask("GET", "/v2/", user="dora"), 200)
        secret = g.admin("robot", "add", "ci", "--allow", "team/**:pull", "--expires", "10h").strip()
        who = {"user": "ci", "password": secret}
        access.PASSWORD["ci"] = secret
        want(g.ask("GET", "/v2/team/app/manifests/t", **who), 200)
        want(g.blob("team/app", b"x", **who), 403)
        want(g.ask("GET", "/v2/other/manifests/t", **who), 403)
        # A token ends with its account, with the password, by a revocation: at once.
        scope = "repository:team/app:pull,push"
        robot = g.token(scope, user="ci")["token"]
        want(g.ask("GET", "/v2/team/app/manifests/t", token=robot), 200)
        want(g.blob("team/app", b"x", token=robot), 401)
        g.admin("robot", "rm", "ci")
        want(g.ask("GET", "/v2/team/app/manifests/t", token=robot), 401)
        want(g.ask("GET", "/v2/team/app/manifests/t", **who), 401)
        both = g.token(scope, user="dora", offline_token="true")
        want(g.ask("GET", "/v2/team/app/manifests/t", token=both["token"]), 200)
        g.admin("token", "revoke", "dora")
        want(g.ask("GET", "/v2/team/app/manifests/t", token=both["token"]), 401)
        form = f"grant_type=refresh_token&service=teu-registry&refresh_token={both['refresh_token']}"
        want(g.ask("POST", "/token", form, {"Content-Type": "application/x-www-form-urlencoded"}), 401)
        time.sleep(2.1 - time.time() % 1)  # tokens of the revocation's own second are refused too
        both = g.token(scope, user="dora")
        want(g.ask("GET", "/v2/team/app/manifests/t", token=both["token"]), 200)
        g.admin("user", "add", "dora", "--password-stdin", stdin="second-word")
        want(g.ask("GET", "/v2/team/app/manifests/t", token=both["token"]), 401)
        want(g.ask("GET", "/v2/", user="dora"), 401)
        access.PASSWORD["dora"] = "second-word"
        want(g.ask("GET", "/v2/", user="dora"), 200)
        assert g.teu("user", "rm", "nobody").returncode == 1
        assert g.teu("token", "revoke").returncode == 1
        assert g.teu("robot", "add", "x", "--expires", "2001-01-01T00:00:00Z").returncode == 1
        assert g.teu("robot", "add", "x", "--allow", "team/**:fly").returncode == 1
        names = [a["name"] for a in g.admin("user", "ls", "--format", "json")["accounts"]]
        assert names == ["dora"], names
        assert "NAME" in g.admin("user", "ls")
        kept = os.path.join(g.root, "registry/accounts.json")
        assert os.stat(kept).st_mode & 0o777 == 0o600 and "second-word" not in open(kept).read()
        g.admin("user", "rm", "dora")
        want(g.ask("GET", "/v2/"), 401)  # the last one has gone; it does not open again


@case
def what_is_kept_at_run_time_stands_beside_the_configuration():
    with Registry({"rules": [{"repositories": ["**"], "users": ["*"], "actions": ["pull"]}]}, "--htpasswd", path("users")) as g:
        r = g.teu("user", "add", "alice", "--password-stdin", stdin="x")
        assert r.returncode == 1 and "twice" in r.stderr, r.stderr
        want(g.ask("GET", "/v2/", user="alice"), 200)  # nothing has changed
        secret = g.admin("robot", "add", "pusher", "--allow", "a/*:pull,push").strip()
        g.image("a/b", "t", 1, user="pusher", password=secret)
        want(g.ask("GET", "/v2/a/b/manifests/t", user="alice"), 200)
        want(g.blob("a/b", b"x", user="alice"), 403)
        token = g.token("repository:a/b:pull", user="alice")["token"]
        want(g.ask("GET", "/v2/a/b/manifests/t", token=token), 200)
        g.admin("token", "revoke", "--all")
        want(g.ask("GET", "/v2/a/b/manifests/t", token=token), 401)
        # What rules no longer allow, a token of before does not either.
        time.sleep(2.1 - time.time() % 1)
        token = g.token("repository:a/b:pull", user="alice")["token"]
        want(g.ask("GET", "/v2/a/b/manifests/t", token=token), 200)
        write("conf", json.dumps({"rules": [{"repositories": ["other"], "users": ["*"], "actions": ["pull"]}]}))
        g.admin("reload")
        want(g.ask("GET", "/v2/a/b/manifests/t", token=token), 401)


# ---- issuers by URL ----


class Issuer(http.server.BaseHTTPRequestHandler):
    """An OpenID issuer on loopback; `keys` is what it shows, `asked` how often its keys were asked for."""
    keys, asked, slow, broken = {}, 0, None, False

    def do_GET(self):
        kind = type(self)
        if kind.broken:
            self.send_error(500)
            return
        if self.path == "/.well-known/openid-configuration":
            body = json.dumps({"issuer": f"http://127.0.0.1:{self.server.server_port}", "jwks_uri": f"http://127.0.0.1:{self.server.server_port}/keys"})
        else:
            kind.asked += 1
            if kind.slow:
                kind.slow.wait(30)
            body = json.dumps(kind.keys)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *a):
        pass


@case
def keys_of_an_issuer_come_by_url_and_change():
    def keys(*pairs):
        all_ = []
        for name, kid in pairs:
            k = json.load(open(access.make_idp(name)))["keys"][0] if not os.path.exists(path(name)) else KEYS[name]
            KEYS[name] = k
            all_.append({**k, "kid": kid})
        return {"keys": all_}
    KEYS = {}
    Issuer.keys = keys(("k1.key", "k1"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    iss = f"http://127.0.0.1:{server.server_port}"
    claims = {"iss": iss, "aud": "reg", "exp": int(time.time()) + 3600, "sub": "kim"}
    one, two, three = access.sign(claims, "k1.key", "k1"), None, access.sign({**claims, "iss": "http://127.0.0.1:1"}, "k1.key", "k1")
    try:
        Issuer.slow = threading.Event()
        with Registry({"oidc": [{"issuer": iss, "audience": "reg"}]}) as g:
            # The issuer does not answer: the request that needs it waits, others do not.
            got = []
            t = threading.Thread(target=lambda: got.append(g.ask("GET", "/v2/", token=one).status))
            t.start()
            want(g.ask("GET", "/v2/"), 401)
            want(g.ask("GET", "/v2/", token=three), 401)
            assert not got
            Issuer.slow.set()
            t.join(30)
            assert got == [200], got
            asked = Issuer.asked
            for _ in range(5):
                want(g.ask("GET", "/v2/", token=one), 200)
            assert Issuer.asked == asked == 1, Issuer.asked
            Issuer.broken = True  # what is there goes on
            want(g.ask("GET", "/v2/", token=one), 200)
        Issuer.broken, Issuer.slow = False, None
        Issuer.keys = keys(("k1.key", "k1"), ("k2.key", "k2"))
        with Registry({"oidc": [{"issuer": iss, "audience": "reg", "jwksUrl": iss + "/keys"}]}) as g:
            g.wait_log("keys of an issuer are here")
            two = access.sign(claims, "k2.key", "k2")
            want(g.ask("GET", "/v2/", token=two), 200)
            want(g.ask("GET", "/v2/", token=one), 200)
            want(g.ask("GET", "/v2/", token=access.sign(claims, "k2.key", "k9")), 401)  # such a key is nowhere
            want(g.ask("GET", "/v2/", token=access.sign(claims, "k2.key", "k1")), 401)
        Issuer.keys = keys(("k1.key", "k1"))
        Issuer.broken = True
        with Registry({"oidc": [{"issuer": iss, "audience": "reg"}]}) as g:
            g.wait_log("could not be fetched")
            want(g.ask("GET", "/v2/", token=one), 401)
    finally:
        server.shutdown()
        server.server_close()
    access.fails("--config", write("bad", json.dumps({"oidc": [{"issuer": "http://idp.example", "audience": "r"}]})), says="https")


@case
def without_root_accounts_and_issuers_work_as_with_it():
    Issuer.broken, Issuer.slow = False, None
    os.makedirs(path("reserved"))
    Issuer.keys = {"keys": [{**json.load(open(access.make_idp("r.key")))["keys"][0], "kid": "r"}]}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    iss = f"http://127.0.0.1:{server.server_port}"
    conf = {"oidc": [{"issuer": iss, "audience": "reg"}],
            "rules": [{"repositories": ["team/**"], "users": ["kim", "eve"], "role": "writer"}, {"repositories": ["**"], "users": ["*"], "role": "reader"}]}
    file = write("reserved/conf", json.dumps(conf))
    for name in ("", "reserved", "reserved/conf"):
        os.chmod(path(name), 0o755)
    os.chown(path("reserved"), 61901, 61901)
    try:
        with Registry(None, "--user", "reserved", "--config", file) as g:
            kim = access.sign({"iss": iss, "aud": "reg", "exp": int(time.time()) + 3600, "sub": "kim"}, "r.key", "r")
            want(g.ask("GET", "/v2/", token=kim), 200)
            g.admin("user", "add", "eve", "--password-stdin", stdin="secret\n")
            g.image("team/a", "1", 1, user="eve", password="secret")
            want(g.ask("DELETE", "/v2/team/a/manifests/1", user="eve", password="secret"), 403)  # a writer
            want(g.blob("other", b"x", user="eve", password="secret"), 403)  # a reader
            robot = g.admin("robot", "add", "ci", "--allow", "team/*:maintainer").strip()
            want(g.ask("DELETE", "/v2/team/a/manifests/1", user="ci", password=robot), 202)
            assert [u["rules"][0]["role"] for u in g.admin("user", "ls", "--format", "json")["accounts"] if u["name"] == "ci"] == ["maintainer"]
            assert os.stat(os.path.join(g.root, "registry/accounts.json")).st_uid == 61901
            g.admin("scrub")
            until_scrubbed(g)
    finally:
        server.shutdown()
        server.server_close()
    access.fails("--config", write("bad", json.dumps({"rules": [{"repositories": ["**"], "users": ["*"], "role": "boss"}]})), says="role")
    access.fails("--config", write("bad", json.dumps({"rules": [{"repositories": ["**"], "users": ["*"]}]})), says="either actions or a role")


def until_scrubbed(g):
    for _ in range(600):
        s = g.admin("status")["scrub"]
        if not s["running"]:
            return s
        time.sleep(0.02)
    raise AssertionError("the scrub goes on")


@case
def a_scrub_finds_what_is_damaged_and_a_collection_can_be_stopped():
    with Registry({}, "--metrics", "unix://" + path("scrub.sock"), "--gc-window", "00:00-23:59") as g:
        bad = random(3 * KB)
        want(g.blob("a", bad), 201)
        want(g.blob("a", random(KB)), 201)
        want(g.ask("GET", f"/v2/a/blobs/{digest(bad)}"), 200)
        g.admin("scrub")
        s = until_scrubbed(g)
        assert (s["blobs"], s["bytes"], s["damaged"]) == (2, 4 * KB, 0), s
        with open(os.path.join(g.root, "store/blobs/sha256", digest(bad)[7:]), "r+b") as f:
            f.write(b"!" if bad[:1] != b"!" else b"?")
        g.admin("scrub")
        s = until_scrubbed(g)
        assert s["damaged"] == 1 and s["damagedBlobs"] == [digest(bad)], s
        g.wait_log("blob is damaged")
        text = sh("curl", "-s", "--unix-socket", path("scrub.sock"), "http://x/metrics").stdout
        assert "teu_registry_scrub_damaged 1" in text, text
        assert 'teu_registry_repository_bytes_total{repository="a",direction="in"} 4000' in text, text
        assert 'teu_registry_repository_bytes_total{repository="a",direction="out"} 3000' in text, text
        g.admin("scrub", "--stop")
        r = g.teu("gc", "--stop")
        assert r.returncode != 0 and "no collection goes on" in r.stderr, r
        assert g.admin("gc")["stopped"] is False
    access.fails("--gc-window", "25:00-1:00", says="--gc-window")


# ---- clients ----


def wait_for(sock, p):
    for _ in range(600):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(sock)
                return
        except OSError:
            assert p.poll() is None, "the engine ended"
            time.sleep(0.05)
    raise AssertionError("the engine does not answer")


@case
def docker_logs_in_pushes_and_pulls():
    docker = shutil.which("docker")
    if not docker:
        return "skip: needs docker"
    run = tempfile.mkdtemp(prefix="e-", dir=access.DIR)
    sock = os.path.join(run, "d.sock")
    log = open(path("log-engine"), "w")
    engine = subprocess.Popen([TEU, "--root", os.path.join(run, "root"), "--run", run, "--host", "unix://" + sock, "engine"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              env={"TEU_OCI": os.path.join(access.TOP, "build/teu-oci"), **os.environ})
    env = {**os.environ, "DOCKER_HOST": "unix://" + sock, "DOCKER_CONFIG": os.path.join(run, "config"), "HOME": run}
    try:
        wait_for(sock, engine)
        with Registry({}, "--htpasswd", path("users")) as g:
            host = f"127.0.0.1:{g.port}"

            def dock(*words, stdin=None):
                return subprocess.run([docker, *words], input=stdin, capture_output=True, text=True, timeout=120, env=env)

            tar = path("image.tar")
            sh("tar", "-C", "/etc", "-cf", tar, "os-release")
            r = dock("import", tar, f"{host}/team/app:1")
            assert r.returncode == 0, r.stderr
            assert dock("push", f"{host}/team/app:1").returncode != 0
            r = dock("login", host, "-u", "alice", "--password-stdin", stdin="wrong")
            assert r.returncode != 0, r
            r = dock("login", host, "-u", "alice", "--password-stdin", stdin=access.PASSWORD["alice"])
            assert r.returncode == 0 and "Login Succeeded" in r.stdout, r
            kept = json.load(open(os.path.join(run, "config/config.json")))["auths"][host]
            assert kept["identitytoken"] and access.PASSWORD["alice"] not in base64.b64decode(kept["auth"]).decode(), kept
            r = dock("push", f"{host}/team/app:1")
            assert r.returncode == 0, r
            secret = g.admin("robot", "add", "ci", "--allow", "team/*:pull").strip()
            assert dock("logout", host).returncode == 0
            r = dock("login", host, "-u", "ci", "--password-stdin", stdin=secret)
            assert r.returncode == 0, r
            dock("rmi", f"{host}/team/app:1")
            r = dock("pull", f"{host}/team/app:1")
            assert r.returncode == 0, r
            assert dock("push", f"{host}/team/app:1").returncode != 0, "a reader has pushed"
            # An identity token, as `docker login` keeps it when a server gives one.
            dock("logout", host)
            token = g.token(user="alice", offline_token="true")["refresh_token"]
            with open(os.path.join(run, "config/config.json"), "w") as f:
                json.dump({"auths": {host: {"auth": "YWxpY2U6", "identitytoken": token}}}, f)
            r = dock("push", f"{host}/team/app:1")
            assert r.returncode == 0, r
            g.admin("token", "revoke", "alice")
            dock("rmi", f"{host}/team/app:1")
            assert dock("pull", f"{host}/team/app:1").returncode != 0, "a revoked token has pulled"
    finally:
        engine.terminate()
        try:
            engine.wait(30)
        except subprocess.TimeoutExpired:
            engine.kill()
            engine.wait()
        log.close()
    return None


def main():
    if os.geteuid() != 0 or not os.access(TEU, os.X_OK):
        print("needs root and a built teu")
        return 77
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        print("needs a network namespace")
        return 77
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    access.DIR = tempfile.mkdtemp(prefix="teu-rules-")
    failed = 0
    try:
        access.make_users()
        cases = [fn for fn in CASES if not sys.argv[1:] or fn.__name__ in sys.argv[1:]]
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
            for name in sorted(os.listdir(access.DIR)):
                if name.startswith("log-"):
                    print("".join("# " + l for l in open(path(name), errors="replace").readlines()[-4:]), end="")
        shutil.rmtree(access.DIR, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
