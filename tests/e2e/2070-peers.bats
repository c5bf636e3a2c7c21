#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Other people's tools for images against our registry and engine, and against Debian's registry: push, pull, copy. What
# one writes the others read, with the same ids and digests.

TOP=$(cd "$(dirname "$BATS_TEST_FILENAME")/../.." && pwd)
. "$TOP/tests/e2e/registry.bash"

D=127.0.0.1:5005
# where tools/deps unpacks what would start a daemon
PATH=$PATH:${TEU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/teu}/peers/usr/bin

setup_file() {
	registry_setup_file
	[ -n "${DIR:-}" ] || return 0
	python3 "$TOP/tests/tools/mkimage.py" "$("$TOP/tools/image" busybox)" "$DIR" layers oci index
	docker load -q -i "$DIR/layers.tar"
	echo '{}' >"$DIR/client/config.json" # podman wants one where DOCKER_CONFIG says
	command -v docker-registry >/dev/null || return 0
	cat >"$DIR/dist.yml" <<-YML
	version: 0.1
	log: {level: error, accesslog: {disabled: true}}
	storage: {filesystem: {rootdirectory: $DIR/dist}, delete: {enabled: true}}
	http: {addr: $D}
	YML
	nsenter "--net=/proc/$(engine_pid)/ns/net" docker-registry serve "$DIR/dist.yml" >"$DIR/dist.log" 2>&1 </dev/null 3>&- &
	until_ok beside curl -sf "http://$D/v2/"
}
setup() { engine_setup; cd "$DIR" || return 1; }
teardown() { remove_all; }
teardown_file() { engine_teardown_file; }

needs() { command -v "$1" >/dev/null || skip "needs $1"; }
# Storage of their own, in the mount namespace that ends with the engine.
theirs() { nsenter "--mount=/proc/$(engine_pid)/ns/mnt" "--net=/proc/$(engine_pid)/ns/net" timeout -k 2 40 "$@"; }
podman() { theirs podman --root "$DIR/pod" --runroot "$DIR/podrun" --storage-driver overlay --cgroup-manager cgroupfs "$@"; }
buildah() { theirs buildah --root "$DIR/pod" --runroot "$DIR/podrun" --storage-driver overlay "$@"; }
sk() { skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "$@"; }
config_of() { teu image inspect --config "$1" | sha256sum | cut -c-64; }

