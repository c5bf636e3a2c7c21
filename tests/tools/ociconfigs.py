# SPDX-License-Identifier: Apache-2.0
"""Configs for a runtime, valid and otherwise: a plain one, and changes drawn at random from tables of fields and values.

A table row is a field's path and the values worth a try, from usual to absurd; besides them any field may get a value of
a wrong type, be given twice, or go. What could reach the machine outside the container's namespaces is not in the tables.
"""
import copy
import json

WATCHED = ["/", "/dev", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/fd", "/dev/stdin",
           "/dev/stderr", "/dev/core", "/dev/console", "/dev/pts", "/dev/shm", "/dev/made", "/dev/sub/made", "/proc", "/proc/kcore", "/proc/keys",
           "/proc/sys", "/proc/sys/kernel/hostname", "/proc/bus", "/proc/acpi", "/sys", "/sys/firmware", "/sys/fs/cgroup", "/tmp", "/etc/passwd",
           "/dir", "/dir/file", "/dir/full", "/dir/full/f", "/dir/empty", "/dir/link", "/dir/dangling", "/d1", "/d1/f", "/d1/sub", "/d2", "/d2/f",
           "/new/place", "=/proc/sys/net/ipv4/ip_forward", "=/proc/sys/kernel/msgmax", "=/proc/sys/kernel/domainname"]
CGROUP_FILES = ["memory/%s/memory.limit_in_bytes", "memory/%s/memory.soft_limit_in_bytes", "memory/%s/memory.memsw.limit_in_bytes",
                "memory/%s/memory.swappiness", "memory/%s/memory.oom_control", "cpu/%s/cpu.shares", "cpu/%s/cpu.cfs_quota_us",
                "cpu/%s/cpu.cfs_period_us", "cpu/%s/cpu.cfs_burst_us", "cpu/%s/cpu.idle", "cpuset/%s/cpuset.cpus", "cpuset/%s/cpuset.mems",
                "pids/%s/pids.max", "devices/%s/devices.list", "blkio/%s/blkio.throttle.read_bps_device", "blkio/%s/blkio.throttle.write_iops_device"]


def plain(name):
    caps = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_CHOWN"]
    files = ["=/host" + "/" + f % name for f in CGROUP_FILES]
    return {
        "ociVersion": "1.0.2",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/bin/probe", *WATCHED, *files],
                    "env": ["PATH=/bin:/usr/bin", "TERM=xterm", "HOME=/root"],
                    "capabilities": {k: list(caps) for k in ("bounding", "effective", "permitted")},
                    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}], "noNewPrivileges": True},
        "root": {"path": "rootfs", "readonly": False}, "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/host", "type": "bind", "source": "/sys/fs/cgroup", "options": ["rbind", "ro"]}],
        "linux": {
            "cgroupsPath": "/" + name,
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]},
    }


BIG = [1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64]
CAPS = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_SETUID", "CAP_BPF", "CAP_MKNOD"]
ODD_CAPS = ["CAP_NOSUCH", "cap_kill", "KILL", "", "CAP_"]
RLIMITS = ["CORE", "CPU", "DATA", "FSIZE", "STACK", "NPROC", "NOFILE", "MEMLOCK", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
           "RSS", "AS"]
FLAGS = ["ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "atime", "relatime", "norelatime", "strictatime",
         "nostrictatime", "nodiratime", "diratime", "sync", "async", "dirsync", "mand", "nomand", "silent", "loud", "iversion", "noiversion",
         "lazytime", "nolazytime", "defaults", "nosymfollow", "symfollow"]
RECURSIVE = ["rro", "rrw", "rnosuid", "rsuid", "rnodev", "rdev", "rnoexec", "rexec", "rnoatime", "rrelatime", "rstrictatime", "rnodiratime",
             "rnosymfollow"]
PROPAGATION = ["private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"]
SAFE_CALLS = ["getpriority", "getpgid", "getppid", "sched_get_priority_max", "unshare", "sethostname", "kcmp"]
SYSCTLS = {"net.ipv4.ip_forward": ["1", "0", "2", "x", ""], "kernel.msgmax": ["4096", "-1"], "kernel.domainname": ["d.example"],
           "net.ipv4.ip_local_port_range": ["1024 2000"], "net/ipv4/ip_forward": ["1"]}
