#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What kubectl was seen to send, sent again: apireplay.py REQUESTS. Each must have an answer of the kind that it asks for.

A line of REQUESTS: METHOD PATH | Accept | Content-Type | protocol to upgrade to | the body, or its length when it is binary.
Revisions, hashes and binary bodies are of the server that was asked then, so they are replaced.
"""
import http.client
import json
import re
import ssl
import sys
from urllib.parse import parse_qsl, urlencode

import apiwalk
from kubernetes import client, config

SPECS = {
    "namespaces": ("v1", "Namespace", {}),
    "configmaps": ("v1", "ConfigMap", {"data": {"x": "y"}}),
    "roles": ("rbac.authorization.k8s.io/v1", "Role", {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    "horizontalpodautoscalers": ("autoscaling/v1", "HorizontalPodAutoscaler", {"spec": {"maxReplicas": 3, "scaleTargetRef": {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
    "selfsubjectaccessreviews": ("authorization.k8s.io/v1", "SelfSubjectAccessReview", {"spec": {"resourceAttributes": {"verb": "create",
                                                                                                                     "resource": "pods"}}}),
    "selfsubjectrulesreviews": ("authorization.k8s.io/v1", "SelfSubjectRulesReview", {"spec": {"namespace": "default"}}),
    "selfsubjectreviews": ("authentication.k8s.io/v1", "SelfSubjectReview", {}),
    "token": ("authentication.k8s.io/v1", "TokenRequest", {"spec": {}}),
}
# Before the first request, as it was then.
THERE = [("/api/v1/namespaces/default/configmaps", "v1", "ConfigMap", "cm1", {"data": {"a": "b"}}),
         ("/api/v1/namespaces/default/configmaps", "v1", "ConfigMap", "cm2", {}),
         ("/api/v1/nodes", "v1", "Node", "n1", {}),
         ("/api/v1/namespaces/default/serviceaccounts", "v1", "ServiceAccount", "default", {}),
         ("/apis/certificates.k8s.io/v1/certificatesigningrequests", "certificates.k8s.io/v1", "CertificateSigningRequest", "x",
          {"spec": {"signerName": "example.com/x", "usages": ["client auth"], "request": apiwalk.request()}})]
# These need a node, or what does not run here: an answer, and if it is a refusal, a Status.
BEYOND = re.compile(r"/(log|exec|attach|portforward|token)$")


class Replay:
    def __init__(self):
        config.load_kube_config()
        c = client.Configuration.get_default_copy()
        tls = ssl.create_default_context(cafile=c.ssl_ca_cert)
        tls.load_cert_chain(c.cert_file, c.key_file)
        self.host, self.tls = c.host.removeprefix("https://"), tls
        self.deleted, self.wrong, self.beyond, self.n, self.hashes = set(), 0, 0, 0, {}

    def ask(self, method, path, accept="application/json", media="", body=None):
        """(status, content type, bytes, connection)."""
        c = http.client.HTTPSConnection(self.host, context=self.tls, timeout=20)
        c.request(method, path, body, {k: v for k, v in {"Accept": accept, "Content-Type": media}.items() if v})
        a = c.getresponse()
        return a.status, a.getheader("Content-Type", ""), a

    def doc(self, path):
        return json.loads(self.ask("GET", path)[2].read())

    def change(self):
        status, _, a = self.ask("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", media="application/merge-patch+json",
                                body=json.dumps({"metadata": {"annotations": {"replayed": str(self.n)}}}))
        a.read()
        return status

    def body(self, path, text):
        if text == "0":
            return None
        if text.isdigit():  # it was protobuf, which the answer will be
            version, kind, rest = SPECS[path.rsplit("/", 1)[1]]
            meta = {} if kind.endswith(("Review", "Request")) else {"metadata": {"name": "foo"}}
            return json.dumps({"apiVersion": version, "kind": kind, **meta, **rest})
        try:
            d = json.loads(text)
        except ValueError:
            return text
        if isinstance(d, dict) and d.get("metadata", {}).get("resourceVersion"):
            d["metadata"]["resourceVersion"] = self.doc(path)["metadata"]["resourceVersion"]
        return json.dumps(d)

    def query(self, path, text):
        q = dict(parse_qsl(text, keep_blank_values=True))
        if q.get("resourceVersion", "0") != "0":
            q["resourceVersion"] = self.doc(path)["metadata"]["resourceVersion"]
        if q.get("hash") == "ABC":
            q["hash"] = self.hashes[path.removeprefix("/openapi/v3/")]
        return "?" + urlencode(q) if q else ""

    def line(self, line):
        head, accept, media, _, text = (p.strip() for p in line.split("|", 4))
        method, _, where = head.partition(" ")
        path, _, query = where.partition("?")
        self.n += 1
        body = self.body(path, text)
        status, kind, a = self.ask(method, path + self.query(path, query), accept, "application/json" if text.isdigit() and body else media, body)
        why = self.judge(method, path, query, accept, status, kind, a)
        if why:
            self.wrong += 1
            print(f"{self.n}: {line[:150]}: {why}")

    def judge(self, method, path, query, accept, status, kind, a):
        if "watch=true" in query:
            self.change()
            e = json.loads(a.readline())
            want = "Table" if "as=Table" in accept else "Deployment"
            return "" if e["type"] in ("ADDED", "MODIFIED") and e["object"]["kind"] == want else f"event {e}"
        got = a.read()
        if BEYOND.search(path):
            self.beyond += 1
            return "" if status < 300 or json.loads(got)["kind"] == "Status" else f"{status} {got[:200]}"
        gone = method == "GET" and path in self.deleted
        if method == "DELETE":
            self.deleted.add(path)
        want = 404 if gone else 201 if method == "POST" else 200
        if status != want:
            return f"{status}, not {want}: {got[:300]}"
        if accept.startswith("application/vnd.kubernetes.protobuf"):
            return "" if kind == "application/vnd.kubernetes.protobuf" and got[:4] == b"k8s\0" else f"no protobuf but {kind}"
        if path == "/healthz":
            return "" if got == b"ok" else f"{got}"
        d = json.loads(got)
        if "as=APIGroupDiscoveryList" in accept:
            return "" if d["kind"] == "APIGroupDiscoveryList" and "as=APIGroupDiscoveryList" in kind else f"{kind} {d['kind']}"
        if path == "/openapi/v3":
            self.hashes = {k: v["serverRelativeURL"].partition("hash=")[2] for k, v in d["paths"].items()}
            return "" if self.hashes else "no paths"
        if path.startswith("/openapi/v3/"):
            return "" if d["openapi"].startswith("3.") and d["components"]["schemas"] else "no OpenAPI"
        if path == "/version":
            return "" if d["gitVersion"] else "no version"
        if gone:
            return "" if d["reason"] == "NotFound" else f"{d}"
        if "as=Table" in accept:
            return "" if d["kind"] == "Table" and d["columnDefinitions"] else f"no Table: {got[:200]}"
        return self.judge_object(method, path, d)

    def judge_object(self, method, path, d):
        if path in ("/api", "/apis", "/api/v1"):
            return "" if d["kind"] in ("APIVersions", "APIGroupList", "APIResourceList") else d["kind"]
        if method == "DELETE":
            return "" if d["kind"] == "Status" and d["status"] == "Success" or d["metadata"]["name"] == path.rsplit("/", 1)[1] else f"{d}"
        if path.endswith("/scale"):
            return "" if d["kind"] == "Scale" and d["spec"]["replicas"] == 3 else f"{d}"
        if d["kind"].endswith("List"):
            return "" if isinstance(d["items"], list) and d["metadata"]["resourceVersion"] else "no list"
        return "" if d["apiVersion"] and d["metadata"]["uid"] else f"no object: {d}"


def main(name):
    r = Replay()
    for path, version, kind, name_, rest in THERE:
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name_}, **rest}
        r.ask("POST", path, media="application/json", body=json.dumps(body))[2].read()
    with open(name) as f:
        for line in f:
            if re.match("[A-Z]+ /", line):
                r.line(line.strip())
    print(f"{r.n} requests, {r.wrong} with another answer, {r.beyond} for what does not run here")
    return 1 if r.wrong or r.n < 100 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
