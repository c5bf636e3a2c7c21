#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`teu apiserver` measured: bench-apiserver.py [--quick|--full] [--json FILE]

Server on one core, client (tests/bench/apiserver-load) on the other (watches: where the kernel puts them), over TLS, in a network namespace of their own, the
database on the disk of TMPDIR. CPU is the server's own time, all its threads, from /proc/PID/stat. kube-apiserver is in
no package: where the column `published` has a figure it is the one of GOALS.md, of another run on such a machine, and
the ratio to it is no more than that. etcd's own puts, by gRPC and synced as ours, are measured in this run. --full:
also a million objects.
"""
import json
import os
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools"))
import apiserve as api  # noqa: E402

QUICK, FULL = "--quick" in sys.argv, "--full" in sys.argv
SECONDS = 1 if QUICK else 4
ROUNDS = 1 if QUICK else 3
OBJECTS = 20000 if QUICK else 100000
PODS = 10000 if QUICK else 150000
MB = 1 << 20
PAIR = (os.cpu_count() or 1) > 1
# us of CPU a request, requests/s: middle of what GOALS.md has for kube-apiserver + etcd
PUBLISHED = {"GET": (705, 2350), "LIST": (7750, 216), "CREATE 8": (1525, 1132), "CREATE 32": (1525, 1290), "UPDATE 8": (1525, 1132),
             "UPDATE 32": (1525, 1290)}
ROWS, NOTES = [], []


def on_core(core):
    return ["taskset", "-c", str(core)] if PAIR else []


class Server(api.Server):
    def pid(self):
        return self.p.pid  # taskset becomes it


def tell(what, value, unit, goal, peer=None, ratio=None):
    ROWS.append({"what": what, "value": value, "unit": unit, "goal": goal, "published": peer, "ratio": ratio})
    print(f"{what:58} {value:12,.2f} {unit:10} {f'{peer:,.0f}' if peer else '-':>8} {f'{ratio:.1f} x' if ratio else '-':>8}   {goal}", flush=True)


def load(server, *args, timeout=1200):
    """What the client measured, and the server's CPU seconds meanwhile."""
    before = server.cpu()
    r = subprocess.run([*(on_core(1) if server.prefix else []), api.program("tests/bench/apiserver-load"), server.url(), api.TOKEN, *map(str, args)], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=timeout)
    words = r.stdout.split()
    if r.returncode or len(words) % 2:
        raise api.Died(f"apiserver-load {' '.join(map(str, args))}: {r.returncode} {r.stderr.strip()[-300:]}")
    got = {k: float(v) for k, v in zip(words[::2], words[1::2])}
    got["cpu"] = server.cpu() - before
    if got["errors"]:
        NOTES.append(f"apiserver-load {' '.join(map(str, args))}: {got['errors']:.0f} errors: {r.stderr.strip()[-200:]}")
    return got


def begin(scratch, name, pinned=True):
    return scratch.add(Server(scratch.path, name=name, prefix=on_core(0) if pinned else ()))


def json_bytes(server, path):
    """Of all items of a list, read in pages."""
    total, more = 0, ""
    while True:
        status, text = server.ask("GET", f"{path}?limit=5000{more}")
        if status != 200:
            raise api.Died(f"GET {path}: {status}")
        total += len(text)
        meta = json.loads(text[:text.index('"items":')].rstrip().rstrip(",") + "}")["metadata"]
        if not meta.get("continue"):
            return total
        more = "&continue=" + meta["continue"]


def again(server):
    """Seconds to ready of a start with what is stored, best of a few."""
    times = []
    for _ in range(1 if QUICK else 3):
        server.end()
        times.append(server.start())
    return min(times)


def empty(scratch):
    times = []
    for i in range(2 if QUICK else 7):
        s = begin(scratch, f"empty{i}")
        times.append(s.start())
        memory = s.memory()
        s.end()
    tell("ready, empty store, first start", statistics.median(times) * 1000, "ms", "<= 100")
    tell("ready, second start", again(s) * 1000, "ms", "<= 100")
    tell("resident, empty", memory / MB, "MB", "<= 16")
    s.end()
    return memory


