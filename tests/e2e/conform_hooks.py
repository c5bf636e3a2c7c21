# SPDX-License-Identifier: Apache-2.0
"""Conformance tests of sig-api-machinery for admission webhooks, with a webhook in this process: TLS at an address of its own,
found by a Service and its EndpointSlice, with certificates made here."""
import base64
import http.server
import json
import os
import shutil
import socketserver
import ssl
import subprocess
import tempfile
import threading
import time

from conform_crd import ANY, Definition
from kube import Status, api, equal, kind, space, suite

case = suite("sig-api-machinery")
ADDRESS = "10.255.0.2"
SLOW = 1.4


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, stdin=subprocess.DEVNULL)


def certificates(folder, name):
    """A CA and a server's certificate for this name; the CA's PEM."""
    ca, own = os.path.join(folder, "ca"), os.path.join(folder, "own")
    with open(own + ".ext", "w") as f:
        f.write(f"subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", ca + ".key", "-out", ca + ".pem", "-days", "2", "-subj", "/CN=hook-ca")
    openssl("req", "-new", *key, "-keyout", own + ".key", "-out", own + ".csr", "-subj", "/CN=hook")
    openssl("x509", "-req", "-in", own + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-out", own + ".pem", "-days", "2",
            "-extfile", own + ".ext")
    return open(ca + ".pem", "rb").read(), own + ".pem", own + ".key"


def data_of(q):
    return ((q.get("object") or q.get("oldObject") or {}).get("data")) or {}


def refuse(bad, why):
    return {"allowed": not bad, **({"status": {"message": why, "reason": why}} if bad else {})}


def stages(q):
    """Each call adds what the call before made possible."""
    data = data_of(q)
    patch = [{"op": "add", "path": f"/data/mutation-stage-{n}", "value": "yes"}
             for n, after in ((1, "mutation-start"), (2, "mutation-stage-1")) if data.get(after) == "yes" and f"mutation-stage-{n}" not in data]
    return {"allowed": True, **({"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()} if patch else {})}


def init_container(q):
    add = [{"op": "add", "path": "/spec/initContainers", "value": [{"name": "webhook-added-init-container", "image": "i"}]}]
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(add).encode()).decode()}


def labels(q):
    add = [{"op": "add", "path": "/metadata/labels", "value": {"webhook": "was-here"}}]
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(add).encode()).decode()}


def slow(q):
    time.sleep(SLOW)
    return {"allowed": True}


