#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time to the first process of a large image, begun lazily, beside a plain pull and run: bench-lazy.py [--quick] [--rounds N] [--json FILE]

An image of one gigabyte of this machine's own files in three gzip layers (--quick: 150 MB), in a local `teu registry`. Each round
begins without the image; the lazy ones have the indexes that an earlier pull has left. podman is left out where it is missing.
Then the first pull of a Debian root of one layer (names sorted) over a wire of 16 MB/s, early and as a whole. All state is on a
tmpfs; medians.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEU = os.environ.get("TEU", os.path.join(TOP, "build/teu"))
QUICK = "--quick" in sys.argv
SIZE = 150 << 20 if QUICK else 1 << 30
REF = "127.0.0.1:5000/large:1"
WIRE, WIRE_SPEED = "127.0.0.1:5001", 16000000
PROGRAMS = {"sh -c true": ("sh", "-c", "true"), "perl -e 1": ("perl", "-e", "1")}
FOLDERS = ("/usr/lib", "/usr/bin", "/usr/share", "/usr/include", "/usr/local/lib", "/root/.pyenv/versions", "/opt")


def option(name, default):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default


ROUNDS = int(option("--rounds", "2" if QUICK else "5"))


def machine_files():
    for top in FOLDERS:
        for d, dirs, files in os.walk(top):
            dirs.sort()
            for f in sorted(files):
                p = os.path.join(d, f)
                if os.path.isfile(p) and not os.path.islink(p) and os.path.getsize(p) < 20 << 20:
                    yield p


def run(*argv, **kw):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=900, **kw).stdout


def wait_for(path):
    for _ in range(400):
        if os.path.exists(path):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{path} does not come")


