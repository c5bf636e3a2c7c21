#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images for tests, good and hostile: mkimage.py BASE.tar DIR CASE... makes DIR/CASE.tar. Standard library only.

Good cases are archives as `docker save` or an OCI layout as `tar` of it; bad ones (bad-*) are root file system tars for
`docker import`, or archives for `docker load` (bad-load-*). BASE.tar becomes the lowest layer; the case `bad` stands for all bad ones.
"""
import gzip
import hashlib
import io
import json
import struct
import sys
import tarfile
import zlib

T0 = 1_700_000_000
REG, DIR, SYM, LNK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def tar(entries, fmt=tarfile.PAX_FORMAT):
    """entries: (name, type, data or link target, dict of further fields)"""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=fmt) as t:
        for name, kind, what, *more in entries:
            i = tarfile.TarInfo(name)
            i.type, i.mtime, i.mode = kind, T0, 0o755 if kind == DIR else 0o644
            data = b""
            if kind == REG:
                data = what if isinstance(what, bytes) else what.encode()
                i.size = len(data)
            elif kind in (SYM, LNK):
                i.linkname = what
            for k, v in (more[0] if more else {}).items():
                setattr(i, k, v)
            t.addfile(i, io.BytesIO(data))
    return out.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def config(layers, **more):
    c = {"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
         "config": {"Cmd": ["sh"], "Env": ["PATH=/bin:/usr/bin:/sbin"]},
         "rootfs": {"type": "layers", "diff_ids": [digest(l) for l in layers]},
         "history": [{"created": "2026-01-02T03:04:05Z", "created_by": f"step {n}"} for n in range(len(layers))]}
    c.update(more)
    return json.dumps(c).encode()


def docker_archive(layers, tags, conf=None, **manifest):
    conf = conf if conf is not None else config(layers)
    name = hashlib.sha256(conf).hexdigest() + ".json"
    man = {"Config": name, "RepoTags": tags, "Layers": [f"{n}/layer.tar" for n in range(len(layers))], **manifest}
    return tar([(name, REG, conf)] + [(f"{n}/layer.tar", REG, l) for n, l in enumerate(layers)] +
               [("manifest.json", REG, json.dumps([man]))])


def oci_layout(images, wrong=None):
    """images: (layers, name or None, platform). Two platforms under one name make an index. wrong: which digest lies."""
    blobs, tops = {}, {}
    for layers, name, arch in images:
        packed = [gzip.compress(l, 1, mtime=0) for l in layers]
        conf = config(layers, architecture=arch)
        desc = lambda media, data: {"mediaType": media, "digest": digest(data), "size": len(data)}
        man = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
               "config": desc("application/vnd.oci.image.config.v1+json", conf),
               "layers": [desc("application/vnd.oci.image.layer.v1.tar+gzip", p) for p in packed]}
        if wrong == "layer":
            packed.pop()
            blobs[man["layers"][-1]["digest"]] = gzip.compress(layers[-1], 1, mtime=1)
        if wrong == "size":
            man["layers"][-1]["size"] += 1
        if wrong == "config":
            blobs[digest(conf)] = conf.replace(b"step 0", b"step X")
        man = json.dumps(man).encode()
        for b in [man] + packed + ([] if wrong == "config" else [conf]):
            blobs[digest(b)] = b
        d = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(man), "size": len(man),
             "platform": {"os": "linux", "architecture": arch}}
        tops.setdefault(name, []).append(d)
    out = []
    for name, descs in tops.items():
        d = descs[0]
        if len(descs) > 1:
            index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": descs}).encode()
            blobs[digest(index)] = index
            d = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest(index), "size": len(index)}
        out.append(dict(d, annotations={"org.opencontainers.image.ref.name": name}) if name else d)
    index = json.dumps({"schemaVersion": 2, "manifests": out})
    return tar([("oci-layout", REG, '{"imageLayoutVersion":"1.0.0"}'), ("index.json", REG, index), ("blobs/sha256", DIR, "")] +
               [("blobs/sha256/" + k[7:], REG, v) for k, v in blobs.items()])


def file_cap(bits):
    """security.capability, revision 2, effective."""
    return struct.pack("<5I", 0x02000001, bits, 0, 0, 0)


def xattr(name, value):
    # a PAX value is text to tarfile; it must survive as bytes
    return {"pax_headers": {"SCHILY.xattr." + name: value.decode("utf-8", "surrogateescape")}}


WHITEOUT_LAYERS = [
    [("d", DIR, "", {"mode": 0o750, "uid": 7, "gid": 8}), ("d/gone", REG, "1"), ("d/kept", REG, "1"), ("d/changed", REG, "one"),
     ("op", DIR, ""), ("op/hidden", REG, "1"), ("op/deep", DIR, ""), ("op/deep/x", REG, "1"),
     ("tree", DIR, ""), ("tree/a", DIR, ""), ("tree/a/b", REG, "1"), ("swap", REG, "file"), ("back", DIR, ""), ("back/old", REG, "1"),
     ("link", SYM, "d/kept")],
    [("d/.wh.gone", REG, ""), ("d/changed", REG, "two", {"mode": 0o600}), ("op", DIR, ""), ("op/.wh..wh..opq", REG, ""), ("op/new", REG, "2"),
     (".wh.tree", REG, ""), ("swap", DIR, ""), ("swap/in", REG, "2"), (".wh.back", REG, ""), (".wh.link", REG, "")],
    [("d/gone", REG, "again"), ("back", DIR, ""), ("back/young", REG, "3"), ("d/.wh.never-there", REG, "")],
]


def good_layers(base):
    return docker_archive([base] + [tar(l) for l in WHITEOUT_LAYERS], ["layers:one", "layers:two"])


def good_attributes(base):
    files = [
        ("a", DIR, ""),
        ("a/setuid", REG, "x", {"mode": 0o4755, "uid": 1000, "gid": 2000}), ("a/sticky", DIR, "", {"mode": 0o1777}),
        ("a/setgid", REG, "x", {"mode": 0o2711, "uid": 123456, "gid": 65534}),
        ("a/old", REG, "x", {"mtime": 86400}), ("a/fraction", REG, "x", {"mtime": 1_600_000_000.25}),
        ("a/one", REG, "same"), ("a/two", LNK, "a/one"), ("a/dangling", SYM, "/no/where"),
        ("a/fifo", tarfile.FIFOTYPE, ""), ("a/null", tarfile.CHRTYPE, "", {"devmajor": 1, "devminor": 3, "mode": 0o666}),
        ("a/user-attr", REG, "x", xattr("user.colour", b"blue")), ("a/" + "l" * 200 + "/" + "m" * 200, REG, "long"),
        ("a/\u00e4 \u4e2d\n'\"", REG, "odd name"), ("a/secret", REG, "s", {"mode": 0, "uid": 1000}),
        ("capped", DIR, ""), ("capped/grep", REG, open("/bin/busybox", "rb").read(), {"mode": 0o755, **xattr("security.capability", file_cap(1 << 13))}),
    ]
    return docker_archive([base, tar(files)], ["attributes:latest"])


def good_sixty(base):
    layers = [base] + [tar([(f"n{n}", REG, str(n)), ("last", REG, str(n)), (f".wh.n{n - 2}", REG, "")]) for n in range(59)]
    return docker_archive(layers, ["sixty:latest"])


def good_oci(base):
    return oci_layout([([base, tar([("from", REG, "oci")])], "docker.io/library/oci:named", "amd64"),
                       ([base, tar([("from", REG, "unnamed")])], None, "amd64")])


def good_index(base):
    return oci_layout([([base, tar([("arch", REG, a)])], "example.com/team/multi:1", a) for a in ("arm64", "amd64")])


def rootfs(*entries):
    return lambda base: tar([("bin", DIR, ""), *entries])


def load_layer(*entries):
    return lambda base: docker_archive([base, tar(list(entries))], ["hostile:latest"])


def bomb(base):
    """A header that promises 64 GiB, and the first of its zeros in few bytes."""
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    out = [z.compress(huge_header(64 << 30)[:512])]
    chunk = b"\0" * (1 << 24)
    out += [z.compress(chunk) for _ in range(8)]
    return b"".join(out) + z.flush()


def huge_header(size):
    head = tarfile.TarInfo("huge")
    head.size = size
    return head.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def damaged(base, at, what):
    return base[:at] + what + base[at + len(what):]


CASES = {
    "busybox": lambda base: docker_archive([base], ["docker.io/library/busybox:latest"]),
    "layers": good_layers, "attributes": good_attributes, "sixty": good_sixty, "oci": good_oci, "index": good_index,
    "bad-dotdot": rootfs(("../../escape", REG, "x")),
    "bad-inner-dotdot": rootfs(("bin/../../../escape", REG, "x")),
    "bad-symlink": rootfs(("out", SYM, "/tmp"), ("out/escape", REG, "x")),
    "bad-symlink-up": rootfs(("out", SYM, "../../../../../../tmp"), ("out/escape", REG, "x")),
    "bad-symlink-dir": rootfs(("out", SYM, "/tmp"), ("out/escape/", DIR, "")),
    "bad-hardlink": rootfs(("stolen", LNK, "../../../../../etc/shadow")),
    "bad-hardlink-symlink": rootfs(("etc", SYM, "/etc"), ("stolen", LNK, "etc/shadow")),
    "bad-whiteout-device": rootfs(("dead", tarfile.CHRTYPE, "", {"devmajor": 0, "devminor": 0})),
    "bad-overlay-attr": rootfs(("d", DIR, "", xattr("trusted.overlay.opaque", b"y"))),
    "bad-long-name": rootfs(("x" * 300, REG, "x")),
    "bad-long-path": rootfs(("/".join(["d" * 100] * 60), REG, "x")),
    "bad-whiteout-name": rootfs((".wh...", REG, "")),
    "bad-checksum": lambda base: damaged(base, 100, b"7777777"),
    "bad-truncated": lambda base: base[:len(base) // 2],
    "bad-not-a-tar": lambda base: b"#!/bin/sh\necho this is a script, no archive\n" * 100,
    "bad-empty": lambda base: b"",
    "bad-gzip-cut": lambda base: gzip.compress(base, 1)[:-5000],
    "bad-gzip-noise": lambda base: gzip.compress(base, 1)[:5000] + b"\xff" * 5000,
    "bad-zstd-noise": lambda base: b"\x28\xb5\x2f\xfd" + b"\x99" * 5000,
    "bad-xz": lambda base: b"\xfd7zXZ\0" + b"\0" * 600,
    "bad-bomb": bomb,
    "bad-size": lambda base: huge_header(1 << 70),
    "bad-load-plain": lambda base: base,
    "bad-load-manifest": lambda base: tar([("manifest.json", REG, '[{"Config": ')]),
    "bad-load-manifest-type": lambda base: tar([("manifest.json", REG, '{"Config": 5}')]),
    "bad-load-no-config": lambda base: tar([("manifest.json", REG, '[{"Config": "c.json", "Layers": []}]')]),
    "bad-load-outside": lambda base: tar([("manifest.json", REG, '[{"Config": "../../../etc/passwd", "Layers": []}]')]),
    "bad-load-symlink": lambda base: tar([("c.json", SYM, "../../../../etc/passwd"), ("manifest.json", REG, '[{"Config": "c.json", "Layers": []}]')]),
    "bad-load-twice": lambda base: tar([("manifest.json", REG, "[]"), ("./manifest.json", REG, "[]")]),
    "bad-load-diff": lambda base: docker_archive([tar([("x", REG, "x")])], ["wrong:1"], conf=config([b"another"])),
    "bad-load-count": lambda base: docker_archive([tar([("x", REG, "x")])], ["wrong:1"], conf=config([])),
    "bad-load-name": lambda base: docker_archive([tar([("x", REG, "x")])], ["Not/A Name!"]),
    "bad-load-deep": lambda base: tar([("manifest.json", REG, "[" * 100000)]),
    "bad-load-config-type": lambda base: docker_archive([base], ["wrong:1"], conf=b'{"rootfs": 7, "config": []}'),
    "bad-load-layer": load_layer(("../escape", REG, "x")),
    "bad-load-layer-link": load_layer(("out", SYM, "/tmp"), ("out/escape", REG, "x")),
    "bad-oci-digest": lambda base: oci_layout([([tar([("x", REG, "x" * 9999)])], "wrong:1", "amd64")], wrong="layer"),
    "bad-oci-size": lambda base: oci_layout([([tar([("x", REG, "x" * 9999)])], "wrong:1", "amd64")], wrong="size"),
    "bad-oci-config": lambda base: oci_layout([([tar([("x", REG, "x" * 9999)])], "wrong:1", "amd64")], wrong="config"),
}

if __name__ == "__main__":
    with open(sys.argv[1], "rb") as f:
        lower = f.read()
    for case in [c for c in CASES if c.startswith("bad-")] if sys.argv[3:] == ["bad"] else sys.argv[3:]:
        with open(f"{sys.argv[2]}/{case}.tar", "wb") as f:
            f.write(CASES[case](lower))
