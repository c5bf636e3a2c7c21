#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A webhook for authorization and tokens that does what its file says: authz_webhook.py PORT CERT KEY MODE-FILE COUNT-FILE.

MODE-FILE has one word: honest (users may look at what is named after them), slow, fail, lie (another kind), both (allowed
and denied), html, deny, close. COUNT-FILE gets a line for each question: user, verb, resource, who asked by which token.
Tokens NAME@hook are NAME's, of the group hooked; wrong@hook has an error, far@hook is for another audience.
"""
import http.server
import json
import ssl
import sys
import time

port, cert, key, mode_file, count_file = sys.argv[1:]


class Webhook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, code, text, kind="application/json"):
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def token(self, review, token, mode):
        with open(count_file, "a") as f:
            print("token", token, ",".join(review["spec"].get("audiences", [])), review["apiVersion"], file=f)
        if mode == "slow":
            time.sleep(1)
        if mode == "fail":
            return self.answer(500, "{}")
        status = {"authenticated": False}
        name, _, host = token.partition("@")
        if host == "hook":
            status = {"authenticated": True, "user": {"username": name, "uid": "h1", "groups": ["hooked"],
                                                      "extra": {"example.com/from": ["hook"]}}}
        if token == "wrong@hook":
            status = {"authenticated": False, "error": "it was stolen"}
        if token == "far@hook":
            status["audiences"] = ["elsewhere"]
        answer = {"kind": "TokenReview", "apiVersion": review["apiVersion"], "status": status}
        if mode == "lie":
            answer["kind"] = "SubjectAccessReview"
        self.answer(200, json.dumps(answer))

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        mode = open(mode_file).read().strip()
        spec = review["spec"]
        if self.path == "/tokens":
            return self.token(review, spec["token"], mode)
        what = spec.get("resourceAttributes") or spec.get("nonResourceAttributes")
        with open(count_file, "a") as f:
            print(spec.get("user"), what.get("verb"), what.get("resource", what.get("path")), what.get("name", "-"),
                  self.headers.get("Authorization", "-"), file=f)
        if mode == "slow":
            time.sleep(5)
        if mode == "fail":
            return self.answer(500, "{}")
        if mode == "close":
            self.close_connection = True
            return self.connection.close()
        if mode == "html":
            return self.answer(200, "<html>", "text/html")
        status = {"allowed": what.get("name") == spec.get("user"), "reason": "by name"}
        if mode == "deny":
            status = {"allowed": False, "denied": True, "reason": "not today"}
        if mode == "both":
            status = {"allowed": True, "denied": True}
        answer = {"kind": "SubjectAccessReview", "apiVersion": review["apiVersion"], "status": status}
        if mode == "lie":
            answer["kind"] = "TokenReview"
            answer["status"] = {"allowed": True, "authenticated": True}
        self.answer(200 if mode == "honest" else 201, json.dumps(answer))


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Webhook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