class Engine:
    def __init__(self, base, name, *words):
        self.base = os.path.join(base, name)
        os.makedirs(self.base)
        self.at = ["--root", self.base + "/root", "--run", self.base + "/run", "--host", f"unix://{self.base}/sock"]
        self.log = open(self.base + "/log", "w", encoding="ascii")
        self.process = subprocess.Popen([TEU, *self.at, "engine", *words], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        wait_for(self.base + "/sock")

    def teu(self, *argv):
        return run(TEU, *self.at, *argv)

    def lazy_left(self):
        folder = self.base + "/root/store/lazy"
        return os.path.isdir(folder) and os.listdir(folder)

    def end(self):
        self.process.terminate()
        self.process.wait()


def push_image(base):
    """Layers by docker's way: an import, then two commits on top."""
    e = Engine(base, "push")
    files, part = machine_files(), SIZE // 3
    busybox = run(os.path.join(TOP, "tools/image"), "busybox").strip()
    e.teu("import", busybox, "base:1")
    for n in range(3):
        tree = os.path.join(base, f"tree{n}")
        done = 0
        while done < part and (p := next(files, None)):
            to = f"{tree}/l{n}{p}"
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(p, to)
            done += os.path.getsize(p)
        if n == 0:
            with tarfile.open(busybox) as t:
                t.extractall(tree)
        name = os.path.join(base, "layer.tar.gz")
        run("tar", "-C", tree, "-I", "gzip -1", "-cf", name, ".")
        shutil.rmtree(tree)
        if n == 0:
            e.teu("import", name, "large:0")
        else:
            e.teu("run", "--name", f"c{n}", "-v", f"{base}:/in", f"large:{n - 1}", "tar", "-C", "/", "-xzf", "/in/layer.tar.gz")
            e.teu("commit", f"c{n}", f"large:{n}")
            e.teu("rm", f"c{n}")
        os.unlink(name)
    e.teu("tag", "large:2", REF)
    e.teu("push", "-q", REF)
    size = int(e.teu("image", "inspect", "-f", "{{.Size}}", REF))
    e.end()
    shutil.rmtree(e.base, ignore_errors=True)  # a server may still end
    return size


def timed(what):
    began = time.monotonic()
    what()
    return (time.monotonic() - began) * 1000


def measure(base):
    lazy, plain = Engine(base, "lazy", "--lazy"), Engine(base, "plain")
    times = {"teu, lazily": [], "teu, plain pull": [], "podman": []}
    lazy.teu("pull", "-q", REF)
    for _ in range(ROUNDS):
        lazy.teu("rmi", REF)
        times["teu, lazily"].append(timed(lambda: lazy.teu("run", "--rm", "--network", "none", REF, "true")))
        for _ in range(1200):
            if not lazy.lazy_left():
                break
            time.sleep(0.1)
        times["teu, plain pull"].append(timed(lambda: plain.teu("run", "--rm", "--network", "none", REF, "true")))
        plain.teu("rmi", REF)
        if shutil.which("podman"):
            store = os.path.join(base, "podman")
            word = ["podman", "--root", store, "--runroot", store + "-run", "--cgroup-manager", "cgroupfs"]
            try:
                times["podman"].append(timed(lambda: run(*word, "run", "--rm", "--network", "none", "--cgroups", "disabled", "--ulimit", "host",
                                                         "--tls-verify=false", REF, "true")))
                run(*word, "rmi", "-f", REF)
            except subprocess.CalledProcessError as e:
                print("podman: " + e.stdout[-300:], file=sys.stderr)
    lazy.end()
    plain.end()
    return {k: statistics.median(v) for k, v in times.items() if v}


def whole_time(engine, began):
    while engine.lazy_left():
        time.sleep(0.01)
    return (time.monotonic() - began) * 1000


def measure_first(base):
    """Each round's engine has never seen the layer."""
    ref = f"{WIRE}/debian:1"
    words = os.path.join(base, "wire")
    with open(words, "w", encoding="ascii") as f:
        f.write("free")
    wire = subprocess.Popen([sys.executable, os.path.join(TOP, "tests/tools/lazy-wire.py"), WIRE, "127.0.0.1:5000", words])
    e = Engine(base, "debian")
    root = os.path.join(base, "debian.tar.gz")
    with open(root, "wb") as f:
        subprocess.run(["gzip", "-1c", run(os.path.join(TOP, "tools/image"), "debian").strip()], stdout=f, check=True)
    e.teu("import", root, ref)
    e.teu("push", "-q", ref)
    e.end()
    with open(words, "w", encoding="ascii") as f:
        f.write(f"slow {WIRE_SPEED}")
    times = {}
    for n in range(ROUNDS):
        for program, argv in PROGRAMS.items():
            for way, flags in (("early", ("--lazy", "--lazy-early")), ("whole", ())):
                e = Engine(base, f"first-{n}-{way}-{argv[0]}", *flags)
                began = time.monotonic()
                e.teu("run", "--rm", "--network", "none", ref, *argv)
                times.setdefault(f"{program}, {way}", []).append((time.monotonic() - began) * 1000)
                if flags:
                    times.setdefault("early: all of it here", []).append(whole_time(e, began))
                e.end()
                shutil.rmtree(e.base, ignore_errors=True)  # a server may still end
    wire.terminate()
    wire.wait()
    return {k: statistics.median(v) for k, v in times.items()}


def main():
    if "LAZY_INSIDE" not in os.environ:
        os.environ["LAZY_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-nm", sys.executable, *sys.argv])
    run("ip", "link", "set", "lo", "up")
    base = tempfile.mkdtemp(prefix="teu-bench-")
    run("mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", base)
    reg = subprocess.Popen([TEU, "--root", base + "/reg", "--run", base + "/reg-run", "registry", "--listen", "127.0.0.1:5000",
                            "--pid-file", base + "/reg-pid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(base + "/reg-pid")
        size = push_image(base)
        got = measure(base)
        first = measure_first(base)
    finally:
        reg.terminate()
        reg.wait()
        subprocess.run(["umount", "-l", base], check=False)
        os.rmdir(base)
    print(f"first process of an image of {size / 1e6:.0f} MB, ms, median of {ROUNDS}:")
    for name, ms in got.items():
        print(f"  {name:18} {ms:8.0f}")
    print(f"first pull of a Debian root over {WIRE_SPEED / 1e6:.0f} MB/s, ms:")
    for name, ms in first.items():
        print(f"  {name:22} {ms:8.0f}")
    if "--json" in sys.argv:
        with open(option("--json", ""), "w", encoding="ascii") as f:
            json.dump({"bytes": size, "rounds": ROUNDS, "ms": got, "first": first}, f)


main()
