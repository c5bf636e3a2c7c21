# SPDX-License-Identifier: Apache-2.0
"""Conformance tests of sig-api-machinery for custom kinds whose versions a webhook converts: v1 has hostPort, v2 host and port."""
import conform_hooks
from conform_crd import ANY, Definition
from conform_hooks import denied, webhook
from kube import equal, space, suite

case = suite("sig-api-machinery")


def converted(o, version):
    o = {**o, "apiVersion": version}
    if version.endswith("v2") and "hostPort" in o:
        o["host"], o["port"] = o.pop("hostPort").split(":")
    elif version.endswith("v1") and "host" in o:
        o["hostPort"] = o.pop("host") + ":" + o.pop("port")
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
