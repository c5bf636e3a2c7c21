#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An API server behind an APIService, like the sample API server: flunders of wardle.example.com/v1alpha1, and what
`kubectl top` asks of metrics.k8s.io/v1beta1. It believes only who shows a front proxy's certificate: the CA, names and
headers are those of kube-system/extension-apiserver-authentication.

As a program: extension.py ADDRESS PORT CERT KEY CONFIG MODE-FILE SEEN-FILE. CONFIG is that ConfigMap as JSON. MODE-FILE has
one word: honest, fail (500), slow, garbage, huge, half (of the document), alien (another group's), redirect, deny (403). SEEN-FILE
gets a line for each request: method, path, user, groups, and which credentials of a client came along.
"""
import http.server
import json
import select
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse

GROUP, VERSION = "wardle.example.com", "v1alpha1"
GV = f"{GROUP}/{VERSION}"
METRICS = "metrics.k8s.io/v1beta1"
FLUNDER = {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder", "shortNames": ["fl"], "categories": ["all"],
           "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]}
RESOURCES = {
    GV: [FLUNDER, {**FLUNDER, "name": "flunders/status", "singularName": "", "shortNames": None, "categories": None, "verbs": ["get"]}],
    METRICS: [{"name": n, "singularName": "", "namespaced": n == "pods", "kind": k, "verbs": ["get", "list"]}
              for n, k in (("nodes", "NodeMetrics"), ("pods", "PodMetrics"))],
}
SCHEMA = {"type": "object", "x-kubernetes-group-version-kind": [{"group": GROUP, "version": VERSION, "kind": "Flunder"}],
          "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
                         "spec": {"type": "object", "description": "What a flunder is for.",
                                  "properties": {"reference": {"type": "string", "description": "The other flunder."}}}}}
CREDENTIALS = ("authorization", "impersonate-user", "impersonate-group", "cookie", "x-my-user")


def usage(**more):
    return {**more, "timestamp": "2026-01-01T00:00:00Z", "window": "30s"}


class Extension(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, code, body, kind="application/json", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for k, v in headers.items():
            self.send_header(k, v)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def status(self, code, reason):
        self.answer(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": "extension: " + reason, "code": code})

    def who(self):
        """The user that the front proxy names; None: it is no front proxy."""
        conf = self.server.config
        cn = dict(x[0] for x in self.connection.getpeercert()["subject"])["commonName"]
        if json.loads(conf["requestheader-allowed-names"]) not in ([], [cn]):
            return None
        user, groups = (json.loads(conf[f"requestheader-{x}-headers"])[0] for x in ("username", "group"))
        return self.headers.get(user), self.headers.get_all(groups)

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        out = b""
        while n := int(self.rfile.readline(), 16):
            out += self.rfile.read(n)
            self.rfile.readline()
        self.rfile.readline()
        return out

    def handle_any(self):
        who, s = self.who(), self.server
        if not who or not who[0]:
            return self.status(401, "Unauthorized")
        url = urllib.parse.urlsplit(self.path)
        came = [h for h in CREDENTIALS if self.headers.get(h)]
        s.saw(self.command, self.path, who[0], ",".join(who[1] or []), "with:" + ",".join(came))
        document = url.path in (f"/apis/{GV}", f"/apis/{METRICS}")
        mode = s.mode()
        if mode == "fail":
            return self.answer(500, b"broken\n", "text/plain")
        if mode == "slow":
            time.sleep(s.slow)
        if mode == "redirect":
            return self.answer(302, b"", Location="https://198.51.100.1/elsewhere")
        if mode == "garbage" and document:
            return self.answer(200, b"<html>")
        if mode == "huge" and document:
            return self.answer(200, b" " * (3 << 20))
        if mode == "alien" and document:
            return self.answer(200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "apps/v1", "resources": []})
        if mode == "half" and document:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"kind":"API')
            self.close_connection = True
            return None
        if mode == "deny" and not document:
            return self.status(403, "Forbidden")
        return self.serve(url.path, urllib.parse.parse_qs(url.query))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

    def serve(self, path, query):
        if path.startswith("/apis/") and path[6:] in RESOURCES:
            return self.answer(200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": path[6:], "resources": RESOURCES[path[6:]]})
        if path == "/openapi/v3":
            return self.answer(200, {"paths": {f"apis/{GV}": {"serverRelativeURL": f"/openapi/v3/apis/{GV}?hash=ABC123"}}})
        if path == "/openapi/v2":
            if self.headers.get("If-None-Match") == '"V2"':
                return self.answer(304, b"", ETag='"V2"')
            flunder = {"$ref": "#/definitions/com.example.wardle.Flunder"}
            return self.answer(200, {"swagger": "2.0", "definitions": {"com.example.wardle.Flunder": SCHEMA, "unused": {}}, "paths": {
                f"/apis/{GV}/flunders": {"get": {"responses": {"200": {"description": "OK", "schema": flunder}}}},
                "/api/v1/pods": {"get": {"description": "not its own", "responses": {}}}}}, ETag='"V2"')
        if path == f"/openapi/v3/apis/{GV}":
            where = f"/apis/{GV}/namespaces/{{namespace}}/flunders"
            kind = SCHEMA["x-kubernetes-group-version-kind"][0]
            return self.answer(200, {"openapi": "3.0.0", "info": {"title": "wardle", "version": "v0"},
                                     "paths": {at: {"get": {"x-kubernetes-group-version-kind": kind, "x-kubernetes-action": act, "responses": {}}}
                                               for at, act in ((where, "list"), (where + "/{name}", "get"))},
                                     "components": {"schemas": {"com.example.wardle.Flunder": SCHEMA}}})
        parts = path.strip("/").split("/")[3:]
        if path.startswith(f"/apis/{METRICS}/"):
            return self.metrics(parts)
        if parts[:1] == ["namespaces"] and parts[2:3] == ["flunders"]:
            return self.flunders(parts[1], parts[3:], query)
        if parts == ["flunders"]:
            return self.flunders(None, [], query)
        return self.status(404, "NotFound")

    def metrics(self, parts):
        node = {"kind": "NodeMetrics", "apiVersion": METRICS, "metadata": {"name": "n1"}, **usage(usage={"cpu": "250m", "memory": "512Mi"})}
        pod = {"kind": "PodMetrics", "apiVersion": METRICS, "metadata": {"name": "p1", "namespace": "default"},
               **usage(containers=[{"name": "c", "usage": {"cpu": "7m", "memory": "9Mi"}}])}
        if parts[-1:] == ["nodes"]:
            return self.answer(200, {"kind": "NodeMetricsList", "apiVersion": METRICS, "metadata": {}, "items": [node]})
        return self.answer(200, {"kind": "PodMetricsList", "apiVersion": METRICS, "metadata": {}, "items": [pod]})

    def flunders(self, ns, rest, query):
        s = self.server
        if rest[1:] == ["echo"]:
            return self.echo()
        if rest[1:] == ["bytes"]:
            return self.answer(200, bytes(range(256)) * (4 * int(query["k"][0])), "application/octet-stream")
        if rest[1:] == ["seen"]:
            return self.answer(200, {k.lower(): self.headers.get_all(k) for k in self.headers})
        if rest[1:] == ["length"]:
            return self.answer(200, {"length": len(self.body())})
        with s.lock:
            if self.command == "POST":
                o = json.loads(self.body())
                s.revision += 1
                o.setdefault("metadata", {}).update(namespace=ns, uid=f"u{s.revision}", resourceVersion=str(s.revision),
                                                    creationTimestamp="2026-01-01T00:00:00Z")
                s.objects[(ns, o["metadata"]["name"])] = o
                s.lock.notify_all()
                return self.answer(201, o)
            found = [o for (n, name), o in sorted(s.objects.items()) if ns in (None, n) and (not rest or rest[0] == name)]
            if rest and not found:
                return self.status(404, "NotFound")
            if self.command in ("PUT", "PATCH"):
                o, change = found[0], json.loads(self.body())
                s.revision += 1
                if self.command == "PATCH":
                    change = {**o, **change, "metadata": {**o["metadata"], **change.get("metadata", {})}}
                s.objects[(ns, rest[0])] = {**change, "metadata": {**change["metadata"], "resourceVersion": str(s.revision)}}
                s.lock.notify_all()
                return self.answer(200, s.objects[(ns, rest[0])])
            if self.command == "DELETE":
                for o in found:
                    del s.objects[(o["metadata"]["namespace"], o["metadata"]["name"])]
                s.lock.notify_all()
                return self.answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
        if query.get("watch"):
            return self.watch(ns)
        if rest:
            return self.answer(200, found[0])
        return self.answer(200, {"kind": "FlunderList", "apiVersion": GV, "metadata": {"resourceVersion": str(s.revision)}, "items": found})

    def watch(self, ns):
        """Each object once, as it comes; until the client goes."""
        s, told = self.server, set()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while not s.ended:
                with s.lock:
                    new = [o for (n, _), o in s.objects.items() if ns in (None, n) and o["metadata"]["uid"] not in told]
                    if not new:
                        s.lock.wait(0.2)
                if select.select([self.connection], [], [], 0)[0]:
                    raise OSError("the client is gone")
                for o in new:
                    told.add(o["metadata"]["uid"])
                    line = json.dumps({"type": "ADDED", "object": o}).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        except OSError:
            s.saw("GONE", self.path, "-", "-", "-")
        self.close_connection = True

    def echo(self):
        if self.headers.get("Upgrade") != "echo":
            return self.status(400, "BadRequest")
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "echo")
        self.end_headers()
        while got := self.connection.recv(65536):
            self.wfile.write(got)
        self.close_connection = True


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address, cert, key, config, mode=lambda: "honest", saw=lambda *words: None, slow=8):
        super().__init__(address, Extension)
        self.config, self.mode, self.saw, self.slow = config, mode, saw, slow
        self.objects, self.revision, self.lock, self.ended = {}, 0, threading.Condition(), False
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(cert, key)
        self.tls.verify_mode = ssl.CERT_REQUIRED
        self.tls.load_verify_locations(cadata=config["requestheader-client-ca-file"])

    def handle_error(self, request, client_address):
        pass

    def finish_request(self, request, client_address):
        request.settimeout(30)
        with self.tls.wrap_socket(request, server_side=True) as s:
            super().finish_request(s, client_address)

    def begin(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def end(self):
        self.ended = True
        self.shutdown()
        self.server_close()


def main():
    address, port, cert, key, config, mode_file, seen_file = sys.argv[1:]

    def saw(*words):
        with open(seen_file, "a") as f:
            print(*words, file=f)

    Server((address, int(port)), cert, key, json.load(open(config))["data"], lambda: open(mode_file).read().strip(), saw).serve_forever()


if __name__ == "__main__":
    main()
