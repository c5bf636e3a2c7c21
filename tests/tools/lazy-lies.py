#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images whose lazy index, layer or diff id is a lie: lazy-lies.py REGISTRY KIND, from the honest app:1 and other:1.

Makes the image lie:KIND and the artifact with its layer's index: "chunk" (an index with false hashes), "entry" (one that
names another file), "diff" (a config with another diff id), "digest" (the index of other's layer, whose bytes the caller
puts in the place of app's: the two digests are printed). "honest" changes nothing but the image's name.
"""
import hashlib
import json
import subprocess
import sys
import urllib.request

REGISTRY, KIND = sys.argv[1:]
OCI = "application/vnd.oci.image.manifest.v1+json"
LAYER_OF, DIFF_OF = "io.teu.layer.digest", "io.teu.layer.diff-id"


def call(method, path, body=None, kind="application/octet-stream"):
    ask = urllib.request.Request(f"http://{REGISTRY}/v2/{path}", data=body, method=method)
    ask.add_header("Content-Type", kind)
    ask.add_header("Accept", OCI)
    with urllib.request.urlopen(ask, timeout=20) as answer:
        return answer.headers, answer.read()


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def put_blob(data):
    where = call("POST", "lie/blobs/uploads/", b"")[0]["Location"].split("/v2/", 1)[1]
    call("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest_of(data)}", data)
    return {"digest": digest_of(data), "size": len(data)}


def blob(repo, digest):
    return call("GET", f"{repo}/blobs/{digest}")[1]


def honest(repo):
    """Manifest, config, index of the last layer."""
    raw = call("GET", f"{repo}/manifests/1")[1]
    manifest = json.loads(raw)
    beside = json.loads(call("GET", f"{repo}/referrers/{digest_of(raw)}")[1])["manifests"]
    artifact = json.loads(call("GET", f"{repo}/manifests/{beside[0]['digest']}")[1])
    return manifest, json.loads(blob(repo, manifest["config"]["digest"])), blob(repo, artifact["layers"][-1]["digest"])


def zstd(data, *how):
    return subprocess.run(["zstd", "-q", "-c", *how], input=data, stdout=subprocess.PIPE, check=True).stdout


def number(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def with_false_hashes(plain):
    """The hashes of all chunks but the first: a container begins well."""
    at = 2
    for _ in range(3):
        points, at = number(plain, at)
    at = number(plain, at)[1]
    for i in range(points):
        for _ in range(3):
            at = number(plain, at)[1]
        window, at = number(plain, at)
        at += window
        if i:
            plain[at] ^= 1
        at += 32
    return plain


def changed(index, change):
    plain = change(bytearray(zstd(index[16:], "-d")))
    # The frame must say its size: zstd does for a file alone.
    packed = zstd(bytes(plain), f"--stream-size={len(plain)}")
    return index[:8] + len(plain).to_bytes(8, "little") + packed


manifest, config, index = honest("app")
layer = manifest["layers"][-1]["digest"]
data = blob("app", layer)
if KIND == "chunk":
    index = changed(index, with_false_hashes)
elif KIND == "entry":
    index = changed(index, lambda plain: plain.replace(b"big/f8", b"big/g8"))
elif KIND == "diff":
    config["rootfs"]["diff_ids"][-1] = "sha256:" + "5" * 64
elif KIND == "digest":
    other, _, index = honest("other")
    print(layer, other["layers"][-1]["digest"])
config.setdefault("config", {})["Labels"] = {"kind": KIND}
manifest["layers"][-1].update(put_blob(data))
manifest["config"].update(put_blob(json.dumps(config).encode()))
raw = json.dumps(manifest).encode()
call("PUT", f"lie/manifests/{KIND}", raw, manifest.get("mediaType", OCI))
artifact = {
    "schemaVersion": 2,
    "mediaType": OCI,
    "artifactType": "application/vnd.teu.layer.indexes.v1",
    "config": {"mediaType": "application/vnd.oci.empty.v1+json", **put_blob(b"{}")},
    "layers": [
        {
            "mediaType": "application/vnd.teu.layer.index.v1",
            **put_blob(index),
            "annotations": {LAYER_OF: layer, DIFF_OF: config["rootfs"]["diff_ids"][-1]},
        }
    ],
    "subject": {"mediaType": manifest.get("mediaType", OCI), "digest": digest_of(raw), "size": len(raw)},
}
artifact = json.dumps(artifact).encode()
call("PUT", f"lie/manifests/{digest_of(artifact)}", artifact, OCI)
