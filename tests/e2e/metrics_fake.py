# SPDX-License-Identifier: Apache-2.0
"""metrics_fake.py PORT: a cluster of two measured nodes and three pods, as far as `kubectl top` asks."""
import http.server
import json
import sys
import urllib.parse

GROUP = "metrics.k8s.io/v1beta1"
ROOM = {"cpu": "2", "memory": "4Gi"}


def group(name, *versions):
    v = [{"groupVersion": f"{name}/{x}" if name else x, "version": x} for x in versions]
    return {"name": name, "versions": v, "preferredVersion": v[0]}


def usage(cpu, memory):
    return {"cpu": cpu, "memory": memory}


def pod(space, name, *containers):
    return {
        "kind": "PodMetrics", "apiVersion": GROUP, "metadata": {"name": name, "namespace": space}, "timestamp": "2026-01-01T00:00:00Z", "window": "30s",
        "containers": [{"name": n, "usage": usage(c, m)} for n, c, m in containers],
    }


def node(name, room):
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name}, "status": {"allocatable": room, "capacity": {k: v for k, v in room.items()} | {"cpu": "8"}}}


NODES = [node("b", ROOM), node("a", ROOM), node("silent", ROOM)]
NODE_METRICS = [{"kind": "NodeMetrics", "apiVersion": GROUP, "metadata": {"name": n}, "timestamp": "2026-01-01T00:00:00Z", "window": "30s", "usage": usage(c, m)} for n, c, m in (("b", "150m", "1Gi"), ("a", "1500000001n", "100000Ki"))]
PODS = [
    pod("default", "p2", ("z", "10m", "10Mi"), ("y", "20m", "5Mi")),
    pod("default", "p1", ("c", "100m", "1Mi")),
    pod("other", "q", ("c", "5m", "200Mi"), ("a", "1m", "1Ki")),
]


def listed(kind, api, items):
    return {"kind": f"{kind}List", "apiVersion": api, "metadata": {}, "items": items}


def one(items, name):
    return next((i for i in items if i["metadata"]["name"] == name), None)


def answer(path, query):
    words = path.strip("/").split("/")
    selected = "labelSelector" not in query
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group("metrics.k8s.io", "v1beta1")]}
    if path in ("/api/v1", f"/apis/{GROUP}"):
        names = (("nodes", False, "Node"), ("pods", True, "Pod"))
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": path.split("/", 2)[2], "resources": [{"name": n, "singularName": "", "namespaced": s, "kind": k, "verbs": ["get", "list"]} for n, s, k in names]}
    metrics = words[:1] == ["apis"]
    rest = words[3:] if metrics else words[2:]
    space = rest[1] if rest[:1] == ["namespaces"] else None
    what, *name = (rest[2:] if space else rest) or [""]
    if what not in ("nodes", "pods"):
        return None
    if what == "nodes":
        items = (NODE_METRICS if metrics else NODES) if selected else []
    else:
        items = [p for p in PODS if metrics and selected and space in (None, p["metadata"]["namespace"])]
    if name:
        return one(items, name[0])
    kind = {"nodes": "Node", "pods": "Pod"}[what] + ("Metrics" if metrics else "")
    return listed(kind, GROUP if metrics else "v1", items)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        body, code = answer(url.path, query), 200
        if body is None:
            code, body = 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": f"{url.path} not found"}
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
