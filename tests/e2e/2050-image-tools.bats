#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Our own commands for images: save, export, commit, diff; copies between registries, archives, layouts and the engine;
# artifacts.

TOP=$(cd "$(dirname "$BATS_TEST_FILENAME")/../.." && pwd)
. "$TOP/tests/e2e/registry.bash"

setup_file() {
	registry_setup_file
	[ -n "${DIR:-}" ] || return 0
	python3 "$TOP/tests/tools/mkimage.py" "$("$TOP/tools/image" busybox)" "$DIR" layers oci index
	docker load -q -i "$DIR/layers.tar"
}
setup() { engine_setup; cd "$DIR" || return 1; }
teardown() { remove_all; }
teardown_file() { engine_teardown_file; }

@test "save, export, commit and diff say what docker's say" {
	teu save -o s1.tar busybox layers:one
	[ "$(stat -c %a s1.tar)" = 600 ]
	docker save busybox layers:one | cmp - s1.tar
	teu save busybox layers:one | cmp - s1.tar
	run script -qec "$TEU --host $DOCKER_HOST save busybox" /dev/null </dev/null
	prints "cowardly refusing to save to a terminal"
	fails_with 1 "No such image: nothing" teu save -o none.tar nothing
	fails_with 1 "was not found for the platform linux/s390x" teu save --platform linux/amd64,linux/s390x -o none.tar busybox
	teu save --platform linux/amd64 busybox | cmp - <(docker save busybox)
	fails_with 1 "is a directory" teu save -o "$DIR" busybox
	[ ! -e none.tar ] && ! ls none.tar.* 2>/dev/null
	teu import --platform linux/arm64/v8 "$("$TOP/tools/image" busybox)" imp:1
	teu load -q --platform linux/arm64 -i index.tar
	fails_with 1 "linux/arm/v5" teu load -q --platform linux/arm/v5 -i index.tar
	[ "$(docker image inspect -f '{{.Architecture}}' imp:1 example.com/team/multi:1 | xargs)" = "arm64 arm64" ]
	teu load -q --platform linux/arm64,linux/amd64 -i index.tar
	[ "$(teu image inspect -f '{{.Architecture}}' example.com/team/multi:1)" = amd64 ]
	[ "$(teu image inspect --platform linux/arm64 -f '{{.Architecture}}' example.com/team/multi:1)" = arm64 ]
	teu save --platform linux/arm64 -o arm.tar imp:1
	fails_with 1 "--platform 'arm'" teu save --platform arm -o none.tar imp:1
	teu run --name changed busybox sh -c 'echo hi >/hi; rm /bin/ls'
	[ "$(teu diff changed)" = "$(docker diff changed)" ]
	run teu commit -m said -a me -c 'ENV A=b' -c 'LABEL x=y' changed com:1
	[ "$output" = "$(id_of com:1)" ] || { echo "$output"; return 1; }
	[ "$(docker image inspect -f '{{.Author}} {{.Comment}} {{.Config.Env}} {{.Config.Labels}}' com:1)" = "me said [A=b] map[x:y]" ]
	teu export -o x.tar changed
	docker export changed | cmp - x.tar
	tar tf x.tar | grep -qx hi
	fails_with 1 "No such container: absent" teu export -o none.tar absent
	[ ! -e none.tar ]
}

