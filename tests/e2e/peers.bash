# SPDX-License-Identifier: Apache-2.0
# What the tests with other people's engines share: programs that may lie unpacked in the cache, network and mount
# namespaces that one sleeping process holds, and the question what is left behind.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$TOP/tests/e2e/words.bash"
OCI=$(realpath -m "${TEU_OCI:-$TOP/build/teu-oci}")
PEERS=${TEU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/teu}/peers
PATH=$PATH:/usr/sbin:/sbin:$PEERS/usr/bin:$PEERS/usr/sbin

# peer_setup_file PROGRAM...: DIR and its namespaces, or nothing when a program is missing (bats cannot skip here).
peer_setup_file() {
	[ "$(id -u)" = 0 ] && [ -x "$OCI" ] || return 0
	local p
	for p in "$@"; do
		command -v "$p" >/dev/null || return 0
	done
	DIR=$(mktemp -d /tmp/teu-peer-XXXXXX)
	NAME=${DIR##*/}
	export DIR NAME
	umask 022
	chmod 711 "$DIR" # for root of a user namespace
	# what peers keep at fixed places is in here, too
	unshare -nm sh -c 'ip link set lo up
		for d in /run/containerd /run/docker /run/netns /run/teu-oci; do mkdir -p $d && mount -t tmpfs none $d; done
		echo $$ >"$1.new" && mv "$1.new" "$1"; exec sleep 100000' sh "$DIR/holder" >/dev/null 2>&1 </dev/null 3>&- &
	until_ok test -s "$DIR/holder"
	HOLDER=$(cat "$DIR/holder")
	export HOLDER
}

peer_setup() { [ -n "${DIR:-}" ] || skip "needs root, a built teu-oci, and $*"; }

inside() { nsenter "--net=/proc/$HOLDER/ns/net" "--mount=/proc/$HOLDER/ns/mnt" "$@"; }

# Ends what still runs with a path of ours in its command line, then the namespaces; removes cgroups and files.
peer_teardown_file() {
	[ -n "${DIR:-}" ] || return 0
	local p
	for p in $(processes); do kill -KILL "$p" 2>/dev/null || true; done
	kill "$HOLDER" 2>/dev/null || true
	until_ok none_left
	find /sys/fs/cgroup -depth -type d -path "*/$NAME*" -exec rmdir {} + 2>/dev/null || true
	rm -rf "$DIR" || true
	# mount points that the namespaces needed, empty unless someone else uses them
	rmdir /run/containerd /run/docker /run/netns /run/teu-oci 2>/dev/null || true
}

processes() {
	local p
	for p in $(pgrep -f -- "$DIR/" || true); do
		[ "$p" = "$$" ] || [ "$p" = "$BASHPID" ] || [ "$p" = "$HOLDER" ] || grep -qaz 'bats' "/proc/$p/cmdline" 2>/dev/null || echo "$p"
	done
}
none_left() { [ -z "$(processes)" ]; }
mounts_of() { inside grep -c "$1" /proc/self/mountinfo || true; }
# Cgroups of containers below ours; the monitors' own do not count.
cgroups() { find /sys/fs/cgroup -type d -path "*/$NAME/*" ! -name '*conmon*'; }
no_cgroups() { [ -z "$(cgroups)" ]; }
# For a test that wants to know which.
all_gone() { until_ok no_cgroups || { cgroups; return 1; }; }

# cg ID CONTROLLER FILE [FILE2]: a limit as the kernel has it, v1's file or v2's.
cg() {
	local d
	d=$(find "/sys/fs/cgroup/$2" /sys/fs/cgroup -maxdepth 4 -type d -path "*/$NAME/*$1*" ! -name '*conmon*' 2>/dev/null | head -1)
	cat "$d/$3" 2>/dev/null || cat "$d/$4"
}

# tty COMMAND...: on a terminal, carriage returns taken out.
tty() { timeout -k 1 20 script -qec "$(printf '%q ' "$@")" /dev/null </dev/null | tr -d '\r'; }
