#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Custom kinds that a webhook converts: every verb in either version, and converters that are slow, lie or are gone.
Prints TAP."""
import json
import sys
import threading
import time

sys.dont_write_bytecode = True
import kube  # noqa: E402
from conform_convert import selectable  # noqa: E402
from conform_hooks import SLOW  # noqa: E402
from converter import ASKED, LIES, ONE, TWO, Converted, conversion, host_port  # noqa: E402
from kube import api, equal, kind, space, until  # noqa: E402

kube.CASES.clear()  # those of upstream's names run in 6200
case = kube.suite("conversion")
MANY = 300  # more than one question


def one(name="one", **more):
    return {"metadata": {"name": name, **more}, "hostPort": "localhost:8080"}


def two(name="one", **more):
    return {"metadata": {"name": name, **more}, "host": "localhost", "port": "8080"}


def both(d):
    ns = space()
    return d.of("v1", ns), d.of("v2", ns)


@case("what is written in either version is read in both")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        made = v2.create(two())
        equal((made["apiVersion"], host_port(made)), (v2.gv, TWO))
        equal((host_port(v1.get("one")), host_port(v2.get("one"))), (ONE, TWO))
        made["port"] = "9"
        equal(host_port(v2.update(made)), (None, "localhost", "9"))
        equal(host_port(v1.get("one")), ("localhost:9", None, None))
        equal(host_port(v2.patch("one", {"host": "h"})), (None, "h", "9"))
        equal(host_port(v2.patch("one", [{"op": "replace", "path": "/port", "value": "8"}], "json")), (None, "h", "8"))
        equal(host_port(v1.get("one")), ("h:8", None, None))
        equal(v2.create(two("dry"), dryRun="All")["apiVersion"], v2.gv)
        v2.gone("dry")
        v2.delete("one")
        v1.gone("one")


@case("apply keeps what it owns by the version it was sent in")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one())
        got = v2.patch("one", v2.full({"metadata": {"name": "one"}, "port": "9"}), "apply", fieldManager="me", force="true")
        equal(host_port(got), (None, "localhost", "9"))
        equal(host_port(v1.get("one")), ("localhost:9", None, None))
        mine = [m for m in got["metadata"]["managedFields"] if m["manager"] == "me"]
        equal([(m["apiVersion"], m["fieldsV1"]) for m in mine], [(v2.gv, {"f:port": {}})])


@case("a form is made once of a revision")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one())
        v2.get("one")
        before = len(ASKED)
        for _ in range(5):
            equal(host_port(v2.get("one")), TWO)
        equal(len(ASKED), before)
        v1.patch("one", {"hostPort": "h:1"})
        equal(host_port(v2.get("one")), (None, "h", "1"))
        assert len(ASKED) > before


@case("lists are asked for in batches and told in order")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        names = [f"o{n:03}" for n in range(MANY)]
        for name in names:
            v1.create(one(name))
        before = len(ASKED)
        items = v2.items()
        equal([o["metadata"]["name"] for o in items], names)
        equal({(o["apiVersion"], host_port(o)) for o in items}, {(v2.gv, TWO)})
        asked = ASKED[before:]
        assert sum(asked) == MANY and 1 < len(asked) < 20, asked
        page = v2.list(limit=7)
        equal([o["metadata"]["name"] for o in page["items"]], names[:7])
        rest = v2.list(**{"limit": 500, "continue": page["metadata"]["continue"]})
        equal([o["metadata"]["name"] for o in rest["items"]], names[7:])
        v2.delete_all()
        equal(v1.names(), [])


@case("Tables and metadata alone")
def _():
    with Converted(additionalPrinterColumns=[{"name": "Host", "type": "string", "jsonPath": ".host"}]) as d:
        v1, v2 = both(d)
        v1.create(one())
        as_ = lambda k, what, name=None: api().get(k.path(name), Accept=f"application/json;as={what};g=meta.k8s.io;v=v1")  # noqa: E731
        for name in (None, "one"):
            equal(as_(v2, "Table", name)["rows"][0]["cells"], ["one", "localhost"])
            equal(as_(v1, "Table", name)["rows"][0]["cells"][0], "one")
        equal(as_(v2, "PartialObjectMetadata", "one")["metadata"]["name"], "one")
        equal([o["metadata"]["name"] for o in as_(v2, "PartialObjectMetadataList")["items"]], ["one"])


@case("a watch tells in its version, in order")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one())
        with v2.watch() as w:
            equal(host_port(w.next("ADDED")), TWO)
            for n in range(3):
                v1.patch("one", {"hostPort": f"h:{n}"})
            for n in range(3):
                equal(host_port(w.next("MODIFIED")), (None, "h", str(n)))
            v1.delete("one")
            equal(host_port(w.next("DELETED")), (None, "h", "2"))


@case("a watch whose converter fails ends with an error")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        with v2.watch(resourceVersion=v1.list()["metadata"]["resourceVersion"]) as w, v1.watch() as other:
            d.asks("/lie-failed")
            v1.create(one())
            other.until("ADDED", "one")
            e = w.next()
            equal(e["type"], "ERROR")
        d.asks("/convert")


FIELDS = {"v1": ["hostPort"], "v2": ["host", "port"]}
INITIAL = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}


def named(*objects):
    return [o["metadata"]["name"] for o in objects]


@case("selectors look at the version that is asked for, whichever is stored")
def _():
    with selectable(Converted(), **FIELDS) as d:
        v1, v2 = both(d)
        v1.create(one("a"))
        d.stores("v2")
        v2.create(two("b"))
        v1.create({"metadata": {"name": "c"}, "hostPort": "h:8080"})
        equal((v1.names(fieldSelector="hostPort=localhost:8080"), v2.names(fieldSelector="host=localhost,port=8080")), (["a", "b"], ["a", "b"]))
        equal((v2.names(fieldSelector="host!=localhost"), v1.names(fieldSelector="hostPort=h:8080,metadata.name=c")), (["c"], ["c"]))
        equal(v2.names(fieldSelector="host=localhost,metadata.name=b"), ["b"])
        for k in (v1, v2):
            with k.watch(**INITIAL, fieldSelector="hostPort=localhost:8080" if k is v1 else "host=localhost") as w:
                equal(named(w.next("ADDED"), w.next("ADDED")), ["a", "b"])
                w.next("BOOKMARK")
        d.asks("/convert-marked")
        until(lambda: v1.names(labelSelector="marked=yes") == ["b", "c"], "labels that are made")
        equal((v2.names(labelSelector="marked=yes"), v2.names(labelSelector="!marked")), (["a"], ["b", "c"]))


@case("pages of what selectors take")
def _():
    with selectable(Converted(), **FIELDS) as d:
        v1, v2 = both(d)
        for n in range(MANY):
            v1.create({"metadata": {"name": f"o{n:03}"}, "hostPort": f"h{n % 3}:1"})
        want, got, more = [f"o{n:03}" for n in range(0, MANY, 3)], [], {}
        while True:
            page = v2.list(limit=40, fieldSelector="host=h0", **more)
            assert len(page["items"]) <= 40 and "remainingItemCount" not in page["metadata"]
            got += named(*page["items"])
            if not page["metadata"].get("continue"):
                break
            more = {"continue": page["metadata"]["continue"]}
        equal(got, want)
        equal(named(*v2.delete_all(fieldSelector="host=h0")["items"]), want)
        equal((len(v1.names()), v2.names(fieldSelector="host=h0")), (MANY - len(want), []))


@case("a watch tells who comes and goes by fields that are made")
def _():
    with selectable(Converted(), **FIELDS) as d:
        v1, v2 = both(d)
        v1.create(one())
        v1.create(one("late"))
        begun = v1.list()["metadata"]["resourceVersion"]
        with v2.watch(resourceVersion=begun, fieldSelector="host=h") as w, v2.watch(resourceVersion=begun, fieldSelector="host!=h") as other, \
                v2.watch(resourceVersion=begun, fieldSelector="host=h,metadata.name=one") as single:
            for at in ("h:1", "h:2", "i:3", "h:4"):
                v1.patch("one", {"hostPort": at})
            v1.patch("late", {"hostPort": "h:5"})
            v1.delete("one")
            v1.delete("late")
            told = lambda w, n: [(e["type"], e["object"]["metadata"]["name"], host_port(e["object"])[1:]) for e in (w.next() for _ in range(n))]  # noqa: E731
            first = [("ADDED", "one", ("h", "1")), ("MODIFIED", "one", ("h", "2")), ("DELETED", "one", ("h", "2")), ("ADDED", "one", ("h", "4"))]
            equal(told(w, 7), first + [("ADDED", "late", ("h", "5")), ("DELETED", "one", ("h", "4")), ("DELETED", "late", ("h", "5"))])
            equal(told(single, 5), first + [("DELETED", "one", ("h", "4"))])
            equal(told(other, 4), [("DELETED", "one", ("localhost", "8080")), ("ADDED", "one", ("i", "3")), ("DELETED", "one", ("i", "3")),
                                   ("DELETED", "late", ("localhost", "8080"))])


@case("a watch that selects by what is made ends when its definition changes")
def _():
    with selectable(Converted(), **FIELDS) as d:
        v1, v2 = both(d)
        begun = v1.list()["metadata"]["resourceVersion"]
        with v2.watch(resourceVersion=begun, fieldSelector="host=h") as w:
            d.asks("/convert-marked")
            until(lambda: v1.api.ask("GET", v1.path()).status == 200 and d.k.get(d.name)["metadata"]["generation"] > 1, "changed")
            v1.create(one())
            e = w.next()
            equal((e["type"], e["object"]["code"], e["object"]["reason"]), ("ERROR", 410, "Expired"))


@case("a collection whose converter fails stands as it was")
def _():
    with selectable(Converted(), **FIELDS) as d:
        v1, v2 = both(d)
        for name in "abc":
            v1.create(one(name))
        d.asks("/lie-failed")
        until(lambda: v2.api.ask("GET", v2.path("a")).status == 500, "it fails")
        for how in ({}, {"fieldSelector": "host=localhost"}, {"labelSelector": "a"}):
            said = v2.delete_all(want=500, **how)
            assert "conversion webhook for" in said["message"], said
        equal(v1.names(), ["a", "b", "c"])
        equal(named(*v1.delete_all(fieldSelector="metadata.name=a")["items"]), ["a"])
        d.asks("/convert")
        until(lambda: v2.api.ask("GET", v2.path("b")).status == 200, "the right one is asked")
        gone = v2.delete_all()["items"]
        equal([(o["metadata"]["name"], host_port(o)) for o in gone], [("b", TWO), ("c", TWO)])
        equal(v1.names(), [])


@case("status and scale in the other version")
def _():
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    with Converted(subresources={"status": {}, "scale": scale}) as d:
        v1, v2 = both(d)
        v1.create(one() | {"spec": {"replicas": 1}})
        got = v2.patch("one", {"status": {"said": "hello", "replicas": 1}, "port": "9"}, sub="status")
        equal((host_port(got), got["status"]["said"]), (TWO, "hello"))
        equal(v1.get("one", "status")["status"]["said"], "hello")
        equal(v2.get("one", "scale")["spec"]["replicas"], 1)
        equal(v2.patch("one", {"spec": {"replicas": 3}}, sub="scale")["spec"]["replicas"], 3)
        equal(v1.get("one")["spec"]["replicas"], 3)


@case("of metadata only labels and annotations are the converter's")
def _():
    with Converted("/convert-bold") as d:
        v1, v2 = both(d)
        made = v1.create(one(labels={"a": "b"}))["metadata"]
        got = v2.get("one")["metadata"]
        equal(got["annotations"], {"told": "yes"})
        equal({f: got.get(f) for f in made if f != "annotations"}, made)
        assert "finalizers" not in got and got["resourceVersion"] == made["resourceVersion"], got


@case("answers that are no conversion are told as that, and nothing is written")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one())
        for at, (_, words) in LIES.items():
            d.asks(at)
            until(lambda: v2.api.ask("GET", v2.path("one")).status == 500, f"{at} is asked")
            said = v2.get("one", want=500)
            equal((said["code"], said.get("reason")), (500, None))
            assert "conversion webhook for" in said["message"] and words in said["message"], (at, said["message"])
            assert len(said["message"]) < 4096, at
            v2.list(want=500)
            v2.create(two("not"), want=500)
            equal(host_port(v1.get("one")), ONE)
        equal(v1.names(), ["one"])
        d.asks("/convert")
        until(lambda: v2.api.ask("GET", v2.path("one")).status == 200, "the right one is asked")


def figures(name, *labels):
    """The sum of those lines of a figure that have all these labels."""
    text = api().ask("GET", "/metrics", headers={"Accept": "text/plain"}).body.decode()
    lines = [li for li in text.splitlines() if li.startswith(name + "{") and all(la in li for la in labels)]
    return sum(float(li.rsplit(" ", 1)[1]) for li in lines)


@case("questions to a converter are counted under upstream's names")
def _():
    asked, took, made = ("apiserver_conversion_webhook_request_total", "apiserver_conversion_webhook_duration_seconds_count",
                         "apiserver_crd_conversion_webhook_duration_seconds_count")
    right, bad = ('result="success"', 'failure_type=""'), 'result="failure"'
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one())
        before = figures(asked, *right), figures(took, *right), figures(asked, bad)
        v2.get("one")
        equal((figures(asked, *right), figures(took, *right), figures(asked, bad)), (before[0] + 1, before[1] + 1, before[2]))
        name = f'crd_name="{d.body["metadata"]["name"]}"'
        equal(figures(made, name, 'from_version="v1"', 'to_version="v2"', 'succeeded="true"'), 1)
        for at, fault in (("/lie-none", "no_objects_returned"), ("/lie-kind", "invalid_converted_object"), ("/lie-failed", "malformed_response")):
            known = figures(asked, f'failure_type="conversion_webhook_{fault}_failure"', bad)
            d.asks(at)
            until(lambda: v2.api.ask("GET", v2.path("one")).status == 500, f"{at} is asked")
            assert figures(asked, f'failure_type="conversion_webhook_{fault}_failure"', bad) > known, at
        known = figures(asked, 'failure_type="conversion_webhook_partial_response_failure"')
        v1.create(one("more"))
        d.asks("/lie-none")
        until(lambda: v2.api.ask("GET", v2.path()).status == 500 and
              figures(asked, 'failure_type="conversion_webhook_partial_response_failure"') > known, "a list is asked about")
        assert figures(made, name, 'succeeded="false"') >= 4
        d.asks("/convert")
        until(lambda: v2.api.ask("GET", v2.path("one")).status == 200, "the right one is asked")


@case("another converter makes other forms")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one())
        assert "labels" not in v2.get("one")["metadata"]
        d.asks("/convert-marked")
        until(lambda: v2.get("one")["metadata"].get("labels") == {"marked": "yes"}, "the new one's form")


@case("who waits for a slow converter holds up nobody else")
def _():
    with Converted("/convert-slowly") as d:
        v1, v2 = both(d)
        v1.create(one())
        got = []
        waits = [threading.Thread(target=lambda: got.append(ask_alone(v2.path("one")))) for _ in range(3)]
        before, begun = len(ASKED), time.monotonic()
        for w in waits:
            w.start()
        took = 0
        while any(w.is_alive() for w in waits):
            at = time.monotonic()
            equal(host_port(v1.get("one")), ONE)
            took = max(took, time.monotonic() - at)
        assert SLOW * 0.9 < time.monotonic() - begun < SLOW * 2.5, "asked once, and they wait together"
        assert took < SLOW / 2, took
        equal((got, len(ASKED) - before), ([200] * 3, 1))


def ask_alone(path):
    c = api().connection()
    c.request("GET", path)
    status = c.getresponse().status
    c.close()
    return status


def send(method, path, body=None):
    """A connection that has asked; its answer is not waited for."""
    c = api().connection()
    c.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    return c


def requests_of(v2):
    """Each of them waits for the converter."""
    return [send("GET", v2.path("one")), send("GET", v2.path()), send("GET", v2.path(limit=1)), send("GET", v2.path(watch=1)),
            send("POST", v2.path(), v2.full(two("new"))), send("PUT", v2.path("one"), v2.full(two())),
            send("DELETE", v2.path("one", dryRun="All"))]


@case("clients that go while a converter is asked")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one())
        d.asks("/convert-slowly")
        for n in range(3):
            v1.patch("one", {"hostPort": f"h:{n}"})  # nothing is known of it yet
            asked = requests_of(v2)
            time.sleep(0.1 * n)
            for c in asked:
                c.close()
        d.asks("/convert")
        until(lambda: v2.get("one")["host"] == "h", "it is read")


@case("a definition that goes while its converter is asked")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one())
        d.asks("/convert-slowly")
        v1.patch("one", {"hostPort": "h:1"})
        asked = requests_of(v2)
        time.sleep(0.1)
        d.k.delete(d.name)
        until(lambda: api().ask("GET", d.k.path(d.name)).status == 404, "gone")
        for c in asked:
            c.sock.settimeout(10)
            a = c.getresponse()
            assert a.status in (200, 201, 404, 405, 409, 410, 500, 503), a.status
            a.read()
            c.close()
        equal(api().ask("GET", v2.path()).status, 404)


@case("a watch begins with many, and a slow one holds up no other")
def _():
    with Converted() as d, Converted("/convert-slowly") as slow:
        v1, v2 = both(d)
        s1, s2 = both(slow)
        names = [f"o{n:03}" for n in range(MANY)]
        for name in names:
            v1.create(one(name))
        s1.create(one())
        with s2.watch() as lame, v2.watch(allowWatchBookmarks="true", sendInitialEvents="true", resourceVersionMatch="NotOlderThan") as w:
            begun = time.monotonic()
            equal([w.next("ADDED")["metadata"]["name"] for _ in names], names)
            w.next("BOOKMARK")
            v1.patch("o000", {"hostPort": "h:1"})
            equal(host_port(w.next("MODIFIED")), (None, "h", "1"))
            assert time.monotonic() - begun < SLOW, "it waited for the other"
            equal(host_port(lame.next("ADDED")), TWO)
            assert time.monotonic() - begun > SLOW / 2


@case("both stored versions are there after the server began anew")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one("a"))
        d.stores("v2")
        v2.create(two("b"))
        api().server.restart()
        d.served("v2")
        for k, want in ((v1, ONE), (v2, TWO)):
            equal([(o["metadata"]["name"], o["apiVersion"], host_port(o)) for o in k.items()], [("a", k.gv, want), ("b", k.gv, want)])


@case("objects of an old version are written anew, and the version can go")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one())
        d.stores("v2")
        until(lambda: v2.get("one")["apiVersion"] == v2.gv, "read")
        equal(d.k.get(d.name)["status"]["storedVersions"], ["v1", "v2"])
        v2.update(v2.get("one"))  # changes nothing but how it is stored
        d.asks("/hang-up")
        until(lambda: v1.api.ask("GET", v1.path("one")).status == 500, "the old version is the one that is made")
        equal(host_port(v2.get("one")), TWO)
        d.k.patch(d.name, {"status": {"storedVersions": ["v2"]}}, sub="status")
        def drop(o):
            o["spec"]["versions"] = [v for v in o["spec"]["versions"] if v["name"] == "v2"]
        d.k.change(d.name, drop)
        until(lambda: api().ask("GET", v1.path()).status == 404, "v1 is not served")
        equal(host_port(v2.get("one")), TWO)


@case("a definition whose converter is gone can be deleted with its objects")
def _():
    with Converted() as d:
        v1, v2 = both(d)
        v1.create(one("stored-one"))
        d.stores("v2")
        v2.create(two("stored-two"))
        d.asks("/hang-up")
        until(lambda: v2.api.ask("GET", v2.path("stored-one")).status == 500, "it is gone")
        equal(host_port(v2.get("stored-two")), TWO)
        v2.delete("stored-two")
    # leaving deletes the definition and waits for its end


@case("what a webhook needs is checked when the definition is written")
def _():
    for bad, words in (({"strategy": "Webhook"}, "spec.conversion.webhookClientConfig: Required value"),
                       (conversion(conversionReviewVersions=[]), "conversionReviewVersions"),
                       (conversion(conversionReviewVersions=["v9"]), "conversionReviewVersions"),
                       ({"strategy": "None", "webhook": conversion()["webhook"]}, "should not be set when strategy is not set to Webhook"),
                       (conversion(clientConfig={"url": "http://a.example.com/"}), "https"),
                       ({"strategy": "Other"}, "spec.conversion.strategy")):
        d = Converted()
        d.body["spec"]["conversion"] = bad
        said = kind("customresourcedefinitions").create(d.body, want=422)
        assert words in said["message"], (bad, said["message"])


@case("a webhook that knows only v1beta1 is asked in it")
def _():
    with Converted(review=["v1beta1"]) as d:
        v1, v2 = both(d)
        v1.create(one())
        equal(host_port(v2.get("one")), TWO)


if __name__ == "__main__":
    sys.exit(kube.main("conversion"))
