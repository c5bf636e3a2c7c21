# SPDX-License-Identifier: Apache-2.0
"""The conformance test of sig-api-machinery for API servers behind an APIService; extension.py stands for the sample API
server that upstream runs in pods."""
import base64
import shutil
import subprocess
import tempfile

from conform_hooks import certificates
from conform_machinery import aggregated
from extension import GROUP, GV, VERSION, Server
from kube import Kind, api, equal, holds, kind, space, suite, until

case = suite("sig-api-machinery")
ADDRESS = "10.255.0.3"
NAME = f"{VERSION}.{GROUP}"


def extension(ns):
    """It runs, and a Service leads to it: the server and the PEM of who signed its certificate."""
    subprocess.run(["ip", "addr", "add", ADDRESS + "/32", "dev", "lo"], check=True)
    folder = tempfile.mkdtemp(prefix="teu-ext-")
    try:
        ca, cert, key = certificates(folder, f"sample-api.{ns}.svc")
        trusted = kind("configmaps", "kube-system").get("extension-apiserver-authentication")["data"]
        server = Server((ADDRESS, 0), cert, key, trusted)
    finally:
        shutil.rmtree(folder)
    server.begin()
    kind("services", ns).create({"metadata": {"name": "sample-api"}, "spec": {"ports": [{"port": 7443}]}})
    kind("endpointslices", ns).create({
        "metadata": {"name": "sample-api-1", "labels": {"kubernetes.io/service-name": "sample-api"}}, "addressType": "IPv4",
        "ports": [{"port": server.server_address[1]}], "endpoints": [{"addresses": [ADDRESS]}]})
    return server, ca


def condition(services, name=NAME):
    found = [c for c in services.get(name).get("status", {}).get("conditions", []) if c["type"] == "Available"]
    return found[0] if found else {}


def flunders_live(ns):
    k = Kind(api(), GROUP, VERSION, "Flunder", "flunders", ns)
    k.create({"metadata": {"name": "rest-flunder"}, "spec": {"reference": "a"}})
    equal(k.names(), ["rest-flunder"])
    equal(k.patch("rest-flunder", {"metadata": {"labels": {"e2e": "patched"}}})["metadata"]["labels"], {"e2e": "patched"})
    with k.watch() as w:
        equal(w.next("ADDED")["metadata"]["name"], "rest-flunder")
        k.create({"metadata": {"name": "dynamic-flunder"}})
        equal(w.next("ADDED")["metadata"]["name"], "dynamic-flunder")
    for name in ("rest-flunder", "dynamic-flunder"):
        k.delete(name)
    equal(k.items(), [])


def its_status_can_be_read_and_written(services):
    c = {"type": "StatusUpdated", "status": "True", "reason": "E2E", "message": "Set by an e2e test"}
    services.change(NAME, lambda o: o["status"]["conditions"].append(c), "status")
    holds([x for x in services.get(NAME, "status")["status"]["conditions"] if x["type"] == "StatusUpdated"], [c])


@case("Aggregator Should be able to support the 1.17 Sample API Server using the current Aggregator", without="needs-node")
def _():
    ns, services = space(), kind("apiservices")
    server, ca = extension(ns)
    try:
        services.create({"metadata": {"name": NAME, "labels": {"e2e": "sample"}}, "spec": {
            "service": {"namespace": ns, "name": "sample-api", "port": 7443}, "group": GROUP, "version": VERSION,
            "caBundle": base64.b64encode(ca).decode(), "groupPriorityMinimum": 2000, "versionPriority": 200}})
        until(lambda: condition(services).get("reason") == "Passed", "not available")
        equal(api().get(f"/apis/{GV}")["groupVersion"], GV)
        until(lambda: [r["resource"] for r in aggregated("/apis").get(GROUP, {}).get(VERSION, [])] == ["flunders"], "not in discovery")
        flunders_live(ns)
        its_status_can_be_read_and_written(services)
        services.change(NAME, lambda o: o["spec"].update(versionPriority=400))
        equal(services.get(NAME)["spec"]["versionPriority"], 400)
        assert NAME in services.names(labelSelector="e2e=sample")
        services.delete_all(labelSelector="e2e=sample")
        equal(services.names(labelSelector="e2e=sample"), [])
        equal(api().ask("GET", f"/apis/{GV}/namespaces/{ns}/flunders").status, 404)
    finally:
        server.end()
