#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OpenID issuer for tests, in a folder: idp.py make DIR PORT | serve DIR PORT | key DIR KID | token DIR KID CLAIMS.

`make` makes certificate and configuration, `key` adds an RSA key (served from then on), `token` prints one that it signs.
"""
import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import time


def run(*command, data=None):
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make(folder, port):
    os.makedirs(folder)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.pem",
        "-days", "3", "-subj", "/CN=idp", "-addext", "subjectAltName=IP:127.0.0.1")
    issuer = f"https://127.0.0.1:{port}"
    with open(f"{folder}/openid", "w") as f:
        json.dump({"issuer": issuer, "jwks_uri": issuer + "/keys"}, f)
    with open(f"{folder}/keys", "w") as f:
        json.dump({"keys": []}, f)


def key(folder, kid):
    run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", f"{folder}/{kid}.key")
    modulus = run("openssl", "rsa", "-in", f"{folder}/{kid}.key", "-noout", "-modulus").decode().strip().split("=")[1]
    keys = json.load(open(f"{folder}/keys"))
    keys["keys"].append({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"})
    with open(f"{folder}/keys.new", "w") as f:
        json.dump(keys, f)
    os.rename(f"{folder}/keys.new", f"{folder}/keys")


def token(folder, kid, claims):
    now = int(time.time())
    claims = {"iss": json.load(open(f"{folder}/openid"))["issuer"], "aud": "teu", "exp": now + 600, "iat": now, **json.loads(claims)}
    text = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": kid}, claims))
    print(text + "." + b64(run("openssl", "dgst", "-sha256", "-sign", f"{folder}/{kid}.key", data=text.encode())))


def serve(folder, port):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = {"/.well-known/openid-configuration": "openid", "/keys": "keys"}.get(self.path)
            body = open(f"{folder}/{name}", "rb").read() if name else b""
            self.send_response(200 if name else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *a):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/tls.pem", f"{folder}/tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


{"make": make, "key": key, "token": token, "serve": serve}[sys.argv[1]](*sys.argv[2:])
