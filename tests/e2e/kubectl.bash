# SPDX-License-Identifier: Apache-2.0
# Words of the tests that give command lines to kubectl and to teu kubectl (kubectl_compare.py).

. "$(dirname "${BASH_SOURCE[0]}")/apiserver.bash"

# kubectl_file_start [OPTION...] in setup_file: a server, and a namespace for each program; then the shell is in DIR.
# False when there is none: setup skips then.
kubectl_file_start() {
	local n
	api_file_start "$@"
	[ -n "${DIR:-}" ] || return 1
	cd "$DIR" || return 1
	mkdir tmp
	for n in aaaaaa bbbbbb; do
		kc create namespace $n >/dev/null
		kc wait --for=create serviceaccount/default -n $n --timeout=20s >/dev/null
	done
}

# In setup.
kubectl_setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and $KUBECTL"
	cd "$DIR" || return 1
	export TMPDIR=$DIR/tmp
}

# compare LIST: its lines by both programs, each in its own namespace.
compare() { LIMIT=200 within python3 "$TOP/tests/e2e/kubectl_compare.py" "$TOP/tests/e2e/$1" "$KUBECTL" "$TEU" ns=aaaaaa ns=bbbbbb; }
