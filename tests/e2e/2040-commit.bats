#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# docker commit: a container becomes an image, and what that image then is.

load engine.bash

setup_file() { engine_setup_file; }
teardown_file() { engine_teardown_file; }
setup() { engine_setup; }
teardown() {
	remove_all
	[ -z "${DIR:-}" ] || docker images -q --no-trunc | sort -u | grep -v "$(docker images -q --no-trunc busybox)" | xargs -r "$DOCKER" rmi -f >/dev/null 2>&1 || true
}

layers_of() { docker image inspect -f '{{json .RootFS.Layers}}' "$1"; }
ran() { docker run --name "$1" --network none busybox sh -c 'rm /etc/passwd; rm -r /home; mkdir /home; echo h >/home/h; echo new >/added; chmod 4755 /added; ln /added /hard'; }

@test "a committed container is an image with one more layer, which runs" {
	ran c1
	local id
	id=$(docker commit -m "a message" -a "An Author <a@example.com>" c1 made:1)
	[ "$(docker image inspect -f '{{.Id}}' made:1)" = "$id" ]
	[ "$(docker image inspect -f '{{.Comment}}|{{.Author}}' made:1)" = "a message|An Author <a@example.com>" ]
	[ "$(layers_of made:1 | jq length)" = 2 ]
	[ "$(layers_of made:1 | jq -r '.[0]')" = "$(layers_of busybox | jq -r '.[0]')" ]
	[ "$(docker history --format '{{.Comment}}' made:1 | head -1)" = "a message" ]
	run docker run --rm --network none made:1 sh -c 'ls /home; cat /hard; stat -c "%a %h" /added; ls /etc/passwd'
	[ "${lines[0]}" = h ] && [ "${lines[1]}" = new ] && [ "${lines[2]}" = "4755 2" ]
	[[ "$output" == *"No such file"* ]]
}

@test "the layer is the same for the same files" {
	ran c2
	docker commit c2 same:1
	docker commit c2 same:2
	[ "$(layers_of same:1)" = "$(layers_of same:2)" ]
	docker rmi same:1
	[ "$(docker run --rm --network none same:2 cat /hard)" = new ]
}

@test "the container's config is the image's, and --change goes on top" {
	docker run --name c3 --network none -e A=1 -e B=2 -w /tmp -l one=1 --user 1000 --entrypoint echo busybox from run
	docker commit -c 'ENV B=3 C=4' -c 'LABEL two=2' -c 'CMD ["other"]' -c 'EXPOSE 80' c3 changed:1
	# the command line sends its -e in any order (it keeps them in a map)
	[ "$(docker image inspect -f '{{range .Config.Env}}{{println .}}{{end}}' changed:1 | grep -v -e ^PATH= -e '^$' | sort | xargs)" = "A=1 B=3 C=4" ]
	run docker image inspect -f '{{.Config.Cmd}} {{.Config.Entrypoint}} {{.Config.WorkingDir}} {{.Config.User}} {{.Config.Labels}} {{.Config.ExposedPorts}}' changed:1
	[[ "$output" == *"[other] [echo] /tmp 1000 map[one:1 two:2] map[80/tcp:{}]" ]]
	[ "$(docker run --rm --network none changed:1)" = other ]
	fails_with 1 "is not a valid change command" docker commit -c 'RUN true' c3 changed:2
	fails_with 1 "No such image: changed:2" docker image inspect changed:2
}

@test "a running container is committed, with and without pause, and runs on" {
	docker run -d --name c4 --network none busybox sh -c 'echo x >/made; while :; do date +%N >/tick; sleep 0.01; done' >/dev/null
	until_ok docker exec c4 test -s /tick
	docker commit c4 running:1
	docker commit --pause=false c4 running:2
	[ "$(docker inspect -f '{{.State.Status}}' c4)" = running ]
	[ "$(docker run --rm --network none running:1 cat /made)" = x ]
	[ "$(docker exec c4 cat /made)" = x ]
}

@test "commits on commits, saved and loaded again" {
	ran c5
	docker commit c5 deep:1
	docker run --name c6 --network none deep:1 sh -c 'rm /added; echo 2 >/second'
	docker commit c6 deep:2
	[ "$(layers_of deep:2 | jq length)" = 3 ]
	docker save -o "$DIR/deep.tar" deep:2
	docker rm -f c5 c6 >/dev/null
	docker rmi deep:2 deep:1
	docker load -q -i "$DIR/deep.tar"
	docker save deep:2 | cmp - "$DIR/deep.tar"
	run docker run --rm --network none deep:2 sh -c 'cat /second /hard; ls /added'
	[ "${lines[0]}" = 2 ] && [ "${lines[1]}" = new ]
	[[ "$output" == *"No such file"* ]]
}

@test "the history tells the size of each layer" {
	docker run --name c8 --network none busybox dd if=/dev/zero of=/big bs=1000 count=77
	docker commit -m sized c8 sized:1
	[ "$(docker history --human=false --format '{{.Size}}' sized:1 | head -1)" = 77000 ]
	[ "$(docker history --human=false --format '{{.Size}}' sized:1 | awk '{s += $1} END {print s}')" = "$(docker image inspect -f '{{.Size}}' sized:1)" ]
}

@test "a commit without a name, of nothing, and of what is not there" {
	docker create --name c7 busybox true
	local id
	id=$(docker commit c7)
	[ "$(docker image inspect -f '{{.RepoTags}}' "$id")" = "[]" ]
	fails_with 1 "No such container: nothing" docker commit nothing x:1
	fails_with 1 "invalid reference format" docker commit c7 'Bad Name'
}
