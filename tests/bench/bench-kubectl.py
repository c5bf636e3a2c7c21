#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`teu kubectl` beside kubectl: bench-kubectl.py [--quick] [--json FILE]

Whole commands against one `teu apiserver` with 500 pods, in turn: wall time from start to end, and the processor time of
the command (not of the server). Medians; what both print is the same. Each has its caches from an earlier command.
"""
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools"))
import apiserve as api  # noqa: E402

ROUNDS = 5 if "--quick" in sys.argv else 15
PODS = 500
CACHE = os.environ.get("TEU_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "teu")
ROWS, NOTES = [], []


def kubectl():
    for p in (shutil.which("kubectl"), os.path.join(CACHE, "kube/kubectl")):
        if p and os.access(p, os.X_OK):
            return p
    return None


def run(argv, env):
    """Milliseconds, milliseconds of a processor, what it printed."""
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    r = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    wall = time.perf_counter() - begun
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    if r.returncode:
        raise api.Died(f"{' '.join(argv[-4:])}: {r.returncode} {r.stderr.decode(errors='replace').strip()[-300:]}")
    return wall * 1000, (now.ru_utime + now.ru_stime - cpu.ru_utime - cpu.ru_stime) * 1000, r.stdout


def compare(programs, words, goal, env):
    """programs: name to argv. One round that counts for nothing fills the caches."""
    got = {n: [] for n in programs}
    for i in range(ROUNDS + 1):
        for name, argv in programs.items():
            one = run([*argv, *words], env)
            if i:
                got[name].append(one)
    mid = {n: [statistics.median(x[k] for x in v) for k in (0, 1)] for n, v in got.items()}
    row = {"what": " ".join(words), "goal": goal, "teu": mid["teu"], "kubectl": mid.get("kubectl")}
    ROWS.append(row)
    theirs = row["kubectl"]
    print(f"{row['what']:28} teu {mid['teu'][0]:7.1f} ms, {mid['teu'][1]:6.1f} of a processor" +
          (f"; kubectl {theirs[0]:7.1f}, {theirs[1]:6.1f}; ratio {mid['teu'][0] / theirs[0]:.2f}, {mid['teu'][1] / theirs[1]:.2f}   {goal}" if theirs else ""), flush=True)


def measure(scratch):
    server = scratch.add(api.Server(scratch.path, args=["--kubeconfig-out", os.path.join(scratch.path, "kubeconfig")]))
    server.start()
    subprocess.run([api.program("tests/bench/apiserver-load"), server.url(), api.TOKEN, "fill-pods", str(PODS), "300"], check=True,
                   stdout=subprocess.DEVNULL)
    name = server.get("/api/v1/namespaces/default/pods?limit=1")["items"][0]["metadata"]["name"]
    programs = {"teu": [api.TEU, "kubectl"]}
    peer = kubectl()
    if peer:
        programs["kubectl"] = [peer]
    else:
        NOTES.append("kubectl is not installed")
    env = dict(os.environ, KUBECONFIG=os.path.join(scratch.path, "kubeconfig"), HOME=scratch.path)
    for words, goal in ((["get", "pods"], "<= 0.2"), (["get", "pods", "-o", "json"], "-"), (["get", "pod", name], "-"), (["describe", "pod", name], "-"),
                        (["explain", "pod.spec"], "-"), (["version", "--client"], "-")):
        compare(programs, words, goal, env)


def main():
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__)
        return 0
    api.own_network("bench-kubectl")
    with api.Scratch("bench-kubectl") as scratch:
        try:
            measure(scratch)
        except (api.Died, OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError) as e:
            NOTES.append(str(e))
    for n in NOTES:
        print("note:", n)
    if "--json" in sys.argv:
        with open(sys.argv[sys.argv.index("--json") + 1], "w") as f:
            json.dump({"rows": ROWS, "notes": NOTES}, f)
    return 1 if any("not installed" not in n for n in NOTES) else 0


if __name__ == "__main__":
    sys.exit(main())