def many(scratch, objects, base):
    s = begin(scratch, f"many{objects}")
    s.start()
    load(s, "fill", objects, 900, timeout=3600)
    tell(f"ready with {objects:,} objects", again(s) * 1000, "ms", "<= 1000" if objects == 100000 else "-")
    size = json_bytes(s, "/api/v1/configmaps")
    s.end()
    s.start()
    time.sleep(1)
    tell(f"memory, {objects:,} objects of {size / objects:.0f} bytes", (s.memory() - base) / size, "B/B", "<= 1.5")
    s.end()


def big_list(scratch):
    s = begin(scratch, "pods")
    s.start()
    load(s, "fill-pods", PODS, 300, timeout=3600)
    s.end()
    s.start()
    time.sleep(1)
    with open(f"/proc/{s.pid()}/clear_refs", "w") as f:
        f.write("5")  # the peak is counted from here
    before = s.memory()
    with subprocess.Popen(["curl", "-sk", "-H", "Authorization: Bearer " + api.TOKEN, "-o", "/dev/null", "-w", "%{size_download} %{time_total}",
                           s.url() + "/api/v1/pods"], stdout=subprocess.PIPE, text=True) as p:
        size, seconds = p.communicate()[0].split()
    tell(f"LIST of {PODS:,} pods ({int(size) / MB:.0f} MB in {float(seconds):.2f} s): added memory", (s.memory("VmHWM") - before) / MB, "MB", "<= 64")
    s.end()


def rates(scratch):
    s = begin(scratch, "rates")
    s.start()
    load(s, "fill", 500, 200)
    size = json_bytes(s, "/api/v1/configmaps")

    def row(what, key, goal, *args):
        got = [load(s, "rate", *args) for _ in range(ROUNDS)]
        rate = statistics.median(g["rate"] for g in got)
        cpu = statistics.median(g["cpu"] / (g["rate"] * (args[2] + 0.2)) for g in got) * 1e6
        peer_cpu, peer_rate = PUBLISHED.get(key, (None, None))
        tell(what, rate, "/s", goal if "/s" in goal else "-", peer_rate, rate / peer_rate if peer_rate else None)
        tell(what + ", CPU", cpu, "us", goal if "/s" not in goal else "10 x", peer_cpu, peer_cpu / cpu if peer_cpu else None)
    row(f"LIST of 500 ({size / 1000:.0f} KB), 8 connections", "LIST", "20 x", "list", 8, SECONDS, 200)
    row("GET, 8 connections", "GET", "20 x", "get", 8, SECONDS, 400)
    for n in (1, 8, 32):
        row(f"CREATE, durable, {n} connections", f"CREATE {n}", ">= 10,000/s at 32" if n == 32 else "10 x", "create", n, SECONDS, 1000)
    for n in (1, 8, 32):
        row(f"UPDATE, durable, {n} connections", f"UPDATE {n}", "10 x", "update", n, SECONDS, 1000)
    s.end()


