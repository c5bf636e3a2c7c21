# SPDX-License-Identifier: Apache-2.0
# What the runtime's end-to-end tests share: a bundle, the program under test, and the question what is left behind.
# Every container has network and mount namespaces of its own, its state below a scratch directory, its cgroup a name of
# the test's: nothing of the machine changes.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$TOP/tests/e2e/words.bash"
OCI=${TEU_OCI:-$TOP/build/teu-oci}
unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID # whoever runs the tests may have them
umask 022

# A busybox. Where processes are dear (tests/vm) the second one is a copy of the first.
runtime_rootfs() {
	local a
	if [ -n "${ROOTFS_TEMPLATE:-}" ] && [ -d "$ROOTFS_TEMPLATE" ]; then
		cp -a "$ROOTFS_TEMPLATE/." "$1"
		return
	fi
	mkdir -p "$1/bin" "$1/etc" "$1/tmp" "$1/proc" "$1/sys" "$1/dev"
	chmod 1777 "$1/tmp"
	cp /bin/busybox "$1/bin/busybox"
	for a in sh true false sleep cat ls id env mount ps echo touch stat readlink hostname grep head wc tr cut sort kill dd ip mkdir rm chmod ln test printf tty stty seq sysctl uname df chroot mknod ionice; do
		ln -s busybox "$1/bin/$a"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n' >"$1/etc/passwd"
	[ -z "${ROOTFS_TEMPLATE:-}" ] || cp -a "$1" "$ROOTFS_TEMPLATE"
}

runtime_setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	[ -x "$OCI" ] || skip "no teu-oci built (make)"
	[ -x /bin/busybox ] || skip "needs busybox-static"
	DIR=$(mktemp -d /tmp/teu-e2e-XXXXXX)
	ROOT=$DIR/root
	ID=teu-e2e-$$-$BATS_TEST_NUMBER
	mkdir -p "$DIR/b/rootfs"
	runtime_rootfs "$DIR/b/rootfs"
	config '.'
	before=$(left_over)
}

runtime_teardown() {
	[ -n "${DIR:-}" ] || return 0
	for id in "$ROOT"/*; do
		[ -d "$id" ] || continue
		case $id in */@*) continue ;; esac
		oci delete --force "$(basename "$id")" >/dev/null 2>&1 || true
	done
	rm -rf "$DIR"
}

oci() { "$OCI" --root "$ROOT" "$@"; }

# A plain bundle changed by a jq program; written to $DIR/b/config.json.
config() {
	jq "$1" >"$DIR/b/config.json" <<-'JSON'
	{
	  "ociVersion": "1.0.2",
	  "process": {
	    "terminal": false, "user": {"uid": 0, "gid": 0}, "cwd": "/",
	    "args": ["/bin/true"],
	    "env": ["PATH=/bin:/usr/bin", "TERM=xterm"],
	    "capabilities": {
	      "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
	      "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
	      "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
	    },
	    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
	    "noNewPrivileges": true
	  },
	  "root": {"path": "rootfs", "readonly": true},
	  "hostname": "box",
	  "mounts": [
	    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
	    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
	    {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
	    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
	    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
	    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
	    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
	  ],
	  "linux": {
	    "resources": {"devices": [{"allow": false, "access": "rwm"}]},
	    "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
	    "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
	    "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
	  }
	}
	JSON
}

# A bundle that runs a shell script, with a further change.
script() { config ".process.args = [\"/bin/sh\", \"-c\", $(printf %s "$1" | jq -Rs .)] | ${2:-.}"; }

# Whatever a container could leave: state, cgroups with our prefix, mounts below the scratch directory, programs of ours.
left_over() {
	find "$ROOT" -mindepth 1 -maxdepth 1 ! -name '@*' 2>/dev/null
	find /sys/fs/cgroup -maxdepth 4 -type d -name "$ID*" 2>/dev/null
	grep -c "$DIR" /proc/self/mountinfo || true
	pgrep -f "$ROOT" || true
}

assert_nothing_left() {
	local now
	now=$(left_over)
	[ "$now" = "$before" ] || { echo "left behind: $now"; return 1; }
}

status_is() { [ "$(oci state "$1" | jq -r .status)" = "$2" ]; }

# For a function compare(), which sets $s to statistics and calls stat_is PATH VALUE with what the files say: even while
# a container is frozen the kernel goes on counting a little, so they need agree only once.
stat_is() {
	local now
	now=$(jq -cr ".data.$1" <<<"$s")
	[ "$now" = "$2" ] || wrong+="$1 is $now in the statistics, $2 in the file. "
}
stats_agree() {
	local i
	for i in $(seq 50); do
		compare
		[ -n "$wrong" ] || return 0
	done
	echo "$wrong"
	return 1
}
