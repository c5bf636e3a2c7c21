#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An image of these files as its layers, as they are, in a registry: push-layers.py [--false-diff] REGISTRY NAME FILE...

FILE is a tar, or one in gzip, xz or zstd by its ending. The image is NAME:1. --false-diff: the config names another diff id for
the last layer.
"""
import gzip
import hashlib
import json
import lzma
import subprocess
import sys
import urllib.request

FALSE = "--false-diff" in sys.argv
REGISTRY, NAME, *FILES = [w for w in sys.argv[1:] if w != "--false-diff"]
OCI = "application/vnd.oci.image."


def call(method, path, body=None, kind="application/octet-stream"):
    ask = urllib.request.Request(f"http://{REGISTRY}/v2/{path}", data=body, method=method)
    ask.add_header("Content-Type", kind)
    with urllib.request.urlopen(ask, timeout=20) as answer:
        return answer.headers


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def put(data, media):
    where = call("POST", f"{NAME}/blobs/uploads/", b"")["Location"].split("/v2/", 1)[1]
    call("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest_of(data)}", data)
    return {"mediaType": media, "digest": digest_of(data), "size": len(data)}


def unpacked(name, data):
    if name.endswith(".gz"):
        return gzip.decompress(data)
    if name.endswith(".xz"):
        return lzma.decompress(data)
    if name.endswith(".zst"):
        return subprocess.run(["zstd", "-qdc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


layers, diffs = [], []
for file in FILES:
    with open(file, "rb") as f:
        blob = f.read()
    form = "+gzip" if file.endswith((".gz", ".xz")) else "+zstd" if file.endswith(".zst") else ""
    layers.append(put(blob, OCI + "layer.v1.tar" + form))
    diffs.append(digest_of(unpacked(file, blob)))
if FALSE:
    diffs[-1] = "sha256:" + "5" * 64
config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"], "Env": ["PATH=/bin:/sbin:/usr/bin"], "Labels": {"name": NAME}},
          "rootfs": {"type": "layers", "diff_ids": diffs}}
manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "layers": layers,
            "config": put(json.dumps(config).encode(), OCI + "config.v1+json")}
call("PUT", f"{NAME}/manifests/1", json.dumps(manifest).encode(), OCI + "manifest.v1+json")
print(*(d["digest"] for d in layers))
