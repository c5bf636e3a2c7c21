#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Several platforms under one name: an index of busybox for this machine and (forged) arm64, from other people's tools
# and back, with the real docker command line and our own.

TOP=$(cd "$(dirname "$BATS_TEST_FILENAME")/../.." && pwd)
. "$TOP/tests/e2e/registry.bash"

# index.tar: an OCI layout whose one name is an index of two platforms; /arch tells them apart.
setup_file() {
	registry_setup_file
	[ -n "${DIR:-}" ] || return 0
	python3 "$TOP/tests/tools/mkimage.py" "$("$TOP/tools/image" busybox)" "$DIR" index
	mkdir "$DIR/layout"
	tar -C "$DIR/layout" -xf "$DIR/index.tar"
	jq -r '.manifests[0].digest' "$DIR/layout/index.json" >"$DIR/digest"
	skopeo copy -q --all --preserve-digests --dest-tls-verify=false "oci:$DIR/layout:example.com/team/multi:1" "docker://$R/multi:1"
}
setup() { engine_setup; INDEX=$(cat "$DIR/digest"); }
teardown() {
	docker ps -aq | xargs -r docker rm -f >/dev/null
	docker images -q "$R/*" | sort -u | xargs -r docker rmi -f >/dev/null
	docker image prune -f >/dev/null
}
teardown_file() { engine_teardown_file; }

arch() { docker image inspect -f '{{.Architecture}}' "$@"; }
both() {
	docker pull -q "$R/multi:1"
	docker pull -q --platform linux/arm64 "$R/multi:1"
}

@test "a second platform is added under the name, and each is found" {
	docker pull -q --platform linux/arm64 "$R/multi:1"
	[ "$(arch "$R/multi:1")" = arm64 ]
	docker pull -q "$R/multi:1"
	[ "$(arch "$R/multi:1")" = amd64 ]
	[ "$(arch --platform linux/arm64 "$R/multi:1")" = arm64 ]
	[ "$(arch --platform linux/arm64 "$R/multi@$INDEX")" = arm64 ]
	fails_with 1 "does not provide the specified platform" arch --platform linux/s390x "$R/multi:1"
	run docker pull --platform linux/arm64 "$R/multi:1"
	prints "Digest: $INDEX"
	prints "Status: Image is up to date for $R/multi:1"
	[ "$(docker image inspect -f '{{index .RepoDigests 0}}' "$R/multi:1")" = "$R/multi@$INDEX" ]
	[ "$(docker image inspect -f '{{.Descriptor.Digest}}' "$R/multi:1")" = "$INDEX" ]
	[ "$(docker images --digests --format '{{.Repository}} {{.Tag}} {{.Digest}}' "$R/multi")" = "$R/multi 1 $INDEX" ]
	[ "$(docker images -q | wc -l)" = "$(docker images | tail -n +2 | wc -l)" ]
	[ -z "$(docker images -qf dangling=true)" ]
	docker image prune -f
	[ "$(arch --platform linux/arm64 "$R/multi:1")" = arm64 ]
	docker history --platform linux/arm64 "$R/multi:1" | grep -q "step 0"
}

@test "containers of either platform" {
	both
	[ "$(docker run --rm "$R/multi:1" cat /arch)" = amd64 ]
	# The forged image has this machine's programs in it.
	[ "$(docker run --rm --platform linux/arm64 "$R/multi:1" cat /arch)" = arm64 ]
	[ "$(teu run --rm --platform linux/arm64 "$R/multi:1" cat /arch)" = arm64 ]
	docker create --name held --platform linux/arm64 "$R/multi:1" true >/dev/null
	[ "$(docker ps -a --format '{{.Image}}')" = "$R/multi:1" ]
	[ "$(docker ps -aq --filter "ancestor=$R/multi:1" | wc -l)" = 1 ]
	fails_with 1 "must be forced" docker rmi "$R/multi:1"
	docker create --name keeps busybox true >/dev/null
	docker image prune -af
	[ "$(arch "$R/multi:1") $(arch --platform linux/arm64 "$R/multi:1")" = "amd64 arm64" ]
	docker rm held
	# docker's client pulls the platform that is missing.
	docker rmi "$R/multi:1"
	docker pull -q "$R/multi:1"
	[ "$(docker run --rm --platform linux/arm64 "$R/multi:1" cat /arch)" = arm64 ]
	[ "$(arch "$R/multi:1")" = amd64 ]
}

@test "the list of images has one row, and with manifests=1 all that the index names" {
	docker pull -q "$R/multi:1"
	local v="http://x/v1.48/images/json"
	curl -s --unix-socket "$DIR/e/docker.sock" "$v?manifests=1" | jq --arg r "$R/multi:1" 'map(select(.RepoTags[0] == $r))' >"$DIR/list"
	[ "$(jq length "$DIR/list")" = 1 ]
	[ "$(jq -r '.[0].Manifests | map("\(.Descriptor.platform.architecture) \(.Available) \(.Kind)") | sort | join(",")' "$DIR/list")" = "amd64 true image,arm64 false image" ]
	[ "$(jq -r '.[0].Descriptor | "\(.digest) \(.mediaType)"' "$DIR/list")" = "$INDEX application/vnd.oci.image.index.v1+json" ]
	docker pull -q --platform linux/arm64 "$R/multi:1"
	curl -s --unix-socket "$DIR/e/docker.sock" "$v?manifests=1" | jq -e '[.[].Manifests // [] | .[] | select(.Available | not)] == []'
	curl -s --unix-socket "$DIR/e/docker.sock" "http://x/v1.46/images/json?manifests=1" | jq -e '[.[] | has("Manifests")] | any | not'
	curl -s --unix-socket "$DIR/e/docker.sock" "http://x/v1.48/images/$R/multi:1/json?manifests=1" | jq -e '[.Manifests[].ImageData.Size.Unpacked > 1000] == [true, true]'
	docker image ls --tree | grep -q "linux/arm64"
}