@test "one image through every kind of place keeps its digest and its archive" {
	local want p
	teu save -o a.tar layers:one
	teu image copy -q docker-archive:a.tar "docker://$R/l:1"
	want=$(raw_digest "docker://$R/l:1")
	[ "sha256:$want" = "$(teu image copy "docker://$R/l:1" "docker://$R/sub/m:2" | sed -n 's/^Digest: //p')" ]
	teu image copy -q "docker://$R/sub/m:2" oci:lay:x
	teu image copy -q oci:lay:x dir:flat
	teu image copy -q dir:flat oci-archive:oa.tar:y
	teu image copy -q --digestfile digest oci-archive:oa.tar:y teu:again:1
	[ "$(cat digest)" = "sha256:$want" ]
	teu image copy -q teu:again:1 docker-archive:b.tar:layers:one
	cmp a.tar b.tar
	for p in "docker://$R/sub/m:2" oci:lay:x dir:flat oci-archive:oa.tar docker-archive:b.tar teu:again:1 layers:one; do
		[ "$(raw_digest "$p")" = "$want" ] || { echo "$p"; return 1; }
	done
	[ "$(id_of again:1)" = "$(id_of layers:one)" ]
	[ "$(docker run --rm again:1 cat /d/changed)" = two ]
	run teu image copy "docker://$R/l:1" oci:lay:x
	[ "$(grep -c 'Already exists' <<<"$output")" = 5 ]
	gzip -c a.tar >a.tar.gz
	teu image copy -q docker-archive:a.tar.gz oci:lay:z
	teu image copy -q docker-archive:/dev/stdin oci:lay:w <a.tar
	[ "$(raw_digest oci:lay:z)" = "$want" ] && [ "$(raw_digest oci:lay:w)" = "$want" ]
	! ls -d "$DIR"/.teu-* "$DIR"/teu-image-* 2>/dev/null
}

@test "indexes: one platform, all of them, another format; inspect, list-tags, delete" {
	local all
	all=$(raw_digest oci-archive:index.tar)
	[ "$(raw_digest oci-archive:index.tar)" = "$all" ]
	teu image copy -q --all oci-archive:index.tar "docker://$R/idx:all"
	[ "$(raw_digest "docker://$R/idx:all")" = "$all" ]
	teu image copy -q --all "docker://$R/idx:all" dir:every
	teu image copy -q --multi-arch all dir:every oci-archive:every.tar
	[ "$(raw_digest oci-archive:every.tar)" = "$all" ]
	teu image copy -q --platform linux/arm64 "docker://$R/idx:all" teu:arm:1
	[ "$(docker image inspect -f '{{.Architecture}}' arm:1)" = arm64 ]
	[ "$(teu image inspect --config --platform linux/arm64 "docker://$R/idx:all" | jq -r .architecture)" = arm64 ]
	fails_with 1 "no image for" teu image copy --platform linux/s390x "docker://$R/idx:all" dir:none
	fails_with 1 "holds no index" teu image copy --all "docker://$R/idx:all" docker-archive:none.tar:a:1
	[ ! -e none.tar ]
	teu image copy -q --format v2s2 "docker://$R/idx:all" "docker://$R/idx:v2"
	[ "$(teu image inspect --raw "docker://$R/idx:v2" | jq -r .mediaType)" = application/vnd.docker.distribution.manifest.v2+json ]
	[ "$(teu image inspect --config "docker://$R/idx:v2" | sha256sum)" = "$(teu image inspect --config "docker://$R/idx:all" | sha256sum)" ]
	fails_with 1 "would not be preserved" teu image copy --preserve-digests --format v2s2 "docker://$R/idx:all" "docker://$R/idx:v3"
	fails_with 1 "names its manifests by digests" teu image copy --all --format v2s2 "docker://$R/idx:all" "docker://$R/idx:v3"
	[ "$(teu image list-tags "docker://$R/idx" | jq -c .Tags)" = '["all","v2"]' ]
	[ "$(teu image inspect "docker://$R/idx:v2" | jq -c '[.Name, .RepoTags, .Architecture, (.Layers | length)]')" = "[\"$R/idx\",[\"all\",\"v2\"],\"amd64\",2]" ]
	teu image delete "docker://$R/idx:v2"
	fails_with 1 "answers 404" teu image inspect --raw "docker://$R/idx:v2"
}

@test "a copy that broke off goes on; a damaged blob is named, and nothing appears" {
	teu image copy -q teu:layers:one oci:from:x
	local big
	big=$(find from/blobs -size +500k -printf '%f\n' | head -1)
	cp -a from hurt
	printf x | dd of="hurt/blobs/sha256/$big" bs=1 seek=5000 conv=notrunc status=none
	fails_with 1 "blob 'sha256:$big': its bytes have the digest" teu image copy oci:hurt:x oci:half:x
	[ ! -e half/index.json ] && [ ! -e "half/blobs/sha256/$big" ]
	fails_with 1 "$big" teu image copy oci:hurt:x "docker://$R/half:x"
	fails_with 1 "answers 404" teu image inspect --raw "docker://$R/half:x"
	run teu image copy oci:from:x oci:half:x
	prints "Already exists"
	[ "$(raw_digest oci:half:x)" = "$(raw_digest oci:from:x)" ]
	truncate -s -1 "hurt/blobs/sha256/$big"
	fails_with 1 "its descriptor says" teu image copy oci:hurt:x dir:none
}

@test "hostile archives and layouts are refused by name" {
	fails_with 1 "names no place" teu image copy teu:busybox foo
	fails_with 1 "names no place" teu image copy bogus:x dir:none
	fails_with 1 "No such file" teu image copy docker-archive:absent.tar dir:none
	fails_with 1 "exists, and nothing can be added" sh -c "echo >there.tar; exec nsenter --net=/proc/$(engine_pid)/ns/net '$TEU' --host '$DOCKER_HOST' image copy teu:busybox docker-archive:there.tar"
	python3 - <<-'PY'
	import io, json, tarfile
	def tar(name, members):
	    with tarfile.open(name, "w") as t:
	        for n, data in members:
	            i = tarfile.TarInfo(n)
	            if isinstance(data, str):
	                i.type, i.linkname, data = tarfile.SYMTYPE, data, b""
	            i.size = len(data)
	            t.addfile(i, io.BytesIO(data))
	m = lambda **k: json.dumps([dict(dict(Config="c", RepoTags=None, Layers=["l"]), **k)]).encode()
	tar("dotdot.tar", [("../x", b"1"), ("manifest.json", m())])
	tar("twice.tar", [("manifest.json", m()), ("./manifest.json", m())])
	tar("absent.tar", [("manifest.json", m()), ("c", b"{}")])
	tar("link.tar", [("manifest.json", m()), ("c", b"{}"), ("l", "../../etc/passwd")])
	tar("loop.tar", [("manifest.json", m()), ("c", b"{}"), ("l", "k"), ("k", "l")])
	tar("empty.tar", [("manifest.json", b"[]")])
	tar("deep.tar", [("manifest.json", b"[" * 5000)])
	tar("none.tar", [("x", b"1")])
	PY
	printf '\x1f\x8b\x08garbage' >bad.gz
	head -c 700 dotdot.tar >cut.tar
	fails_with 1 "'../x'" teu image copy docker-archive:dotdot.tar dir:none
	fails_with 1 "occurs twice" teu image copy docker-archive:twice.tar dir:none
	fails_with 1 "there is no member 'l'" teu image copy docker-archive:absent.tar dir:none
	fails_with 1 "there is no member 'l'" teu image copy docker-archive:link.tar dir:none
	fails_with 1 "there is no member 'l'" teu image copy docker-archive:loop.tar dir:none
	fails_with 1 "must be a list of images" teu image copy docker-archive:empty.tar dir:none
	fails_with 1 "deep" teu image copy docker-archive:deep.tar dir:none
	fails_with 1 "it has no manifest.json" teu image copy docker-archive:none.tar dir:none
	fails_with 1 "bad.gz" teu image copy docker-archive:bad.gz dir:none
	fails_with 1 "cut.tar" teu image copy docker-archive:cut.tar dir:none
	mkdir -p evil/blobs/sha256
	echo '{"imageLayoutVersion":"1.0.0"}' >evil/oci-layout
	ln -s /etc/passwd evil/index.json
	fails_with 1 "evil" teu image copy oci:evil dir:none
	rm evil/index.json
	echo '{"schemaVersion":2,"schemaVersion":2,"manifests":[]}' >evil/index.json
	fails_with 1 "schemaVersion" teu image copy oci:evil dir:none
	rm -rf none
}

@test "artifacts: push, pull, attach, discover, as ORAS keeps them" {
	mkdir -p art/sub
	cd art
	echo one >f1
	echo two >sub/f2
	teu artifact push --artifact-type application/vnd.x -a k=v "$R/art:1" f1 sub/f2:text/plain
	run teu image inspect --raw "docker://$R/art:1"
	[ "$(jq -c 'del(.annotations["org.opencontainers.image.created"])' <<<"$output")" = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.x","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30="},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:'"$(sha256sum <f1 | cut -c-64)"'","size":4,"annotations":{"org.opencontainers.image.title":"f1"}},{"mediaType":"text/plain","digest":"sha256:'"$(sha256sum <sub/f2 | cut -c-64)"'","size":4,"annotations":{"org.opencontainers.image.title":"sub/f2"}}],"annotations":{"k":"v"}}' ]
	teu artifact pull -q -o out "$R/art:1"
	cmp f1 out/f1 && cmp sub/f2 out/sub/f2
	fails_with 1 "'f1' exists" teu artifact pull -o out "$R/art:1"
	[ "$(teu artifact pull --format json --overwrite -o out "$R/art:1" | jq -r .artifactType)" = application/vnd.x ]
	teu artifact attach -q --artifact-type application/sbom "$R/art:1" f1 | grep -q "Attached to $R/art:1"
	teu artifact attach -q --artifact-type application/sig "$R/art:1"
	run teu artifact discover "$R/art:1"
	[ "${#lines[@]}" = 3 ]
	prints application/sbom
	[ "$(teu artifact discover --format json --artifact-type application/sig "$R/art:1" | jq '.referrers | length')" = 1 ]
	fails_with 1 "leads out of this directory" teu artifact push "$R/art:2" "$PWD/f1"
	mkdir -p tree/deep && echo leaf >tree/deep/leaf && ln -s deep/leaf tree/link && chmod 750 tree/deep/leaf
	teu artifact push -q "$R/art:dir" ./tree/ f1
	run teu image inspect --raw "docker://$R/art:dir"
	[ "$(jq -c '.layers[0] | [.mediaType, .annotations["org.opencontainers.image.title"], .annotations["io.deis.oras.content.unpack"]]' <<<"$output")" = \
		'["application/vnd.oci.image.layer.v1.tar+gzip","tree","true"]' ]
	teu artifact pull -q -o outdir "$R/art:dir"
	diff -r tree outdir/tree && [ "$(cat outdir/tree/link)" = leaf ] && [ "$(stat -c %a outdir/tree/deep/leaf)" = 750 ]
	[ "$(jq -r '.layers[0].annotations["io.deis.oras.content.digest"]' <<<"$output")" = \
		"sha256:$(beside curl -s "http://$R/v2/art/blobs/$(jq -r '.layers[0].digest' <<<"$output")" | gzip -dc | sha256sum | cut -c-64)" ]
	fails_with 1 "directories are not replaced" teu artifact pull --overwrite -o outdir "$R/art:dir"
	mkdir sock && mkfifo sock/p
	fails_with 1 "is a device, pipe or socket" teu artifact push "$R/art:2" sock
	fails_with 1 "TYPE/SUBTYPE" teu artifact push "$R/art:2" f1:nonsense
	fails_with 1 "KEY=VALUE" teu artifact push -a x "$R/art:2" f1
	teu artifact push -q --disable-path-validation "$R/art:2" ../art/f1
	fails_with 1 "leads out of the directory" teu artifact pull -o out2 "$R/art:2"
	[ -z "$(ls -A out2)" ]
	mkdir out3
	ln -s / out3/sub
	fails_with 1 "sub/f2" teu artifact pull -o out3 "$R/art:1"
	teu artifact push -q oci:lay:a f1
	teu artifact pull -q -o out4 oci:lay:a
	cmp f1 out4/f1
}

@test "tree tells what layers bring, waste what nobody sees, and --ci judges it" {
	run teu image tree --format json layers:one
	[ "$(jq -c '[.layers[] | [.index, .added, .changed, .removed, .command]]' <<<"$output")" = "[[0,$(tar tf "$("$TOP/tools/image" busybox)" | grep -vc '/$'),0,0,\"step 0\"],[1,9,0,0,\"step 1\"],[2,2,1,5,\"step 2\"],[3,2,0,0,\"step 3\"]]" ] || { jq -c .layers <<<"$output"; return 1; }
	run teu image tree --layer 2 layers:one
	prints "C f         3B /d/changed"
	prints "D -         1B /d/gone"
	fails_with 1 "has layers 0 to 3, no layer 4" teu image tree --layer 4 layers:one
	run teu image waste layers:one
	prints "Wasted: 12B of"
	prints "1      4B         /swap"
	fails_with 1 "FAIL: highestUserWastedPercent" teu image waste --ci layers:one
	teu image waste --ci --lowestEfficiency 0.99 --highestUserWastedPercent 0.5 --highestWastedBytes 12 layers:one
	fails_with 1 "FAIL: highestWastedBytes" teu image waste --ci --highestUserWastedPercent 1 --highestWastedBytes 11 layers:one
	fails_with 1 "judged with --ci" teu image waste --lowestEfficiency 0.9 layers:one
	[ "$(teu image waste --format json docker-archive:layers.tar:layers:one | jq -c '[.wastedBytes, .files[0]]')" = '[12,{"wastedBytes":4,"times":1,"path":"/swap"}]' ]
	# gzip layers of a registry; and without rights, in a process that has none to lose
	teu image copy -q --all oci-archive:index.tar "docker://$R/gz:1"
	[ "$(teu image tree --format json "docker://$R/gz:1" | jq -c '[.layers[].size] | length')" = 2 ]
	chmod 711 "$DIR" && chmod 644 index.tar
	mkdir -m 777 "$DIR/tmp"
	[ "$(TMPDIR=$DIR/tmp beside setpriv --reuid 1000 --regid 1000 --clear-groups "$TEU" image tree --format json oci-archive:index.tar | jq '.layers | length')" = 2 ]
	teu artifact push -q "$R/noimage:1"
	fails_with 1 "it is no image but an artifact" teu image tree "docker://$R/noimage:1"
}

# On the store itself, in the engine's namespaces.
stored() { nsenter "--mount=/proc/$(engine_pid)/ns/mnt" "--net=/proc/$(engine_pid)/ns/net" timeout 30 "$TEU" --host "$DOCKER_HOST" --root "$DIR/e/root" image "$@"; }

@test "verify finds every damage to blobs and unpacked layers, and repairs blobs from the registry" {
	python3 "$TOP/tests/tools/mkimage.py" "$("$TOP/tools/image" busybox)" "$DIR" attributes sixty
	docker load -q -i attributes.tar
	docker load -q -i sixty.tar
	docker run --name by-hand layers:one sh -c 'echo hi >/hi; rm /bin/ls; rm -r /d; mkdir /d; echo 1 >/d/x; echo 1 >/d/y; ln /hi /hi2'
	docker commit by-hand dam:1
	run stored verify --all
	prints "all is well"
	[ "$status" = 0 ]
	local layer blob
	layer=$(docker image inspect -f '{{.GraphDriver.Data.UpperDir}}' dam:1)
	echo bad >>"$layer/hi"
	touch "$layer/extra"
	rm "$layer/bin/ls"
	chmod 700 "$layer/d/x"
	local problems=5
	if python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.new", b"1")' "$layer/d/y" 2>/dev/null; then
		problems=6
	fi
	run stored verify dam:1
	[ "$status" = 1 ]
	prints "/hi has another size"
	prints "/extra is not of the layer"
	prints "/bin/.wh.ls is missing: it is shown again"
	prints "/d/x has another mode"
	[ "$problems" = 5 ] || prints "/d/y has other extended attributes"
	[ "$(stored verify --format json dam:1 | jq '.problems | length')" = "$problems" ]
	docker rm by-hand
	docker run -d --name on-it dam:1 sleep 100
	run stored verify --repair dam:1
	[ "$status" = 1 ]
	prints "repair: it is mounted"
	docker rm -f on-it
	run stored verify --repair dam:1
	[ "$status" = 0 ]
	prints "/bin/.wh.ls is missing: it is shown again (repaired)"
	stored verify dam:1
	[ "$(docker run --rm dam:1 sh -c 'ls /d; cat /hi /hi2 /d/x; ls -l /bin/ls /extra' 2>/dev/null | tr '\n' ' ')" = "x y hi hi 1 " ]
	[ -z "$(ls "$DIR/e/root/store/ingest")" ]
	docker rmi dam:1
	docker tag layers:one "$R/v:1"
	docker push -q "$R/v:1"
	blob=$(docker image inspect -f '{{index .RootFS.Layers 1}}' layers:one)
	printf x | dd of="$DIR/e/root/store/blobs/sha256/${blob#sha256:}" bs=1 seek=1000 conv=notrunc status=none
	fails_with 1 "blob $blob" stored verify layers:one
	run stored verify --repair layers:one
	[ "$status" = 0 ]
	prints "(repaired)"
	stored verify layers:one
	fails_with 1 "give images, or --all" stored verify
	fails_with 1 "No such image" stored verify absent
}

@test "an image's root is mounted read-only, and unmounted when nobody uses it" {
	mkdir -p m full
	touch full/x
	stored mount layers:one "$DIR/m"
	local look=(nsenter "--mount=/proc/$(engine_pid)/ns/mnt")
	[ "$("${look[@]}" cat "$DIR/m/d/changed")" = two ]
	[ ! -e m/d ]
	! "${look[@]}" ls "$DIR/m/d/gone" 2>/dev/null
	fails_with 1 "Read-only file system" "${look[@]}" touch "$DIR/m/x"
	fails_with 1 "in use: mount on an empty one" stored mount layers:one "$DIR/m"
	fails_with 1 "in use: mount on an empty one" stored mount layers:one "$DIR/full"
	fails_with 1 "is in use: a program" "${look[@]}" sh -c "cd '$DIR/m'; '$TEU' image unmount '$DIR/m'"
	stored unmount "$DIR/m"
	fails_with 1 "no image is mounted" stored unmount "$DIR/m"
	docker tag layers:one held:1
	docker rmi held:1 # only a name
	docker commit -c "LABEL held=1" "$(docker create --name held busybox true)" held:1
	docker rm held
	stored mount held:1 "$DIR/m"
	fails_with 1 "image is mounted on '$DIR/m'" docker rmi -f held:1
	docker image prune -af --filter label=held=1
	docker image inspect -f ok held:1
	"${look[@]}" umount "$DIR/m"
	fails_with 1 "image is mounted on" docker rmi held:1
	stored unmount "$DIR/m" # what umount(8) does not know of
	docker rmi held:1
	stored mount busybox "$DIR/m"
	"${look[@]}" test -x "$DIR/m/bin/busybox"
	stored unmount "$DIR/m"
}
