# SPDX-License-Identifier: Apache-2.0
"""Conformance tests of sig-api-machinery for custom kinds whose versions a webhook converts: v1 has hostPort, v2 host and port."""
import conform_hooks
from conform_crd import ANY, Definition
from conform_hooks import denied, webhook
from kube import equal, holds, space, suite, until

case = suite("sig-api-machinery")


def converted(o, version):
    o = {**o, "apiVersion": version}
    if version.endswith("v2") and "hostPort" in o:
        o["host"], o["port"] = o.pop("hostPort").split(":")
    elif version.endswith("v1") and "host" in o:
        o["hostPort"] = o.pop("host") + ":" + o.pop("port", "")
    return o


def convert(q):
    return {"result": {"status": "Success"}, "convertedObjects": [converted(o, q["desiredAPIVersion"]) for o in q["objects"]]}


conform_hooks.ANSWERS["/convert"] = convert
conform_hooks.ANSWERS["/convert-nothing"] = lambda q: {**convert(q), "convertedObjects": []}


def conversion(at="/convert", review="v1"):
    client = {"service": {"namespace": webhook().space, "name": "hook", "path": at, "port": 8443}, "caBundle": webhook().ca}
    return {"strategy": "Webhook", "webhook": {"conversionReviewVersions": [review], "clientConfig": client}}


def definition(**how):
    d = Definition(ANY, ANY)
    d.body["spec"]["conversion"] = conversion(**how)
    return d


def is_v2(o, host, port):
    equal((o.get("hostPort"), o.get("host"), o.get("port")), (None, host, port))


def is_v1(o, host_port):
    equal((o.get("hostPort"), o.get("host"), o.get("port")), (host_port, None, None))


@case("CustomResourceConversionWebhook should be able to convert from CR v1 to CR v2")
def _():
    ns = space()
    with definition() as d:
        d.of("v1", ns).create({"metadata": {"name": "cr-instance-1"}, "hostPort": "localhost:8080"})
        is_v2(d.of("v2", ns).get("cr-instance-1"), "localhost", "8080")
        d.of("v2", ns).create({"metadata": {"name": "cr-instance-2"}, "host": "h", "port": "1"})
        is_v1(d.of("v1", ns).get("cr-instance-2"), "h:1")
        d.k.patch(d.name, {"spec": {"conversion": conversion("/convert-nothing")}})
        d.of("v1", ns).create({"metadata": {"name": "cr-instance-3"}, "hostPort": "localhost:8080"})
        denied(lambda: d.of("v2", ns).get("cr-instance-3"), "conversion webhook for", "returned 0 objects, expected 1", code=500)


@case("CustomResourceConversionWebhook should be able to convert a non homogeneous list of CRs")
def _():
    ns = space()
    with definition(review="v1beta1") as d:
        d.of("v1", ns).create({"metadata": {"name": "cr-instance-1"}, "hostPort": "localhost:8080"})
        versions = d.k.get(d.name)["spec"]["versions"]
        for v in versions:
            v["storage"] = v["name"] == "v2"
        d.k.patch(d.name, {"spec": {"versions": versions}})
        d.served("v2")
        d.of("v2", ns).create({"metadata": {"name": "cr-instance-2"}, "host": "localhost", "port": "8081"})
        equal(d.k.get(d.name)["status"]["storedVersions"], ["v1", "v2"])
        for o, port in zip(d.of("v1", ns).items(), ("8080", "8081")):
            is_v1(o, "localhost:" + port)
        for o, port in zip(d.of("v2", ns).items(), ("8080", "8081")):
            is_v2(o, "localhost", port)
        d.of("v2", ns).change("cr-instance-1", lambda o: None)  # is stored anew
        d.k.patch(d.name, {"status": {"storedVersions": ["v2"]}}, sub="status")
        equal(d.k.get(d.name)["status"]["storedVersions"], ["v2"])
        is_v2(d.of("v2", ns).get("cr-instance-1"), "localhost", "8080")


TEXT = {"type": "string"}
V1 = {"type": "object", "properties": {"hostPort": TEXT}}
V2 = {"type": "object", "properties": {"host": TEXT, "port": TEXT}}


def selectable(d, **fields):
    """Each version has fields of its own that select."""
    for v in d.body["spec"]["versions"]:
        v["selectableFields"] = [{"jsonPath": "." + f} for f in fields[v["name"]]]
    return d


def names(w, n, kind):
    return [w.next(kind)["metadata"]["name"] for _ in range(n)]


@case("CustomResourceFieldSelectors CustomResourceFieldSelectors MUST list and watch custom resources matching the field selector")
def _():
    ns, d = space(), selectable(Definition(V1, V2), v1=["hostPort"], v2=["host", "port"])
    d.body["spec"]["conversion"] = conversion()
    with d:
        v1, v2 = d.of("v1", ns), d.of("v2", ns)
        until(lambda: d.k.get(d.name)["spec"]["versions"][1]["selectableFields"], "fields")
        initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
        with v2.watch(fieldSelector="host=host1") as host, v2.watch(fieldSelector="host=host1,port=80") as host_port, \
                v1.watch(fieldSelector="hostPort=host1:80") as joined, v2.watch(fieldSelector="host=host1", **initial) as informer:
            informer.next("BOOKMARK")
            for name, o in (("one", {"host": "host1", "port": "80"}), ("two", {"host": "host1", "port": "8080"}), ("three", {"host": "host2"})):
                v2.create({"metadata": {"name": name}, **o})
            equal(v2.names(fieldSelector="host=host1"), ["one", "two"])
            equal(v2.names(fieldSelector="host=host1,port=80"), ["one"])
            equal(v1.names(fieldSelector="hostPort=host1:80"), ["one"])
            equal(v1.names(fieldSelector="hostPort=host1:8080"), ["two"])
            equal(v2.names(fieldSelector="host!=host1"), ["three"])
            assert v2.list(400, fieldSelector="hostPort=x")["reason"] == "BadRequest"
            assert v1.list(400, fieldSelector="host=x")["reason"] == "BadRequest"
            equal([names(w, n, "ADDED") for w, n in ((host, 2), (host_port, 1), (joined, 1), (informer, 2))],
                  [["one", "two"], ["one"], ["one"], ["one", "two"]])
            with v2.watch(fieldSelector="host=host1", **initial) as later:
                equal(names(later, 2, "ADDED"), ["one", "two"])
                later.next("BOOKMARK")
            equal([o["metadata"]["name"] for o in v2.delete_all(fieldSelector="host=host1,port=80")["items"]], ["one"])
            v2.change("two", lambda o: o.update(host="host2"))
            equal(v2.names(fieldSelector="host=host1"), [])
            equal(v2.names(fieldSelector="host=host1,port=80"), [])
            equal([names(w, n, "DELETED") for w, n in ((host, 2), (host_port, 1), (joined, 1), (informer, 2))],
                  [["one", "two"], ["one"], ["one"], ["one", "two"]])
            holds(v2.get("two"), {"host": "host2", "port": "8080"})
            equal(sorted(v1.names()), ["three", "two"])
