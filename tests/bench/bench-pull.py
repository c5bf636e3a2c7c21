#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pull and unpack from a local registry, beside podman, dockerd and `gzip -dc | tar -x`: bench-pull.py [--quick] [--rounds N] [--only NAME,...] [--image NAME] [--json FILE]

Two images of this machine's own files: three layers (about 600 MB unpacked) and fourteen (2 GB); --quick: one of 150 MB. They are
kept in the cache. All stores are on a tmpfs, so that no one waits for the disk of another; rounds are in turn, medians.
"""
import ctypes
import hashlib
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.environ.get("TEU", os.path.join(TOP, "build/teu"))
CACHE = os.path.join(os.environ.get("TEU_CACHE", os.path.expanduser("~/.cache/teu")), "images")
PEERS = os.path.join(os.path.dirname(CACHE), "peers")
QUICK = "--quick" in sys.argv
REG = "127.0.0.1:5000"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGES = {"quick": (3, 150 << 20)} if QUICK else {"three": (3, 607 << 20), "fourteen": (14, 2 << 30)}


def option(name, default):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


ROUNDS = int(option("--rounds", "1" if QUICK else "5"))
IMAGES = {k: v for k, v in IMAGES.items() if k == option("--image", k)}
ONLY = option("--only", "teu,podman,dockerd,gzip").split(",")


def digest(b):
    return "sha256:" + hashlib.sha256(b).hexdigest()


# ---- images ----

def machine_files():
    for top in ("/usr/lib", "/usr/bin", "/usr/share", "/usr/include", "/usr/sbin", "/usr/local/lib", "/root/.pyenv/versions", "/opt"):
        for d, dirs, files in os.walk(top):
            dirs.sort()
            for f in sorted(files):
                p = os.path.join(d, f)
                if os.path.isfile(p) and not os.path.islink(p) and os.path.getsize(p) < 20 << 20:
                    yield p


def make_image(name, layers, size):
    """Layers as files, compressed as registries have them; made once."""
    folder = os.path.join(CACHE, f"pull-{name}")
    if os.path.exists(os.path.join(folder, "done")):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    files, per, diffs = machine_files(), size // layers, []
    for n in range(layers):
        raw, done, h = os.path.join(folder, "raw"), 0, hashlib.sha256()
        with tarfile.open(raw, "w", format=tarfile.PAX_FORMAT) as t:
            while done < per and (p := next(files, None)):
                info = t.gettarinfo(p, arcname=f"l{n}{p}")
                info.uid = info.gid = 0
                info.mode &= 0o755
                if info.isreg():
                    with open(p, "rb") as f:
                        t.addfile(info, f)
                    done += info.size
        with open(raw, "rb") as f:
            while b := f.read(1 << 20):
                h.update(b)
        diffs.append("sha256:" + h.hexdigest())
        with open(os.path.join(folder, f"{n}.gz"), "wb") as out:
            subprocess.run(["gzip", "-6cn", raw], stdout=out, check=True)
        os.unlink(raw)
    with open(os.path.join(folder, "done"), "w") as f:
        json.dump(diffs, f)
    return folder


def ask(method, path, body=None, headers=None):
    c = http.client.HTTPConnection("127.0.0.1", 5000, timeout=120)
    c.request(method, path, body, headers or {})
    r = c.getresponse()
    r.read()
    where = r.getheader("Location")
    c.close()
    return r.status, where


def push(name, folder):
    diffs = json.load(open(os.path.join(folder, "done")))
    blobs = [open(os.path.join(folder, f"{n}.gz"), "rb").read() for n in range(len(diffs))]
    config = json.dumps({"architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux", "config": {"Cmd": ["true"]},
                         "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()
    for b in (config, *blobs):
        _, where = ask("POST", f"/v2/{name}/blobs/uploads/")
        assert ask("PUT", f"{where}?digest={digest(b)}", b, {"Content-Type": "application/octet-stream"})[0] == 201
    m = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)},
         "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(b), "size": len(b)} for b in blobs]}
    assert ask("PUT", f"/v2/{name}/manifests/1", json.dumps(m).encode(), {"Content-Type": MANIFEST})[0] == 201
    return sum(len(b) for b in blobs)


# ---- who pulls ----

def run(argv, **more):
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    assert r.returncode == 0, f"{argv}: {r.stdout[-400:]} {r.stderr[-800:]}"
    return r.stdout


def wait(fn):
    for _ in range(600):
        try:
            return fn()
        except (OSError, AssertionError):
            time.sleep(0.05)
    return fn()


class Teu:
    def __init__(self, tmp):
        self.sock = f"unix://{tmp}/teu.sock"
        self.p = subprocess.Popen([TEU, "--root", f"{tmp}/teu/root", "--run", f"{tmp}/teu/run", "engine", "--host", self.sock], stdin=subprocess.DEVNULL,
                                  stdout=open(f"{tmp}/teu.log", "w"), stderr=subprocess.STDOUT)
        wait(lambda: run([TEU, "--host", self.sock, "version"]))

    def pull(self, ref):
        run([TEU, "--host", self.sock, "pull", "-q", ref])

    def clear(self, ref):
        run([TEU, "--host", self.sock, "rmi", "-f", ref])

    def end(self):
        self.p.terminate()
        self.p.wait(60)


class Podman:
    def __init__(self, tmp):
        self.argv = ["podman", "--root", f"{tmp}/pod/root", "--runroot", f"{tmp}/pod/run", "--tmpdir", f"{tmp}/pod/tmp", "--storage-driver", "overlay"]
        run([*self.argv, "images"])

    def pull(self, ref):
        run([*self.argv, "pull", "-q", "--tls-verify=false", ref])

    def clear(self, ref):
        run([*self.argv, "rmi", "-f", ref])

    def end(self):
        subprocess.run(["umount", "-l", f"{os.environ['BENCH_TMP']}/pod/root/overlay"], capture_output=True)


class Dockerd:
    def __init__(self, tmp):
        path = f"{PEERS}/usr/bin:{PEERS}/usr/sbin:" + os.environ["PATH"]
        docker = f"{PEERS}/usr/bin/docker" if os.path.exists(f"{PEERS}/usr/bin/docker") else "docker"
        self.argv = [docker, "-H", f"unix://{tmp}/docker.sock"]
        self.p = subprocess.Popen(["dockerd", "--data-root", f"{tmp}/docker/data", "--exec-root", f"{tmp}/docker/exec", "-H", f"unix://{tmp}/docker.sock",
                                   "-p", f"{tmp}/docker.pid", "--storage-driver", "overlay2"], env=dict(os.environ, PATH=path), stdin=subprocess.DEVNULL,
                                  stdout=open(f"{tmp}/docker.log", "w"), stderr=subprocess.STDOUT)
        wait(lambda: run([*self.argv, "version"]))

    def pull(self, ref):
        run([*self.argv, "pull", "-q", ref])

    def clear(self, ref):
        run([*self.argv, "rmi", "-f", ref])

    def end(self):
        self.p.terminate()
        self.p.wait(60)


class GzipTar:
    """No download, no digests, one layer after the other."""

    def __init__(self, tmp):
        self.tmp = f"{tmp}/tar"

    def pull(self, ref):
        folder = os.path.join(CACHE, "pull-" + ref.split("/")[1].split(":")[0])
        os.makedirs(self.tmp)
        for n in range(len(json.load(open(os.path.join(folder, "done"))))):
            run(["sh", "-c", f"gzip -dc '{folder}/{n}.gz' | tar -xf - -C '{self.tmp}'"])

    def clear(self, ref):
        shutil.rmtree(self.tmp)

    def end(self):
        pass


def contenders(tmp, notes):
    out = {}
    have = {"teu": os.access(TEU, os.X_OK), "podman": shutil.which("podman"), "gzip": True,
            "dockerd": os.path.exists(f"{PEERS}/usr/sbin/dockerd") or shutil.which("dockerd")}
    for name, cls in (("teu", Teu), ("podman", Podman), ("dockerd", Dockerd), ("gzip", GzipTar)):
        if name not in ONLY or not have[name]:
            if name in ONLY:
                notes.append(f"bench-pull: no {name} here")
            continue
        try:
            out[name] = cls(tmp)
        except Exception as e:  # a peer that does not start is named, and the others run
            notes.append(f"bench-pull: {name}: {str(e)[-200:]}")
    return out


def measure(who, ref):
    for w in who.values():  # once unmeasured: pages, connections
        if not QUICK:
            w.pull(ref)
            w.clear(ref)
    times = {n: [] for n in who}
    for _ in range(ROUNDS):
        for n, w in who.items():
            began = time.monotonic()
            w.pull(ref)
            times[n].append(time.monotonic() - began)
            w.clear(ref)
    return {n: statistics.median(t) for n, t in times.items()}


def main():
    if os.geteuid() != 0 or not os.access(TEU, os.X_OK):
        print("needs root and a built teu")
        return 77
    folders = {name: make_image(name, *shape) for name, shape in IMAGES.items()}
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000 | 0x00020000) != 0:
        print("needs network and mount namespaces")
        return 77
    run(["ip", "link", "set", "lo", "up"])
    run(["mount", "--make-rprivate", "/"])
    subprocess.run(["umount", "/sys/fs/cgroup/unified"], capture_output=True)  # podman's and dockerd's runtimes want it gone
    tmp = tempfile.mkdtemp(prefix="teu-pull-")
    os.environ["BENCH_TMP"] = tmp
    run(["mount", "-t", "tmpfs", "-o", "size=16g", "tmpfs", tmp])
    reg = subprocess.Popen([TEU, "--root", f"{tmp}/reg", "--run", f"{tmp}/reg", "registry", "--listen", REG], stdin=subprocess.DEVNULL,
                           stdout=open(f"{tmp}/reg.log", "w"), stderr=subprocess.STDOUT)
    who, rows, notes = {}, [], []
    try:
        wait(lambda: ask("GET", "/v2/"))
        sizes = {name: push(name, folder) for name, folder in folders.items()}
        who = contenders(tmp, notes)
        for name, (layers, size) in IMAGES.items():
            got = measure(who, f"{REG}/{name}:1")
            rows.append({"what": f"{layers} layers, {sizes[name] >> 20} MB gzip, {size >> 20} MB", "values": got})
            print(rows[-1]["what"] + ": " + ", ".join(f"{n} {t:.2f} s" for n, t in got.items()), flush=True)
            print("  teu is faster " + ", ".join(f"than {n} {t / got['teu']:.2f} times" for n, t in got.items() if n != "teu" and "teu" in got)
                  + " (goal: podman, dockerd 4; gzip 1)")
        print("\n".join(notes))
    finally:
        for w in who.values():
            w.end()
        reg.send_signal(signal.SIGTERM)
        reg.wait()
        subprocess.run(["umount", "-l", tmp], capture_output=True)
        os.rmdir(tmp)
    if (f := option("--json", None)):
        json.dump({"rows": rows, "notes": notes}, open(f, "w"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
