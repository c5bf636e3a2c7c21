# SPDX-License-Identifier: Apache-2.0
# What the tests of our own commands share: state of their own, an engine that the first command starts on demand inside
# network and mount namespaces of its own, and the end of every process with that state.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$TOP/tests/e2e/words.bash"
TEU=${TEU:-$TOP/build/teu}

cli_setup_file() {
	# bats cannot skip here: cli_setup does, for each test
	[ "$(id -u)" = 0 ] && [ -x "$TEU" ] || return 0
	DIR=$(mktemp -d /tmp/teu-cli-XXXXXX)
	export DIR TEU_ROOT=$DIR/root TEU_RUN=$DIR/run
	unset TEU_HOST DOCKER_HOST
}

# The first command, in the namespaces where the engine will live.
cli_engine() { unshare -nm sh -c 'ip link set lo up; exec "$@"' sh "$TEU" import "$("$TOP/tools/image" busybox)" busybox; }

cli_setup() { [ -n "${DIR:-}" ] || skip "needs root and a built teu"; }

cli_teardown_file() {
	[ -n "${DIR:-}" ] || return 0
	if [ -S "$TEU_RUN/teu.sock" ]; then
		"$TEU" ps -aq | xargs -r "$TEU" rm -f >/dev/null 2>&1 || true
	fi
	local p
	for p in $(processes); do kill -TERM "$p" 2>/dev/null || true; done
	until_ok none_left
	rm -rf "$DIR"
}

# Engines and shims of this file: their command lines name its directory.
processes() { pgrep -f -- "--root $DIR/" || true; pgrep -f "shim [0-9a-f]* $DIR/" || true; }
none_left() { [ -z "$(processes)" ]; }
engines() { pgrep -fc -- "--root $DIR/.* engine"; }

remove_all() { [ -z "${DIR:-}" ] || "$TEU" ps -aq | xargs -r "$TEU" rm -f >/dev/null 2>&1 || true; }
teu() { timeout 30 "$TEU" "$@"; }
