#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The cases of the distribution-spec conformance suites, category by category, against `teu registry`.

Names follow the suites (1.1: Pull, Push, Content Discovery, Content Management; the later rewrite: blobs by algorithm,
data sets). Prints TAP. The registry runs in a network namespace of this process.
"""
import ctypes
import hashlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.environ.get("TEU", os.path.join(TOP, "build/teu"))
OCI = "application/vnd.oci.image."
MANIFEST, INDEX, CONFIG, LAYER = OCI + "manifest.v1+json", OCI + "index.v1+json", OCI + "config.v1+json", OCI + "layer.v1.tar"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
PORT = 5000
CASES = []


def case(fn):
    CASES.append(fn)
    return fn


class Answer:
    def __init__(self, r):
        self.status, self.body = r.status, r.read()
        self.headers = {k.lower(): v for k, v in r.getheaders()}
        self.all = r.getheaders()

    def json(self):
        return json.loads(self.body)

    def code(self):
        return self.json()["errors"][0]["code"]


def ask(method, path, body=None, headers=None, chunks=None):
    c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    try:
        if chunks is not None:
            c.request(method, path, iter(chunks), headers or {}, encode_chunked=True)
        else:
            c.request(method, path, body, headers or {})
        return Answer(c.getresponse())
    finally:
        c.close()


def want(a, *statuses):
    assert a.status in statuses, f"status {a.status}, wanted {statuses}: {a.body[:300]!r}"
    if a.status >= 400 and a.body:
        e = a.json()["errors"][0]
        assert e["code"].isupper() and e["message"], e
    return a


def digest(data, alg="sha256"):
    return f"{alg}:{hashlib.new(alg, data).hexdigest()}"


def octet(extra=None):
    return {"Content-Type": "application/octet-stream", **(extra or {})}


def begin(repo, query=""):
    a = want(ask("POST", f"/v2/{repo}/blobs/uploads/{query}"), 202)
    assert a.headers["location"], "no Location"
    return a.headers["location"]


def with_digest(loc, d):
    return loc + ("&" if "?" in loc else "?") + "digest=" + d


def push_blob(repo, data, alg="sha256"):
    d = digest(data, alg)
    want(ask("PUT", with_digest(begin(repo), d), data, octet()), 201)
    return d


def desc(content, media, **more):
    return {"mediaType": media, "digest": digest(content), "size": len(content), **more}


def pretty(d):
    return json.dumps(d, indent=1).encode()


def image(repo, n=1, config=b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}', layers=None, **more):
    layers = layers if layers is not None else [f"layer {repo} {i}".encode() * 50 for i in range(n)]
    for data in [config, *layers]:
        push_blob(repo, data)
    return pretty({"schemaVersion": 2, "mediaType": MANIFEST, "config": desc(config, more.pop("config_type", CONFIG)),
                   "layers": [desc(x, more.get("layer_type", LAYER)) for x in layers], **{k: v for k, v in more.items() if k != "layer_type"}})


def put_manifest(repo, data, ref=None, media=MANIFEST, alg="sha256"):
    a = want(ask("PUT", f"/v2/{repo}/manifests/{ref or digest(data, alg)}", data, {"Content-Type": media}), 201)
    assert a.headers["docker-content-digest"] == digest(data, alg), a.headers
    assert a.headers["location"].endswith(digest(data, alg)), a.headers
    return a


def check_manifest(repo, ref, data, media=MANIFEST):
    for method in ("HEAD", "GET"):
        a = want(ask(method, f"/v2/{repo}/manifests/{ref}", headers={"Accept": media}), 200)
        assert a.headers["content-type"] == media, a.headers
        assert a.headers["docker-content-digest"].split(":")[1] in (digest(data)[7:], digest(data, "sha512")[7:])
        assert int(a.headers["content-length"]) == len(data)
        if method == "GET":
            assert a.body == data


# ---- 1.1: Pull ----

@case
def pull_ping():
    a = want(ask("GET", "/v2/"), 200)
    assert a.headers["docker-distribution-api-version"] == "registry/2.0"
    want(ask("GET", "/v2"), 200)


@case
def pull_head_nonexistent_blob_404():
    a = ask("HEAD", f"/v2/pull/blobs/{digest(b'none')}")
    assert a.status == 404


@case
def pull_get_nonexistent_blob_404():
    assert want(ask("GET", f"/v2/pull/blobs/{digest(b'none')}"), 404).code() == "BLOB_UNKNOWN"


@case
def pull_existing_blob_200():
    d = push_blob("pull", b"some bytes")
    a = want(ask("HEAD", f"/v2/pull/blobs/{d}"), 200)
    assert a.headers["docker-content-digest"] == d and a.headers["content-length"] == "10"
    a = want(ask("GET", f"/v2/pull/blobs/{d}"), 200)
    assert a.body == b"some bytes"


@case
def pull_nonexistent_manifest_404():
    for ref in ("nosuch", digest(b"none")):
        assert ask("HEAD", f"/v2/pull/manifests/{ref}").status == 404
        assert want(ask("GET", f"/v2/pull/manifests/{ref}"), 404).code() == "MANIFEST_UNKNOWN"


@case
def pull_manifest_by_digest_and_tag_200():
    m = image("pull/img")
    put_manifest("pull/img", m, "v1")
    for ref in ("v1", digest(m)):
        check_manifest("pull/img", ref, m)


@case
def pull_400_body_has_the_error_shape():
    a = want(ask("GET", "/v2/pull/manifests/sha256:totallywrong"), 400, 404)
    e = a.json()["errors"]
    assert isinstance(e, list) and set(e[0]) >= {"code", "message"}


@case
def pull_a_manifest_that_the_client_has_is_304():
    m = image("pull/etag")
    put_manifest("pull/etag", m, "v1")
    tag = ask("GET", "/v2/pull/etag/manifests/v1").headers["etag"]
    assert ask("GET", "/v2/pull/etag/manifests/v1", headers={"If-None-Match": tag}).status == 304


# ---- 1.1: Push ----

@case
def push_blob_streamed_patch_then_put():
    data = b"streamed" * 1000
    loc = begin("push")
    a = want(ask("PATCH", loc, headers=octet(), chunks=[data[:100], data[100:]]), 202)
    a = want(ask("PUT", with_digest(a.headers["location"], digest(data))), 201)
    assert a.headers["location"].endswith(digest(data))
    assert want(ask("GET", f"/v2/push/blobs/{digest(data)}"), 200).body == data


@case
def push_blob_monolithic_post_with_digest():
    data = b"in one request"
    a = want(ask("POST", f"/v2/push/blobs/uploads/?digest={digest(data)}", data, octet()), 201, 202)
    assert a.status == 201 and a.headers["location"].endswith(digest(data))
    want(ask("GET", a.headers["location"]), 200)


@case
def push_blob_monolithic_post_then_put():
    push_blob("push", b"post, then put")


@case
def push_blob_chunked_out_of_order_416_retry_and_status():
    data = [b"a" * 1000, b"b" * 500]
    loc = begin("push")
    rng = lambda a, n: octet({"Content-Range": f"{a}-{a + n - 1}"})
    want(ask("PATCH", loc, data[1], rng(1000, 500)), 416)
    a = want(ask("PATCH", loc, data[0], rng(0, 1000)), 202)
    assert a.headers["range"] == "0-999", a.headers
    a = want(ask("PATCH", a.headers["location"], data[0], rng(0, 1000)), 416)
    a = want(ask("GET", loc), 204)
    assert a.headers["range"] == "0-999" and a.headers["location"], a.headers
    a = want(ask("PATCH", a.headers["location"], data[1], rng(1000, 500)), 202)
    assert a.headers["range"] == "0-1499"
    want(ask("PUT", with_digest(a.headers["location"], digest(data[0] + data[1]))), 201)


@case
def push_blob_last_chunk_in_put():
    data = [b"x" * 100, b"y" * 7]
    a = want(ask("PATCH", begin("push"), data[0], octet({"Content-Range": "0-99"})), 202)
    want(ask("PUT", with_digest(a.headers["location"], digest(data[0] + data[1])), data[1], octet({"Content-Range": "100-106"})), 201)
    a = want(ask("PATCH", begin("push"), data[0], octet({"Content-Range": "0-99"})), 202)
    want(ask("PUT", with_digest(a.headers["location"], digest(data[0] + data[1])), data[1], octet({"Content-Range": "0-6"})), 416)


@case
def push_a_range_that_does_not_fit_its_length_is_416():
    want(ask("PATCH", begin("push"), b"123", octet({"Content-Range": "0-9"})), 416)
    want(ask("PATCH", begin("push"), b"123", octet({"Content-Range": "x-y"})), 416)


@case
def push_upload_cancel():
    loc = begin("push")
    want(ask("DELETE", loc), 204)
    assert want(ask("GET", loc), 404).code() == "BLOB_UPLOAD_UNKNOWN"
    want(ask("PATCH", loc, b"x", octet()), 404)
    want(ask("PUT", with_digest(loc, digest(b"")), b"", octet()), 404)


@case
def push_an_upload_belongs_to_its_repository():
    loc = begin("push")
    want(ask("GET", loc.replace("/v2/push/", "/v2/other/")), 404)
    want(ask("DELETE", loc), 204)


@case
def push_cross_mount():
    d = push_blob("push/from", b"mounted")
    a = want(ask("POST", f"/v2/push/to/blobs/uploads/?mount={d}&from=push/from"), 201)
    assert a.headers["location"] == f"/v2/push/to/blobs/{d}"
    assert want(ask("GET", f"/v2/push/to/blobs/{d}"), 200).body == b"mounted"


@case
def push_mount_nonexistent_is_a_session():
    a = want(ask("POST", f"/v2/push/to/blobs/uploads/?mount={digest(b'none')}&from=push/from"), 202)
    want(ask("DELETE", a.headers["location"]), 204)
    a = want(ask("POST", f"/v2/push/to/blobs/uploads/?mount={digest(b'none')}&from=no/such"), 202)
    want(ask("DELETE", a.headers["location"]), 204)


@case
def push_mount_with_a_digest_too_is_a_session():
    d = digest(b"none")
    a = want(ask("POST", f"/v2/push/to/blobs/uploads/?mount={d}&from=no/such&digest={d}"), 202)
    want(ask("DELETE", a.headers["location"]), 204)


@case
def push_mount_without_from_finds_the_blob():
    d = push_blob("push/from", b"found by itself")
    want(ask("POST", f"/v2/push/auto/blobs/uploads/?mount={d}"), 201)
    want(ask("HEAD", f"/v2/push/auto/blobs/{d}"), 200)


@case
def push_bad_digests_are_refused_and_leave_nothing():
    for data in (b"contents", b"", b"{}"):
        bad = digest(data + b"!")
        want(ask("POST", f"/v2/push/bad/blobs/uploads/?digest={bad}", data, octet()), 400)
        want(ask("PUT", with_digest(begin("push/bad"), bad), data, octet()), 400)
        a = want(ask("PATCH", begin("push/bad"), headers=octet(), chunks=[data] if data else []), 202)
        assert want(ask("PUT", with_digest(a.headers["location"], bad)), 400).code() == "DIGEST_INVALID"
        assert ask("HEAD", f"/v2/push/bad/blobs/{bad}").status == 404
    for bad in ("sha256:xyz", "md5:d41d8cd98f00b204e9800998ecf8427e", "x", ""):
        want(ask("PUT", with_digest(begin("push/bad"), bad), b"x", octet()), 400)
    want(ask("PUT", begin("push/bad"), b"x", octet()), 400)


@case
def push_an_empty_blob():
    d = push_blob("push", b"")
    a = want(ask("GET", f"/v2/push/blobs/{d}"), 200)
    assert a.body == b"" and a.headers["content-length"] == "0"


@case
def push_manifest_with_unknown_parts_is_refused():
    m = pretty({"schemaVersion": 2, "mediaType": MANIFEST, "config": desc(b"nowhere", CONFIG), "layers": []})
    assert want(ask("PUT", "/v2/push/none/manifests/v1", m, {"Content-Type": MANIFEST}), 400, 404).code() == "MANIFEST_BLOB_UNKNOWN"
    i = pretty({"schemaVersion": 2, "mediaType": INDEX, "manifests": [desc(m, MANIFEST)]})
    assert want(ask("PUT", "/v2/push/none/manifests/v1", i, {"Content-Type": INDEX}), 400, 404).code() == "MANIFEST_BLOB_UNKNOWN"


@case
def push_manifest_201_and_get_by_digest():
    m = image("push/man")
    put_manifest("push/man", m)
    check_manifest("push/man", digest(m), m)


@case
def push_manifest_with_empty_layers():
    m = image("push/nolayers", layers=[])
    put_manifest("push/nolayers", m, "v1")
    check_manifest("push/nolayers", "v1", m)


@case
def push_wrong_manifests_are_refused_with_a_code():
    m = image("push/wrong")
    for body, media, code in ((b"{", MANIFEST, "MANIFEST_INVALID"), (b"", MANIFEST, "MANIFEST_INVALID"), (m, INDEX, "MANIFEST_INVALID"),
                              (m.replace(b'"schemaVersion": 2', b'"schemaVersion": 2, "schemaVersion": 2'), MANIFEST, "MANIFEST_INVALID"),
                              (b'{"schemaVersion":1,"fsLayers":[]}', "application/vnd.docker.distribution.manifest.v1+prettyjws", "MANIFEST_INVALID"),
                              (m, "application/x-unknown", "MANIFEST_INVALID")):
        assert want(ask("PUT", "/v2/push/wrong/manifests/v1", body, {"Content-Type": media}), 400).code() == code
    assert want(ask("PUT", f"/v2/push/wrong/manifests/{digest(b'other')}", m, {"Content-Type": MANIFEST}), 400).code() == "DIGEST_INVALID"
    assert want(ask("PUT", "/v2/push/wrong/manifests/-tag", m, {"Content-Type": MANIFEST}), 400).code() == "TAG_INVALID"


@case
def push_a_manifest_of_four_mebibytes_and_no_larger():
    m = json.loads(image("push/large"))
    m["annotations"] = {"pad": "x" * (4 * 1024 * 1024 - 1500)}
    put_manifest("push/large", pretty(m), "v1")
    check_manifest("push/large", "v1", pretty(m))
    m["annotations"]["pad"] += "x" * 4000
    want(ask("PUT", "/v2/push/large/manifests/v2", pretty(m), {"Content-Type": MANIFEST}), 413)


@case
def push_with_tags_in_the_query():
    m = image("push/tags")
    a = want(ask("PUT", f"/v2/push/tags/manifests/{digest(m)}?" + "&".join(f"tag=t{i}" for i in range(10)), m, {"Content-Type": MANIFEST}), 201)
    assert [v for k, v in a.all if k.lower() == "oci-tag"] == [f"t{i}" for i in range(10)], a.all
    check_manifest("push/tags", "t9", m)
    want(ask("PUT", f"/v2/push/tags/manifests/{digest(m)}?tag=-bad", m, {"Content-Type": MANIFEST}), 400)


@case
def push_names_outside_of_the_grammar_are_refused():
    for name in ("UPPER", "a..b", "a//b", "-a", "a_", "%C3%A4"):
        a = ask("POST", f"/v2/{name}/blobs/uploads/")
        want(a, 400, 404)
    want(ask("POST", "/v2/" + "a" * 256 + "/blobs/uploads/"), 400)


# ---- 1.1: Content discovery ----

@case
def discovery_tags_list_with_n_and_last():
    m = image("disc/tags")
    tags = sorted(["test%d" % i for i in range(4)] + ["TEST", "a.b-c_d"])
    for t in tags:
        put_manifest("disc/tags", m, t)
    a = want(ask("GET", "/v2/disc/tags/tags/list"), 200).json()
    assert a == {"name": "disc/tags", "tags": tags}, a
    a = want(ask("GET", "/v2/disc/tags/tags/list?n=4"), 200)
    assert a.json()["tags"] == tags[:4] and 'rel="next"' in a.headers["link"], a.headers
    nxt = a.headers["link"].split(">")[0][1:]
    a = want(ask("GET", nxt), 200)
    assert a.json()["tags"] == tags[4:] and "link" not in a.headers
    a = want(ask("GET", f"/v2/disc/tags/tags/list?n=0"), 200)
    assert a.json()["tags"] == [] and "link" not in a.headers
    assert want(ask("GET", f"/v2/disc/tags/tags/list?last={tags[2]}"), 200).json()["tags"] == tags[3:]
    want(ask("GET", "/v2/disc/tags/tags/list?n=-1"), 400)
    want(ask("GET", "/v2/disc/nosuch/tags/list"), 404)


@case
def discovery_catalog_in_pages():
    push_blob("zz/one", b"x")
    push_blob("zz/two", b"x")
    assert want(ask("GET", "/v2/_catalog?last=zz/a"), 200).json()["repositories"] == ["zz/one", "zz/two"]
    a = want(ask("GET", "/v2/_catalog?n=1&last=zz/a"), 200)
    assert a.json()["repositories"] == ["zz/one"] and "last=zz%2Fone" in a.headers["link"], a.headers


@case
def discovery_referrers():
    repo = "disc/ref"
    m = image(repo)
    put_manifest(repo, m, "v1")
    a = want(ask("GET", f"/v2/{repo}/referrers/{digest(b'none')}"), 200)
    assert a.json()["manifests"] == [] and a.headers["content-type"] == INDEX
    for kind, more in (("a/sbom", {"artifactType": "a/sbom", "config_type": EMPTY_TYPE, "config": b"{}"}), ("a/config", {"config_type": "a/config"})):
        r = image(repo, subject=desc(m, MANIFEST), annotations={"k": kind}, **more)
        a = put_manifest(repo, r)
        assert a.headers["oci-subject"] == digest(m)
    i = pretty({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": desc(m, MANIFEST)})
    put_manifest(repo, i, media=INDEX)
    got = want(ask("GET", f"/v2/{repo}/referrers/{digest(m)}"), 200).json()
    assert got["mediaType"] == INDEX and got["schemaVersion"] == 2 and len(got["manifests"]) == 3
    by = {d.get("artifactType"): d for d in got["manifests"]}
    assert by["a/sbom"]["annotations"] == {"k": "a/sbom"} and by["a/config"]["size"] and None in by, got
    a = want(ask("GET", f"/v2/{repo}/referrers/{digest(m)}?artifactType=a/sbom"), 200)
    assert a.headers["oci-filters-applied"] == "artifactType" and len(a.json()["manifests"]) == 1
    want(ask("GET", f"/v2/{repo}/referrers/sha256:bad"), 400)
    want(ask("GET", f"/v2/disc/none/referrers/{digest(m)}"), 200)


@case
def discovery_a_subject_may_be_missing():
    r = image("disc/missing", subject=desc(b"not there", MANIFEST), artifactType="x/y")
    a = put_manifest("disc/missing", r)
    assert a.headers["oci-subject"] == digest(b"not there")
    assert len(want(ask("GET", f"/v2/disc/missing/referrers/{digest(b'not there')}"), 200).json()["manifests"]) == 1


@case
def discovery_referrers_by_tag_are_listed_too():
    repo = "disc/tagged"
    m, sig = image(repo), image(repo, config=b"sig", config_type="a/sig")
    put_manifest(repo, m)
    put_manifest(repo, sig)
    i = pretty({"schemaVersion": 2, "mediaType": INDEX, "manifests": [desc(sig, MANIFEST, artifactType="a/sig")]})
    put_manifest(repo, i, digest(m).replace(":", "-"), media=INDEX)
    got = want(ask("GET", f"/v2/{repo}/referrers/{digest(m)}"), 200).json()["manifests"]
    assert [d["digest"] for d in got] == [digest(sig)]
    assert want(ask("GET", f"/v2/{repo}/referrers/{digest(m)}?artifactType=b"), 200).json()["manifests"] == []


# ---- 1.1: Content management ----

@case
def management_delete_by_tag_and_by_digest():
    m = image("mgmt")
    put_manifest("mgmt", m, "one")
    put_manifest("mgmt", m, "two")
    want(ask("DELETE", "/v2/mgmt/manifests/one"), 202)
    want(ask("GET", "/v2/mgmt/manifests/one"), 404)
    assert want(ask("GET", "/v2/mgmt/tags/list"), 200).json()["tags"] == ["two"]
    want(ask("DELETE", f"/v2/mgmt/manifests/{digest(m)}"), 202)
    want(ask("GET", f"/v2/mgmt/manifests/{digest(m)}"), 404)
    want(ask("GET", "/v2/mgmt/manifests/two"), 404)
    assert want(ask("GET", "/v2/mgmt/tags/list"), 200).json()["tags"] == []
    want(ask("DELETE", f"/v2/mgmt/manifests/{digest(m)}"), 404)
    want(ask("DELETE", "/v2/mgmt/manifests/nosuch"), 404)


@case
def management_delete_blob():
    d = push_blob("mgmt", b"to go")
    want(ask("DELETE", f"/v2/mgmt/blobs/{d}"), 202)
    want(ask("GET", f"/v2/mgmt/blobs/{d}"), 404)
    want(ask("DELETE", f"/v2/mgmt/blobs/{d}"), 404)
    want(ask("DELETE", "/v2/mgmt/blobs/sha256:x"), 400)


@case
def management_a_blob_of_a_manifest_is_not_deleted():
    m = image("mgmt/used")
    put_manifest("mgmt/used", m, "v1")
    layer = json.loads(m)["layers"][0]["digest"]
    want(ask("DELETE", f"/v2/mgmt/used/blobs/{layer}"), 405)
    want(ask("GET", f"/v2/mgmt/used/blobs/{layer}"), 200)
    want(ask("DELETE", f"/v2/mgmt/used/manifests/{digest(m)}"), 202)
    want(ask("DELETE", f"/v2/mgmt/used/blobs/{layer}"), 202)


@case
def management_other_methods_are_405():
    for method, path in (("POST", "/v2/"), ("PUT", "/v2/a/tags/list"), ("PATCH", "/v2/a/manifests/x"), ("PUT", f"/v2/a/blobs/{digest(b'')}")):
        want(ask(method, path), 405)
    want(ask("GET", "/v1/_ping"), 404)
    want(ask("GET", "/"), 404)


# ---- the later suite: blobs by algorithm, ranges ----

def blobs_of(alg):
    def run():
        repo, data = f"blobs/{alg}", os.urandom(3000)
        d = digest(data, alg)
        want(ask("GET", f"/v2/{repo}/blobs/{d}"), 404)
        push_blob(repo, data, alg)
        assert want(ask("GET", f"/v2/{repo}/blobs/{d}"), 200).body == data
        want(ask("POST", f"/v2/{repo}/blobs/uploads/?digest={digest(b'post', alg)}", b"post", octet()), 201)
        q = "" if alg == "sha256" else f"?digest-algorithm={alg}"
        a = want(ask("PATCH", begin(repo, q), headers=octet(), chunks=[b"str", b"eam"]), 202)
        want(ask("PUT", with_digest(a.headers["location"], digest(b"stream", alg))), 201)
        want(ask("POST", f"/v2/{repo}/mounted/blobs/uploads/?mount={d}&from={repo}"), 201)
        want(ask("PUT", with_digest(begin(repo, q), digest(b"no", alg)), b"yes", octet()), 400)
        want(ask("DELETE", f"/v2/{repo}/blobs/{d}"), 202)
    run.__name__ = f"blobs_{alg}_get_post_put_stream_mount_delete"
    return run


for algorithm in ("sha256", "sha512"):
    case(blobs_of(algorithm))


@case
def blobs_other_algorithms_are_refused_by_name():
    a = want(ask("POST", "/v2/blobs/x/blobs/uploads/?digest-algorithm=blake3"), 400)
    assert "blake3" in a.json()["errors"][0]["message"]


@case
def blobs_ranges():
    data = os.urandom(4000)
    d = push_blob("ranges", data)
    for text, part in (("500-1499", data[500:1500]), ("500-", data[500:]), ("-500", data[-500:]), ("2000-5000", data[2000:]), ("0-0", data[:1]), ("-9000", data)):
        a = want(ask("GET", f"/v2/ranges/blobs/{d}", headers={"Range": "bytes=" + text}), 206)
        assert a.body == part, text
        assert a.headers["content-range"].endswith("/4000"), a.headers
    for text in ("5000-10000", "-0", "4000-"):
        a = want(ask("GET", f"/v2/ranges/blobs/{d}", headers={"Range": "bytes=" + text}), 416)
        assert a.headers["content-range"] == "bytes */4000"
    for text in ("500-0", "x-y", "0-1,5-6", ""):
        assert want(ask("GET", f"/v2/ranges/blobs/{d}", headers={"Range": "bytes=" + text}), 200).body == data


# ---- the later suite: data sets ----

def data_set(name, make):
    def run():
        repo = "data/" + name.replace("_", "-")
        parts = make(repo)
        for data, media, ref in parts:
            a = put_manifest(repo, data, ref, media)
            sub = json.loads(data).get("subject")
            assert a.headers.get("oci-subject") == (sub["digest"] if sub else None)
        for data, media, ref in parts:
            check_manifest(repo, ref or digest(data), data, media)
        tags = sorted(ref for _, _, ref in parts if ref)
        assert want(ask("GET", f"/v2/{repo}/tags/list"), 200).json()["tags"] == tags
        for data, media, ref in parts:
            want(ask("DELETE", f"/v2/{repo}/manifests/{digest(data)}"), 202)
            want(ask("GET", f"/v2/{repo}/manifests/{digest(data)}"), 404)
    run.__name__ = "data_set_" + name
    case(run)


def index(parts, **more):
    return pretty({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts, **more})


def index_set(repo):
    a, b = image(repo), image(repo, config=b'{"architecture":"arm64","os":"linux"}')
    i = index([desc(a, MANIFEST, platform={"os": "linux", "architecture": "amd64"}), desc(b, MANIFEST, platform={"os": "linux", "architecture": "arm64"})])
    return [(a, MANIFEST, None), (b, MANIFEST, None), (i, INDEX, "multi")]


def nested_set(repo):
    parts = index_set(repo)
    i = parts[-1][0]
    return parts[:-1] + [(i, INDEX, None), (index([desc(i, INDEX)]), INDEX, "nested")]


ARTIFACT = {"config": b"{}", "config_type": EMPTY_TYPE, "artifactType": "example/thing"}
data_set("image", lambda r: [(image(r, 2), MANIFEST, "v1")])
data_set("image_uncompressed", lambda r: [(image(r, layer_type=LAYER), MANIFEST, "v1")])
data_set("image_zstd", lambda r: [(image(r, layer_type=LAYER + "+zstd"), MANIFEST, "v1")])
data_set("index", index_set)
data_set("nested_index", nested_set)
data_set("empty_index", lambda r: (push_blob(r, b""), [(index([]), INDEX, "none")])[1])
data_set("artifact", lambda r: [(image(r, **ARTIFACT), MANIFEST, "a")])
data_set("artifact_index", lambda r: [(image(r, **ARTIFACT), MANIFEST, None), (index([], artifactType="example/list"), INDEX, "ai")])
data_set("artifact_without_layers", lambda r: [(image(r, layers=[], **ARTIFACT), MANIFEST, "a")])
data_set("artifacts_with_subject", lambda r: (lambda m: [(m, MANIFEST, "v1"), (image(r, subject=desc(m, MANIFEST), **ARTIFACT), MANIFEST, None)])(image(r)))
data_set("index_with_subject", lambda r: (lambda m: [(m, MANIFEST, "v1"), (index([], subject=desc(m, MANIFEST)), INDEX, None)])(image(r)))
data_set("data_field", lambda r: [(image(r, extra=desc(b"{}", EMPTY_TYPE, data="e30=")), MANIFEST, "d")])
data_set("custom_fields", lambda r: [(image(r, **{"org.example.field": {"a": [1, 2.5e300, None]}}), MANIFEST, "c")])
data_set("no_layers", lambda r: [(image(r, layers=[]), MANIFEST, "n")])


@case
def data_set_docker_schema_2():
    repo, media = "data/docker", "application/vnd.docker.distribution.manifest.v2+json"
    m = json.loads(image(repo, config_type="application/vnd.docker.container.image.v1+json"))
    m["mediaType"] = media
    put_manifest(repo, pretty(m), "v2s2", media)
    check_manifest(repo, "v2s2", pretty(m), media)
    lst = pretty({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json", "manifests": [desc(pretty(m), media)]})
    put_manifest(repo, lst, "list", "application/vnd.docker.distribution.manifest.list.v2+json")


@case
def data_set_nondistributable_layers():
    repo = "data/foreign"
    push_blob(repo, b"{}")
    m = pretty({"schemaVersion": 2, "mediaType": MANIFEST, "config": desc(b"{}", CONFIG),
                "layers": [desc(b"elsewhere", OCI + "layer.nondistributable.v1.tar", urls=["https://example.invalid/x"])]})
    put_manifest(repo, m, "v1")


@case
def data_set_sha512_manifest():
    m = image("data/sha512")
    put_manifest("data/sha512", m, alg="sha512")
    check_manifest("data/sha512", digest(m, "sha512"), m)
    assert ask("HEAD", f"/v2/data/sha512/manifests/{digest(m)}").status == 404


@case
def data_set_sparse_index_is_refused_by_default():
    i = index([desc(b"not here", MANIFEST)])
    want(ask("PUT", "/v2/data/sparse/manifests/v1", i, {"Content-Type": INDEX}), 400)


@case
def data_set_bad_data_field():
    m = json.loads(image("data/bad"))
    m["config"]["data"] = "e30="
    want(ask("PUT", "/v2/data/bad/manifests/v1", pretty(m), {"Content-Type": MANIFEST}), 400)


def main():
    if os.geteuid() != 0 or not os.access(TEU, os.X_OK):
        print("needs root and a built teu")
        return 77
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        print("needs a network namespace")
        return 77
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    root = tempfile.mkdtemp(prefix="teu-registry-")
    log = open(os.path.join(root, "log"), "w")
    p = subprocess.Popen([TEU, "--root", root, "registry", "--listen", f"127.0.0.1:{PORT}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    failed = 0
    try:
        for _ in range(400):
            try:
                ask("GET", "/v2/")
                break
            except OSError:
                time.sleep(0.05)
        for n, fn in enumerate(CASES, 1):
            try:
                fn()
                print(f"ok {n} - {fn.__name__}", flush=True)
            except Exception:
                failed += 1
                print(f"not ok {n} - {fn.__name__}")
                print("".join("# " + l + "\n" for l in traceback.format_exc().splitlines()[-4:]), end="", flush=True)
        print(f"1..{len(CASES)}")
    finally:
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            p.kill()
        if failed:
            print("".join("# " + l for l in open(os.path.join(root, "log")).readlines()[-20:]))
        shutil.rmtree(root, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