ODD_SYSCTLS = {"kernel.hostname": ["sysctl"], "vm.swappiness": ["60"], "net.nosuch": ["1"], "../x": ["1"], "": ["1"], "kernel.pid_max": ["32768"],
               "fs.mqueue.msg_max": ["10"], "kernel.shmmax": ["65536"]}


def some(r, values, low=0, high=4):
    return [r.choice(values) for _ in range(r.randint(low, high))]


def rlimit(r):
    low = r.choice([0, 1, 100, 1000, 4096, 1 << 20, 1 << 40, (1 << 64) - 1, *BIG])
    soft = low if r.random() < 0.8 else r.choice([0, low // 2, low + 1])
    kind = "RLIMIT_" + r.choice(["CORE", "SIGPENDING", "MSGQUEUE", "LOCKS", "RSS", "NICE", "RTPRIO", "RTTIME", "CORE"])
    if r.random() < 0.1:
        kind = r.choice(["RLIMIT_NOSUCH", "NOFILE", "rlimit_core", ""])
    return {"type": kind, "hard": low, "soft": soft}


def mount(r):
    dest = r.choice(["/d1", "/d2", "/d1/sub", "/new/place", "/dir/full", "/dir/link", "/dir/file", "d2", "/tmp", "/d1/../d2", "//d1/"])
    kind = r.choice(["tmpfs", "bind", "bind", "tmpfs", "proc", "mqueue", "nosuchfs", "ramfs"])
    m = {"destination": dest, "type": kind, "source": kind, "options": some(r, FLAGS, 0, 3)}
    if kind == "bind":
        m["source"] = r.choice(["src", "src/f", "/etc", "/etc/hostname", "src/sub", "nosuch", "/no/such", "./src"])
        m["type"] = r.choice(["bind", "none", "", "tmpfs"])
        m["options"] = [r.choice(["bind", "rbind"])] + m["options"]
        if r.random() < 0.3:
            m["options"] += some(r, RECURSIVE, 1, 2)
    elif kind == "tmpfs":
        m["options"] += some(r, ["mode=755", "mode=1777", "size=64k", "size=1m", "nr_inodes=100", "uid=5", "gid=6", "size=x", "nosuchoption",
                                 "tmpcopyup", "mode=9"], 0, 2)
    if r.random() < 0.25:
        m["options"].append(r.choice(PROPAGATION))
    if r.random() < 0.1:
        m["options"].append(r.choice(["remount", "idmap", "ridmap", "", "nosuch=1", "RO"]))
    for key in ("type", "source", "options"):
        if r.random() < 0.05:
            del m[key]
    return m


def device(r):
    kind = r.choice(["c", "c", "u", "b", "p", "a", "x", ""])
    d = {"path": r.choice(["/dev/made", "/dev/sub/made", "/dev/null", "/dev/zero", "/d1/dev", "dev/made", "/tmp/made", "/dev", ""]), "type": kind}
    if kind != "p" or r.random() < 0.2:
        d["major"], d["minor"] = r.choice([(1, 3), (1, 5), (7, 7), (0, 0), (-1, 3), (4096, 1 << 20), (1 << 40, 1)])
    for key, values in (("fileMode", [0o600, 0o666, 0o644, 0, 0o7777, 0o20666, 65536]), ("uid", [0, 5, 1000, (1 << 32) - 1]), ("gid", [0, 6, -1])):
        if r.random() < 0.4:
            d[key] = r.choice(values)
    return d


def device_rule(r):
    rule = {"allow": r.random() < 0.6}
    for key, values in (("type", ["c", "b", "a", "x"]), ("major", [1, 5, -1, 10, 0]), ("minor", [3, 5, -1, 229]),
                        ("access", ["rwm", "r", "w", "m", "rw", "", "rwmx", "wr"])):
        if r.random() < 0.7:
            rule[key] = r.choice(values)
    return rule


def seccomp(r):
    s = {"defaultAction": r.choice(["SCMP_ACT_ALLOW"] * 6 + ["SCMP_ACT_LOG", "SCMP_ACT_NOSUCH", "SCMP_ACT_TRACE"])}
    actions = ["SCMP_ACT_ERRNO"] * 5 + ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "ACT_ERRNO"]
    calls = []
    for _ in range(r.randint(0, 4)):
        rule = {"names": some(r, SAFE_CALLS + ["nosuchcall"], 1, 3), "action": r.choice(actions)}
        if r.random() < 0.5:
            rule["errnoRet"] = r.choice([1, 28, 38, 0, 4095, 4096, 70000])
        if r.random() < 0.6:
            rule["args"] = [{"index": r.choice([0, 0, 1, 2, 5, 6]), "value": r.choice([0, 1, 2, 5, 0x12, 1 << 33, (1 << 64) - 1]),
                             "valueTwo": r.choice([0, 1, 0x11, 0x12]),
                             "op": r.choice(["SCMP_CMP_" + o for o in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")] * 3 + ["SCMP_CMP_X"])}
                            for _ in range(r.randint(1, 2))]
        calls.append(rule)
    if r.random() < 0.9:
        s["syscalls"] = calls
    if r.random() < 0.4:
        s["architectures"] = some(r, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_NOSUCH", "x86_64"], 0, 3)
    if r.random() < 0.2:
        s["flags"] = some(r, ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_X"], 0, 2)
    if r.random() < 0.1:
        s["defaultErrnoRet"] = r.choice([1, 38, 0])
    return s


def namespaces(r):
    kinds = ["pid", "network", "ipc", "uts", "mount", "cgroup", "user", "time"]
    chosen = [{"type": k} for k in kinds[:5] if r.random() < 0.85 or k in ("mount", "network", "uts", "ipc")]
    if r.random() < 0.4:
        chosen.append({"type": "cgroup"})
    roll = r.random()
    if roll < 0.1:
        chosen.append({"type": r.choice(kinds)})  # maybe twice
    elif roll < 0.2:
        chosen.append({"type": r.choice(["nosuch", "", "net", "mnt", "PID"])})
    elif roll < 0.3:
        chosen[0] = dict(chosen[0], path=r.choice(["/no/such", "/etc/passwd", "relative", ""]))
    elif roll < 0.4:
        chosen = [c for c in chosen if c["type"] != "pid"] + [{"type": "pid", "path": r.choice(["/proc/1/ns/uts", "/proc/self/ns/pid"])}]
    r.shuffle(chosen)
    return chosen


def hook(r):
    h = {"path": r.choice(["/bin/true", "/bin/true", "/bin/false", "/no/such", "true", ""])}
    if r.random() < 0.3:
        h["args"] = r.choice([["true"], [], ["true", "x"]])
    if r.random() < 0.2:
        h["env"] = r.choice([["A=b"], [], ["novalue"]])
    if r.random() < 0.2:
        h["timeout"] = r.choice([1, 30, 0, -1])
    return h


def mapping(r):
    if r.random() < 0.7:
        return [{"containerID": 0, "hostID": r.choice([0, 100000]), "size": r.choice([65536, 100000, 1 << 20])}]
    return [{"containerID": r.choice([0, 1, 10]), "hostID": r.choice([0, 1000, 1 << 32]), "size": r.choice([0, 1, 1 << 32])} for _ in range(r.randint(0, 3))]


def userns(r, c):
    c["linux"]["namespaces"] = c["linux"]["namespaces"] + [{"type": "user"}]
    c["linux"]["uidMappings"], c["linux"]["gidMappings"] = mapping(r), mapping(r)
    if r.random() < 0.1:
        del c["linux"][r.choice(["uidMappings", "gidMappings"])]


FIELDS = [
    ("ociVersion", ["1.0.0", "1.0.2-dev", "1.1.0", "1.2.1", "1.3.0", "1.0.0-rc5", "2.0.0", "0.1.0", "invalid", "", "1", "1.0.2+build"]),
    ("process.terminal", [False]),
    ("process.consoleSize", [{"height": 25, "width": 80}, {"height": 0, "width": 0}, {"height": -1, "width": 5}, {}]),
    ("process.cwd", ["/tmp", "/dir", "/made/by/runtime", "relative", "", "/dir/file", "//tmp/../dir", "/dir/link", "/proc/self", "/dir/../../etc"]),
    ("process.env", [[], ["A=b"], ["A=1", "A=2"], ["novalue"], ["=x"], ["PATH=/nowhere"], ["A=" + "x" * 5000], ["HOME="], ["LISTEN_FDS=3"]]),
    ("process.user.uid", [0, 1, 1000, 65534, 1 << 31, (1 << 32) - 2, (1 << 32) - 1, 1 << 32, -1]),
    ("process.user.gid", [0, 5, 1000, 65534, (1 << 32) - 2, (1 << 32) - 1, -1]),
    ("process.user.umask", [0, 0o22, 0o77, 0o777, 0o1777, 0o7777, 1 << 20, -1]),
    ("process.user.additionalGids", [[], [5], [5, 6, 7], [5, 5], [0], [(1 << 32) - 1], list(range(100, 300))]),
    *[("process.capabilities." + k, lambda r: some(r, CAPS + (ODD_CAPS if r.random() < 0.2 else []), 0, 5))
      for k in ("bounding", "effective", "permitted", "inheritable", "ambient")],
    ("process.capabilities", lambda r: {k: list(CAPS) for k in ("bounding", "effective", "permitted", "inheritable", "ambient") if r.random() < 0.8}),
    ("process.rlimits", lambda r: [rlimit(r) for _ in range(r.randint(0, 3))]),
    ("process.noNewPrivileges", [True, False]),
    ("process.oomScoreAdj", [0, 1, 500, 1000, 1001, -1, -1000, -1001, 1 << 31]),
    ("process.apparmorProfile", ["", "unconfined", "nosuch"]),
    ("process.selinuxLabel", ["", "a:b:c:s0"]),
    ("process.scheduler", [{"policy": "SCHED_OTHER", "nice": 5}, {"policy": "SCHED_BATCH", "nice": 19}, {"policy": "SCHED_IDLE"}, {"nice": 1},
                           {"policy": "SCHED_NOSUCH"}, {"policy": "SCHED_OTHER", "nice": 20}, {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
                           {"policy": "SCHED_FIFO", "priority": 5}, {"policy": "SCHED_FIFO", "priority": 0}, {}]),
    ("process.ioPriority", [{"class": "IOPRIO_CLASS_BE", "priority": 4}, {"class": "IOPRIO_CLASS_IDLE", "priority": 0}, {"class": "X", "priority": 1},
                            {"class": "IOPRIO_CLASS_BE", "priority": 8}, {}]),
    ("process.execCPUAffinity", [{"initial": "0", "final": "0-1"}, {"initial": "x"}]),
    ("root.readonly", [True, False]),
    ("root.path", ["rootfs", "./rootfs", "rootfs/", "../b/rootfs", "nosuch", "src/f", ""]),
    ("hostname", ["other", "", "a" * 64, "a" * 65, "ünicode", "with space", "a.b.c"]),
    ("domainname", ["example.org", "", "d" * 64, "d" * 65]),
    ("annotations", [{}, {"a": "b"}, {"": "x"}, {"a": ""}, {"org.opencontainers.image.os": "linux"}, {"run.oci.nosuch": "1"}, {"a": "ü\u0001"}]),
    ("unknownProperty", [1, {"a": [1, 2]}, None, "x"]),
    ("mounts+", mount), ("mounts+", mount), ("mounts+", mount), ("mounts+", mount),
    ("hooks.prestart", lambda r: [hook(r)]), ("hooks.createRuntime", lambda r: [hook(r)]), ("hooks.createContainer", lambda r: [hook(r)]),
    ("hooks.startContainer", lambda r: [dict(hook(r), path=r.choice(["/bin/true", "/bin/false", "/no/such", "true"]))]),
    ("hooks.poststart", lambda r: [hook(r)]), ("hooks.poststop", lambda r: [hook(r)]),
    ("linux.namespaces", namespaces), ("linux.namespaces", namespaces), ("userns", userns), ("userns", userns), ("userns", userns),
    ("linux.uidMappings", mapping), ("linux.gidMappings", mapping),
    ("linux.timeOffsets", [{"monotonic": {"secs": 100}}, {"boottime": {"secs": 5, "nanosecs": 7}}, {"realtime": {"secs": 1}}, {}]),
    ("linux.devices", lambda r: [device(r) for _ in range(r.randint(1, 3))]),
    ("linux.resources.devices", lambda r: [device_rule(r) for _ in range(r.randint(0, 4))]),
    ("linux.resources.memory.limit", [1 << 26, 1 << 30, -1, 0, 4096 * 3000 + 1, -2, *BIG]),
    ("linux.resources.memory.reservation", [1 << 25, -1, 0, *BIG]),
    ("linux.resources.memory.swappiness", [0, 60, 100, 101, 200, -1]),
    ("linux.resources.memory.disableOOMKiller", [True, False]),
    ("linux.resources.memory", lambda r: {"limit": r.choice([1 << 26, 1 << 27, -1]), "swap": r.choice([1 << 26, 1 << 28, -1, 1 << 20]),
                                          **({"reservation": 1 << 25} if r.random() < 0.5 else {})}),
    ("linux.resources.memory.useHierarchy", [True, False]),
    ("linux.resources.cpu.shares", [2, 512, 1024, 262144, 0, 1, 300000, -1, *BIG]),
    ("linux.resources.cpu.quota", [50000, -1, 1000, 0, 999, *BIG]),
    ("linux.resources.cpu.period", [100000, 1000, 1000000, 0, 999, 1000001]),
    ("linux.resources.cpu", lambda r: {"quota": r.choice([20000, 50000, -1]), "period": r.choice([100000, 50000]), **({"burst": 1000} if r.random() < 0.3 else {})}),
    ("linux.resources.cpu.cpus", ["0", "0-1", "1", "", "9", "0-", "x"]),
    ("linux.resources.cpu.mems", ["0", "", "7", "x"]),
    ("linux.resources.cpu.idle", [0, 1, 2]),
    ("linux.resources.pids.limit", [100, 1000, -1, 0, 1 << 40, *BIG]),
    ("linux.resources.blockIO", [{"weight": 100}, {"weight": 5}, {"throttleReadBpsDevice": [{"major": 254, "minor": 0, "rate": 1 << 20}]},
                                 {"throttleWriteIOPSDevice": [{"major": 254, "minor": 0, "rate": 100}]},
                                 {"throttleReadBpsDevice": [{"major": 99, "minor": 99, "rate": 1}]}, {}]),
    ("linux.resources.hugepageLimits", [[{"pageSize": "2MB", "limit": 1 << 21}], [{"pageSize": "3MB", "limit": 1}], []]),
    ("linux.resources.network", [{"classID": 1048577}, {"priorities": [{"name": "lo", "priority": 1}]}, {}]),
    ("linux.resources.rdma", [{"mlx5_1": {"hcaHandles": 3}}, {}]),
    ("linux.resources.unified", [{"memory.max": "1000000"}, {}, {"nosuch.file": "1"}, {"../x": "1"}]),
    ("linux.sysctl", lambda r: {k: r.choice((SYSCTLS | ODD_SYSCTLS)[k]) for k in some(r, list(SYSCTLS) * 2 + list(ODD_SYSCTLS), 1, 2)}),
    ("linux.seccomp", seccomp), ("linux.seccomp", seccomp), ("linux.seccomp", seccomp), ("linux.seccomp", seccomp),
    ("linux.rootfsPropagation", ["", *PROPAGATION, "nosuch"]),
    ("linux.maskedPaths", [[], ["/dir/file"], ["/dir/full"], ["/dir/link"], ["/dir/dangling"], ["/no/such"], ["dir/file"], ["/proc/keys", "/dev/full"],
                           ["/"], [""], ["/dir/../etc/passwd"], ["/dir/full", "/dir/full/f"]]),
    ("linux.readonlyPaths", [[], ["/dir/file"], ["/dir/full"], ["/dir/link"], ["/dir/dangling"], ["/no/such"], ["dir/file"], ["/dev"], ["/"],
                             ["/dir", "/dir/full"], [""]]),
    ("linux.mountLabel", ["", "x"]),
    ("linux.personality", [{"domain": "LINUX"}, {"domain": "LINUX32"}, {"domain": "BSD"}, {}, {"domain": "LINUX", "flags": ["X"]}]),
    ("linux.intelRdt", [{"closID": "x"}, {"l3CacheSchema": "L3:0=f"}, {}]),
    ("linux.memoryPolicy", [{"mode": "MPOL_INTERLEAVE", "nodes": "0"}, {"mode": "MPOL_NOSUCH"}, {}]),
    ("linux.netDevices", [{}, {"nosuch0": {"name": "eth7"}}]),
    ("linux.cgroupsPath", ["", "/NAME/sub", "NAME/relative", "/NAME/../NAME/up", "/NAME//double"]),
]
WRONG = [None, True, "x", "", -1, 1.5, [], {}, 1 << 64, [[]], [None], {"a": 1}, 0, "1"]


def walk(c, path):
    """The object that holds the last name of path, made on the way; None when something else is there."""
    names = path.split(".")
    for n in names[:-1]:
        if not isinstance(c, dict):
            return None, None
        c = c.setdefault(n, {})
    return (c, names[-1]) if isinstance(c, dict) else (None, None)


def paths(c, at=""):
    """Every named place in a document, but for what keeps the comparison alive."""
    for k, v in c.items() if isinstance(c, dict) else enumerate(c):
        here = f"{at}.{k}" if at else str(k)
        if here.startswith(("mounts.5", "linux.cgroupsPath", "process.args")):
            continue
        yield here, c, k
        if isinstance(v, (dict, list)):
            yield from paths(v, here)


def spoil(r, c):
    """A value of a wrong type, or one place taken away."""
    where, holder, key = r.choice(list(paths(c)))
    if where.startswith("linux.namespaces"):  # never without one: the machine's own would be changed
        return None
    if r.random() < 0.25 and isinstance(holder, dict):
        if where == "linux":
            return None
        del holder[key]
        return "gone:" + where
    holder[key] = copy.deepcopy(r.choice(WRONG))
    return "type:" + tag(where, holder[key])


def tag(path, value):
    """The field and what it was given, without a space: what an entry of oci-random.known looks at."""
    return f"{path}={json.dumps(value, separators=(',', ':'))}".replace(" ", "_")


def change(r, c, name):
    path, values = r.choice(FIELDS)
    if path == "userns":
        if isinstance(c["linux"].get("namespaces"), list):
            values(r, c)
        return tag("userns", {k: c["linux"].get(k) for k in ("uidMappings", "gidMappings")})
    value = values(r) if callable(values) else copy.deepcopy(r.choice(values))
    if path == "linux.cgroupsPath":
        value = value.replace("NAME", name)
    if path.endswith("+"):
        if isinstance(c.get(path[:-1]), list):
            c[path[:-1]].append(value)
        return tag(path[:-1], value)
    holder, key = walk(c, path)
    if holder is not None:
        holder[key] = value
    return tag(path, value)


def twice(r, text):
    """One property given a second time, first or last in its object."""
    key, value = r.choice([('"hostname"', '"second"'), ('"ociVersion"', '"1.0.1"'), ('"readonly"', "true"), ('"cwd"', '"/tmp"'), ('"uid"', "7")])
    at = text.find(key)
    if at < 0:
        return text, "twice:nothing"
    return text[:at] + f"{key}: {value}, " + text[at:], "twice:" + key.strip('"')


def case(name, r):
    c = plain(name)
    tags = [change(r, c, name) for _ in range(r.choice([1, 1, 1, 2, 2, 3]))]
    roll = r.random()
    if roll < 0.10:
        tags.append(spoil(r, c) or "nothing")
    text = json.dumps(c)
    if 0.10 <= roll < 0.13:
        text, tag = twice(r, text)
        tags.append(tag)
    elif 0.13 <= roll < 0.15:
        cut = r.randint(0, len(text) - 1)
        text, tag = r.choice([(text[:cut], "cut"), (text + "}", "tail"), (text + " \n", "space"), ("\ufeff" + text, "mark"), ("", "empty"),
                              ("[" + text + "]", "array"), (text.replace(":", " : "), "spaces")])
        tags.append(tag)
    return text, sorted(t for t in tags if t)