@test "skopeo --preserve-digests between our registry, Debian's and our copies" {
	needs skopeo
	needs docker-registry
	teu image copy -q --all oci-archive:index.tar "docker://$R/p:1"
	sk --all --preserve-digests "docker://$R/p:1" "docker://$D/p:1"
	teu image copy -q --all --preserve-digests "docker://$D/p:1" "docker://$R/back:1"
	sk --all --preserve-digests "docker://$R/back:1" dir:sk
	teu image copy -q --all dir:sk oci:sklay:x
	sk --all --preserve-digests oci:sklay:x oci-archive:sk.tar:y
	local p want
	want=$(raw_digest "docker://$R/p:1")
	for p in "docker://$D/p:1" "docker://$R/back:1" dir:sk oci:sklay:x oci-archive:sk.tar; do
		[ "$(raw_digest "$p")" = "$want" ] || { echo "$p"; return 1; }
		[ "$(skopeo inspect --tls-verify=false --raw "$p" | sha256sum | cut -c-64)" = "$want" ] || { echo "skopeo $p"; return 1; }
	done
	[ "$(skopeo list-tags --tls-verify=false "docker://$R/back" | jq -c .)" = "$(teu image list-tags "docker://$R/back" | jq -c .)" ]
	[ "$(skopeo inspect --tls-verify=false "docker://$R/p:1" | jq -cS '[.Name,.Digest,.RepoTags,.Created,.Architecture,.Os,.Layers]')" = \
		"$(teu image inspect "docker://$R/p:1" | jq -cS '[.Name,.Digest,.RepoTags,.Created,.Architecture,.Os,.Layers]')" ]
}

@test "what is attached in a registry without the referrers API is listed by the fall-back tag" {
	needs docker-registry
	local subject by_tag=(beside curl -sf -H "Accept: application/vnd.oci.image.index.v1+json")
	echo x >f
	teu artifact push -q "$D/fall:1" f
	subject=$(raw_digest "docker://$D/fall:1")
	[ "$(beside curl -s -o /dev/null -w '%{http_code}' "http://$D/v2/fall/referrers/sha256:$subject")" = 404 ]
	[ "$(teu artifact discover --format json "$D/fall:1" | jq -c .referrers)" = "[]" ]
	teu artifact attach -q --artifact-type application/sbom -a n=1 "$D/fall:1" f
	teu artifact attach -q --artifact-type application/sig "$D/fall:1"
	[ "$(teu artifact discover --format json "$D/fall:1" | jq -c '[.referrers[].artifactType] | sort')" = '["application/sbom","application/sig"]' ]
	[ "$(teu artifact discover --format json --artifact-type application/sig "$D/fall:1" | jq '.referrers | length')" = 1 ]
	[ "$("${by_tag[@]}" "http://$D/v2/fall/manifests/sha256-$subject" | jq -c '[.manifests[] | [.artifactType, .annotations.n]]')" = \
		'[["application/sbom","1"],["application/sig",null]]' ]
}

@test "skopeo with our engine by its API, and our archives, to the same image id" {
	needs skopeo
	docker save -o s.tar layers:one
	local id
	id=$(id_of layers:one)
	skopeo copy -q --src-daemon-host "$DOCKER_HOST" docker-daemon:layers:one dir:daemon
	skopeo copy -q --dest-daemon-host "$DOCKER_HOST" dir:daemon docker-daemon:by:daemon
	[ "$(id_of by:daemon)" = "$id" ]
	skopeo copy -q docker-archive:s.tar docker-archive:s2.tar:by:archive
	docker load -q -i s2.tar
	[ "$(id_of by:archive)" = "$id" ]
	teu image copy -q docker-archive:s2.tar:by:archive teu:by:copy
	[ "$(id_of by:copy)" = "$id" ]
	docker save -o s3.tar by:copy
	docker load -q -i s3.tar
	docker save by:copy | cmp - s3.tar
}

@test "podman and buildah push to and pull from our registry, and load what we saved" {
	needs podman
	needs buildah
	local id
	id=$(id_of layers:one)
	docker tag layers:one "$R/pod:1"
	docker push -q "$R/pod:1"
	podman pull -q --tls-verify=false "$R/pod:1"
	[ "sha256:$(podman image inspect -f '{{.Id}}' "$R/pod:1")" = "$id" ]
	podman push -q --tls-verify=false "$R/pod:1" "$R/pod:2"
	docker pull -q "$R/pod:2"
	[ "$(id_of "$R/pod:2")" = "$id" ]
	podman save -q --format docker-archive -o "$DIR/pod.tar" "$R/pod:1"
	[ "$(config_of docker-archive:pod.tar)" = "${id#sha256:}" ]
	docker save layers:one -o ours.tar
	podman rmi -f "$R/pod:1" >/dev/null
	podman load -q -i "$DIR/ours.tar"
	[ "sha256:$(podman image inspect -f '{{.Id}}' layers:one)" = "$id" ]
	local c
	c=$(buildah from --pull-never layers:one)
	buildah config --label made=here "$c"
	buildah commit -q "$c" made:1
	buildah push -q --tls-verify=false made:1 "docker://$R/made:1"
	docker pull -q "$R/made:1"
	[ "$(id_of "$R/made:1")" = "sha256:$(podman image inspect -f '{{.Id}}' made:1)" ]
	docker save -o m1.tar "$R/made:1"
	docker rmi "$R/made:1" >/dev/null
	docker load -q -i m1.tar
	docker save "$R/made:1" | cmp - m1.tar
	[ "$(docker image inspect -f '{{.Config.Labels.made}}' "$R/made:1")" = here ]
}

@test "containerd pulls from and pushes to our registry, and its archives load" {
	needs containerd
	needs ctr
	cat >containerd.toml <<-TOML
	version = 2
	root = "$DIR/ctd/root"
	state = "$DIR/ctd/state"
	disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.tracing",
	  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
	[grpc]
	  address = "$DIR/ctd.sock"
	[plugins."io.containerd.internal.v1.opt"]
	  path = "$DIR/ctd/opt"
	TOML
	nsenter "--mount=/proc/$(engine_pid)/ns/mnt" "--net=/proc/$(engine_pid)/ns/net" "$(command -v containerd)" -c "$DIR/containerd.toml" >ctd.log 2>&1 </dev/null 3>&- &
	ct() { theirs "$(command -v ctr)" -a "$DIR/ctd.sock" images "$@"; }
	until_ok ct ls
	local want id
	id=$(id_of layers:one)
	docker tag layers:one "$R/ctd:1"
	docker push -q "$R/ctd:1"
	want=$(raw_digest "docker://$R/ctd:1")
	ct pull --plain-http "$R/ctd:1" >/dev/null
	ct ls | grep -q "^$R/ctd:1 .*sha256:$want"
	ct push --plain-http "$R/ctd:2" "$R/ctd:1" >/dev/null
	[ "$(raw_digest "docker://$R/ctd:2")" = "$want" ]
	ct export "$DIR/ctd.tar" "$R/ctd:1"
	docker load -q -i ctd.tar
	[ "$(id_of "$R/ctd:1")" = "$id" ]
	docker save -o for-ctd.tar layers:one
	ct import "$DIR/for-ctd.tar" >/dev/null
	ct ls | grep -q "docker.io/library/layers:one .*sha256:$want"
}
