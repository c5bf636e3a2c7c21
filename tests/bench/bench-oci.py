#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The OCI runtimes side by side: create+start+delete and run of `true`, for teu-oci, crun and runc.

Shuffled rounds; medians of wall time and of CPU time (rusage of everything a round started), beside the floor program
that does the same kernel work in one process. Peak memory is VmHWM of the runtime process at its exit. Runs in network
and mount namespaces of its own (crun refuses this machine's hybrid cgroups, so the unified tree is unmounted there).
"""
import argparse
import ctypes
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TEU_BENCH_BUILD", os.path.join(TOP, "build/gcc/tests/bench"))
TEU_OCI = os.environ.get("TEU_OCI", os.path.join(TOP, "build/teu-oci"))
ROWS = []
PR_SET_CHILD_SUBREAPER = 36
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


def cpu():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def reap():
    """We are the subreaper: what the runtimes leave behind comes to us, and into our rusage."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def spawn(argv):
    null = os.open(os.devnull, os.O_RDWR)
    err = os.memfd_create("err")
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1),
                                                                  (os.POSIX_SPAWN_DUP2, err, 2)])
    _, status = os.waitpid(pid, 0)
    text = os.pread(err, 2000, 0).decode(errors="replace")
    os.close(null)
    os.close(err)
    if status:
        raise RuntimeError(f"{' '.join(argv)}: status {status}: {text}")


class Runtime:
    def __init__(self, name, program, state):
        self.name, self.program = name, program
        self.base = [program, "--root", f"{state}/{name}"]
        os.makedirs(f"{state}/{name}", exist_ok=True)
        self.n = 0

    def next_id(self):
        self.n += 1
        return f"b{os.getpid()}-{self.name}-{self.n}"

    def run(self, bundle):
        spawn([*self.base, "run", "--bundle", bundle, self.next_id()])
        reap()

    def cycle(self, bundle, pid_file):
        cid = self.next_id()
        spawn([*self.base, "create", "--bundle", bundle, "--pid-file", pid_file, cid])
        with open(pid_file) as f:
            pid = int(f.read())
        spawn([*self.base, "start", cid])
        os.waitid(os.P_PID, pid, os.WEXITED)
        spawn([*self.base, "delete", cid])
        reap()


def interleave(rounds, variants):
    """name -> (list of wall ms, list of CPU ms); a shuffled order in every round."""
    out = {k: ([], []) for k in variants}
    for k in variants:
        variants[k]()
    for _ in range(rounds):
        keys = list(variants)
        random.shuffle(keys)
        for k in keys:
            c, t = cpu(), time.perf_counter()
            variants[k]()
            out[k][0].append((time.perf_counter() - t) * 1000)
            out[k][1].append((cpu() - c) * 1000)
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


def peak_kb(runtime, bundle, tmp, verb):
    out = f"{tmp}/peak"
    cid = runtime.next_id()
    pid_file = f"{tmp}/pid"
    args = [*runtime.base, verb, "--bundle", bundle]
    if verb == "create":
        args += ["--pid-file", pid_file]
    spawn([f"{BUILD}/peak-memory", out, *args, cid])
    if verb == "create":
        spawn([*runtime.base, "start", cid])
        os.waitid(os.P_PID, int(open(pid_file).read()), os.WEXITED)
        spawn([*runtime.base, "delete", cid])
    reap()
    with open(out) as f:
        return int(f.read())


def bench(tmp, rootfs, rounds):
    bundles = {}
    for name, conf in (("plain", config(rootfs)), ("seccomp", config(rootfs, docker_profile())), ("small", config(rootfs, memory=262144))):
        bundles[name] = f"{tmp}/{name}"
        os.makedirs(bundles[name])
        with open(f"{bundles[name]}/config.json", "w") as f:
            json.dump(conf, f)
    found = [("teu-oci", TEU_OCI), ("crun", shutil.which("crun")), ("runc", shutil.which("runc"))]
    rts = [Runtime(n, p, f"{tmp}/state") for n, p in found if p and os.path.exists(p)]
    floor = [f"{BUILD}/floor-run", "--rootfs", f"{tmp}/floor"]
    print("| what | floor | teu-oci | crun | runc | unit | ratio of teu-oci to | goal |\n|---|--:|--:|--:|--:|---|---|---|")
    v = {r.name: (lambda r=r: r.cycle(bundles["plain"], f"{tmp}/pid")) for r in rts}
    v["floor"] = lambda: spawn(floor)
    cycle = interleave(rounds, v)
    row("create + start + delete of true", "ms wall", medians(cycle, 0), "<= 0.4 crun, <= 1/6 runc")
    row("the same, CPU", "ms CPU", medians(cycle, 1), "<= 0.4 crun")
    v = {r.name: (lambda r=r: r.run(bundles["plain"])) for r in rts}
    v["floor"] = lambda: spawn(floor)
    run = interleave(rounds, v)
    row("run of true", "ms wall", medians(run, 0), "<= 0.4 crun, <= 1/6 runc")
    row("the same, CPU", "ms CPU", medians(run, 1), "<= 0.4 crun")
    if docker_profile():
        v = {f"{r.name}{s}": (lambda r=r, b=b: r.run(bundles[b])) for r in rts for s, b in (("", "plain"), ("+", "seccomp"))}
        m = medians(interleave(rounds, v), 0)
        row("what docker's seccomp profile adds to run", "ms wall", {r.name: m[r.name + "+"] - m[r.name] for r in rts}, "<= 0.3 ms")
    for verb in ("create", "run"):
        row(f"peak memory of {verb} (VmHWM)", "KB", {r.name: float(peak_kb(r, bundles["plain"], tmp, verb)) for r in rts}, "<= 1024")
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
    row("size of the program", "KB", {r.name: os.path.getsize(r.program) / 1024 for r in rts}, "<= 512")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=100)
    ap.add_argument("--json")
    ap.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = ap.parse_args()
    if not args.inside:
        os.execvp("unshare", ["unshare", "-n", "-m", "--propagation", "private", sys.executable, os.path.abspath(__file__), "--inside", *sys.argv[1:]])
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.path.ismount("/sys/fs/cgroup/unified"):
        subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=False)
    tar = subprocess.run([os.path.join(TOP, "tools/image"), "busybox"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    tmp = tempfile.mkdtemp(prefix="teu-bench.")
    try:
        rootfs = f"{tmp}/floor/lower"
        os.makedirs(rootfs)
        subprocess.run(["tar", "-xf", tar, "-C", rootfs], check=True)
        bench(tmp, rootfs, args.rounds)
    finally:
        if args.json:
            with open(args.json, "w") as f:
                json.dump(ROWS, f, indent=1)
        if not os.environ.get("KEEP"):
            shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    main()