@test "removed: one platform, or all with the name" {
	both
	docker tag "$R/multi:1" "$R/keep:1"
	[ "$(arch --platform linux/arm64 "$R/keep:1")" = arm64 ]
	docker rmi "$R/keep:1"
	teu rmi --platform linux/arm64 "$R/multi:1"
	fails_with 1 "does not provide" arch --platform linux/arm64 "$R/multi:1"
	docker pull -q --platform linux/arm64 "$R/multi:1"
	local one two
	one=$(docker image inspect -f '{{.Id}}' "$R/multi:1")
	two=$(docker image inspect --platform linux/arm64 -f '{{.Id}}' "$R/multi:1")
	run docker rmi "$R/multi:1"
	prints "Untagged: $R/multi:1"
	prints "Deleted: $one"
	prints "Deleted: $two"
	fails_with 1 "No such image" arch "$two"
	both
	docker create --name keeps busybox true >/dev/null
	run docker image prune -af
	prints "untagged: $R/multi:1"
	prints "deleted: $two"
	docker rm keeps
	[ "$(docker images -q | wc -l)" = 1 ]
}

@test "save and load keep the index; one platform goes alone" {
	both
	docker save -o "$DIR/all.tar" "$R/multi:1"
	[ "$(tar xOf "$DIR/all.tar" index.json | jq -r '.manifests[0] | "\(.mediaType) \(.digest)"')" = "application/vnd.oci.image.index.v1+json $INDEX" ]
	[ "$(tar xOf "$DIR/all.tar" "blobs/sha256/${INDEX#sha256:}" | sha256sum | cut -c-64)" = "${INDEX#sha256:}" ]
	docker save --platform linux/arm64 -o "$DIR/arm.tar" "$R/multi:1"
	[ "$(tar xOf "$DIR/arm.tar" manifest.json | jq length)" = 1 ]
	[ "$(skopeo inspect --config "docker-archive:$DIR/arm.tar" | jq -r .architecture)" = arm64 ]
	[ "$(skopeo inspect --raw "oci-archive:$DIR/all.tar" | jq -r '[.manifests[].platform.architecture] | sort | join(" ")')" = "amd64 arm64" ]
	docker rmi "$R/multi:1"
	docker load -q -i "$DIR/all.tar"
	[ "$(arch "$R/multi:1")" = amd64 ] && [ "$(arch --platform linux/arm64 "$R/multi:1")" = arm64 ]
	docker save "$R/multi:1" | cmp - "$DIR/all.tar"
	docker rmi "$R/multi:1"
	docker load -q --platform linux/arm64 -i "$DIR/all.tar"
	[ "$(arch "$R/multi:1")" = arm64 ]
	fails_with 1 "no image for platform linux/s390x" docker load --platform linux/s390x -i "$DIR/all.tar"
}

@test "an index that is here as a whole is pushed byte for byte, a part of it as one image" {
	both
	docker tag "$R/multi:1" "$R/out:1"
	run docker push "$R/out:1"
	[ "$status" -eq 0 ]
	prints "1: digest: $INDEX"
	[ "sha256:$(raw_digest "docker://$R/out:1")" = "$INDEX" ]
	skopeo copy -q --all --preserve-digests --src-tls-verify=false "docker://$R/out:1" "oci:$DIR/back:x"
	[ "$(jq -r '.manifests[0].digest' "$DIR/back/index.json")" = "$INDEX" ]
	run docker push --platform linux/arm64 "$R/out:arm"
	[ "$status" -ne 0 ]
	docker tag "$R/multi:1" "$R/out:arm"
	docker push -q --platform linux/arm64 "$R/out:arm"
	[ "$(skopeo inspect --config --tls-verify=false "docker://$R/out:arm" | jq -r .architecture)" = arm64 ]
	teu rmi --platform linux/arm64 "$R/multi:1"
	docker tag "$R/multi:1" "$R/part:1"
	run docker push "$R/part:1"
	[ "$status" -eq 0 ]
	prints "Not all multiplatform-content is present and only the available single-platform image was pushed"
	prints "$INDEX"
	run teu push "$R/part:1"
	prints "Not all that the index names is here: one platform's image was pushed ($INDEX -> sha256:"
	[ "$(skopeo inspect --raw --tls-verify=false "docker://$R/part:1" | jq -r .mediaType)" = "application/vnd.oci.image.manifest.v1+json" ]
}

@test "podman and skopeo read what was saved" {
	command -v podman >/dev/null || skip "needs podman"
	both
	docker save -o "$DIR/p.tar" "$R/multi:1"
	beside podman --root "$DIR/pod" --runroot "$DIR/podrun" --storage-driver vfs load -q -i "$DIR/p.tar"
	[ "$(beside podman --root "$DIR/pod" --runroot "$DIR/podrun" --storage-driver vfs image inspect -f '{{.Architecture}} {{.Id}}' "$R/multi:1")" = \
		"amd64 $(docker image inspect -f '{{slice .Id 7}}' "$R/multi:1")" ]
}
