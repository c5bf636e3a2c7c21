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
