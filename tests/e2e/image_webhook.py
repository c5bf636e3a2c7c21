#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A webhook for images and for admission that does what its file says: image_webhook.py PORT CERT KEY CA MODE-FILE COUNT-FILE.

MODE-FILE has one word: honest (images with "bad" in their name are denied), slow, fail, lie (another kind), mad (allowed is no
boolean), html, close. COUNT-FILE gets a line for each question: what, of which namespace, which images, annotations, and who
asked: the token and the name of the certificate (by CA).
"""
import http.server
import json
import ssl
import sys
import time

port, cert, key, ca, mode_file, count_file = sys.argv[1:]


class Webhook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, code, body, kind="application/json"):
        body = body.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def who(self):
        shown = self.connection.getpeercert() or {}
        names = [v for part in shown.get("subject", ()) for k, v in part if k == "commonName"]
        return f"{self.headers.get('Authorization', '-')} {''.join(names) or '-'}"

    def count(self, *words):
        with open(count_file, "a") as f:
            print(*words, self.who(), file=f)

    def images(self, review):
        spec = review["spec"]
        images = [c.get("image", "") for c in spec.get("containers", [])]
        self.count("images", spec.get("namespace", "-"), ",".join(images), json.dumps(spec.get("annotations", {})))
        mode = open(mode_file).read().strip()
        if mode == "slow":
            time.sleep(3)
        if mode == "fail":
            return self.answer(500, "oh")
        if mode == "close":
            self.close_connection = True
            return self.connection.close()
        if mode == "html":
            return self.answer(200, "<html>", "text/html")
        status = {"allowed": True, "auditAnnotations": {"seen": "yes", "not/a/key": "x"}}
        if any("bad" in i for i in images):
            status = {"allowed": False, "reason": "it is bad", "auditAnnotations": {"seen": "bad"}}
        if mode == "mad":
            status = {"allowed": "yes"}
        answer = {"kind": "ImageReview", "apiVersion": review["apiVersion"], "status": status}
        if mode == "lie":
            answer["kind"] = "TokenReview"
        self.answer(201, json.dumps(answer))

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/images":
            assert review["kind"] == "ImageReview" and review["apiVersion"] == "imagepolicy.k8s.io/v1alpha1", review
            return self.images(review)
        self.count("admit", review["request"].get("namespace", "-"))
        review["response"] = {"uid": review["request"]["uid"], "allowed": True}
        self.answer(200, json.dumps(review))


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Webhook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
context.load_verify_locations(ca)
context.verify_mode = ssl.CERT_OPTIONAL
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
