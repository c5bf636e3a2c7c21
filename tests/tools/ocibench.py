# SPDX-License-Identifier: Apache-2.0
"""A bench for runtimes: bundles of their own with the probe as program, runs that leave nothing, devices of their own.

Used inside inside(): network and mount namespaces of the test's own, where /mnt is a tmpfs that goes with it.
"""
import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MARK = "teu-bench-@@@@@@"  # stands for the name of a run in the text of a config
LIMIT = 20  # seconds that a run may take


def needs(what):
    print(f"needs {what}")
    sys.exit(77)


def inside():
    """In namespaces of our own, without the second hierarchy, which crun refuses."""
    if os.environ.pop("OCI_BENCH_INSIDE", None):
        return
    os.environ["OCI_BENCH_INSIDE"] = "1"
    # crun makes plain directories where the second hierarchy was: they are to lie on a file system that goes with us.
    script = ('ip link set lo up; if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified 2>/dev/null; '
              'mount -t tmpfs none /sys/fs/cgroup/unified; fi; for d in /run/netns /mnt; do mount -t tmpfs none $d 2>/dev/null; done; exec "$@"')
    os.execvp("unshare", ["unshare", "-nm", "sh", "-c", script, "sh", sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]])


NODES = [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)]


class Worker:
    """Set up once per process: what outlives a run becomes our child, and device files of our own lie over the machine's.

    crun gives its stdin, and host devices that it binds, to the container's user.
    """

    def __init__(self, at):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
        if libc.unshare(0x00020000) or libc.mount(None, b"/", None, 0x84000, None):  # CLONE_NEWNS; MS_SLAVE | MS_REC
            raise OSError(ctypes.get_errno(), "a mount namespace of its own")
        self.files = []
        for name, minor in NODES:
            mine = f"{at}/{name}-{os.getpid()}"
            os.mknod(mine, 0o20666, os.makedev(1, minor))
            os.chmod(mine, 0o666)
            if libc.mount(mine.encode(), b"/dev/" + name.encode(), None, 0x1000, None):  # MS_BIND
                raise OSError(ctypes.get_errno(), f"bind '{mine}'")
            self.files.append(mine)

    def reset(self):
        for f in self.files:
            os.chown(f, 0, 0)
            os.chmod(f, 0o666)


class Bench:
    """What all runs share: the probe, the list of hierarchies, a template of the root."""

    def __init__(self):
        os.umask(0o022)  # root of a user namespace reads the bundle
        self.dir = tempfile.mkdtemp(prefix="teu-bench-", dir="/mnt")  # a tmpfs of our own
        os.chmod(self.dir, 0o755)
        with open("/proc/self/mounts") as f:
            self.hierarchies = [m[1] for m in map(str.split, f) if m[2] in ("cgroup", "cgroup2")]
        self.probe = os.path.join(self.dir, "probe")
        build = ["musl-gcc", "-static", "-Os", "-idirafter", "/usr/include", "-idirafter", f"/usr/include/{os.uname().machine}-linux-gnu"]
        if subprocess.run([*build, "-o", self.probe, TOP + "/tests/tools/probe.c"], stderr=subprocess.DEVNULL).returncode:
            if subprocess.run(["gcc", "-static", "-o", self.probe, TOP + "/tests/tools/probe.c"]).returncode:
                needs("a compiler for the probe")
        shutil.copy("/bin/busybox", self.dir + "/busybox")
        self.worker, self.runs = None, 0

    def name(self):
        self.runs += 1
        return f"teu-bench-{os.getpid()}-{self.runs}"

    def bundle(self, where, text):
        root = os.path.join(where, "b/rootfs")
        for d in ("bin", "proc", "sys", "dev", "tmp", "etc", "dir/full", "dir/empty", "d1", "d2", "host"):
            os.makedirs(os.path.join(root, d))
        os.link(self.probe, root + "/bin/probe")
        os.link(self.dir + "/busybox", root + "/bin/busybox")
        for a in ("sh", "true", "false"):
            os.symlink("busybox", f"{root}/bin/{a}")
        os.makedirs(where + "/b/src/sub")
        for path, said in (("rootfs/etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n"), ("rootfs/dir/file", "text"),
                           ("rootfs/dir/full/f", "x"), ("src/f", "source"), ("config.json", text)):
            with open(f"{where}/b/{path}", "w") as f:
                f.write(said)
        os.symlink("/dir/file", root + "/dir/link")
        os.symlink("/nowhere", root + "/dir/dangling")
        os.chmod(root + "/tmp", 0o1777)

    def run(self, program, text, look=None):
        """(runs?, lines of the probe, message). In text MARK is the run's name, @DIR@ its directory; look(directory) is called at the end."""
        name = self.name()
        where = os.path.join(self.dir, name)
        self.bundle(where, text.replace(MARK, name).replace("@DIR@", where))
        cmd = [self.probe, "--launch", *program, "--root", where + "/state", "run", "--bundle", where + "/b", name]
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C"}
        with open(where + "/out", "w+b") as out, open(where + "/err", "w+b") as err:
            with open("/dev/null") as nothing:  # our own (Worker)
                p = subprocess.Popen(cmd, stdin=nothing, stdout=out, stderr=err, env=env, cwd=where)
            late = False
            try:
                p.wait(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                late = True
                p.kill()
                p.wait()
            out.seek(0)
            err.seek(0)
            lines = out.read().decode(errors="replace").replace(name, MARK).splitlines()
            msg = "time-out" if late else err.read().decode(errors="replace").replace(name, MARK).strip()
        self.sweep(name)
        self.worker.reset()
        if look:
            look(where)
        shutil.rmtree(where, ignore_errors=True)
        if p.returncode < 0:
            msg = f"killed by signal {-p.returncode} {msg}"
        return bool(lines) and lines[-1] == "end", lines, msg.splitlines()[-1] if msg else ""

    def groups(self, name):
        """The run's cgroups, leaves first: below its name, wherever a config with another path put that."""
        found = []
        for h in self.hierarchies:
            for top, dirs, _ in os.walk(h):
                if top == h:
                    dirs[:] = [d for d in dirs if d == name]
                else:
                    found.append(top)
        return sorted(found, key=len, reverse=True)

    def sweep(self, name):
        """Ends and reaps what a run has left: what has its cgroup, and what was orphaned to us. Then its cgroups can go."""
        for _ in range(400):
            groups, pids = self.groups(name), []
            for f in [g + "/cgroup.procs" for g in groups] + ["/proc/thread-self/children"]:
                try:
                    with open(f) as text:
                        pids += [int(x) for x in text.read().split()]
                except OSError:
                    pass
            for pid in set(pids) - {0, os.getpid()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            reap()
            for g in groups:
                try:
                    os.rmdir(g)
                except OSError:
                    pass
            if not pids and not self.groups(name):
                return
            time.sleep(0.005)
        raise RuntimeError(f"cgroups of '{name}' cannot be removed: {self.groups(name)}")


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
