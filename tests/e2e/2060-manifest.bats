#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Manifest lists made by hand: the real docker command line's, and our own, against our registry.

TOP=$(cd "$(dirname "$BATS_TEST_FILENAME")/../.." && pwd)
. "$TOP/tests/e2e/registry.bash"

setup_file() {
	registry_setup_file
	[ -n "${DIR:-}" ] || return 0
	python3 "$TOP/tests/tools/mkimage.py" "$("$TOP/tools/image" busybox)" "$DIR" layers
	docker load -q -i "$DIR/layers.tar"
	docker tag busybox "$R/a:1"
	docker tag layers:one "$R/b:1"
	docker push -q "$R/a:1"
	docker push -q "$R/b:1"
}
setup() { engine_setup; }
teardown_file() { engine_teardown_file; }

theirs() { beside "$DOCKER" manifest "$@"; }
ours() { teu manifest "$@"; }

# make WHO: a list of two platforms by these commands; its bytes and digest are told.
make() {
	"$1" create --insecure "$R/$1:1" "$R/a:1"
	"$1" create --insecure --amend "$R/$1:1" "$R/b:1"
	"$1" annotate --os linux --arch arm64 --variant v8 "$R/$1:1" "$R/b:1"
	"$1" inspect --insecure "$R/$1:1" >"$DIR/$1.before"
	"$1" push --insecure "$R/$1:1" | tail -1 >"$DIR/$1.digest"
	"$1" inspect --insecure "$R/$1:1" >"$DIR/$1.local"
	"$1" inspect --insecure -v "$R/a:1" | jq -S 'del(.Ref)' >"$DIR/$1.verbose"
}

@test "create, annotate, push and inspect: the same words, bytes and digests by both" {
	make theirs
	make ours
	cmp "$DIR/theirs.before" "$DIR/ours.before"
	cmp "$DIR/theirs.digest" "$DIR/ours.digest"
	cmp "$DIR/theirs.local" "$DIR/ours.local"
	cmp "$DIR/theirs.verbose" "$DIR/ours.verbose"
	cmp <(teu image inspect --raw "docker://$R/ours:1") <(teu image inspect --raw "docker://$R/theirs:1")
	[ "sha256:$(raw_digest "docker://$R/ours:1")" = "$(cat "$DIR/ours.digest")" ]
	[ "$(teu image inspect --config --platform linux/arm64 "docker://$R/ours:1" | sha256sum)" = "$(teu image inspect --config "docker://$R/b:1" | sha256sum)" ]
}

@test "a list is removed, pushed with --purge, and what is wrong is told" {
	ours create "$R/c:1" "$R/a:1"
	fails_with 1 "refusing to amend an existing manifest list" ours create "$R/c:1" "$R/b:1"
	[ "$(ours push --purge "$R/c:1" | tail -1)" = "sha256:$(raw_digest "docker://$R/c:1")" ]
	fails_with 1 "No such manifest: $R/c:1" ours rm "$R/c:1"
	ours create "$R/c:2" "$R/a:1"
	ours rm "$R/c:2"
	fails_with 1 "No such manifest" ours push "$R/c:2"
	fails_with 1 "no such manifest: $R/none:1" ours create "$R/c:3" "$R/none:1"
	ours create "$R/c:4" "$R/a:1"
	fails_with 1 "does not exist in $R/c:4" ours annotate --arch arm "$R/c:4" "$R/b:1"
	fails_with 1 "has unsupported os/arch combination: linux/pdp11" ours annotate --os linux --arch pdp11 "$R/c:4" "$R/a:1"
	fails_with 1 "invalid reference format" ours inspect 'Not/Lower'
}
