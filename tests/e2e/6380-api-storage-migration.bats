#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# StorageVersionMigrations: served when they are switched on, a key of encryption at rest and a custom kind's version
# that are left behind, a server killed in the middle.

bats_require_minimum_version 1.5.0
TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
. "$TOP/tests/e2e/apiserver.bash"

setup() { api_setup; }
start_on() { api_start --feature-gates StorageVersionMigrator=true --runtime-config storagemigration.k8s.io/v1beta1=true "$@"; }

# keys NAME=SECRET...: an EncryptionConfiguration of secrets in enc; the first seals.
keys() {
	local k
	printf '%s\n' 'apiVersion: apiserver.config.k8s.io/v1' 'kind: EncryptionConfiguration' 'resources:' \
		'- resources: [secrets]' '  providers:' '  - secretbox:' '      keys:' >enc.new
	for k; do printf '      - {name: %s, secret: %s}\n' "${k%%=*}" "$(printf "%032d" "${k##*=}" | base64)" >>enc.new; done
	cat enc.new >enc # in place: the server's user can read it again
	rm enc.new
}

reloaded() {
	timeout 20 sh -c "until grep -q 'reload done.*encryption' api.log; do sleep 0.05; done"
}

# migrate NAME GROUP RESOURCE
migrate() {
	k create -f - <<-EOF
		---
		{apiVersion: storagemigration.k8s.io/v1beta1, kind: StorageVersionMigration, metadata: {name: $1},
		 spec: {resource: {group: "$2", resource: $3}}}
	EOF
}
condition() { k get storageversionmigration "$1" -o "jsonpath={.status.conditions[?(@.type==\"$2\")].$3}"; }
until_over() {
	k wait --for=condition=Running=False --timeout=30s "storageversionmigration/$1" >/dev/null
}

# sealed NAME: how many values of the store have that key's prefix, the write-ahead log counted.
sealed() {
	python3 - "$1" <<-'EOF'
		import sqlite3, sys
		db = sqlite3.connect("file:root/apiserver/store/store.db?mode=ro", uri=True)
		n = 0
		for (table,) in db.execute("select name from sqlite_master where type = 'table'").fetchall():
		    for (c,) in [(r[1],) for r in db.execute(f"pragma table_info({table})")]:
		        n += db.execute(f'select count(*) from "{table}" where instr(cast("{c}" as blob), cast(? as blob)) = 1',
		                        (f"k8s:enc:secretbox:v1:{sys.argv[1]}:",)).fetchone()[0]
		print(n)
	EOF
}

off_case() {
	set -e
	api_start --feature-gates StorageVersionMigrator=true --runtime-config apps/v1=false,batch/v1/jobs=false
	fails_with "could not find" k get --raw /apis/storagemigration.k8s.io/v1beta1
	fails_with "could not find" k get --raw /apis/apps/v1
	fails_with "could not find" k get --raw /apis/batch/v1/jobs
	k get --raw /apis/batch/v1 | grep -q cronjobs
	[ "$(k get --raw /apis/batch/v1 | grep -c '"jobs"')" = 0 ] || false
	api_stop
	api_start --runtime-config storagemigration.k8s.io/v1beta1=true
	grep -q 'stays off' api.log
	fails_with "could not find" k get --raw /apis/storagemigration.k8s.io/v1beta1
	k get --raw /apis/apps/v1 | grep -q deployments
	api_stop
}

@test "storage migration: versions are switched on and off, and wait for their feature" {
	run alone off_case
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "storage migration: what is not there is refused by name" {
	run_it() { "$TEU" --root "$BATS_TEST_TMPDIR/root" --run "$BATS_TEST_TMPDIR/run" apiserver "$@"; }
	fails_with "--runtime-config: unknown api groups api/legacy" run_it --runtime-config api/legacy=true
	fails_with "group version apps/v9 is not known here" run_it --runtime-config apps/v9=true
	fails_with "apps/v1 has no resource 'pods'" run_it --runtime-config apps/v1/pods=false
	fails_with "unrecognized feature gate: Everything" run_it --feature-gates Everything=true
}

secrets_case() {
	set -e
	local i
	keys old=1
	start_on --encryption-provider-config enc
	for i in $(seq 0 199); do
		printf -- '---\n{apiVersion: v1, kind: Secret, metadata: {name: s%s}, stringData: {a: text-%s}}\n' "$i" "$i"
	done >secrets.yaml
	k create -f secrets.yaml >/dev/null
	[ "$(sealed old)" -ge 200 ]
	keys new=2 old=1
	reloaded
	migrate one "" secrets
	until_over one
	k get storageversionmigrations
	[ "$(condition one Succeeded status)" = True ]
	[ "$(condition one Succeeded reason)" = StorageVersionMigrationSucceeded ]
	[ -n "$(k get storageversionmigration one -o jsonpath='{.status.resourceVersion}')" ]
	revision=$(k get secret s7 -o jsonpath='{.metadata.resourceVersion}')
	migrate two "" secrets
	until_over two
	# nothing was to be done, so nobody was told of anything
	[ "$(k get secret s7 -o jsonpath='{.metadata.resourceVersion}')" = "$revision" ]
	teu store compact
	api_stop
	[ "$(sealed new)" -ge 200 ]
	keys new=2
	start_on --encryption-provider-config enc
	[ "$(k get secret s199 -o jsonpath='{.data.a}' | base64 -d)" = text-199 ]
	[ "$(k get secrets -o name | grep -c secret/s)" = 200 ]
	fails_with "spec: Invalid value" k patch storageversionmigration one --type merge -p '{"spec":{"resource":{"resource":"pods"}}}'
	api_stop
}

@test "storage migration: after a new key and a migration the old key is not needed" {
	run alone secrets_case
	echo "$output"
	[ "$status" -eq 0 ]
}

kill_case() {
	set -e
	local i
	keys old=1
	start_on --encryption-provider-config enc
	for i in $(seq 0 299); do
		printf -- '---\n{apiVersion: v1, kind: Secret, metadata: {name: s%s}, stringData: {a: text-%s}}\n' "$i" "$i"
	done >secrets.yaml
	k create -f secrets.yaml >/dev/null
	keys new=2 old=1
	reloaded
	migrate one "" secrets
	api_stop KILL || true
	start_on --encryption-provider-config enc
	until_over one
	[ "$(condition one Succeeded status)" = True ]
	api_stop
	keys new=2
	start_on --encryption-provider-config enc
	[ "$(k get secrets -o name | grep -c secret/s)" = 300 ]
	api_stop
}

@test "storage migration: a server that was killed goes on with it" {
	run alone kill_case
	echo "$output"
	[ "$status" -eq 0 ]
}

crd() { # STORED OTHER
	k apply -f - <<-EOF
		---
		{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: foos.example.com},
		 spec: {group: example.com, scope: Namespaced, names: {plural: foos, kind: Foo},
		  versions: [{name: v1, served: true, storage: $1, schema: {openAPIV3Schema: {type: object}}},
		             {name: v2, served: true, storage: $2, schema: {openAPIV3Schema: {type: object}}}]}}
	EOF
	k wait --for=condition=Established crd/foos.example.com >/dev/null
}

custom_case() {
	set -e
	start_on
	crd true false
	k create -f - <<<$'---\n{apiVersion: example.com/v1, kind: Foo, metadata: {name: one}}'
	crd false true
	[ "$(k get crd foos.example.com -o jsonpath='{.status.storedVersions}')" = '["v1","v2"]' ]
	migrate m example.com foos
	until_over m
	[ "$(k get crd foos.example.com -o jsonpath='{.status.storedVersions}')" = '["v2"]' ]
	[ "$(k get crd foos.example.com -o jsonpath='{.status.conditions[?(@.type=="StorageMigrating")].reason}')" = MigrationSucceeded ]
	[ "$(k get storageversionmigration m --no-headers | tr -s ' ')" = "m foos.example.com Succeeded" ]
	# so v1 can be taken away
	k patch crd foos.example.com --type json -p '[{"op":"remove","path":"/spec/versions/0"}]'
	k get foos.v2.example.com one -o name
	migrate bad "" bindings
	until_over bad
	[ "$(condition bad Failed message)" = 'resource "/v1, Resource=bindings" does not support discovery operations: [update patch list]' ]
	api_stop
}

@test "storage migration: objects of a definition go to its storage version, which then is the only one" {
	run alone custom_case
	echo "$output"
	[ "$status" -eq 0 ]
}