ANSWERS = {
    "/data": lambda q: refuse(data_of(q).get("webhook-e2e-test") == "webhook-disallow", "the object contains unwanted data"),
    "/pods": lambda q: refuse(any(c["name"] == "webhook-disallow" for c in q["object"]["spec"]["containers"]), "the pod contains unwanted container name"),
    "/attach": lambda q: refuse(q["name"] == "to-be-attached-pod" and q["object"]["kind"] == "PodAttachOptions", "attaching to pod is not allowed"),
    "/crd": lambda q: refuse(q["object"]["metadata"].get("labels", {}).get("webhook-e2e-test") == "webhook-disallow", "the crd contains unwanted label"),
    "/deny": lambda q: refuse(True, "this webhook denies all requests"),
    "/allow": lambda q: refuse(False, ""),
    "/stages": stages, "/init": init_container, "/labels": labels, "/slow": slow,
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        q = review["request"]
        answer = {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": {"uid": q["uid"], **ANSWERS[self.path.split("?")[0]](q)}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Tls(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    tls = None

    def handle_error(self, request, client_address):
        pass  # a client that gave up

    def finish_request(self, request, client_address):
        with self.tls.wrap_socket(request, server_side=True) as s:
            self.RequestHandlerClass(s, client_address, self)


class Webhook:
    """The webhook and its service; made for the first case that asks for it, ends with this process."""
    one = None

    def __init__(self):
        subprocess.run(["ip", "addr", "add", ADDRESS + "/32", "dev", "lo"], check=True)
        self.space = space()
        folder = tempfile.mkdtemp(prefix="teu-hook-")
        try:
            ca, cert, key = certificates(folder, f"hook.{self.space}.svc")
            self.ca = base64.b64encode(ca).decode()
            self.server = Tls((ADDRESS, 0), Handler)
            self.server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.server.tls.load_cert_chain(cert, key)
        finally:
            shutil.rmtree(folder)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        kind("services", self.space).create({"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 8443}]}})
        kind("endpointslices", self.space).create({
            "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}}, "addressType": "IPv4",
            "ports": [{"port": self.server.server_address[1]}], "endpoints": [{"addresses": [ADDRESS]}]})


def webhook():
    Webhook.one = Webhook.one or Webhook()
    return Webhook.one


def rule(plural, *ops, group="", version="v1"):
    return {"operations": list(ops), "apiGroups": [group], "apiVersions": [version], "resources": [plural]}


class Hooks:
    """A configuration; on leaving it is deleted."""
    n = 0

    def __init__(self, which, ns, *rows, **more):
        Hooks.n += 1
        self.k, self.name = kind(which + "webhookconfigurations"), f"hooks-{Hooks.n}"
        selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns}}} if ns else {}
        self.body = {"metadata": {"name": self.name, "labels": {"hooks": "e2e"}}, "webhooks": [{
            "name": f"{at.strip('/')}-{n}.k8s.example.com", "rules": [r], "sideEffects": "None", "admissionReviewVersions": ["v1", "v1beta1"],
            "clientConfig": {"service": {"namespace": webhook().space, "name": "hook", "path": at, "port": 8443}, "caBundle": webhook().ca},
            **selector, **more} for n, (at, r) in enumerate(rows)]}

    def __enter__(self):
        self.k.create(self.body)
        return self

    def __exit__(self, *what):
        api().ask("DELETE", self.k.path(self.name))


def denied(fn, *words, code=400):
    """What fn asks for is denied, and told so."""
    try:
        fn()
    except Status as e:
        for w in (f": {code}, wanted", *words):
            assert w in str(e), f"no '{w}' in {e}"
        return
    raise AssertionError("it was allowed")


def config(name, **data):
    return {"metadata": {"name": name}, "data": {k.replace("_", "-"): v for k, v in data.items()}}


BAD = {"webhook_e2e_test": "webhook-disallow"}
UNWANTED = "denied the request: the object contains unwanted data"


def pod(name, container="c"):
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": container, "image": "i"}]}}


@case("AdmissionWebhook should be able to deny pod and configmap creation")
def _():
    ns = space()
    maps, pods = kind("configmaps", ns), kind("pods", ns)
    with Hooks("validating", ns, ("/pods", rule("pods", "CREATE")), ("/data", rule("configmaps", "CREATE", "UPDATE", "DELETE"))), \
         Hooks("validating", ns, ("/slow", rule("pods", "CREATE")), timeoutSeconds=1, objectSelector={"matchLabels": {"hang": "yes"}}):
        denied(lambda: pods.create(pod("bad", "webhook-disallow")), "the pod contains unwanted container name")
        hanging = pod("hang")
        hanging["metadata"]["labels"] = {"hang": "yes"}
        denied(lambda: pods.create(hanging), "deadline", code=500)
        pods.gone("hang")
        denied(lambda: maps.create(config("bad", **BAD)), UNWANTED)
        maps.create(config("good"))
        denied(lambda: maps.change("good", lambda o: o.update(config("good", **BAD) | {"metadata": o["metadata"]})), UNWANTED)
        denied(lambda: maps.patch("good", {"data": {"webhook-e2e-test": "webhook-disallow"}}), UNWANTED)
    other = space()
    with Hooks("validating", ns, ("/data", rule("configmaps", "CREATE"))):
        kind("configmaps", other).create(config("bad", **BAD))


@case("AdmissionWebhook should be able to deny attaching pod")
def _():
    ns = space()
    kind("pods", ns).create(pod("to-be-attached-pod"))
    with Hooks("validating", ns, ("/attach", rule("pods/attach", "CONNECT"))):
        denied(lambda: api().ask("POST", f"/api/v1/namespaces/{ns}/pods/to-be-attached-pod/attach?container=c&stdout=true", want=101),
               "attaching to pod is not allowed")


@case("AdmissionWebhook should be able to deny custom resource creation, update and deletion")
def _():
    ns = space()
    with Definition(ANY) as d, Hooks("validating", ns, ("/data", rule(d.plural, "CREATE", "UPDATE", "DELETE", group=d.group))) as h:
        k = d.of(namespace=ns)
        denied(lambda: k.create(config("bad", **BAD)), UNWANTED)
        h.k.delete(h.name)
        k.create(config("bad", **BAD))
        h.k.create(h.body)
        denied(lambda: k.change("bad", lambda o: o.update(more=1)), UNWANTED)
        denied(lambda: k.delete("bad"), UNWANTED)
        h.k.delete(h.name)
        k.patch("bad", {"data": {"webhook-e2e-test": None}})
        h.k.create(h.body)
        k.delete("bad")


@case("AdmissionWebhook should unconditionally reject operations on fail closed webhook")
def _():
    ns = space()
    unsafe = {"clientConfig": {"service": {"namespace": webhook().space, "name": "hook", "path": "/data", "port": 8443}}}
    with Hooks("validating", ns, ("/data", rule("configmaps", "CREATE")), failurePolicy="Fail", **unsafe):
        denied(lambda: kind("configmaps", ns).create(config("x")), "InternalError", "failed calling webhook", code=500)


@case("AdmissionWebhook should deny crd creation")
def _():
    unwanted = Definition(ANY, labels={"webhook-e2e-test": "webhook-disallow"})
    only = {"objectSelector": {"matchLabels": {"webhook-e2e-test": "webhook-disallow"}}}
    with Hooks("validating", None, ("/crd", rule("customresourcedefinitions", "CREATE", group="apiextensions.k8s.io", version="*")), **only):
        denied(lambda: unwanted.k.create(unwanted.body), "the crd contains unwanted label")


@case("AdmissionWebhook should mutate configmap")
def _():
    ns = space()
    with Hooks("mutating", ns, ("/stages", rule("configmaps", "CREATE")), ("/stages", rule("configmaps", "CREATE"))):
        got = kind("configmaps", ns).create(config("x", mutation_start="yes"))
        equal(got["data"], {"mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes"})


@case("AdmissionWebhook should mutate everything except 'skip-me' configmaps")
def _():
    ns = space()
    maps = kind("configmaps", ns)
    but = [{"name": "skip-me", "expression": "object.metadata.name != 'skip-me'"}]
    with Hooks("mutating", ns, ("/stages", rule("configmaps", "CREATE")), matchConditions=but):
        equal(maps.create(config("skip-me", mutation_start="yes"))["data"], {"mutation-start": "yes"})
        equal(maps.create(config("other", mutation_start="yes"))["data"], {"mutation-start": "yes", "mutation-stage-1": "yes"})


def bad_conditions(which):
    bad = [{"name": "invalid-expression", "expression": "... [] bad expression"}]
    h = Hooks(which, None, ("/deny", rule("configmaps", "CREATE")), matchConditions=bad)
    denied(lambda: h.k.create(h.body), "compilation failed", code=422)
    h.k.gone(h.name)


@case("AdmissionWebhook should reject mutating webhook configurations with invalid match conditions")
def _():
    bad_conditions("mutating")


@case("AdmissionWebhook should reject validating webhook configurations with invalid match conditions")
def _():
    bad_conditions("validating")


@case("AdmissionWebhook should mutate pod and apply defaults after mutation")
def _():
    ns = space()
    with Hooks("mutating", ns, ("/init", rule("pods", "CREATE"))):
        got = kind("pods", ns).create(pod("x"))["spec"]["initContainers"]
        equal([c["name"] for c in got], ["webhook-added-init-container"])
        equal(got[0]["terminationMessagePolicy"], "File")


@case("AdmissionWebhook should not be able to mutate or prevent deletion of webhook configuration objects")
def _():
    every = rule("*", "*", group="admissionregistration.k8s.io", version="*")
    mine = {"objectSelector": {"matchLabels": {"hooks": "e2e"}}}
    with Hooks("validating", None, ("/deny", every), **mine), Hooks("mutating", None, ("/labels", every), **mine):
        for which in ("validating", "mutating"):
            with Hooks(which, None, ("/allow", rule("nothings", "CREATE"))) as h:
                equal(h.k.get(h.name)["metadata"]["labels"], {"hooks": "e2e"})
                h.k.delete(h.name)
                h.k.gone(h.name)


def mutated(schema, want):
    ns = space()
    with Definition(schema) as d, Hooks("mutating", ns, *[("/stages", rule(d.plural, "CREATE", group=d.group))] * 2):
        equal(d.of(namespace=ns).create(config("x", mutation_start="yes"))["data"], {"mutation-start": "yes", **want})


@case("AdmissionWebhook should mutate custom resource")
def _():
    mutated(ANY, {"mutation-stage-1": "yes", "mutation-stage-2": "yes"})


@case("AdmissionWebhook should mutate custom resource with pruning")
def _():
    text = {"type": "string"}
    mutated({"type": "object", "properties": {"data": {"type": "object", "properties": {"mutation-start": text, "mutation-stage-1": text}}}},
            {"mutation-stage-1": "yes"})


@case("AdmissionWebhook should mutate custom resource with different stored version")
def _():
    ns = space()
    with Definition(ANY, ANY) as d, Hooks("mutating", ns, ("/stages", rule(d.plural, "CREATE", "UPDATE", group=d.group, version="v1"))):
        k = d.of("v1", ns)
        equal(k.create(config("x", mutation_start="yes"))["data"], {"mutation-start": "yes", "mutation-stage-1": "yes"})

        def store(o):
            for v in o["spec"]["versions"]:
                v["storage"] = v["name"] == "v2"
        d.k.change(d.name, store)
        got = k.patch("x", {"dummy": "test"})
        equal(got["data"], {"mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes"})
        equal(d.of("v2", ns).get("x")["dummy"], "test")


@case("AdmissionWebhook should honor timeout")
def _():
    ns = space()
    maps = kind("configmaps", ns)
    slowly = ("/slow", rule("configmaps", "CREATE"))
    with Hooks("validating", ns, slowly, timeoutSeconds=1, failurePolicy="Fail"):
        denied(lambda: maps.create(config("a")), "context deadline exceeded", code=500)
    with Hooks("validating", ns, slowly, timeoutSeconds=1, failurePolicy="Ignore"):
        maps.create(config("b"))
    with Hooks("validating", ns, slowly, timeoutSeconds=10):
        maps.create(config("c"))
    with Hooks("validating", ns, slowly) as h:
        equal(h.k.get(h.name)["webhooks"][0]["timeoutSeconds"], 10)
        maps.create(config("d"))


def listing(which, path, data, bad):
    ns = space()
    maps = kind("configmaps", ns)
    hooks = [Hooks(which, ns, (path, rule("configmaps", "CREATE"))) for _ in range(3)]
    k = hooks[0].k
    for h in hooks:
        h.body["metadata"]["labels"]["listed"] = ns
        k.create(h.body)
    equal(k.names(labelSelector=f"listed={ns}"), sorted(h.name for h in hooks))
    bad(lambda: maps.create(config("first", **data)))
    k.delete_all(labelSelector=f"listed={ns}")
    equal(k.names(labelSelector=f"listed={ns}"), [])
    equal(maps.create(config("second", **data))["data"], config("second", **data)["data"])


def staged(fn):
    equal(len(fn()["data"]), 3)


@case("AdmissionWebhook listing validating webhooks should work")
def _():
    listing("validating", "/data", BAD, lambda fn: denied(fn, UNWANTED))


@case("AdmissionWebhook listing mutating webhooks should work")
def _():
    listing("mutating", "/stages", {"mutation_start": "yes"}, staged)


def changing(which, path, data, bad):
    ns = space()
    maps = kind("configmaps", ns)
    with Hooks(which, ns, (path, rule("configmaps", "CREATE"))) as h:
        if which == "mutating":
            h.k.change(h.name, lambda o: o["webhooks"][0].update(reinvocationPolicy="IfNeeded"))
        bad(lambda: maps.create(config("first", **data)))
        h.k.change(h.name, lambda o: o["webhooks"][0]["rules"][0].update(operations=["UPDATE"]))
        equal(h.k.get(h.name)["webhooks"][0]["rules"][0]["operations"], ["UPDATE"])
        equal(maps.create(config("second", **data))["data"], config("second", **data)["data"])
        got = h.k.patch(h.name, [{"op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["CREATE"]}], "json")
        equal(got["webhooks"][0]["rules"][0]["operations"], ["CREATE"])
        bad(lambda: maps.create(config("third", **data)))


@case("AdmissionWebhook patching/updating a validating webhook should work")
def _():
    changing("validating", "/data", BAD, lambda fn: denied(fn, UNWANTED))


@case("AdmissionWebhook patching/updating a mutating webhook should work")
def _():
    changing("mutating", "/stages", {"mutation_start": "yes"}, lambda fn: fn()["data"]["mutation-stage-1"])


