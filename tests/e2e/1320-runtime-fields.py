#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every field, mount option, annotation and flag is applied, or refused by name: 1320-runtime-fields.list says how it shows.

1320-runtime-fields.py [WORD]: only entries whose name has WORD. The list is also compared with what the runtime has: the rows
of src/runtime/conf.c, the mount options of `features`, the annotations its sources name, the flags its --help shows. A proof
must not hold for the plain config (a mount option's: without the option).
"""
import glob
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests/tools"))
import ocibench  # noqa: E402
import ociconfigs  # noqa: E402
import ocifields  # noqa: E402
from ocibench import MARK, needs  # noqa: E402

OCI = os.path.abspath(os.environ.get("TEU_OCI", os.path.join(TOP, "build/teu-oci")))
MORE = ["memory/%s/memory.kmem.limit_in_bytes", "memory/%s/memory.kmem.tcp.limit_in_bytes", "memory/%s/memory.use_hierarchy",
        "cpu/%s/cpu.rt_runtime_us", "cpu/%s/cpu.rt_period_us", "blkio/%s/blkio.weight", "blkio/%s/blkio.bfq.weight", "blkio/%s/blkio.leaf_weight",
        "blkio/%s/blkio.weight_device", "blkio/%s/blkio.bfq.weight_device", "blkio/%s/blkio.throttle.write_bps_device",
        "blkio/%s/blkio.throttle.read_iops_device", "net_cls/%s/net_cls.classid", "net_prio/%s/net_prio.ifpriomap", "rdma/%s/rdma.max"]


def disk():
    """Numbers of a disk of this machine, for throttles."""
    for path in sorted(glob.glob("/sys/block/*/dev")):
        with open(path) as f:
            major, minor = f.read().strip().split(":")
        if int(major) not in (1, 7):
            return major, minor
    return "7", "0"


def plain():
    c = ociconfigs.plain(MARK)
    c["process"]["args"] += ["=/host/" + f % MARK for f in MORE]
    return c


def put(config, path, op, value):
    """PATH = JSON or PATH += JSON; numbers are places in a list."""
    *way, last = [int(n) if n.isdigit() else n for n in path.split(".")]
    for name in way:
        config = config[name] if isinstance(config, list) else config.setdefault(name, {})
    if op == "=":
        if value is None:
            config.pop(last, None)
        else:
            config[last] = value
    else:
        config.setdefault(last, []).append(value)


def configure(case, without=None):
    config = plain()
    numbers = dict(zip(("@DISK@", "@DISKN@"), disk()))
    for line in case.sets:
        for word, number in numbers.items():
            line = line.replace(word, number)
        line = line.replace("@ID@", MARK)
        if line.startswith("mount "):
            dest, kind, source, options = (line.split() + [""])[1:5]
            config["mounts"].append({"destination": dest, "type": kind, "source": source, "options": [o for o in options.split(",") if o and o != without]})
        else:
            path, op, value = line.split(None, 3)[1:]
            put(config, path, op, json.loads(value))
    return config


class Tests:
    def __init__(self, bench):
        self.bench, self.n, self.failed = bench, 0, 0
        runs, self.base, msg = bench.run([OCI], json.dumps(plain()))
        if not runs:
            raise SystemExit(f"not ok 1 - the plain config does not run: {msg}")

    def say(self, name, problems):
        self.n += 1
        self.failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.n} - {name}", *(f"#   {p}" for p in problems), sep="\n", flush=True)

    def check(self, entry, case):
        """What is wrong with one case, as lines."""
        if not case.sets:
            return [f"tests/{f} does not say '{w}'" for f, w in case.tested if not says(f, w)]
        seen = {}
        runs, lines, msg = self.bench.run([OCI], json.dumps(configure(case)), lambda d: seen.update(read(d, case)))
        if not runs and any(t in msg for t in case.lacks):
            return []
        if case.refuses:
            bad = [f"it runs, and '{case.refuses}' was to be refused"] if runs else [] if case.refuses in msg else [f"refused with: {msg}"]
        else:
            bad = self.look(entry, case, lines, seen) if runs else [f"refused with: {msg}"]
        return bad + [f"tests/{f} does not say '{w}'" for f, w in case.tested if not says(f, w)]

    def look(self, entry, case, lines, seen):
        base = self.base
        if entry.kind == "option":
            base = self.bench.run([OCI], json.dumps(configure(case, without=entry.name)))[1]
        numbers = disk()
        bad = []
        for wanted, patterns in ((True, case.sees), (False, case.hides)):
            for p in patterns:
                p = p.replace("@DISK@", numbers[0]).replace("@DISKN@", numbers[1])
                now, before = (any(re.search(p, x) for x in of) for of in (lines, base))
                if now != wanted:
                    bad.append(f"{'no line' if wanted else 'a line'} like {p}; near: " + "; ".join(near(p, lines))[:300])
                elif before == wanted:
                    bad.append(f"proves nothing, it is so without: {p}")
        bad += [f"a line like {p}" for p in case.never if any(re.search(p, x) for x in lines)]
        bad += [f"the file {f} has not {p}, but: {seen[f][:200]}" for f, p in case.files if not re.search(p, seen[f])]
        return bad


def near(pattern, lines):
    word = re.search(r"[\w/.]{4,}", pattern)
    return [x for x in lines if word and word.group() in x][:4]


def read(where, case):
    out = {}
    for name, _ in case.files:
        try:
            with open(os.path.join(where, name)) as f:
                out[name] = f.read()
        except OSError as e:
            out[name] = str(e)
    return out


def says(path, words):
    for f in glob.glob(os.path.join(TOP, "tests", path + ("/*.c" if "." not in os.path.basename(path) else ""))):
        with open(f) as text:
            if words in text.read():
                return True
    return False


# ---- what the runtime has, and the list ----

def rows_of_source():
    """Paths of all fields, from the schema rows."""
    with open(os.path.join(TOP, "src/runtime/conf.c")) as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    rows = {}
    for name, body in re.findall(r"struct schema_field (\w+)_rows\[\] = \{(.*?)\n\};", text, re.S):
        rows[name] = re.findall(r'(F_\w+|HOOKS_ROW)\(\s*(?:struct \w+,\s*[\w\[\]]+|\w+),\s*"(\w+)"(?:,\s*&(\w+)_schema)?', body)

    def walk(name, at):
        for kind, key, below in rows[name]:
            path = f"{at}.{key}" if at else key
            yield path
            below = "hook" if kind == "HOOKS_ROW" else below
            if below:
                yield from walk(below, path + ("[]" if "LIST" in kind or kind == "HOOKS_ROW" else ".*" if "MAP" in kind else ""))
    return set(walk("conf", ""))


def notes_of_source():
    found = set()
    for f in glob.glob(os.path.join(TOP, "src/runtime/*.c")):
        with open(f) as text:
            found |= set(re.findall(r'"((?:run\.oci|org\.criu|org\.systemd|io\.teu)\.[\w.-]+)"', text.read()))
    return found - {"io.teu.runtime.version"}  # told by `features`


def asked(*args):
    return subprocess.run([OCI, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def flags_of_help():
    found = set()
    commands = re.search(r"Commands:\n(.*?)\n\n", asked("--help").stdout, re.S).group(1)
    for command in ["-", *(line.split()[0] for line in commands.splitlines())]:
        text = asked(*([] if command == "-" else [command]), "--help").stdout
        found |= {f"{command} {flag}" for flag in re.findall(r"^ +(?:-\w, )? *(--[\w-]+)", text, re.M)}
    return found


def differ(listed, have):
    return ([f"the runtime has it, the list has not: {x}" for x in sorted(have - listed)] +
            [f"listed, and the runtime has it not: {x}" for x in sorted(listed - have)])


def flag_problems(entry):
    """A flag is used by a test that is named, or is refused by its name."""
    command, flag = entry.name.split()
    for case in entry.cases:
        if case.refuses:
            r = asked(*([] if command == "-" else [command]), flag, "x", "y")
            return [] if r.returncode and case.refuses in r.stdout else [f"exit {r.returncode}: {r.stdout.strip()[:200]}"]
        for f, w in case.tested:
            if not says(f, w) or not (says(f, flag) or case.short and says(f, f" {case.short} ")):
                return [f"tests/{f} does not say '{w}' and '{flag}'"]
    return []


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if os.geteuid() != 0 or not os.access(OCI, os.X_OK):
        needs(f"root and {OCI}")
    if not os.access("/bin/busybox", os.X_OK):
        needs("busybox-static")
    if not os.path.exists("/sys/fs/cgroup/cpu/cpu.shares"):
        needs("cgroup v1 (tests/vm has the same of v2)")
    ocibench.inside()
    entries = ocifields.read(os.path.join(HERE, "1320-runtime-fields.list"))
    bench = ocibench.Bench()
    bench.worker = ocibench.Worker(bench.dir)
    tests = Tests(bench)
    if not word:
        have = {"field": rows_of_source(), "option": set(json.loads(asked("features").stdout)["mountOptions"]), "note": notes_of_source(), "flag": flags_of_help()}
        for kind, of_runtime in have.items():
            # What is refused by name need not be something that the runtime "has".
            listed = {e.name for e in entries if e.kind == kind and (e.name in of_runtime or kind == "field" or not e.only_refused())}
            tests.say(f"the list has every {kind} of the runtime", differ(listed, of_runtime))
    for e in entries:
        if word in e.name:
            problems = flag_problems(e) if e.kind == "flag" else [p for case in e.cases for p in tests.check(e, case)]
            tests.say(f"{e.kind} {e.name}", problems if e.cases else ["no verdict"])
    print(f"1..{tests.n}")
    return 1 if tests.failed else 0


if __name__ == "__main__":
    sys.exit(main())