def disk(scratch):
    """What the disk alone takes for a commit's bytes: below it no durable write goes."""
    path, took = os.path.join(scratch.path, "disk"), []
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(fd, bytes(1 << 20), 0)
    os.fsync(fd)
    for i in range(100 if QUICK else 400):
        begun = time.perf_counter()
        os.pwrite(fd, bytes(8192), i * 8192 % (1 << 20))
        os.fdatasync(fd)
        took.append((time.perf_counter() - begun) * 1000)
        time.sleep(0.002)
    os.close(fd)
    os.unlink(path)
    took.sort()
    tell("the disk alone: 8 KB written and synced, p50", took[len(took) // 2], "ms", "-")
    tell("the disk alone: 8 KB written and synced, p99", took[len(took) * 99 // 100], "ms", "-")


def tell_client(what, got):
    tell(what + ": the client's own lateness, p99", got["late"] / 1000, "ms", "-")
    tell(what + ": the client's share of a core", got["share"], "%", "-")


def pauses():
    """What the machine itself takes from programs while it does nothing else: watches cannot be told faster than that."""
    r = subprocess.run([api.program("tests/bench/floor-pauses"), "2" if QUICK else "8"], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    words = r.stdout.split()
    got = {k: float(v) for k, v in zip(words[::2], words[1::2])}
    tell("the machine's own pauses over 0.2 ms, a core", got["pauses"], "/s", "-")
    tell("the longest of them", got["longest"] / 1000, "ms", "-")
    tell("what pauses alone add, p99", got["wait99"] / 1000, "ms", "-")


def watched(server, *args):
    """The middle run of a few: the machine's pauses come in clusters, so three runs say more than one three times as long."""
    runs = [load(server, "watch", *args) for _ in range(ROUNDS)]
    return sorted(runs, key=lambda g: g["p99"])[ROUNDS // 2]


def watches(scratch):
    pauses()
    seconds = 2 if QUICK else 8
    s = begin(scratch, "watches", False)
    s.start()
    got = watched(s, 10, 10, 20, seconds, 10)
    tell("write to event, idle, p50", got["p50"] / 1000, "ms", "-")
    tell("write to event, idle, p99", got["p99"] / 1000, "ms", "<= 2")
    tell_client("write to event, idle", got)
    for rate in (1000, 5000):
        for connections, how in ((1000, "1,000 connections"), (100, "100 connections of HTTP/2")):
            got = watched(s, 1000, 100, rate, seconds, connections)
            what = f"{rate:,} events/s, each to 10 of 1,000 watchers, {how}"
            tell(what + ", p50", got["p50"] / 1000, "ms", "-")
            tell(what + ", p99", got["p99"] / 1000, "ms", "<= 5" if rate == 5000 else "-")
            tell_client(what, got)
    s.end()


def etcd_puts(scratch):
    if not api.etcd_program():
        NOTES.append("etcd is not installed")
        return
    etcd = scratch.add(api.Etcd(scratch.path, 1, True))
    etcd.wait()
    message = "0a036b6579" + "12e807" + "76" * 1000  # PutRequest: key, value
    for n in (1, 8, 32):
        before = etcd_cpu(etcd)
        r = subprocess.run([*on_core(1), api.TEU, "bench", "grpc", "-q", "-f", "json", "-c", str(n), "-d", f"{SECONDS}s", "--data-hex", message,
                            etcd.urls()[0] + "/etcdserverpb.KV/Put"], stdout=subprocess.PIPE, text=True, timeout=120)
        got = json.loads(r.stdout)
        rate = got.get("rate") or got.get("perSecond") or got["requests"] / SECONDS
        tell(f"etcd alone: puts of 1 KB, {n} connections", rate, "/s", "-")
        tell(f"etcd alone: puts, {n} connections, CPU", (etcd_cpu(etcd) - before) / (rate * SECONDS) * 1e6, "us", "-")
    etcd.end()


def etcd_cpu(etcd):
    f = open(f"/proc/{etcd.p[0].pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(f[11]) + int(f[12])) / api.TICK


def main():
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__)
        return 0
    api.own_network("bench-apiserver")
    print(f"{'what':58} {'teu':>12} {'':10} {'published':>8} {'ratio':>8}   goal")
    with api.Scratch("bench-apiserver") as scratch:
        base = 0
        for part in (empty, disk, rates, watches, etcd_puts, lambda x: many(x, OBJECTS, base), big_list, *([lambda x: many(x, 1000000, base)] if FULL else [])):
            try:
                base = part(scratch) or base
            except (api.Died, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as e:
                NOTES.append(f"{getattr(part, '__name__', 'part')}: {e}")
    for n in NOTES:
        print("note:", n)
    if "--json" in sys.argv:
        with open(sys.argv[sys.argv.index("--json") + 1], "w") as f:
            json.dump({"rows": ROWS, "notes": NOTES}, f)
    return 1 if any("not installed" not in n for n in NOTES) else 0


if __name__ == "__main__":
    sys.exit(main())
