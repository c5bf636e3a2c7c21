# SPDX-License-Identifier: Apache-2.0
# Words of the API server's tests: a server in a network of its own (alone, of http.bash), kubectl beside it.

. "$(dirname "${BASH_SOURCE[0]}")/http.bash"
TEU=${TEU:-$TOP/build/teu}
KUBECTL=${KUBECTL:-kubectl}

api_setup() {
	[ "$(id -u)" = 0 ] || skip "needs root for a network of its own"
	have "$KUBECTL"
	export TEU KUBECTL
}

teu() { timeout -k 2 30 "$TEU" --root "$PWD/root" --run "$PWD/run" "$@"; }
# The administrator.
k() { timeout -k 2 60 "$KUBECTL" --kubeconfig "$PWD/root/apiserver/admin.kubeconfig" --cache-dir "$PWD/cache" "$@"; }

# api_start [OPTION...]: sets SERVER and returns when it is ready; its output is in api.log. AS is put in front;
# LISTEN is in the place of --listen 127.0.0.1:6443.
api_start() {
	[ -p ready ] || mkfifo ready
	exec 8<>ready
	TEU_READY_FD=8 ${AS:-} "$TEU" --root "$PWD/root" --run "$PWD/run" apiserver ${LISTEN---listen 127.0.0.1:6443} "$@" >>api.log 2>&1 </dev/null 3>&- &
	SERVER=$!
	read -r -n1 -t 20 <&8 2>/dev/null || { cat api.log >&2; return 1; }
}

api_stop() {
	kill "-${1:-TERM}" "$SERVER"
	wait "$SERVER"
}

# fails_with TEXT COMMAND...: it fails, and says that.
fails_with() {
	local text=$1 out
	shift
	! out=$("$@" 2>&1) || { echo "did not fail: $*"; return 1; }
	[[ $out == *"$text"* ]] || { echo "said: $out"; return 1; }
}

# ---- one server for all tests of a file ----

# Where `kubectl` is not installed: the one that `make deps-test` fetched.
api_any_kubectl() {
	command -v kubectl || echo "${TEU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/teu}/kube/kubectl"
}

# api_file_dir: DIR and the clients' environment are set and exported; false without root, program or client ($KUBECTL).
api_file_dir() {
	[ "$(id -u)" = 0 ] && [ -x "$TEU" ] && KUBECTL=$(command -v "$KUBECTL") || return 1
	DIR=$(mktemp -d /tmp/teu-api-XXXXXX)
	chmod 755 "$DIR"
	mkfifo "$DIR/ready"
	KUBECONFIG=$DIR/kubeconfig HOME=$DIR
	export DIR KUBECTL KUBECONFIG HOME TEU
}

# api_file_serve [OPTION...]: a server in DIR, and SERVER; it is ready. Also in a test, when the one before has ended.
api_file_serve() {
	exec 8<>"$DIR/ready"
	TEU_READY_FD=8 unshare -n sh -c 'ip link set lo up; exec "$@"' sh "$TEU" --root "$DIR/root" --run "$DIR/run" \
		apiserver --listen 127.0.0.1:6443 --kubeconfig-out "$DIR/kubeconfig" "$@" >>"$DIR/log" 2>&1 </dev/null 3>&- &
	export SERVER=$!
	echo "$SERVER" >"$DIR/pid"
	read -r -n1 -t 20 <&8 || { cat "$DIR/log" >&2; return 1; }
	exec 8>&-
}

# api_file_end: the server is told to end, and waited for; 0 or its exit code.
api_file_end() {
	local i
	SERVER=$(<"$DIR/pid")
	kill "$SERVER"
	for ((i = 0; i < 200; i++)); do
		[ -e "/proc/$SERVER" ] && ! grep -q '^State:.Z' "/proc/$SERVER/status" 2>/dev/null || break
		sleep 0.05
	done
	wait "$SERVER" 2>/dev/null || [ $? -eq 127 ] # not this shell's child
}

# api_file_start [OPTION...] in setup_file: both; setup skips when they are not to be had.
api_file_start() {
	api_file_dir || return 0
	api_file_serve "$@"
}

# In teardown_file: it ends when it is told to, with nothing failed, and leaves no process behind.
api_file_stop() {
	[ -n "${DIR:-}" ] || return 0
	local net rc=0 i left=""
	SERVER=$(<"$DIR/pid")
	net=$(readlink "/proc/$SERVER/ns/net")
	api_file_end || rc=$?
	for i in /proc/[0-9]*; do
		[ "$(readlink "$i/ns/net" 2>/dev/null)" != "$net" ] || left+=" ${i#/proc/}"
	done
	if [ "$rc" -ne 0 ] || [ -n "$left" ] || grep -qi 'assert\|panic' "$DIR/log"; then
		echo "server: exit $rc, left:${left:- nothing}" >&2
		tail -20 "$DIR/log" >&2
		rm -rf "$DIR"
		return 1
	fi
	rm -rf "$DIR"
}

# In setup: each test has a namespace of its own, NS.
api_test_setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and $KUBECTL"
	cd "$DIR" || return 1
	NS=${1:-t}$BATS_TEST_NUMBER
	kc create namespace "$NS" >/dev/null
	kn create serviceaccount default >/dev/null 2>&1 || true
}

# A client of the server; with the test's namespace.
within() { timeout -k 2 "${LIMIT:-60}" nsenter -t "$(<"$DIR/pid")" -n -- "$@"; }
kc() { within "$KUBECTL" --cache-dir "$DIR/cache" "$@"; }
kn() { kc -n "$NS" "$@"; }

# behind FILE ARG...: a kubectl that runs on, BEHIND; what it says is in FILE.
behind() {
	nsenter -t "$(<"$DIR/pid")" -n -- "$KUBECTL" --cache-dir "$DIR/cache" "${@:2}" >"$1" 2>&1 </dev/null 3>&- &
	BEHIND=$!
}

# says TEXT COMMAND...: it succeeds and TEXT is in what it says.
says() {
	local text=$1 out
	shift
	out=$("$@" 2>&1) || { echo "failed ($?): $*: $out"; return 1; }
	[[ $out == *"$text"* ]] || { printf '%s\nwanted: %s\nsaid: %s\n' "$*" "$text" "$out"; return 1; }
}

# is TEXT COMMAND...: it succeeds and says just that. Blanks are squeezed, ages are AGE.
is() {
	local text=$1 out
	shift
	out=$("$@" 2>&1) || { echo "failed ($?): $*: $out"; return 1; }
	out=$(sed -E 's/ +/ /g; s/ ([0-9]+m?)?[0-9]+s( |$)/ AGE\2/g; s/ $//' <<<"$out")
	[ "$out" = "$text" ] || { printf '%s\nwanted: %s\nsaid: %s\n' "$*" "$text" "$out"; return 1; }
}
