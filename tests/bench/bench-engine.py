#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our engine beside dockerd in one run, interleaved A B A B, medians and ratios.

Everything runs in a network and mount namespace of its own. Needs root, the docker CLI, and the peers that
`tools/deps bench` unpacks; a peer that is missing is a column that says so. Rows go to stdout as a table, and with
--json FILE as JSON. Run directories are on a tmpfs, for ours and for dockerd's, as /run is on every machine with
systemd; data directories are on the file system of the temporary directory.

The floor of "32 at once" is floor-run --engine: one process that does the same kernel work per container as an engine
must (the same namespaces with lo up, overlay root, mounts, masks, cgroups, seccomp, exec; the network files, a log and
one more static program, since every container has a process of its own). The bare floor, without what only an engine
needs, stands beside it.
"""
import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.environ.get("TEU_CACHE", os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "teu"))
PEERS = os.path.join(CACHE, "peers")
TEU = os.environ.get("TEU", os.path.join(TOP, "build/teu"))
BUILD = os.environ.get("TEU_BENCH_BUILD", os.path.join(TOP, "build/gcc/tests/bench"))


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self.path)

    def call(self, method, url, body=None):
        self.request(method, url, None if body is None else json.dumps(body), {"Content-Type": "application/json"} if body is not None else {})
        r = self.getresponse()
        data = r.read()
        if r.status >= 400:
            raise RuntimeError(f"{method} {url}: {r.status} {data[:200]}")
        return json.loads(data) if data[:1] in b"{[" and data else data


class Engine:
    def __init__(self, name, argv, sock, env=None):
        self.name, self.argv, self.sock, self.env = name, argv, sock, env

    def start(self, log):
        began = time.perf_counter()
        self.proc = subprocess.Popen(self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.env, start_new_session=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                UnixHTTP(self.sock).call("GET", "/_ping")
                return time.perf_counter() - began
            except (OSError, http.client.HTTPException):
                time.sleep(0.0005)
        raise RuntimeError(f"{self.name} did not answer")

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        try:
            self.proc.wait(20)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()

    def rss_kb(self, field="VmRSS"):
        for line in open(f"/proc/{self.proc.pid}/status"):
            if line.startswith(field):
                return int(line.split()[1])
        return 0


def api_cycle(sock, network):
    c = UnixHTTP(sock)
    cid = c.call("POST", "/v1.41/containers/create", {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": network}})["Id"]
    c.call("POST", f"/v1.41/containers/{cid}/start")
    c.call("POST", f"/v1.41/containers/{cid}/wait")
    c.call("DELETE", f"/v1.41/containers/{cid}?v=1")
    c.close()


def timed(fn, *a):
    t = time.perf_counter()
    fn(*a)
    return (time.perf_counter() - t) * 1000


def figures(argv):
    """The "wall X" lines that api-load and floor-run print, in ms."""
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if r.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {r.returncode} {r.stderr[:300]}")
    found = dict(line.split() for line in r.stdout.splitlines())
    return [float(line.split()[1]) for line in r.stdout.splitlines() if line.startswith("wall ")], float(found.get("p99", 0))


def load(sock, network, at_once, rounds):
    return figures([f"{BUILD}/api-load", sock, "busybox", network, str(at_once), str(rounds)])


def run_quiet(argv, env=None):
    r = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env)
    if r.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {r.returncode} {r.stderr.decode()[:300]}")


def interleave(rounds, **variants):
    out = {k: [] for k in variants}
    for i in range(rounds):
        keys = list(variants)
        if i % 2:
            keys.reverse()
        for k in keys:
            out[k].append(variants[k]())
    return out


ROWS = []


def row(what, ours, peer, unit, goal="", lower=True, peer_name="dockerd"):
    ratio = ""
    if ours and peer and "floor" in peer_name:
        ratio = f"{ours / peer:.2f}x the floor"
    elif ours and peer:
        ratio = f"{peer / ours:.1f}x" if lower else f"{ours / peer:.1f}x"
    ROWS.append({"what": what, "teu": ours, "peer": peer, "peer_name": peer_name, "unit": unit, "ratio": ratio, "goal": goal})
    fmt = lambda v: "-" if v is None else f"{v:.2f}"
    beside = f"{fmt(peer)} ({peer_name})" if peer else "-"
    print(f"| {what} | {fmt(ours)} | {beside} | {unit} | {ratio} | {goal} |", flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--rounds", type=int, default=100)
    ap.add_argument("--json")
    ap.add_argument("--no-peer", action="store_true")
    ap.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = ap.parse_args()
    if not args.inside:
        os.execvp("unshare", ["unshare", "-n", "-m", "--propagation", "private", sys.executable, os.path.abspath(__file__), "--inside", *sys.argv[1:]])
    if os.path.ismount("/sys/fs/cgroup/unified"):
        subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=False)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    tar = subprocess.run([os.path.join(TOP, "tools/image"), "busybox"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    tmp = tempfile.mkdtemp(prefix="teu-bench.")
    log = open(os.path.join(tmp, "log"), "w")
    docker = shutil.which("docker") or os.path.join(PEERS, "usr/bin/docker")
    ours = Engine("teu", [TEU, "--root", f"{tmp}/root", "--run", f"{tmp}/run", "engine", "--host", f"unix://{tmp}/teu.sock"], f"{tmp}/teu.sock")
    peer = None
    dockerd = os.path.join(PEERS, "usr/sbin/dockerd")
    if os.path.exists(dockerd) and not args.no_peer:
        env = dict(os.environ, PATH=f"{PEERS}/usr/bin:{PEERS}/usr/sbin:" + os.environ["PATH"])
        peer = Engine("dockerd", [dockerd, "--data-root", f"{tmp}/d/data", "--exec-root", f"{tmp}/d/exec", "-H", f"unix://{tmp}/docker.sock",
                                  "-p", f"{tmp}/docker.pid", "--storage-driver", "overlay2"], f"{tmp}/docker.sock", env)
    for d in ("run", "d/exec"):
        os.makedirs(f"{tmp}/{d}")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", f"{tmp}/{d}"], check=True)
    try:
        print("| what | teu | peer | unit | ratio | goal |\n|---|---|---|---|---|---|")
        bench(ours, peer, docker, tar, tmp, log, args.rounds)
    finally:
        for e in (ours, peer):
            if e and hasattr(e, "proc"):
                e.stop()
        log.close()
        if args.json:
            json.dump(ROWS, open(args.json, "w"), indent=1)
        for _ in range(20):
            if subprocess.run(["findmnt", "-rno", "TARGET"], stdout=subprocess.PIPE, text=True).stdout.count(tmp) == 0:
                break
            for line in subprocess.run(["findmnt", "-rno", "TARGET"], stdout=subprocess.PIPE, text=True).stdout.splitlines():
                if line.startswith(tmp):
                    subprocess.run(["umount", "-l", line], check=False)
        if not os.environ.get("KEEP"):
            shutil.rmtree(tmp, ignore_errors=True)


def med(xs):
    return statistics.median(xs)


def bench(ours, peer, docker, tar, tmp, log, rounds):
    ready = []
    for _ in range(20):
        ready.append(ours.start(log) * 1000)
        ours.stop()
    ours.start(log)
    peer_ready = peer.start(log) * 1000 if peer else None
    row("engine ready (first _ping)", med(ready), peer_ready, "ms", "<= 10")
    row("engine resident, idle", ours.rss_kb() / 1024, peer.rss_kb() / 1024 if peer else None, "MB", "<= 8")
    engines = [e for e in (ours, peer) if e]
    for e in engines:
        run_quiet([docker, "-H", f"unix://{e.sock}", "import", tar, "busybox:latest"])
    for e in engines:
        for net in ("none", "bridge"):
            api_cycle(e.sock, net)

    peer_rounds = rounds
    for net in ("none", "bridge"):
        v = {e.name: (lambda e=e: timed(run_quiet, [docker, "-H", f"unix://{e.sock}", "run", "--rm", "--network", net, "busybox", "true"])) for e in engines}
        v["teu-run"] = lambda: timed(run_quiet, [TEU, "--root", f"{tmp}/root", "--run", f"{tmp}/run", "--host", f"unix://{ours.sock}", "run", "--rm", "--network", net, "busybox", "true"])
        r = interleave(peer_rounds, **v)
        p = med(r["dockerd"]) if peer else None
        row(f"docker run --rm true, network {net}", med(r["teu"]), p, "ms", ">= 8x")
        row(f"teu run --rm true, network {net}", med(r["teu-run"]), p, "ms", "<= 15" if net == "none" else "<= 25")
        r = {e.name: [] for e in engines}
        for _ in range(max(rounds // 5, 1)):
            for e in engines:
                r[e.name] += load(e.sock, net, 1, 5)[0]
        row(f"create+start+wait+rm by API, network {net}", med(r["teu"]), med(r["dockerd"]) if peer else None, "ms", ">= 20x")

    floor = [f"{BUILD}/floor-run", "--parallel", "32", "--engine", f"{tmp}/floor"]
    bare = [f"{BUILD}/floor-run", "--parallel", "32", f"{tmp}/floor"]
    os.makedirs(f"{tmp}/floor/lower")
    run_quiet(["tar", "-xf", tar, "-C", f"{tmp}/floor/lower"])
    for name in ("etc/hosts", "etc/hostname", "etc/resolv.conf"):
        os.makedirs(f"{tmp}/floor/lower/etc", exist_ok=True)
        open(f"{tmp}/floor/lower/{name}", "a").close()
    walls, floors, bares, singles, peers = [], [], [], [], []
    for i in range(max(rounds // 5, 3)):
        w, p99 = load(ours.sock, "none", 32, 1)
        walls += w
        singles.append(p99)
        floors += figures(floor)[0]
        bares += figures(bare)[0]
        if peer and i < 3:
            peers += load(peer.sock, "none", 32, 1)[0]
    row("32 at once by API, network none: all done", med(walls), med(floors), "ms", "<= 1.3x floor", peer_name="floor program")
    row("32 at once by API, network none: all done", med(walls), med(bares), "ms", "<= 1.3x floor", peer_name="bare floor")
    row("32 at once by API, network none: slowest cycle", med(singles), None, "ms")
    if peer:
        row("32 at once by API, network none", med(walls), med(peers), "ms", ">= 15x")

    v = {"teu": lambda: timed(run_quiet, [TEU, "version", "--client"]), "docker": lambda: timed(run_quiet, [docker, "--version"])}
    r = interleave(rounds, **v)
    row("version", med(r["teu"]), med(r["docker"]), "ms", "<= 3", peer_name="docker")

    ids = {}
    for e in engines:
        c = UnixHTTP(e.sock)
        ids[e.name] = []
        for _ in range(20):
            cid = c.call("POST", "/v1.41/containers/create", {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}})["Id"]
            c.call("POST", f"/v1.41/containers/{cid}/start")
            ids[e.name].append(cid)
    row("engine resident with 20 containers", ours.rss_kb() / 1024, peer.rss_kb() / 1024 if peer else None, "MB", "<= 10")
    time.sleep(3)  # idle: the shim gives its scratch memory back after two seconds
    pss = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            cmd = open(f"/proc/{pid}/cmdline").read().split("\0")
            which = "teu" if "teu-oci" in cmd[0] and "shim" in cmd else "dockerd" if "containerd-shim" in cmd[0] else None
            if which and (tmp in " ".join(cmd) or which == "dockerd"):
                for line in open(f"/proc/{pid}/smaps_rollup"):
                    if line.startswith("Pss:"):
                        pss.setdefault(which, []).append(int(line.split()[1]))
        except (OSError, IndexError):
            pass
    row("shim PSS per idle container", med(pss["teu"]) if "teu" in pss else None, med(pss["dockerd"]) if "dockerd" in pss else None, "KB", "<= 100")
    conns = {e.name: UnixHTTP(e.sock) for e in engines}
    v = {e.name: (lambda e=e: timed(conns[e.name].call, "GET", "/v1.41/containers/json")) for e in engines}
    r = interleave(rounds, **v)
    row("ps by API with 20 containers", med(r["teu"]), med(r["dockerd"]) if peer else None, "ms", "<= 0.4")
    v = {e.name: (lambda e=e: timed(run_quiet, [docker, "-H", f"unix://{e.sock}", "exec", ids[e.name][0], "true"])) for e in engines}
    r = interleave(min(rounds, 50), **v)
    row("docker exec true", med(r["teu"]), med(r["dockerd"]) if peer else None, "ms", "<= 40")
    for e in engines:
        c = UnixHTTP(e.sock)
        for cid in ids[e.name]:
            c.call("DELETE", f"/v1.41/containers/{cid}?force=1")

    def make_logs(e):
        c = UnixHTTP(e.sock)
        cid = c.call("POST", "/v1.41/containers/create", {"Image": "busybox", "Cmd": ["sh", "-c", "yes 123456789012345678901234567890123456789012345 | head -200000"],
                                                          "HostConfig": {"NetworkMode": "none"}})["Id"]
        c.call("POST", f"/v1.41/containers/{cid}/start")
        c.call("POST", f"/v1.41/containers/{cid}/wait")
        return cid
    logs = {e.name: make_logs(e) for e in engines}
    v = {e.name: (lambda e=e: timed(run_quiet, ["curl", "-s", "--unix-socket", e.sock, "-o", "/dev/null", f"http://x/v1.41/containers/{logs[e.name]}/logs?stdout=1&stderr=1"])) for e in engines}
    r = interleave(5, **v)
    row("200,000 log lines read back", med(r["teu"]), med(r["dockerd"]) if peer else None, "ms", "<= 100")


if __name__ == "__main__":
    main()
