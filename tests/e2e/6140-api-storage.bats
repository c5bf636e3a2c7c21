#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Claims, volumes and volume attributes classes in use: they stay, over the server's end, until they are not.

load apiserver.bash

setup() { api_setup; }

claim() {
	printf '{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "%s"}, "spec":
		{"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}' "$1" | k create -f -
}

# pod NAME VOLUME: on a node.
pod() {
	printf '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "%s"}, "spec": {"nodeName": "n", "containers":
		[{"name": "c", "image": "i"}], "volumes": [{"name": "v", %s}]}}' "$1" "$2" | k create -f -
}

volume() {
	printf '{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "%s"}, "spec": {"capacity":
		{"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}}' "$1" | k create -f -
}

of() { k get "$@" -o jsonpath='{.metadata.finalizers} {.metadata.deletionTimestamp}{"\n"}'; }
kill_server() { kill -KILL "$SERVER"; wait "$SERVER" || true; }

use_case() {
	set -e
	api_start
	k wait --for=create serviceaccount/default --timeout 20s
	claim data
	k describe pvc data | grep ^Finalizers
	pod user '"persistentVolumeClaim": {"claimName": "data"}'
	k delete pvc data --wait=false
	of pvc data | grep '^\["kubernetes.io/pvc-protection"\] 20'
	k get pvc data --no-headers | grep Terminating
	kill_server
	api_start
	of pvc data | grep '^\["kubernetes.io/pvc-protection"\] 20'
	k delete pod user --force --grace-period 0
	k wait --for=delete pvc/data --timeout 20s

	# a pod that goes while nobody looks: its claim is found at the next start
	claim late
	pod last '"persistentVolumeClaim": {"claimName": "late"}'
	k delete pvc late --wait=false
	k delete pod last --force --grace-period 0 --wait=false
	kill_server
	api_start
	k wait --for=delete pvc/late --timeout 20s

	claim unused
	k delete pvc unused --timeout 20s
	api_stop
	echo over
}

@test "storage: a claim stays while a pod uses it, also when the server is killed" {
	run alone use_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = over ]
	[[ $output == *"Finalizers:    [kubernetes.io/pvc-protection]"* ]]
}

others_case() {
	set -e
	api_start
	volume disk
	k patch pv disk --subresource status --type merge -p '{"status": {"phase": "Bound"}}'
	k delete pv disk --wait=false
	of pv disk | grep '^\["kubernetes.io/pv-protection"\] 20'
	k patch pv disk --subresource status --type merge -p '{"status": {"phase": "Released"}}'
	k wait --for=delete pv/disk --timeout 20s
	printf '{"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttributesClass", "metadata": {"name": "fast"}, "driverName": "d", "parameters": {"a": "b"}}' | k create -f -
	claim data
	k patch pvc data --subresource status --type merge -p '{"status": {"currentVolumeAttributesClassName": "fast"}}'
	k delete --raw /apis/storage.k8s.io/v1/volumeattributesclasses/fast
	echo
	k get --raw /apis/storage.k8s.io/v1/volumeattributesclasses/fast | grep -o '"finalizers":\["kubernetes.io/vac-protection"\]'
	k delete pvc data --timeout 20s
	k wait --for=delete volumeattributesclasses.v1.storage.k8s.io/fast --timeout 20s
	api_stop
	echo over
}

@test "storage: volumes stay while they are bound, classes while they are named" {
	run alone others_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = over ]
}

off_case() {
	set -e
	api_start --disable-admission-plugins StorageObjectInUseProtection
	claim data
	of pvc data
	k annotate pvc data a=b
	of pvc data
	api_stop
	api_start
	k wait --for=jsonpath='{.metadata.finalizers[0]}'=kubernetes.io/pvc-protection pvc/data --timeout 20s
	api_stop
	# what was given is taken away all the same
	api_start --disable-admission-plugins StorageObjectInUseProtection
	k delete pvc data --timeout 20s
	api_stop
	echo over
}

@test "storage: with the plugin off nothing is given, and what is older gets it when it is on" {
	run alone off_case
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[1]}" = " " ]
	[ "${lines[3]}" = " " ]
	[ "${lines[-1]}" = over ]
}
