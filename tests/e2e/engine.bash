# SPDX-License-Identifier: Apache-2.0
# What the engine's end-to-end tests share: one engine per file in network and mount namespaces of its own, with its
# state in a scratch directory, driven by the real docker command line.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$TOP/tests/e2e/words.bash"
TEU=${TEU:-$TOP/build/teu}
DOCKER=${TEU_DOCKER_CLI:-/usr/local/bin/docker}

# engine_start NAME [PID]: an engine with state below $DIR/NAME; beside the engine PID when that is given. ENGINE_ARGS
# (an array) are further words for it; ENGINE_BEFORE is a shell command that runs in its namespaces first.
engine_start() {
	local base=$DIR/$1 how=(unshare -nm)
	[ -z "${2:-}" ] || how=(nsenter "--net=/proc/$2/ns/net" "--mount=/proc/$2/ns/mnt")
	mkdir -p "$base"
	"${how[@]}" sh -c 'ip link set lo up; eval "$1"; shift; exec "$@"' sh "${ENGINE_BEFORE:-}" "$TEU" --root "$base/root" --run "$base/run" engine --debug \
		--pid-file "$base/pid" --host "unix://$base/docker.sock" ${ENGINE_ARGS[@]+"${ENGINE_ARGS[@]}"} >>"$base/log" 2>&1 </dev/null 3>&- &
	until_ok curl -sf --unix-socket "$base/docker.sock" http://engine/_ping
}

engine_pid() { cat "$DIR/${1:-e}/pid"; }

# End of an engine by signal, waited for; containers run on.
engine_stop() {
	local pid
	pid=$(engine_pid "${2:-e}")
	kill "-${1:-TERM}" "$pid"
	until_ok gone "$pid"
}

engine_setup_file() {
	# bats cannot skip here: engine_setup does, for each test
	[ "$(id -u)" = 0 ] && [ -x "$TEU" ] && [ -x "$DOCKER" ] || return 0
	DIR=$(mktemp -d /tmp/teu-e2e-XXXXXX)
	export DIR DOCKER_HOST=unix://$DIR/e/docker.sock DOCKER_CONFIG=$DIR/client
	mkdir -p "$DIR/client"
	engine_start e
	$DOCKER import "$("$TOP/tools/image" busybox)" busybox >/dev/null
}

engine_setup() { [ -n "${DIR:-}" ] || skip "needs root, a built teu and the docker command line"; }

engine_teardown_file() {
	local p f
	[ -n "${DIR:-}" ] || return 0
	for f in "$DIR"/*/docker.sock; do
		$DOCKER -H "unix://$f" ps -aq | xargs -r "$DOCKER" -H "unix://$f" rm -f >/dev/null 2>&1 || true
	done
	for f in "$DIR"/*/pid; do
		[ ! -e "$f" ] || kill "$(cat "$f")" 2>/dev/null || true
	done
	for p in $(pgrep -f "$DIR/"); do
		[ "$p" = "$$" ] || grep -qz bats "/proc/$p/cmdline" 2>/dev/null || kill "$p" 2>/dev/null || true
	done
	until_ok no_engine
	rm -rf "$DIR"
}

no_engine() { ! pgrep -f -- "--root $DIR/" >/dev/null && ! pgrep -f "shim [0-9a-f]* $DIR/" >/dev/null; }

# For teardown of a file whose tests share the engine.
remove_all() { [ -z "${DIR:-}" ] || docker ps -aq | xargs -r "$DOCKER" rm -f >/dev/null 2>&1 || true; }

docker() { timeout 30 "$DOCKER" "$@"; }

# api METHOD PATH [CURL ARGS...]: body, then the status on a line of its own.
api() {
	local method=$1 path=$2
	shift 2
	curl -s -m 20 -X "$method" --unix-socket "$DIR/e/docker.sock" -w '\n%{http_code}' "http://engine$path" "$@"
}

state_is() { [ "$(docker inspect -f '{{.State.Status}}' "$1")" = "$2" ]; }
