#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The OCI runtimes side by side: create+start+delete, run and exec of `true`, for teu-oci, crun and runc.

Shuffled rounds; medians of wall time and of CPU time (rusage of everything a round started) as oci-cycle takes them,
beside the floor. The floor is floor-run --rootfs --all-cgroups --cli: one process that knows all beforehand and does the same kernel work (the
same namespaces, mounts, v1 hierarchies, capabilities, exec), and starts and ends three times the smallest program there is, for create, start and
delete are three commands. State and pid files are on a tmpfs, as the runtimes' own default (/run) is: on a disk's file system creating and removing
files at a high rate costs more than the containers. Peak memory is VmHWM of the runtime process at its exit. Runs in network and mount namespaces
of its own (crun refuses this machine's hybrid cgroups, so the unified tree is unmounted there).
"""
import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TEU_BENCH_BUILD", os.path.join(TOP, "build/gcc/tests/bench"))
TEU_OCI = os.environ.get("TEU_OCI", os.path.join(TOP, "build/teu-oci"))
ROWS = []
PARALLEL = 200
CAPS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
        "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
          "/proc/sched_debug", "/sys/firmware", "/proc/scsi"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def config(rootfs, seccomp=None, memory=None):
    opts = ["nosuid", "noexec", "nodev"]
    mount = lambda dest, kind, src, options: {"destination": dest, "type": kind, "source": src, "options": options}
    linux = {
        "resources": {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 100}},
        "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
        "maskedPaths": MASKED, "readonlyPaths": READONLY,
    }
    if memory:
        linux["resources"]["memory"] = {"limit": memory}
    if seccomp:
        linux["seccomp"] = seccomp
    caps = {k: CAPS for k in ("bounding", "effective", "permitted")}
    return {
        "ociVersion": "1.0.2", "hostname": "bench", "root": {"path": rootfs, "readonly": True},
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "env": ["PATH=/bin"], "cwd": "/",
                    "capabilities": caps, "noNewPrivileges": True},
        "mounts": [mount("/proc", "proc", "proc", []), mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
                   mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
                   mount("/dev/shm", "tmpfs", "shm", opts + ["mode=1777", "size=65536k"]),
                   mount("/dev/mqueue", "mqueue", "mqueue", opts), mount("/sys", "sysfs", "sysfs", opts + ["ro"])],
        "linux": linux,
    }


def docker_profile():
    """Docker's profile in OCI form, from the copy that Debian's container tools bring; None without it."""
    try:
        with open("/usr/share/containers/seccomp.json") as f:
            p = json.load(f)
    except OSError:
        return None
    calls = []
    for rule in p["syscalls"]:
        inc, exc = rule.get("includes") or {}, rule.get("excludes") or {}
        if inc.get("arches") and "amd64" not in inc["arches"] or "amd64" in (exc.get("arches") or []):
            continue
        if inc.get("caps") and not set(inc["caps"]) <= set(CAPS) or set(exc.get("caps") or []) & set(CAPS):
            continue
        r = {"names": rule["names"], "action": rule["action"]}
        if rule.get("args"):
            r["args"] = rule["args"]
        if rule["action"] == "SCMP_ACT_ERRNO":
            r["errnoRet"] = 1
        calls.append(r)
    return {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": calls}


def stopwatch(commands, parallel=1, before=()):
    """What oci-cycle says of a row of commands: (wall ms, CPU ms of one). `before`: a program that runs it."""
    argv = [*before, f"{BUILD}/oci-cycle", "--parallel", str(parallel)]
    for i, c in enumerate(commands):
        argv += (["--"] if i else []) + c
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if r.returncode:
        raise RuntimeError(r.stderr.strip())
    wall, cpu = r.stdout.split()
    return float(wall), float(cpu)


class Floor:
    """One container by floor-run: (wall ms, CPU ms) as it says itself, so that its own start counts for nothing."""
    name = "floor"

    def __init__(self, scratch):
        self.argv = [f"{BUILD}/floor-run", "--rootfs", "--all-cgroups", "--cli"]
        self.scratch = scratch

    def cycle(self, *args, parallel=1):
        r = subprocess.run([*self.argv, *args, "--parallel", str(parallel), self.scratch], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, stdin=subprocess.DEVNULL)
        if r.returncode:
            raise RuntimeError(r.stderr.strip())
        said = dict(line.split() for line in r.stdout.splitlines())
        return float(said["wall"]), float(said["cpu"])


class Runtime:
    def __init__(self, name, program, tmp):
        self.name, self.program, self.tmp = name, program, tmp
        self.base = [program, "--root", f"{tmp}/state/{name}"]
        os.makedirs(f"{tmp}/state/{name}", exist_ok=True)
        self.n = 0

    def next_id(self):
        self.n += 1
        return f"b{os.getpid()}-{self.name}-{self.n}"

    def run(self, bundle):
        return stopwatch([[*self.base, "run", "--bundle", bundle, self.next_id()]])

    def commands(self, bundle):
        cid, pid_file = self.next_id() + "-%", f"{self.tmp}/state/pid-%"
        return [[*self.base, "create", "--bundle", bundle, "--pid-file", pid_file, cid], [*self.base, "start", cid], ["@wait", pid_file],
                [*self.base, "delete", cid]]

    def cycle(self, bundle, parallel=1):
        return stopwatch(self.commands(bundle), parallel)

    def instructions(self, bundle, n, parallel):
        """Millions of one container, of n in a row by each of `parallel`; None where nothing counts them."""
        out = f"{self.tmp}/perf"
        stopwatch(sum((self.commands(bundle) for _ in range(n)), []), parallel,
                  ("perf", "stat", "-x,", "-o", out, "-e", "instructions:u,instructions:k"))
        with open(out) as f:
            counts = [line.split(",")[0] for line in f if ",instructions" in line]
        return sum(map(int, counts)) / n / parallel / 1e6 if counts and all(c.isdigit() for c in counts) else None

    def call(self, *args):
        subprocess.run([*self.base, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    def start_sleeper(self, bundle):
        cid = self.next_id()
        self.call("run", "--detach", "--bundle", bundle, cid)
        return cid


class Budget:
    """Rounds until either limit is reached; at least three."""

    def __init__(self, rounds, seconds):
        self.rounds, self.seconds = rounds, seconds

    def each(self):
        end = time.monotonic() + self.seconds
        for i in range(self.rounds):
            if i >= 3 and time.monotonic() > end:
                return
            yield i


def interleave(budget, variants):
    """name -> (list of wall ms, list of CPU ms); a shuffled order in every round, the first of all thrown away."""
    out = {k: ([], []) for k in variants}
    for k in variants:
        variants[k]()
    for _ in budget.each():
        keys = list(variants)
        random.shuffle(keys)
        for k in keys:
            wall, cpu = variants[k]()
            out[k][0].append(wall)
            out[k][1].append(cpu)
    return out


def row(what, unit, figures, goal=""):
    ROWS.append({"what": what, "unit": unit, "goal": goal, **figures})
    names = ["floor", "teu-oci", "crun", "runc"]
    cells = " | ".join(f"{figures[n]:.2f}" if figures.get(n) is not None else "-" for n in names)
    ours = figures.get("teu-oci")
    ratio = ", ".join(f"{ours / figures[n]:.2f} {n}" for n in names if n != "teu-oci" and figures.get(n) and ours)
    print(f"| {what} | {cells} | {unit} | {ratio} | {goal} |", flush=True)


def medians(result, which):
    return {k: statistics.median(v[which]) for k, v in result.items()}


def rows_of(what, result, wall_goal, cpu_goal):
    row(what, "ms wall", medians(result, 0), wall_goal)
    row("the same, CPU", "ms CPU", medians(result, 1), cpu_goal)


def peak_kb(runtime, bundle, tmp, verb):
    out, cid = f"{tmp}/peak", runtime.next_id()
    measured = [f"{BUILD}/peak-memory", out, *runtime.base, verb]
    delete = [*runtime.base, "delete", "--force", cid]
    if verb == "exec":
        cid = runtime.start_sleeper(bundle)
        stopwatch([[*measured, cid, "/bin/true"]])
        runtime.call("delete", "--force", cid)
    else:
        # What was created is our child and would be waited for: it goes in the same breath.
        stopwatch([[*measured, "--bundle", bundle, cid]] + ([delete] if verb == "create" else []))
    with open(out) as f:
        return int(f.read())


def bench_execs(rts, bundles, budget):
    ids = {r.name: r.start_sleeper(bundles["sleep"]) for r in rts}
    try:
        v = {r.name: (lambda r=r: stopwatch([[*r.base, "exec", ids[r.name], "/bin/true"]])) for r in rts}
        rows_of("exec of true in a running container", interleave(budget, v), "<= 0.5 crun", "<= 0.5 crun")
    finally:
        for r in rts:
            r.call("delete", "--force", ids[r.name])


# Who sleeps where, by a function of the kernel's stack: which lock it waits for.
LOCKS = [("rtnl_mutex", ("rtnl_", "register_nexthop_notifier", "devinet_ioctl", "dev_ioctl", "default_device_exit", "addrconf_")),
         ("pernet_ops_rwsem", ("copy_net_ns", "setup_net")),
         ("cgroup_mutex", ("cgroup_", "kernfs_", "cgroup1_", "start_dirtree_creation", "do_rmdir", "filename_create")),
         ("RCU grace period", ("synchronize_rcu", "namespace_unlock", "exp_funnel_lock", "rcu_exp_")),
         ("namespace_sem", ("namespace_lock", "lock_mount", "copy_mnt_ns", "do_lock_mount"))]


def sleepers(names, found, stop):
    """Until stop: counts in `found` for what each process of these names that is in state D waits."""
    while not stop.is_set():
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
                if rest.split()[0] != "D" or name not in names:
                    continue
                with open(f"/proc/{pid}/stack") as f:
                    stack = [line.split()[1] for line in f][:4]
            except (OSError, IndexError):
                continue  # has ended
            if any(x.startswith(("kernel_clone", "wait_for_vfork", "do_fork")) for x in stack):
                continue  # for its child
            lock = next((k for fn in stack for k, heads in LOCKS if fn.startswith(heads)), "other")
            found[lock] = found.get(lock, 0) + 1
        time.sleep(0.002)


def bench_locks(runs):
    """The lock that 200 at once wait for: a run of its own, for looking on disturbs."""
    shares = {}
    for name, (comms, run) in runs.items():
        found, stop = {}, threading.Event()
        t = threading.Thread(target=sleepers, args=(comms, found, stop))
        t.start()
        try:
            run()
        finally:
            stop.set()
            t.join()
        total = sum(found.values())
        shares[name] = {k: 100.0 * v / total for k, v in found.items()} if total else {}
    for lock in [k for k, _ in LOCKS] + ["other"]:
        if any(v.get(lock, 0) >= 1 for v in shares.values()):
            row(f"{PARALLEL} at once: asleep for {lock}", "% of sleepers", {k: v.get(lock, 0.0) for k, v in shares.items()})


def bench_instructions(rts, bundles):
    """What was done, without what waiting and cold caches add: user and kernel, by perf if it is there."""
    if not shutil.which("perf"):
        return
    try:
        alone, many = ({r.name: r.instructions(bundles["plain"], n, p) for r in rts} for n, p in ((20, 1), (1, PARALLEL)))
    except RuntimeError as e:  # not permitted to count
        print(f"no instructions: {e}", file=sys.stderr)
        return
    if all(alone.values()) and all(many.values()):
        row("one at a time: instructions of one", "millions", alone)
        row(f"{PARALLEL} at once: instructions of one", "millions", many)
        row("the same, to one at a time", "times", {k: many[k] / alone[k] for k in many}, "<= 1")


def bench_parallel(rts, floor, bundles, budget):
    """One at a time and 200 at once, in turn: CPU for each must not rise; what rises is the wait for one another."""
    runs = {r.name: lambda n=1, r=r: r.cycle(bundles["plain"], n) for r in rts}
    runs["floor"] = lambda n=1: floor.cycle("--no-seccomp", parallel=n)
    alone, out = {k: [] for k in runs}, {k: [] for k in runs}
    for _ in budget.each():
        for k, run in runs.items():
            alone[k] += [run()[1] for _ in range(10)]
            out[k].append(run(PARALLEL))
    cpu = {k: statistics.median(x[1] for x in v) for k, v in out.items()}
    row(f"{PARALLEL} at once: all done", "ms wall", {k: statistics.median(x[0] for x in v) for k, v in out.items()})
    row(f"{PARALLEL} at once: CPU of one", "ms CPU", cpu)
    row("the same, to one at a time", "times", {k: cpu[k] / statistics.median(alone[k]) for k in runs}, "<= 1")
    bench_instructions(rts, bundles)
    comms = {"floor": ("floor-run", "true"), "teu-oci": ("teu-oci",), "crun": ("crun", "crun:[0:VERSION]"), "runc": ("runc", "runc:[2:INIT]", "runc:[1:CHILD]")}
    bench_locks({k: (comms[k], lambda run=run: run(PARALLEL)) for k, run in runs.items() if k != "runc"})


def make_bundles(tmp, rootfs):
    no_net = config(rootfs)
    no_net["linux"]["namespaces"] = [n for n in no_net["linux"]["namespaces"] if n["type"] != "network"]
    sleep = config(rootfs)
    sleep["process"]["args"] = ["/bin/sleep", "1000000"]
    bundles = {}
    for name, conf in (("plain", config(rootfs)), ("seccomp", config(rootfs, docker_profile())), ("small", config(rootfs, memory=262144)),
                       ("no-net", no_net), ("sleep", sleep)):
        bundles[name] = f"{tmp}/{name}"
        os.makedirs(bundles[name])
        with open(f"{bundles[name]}/config.json", "w") as f:
            json.dump(conf, f)
    return bundles


def bench_small(rts, bundles):
    ok = {}
    for r in rts:
        good = 0
        for _ in range(100):
            try:
                r.run(bundles["small"])
                good += 1
            except RuntimeError:
                subprocess.run([*r.base, "delete", "--force", f"b{os.getpid()}-{r.name}-{r.n}"], capture_output=True)
        ok[r.name] = float(good)
    row("run with memory.limit 262144: succeed of 100", "runs", ok, "100")


def bench(tmp, rootfs, budget):
    bundles = make_bundles(tmp, rootfs)
    found = [("teu-oci", TEU_OCI), ("crun", shutil.which("crun")), ("runc", shutil.which("runc"))]
    rts = [Runtime(n, p, tmp) for n, p in found if p and os.path.exists(p)]
    floor = Floor(f"{tmp}/floor")
    print("| what | floor | teu-oci | crun | runc | unit | ratio of teu-oci to | goal |\n|---|--:|--:|--:|--:|---|---|---|")
    cycles = lambda name, args: {**{r.name: (lambda r=r: r.cycle(bundles[name])) for r in rts}, "floor": lambda: floor.cycle(*args)}
    goal = "<= 0.4 crun, <= 1/6 runc"
    rows_of("create + start + delete of true", interleave(budget, cycles("plain", ["--no-seccomp"])), goal, goal)
    if docker_profile():
        rows_of("the same with docker's seccomp profile", interleave(budget, cycles("seccomp", [])), goal, goal)
    rows_of("without a network namespace", interleave(budget, cycles("no-net", ["--no-seccomp", "--host-net"])), "<= 1/3 crun or 1.3 floor",
            "<= 1/3 crun or 1.3 floor")
    v = {r.name: (lambda r=r: r.run(bundles["plain"])) for r in rts}
    v["floor"] = lambda: floor.cycle("--no-seccomp")
    rows_of("run of true", interleave(budget, v), "", "")
    bench_execs(rts, bundles, budget)
    bench_parallel(rts, floor, bundles, Budget(max(1, budget.rounds // 40), budget.seconds))
    for verb in ("create", "run", "exec"):
        peaks = {r.name: float(peak_kb(r, bundles["sleep" if verb == "exec" else "plain"], tmp, verb)) for r in rts}
        row(f"peak memory of {verb} (VmHWM)", "KB", peaks, "<= 1024")
    bench_small(rts, bundles)
    row("size of the program", "KB", {r.name: os.path.getsize(r.program) / 1024 for r in rts}, "<= 512")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=200, help="of each figure, at most")
    ap.add_argument("--seconds", type=float, default=120, help="for each figure, at most; three rounds are made in any case")
    ap.add_argument("--json")
    ap.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = ap.parse_args()
    if not args.inside:
        os.execvp("unshare", ["unshare", "-n", "-m", "--propagation", "private", sys.executable, os.path.abspath(__file__), "--inside", *sys.argv[1:]])
    if os.path.ismount("/sys/fs/cgroup/unified"):
        subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=False)
    tar = subprocess.run([os.path.join(TOP, "tools/image"), "busybox"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    tmp = tempfile.mkdtemp(prefix="teu-bench.")
    try:
        rootfs = f"{tmp}/floor/lower"
        os.makedirs(rootfs)
        os.mkdir(f"{tmp}/state")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", f"{tmp}/state"], check=True)
        subprocess.run(["tar", "-xf", tar, "-C", rootfs], check=True)
        bench(tmp, rootfs, Budget(args.rounds, args.seconds))
    finally:
        if args.json:
            with open(args.json, "w") as f:
                json.dump(ROWS, f, indent=1)
        if not os.environ.get("KEEP"):
            subprocess.run(["umount", f"{tmp}/state"], check=False)
            shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    main()
