#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Webhooks and replication of `teu registry`: what is queued is done, in order, also after kill -9.

Prints TAP. Everything runs in a network namespace of this process.
"""
import contextlib
import hashlib
import hmac
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading

import registries as r
from registries import EMPTY, INDEX, MANIFEST, Registry, Server, case, desc, digest, image, sh, until


class Receiver(Server):
    """Takes webhooks; status may be a number or a function of the event."""

    def __init__(self, port=5005, tls=None):
        self.status, self.events = 200, []
        super().__init__(port, self.take, tls)

    def take(self, method, where, headers, body):
        e = json.loads(body)["events"][0]
        status = self.status(e) if callable(self.status) else self.status
        if status == 200:
            with self.lock:
                self.events.append((e, dict(headers), body))
        return status, {}, b""

    def tags(self, action="push"):
        with self.lock:
            return [e["target"].get("tag") for e, _, _ in self.events if e["action"] == action]


def hook(**more):
    return {"webhooks": [{"name": "h", "url": "http://127.0.0.1:5005/in?x=1", **more}]}


def rule(mode="push", port=5001, **more):
    return {"name": "copy", "mode": mode, "url": f"http://127.0.0.1:{port}", "repositories": ["**"], **more}


def signatures(secret, t, body):
    return hmac.new(secret, f"{t}.".encode() + body, hashlib.sha256).hexdigest()


@case
def pushes_deletes_and_moves_are_told_signed():
    conf = hook(secretFile=r.write("new", "s3cret\n"), oldSecretFile=r.write("old", "before"))
    with Receiver() as to, Registry(5000, config=conf) as g:
        one = g.push("a/b", "1", b"one")
        g.get("/v2/a/b/manifests/1")  # pulls only when asked for
        two = g.push("a/b", "1", b"two")
        g.ask("DELETE", f"/v2/a/b/manifests/{one}", want=202)
        until(lambda: len(to.events) == 4, "4 events")
        assert [e["action"] for e, _, _ in to.events] == ["push", "push", "tag", "delete"]
        e, headers, body = to.events[0]
        assert to.seen[0][1] == "/in?x=1" and headers["Content-Type"] == "application/vnd.docker.distribution.events.v1+json"
        assert e["target"]["repository"] == "a/b" and e["target"]["tag"] == "1" and e["target"]["digest"] == one
        assert e["target"]["mediaType"] == MANIFEST and e["request"]["method"] == "PUT" and "name" not in e["actor"]
        assert headers["X-Teu-Delivery"] == e["id"] and headers["X-Teu-Event"] == "push"
        t, *macs = headers["X-Teu-Signature"].split(",")
        assert macs == ["v1=" + signatures(s, t[2:], body) for s in (b"s3cret", b"before")], headers
        assert to.events[2][0]["teu"]["from"] == one and to.events[2][0]["target"]["digest"] == two
        assert len({e["id"] for e, _, _ in to.events}) == 4
        r.write("new", "changed")
        g.p.send_signal(r.signal.SIGHUP)
        until(lambda: "reload done" in g.said(), "reload")
        g.push("a/b", "2")
        until(lambda: len(to.events) == 5, "5 events")
        _, headers, body = to.events[4]
        assert signatures(b"changed", headers["X-Teu-Signature"].split(",")[0][2:], body) in headers["X-Teu-Signature"]


@case
def filters_pulls_and_the_test_command():
    conf = hook(events=["pull", "gc"], repositories=["a/*"])
    with Receiver() as to, Registry(5000, "--gc-grace", "0", config=conf) as g:
        g.push("b/x", "1")
        g.push("a/x", "1", b"layer")
        g.get("/v2/b/x/manifests/1")
        g.get("/v2/a/x/manifests/1")
        until(lambda: to.events, "a pull")
        assert [(e["action"], e["target"]["repository"]) for e, _, _ in to.events] == [("pull", "a/x")]
        g.blob("a/x", b"garbage")
        g.tell("POST", "/gc")
        until(lambda: len(to.events) == 2, "gc")
        assert to.events[1][0]["action"] == "gc" and to.events[1][0]["teu"]["blobs"] == 1
        a = g.tell("POST", "/webhooks/test?name=h")
        assert a["delivered"] and a["status"] == 200 and to.events[2][0]["action"] == "test"
        to.status = 503
        a = g.tell("POST", "/webhooks/test?name=h")
        assert not a["delivered"] and a["status"] == 503 and "503" in a["error"]
        g.tell("POST", "/webhooks/test?name=other", want=404)
        a = sh(r.TEU, "registry", "webhook", "status", "--admin", g.admin)
        assert a.returncode == 0 and "h" in a.stdout, a
        a = sh(r.TEU, "registry", "webhook", "test", "--admin", g.admin, "h")
        assert a.returncode == 1 and "503" in a.stderr + a.stdout, a


@case
def what_is_refused_is_told_again_in_order_and_dies_at_last():
    conf = hook(tries=3)
    with Receiver() as to, Registry(5000, "--metrics", "127.0.0.1:5002", config=conf) as g:
        bad = {"2": 2}

        def sometimes(e):
            tag = e["target"]["tag"]
            bad[tag] = bad.get(tag, 0) - 1
            return 500 if bad[tag] >= 0 else 200

        to.status = sometimes
        for i in range(1, 5):
            g.push("a", str(i))
            g.push("b", f"b{i}")
        until(lambda: len(to.events) == 8, "all")
        assert [t for t in to.tags() if len(t) == 1] == ["1", "2", "3", "4"], to.tags()
        to.status = 302
        g.push("a", "5")
        until(lambda: g.outward("webhooks", "h")["dead"] == 1, "a dead letter")
        dead = g.outward("webhooks", "h")["deadLetters"][0]
        assert dead["repository"] == "a" and "redirects" in dead["error"] and dead["tries"] == 3, dead
        to.status = 200
        g.push("a", "6")
        until(lambda: "6" in to.tags(), "the lane goes on")
        assert "5" not in to.tags()
        g.tell("POST", "/webhooks/retry?name=h")
        until(lambda: "5" in to.tags(), "the dead one lives")
        until(lambda: g.outward("webhooks", "h")["dead"] == g.outward("webhooks", "h")["waiting"] == 0, "none is left")
        c = r.http.client.HTTPConnection("127.0.0.1", 5002, timeout=60)
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
        c.close()
        assert 'teu_registry_jobs{queue="hook/h",state="waiting"} 0' in text, text[-3000:]
        assert 'teu_registry_outward_total{part="webhook",name="h",result="done"} 10' in text, text[-3000:]


@case
def quotas_are_told_before_they_are_full_and_when_they_are():
    conf = {**hook(events=["quota", "quota_warning"]), "quotas": [{"prefix": "", "tags": 10}, {"repositories": ["*"], "bytes": "1Mi"}]}
    with Receiver() as to, Registry(5000, config=conf) as g:
        g.push("a", "1", b"x" * 800_000)
        g.push("b", "1", b"x")
        g.blob("a", b"y" * 100_000)
        g.blob("a", b"z" * 100)  # told once
        until(lambda: len(to.events) == 1, "the warning")
        e = to.events[0][0]
        assert e["action"] == "quota_warning" and e["teu"]["what"] == "bytes" and e["teu"]["limit"] == 1 << 20, e
        assert e["target"]["repository"] == "a" and e["teu"]["used"] * 100 >= 85 * e["teu"]["limit"], e
        g.ask("POST", f"/v2/a/blobs/uploads/?digest={digest(b'w' * 200_000)}", b"w" * 200_000, want=403)
        until(lambda: len(to.events) == 2, "the refusal")
        e, headers, _ = to.events[1]
        assert e["action"] == "quota" == headers["X-Teu-Event"] and e["target"]["repository"] == "a", e


@case
def a_receiver_is_known_by_the_authority_of_its_hook():
    cert, other = r.certificate("hook"), r.certificate("other")
    conf = hook(caFile=cert[0])
    conf["webhooks"][0]["url"] = "https://127.0.0.1:5005/in"
    with Receiver(tls=cert) as to, Registry(5000, config=conf) as g:
        g.push("a", "1", b"one")
        until(lambda: to.tags() == ["1"], "it is told")
    conf["webhooks"][0]["caFile"] = other[0]
    with Receiver(tls=cert) as to, Registry(5000, config=conf) as g:
        a = g.tell("POST", "/webhooks/test?name=h")
        assert not a["delivered"] and "certificate" in a["error"], a
        assert not to.events


@case
def a_receiver_that_hangs_holds_up_nobody():
    hold = threading.Event()
    with Receiver() as to, Registry(5000, config=hook(timeout="1s")) as g:
        to.status = lambda e: 200 if hold.wait(60) else 200
        for i in range(20):
            g.push(f"r{i}", "1")
        assert g.outward("webhooks", "h")["waiting"] == 20
        hold.set()
        until(lambda: len({e["target"]["repository"] for e, _, _ in to.events}) == 20, "all at last")


@case
def acknowledged_pushes_are_told_after_kill_9():
    with Registry(5000, config=hook()) as g:
        tags = [f"t{i}" for i in range(12)]
        for i, tag in enumerate(tags):
            g.push("a", tag)
            if i % 4 == 3:  # nobody listens yet
                g.kill()
                g.start()
        with Receiver() as to:
            g.tell("POST", "/webhooks/retry")
            until(lambda: len(set(to.tags())) >= 6, "half")
            g.kill()
            g.start()
            until(lambda: set(to.tags()) == set(tags), "all")
            first = [t for i, t in enumerate(to.tags()) if t not in to.tags()[:i]]
            assert first == tags, to.tags()


@case
def a_delete_that_was_done_but_not_told_is_told_by_the_next_one():
    with Receiver() as to, Registry(5000, config=hook(events=["delete"])) as g:
        gone, here = g.push("a", "1", b"one"), g.push("a", "2", b"two")
        g.ask("DELETE", f"/v2/a/manifests/{gone}", want=202)
        g.ask("DELETE", f"/v2/a/manifests/{gone}", want=404)
        until(lambda: len(to.events) == 1 and g.outward("webhooks", "h")["waiting"] == 0, "it is told")
        g.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(g.root, "registry.db"))) as db:
            assert db.execute("SELECT count(*) FROM jobs").fetchone()[0] == 0  # no note stays
            for i, ref in enumerate((gone, here)):  # as they are when it dies between two databases
                db.execute("INSERT INTO jobs(queue, lane, body, made) VALUES ('intent', ?, ?, 1)",
                           (f"note{i}", json.dumps({"repository": "a", "reference": ref, "user": "alice"})))
            db.commit()
        g.start()
        until(lambda: len(to.events) == 2 and g.outward("webhooks", "h")["waiting"] == 0, "it is told late")
        e = to.events[1][0]
        assert e["target"]["repository"] == "a" and e["actor"]["name"] == "alice", e
        assert g.has("a", here)
        g.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(g.root, "registry.db"))) as db:
            assert db.execute("SELECT count(*) FROM jobs").fetchone()[0] == 0
        assert len(to.events) == 2
        g.start()


@case
def what_retention_dropped_but_did_not_tell_is_told_by_the_next_one():
    rules = [{"repositories": ["a"], "keepLast": 1}]
    with Receiver() as to, Registry(5000, config={**hook(events=["delete"]), "retention": rules}) as g:
        for i in range(3):
            g.push("a", str(i), str(i).encode())
        g.tell("POST", "/retention")
        until(lambda: len(to.events) == 4 and g.outward("webhooks", "h")["waiting"] == 0, "tags and manifests are told")
        g.stop()
        store = os.path.join(g.root, "store", "store.db")
        with contextlib.closing(sqlite3.connect(store)) as db:
            assert db.execute("SELECT count(*) FROM dropped").fetchone()[0] == 0  # no note stays
            # As it is when it dies behind the deletes.
            db.execute("INSERT INTO dropped(repo, tag, digest, at) VALUES ('a', 'late', ?, 1)", ("sha256:" + "a" * 64,))
            db.commit()
        g.start()
        until(lambda: len(to.events) == 5 and g.outward("webhooks", "h")["waiting"] == 0, "it is told late")
        assert to.events[4][0]["target"]["repository"] == "a" and "late" in json.dumps(to.events[4][0]), to.events[4]
        g.stop()
        with contextlib.closing(sqlite3.connect(store)) as db:
            assert db.execute("SELECT count(*) FROM dropped").fetchone()[0] == 0
        g.start()


@case
def a_reload_with_other_sections_is_refused_by_name():
    conf = {**hook(), "rules": [{"repositories": ["**"], "anonymous": True, "actions": ["pull"]}]}
    with Registry(5000, config=conf) as g:
        conf["webhooks"][0]["tries"] = 3
        conf["rules"][0]["actions"] = ["pull", "push"]
        r.write("config-5000", json.dumps({**conf, "upstreams": [{"prefix": "x", "url": "http://127.0.0.1:5001"}]}), 0o644)
        a = g.tell("POST", "/reload", want=409).body.decode()
        assert "upstreams, webhooks" in a and "restart" in a, a
        g.p.send_signal(r.signal.SIGHUP)
        until(lambda: "upstreams, webhooks" in g.said(), "it is logged")
        g.ask("POST", "/v2/a/blobs/uploads/", want=401)  # nothing of it is in force
        conf["webhooks"][0].pop("tries")
        r.write("config-5000", json.dumps(conf), 0o644)
        g.tell("POST", "/reload")
        g.ask("POST", "/v2/a/blobs/uploads/", want=202)
    with Registry(5000, config={}) as g:
        r.write("config-5000", json.dumps(hook()), 0o644)
        assert "webhooks" in g.tell("POST", "/reload", want=409).body.decode()


@case
def pushes_are_copied_whole_under_other_names():
    rules = [rule(repositories=["team/**"], tags=["v*"], stripPrefix="team/", addPrefix="backup/", deletes=True)]
    with Registry(5001) as far, Registry(5000, config={"replication": rules}) as near:
        one = near.push("team/x", "v1", b"layer", os.urandom(200_000))
        near.push("team/x", "other", b"not this")
        near.push("own", "v1")
        sub = image(b"layer")
        near.manifest("team/x", digest(sub), sub)
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [desc(sub, MANIFEST)]}).encode()
        top = near.manifest("team/x", "v2", index, INDEX)
        sig = image(b"layer", subject=desc(index, INDEX))
        near.manifest("team/x", digest(sig), sig)
        until(lambda: far.has("backup/x", "v1") == one and far.has("backup/x", "v2") == top, "copied")
        assert far.has("backup/x", digest(sub))
        until(lambda: far.has("backup/x", digest(sig)), "the signature too")
        assert [m["digest"] for m in far.get(f"/v2/backup/x/referrers/{top}").json()["manifests"]] == [digest(sig)]
        until(lambda: near.outward("replication", "copy")["waiting"] == 0, "done")
        assert far.get("/v2/_catalog").json()["repositories"] == ["backup/x"]
        assert sorted(far.get("/v2/backup/x/tags/list").json()["tags"]) == ["v1", "v2"]
        near.ask("DELETE", "/v2/team/x/manifests/v1", want=202)
        until(lambda: not far.has("backup/x", "v1"), "deleted there too")


@case
def copies_outlive_kill_9_and_a_peer_that_is_away():
    with Registry(5000, config={"replication": [rule()]}) as near:
        tops = {}
        for i in range(8):
            tops[i] = near.push(f"r{i % 3}", f"t{i}", os.urandom(100_000))
            if i in (2, 5):
                near.kill()
                near.start()
        with Registry(5001) as far:
            near.tell("POST", "/replication/run")
            until(lambda: far.has("r0", "t0"), "the first")
            near.kill()
            near.start()
            a = sh(r.TEU, "registry", "replication", "run", "--admin", near.admin)
            assert a.returncode == 0, a
            until(lambda: all(far.has(f"r{i % 3}", f"t{i}") == tops[i] for i in tops), "all")
            until(lambda: near.outward("replication", "copy")["waiting"] == 0, "none waits")
            for i in tops:
                for layer in far.get(f"/v2/r{i % 3}/manifests/{tops[i]}").json()["layers"]:
                    assert digest(far.get(f"/v2/r{i % 3}/blobs/{layer['digest']}").body) == layer["digest"]


@case
def two_that_copy_to_each_other_come_to_rest():
    with Registry(5000, config={"replication": [rule(port=5001)]}) as a, Registry(5001, config={"replication": [rule(port=5000)]}) as b:
        one, two = a.push("x", "1", b"one"), b.push("x", "2", b"two")
        until(lambda: b.has("x", "1") == one and a.has("x", "2") == two, "both have both")
        until(lambda: all(g.outward("replication", "copy")["waiting"] == 0 for g in (a, b)), "rest")


@case
def what_another_has_is_fetched_by_pattern():
    rules = [rule("pull", repositories=["lib/*"], tags=["v*"], addPrefix="mirror/", every="1h")]
    with Registry(5001) as far:
        tops = {i: far.push(f"lib/x{i}", "v1", os.urandom(100_000)) for i in range(3)}
        far.push("lib/x0", "dev")
        far.push("other", "v1")
        sub = far.push("lib/x0", "v2", b"amd64")
        sig = far.push("lib/x0", "sig", b"", subject=desc(image(b"amd64"), MANIFEST))
        with Registry(5000, config={"replication": rules}) as near:
            until(lambda: all(near.has(f"mirror/lib/x{i}", "v1") == tops[i] for i in tops), "all")
            until(lambda: near.has("mirror/lib/x0", "v2") == sub, "v2")
            until(lambda: near.has("mirror/lib/x0", sig), "what refers to it")
            assert near.get("/v2/_catalog").json()["repositories"] == [f"mirror/lib/x{i}" for i in tops]
            moved = far.push("lib/x1", "v1", b"moved")
            near.tell("POST", "/replication/run?name=copy")
            until(lambda: near.has("mirror/lib/x1", "v1") == moved, "the tag that moved")
            far.stop()
            m = near.get(f"/v2/mirror/lib/x2/manifests/{tops[2]}").json()
            assert digest(near.get(f"/v2/mirror/lib/x2/blobs/{m['layers'][0]['digest']}").body) == m["layers"][0]["digest"]


@case
def docker_registry_takes_and_gives():
    if not shutil.which("docker-registry"):
        return "SKIP no docker-registry"
    conf = r.write("distribution.yml", json.dumps({
        "version": "0.1", "log": {"level": "error"}, "http": {"addr": "127.0.0.1:5001"},
        "storage": {"filesystem": {"rootdirectory": r.path("distribution")}, "delete": {"enabled": True}}}))
    p = subprocess.Popen(["docker-registry", "serve", conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    try:
        with Registry(5000, config={"replication": [rule()]}) as near, \
                Registry(5003, config={"upstreams": [{"url": "http://127.0.0.1:5001"}]}) as through:
            one = near.push("a/b", "1", b"layer")
            near.tell("POST", "/replication/run")
            until(lambda: near.outward("replication", "copy")["waiting"] == 0 or near.tell("POST", "/replication/run") and False,
                  "copied")
            assert through.has("a/b", "1") == one
            assert through.get(f"/v2/a/b/blobs/{digest(b'layer')}").body == b"layer"
    finally:
        p.kill()
        p.wait()
    return None


@case
def without_others_the_fence_lets_no_connection_out():
    with Registry(5000, "--user", "reserved") as g:
        g.push("a", "1")
        said = open(f"/proc/{g.p.pid}/status").read()
        alone = int(next(l for l in said.splitlines() if l.startswith("Seccomp_filters")).split()[1])
    with Receiver() as to, Registry(5000, "--user", "reserved", config=hook()) as g:
        g.push("a", "1")
        until(lambda: to.events, "told without root")
        said = open(f"/proc/{g.p.pid}/status").read()
        assert alone == 1 + int(next(l for l in said.splitlines() if l.startswith("Seccomp_filters")).split()[1])


@case
def configurations_that_mean_nothing_are_refused_by_name():
    for conf, says in (
            ({"webhooks": [{"name": "h", "url": "http://192.0.2.1/"}]}, "http goes to loopback only"),
            ({"webhooks": [{"name": "h", "url": "ftp://x/"}]}, "no http or https"),
            ({"webhooks": [{"name": "h", "url": "http://127.0.0.1/", "events": ["boom"]}]}, "events"),
            ({"webhooks": [{"name": "h", "url": "http://127.0.0.1/", "secretFile": "/nonexistent/x"}]}, "secret"),
            ({"replication": [rule(every="5m")]}, "every: is for mode pull"),
            ({"replication": [rule(), rule()]}, "there twice"),
            ({"upstreams": [{"url": "https://x.example/path"}]}, "has no path"),
            ({"cache": {"size": "many"}, "upstreams": []}, "cache.size"),
            ({"replication": [{**rule(), "reposotories": []}]}, "reposotories")):
        a = sh(r.TEU, "--root", r.path("never"), "registry", "--listen", "127.0.0.1:5009", "--config",
               r.write("bad", json.dumps(conf)))
        assert a.returncode != 0 and says in a.stderr, (conf, a.stderr)


if __name__ == "__main__":
    sys.exit(r.main("webhooks"))
