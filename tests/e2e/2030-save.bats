#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images out: docker save, and back in, by us and by others.

load engine.bash

setup_file() {
	engine_setup_file
	[ -n "${DIR:-}" ] || return 0
	python3 "$TOP/tests/tools/mkimage.py" "$("$TOP/tools/image" busybox)" "$DIR" layers oci
}
teardown_file() { engine_teardown_file; }
setup() { engine_setup; }
teardown() { remove_all; }

id_of() { docker image inspect -f '{{.Id}}' "$1"; }

@test "saved, loaded and saved again: the same bytes" {
	docker save -o "$DIR/s1.tar" busybox
	local id
	id=$(id_of busybox)
	docker save busybox | cmp - "$DIR/s1.tar"
	docker tag busybox keep:it
	docker rmi busybox
	docker rmi keep:it
	docker load -i "$DIR/s1.tar"
	[ "$(id_of busybox)" = "$id" ]
	docker save busybox | cmp - "$DIR/s1.tar"
	run tar tvf "$DIR/s1.tar" --full-time --utc
	[ "$(awk '{print $4}' <<<"$output" | sort -u)" = 1970-01-01 ]
}

@test "several images, all tags of a repository, and ids" {
	docker load -q -i "$DIR/layers.tar"
	docker save -o "$DIR/s2.tar" layers busybox
	run tar xOf "$DIR/s2.tar" manifest.json
	[ "$(jq -r '[.[].RepoTags[]] | sort | join(" ")' <<<"$output")" = "busybox:latest layers:one layers:two" ]
	[ "$(tar xOf "$DIR/s2.tar" index.json | jq '.manifests | length')" = 3 ]
	local one two
	one=$(id_of layers:one)
	two=$(id_of layers:two)
	docker rmi layers:one layers:two
	docker load -q -i "$DIR/s2.tar"
	[ "$(id_of layers:one)" = "$one" ] && [ "$(id_of layers:two)" = "$two" ]
	docker save layers busybox | cmp - "$DIR/s2.tar"
	docker save "$one" | tar xO manifest.json | jq -e '.[0].RepoTags == null'
	docker save layers:one | tar xO manifest.json | jq -e '.[0].RepoTags == ["layers:one"]'
	api GET "/images/layers:two/get" -o "$DIR/s3.tar" >/dev/null
	docker save layers:two | cmp - "$DIR/s3.tar"
}

@test "every blob has its name's digest" {
	docker save -o "$DIR/s4.tar" busybox
	mkdir -p "$DIR/s4"
	tar xf "$DIR/s4.tar" -C "$DIR/s4"
	local f
	for f in "$DIR"/s4/blobs/sha256/*; do
		[ "$(sha256sum <"$f" | cut -d' ' -f1)" = "${f##*/}" ]
	done
}

@test "an image that came as an OCI layout keeps its manifest and its compressed layer" {
	docker load -q -i "$DIR/oci.tar"
	local name digest
	name=$(docker images --format '{{.Repository}}:{{.Tag}}' | grep -v busybox | grep -v layers | grep -v none | head -1)
	docker save -o "$DIR/s5.tar" "$name"
	digest=$(tar xOf "$DIR/s5.tar" index.json | jq -r '.manifests[0].digest')
	tar tf "$DIR/oci.tar" | grep -q "blobs/sha256/${digest#sha256:}"
	docker rmi "$name"
	docker load -q -i "$DIR/s5.tar"
	docker save "$name" | cmp - "$DIR/s5.tar"
}

@test "skopeo reads what save wrote, as docker's archive and as a layout" {
	command -v skopeo >/dev/null || skip "needs skopeo"
	docker save -o "$DIR/s6.tar" busybox
	local id
	id=$(id_of busybox)
	[ "$(skopeo inspect --raw "docker-archive:$DIR/s6.tar" | jq -r .config.digest)" = "$id" ]
	skopeo copy -q "docker-archive:$DIR/s6.tar" "oci:$DIR/s6oci:x"
	[ "$(skopeo inspect --config "oci:$DIR/s6oci:x" | jq -c .rootfs.diff_ids)" = "$(docker image inspect -f '{{json .RootFS.Layers}}' busybox)" ]
	[ "$(skopeo inspect --raw "oci-archive:$DIR/s6.tar:latest" | jq -r .config.digest)" = "$id" ]
}

@test "what cannot be saved is told" {
	fails_with 1 "No such image: nothing" docker save -o "$DIR/none.tar" nothing
	fails_with 1 "was not found for the platform" docker save --platform linux/s390x -o "$DIR/none.tar" busybox
	docker save busybox | head -c 10000 >/dev/null || true
	[ "$(docker version -f '{{.Server.APIVersion}}')" = 1.50 ]
}
