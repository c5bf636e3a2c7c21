# SPDX-License-Identifier: Apache-2.0
"""The shim's protocol spoken from Python, and what tests of it need: a bundle, what is left behind."""
import array
import json
import os
import shutil
import socket
import struct
import subprocess
import tarfile
import tempfile
import time

MAGIC = 0x55455401
WELCOME, CREATE, START, EXEC, ATTACH, RESIZE, KILL, CLOSE_STDIN, DELETE, STATE, LOG_REOPEN = range(1, 12)
HELLO, OK, FAILED, EXIT, OOM, DETACHED = range(64, 70)
TTY, STDIN, STDIN_ONCE, START_NOW = 1, 2, 4, 8
IN, OUT, ERR, LOGS, RAW = 1, 2, 4, 8, 16


class Gone(Exception):
    """The shim's connection has ended."""


class Failed(Exception):
    """The shim answered FAILED."""


def blob(b):
    b = b.encode() if isinstance(b, str) else b
    return struct.pack("<I", len(b)) + b


def create_payload(cid, rt_root, bundle, flags=0, log=True, max_size=0, max_files=1):
    return (struct.pack("<IHHBQI", flags, 0, 0, 1 if log else 0, max_size, max_files) + blob(cid) + blob(rt_root) + blob(bundle)
            + blob(cid + "-json.log" if log else "") + blob(""))


class Shim:
    def __init__(self, program, run_dir, cid, env=None, stderr=None):
        self.run_dir, self.cid, self.next_id, self.events = run_dir, cid, 0, []
        self.hello = None
        if program:
            self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            null = os.open(os.devnull, os.O_RDWR)
            actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1),
                       (os.POSIX_SPAWN_DUP2, stderr.fileno() if stderr else null, 2), (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)]
            self.pid = os.posix_spawn(program, [program, "shim", cid, run_dir], env or {}, file_actions=actions)
            os.close(null)
            theirs.close()
        else:
            self.pid = 0
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            fd = os.open(run_dir, os.O_PATH | os.O_DIRECTORY)
            try:
                self.sock.connect(f"/proc/self/fd/{fd}/shim.sock")
            finally:
                os.close(fd)
        self.sock.settimeout(20)

    def welcome(self, low=1, high=1):
        self.send(WELCOME, struct.pack("<HH", low, high), rid=0)

    def send(self, kind, payload=b"", fds=(), rid=None, version=1):
        if rid is None:
            self.next_id += 1
            rid = self.next_id
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self.sock.sendmsg([struct.pack("<IHHII", MAGIC, kind, version, rid, len(payload)), payload], anc)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Gone() from e
        return rid

    def recv(self):
        try:
            p = self.sock.recv(200000)
        except ConnectionResetError as e:
            raise Gone() from e
        if not p:
            raise Gone()
        magic, kind, _, rid, n = struct.unpack("<IHHII", p[:16])
        assert magic == MAGIC and n == len(p) - 16
        return kind, rid, p[16:]

    def call(self, kind, payload=b"", fds=()):
        rid = self.send(kind, payload, fds)
        while True:
            k, r, p = self.recv()
            if k == OK and r == rid:
                return p
            if k == FAILED and r == rid:
                n = struct.unpack("<I", p[8:12])[0]
                raise Failed(p[12:12 + n].decode(errors="replace"))
            if k == HELLO:
                self.hello = p
            else:
                self.events.append((k, p))

    def wait_exit(self, exec_id=""):
        """waitpid status of the exit event."""
        while True:
            for i, (k, p) in enumerate(self.events):
                if k == EXIT and p[32:32 + 64].rstrip(b"\0").decode() == exec_id:
                    del self.events[i]
                    return struct.unpack("<i", p[4:8])[0]
            self.events.append(self.recv()[::2])

    def wait_gone(self):
        try:
            while True:
                self.events.append(self.recv()[::2])
        except Gone:
            pass

    def reap(self, timeout=10):
        """waitpid status of a shim we spawned; a time-out is an error."""
        until = time.monotonic() + timeout
        while self.pid:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return status
            if time.monotonic() > until:
                raise TimeoutError(f"shim {self.pid} does not end")
            time.sleep(0.002)
        return 0

    def close(self):
        self.sock.close()


def attach_payload(streams, exec_id="", keys=b"", unread=b""):
    return struct.pack("<I", streams) + blob(exec_id) + blob(keys) + blob(unread)


def exec_payload(exec_id, args, flags=0, streams=0, unread=b"", **more):
    process = {"args": args, "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"], "terminal": bool(flags & TTY)}
    process.update(more)
    return struct.pack("<IIHH", flags, streams, 0, 0) + blob(exec_id) + blob(json.dumps(process)) + blob(b"") + blob(unread)


def config(args, tty=False, cgroup=None, namespaces=("pid", "network", "ipc", "uts", "mount"), resources=None):
    std = ["nosuid", "noexec", "nodev"]
    return {
        "ociVersion": "1.0.2",
        "process": {"terminal": tty, "user": {"uid": 0, "gid": 0}, "cwd": "/", "args": args, "env": ["PATH=/bin"],
                    "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]}},
        "root": {"path": "rootfs"},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": std},
                   {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                   {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]}],
        "linux": {"cgroupsPath": cgroup, "resources": resources or {}, "namespaces": [{"type": n} for n in namespaces]},
    }


class Bundle:
    """<dir>/{bundle,root,run}; rootfs from `tools/image busybox`."""

    def __init__(self, top):
        self.top = top
        self.dir = tempfile.mkdtemp(prefix="teu-shim-", dir="/tmp")
        tar = subprocess.run([os.path.join(top, "tools", "image"), "busybox"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.bundle = os.path.join(self.dir, "b")
        os.makedirs(os.path.join(self.bundle, "rootfs"))
        with tarfile.open(tar) as t:
            t.extractall(os.path.join(self.bundle, "rootfs"))
        self.root = os.path.join(self.dir, "root")
        self.run_base = os.path.join(self.dir, "run")
        os.makedirs(self.run_base, 0o700)

    def write(self, conf):
        with open(os.path.join(self.bundle, "config.json"), "w") as f:
            json.dump(conf, f)

    def run_dir(self, cid):
        d = os.path.join(self.run_base, cid)
        os.makedirs(d, 0o700, exist_ok=True)
        return d

    def dir_of(self, cid):
        """The container's directory: logs and exits."""
        d = os.path.join(self.dir, "c", cid)
        os.makedirs(d, exist_ok=True)
        return d

    def create(self, shim, flags=0, **kw):
        fd = os.open(self.dir_of(shim.cid), os.O_RDONLY | os.O_DIRECTORY)
        try:
            return shim.call(CREATE, create_payload(shim.cid, self.root, self.bundle, flags, **kw), [fd])
        finally:
            os.close(fd)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def cgroups(mark):
    found = []
    for base, dirs, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(base, d) for d in dirs if mark in d]
    return found


def processes(mark):
    """Pids with `mark` in their command line or that are still children named teu-oci of ours."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if mark.encode() in f.read() and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def settle(check, timeout=5):
    """The last value of check(), which should become empty."""
    until = time.monotonic() + timeout
    while True:
        left = check()
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.01)
