# SPDX-License-Identifier: Apache-2.0
# An engine and a registry in one network namespace, and our own commands and other people's beside them.

. "$TOP/tests/e2e/engine.bash"

R=127.0.0.1:5000

# beside COMMAND...: in the engine's network namespace.
beside() { nsenter "--net=/proc/$(engine_pid)/ns/net" timeout -k 2 40 "$@"; }
teu() { beside env "TEU_HOST=$DOCKER_HOST" "$TEU" "$@"; }
skopeo() { beside skopeo --insecure-policy --tmpdir "$DIR" "$@"; }

registry_setup_file() {
	engine_setup_file
	[ -n "${DIR:-}" ] || return 0
	export TMPDIR=$DIR
	mkdir -p "$DIR/reg"
	nsenter "--net=/proc/$(engine_pid)/ns/net" "$TEU" --root "$DIR/reg" --run "$DIR/reg" registry --listen "$R" \
		--pid-file "$DIR/reg/pid" >"$DIR/reg/log" 2>&1 </dev/null 3>&- &
	until_ok test -s "$DIR/reg/pid"
	until_ok beside curl -sf "http://$R/v2/"
}

raw_digest() { teu image inspect --raw "$1" | sha256sum | cut -c-64; }
id_of() { docker image inspect -f '{{.Id}}' "$1"; }
