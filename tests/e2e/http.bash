# SPDX-License-Identifier: Apache-2.0
# Words of the HTTP tests: a server of ours in a network of its own, so that no port can be taken and nothing leaves.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SERVE=${TEU_HTTP_SERVE:-$TOP/build/gcc/tests/http-serve}

http_setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root for a network of its own"
	[ -x "$SERVE" ] || ninja -C "$TOP/build/gcc" tests/http-serve >/dev/null
}

# alone FUNCTION [ARG...]: runs it in a new network where only lo is, stops what it left running.
alone() {
	export TOP SERVE BATS_TEST_TMPDIR
	unshare -n bash -c "
		set -uo pipefail
		$(declare -f)
		ip link set lo up
		cd \"\$BATS_TEST_TMPDIR\" || exit 1
		trap 'for p in \$(jobs -p); do kill \"\$p\" 2>/dev/null; done; wait 2>/dev/null' EXIT
		$(printf '%q ' "$@")" </dev/null
}

# serve [OPTION...] ADDRESS...: starts the server, sets SERVER to its pid and waits until it listens.
serve() {
	local i
	: >serve.log
	"$SERVE" "$@" >serve.log 2>serve.err </dev/null 3>&- &
	SERVER=$!
	for ((i = 0; i < 400; i++)); do
		! grep -q ^listening serve.log || return 0
		kill -0 "$SERVER" 2>/dev/null || break
		sleep 0.05
	done
	cat serve.err >&2
	return 1
}

# have PROGRAM: skips the test, counted, if it is not there.
have() { command -v "$1" >/dev/null || skip "$1 is not installed"; }
