/* SPDX-License-Identifier: Apache-2.0 */
/* Private to test-check-kinds.c: objects without their metadata, the one before an update, the
   subresource written, metadata.name (NULL: x, "": no metadata), and what is wrong. */
#pragma once

static const struct kind_row {
	const char *version, *kind, *body, *old, *sub, *name, *wrong;
} rows[] = {
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL, "" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec"
	  "\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL, "spec.selector: Required value" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{},\"template\":{\"metadata\":{\"labels\":{\"a\""
	  ":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"
	  "}",
	  NULL, "", NULL,
	  "spec.selector: Invalid value: {}: empty selector is invalid for deploy"
	  "ment" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"z\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL,
	  "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector"
	  "` does not match template `labels`" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"z\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"z\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "", NULL,
	  "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: field i"
	  "s immutable" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolicy\":\"Ne"
	  "ver\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL,
	  "spec.template.spec.restartPolicy: Unsupported value: \"Never\": suppor"
	  "ted values: \"Always\"" },
	{ "apps/v1", "ReplicaSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL, "" },
	{ "apps/v1", "ReplicaSet",
	  "\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec"
	  "\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL, "spec.selector: Required value" },
	{ "apps/v1", "ReplicaSet",
	  "\"spec\":{\"selector\":{},\"template\":{\"metadata\":{\"labels\":{\"a\""
	  ":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"
	  "}",
	  NULL, "", NULL,
	  "spec.selector: Invalid value: {}: empty selector is invalid for deploy"
	  "ment" },
	{ "apps/v1", "ReplicaSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"z\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL,
	  "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector"
	  "` does not match template `labels`" },
	{ "apps/v1", "ReplicaSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"z\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"z\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "", NULL,
	  "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: field i"
	  "s immutable" },
	{ "apps/v1", "ReplicaSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolicy\":\"Ne"
	  "ver\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL,
	  "spec.template.spec.restartPolicy: Unsupported value: \"Never\": suppor"
	  "ted values: \"Always\"" },
	{ "apps/v1", "DaemonSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL, "" },
	{ "apps/v1", "DaemonSet",
	  "\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec"
	  "\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL,
	  "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector"
	  "` does not match template `labels`" },
	{ "apps/v1", "DaemonSet",
	  "\"spec\":{\"selector\":{},\"template\":{\"metadata\":{\"labels\":{\"a\""
	  ":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"
	  "}",
	  NULL, "", NULL,
	  "spec.selector: Invalid value: {}: empty selector is invalid for daemon"
	  "set" },
	{ "apps/v1", "DaemonSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"z\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL,
	  "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector"
	  "` does not match template `labels`" },
	{ "apps/v1", "DaemonSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"z\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"z\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "", NULL,
	  "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: field i"
	  "s immutable" },
	{ "apps/v1", "DaemonSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolicy\":\"Ne"
	  "ver\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL,
	  "spec.template.spec.restartPolicy: Unsupported value: \"Never\": suppor"
	  "ted values: \"Always\"" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL, "" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec"
	  "\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL, "spec.selector: Required value" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{},\"template\":{\"metadata\":{\"labels\":{\"a\""
	  ":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"
	  "}",
	  NULL, "", NULL,
	  "spec.selector: Invalid value: {}: empty selector is invalid for statef"
	  "ulset" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"z\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL,
	  "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector"
	  "` does not match template `labels`" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"z\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"z\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "", NULL,
	  "spec: Forbidden: updates to statefulset spec for fields other than 're"
	  "plicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLim"
	  "it', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
	  "forbidden" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolicy\":\"Ne"
	  "ver\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL,
	  "spec.template.spec.restartPolicy: Unsupported value: \"Never\": suppor"
	  "ted values: \"Always\"" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"replicas\":-1}",
	  NULL, "", NULL, "spec.replicas: Invalid value: -1: must be greater than or equal to 0" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"strategy\":{\"type\":\"Recreate\",\"ro"
	  "llingUpdate\":{}}}",
	  NULL, "", NULL,
	  "spec.strategy.rollingUpdate: Forbidden: may not be specified when stra"
	  "tegy `type` is 'Recreate'" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"strategy\":{\"type\":\"x\"}}",
	  NULL, "", NULL,
	  "spec.strategy: Unsupported value: {\"type\":\"x\"}: supported values: "
	  "\"Recreate\", \"RollingUpdate\"" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"strategy\":{\"rollingUpdate\":{\"maxSu"
	  "rge\":0,\"maxUnavailable\":\"0%\"}}}",
	  NULL, "", NULL,
	  "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may"
	  " not be 0 when `maxSurge` is 0" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"strategy\":{\"rollingUpdate\":{\"maxUn"
	  "available\":\"101%\"}}}",
	  NULL, "", NULL,
	  "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": m"
	  "ust not be greater than 100%" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"progressDeadlineSeconds\":5,\"minReady"
	  "Seconds\":5}",
	  NULL, "", NULL,
	  "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than m"
	  "inReadySeconds" },
	{ "apps/v1", "Deployment",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}},\"status\":{\"replicas\":1,\"readyRepli"
	  "cas\":2}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "status", NULL,
	  "status.readyReplicas: Invalid value: 2: cannot be greater than status."
	  "replicas" },
	{ "apps/v1", "DaemonSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"updateStrategy\":{\"rollingUpdate\":{\""
	  "maxSurge\":1}}}",
	  NULL, "", NULL,
	  "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not "
	  "be set when maxUnavailable is non-zero" },
	{ "apps/v1", "DaemonSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"updateStrategy\":{\"rollingUpdate\":{\""
	  "maxUnavailable\":0}}}",
	  NULL, "", NULL,
	  "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cann"
	  "ot be 0 when maxSurge is 0" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"podManagementPolicy\":\"x\"}",
	  NULL, "", NULL,
	  "spec.podManagementPolicy: Invalid value: \"x\": must be 'OrderedReady'"
	  " or 'Parallel'" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"updateStrategy\":{\"rollingUpdate\":{\""
	  "maxUnavailable\":0}}}",
	  NULL, "", NULL,
	  "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: ca"
	  "nnot be 0" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"updateStrategy\":{\"type\":\"OnDelete\""
	  ",\"rollingUpdate\":{\"partition\":1}}}",
	  NULL, "", NULL,
	  "spec.updateStrategy.rollingUpdate: Invalid value: {\"partition\":1}: o"
	  "nly allowed for updateStrategy 'RollingUpdate'" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"persistentVolumeClaimRetentionPolicy\""
	  ":{\"whenDeleted\":\"x\"}}",
	  NULL, "", NULL,
	  "spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported val"
	  "ue: \"x\": supported values: \"Retain\", \"Delete\"" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"replicas\":3}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "", NULL, "" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}},\"serviceName\":\"s\"}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  "", NULL,
	  "spec: Forbidden: updates to statefulset spec for fields other than 're"
	  "plicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLim"
	  "it', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
	  "forbidden" },
	{ "apps/v1", "StatefulSet",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"nam"
	  "e\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", "a.b", "metadata.name: Invalid value: \"a.b\": must not contain dots" },
	{ "apps/v1", "ControllerRevision", "\"data\":{},\"revision\":1", NULL, "", NULL, "" },
	{ "apps/v1", "ControllerRevision", "\"revision\":-1", NULL, "", NULL,
	  "[data: Required value: data is mandatory, revision: Invalid value: -1:"
	  " must be greater than or equal to 0]" },
	{ "apps/v1", "ControllerRevision", "\"data\":{\"a\":1},\"revision\":1",
	  "\"data\":{},\"revision\":1", "", NULL,
	  "data: Invalid value: {\"a\":1}: field is immutable" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}}}",
	  NULL, "", NULL, "" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec"
	  "\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"imag"
	  "e\":\"i\"}]}}}",
	  NULL, "", NULL, "spec.selector: Required value" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}",
	  NULL, "", NULL,
	  "spec.template.spec.restartPolicy: Required value: valid values: \"OnFa"
	  "ilure\", \"Never\"" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"completionMode\":\"Indexed\"}",
	  NULL, "", NULL, "" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"completionMode\":\"Indexed\",\"completions\":1,\"parallel"
	  "ism\":100001}",
	  NULL, "", NULL,
	  "spec.parallelism: Invalid value: 100001: must be less than or equal to"
	  " 100000 when completion mode is Indexed" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"backoffLimitPerIndex\":1}",
	  NULL, "", NULL,
	  "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completi"
	  "on mode" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"maxFailedIndexes\":1}",
	  NULL, "", NULL,
	  "[spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is s"
	  "pecified, spec.maxFailedIndexes: Invalid value: 1: requires indexed co"
	  "mpletion mode]" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"managedBy\":\"x\"}",
	  NULL, "", NULL,
	  "spec.managedBy: Invalid value: \"x\": must be a domain-prefixed path ("
	  "such as \"acme.io/foo\")" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"completions\":-1}",
	  NULL, "", NULL,
	  "spec.completions: Invalid value: -1: must be greater than or equal to "
	  "0" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"podReplacementPolicy\":\"x\"}",
	  NULL, "", NULL,
	  "spec.podReplacementPolicy: Unsupported value: \"x\": supported values:"
	  " \"Failed\", \"TerminatingOrFailed\"" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"podFailurePolicy\":{\"rules\":[{\"action\":\"FailIndex\","
	  "\"onExitCodes\":{\"operator\":\"In\",\"values\":[0]}}]}}",
	  NULL, "", NULL,
	  "[spec.podFailurePolicy.rules[0].action: Invalid value: \"FailIndex\": "
	  "requires the backoffLimitPerIndex to be set, spec.podFailurePolicy.rul"
	  "es[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the I"
	  "n operator]" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"podFailurePolicy\":{\"rules\":[{\"action\":\"Count\"}]}}",
	  NULL, "", NULL,
	  "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExi"
	  "tCodes and OnPodConditions is required" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"podFailurePolicy\":{\"rules\":[{\"action\":\"x\",\"onExit"
	  "Codes\":{\"containerName\":\"z\",\"operator\":\"NotIn\",\"values\":[2,"
	  "1,1]}}]}}",
	  NULL, "", NULL,
	  "[spec.podFailurePolicy.rules[0].action: Unsupported value: \"x\": supp"
	  "orted values: \"Count\", \"FailIndex\", \"FailJob\", \"Ignore\", spec."
	  "podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \""
	  "z\": must be one of the container or initContainer names in the pod te"
	  "mplate, spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicat"
	  "e value: 1, spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid"
	  " value: [2,1,1]: must be ordered]" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"podFailurePolicy\":{\"rules\":[{\"action\":\"Ignore\",\"o"
	  "nPodConditions\":[{\"type\":\"T\",\"status\":\"x\"}]}]}}",
	  NULL, "", NULL,
	  "spec.podFailurePolicy.rules[0].onPodConditions[0].status: Unsupported "
	  "value: \"x\": supported values: \"False\", \"True\", \"Unknown\"" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"successPolicy\":{\"rules\":[]}}",
	  NULL, "", NULL,
	  "spec.successPolicy: Invalid value: {\"rules\":[]}: requires indexed co"
	  "mpletion mode" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"completionMode\":\"Indexed\",\"completions\":3,\"successP"
	  "olicy\":{\"rules\":[{}]}}",
	  NULL, "", NULL,
	  "spec.successPolicy.rules[0]: Required value: at least one of succeeded"
	  "Count or succeededIndexes must be specified" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"completionMode\":\"Indexed\",\"completions\":3,\"successP"
	  "olicy\":{\"rules\":[{\"succeededIndexes\":\"0-3\"}]}}",
	  NULL, "", NULL,
	  "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0-3\": "
	  "error parsing succeededIndexes: too large index: \"3\"" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"completionMode\":\"Indexed\",\"completions\":3,\"successP"
	  "olicy\":{\"rules\":[{\"succeededIndexes\":\"0,1\",\"succeededCount\":3"
	  "}]}}",
	  NULL, "", NULL,
	  "spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be "
	  "less than or equal to 2 (the number of indexes in the specified succee"
	  "dedIndexes field)" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"completions\":2}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"completions\":1}",
	  "", NULL, "spec.completions: Invalid value: 2: field is immutable" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"completionMode\":\"Indexed\",\"completions\":2,\"parallel"
	  "ism\":2}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}},\"completionMode\":\"Indexed\",\"completions\":1,\"parallel"
	  "ism\":1}",
	  "", NULL, "" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"j\"}]}}}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}}}",
	  "", NULL,
	  "spec.template: Invalid value: {\"metadata\":{\"labels\":{\"a\":\"b\"}}"
	  ",\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"j\",\"resources"
	  "\":{},\"terminationMessagePath\":\"/dev/termination-log\",\"terminatio"
	  "nMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\"}],\"restartPo"
	  "licy\":\"Never\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\""
	  "ClusterFirst\",\"securityContext\":{},\"schedulerName\":\"default-sche"
	  "duler\"}}: field is immutable" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}}},\"status\":{\"active\":1,\"ready\":2}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}}}",
	  "status", NULL,
	  "status.ready: Invalid value: 2: cannot set more ready pods than active" },
	{ "batch/v1", "Job",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}}},\"status\":{\"conditions\":[{\"type\":\"Complete\",\"statu"
	  "s\":\"True\"}]}",
	  "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"manualSelecto"
	  "r\":true,\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\""
	  ":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\""
	  ":\"i\"}]}}}",
	  "status", NULL,
	  "[status.conditions: Invalid value: cannot set Complete=True condition "
	  "without the SuccessCriteriaMet=true condition, status.completionTime: "
	  "Required value: completionTime is required for Complete jobs, status.s"
	  "tartTime: Required value: startTime is required for finished job]" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"*/5 0-3,6 1 jan mon\",\"jobTemplate\":{\"spec"
	  "\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\""
	  "restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\""
	  "i\"}]}}}}}",
	  NULL, "", NULL, "" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"@hourly\",\"jobTemplate\":{\"spec\":{\"templa"
	  "te\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolic"
	  "y\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL, "" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"@every 1h30m\",\"jobTemplate\":{\"spec\":{\"t"
	  "emplate\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restart"
	  "Policy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"
	  "}}}",
	  NULL, "", NULL, "" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"0 0 ? * *\",\"jobTemplate\":{\"spec\":{\"temp"
	  "late\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPol"
	  "icy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL, "" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"* * * *\",\"jobTemplate\":{\"spec\":{\"templa"
	  "te\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolic"
	  "y\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL,
	  "spec.schedule: Invalid value: \"* * * *\": expected exactly 5 fields, "
	  "found 4: [* * * *]" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"60 * * * *\",\"jobTemplate\":{\"spec\":{\"tem"
	  "plate\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPo"
	  "licy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"
	  "}",
	  NULL, "", NULL,
	  "spec.schedule: Invalid value: \"60 * * * *\": end of range (60) above "
	  "maximum (59): 60" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"* * 0 * *\",\"jobTemplate\":{\"spec\":{\"temp"
	  "late\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPol"
	  "icy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL,
	  "spec.schedule: Invalid value: \"* * 0 * *\": beginning of range (0) be"
	  "low minimum (1): 0" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"5-2 * * * *\",\"jobTemplate\":{\"spec\":{\"te"
	  "mplate\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartP"
	  "olicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}"
	  "}}",
	  NULL, "", NULL,
	  "spec.schedule: Invalid value: \"5-2 * * * *\": beginning of range (5) "
	  "beyond end of range (2): 5-2" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"*/0 * * * *\",\"jobTemplate\":{\"spec\":{\"te"
	  "mplate\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartP"
	  "olicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}"
	  "}}",
	  NULL, "", NULL,
	  "spec.schedule: Invalid value: \"*/0 * * * *\": step of range should be"
	  " a positive number: */0" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"x * * * *\",\"jobTemplate\":{\"spec\":{\"temp"
	  "late\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPol"
	  "icy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL,
	  "spec.schedule: Invalid value: \"x * * * *\": failed to parse int from "
	  "x: strconv.Atoi: parsing \"x\": invalid syntax" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"1-2-3 * * * *\",\"jobTemplate\":{\"spec\":{\""
	  "template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restar"
	  "tPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}"
	  "}}}}",
	  NULL, "", NULL,
	  "spec.schedule: Invalid value: \"1-2-3 * * * *\": too many hyphens: 1-2"
	  "-3" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"* * * * 7\",\"jobTemplate\":{\"spec\":{\"temp"
	  "late\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPol"
	  "icy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL,
	  "spec.schedule: Invalid value: \"* * * * 7\": end of range (7) above ma"
	  "ximum (6): 7" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"@x\",\"jobTemplate\":{\"spec\":{\"template\":"
	  "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolicy\":\""
	  "Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL, "spec.schedule: Invalid value: \"@x\": unrecognized descriptor: @x" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"TZ=UTC * * * * *\",\"jobTemplate\":{\"spec\":"
	  "{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"res"
	  "tartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\""
	  "}]}}}}}",
	  NULL, "", NULL,
	  "spec.schedule: Invalid value: \"TZ=UTC * * * * *\": cannot use TZ or C"
	  "RON_TZ in schedule, use timeZone field instead" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"\",\"jobTemplate\":{\"spec\":{\"template\":{\""
	  "metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolicy\":\"Ne"
	  "ver\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL, "spec.schedule: Required value" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"* * * * *\",\"timeZone\":\"Europe/Berlin\",\""
	  "jobTemplate\":{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\""
	  ":\"b\"}},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name"
	  "\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL, "" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"* * * * *\",\"timeZone\":\"Europe/Nowhere\",\""
	  "jobTemplate\":{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\""
	  ":\"b\"}},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name"
	  "\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL,
	  "spec.timeZone: Invalid value: \"Europe/Nowhere\": unknown time zone Eu"
	  "rope/Nowhere" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"* * * * *\",\"timeZone\":\"Local\",\"jobTempl"
	  "ate\":{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}}"
	  ",\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\""
	  ",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL,
	  "spec.timeZone: Invalid value: \"Local\": timeZone must be an explicit "
	  "time zone as defined in https://www.iana.org/time-zones" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"* * * * *\",\"concurrencyPolicy\":\"x\",\"sta"
	  "rtingDeadlineSeconds\":-1,\"jobTemplate\":{\"spec\":{\"template\":{\"m"
	  "etadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPolicy\":\"Nev"
	  "er\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", NULL,
	  "[spec.startingDeadlineSeconds: Invalid value: -1: must be greater than"
	  " or equal to 0, spec.concurrencyPolicy: Unsupported value: \"x\": supp"
	  "orted values: \"Allow\", \"Forbid\", \"Replace\"]" },
	{ "batch/v1", "CronJob",
	  "\"spec\":{\"schedule\":\"* * * * *\",\"jobTemplate\":{\"spec\":{\"temp"
	  "late\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"restartPol"
	  "icy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}}",
	  NULL, "", "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
	  "metadata.name: Invalid value: \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	  "nnnnnnnnnnnnnnn\": must be no more than 52 characters" },
	{ "autoscaling/v1", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2}",
	  NULL, "", NULL, "" },
	{ "autoscaling/v1", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2,\"targetCPUUtilizationPercentage\":0}",
	  NULL, "", NULL,
	  "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: "
	  "must be greater than 0" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2}",
	  NULL, "", NULL, "" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"a/b\"},\"minReplicas\":0,\"ma"
	  "xReplicas\":0}",
	  NULL, "", NULL,
	  "[spec.minReplicas: Invalid value: 0: must be greater than or equal to "
	  "1, spec.maxReplicas: Invalid value: 0: must be greater than 0, spec.sc"
	  "aleTargetRef.kind: Invalid value: \"a/b\": may not contain '/', spec.s"
	  "caleTargetRef.name: Required value]" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"minReplicas\":3,\"maxReplicas\":2}",
	  NULL, "", NULL,
	  "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `"
	  "minReplicas`" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2,\"metrics\":[{}]}",
	  NULL, "", NULL,
	  "[spec.metrics[0].type: Required value: must specify a metric source ty"
	  "pe, spec.metrics[0].type: Unsupported value: \"\": supported values: \""
	  "ContainerResource\", \"External\", \"Object\", \"Pods\", \"Resource\"]" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2,\"metrics\":[{\"type\":\"Pods\"}]}",
	  NULL, "", NULL,
	  "spec.metrics[0].pods: Required value: must populate information for th"
	  "e given metric source" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2,\"metrics\":[{\"type\":\"Resource\",\"resource\":{\""
	  "name\":\"cpu\",\"target\":{\"type\":\"Utilization\",\"averageUtilizati"
	  "on\":50}}}]}",
	  NULL, "", NULL, "" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2,\"metrics\":[{\"type\":\"Resource\",\"resource\":{\""
	  "target\":{\"type\":\"x\"}}}]}",
	  NULL, "", NULL,
	  "[spec.metrics[0].resource.name: Required value: must specify a resourc"
	  "e name, spec.metrics[0].resource.target.type: Invalid value: \"x\": mu"
	  "st be either Utilization, Value, or AverageValue, spec.metrics[0].reso"
	  "urce.target.averageUtilization: Required value: must set either a targ"
	  "et raw value or a target utilization]" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2,\"metrics\":[{\"type\":\"External\",\"external\":{\""
	  "metric\":{\"name\":\"m\"},\"target\":{\"type\":\"Value\",\"value\":\"1"
	  "\",\"averageValue\":\"1\"}}}]}",
	  NULL, "", NULL,
	  "spec.metrics[0].external.target.value: Forbidden: may not set both a t"
	  "arget value for metric and a per-pod target" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2,\"metrics\":[{\"type\":\"Pods\",\"pods\":{\"metric\""
	  ":{\"name\":\"m\"},\"target\":{\"type\":\"AverageValue\"}}}]}",
	  NULL, "", NULL,
	  "spec.metrics[0].pods.target.averageValue: Required value: must specify"
	  " a positive target averageValue" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2,\"metrics\":[{\"type\":\"Object\",\"object\":{\"desc"
	  "ribedObject\":{\"kind\":\"K\",\"name\":\"n\"},\"metric\":{},\"target\""
	  ":{\"type\":\"Value\",\"value\":\"0\"}}}]}",
	  NULL, "", NULL,
	  "[spec.metrics[0].object.metric.name: Required value: must specify a me"
	  "tric name, spec.metrics[0].object.target.value: Invalid value: \"0\": "
	  "must be positive]" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2,\"metrics\":[{\"type\":\"ContainerResource\",\"conta"
	  "inerResource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\","
	  "\"averageUtilization\":0}}}]}",
	  NULL, "", NULL,
	  "[spec.metrics[0].containerResource.container: Required value: must spe"
	  "cify a container, spec.metrics[0].containerResource.target.averageUtil"
	  "ization: Invalid value: 0: must be greater than 0]" },
	{ "autoscaling/v2", "HorizontalPodAutoscaler",
	  "\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
	  "\"maxReplicas\":2,\"behavior\":{\"scaleUp\":{\"selectPolicy\":\"x\",\""
	  "stabilizationWindowSeconds\":3601,\"policies\":[{\"type\":\"Pods\",\"v"
	  "alue\":0,\"periodSeconds\":1801}]}}}",
	  NULL, "", NULL,
	  "[spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601"
	  ": must be less than or equal to 3600, spec.behavior.scaleUp.selectPoli"
	  "cy: Unsupported value: \"x\": supported values: \"Disabled\", \"Max\","
	  " \"Min\", spec.behavior.scaleUp.policies[0].value: Invalid value: 0: m"
	  "ust be greater than zero, spec.behavior.scaleUp.policies[0].periodSeco"
	  "nds: Invalid value: 1801: must be less than or equal to 1800]" },
	{ "policy/v1", "PodDisruptionBudget",
	  "\"spec\":{\"minAvailable\":1,\"selector\":{\"matchLabels\":{\"a\":\"b\""
	  "}}}",
	  NULL, "", NULL, "" },
	{ "policy/v1", "PodDisruptionBudget", "\"spec\":{\"minAvailable\":1,\"maxUnavailable\":1}",
	  NULL, "", NULL,
	  "spec: Invalid value: {\"minAvailable\":1,\"maxUnavailable\":1}: minAva"
	  "ilable and maxUnavailable cannot be both set" },
	{ "policy/v1", "PodDisruptionBudget", "\"spec\":{\"maxUnavailable\":\"x\"}", NULL, "", NULL,
	  "spec.maxUnavailable: Invalid value: \"x\": a valid percent string must"
	  " be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
	  "regex used for validation is '[0-9]+%')" },
	{ "policy/v1", "PodDisruptionBudget", "\"spec\":{\"unhealthyPodEvictionPolicy\":\"x\"}",
	  NULL, "", NULL,
	  "spec.unhealthyPodEvictionPolicy: Unsupported value: \"x\": supported v"
	  "alues: \"AlwaysAllow\", \"IfHealthyBudget\"" },
	{ "policy/v1", "PodDisruptionBudget",
	  "\"spec\":{},\"status\":{\"conditions\":[{\"type\":\"a b\",\"status\":\""
	  "x\"}]}",
	  "\"spec\":{}", "status", NULL,
	  "[status.conditions[0].type: Invalid value: \"a b\": name part has lett"
	  "ers, digits, '-', '_' and '.', and begins and ends with a letter or di"
	  "git (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for valid"
	  "ation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), status.condition"
	  "s[0].status: Unsupported value: \"x\": supported values: \"False\", \""
	  "True\", \"Unknown\", status.conditions[0].lastTransitionTime: Required"
	  " value, status.conditions[0].reason: Required value]" },
	{ "networking.k8s.io/v1", "NetworkPolicy", "\"spec\":{\"ingress\":[{\"from\":[{}]}]}", NULL,
	  "", NULL, "spec.ingress[0].from[0]: Required value: must specify a peer" },
	{ "networking.k8s.io/v1", "NetworkPolicy",
	  "\"spec\":{\"ingress\":[{\"from\":[{\"ipBlock\":{\"cidr\":\"10.0.0.0/8\""
	  ",\"except\":[\"10.1.0.0/16\",\"11.0.0.0/16\"]}}]}]}",
	  NULL, "", NULL,
	  "spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: \"11.0.0.0/1"
	  "6\": must be a strict subset of `cidr`" },
	{ "networking.k8s.io/v1", "NetworkPolicy",
	  "\"spec\":{\"ingress\":[{\"from\":[{\"ipBlock\":{\"cidr\":\"x\"},\"podS"
	  "elector\":{}}]}]}",
	  NULL, "", NULL,
	  "[spec.ingress[0].from[0].ipBlock.cidr: Invalid value: \"x\": must be a"
	  " valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64), spec.ingress[0"
	  "].from[0]: Forbidden: may not specify both ipBlock and another peer]" },
	{ "networking.k8s.io/v1", "NetworkPolicy",
	  "\"spec\":{\"ingress\":[{\"ports\":[{\"port\":0}]}]}", NULL, "", NULL,
	  "spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and"
	  " 65535, inclusive" },
	{ "networking.k8s.io/v1", "NetworkPolicy",
	  "\"spec\":{\"ingress\":[{\"ports\":[{\"port\":\"a_b\"}]}]}", NULL, "", NULL,
	  "spec.ingress[0].ports[0].port: Invalid value: \"a_b\": must contain on"
	  "ly alpha-numeric characters (a-z, 0-9), and hyphens (-)" },
	{ "networking.k8s.io/v1", "NetworkPolicy",
	  "\"spec\":{\"ingress\":[{\"ports\":[{\"port\":10,\"endPort\":9}]}]}", NULL, "", NULL,
	  "spec.ingress[0].ports[0].endPort: Invalid value: 9: must be greater th"
	  "an or equal to `port`" },
	{ "networking.k8s.io/v1", "NetworkPolicy",
	  "\"spec\":{\"ingress\":[{\"ports\":[{\"endPort\":9}]}]}", NULL, "", NULL,
	  "spec.ingress[0].ports[0].endPort: Invalid value: 9: may not be specifi"
	  "ed when `port` is not specified" },
	{ "networking.k8s.io/v1", "NetworkPolicy",
	  "\"spec\":{\"ingress\":[{\"ports\":[{\"protocol\":\"x\"}]}]}", NULL, "", NULL,
	  "spec.ingress[0].ports[0].protocol: Unsupported value: \"x\": supported"
	  " values: \"TCP\", \"UDP\", \"SCTP\"" },
	{ "networking.k8s.io/v1", "NetworkPolicy", "\"spec\":{\"ingress\":[{}]}", NULL, "", NULL,
	  "" },
	{ "networking.k8s.io/v1", "NetworkPolicy",
	  "\"spec\":{\"policyTypes\":[\"Ingress\",\"Egress\",\"Ingress\"]}", NULL, "", NULL,
	  "spec.policyTypes: Invalid value: [\"Ingress\",\"Egress\",\"Ingress\"]:"
	  " may not specify more than two policyTypes" },
	{ "networking.k8s.io/v1", "Ingress", "\"spec\":{}", NULL, "", NULL,
	  "spec: Invalid value: \"\": either `defaultBackend` or `rules` must be "
	  "specified" },
	{ "networking.k8s.io/v1", "Ingress",
	  "\"spec\":{\"rules\":[{\"http\":{\"paths\":[{\"path\":\"/\",\"pathType\""
	  ":\"Prefix\",\"backend\":{\"service\":{\"name\":\"s\",\"port\":{\"numbe"
	  "r\":80}}}}]}}]}",
	  NULL, "", NULL, "" },
	{ "networking.k8s.io/v1", "Ingress",
	  "\"spec\":{\"rules\":[{\"http\":{\"paths\":[{\"path\":\"/\",\"backend\""
	  ":{\"service\":{\"name\":\"s\",\"port\":{\"number\":80}}}}]}}]}",
	  NULL, "", NULL,
	  "spec.rules[0].http.paths[0].pathType: Required value: pathType must be"
	  " specified" },
	{ "networking.k8s.io/v1", "Ingress",
	  "\"spec\":{\"rules\":[{\"http\":{\"paths\":[{\"path\":\"x\",\"pathType\""
	  ":\"Exact\",\"backend\":{\"service\":{\"name\":\"s\",\"port\":{\"number"
	  "\":80}}}}]}}]}",
	  NULL, "", NULL,
	  "spec.rules[0].http.paths[0].path: Invalid value: \"x\": must be an abs"
	  "olute path" },
	{ "networking.k8s.io/v1", "Ingress",
	  "\"spec\":{\"rules\":[{\"http\":{\"paths\":[{\"path\":\"/a/../b\",\"pat"
	  "hType\":\"Prefix\",\"backend\":{\"service\":{\"name\":\"s\",\"port\":{"
	  "\"number\":80}}}}]}}]}",
	  NULL, "", NULL,
	  "spec.rules[0].http.paths[0].path: Invalid value: \"/a/../b\": must not"
	  " contain '/../'" },
	{ "networking.k8s.io/v1", "Ingress",
	  "\"spec\":{\"rules\":[{\"http\":{\"paths\":[{\"path\":\"/\",\"pathType\""
	  ":\"x\",\"backend\":{\"service\":{\"name\":\"s\",\"port\":{\"number\":8"
	  "0}}}}]}}]}",
	  NULL, "", NULL,
	  "spec.rules[0].http.paths[0].pathType: Unsupported value: \"x\": suppor"
	  "ted values: \"Exact\", \"ImplementationSpecific\", \"Prefix\"" },
	{ "networking.k8s.io/v1", "Ingress",
	  "\"spec\":{\"rules\":[{\"http\":{\"paths\":[{\"pathType\":\"Implementat"
	  "ionSpecific\",\"backend\":{}}]}}]}",
	  NULL, "", NULL,
	  "spec.rules[0].http.paths[0].backend: Invalid value: \"\": resource or "
	  "service backend is required" },
	{ "networking.k8s.io/v1", "Ingress",
	  "\"spec\":{\"rules\":[{\"http\":{\"paths\":[{\"path\":\"/\",\"pathType\""
	  ":\"Prefix\",\"backend\":{\"service\":{\"name\":\"s\"}}}]}}]}",
	  NULL, "", NULL,
	  "spec.rules[0].http.paths[0].backend: Required value: port name or numb"
	  "er is required" },
	{ "networking.k8s.io/v1", "Ingress", "\"spec\":{\"rules\":[{\"http\":{\"paths\":[]}}]}",
	  NULL, "", NULL, "spec.rules[0].http.paths: Required value" },
	{ "networking.k8s.io/v1", "Ingress", "\"spec\":{\"rules\":[{\"host\":\"1.2.3.4\"}]}", NULL,
	  "", NULL,
	  "spec.rules[0].host: Invalid value: \"1.2.3.4\": must be a DNS name, no"
	  "t an IP address" },
	{ "networking.k8s.io/v1", "Ingress",
	  "\"spec\":{\"rules\":[{\"host\":\"*.a.b\"}],\"tls\":[{\"hosts\":[\"*x\""
	  "]}]}",
	  NULL, "", NULL,
	  "spec.tls[0].hosts[0]: Invalid value: \"*x\": a wildcard DNS-1123 subdo"
	  "main begins with '*.', followed by a DNS subdomain of lower case lette"
	  "rs, digits, '-' and '.' (e.g. '*.example.com', regex used for validati"
	  "on is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0"
	  "-9])?)*')" },
	{ "networking.k8s.io/v1", "IngressClass", "\"spec\":{\"controller\":\"a.b/c\"}", NULL, "",
	  NULL, "" },
	{ "networking.k8s.io/v1", "IngressClass", "\"spec\":{\"controller\":\"a.b\"}", NULL, "",
	  NULL,
	  "spec.controller: Invalid value: \"a.b\": must be a domain-prefixed pat"
	  "h (such as \"acme.io/foo\")" },
	{ "networking.k8s.io/v1", "IngressClass",
	  "\"spec\":{\"controller\":\"a.b/c\",\"parameters\":{\"kind\":\"K\",\"na"
	  "me\":\"n\",\"scope\":\"Namespace\"}}",
	  NULL, "", NULL,
	  "spec.parameters.namespace: Required value: `parameters.scope` is set t"
	  "o 'Namespace'" },
	{ "networking.k8s.io/v1", "IngressClass", "\"spec\":{\"controller\":\"a.b/d\"}",
	  "\"spec\":{\"controller\":\"a.b/c\"}", "", NULL,
	  "spec.controller: Invalid value: \"a.b/d\": field is immutable" },
	{ "networking.k8s.io/v1", "IPAddress",
	  "\"spec\":{\"parentRef\":{\"resource\":\"services\",\"name\":\"s\"}}", NULL, "",
	  "10.0.0.1", "" },
	{ "networking.k8s.io/v1", "IPAddress", "\"spec\":{\"parentRef\":{}}", NULL, "", "::1",
	  "[spec.parentRef.resource: Required value, spec.parentRef.name: Require"
	  "d value]" },
	{ "networking.k8s.io/v1", "IPAddress",
	  "\"spec\":{\"parentRef\":{\"resource\":\"services\",\"name\":\"s\"}}", NULL, "", "0:0::1",
	  "metadata.name: Invalid value: \"0:0::1\": must be in canonical form (a"
	  "s RFC 5952 has it)" },
	{ "networking.k8s.io/v1", "ServiceCIDR",
	  "\"spec\":{\"cidrs\":[\"10.0.0.0/24\",\"fd00::/64\"]}", NULL, "", NULL, "" },
	{ "networking.k8s.io/v1", "ServiceCIDR", "\"spec\":{}", NULL, "", NULL,
	  "spec.cidrs: Required value: at least one CIDR required" },
	{ "networking.k8s.io/v1", "ServiceCIDR", "\"spec\":{\"cidrs\":[\"10.0.0.1/24\"]}", NULL, "",
	  NULL,
	  "spec.cidrs[0]: Invalid value: \"10.0.0.1/24\": must not have bits set "
	  "beyond the prefix length" },
	{ "networking.k8s.io/v1", "ServiceCIDR",
	  "\"spec\":{\"cidrs\":[\"10.0.0.0/24\",\"10.1.0.0/24\"]}", NULL, "", NULL,
	  "spec.cidrs: Invalid value: [\"10.0.0.0/24\",\"10.1.0.0/24\"]: may spec"
	  "ify no more than one IP for each IP family, i.e 192.168.0.0/24 and 200"
	  "1:db8::/64" },
	{ "networking.k8s.io/v1", "ServiceCIDR", "\"spec\":{\"cidrs\":[\"10.1.0.0/24\"]}",
	  "\"spec\":{\"cidrs\":[\"10.0.0.0/24\"]}", "", NULL,
	  "spec.cidrs[0]: Invalid value: \"10.1.0.0/24\": field is immutable" },
	{ "discovery.k8s.io/v1", "EndpointSlice",
	  "\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.0.0.1\"]}"
	  "],\"ports\":[{\"name\":\"a\",\"port\":1}]",
	  NULL, "", NULL, "" },
	{ "discovery.k8s.io/v1", "EndpointSlice", "\"endpoints\":[]", NULL, "", NULL,
	  "addressType: Required value" },
	{ "discovery.k8s.io/v1", "EndpointSlice", "\"addressType\":\"x\"", NULL, "", NULL,
	  "addressType: Unsupported value: \"x\": supported values: \"FQDN\", \"I"
	  "Pv4\", \"IPv6\"" },
	{ "discovery.k8s.io/v1", "EndpointSlice",
	  "\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[]}]", NULL, "", NULL,
	  "endpoints[0].addresses: Required value: must contain at least 1 addres"
	  "s" },
	{ "discovery.k8s.io/v1", "EndpointSlice",
	  "\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"::1\"]},{\"a"
	  "ddresses\":[\"127.0.0.1\"]}]",
	  NULL, "", NULL,
	  "[endpoints[0].addresses[0]: Invalid value: \"::1\": must be an IPv4 ad"
	  "dress, endpoints[1].addresses[0]: Invalid value: \"127.0.0.1\": may no"
	  "t be in the loopback range (127.0.0.0/8, ::1/128)]" },
	{ "discovery.k8s.io/v1", "EndpointSlice",
	  "\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"a\"},{\"name\":\"a\"}]", NULL, "", NULL,
	  "ports[1].name: Duplicate value: \"a\"" },
	{ "discovery.k8s.io/v1", "EndpointSlice",
	  "\"addressType\":\"FQDN\",\"endpoints\":[{\"addresses\":[\"a\"],\"hostn"
	  "ame\":\"A\"}]",
	  NULL, "", NULL,
	  "[endpoints[0].addresses[0]: Invalid value: \"a\": should be a domain w"
	  "ith at least two segments separated by dots, endpoints[0].hostname: In"
	  "valid value: \"A\": a lowercase RFC 1123 label has lower case letters,"
	  " digits and '-', and begins and ends with a letter or digit (e.g. 'my-"
	  "name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]"
	  "*[a-z0-9])?')]" },
	{ "discovery.k8s.io/v1", "EndpointSlice", "\"addressType\":\"IPv6\"",
	  "\"addressType\":\"IPv4\"", "", NULL,
	  "addressType: Invalid value: \"IPv6\": field is immutable" },
	{ "coordination.k8s.io/v1", "Lease", "\"spec\":{}", NULL, "", NULL, "" },
	{ "coordination.k8s.io/v1", "Lease", "\"spec\":{\"leaseDurationSeconds\":0}", NULL, "",
	  NULL, "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0" },
	{ "coordination.k8s.io/v1", "Lease", "\"spec\":{\"leaseTransitions\":-1}", NULL, "", NULL,
	  "spec.leaseTransitions: Invalid value: -1: must be greater than or equa"
	  "l to 0" },
	{ "coordination.k8s.io/v1", "Lease", "\"spec\":{\"preferredHolder\":\"h\"}", NULL, "", NULL,
	  "spec.preferredHolder: Forbidden: may only be specified if `strategy` i"
	  "s defined" },
	{ "rbac.authorization.k8s.io/v1", "Role",
	  "\"rules\":[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\""
	  "pods\"]}]",
	  NULL, "", "a:B", "" },
	{ "rbac.authorization.k8s.io/v1", "Role", "\"rules\":[]", NULL, "", "a/b",
	  "metadata.name: Invalid value: \"a/b\": may not contain '/'" },
	{ "rbac.authorization.k8s.io/v1", "Role",
	  "\"rules\":[{\"verbs\":[],\"nonResourceURLs\":[\"/x\"]}]", NULL, "", NULL,
	  "[rules[0].verbs: Required value: verbs must contain at least one value"
	  ", rules[0].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules "
	  "cannot apply to non-resource URLs]" },
	{ "rbac.authorization.k8s.io/v1", "Role", "\"rules\":[{}]", NULL, "", NULL,
	  "[rules[0].verbs: Required value: verbs must contain at least one value"
	  ", rules[0].apiGroups: Required value: resource rules must supply at le"
	  "ast one api group, rules[0].resources: Required value: resource rules "
	  "must supply at least one resource]" },
	{ "rbac.authorization.k8s.io/v1", "ClusterRole",
	  "\"rules\":[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/x\"]}]", NULL, "", NULL, "" },
	{ "rbac.authorization.k8s.io/v1", "ClusterRole", "\"aggregationRule\":{}", NULL, "", NULL,
	  "aggregationRule.clusterRoleSelectors: Required value: at least one clu"
	  "sterRoleSelector required if aggregationRule is non-nil" },
	{ "rbac.authorization.k8s.io/v1", "RoleBinding",
	  "\"roleRef\":{\"kind\":\"ClusterRole\",\"name\":\"r\"},\"subjects\":[{\""
	  "kind\":\"User\",\"name\":\"u\"}]",
	  NULL, "", NULL, "" },
	{ "rbac.authorization.k8s.io/v1", "ClusterRoleBinding",
	  "\"roleRef\":{\"kind\":\"Role\",\"name\":\"r\"}", NULL, "", NULL,
	  "roleRef.kind: Unsupported value: \"Role\": supported values: \"Cluster"
	  "Role\"" },
	{ "rbac.authorization.k8s.io/v1", "ClusterRoleBinding",
	  "\"roleRef\":{\"kind\":\"ClusterRole\",\"name\":\"r\"},\"subjects\":[{\""
	  "kind\":\"ServiceAccount\",\"name\":\"s\"},{\"kind\":\"x\",\"name\":\"y"
	  "\"}]",
	  NULL, "", NULL,
	  "[subjects[0].namespace: Required value, subjects[1].kind: Unsupported "
	  "value: \"x\": supported values: \"ServiceAccount\", \"User\", \"Group\""
	  "]" },
	{ "rbac.authorization.k8s.io/v1", "RoleBinding",
	  "\"roleRef\":{\"kind\":\"ClusterRole\",\"name\":\"r\"}",
	  "\"roleRef\":{\"kind\":\"ClusterRole\",\"name\":\"z\"}", "", NULL,
	  "roleRef: Invalid value: {\"apiGroup\":\"rbac.authorization.k8s.io\",\""
	  "kind\":\"ClusterRole\",\"name\":\"r\"}: cannot change roleRef" },
	{ "storage.k8s.io/v1", "StorageClass", "\"provisioner\":\"a/b\"", NULL, "", NULL, "" },
	{ "storage.k8s.io/v1", "StorageClass",
	  "\"provisioner\":\"\",\"reclaimPolicy\":\"Recycle\",\"volumeBindingMode"
	  "\":\"x\"",
	  NULL, "", NULL,
	  "[provisioner: Required value, reclaimPolicy: Unsupported value: \"Recy"
	  "cle\": supported values: \"Delete\", \"Retain\", volumeBindingMode: Un"
	  "supported value: \"x\": supported values: \"Immediate\", \"WaitForFirs"
	  "tConsumer\"]" },
	{ "storage.k8s.io/v1", "StorageClass",
	  "\"provisioner\":\"a/c\",\"parameters\":{\"a\":\"b\"},\"volumeBindingMo"
	  "de\":\"WaitForFirstConsumer\"",
	  "\"provisioner\":\"a/b\"", "", NULL,
	  "[parameters: Forbidden: updates to parameters are forbidden., provisio"
	  "ner: Forbidden: updates to provisioner are forbidden., volumeBindingMo"
	  "de: Invalid value: \"WaitForFirstConsumer\": field is immutable]" },
	{ "storage.k8s.io/v1", "VolumeAttributesClass",
	  "\"driverName\":\"d\",\"parameters\":{\"a\":\"b\"}", NULL, "", NULL, "" },
	{ "storage.k8s.io/v1", "VolumeAttributesClass", "\"driverName\":\"\"", NULL, "", NULL,
	  "[driverName: Required value, parameters: Required value: must contain "
	  "at least one key/value pair]" },
	{ "storage.k8s.io/v1", "VolumeAttachment",
	  "\"spec\":{\"attacher\":\"a\",\"nodeName\":\"n\",\"source\":{\"persiste"
	  "ntVolumeName\":\"p\"}}",
	  NULL, "", NULL, "" },
	{ "storage.k8s.io/v1", "VolumeAttachment",
	  "\"spec\":{\"attacher\":\"\",\"nodeName\":\"\",\"source\":{}}", NULL, "", NULL,
	  "[spec.attacher: Required value, spec.source: Required value: must spec"
	  "ify exactly one of inlineVolumeSpec and persistentVolumeName, spec.nod"
	  "eName: Invalid value: \"\": a lowercase RFC 1123 subdomain has lower c"
	  "ase letters, digits, '-' and '.', and begins and ends with a letter or"
	  " digit (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a"
	  "-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]" },
	{ "storage.k8s.io/v1", "VolumeAttachment",
	  "\"spec\":{\"attacher\":\"b\",\"nodeName\":\"n\",\"source\":{\"persiste"
	  "ntVolumeName\":\"p\"}}",
	  "\"spec\":{\"attacher\":\"a\",\"nodeName\":\"n\",\"source\":{\"persiste"
	  "ntVolumeName\":\"p\"}}",
	  "", NULL,
	  "spec: Invalid value: {\"attacher\":\"b\",\"source\":{\"persistentVolum"
	  "eName\":\"p\"},\"nodeName\":\"n\"}: field is immutable" },
	{ "storage.k8s.io/v1", "CSIDriver", "\"spec\":{}", NULL, "", NULL, "" },
	{ "storage.k8s.io/v1", "CSIDriver",
	  "\"spec\":{\"fsGroupPolicy\":\"x\",\"volumeLifecycleModes\":[\"y\"],\"t"
	  "okenRequests\":[{\"audience\":\"a\",\"expirationSeconds\":1},{\"audien"
	  "ce\":\"a\"}]}",
	  NULL, "", NULL,
	  "[spec.fsGroupPolicy: Unsupported value: \"x\": supported values: \"Fil"
	  "e\", \"None\", \"ReadWriteOnceWithFSType\", spec.tokenRequests[0].expi"
	  "rationSeconds: Invalid value: 1: may not specify a duration less than "
	  "10 minutes, spec.tokenRequests[1].audience: Duplicate value: \"a\", sp"
	  "ec.volumeLifecycleModes: Unsupported value: \"y\": supported values: \""
	  "Persistent\", \"Ephemeral\"]" },
	{ "storage.k8s.io/v1", "CSIDriver", "\"spec\":{\"attachRequired\":false}", "\"spec\":{}",
	  "", NULL, "spec.attachedRequired: Invalid value: false: field is immutable" },
	{ "storage.k8s.io/v1", "CSINode",
	  "\"spec\":{\"drivers\":[{\"name\":\"d\",\"nodeID\":\"n\",\"topologyKeys"
	  "\":[\"a\"]}]}",
	  NULL, "", NULL, "" },
	{ "storage.k8s.io/v1", "CSINode",
	  "\"spec\":{\"drivers\":[{\"name\":\"d\",\"nodeID\":\"\",\"topologyKeys\""
	  ":null},{\"name\":\"d\",\"nodeID\":\"n\",\"topologyKeys\":null,\"alloca"
	  "table\":{\"count\":-1}}]}",
	  NULL, "", NULL,
	  "[spec.drivers[0].nodeID: Required value, spec.drivers[1].allocatable.c"
	  "ount: Invalid value: -1: must be greater than or equal to 0, spec.driv"
	  "ers[1].name: Duplicate value: \"d\"]" },
	{ "storage.k8s.io/v1", "CSIStorageCapacity", "\"storageClassName\":\"s\"", NULL, "", NULL,
	  "" },
	{ "storage.k8s.io/v1", "CSIStorageCapacity",
	  "\"storageClassName\":\"\",\"capacity\":\"-1\"", NULL, "", NULL,
	  "[storageClassName: Invalid value: \"\": a lowercase RFC 1123 subdomain"
	  " has lower case letters, digits, '-' and '.', and begins and ends with"
	  " a letter or digit (e.g. 'example.com', regex used for validation is '"
	  "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), ca"
	  "pacity: Invalid value: \"-1\": must be greater than or equal to 0]" },
	{ "storage.k8s.io/v1", "CSIStorageCapacity", "\"storageClassName\":\"t\"",
	  "\"storageClassName\":\"s\"", "", NULL,
	  "storageClassName: Invalid value: \"t\": field is immutable" },
	{ "scheduling.k8s.io/v1", "PriorityClass", "\"value\":1", NULL, "", NULL, "" },
	{ "scheduling.k8s.io/v1", "PriorityClass", "\"value\":1000000001", NULL, "", NULL,
	  "value: Forbidden: maximum allowed value of a user defined priority is "
	  "1000000000" },
	{ "scheduling.k8s.io/v1", "PriorityClass", "\"value\":2000001000", NULL, "",
	  "system-node-critical", "" },
	{ "scheduling.k8s.io/v1", "PriorityClass", "\"value\":1", NULL, "", "system-x",
	  "metadata.name: Forbidden: priority class names with 'system-' prefix a"
	  "re reserved for system use only. error: it is not a known system prior"
	  "ity class" },
	{ "scheduling.k8s.io/v1", "PriorityClass", "\"value\":2", "\"value\":1", "", NULL,
	  "value: Forbidden: may not be changed in an update." },
	{ "node.k8s.io/v1", "RuntimeClass", "\"handler\":\"h\"", NULL, "", NULL, "" },
	{ "node.k8s.io/v1", "RuntimeClass", "\"handler\":\"\"", NULL, "", NULL,
	  "handler: Invalid value: \"\": a lowercase RFC 1123 label has lower cas"
	  "e letters, digits and '-', and begins and ends with a letter or digit "
	  "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]"
	  "([-a-z0-9]*[a-z0-9])?')" },
	{ "node.k8s.io/v1", "RuntimeClass", "\"handler\":\"i\"", "\"handler\":\"h\"", "", NULL,
	  "handler: Invalid value: \"i\": field is immutable" },
	{ "certificates.k8s.io/v1", "CertificateSigningRequest",
	  "\"spec\":{\"request\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS"
	  "0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K\",\"signerName\""
	  ":\"a.b/c\",\"usages\":[\"client auth\"]}",
	  NULL, "", NULL, "" },
	{ "certificates.k8s.io/v1", "CertificateSigningRequest",
	  "\"spec\":{\"request\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS"
	  "0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K\",\"signerName\""
	  ":\"a.b/c\",\"usages\":[\"client auth\"]}",
	  NULL, "", "ANY name", "" },
	{ "certificates.k8s.io/v1", "CertificateSigningRequest",
	  "\"spec\":{\"request\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS"
	  "0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K\",\"signerName\""
	  ":\"a.b/c\",\"usages\":[\"client auth\"],\"expirationSeconds\":599}",
	  NULL, "", NULL,
	  "spec.expirationSeconds: Invalid value: 599: may not specify a duration"
	  " less than 600 seconds (10 minutes)" },
	{ "certificates.k8s.io/v1", "CertificateSigningRequest",
	  "\"spec\":{\"request\":\"\",\"signerName\":\"x\",\"usages\":[\"x\"]}", NULL, "", NULL,
	  "[spec.usages[0]: Unsupported value: \"x\": supported values: \"signing"
	  "\", \"digital signature\", \"content commitment\", \"key encipherment\""
	  ", \"key agreement\", \"data encipherment\", \"cert sign\", \"crl sign\""
	  ", \"encipher only\", \"decipher only\", \"any\", \"server auth\", \"cl"
	  "ient auth\", \"code signing\", \"email protection\", \"s/mime\", \"ips"
	  "ec end system\", \"ipsec tunnel\", \"ipsec user\", \"timestamping\", \""
	  "ocsp signing\", \"microsoft sgc\", \"netscape sgc\", spec.request: Inv"
	  "alid value: \"\": PEM block type must be CERTIFICATE REQUEST, spec.sig"
	  "nerName: Invalid value: \"x\": must be a fully qualified domain and pa"
	  "th of the form 'example.com/signer-name']" },
	{ "certificates.k8s.io/v1", "CertificateSigningRequest",
	  "\"spec\":{\"request\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS"
	  "0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K\",\"signerName\""
	  ":\"kubernetes.io/legacy-unknown\"}",
	  NULL, "", NULL,
	  "[spec.usages: Required value, spec.signerName: Invalid value: \"kubern"
	  "etes.io/legacy-unknown\": the legacy signerName is not allowed via thi"
	  "s API version]" },
	{ "certificates.k8s.io/v1", "CertificateSigningRequest",
	  "\"spec\":{\"request\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS"
	  "0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K\",\"signerName\""
	  ":\"a.b/c\",\"usages\":[\"client auth\"]},\"status\":{\"conditions\":[{"
	  "\"type\":\"Approved\",\"status\":\"True\"}]}",
	  "\"spec\":{\"request\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS"
	  "0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K\",\"signerName\""
	  ":\"a.b/c\",\"usages\":[\"client auth\"]}",
	  "approval", NULL, "" },
	{ "certificates.k8s.io/v1", "CertificateSigningRequest",
	  "\"spec\":{\"request\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS"
	  "0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K\",\"signerName\""
	  ":\"a.b/c\",\"usages\":[\"client auth\"]},\"status\":{\"conditions\":[{"
	  "\"type\":\"Approved\",\"status\":\"True\"}]}",
	  "\"spec\":{\"request\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS"
	  "0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K\",\"signerName\""
	  ":\"a.b/c\",\"usages\":[\"client auth\"]}",
	  "status", NULL,
	  "status.conditions: Forbidden: updates may not add a condition of type "
	  "\"Approved\"" },
	{ "certificates.k8s.io/v1", "CertificateSigningRequest",
	  "\"spec\":{\"request\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS"
	  "0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K\",\"signerName\""
	  ":\"a.b/c\",\"usages\":[\"client auth\"]}",
	  "\"spec\":{\"request\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS"
	  "0KTUFBPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K\",\"signerName\""
	  ":\"a.b/c\",\"usages\":[\"client auth\"]},\"status\":{\"conditions\":[{"
	  "\"type\":\"Approved\",\"status\":\"True\"}]}",
	  "approval", NULL,
	  "status.conditions: Forbidden: updates may not remove a condition of ty"
	  "pe \"Approved\"" },
	{ "flowcontrol.apiserver.k8s.io/v1", "FlowSchema",
	  "\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"p\"},\"matchingPr"
	  "ecedence\":5}",
	  NULL, "", NULL, "" },
	{ "flowcontrol.apiserver.k8s.io/v1", "FlowSchema",
	  "\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"\"},\"matchingPre"
	  "cedence\":1,\"distinguisherMethod\":{\"type\":\"x\"}}",
	  NULL, "", NULL,
	  "[spec.matchingPrecedence: Invalid value: 1: only the schema named 'exe"
	  "mpt' may have matchingPrecedence 1, spec.distinguisherMethod.type: Uns"
	  "upported value: \"x\": supported values: \"ByNamespace\", \"ByUser\", "
	  "spec.priorityLevelConfiguration.name: Required value: must reference a"
	  " priority level]" },
	{ "flowcontrol.apiserver.k8s.io/v1", "FlowSchema",
	  "\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"p\"},\"matchingPr"
	  "ecedence\":5,\"rules\":[{\"subjects\":[]}]}",
	  NULL, "", NULL,
	  "[spec.rules[0].subjects: Required value: subjects must contain at leas"
	  "t one value, spec.rules[0]: Required value: at least one of resourceRu"
	  "les and nonResourceRules has to be non-empty]" },
	{ "flowcontrol.apiserver.k8s.io/v1", "FlowSchema",
	  "\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"p\"},\"matchingPr"
	  "ecedence\":5,\"rules\":[{\"subjects\":[{\"kind\":\"User\"}],\"resource"
	  "Rules\":[{\"verbs\":[\"x\"],\"apiGroups\":[\"*\",\"a\"],\"resources\":"
	  "[]}],\"nonResourceRules\":[{\"verbs\":[\"*\"],\"nonResourceURLs\":[\"x"
	  "\"]}]}]}",
	  NULL, "", NULL,
	  "[spec.rules[0].subjects[0].user: Required value: user is required when"
	  " subject kind is 'User', spec.rules[0].resourceRules[0].verbs: Unsuppo"
	  "rted value: [\"x\"]: supported values: \"create\", \"delete\", \"delet"
	  "ecollection\", \"get\", \"list\", \"patch\", \"proxy\", \"update\", \""
	  "watch\", spec.rules[0].resourceRules[0].apiGroups: Invalid value: [\"*"
	  "\",\"a\"]: if '*' is present, must not specify other api groups, spec."
	  "rules[0].resourceRules[0].resources: Required value: resource rules mu"
	  "st supply at least one resource, spec.rules[0].resourceRules[0].namesp"
	  "aces: Required value: resource rules that are not cluster scoped must "
	  "supply at least one namespace, spec.rules[0].nonResourceRules[0].nonRe"
	  "sourceURLs[0]: Invalid value: \"x\": must start with slash]" },
	{ "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration",
	  "\"spec\":{\"type\":\"Limited\",\"limited\":{\"limitResponse\":{\"type\""
	  ":\"Reject\"}}}",
	  NULL, "", NULL, "" },
	{ "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration",
	  "\"spec\":{\"type\":\"Limited\",\"limited\":{\"limitResponse\":{\"type\""
	  ":\"Queue\"}}}",
	  NULL, "", NULL,
	  "spec.limited.limitResponse.queuing: Required value: must not be empty "
	  "if limited.limitResponse.type is Limited" },
	{ "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration",
	  "\"spec\":{\"type\":\"Limited\",\"limited\":{\"limitResponse\":{\"type\""
	  ":\"Queue\",\"queuing\":{\"queues\":4,\"handSize\":5}}}}",
	  NULL, "", NULL,
	  "spec.limited.limitResponse.queuing.handSize: Invalid value: 5: should "
	  "not be greater than queues (4)" },
	{ "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration",
	  "\"spec\":{\"type\":\"Exempt\"}", NULL, "", NULL,
	  "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and onl"
	  "y if `name` is 'exempt'" },
	{ "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration",
	  "\"spec\":{\"type\":\"Limited\",\"limited\":{\"limitResponse\":{\"type\""
	  ":\"Queue\",\"queuing\":{\"queues\":10000000,\"handSize\":8}}}}",
	  NULL, "", NULL,
	  "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: require"
	  "d entropy bits of deckSize 10000000 and handSize 8 should not be great"
	  "er than 60" },
	{ "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
	  "\"webhooks\":[{\"name\":\"a.b.c\",\"clientConfig\":{\"service\":{\"nam"
	  "e\":\"s\",\"namespace\":\"n\"}},\"sideEffects\":\"None\",\"admissionRe"
	  "viewVersions\":[\"v1\"]}]",
	  NULL, "", NULL, "" },
	{ "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration",
	  "\"webhooks\":[{\"name\":\"a.b.c\",\"clientConfig\":{\"service\":{\"nam"
	  "e\":\"s\",\"namespace\":\"n\"}},\"sideEffects\":\"None\",\"admissionRe"
	  "viewVersions\":[\"v1\"]}]",
	  NULL, "", NULL, "" },
	{ "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
	  "\"webhooks\":[{\"name\":\"a.b\",\"clientConfig\":{\"service\":{\"name\""
	  ":\"s\",\"namespace\":\"n\"}},\"sideEffects\":\"None\",\"admissionRevie"
	  "wVersions\":[\"v1\"]}]",
	  NULL, "", NULL,
	  "webhooks[0].name: Invalid value: \"a.b\": should be a domain with at l"
	  "east three segments separated by dots" },
	{ "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
	  "\"webhooks\":[{\"name\":\"a.b.c\",\"clientConfig\":{},\"sideEffects\":"
	  "\"None\",\"admissionReviewVersions\":[\"v1\"]}]",
	  NULL, "", NULL,
	  "webhooks[0].clientConfig: Required value: exactly one of url or servic"
	  "e is required" },
	{ "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
	  "\"webhooks\":[{\"name\":\"a.b.c\",\"clientConfig\":{\"url\":\"http://u"
	  "@h/p?q#f\"},\"sideEffects\":\"None\",\"admissionReviewVersions\":[\"v1"
	  "\"]}]",
	  NULL, "", NULL,
	  "[webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the"
	  " only allowed URL scheme; desired format: https://host[/path], webhook"
	  "s[0].clientConfig.url: Invalid value: \"u\": user information is not p"
	  "ermitted in the URL, webhooks[0].clientConfig.url: Invalid value: \"q\""
	  ": query parameters are not permitted in the URL, webhooks[0].clientCon"
	  "fig.url: Invalid value: \"f\": fragments are not permitted in the URL]" },
	{ "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
	  "\"webhooks\":[{\"name\":\"a.b.c\",\"clientConfig\":{\"service\":{\"nam"
	  "e\":\"s\",\"namespace\":\"\",\"path\":\"x\"}},\"sideEffects\":\"None\""
	  ",\"admissionReviewVersions\":[\"v1\"]}]",
	  NULL, "", NULL,
	  "[webhooks[0].clientConfig.service.namespace: Required value: service n"
	  "amespace is required, webhooks[0].clientConfig.service.path: Invalid v"
	  "alue: \"x\": must start with a '/']" },
	{ "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
	  "\"webhooks\":[{\"name\":\"a.b.c\",\"clientConfig\":{\"service\":{\"nam"
	  "e\":\"s\",\"namespace\":\"n\"}},\"sideEffects\":\"None\",\"admissionRe"
	  "viewVersions\":[\"v1\"],\"timeoutSeconds\":31,\"failurePolicy\":\"x\"}"
	  "]",
	  NULL, "", NULL,
	  "[webhooks[0].failurePolicy: Unsupported value: \"x\": supported values"
	  ": \"Fail\", \"Ignore\", webhooks[0].timeoutSeconds: Invalid value: 31:"
	  " the timeout value must be between 1 and 30 seconds]" },
	{ "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
	  "\"webhooks\":[{\"name\":\"a.b.c\",\"clientConfig\":{\"service\":{\"nam"
	  "e\":\"s\",\"namespace\":\"n\"}},\"sideEffects\":\"None\",\"admissionRe"
	  "viewVersions\":[\"v1\"],\"rules\":[{\"operations\":[\"*\",\"CREATE\"],"
	  "\"apiGroups\":[],\"apiVersions\":[\"v1\"],\"resources\":[\"a/*\",\"a/b"
	  "\"]}]}]",
	  NULL, "", NULL,
	  "[webhooks[0].rules[0].operations: Invalid value: [\"*\",\"CREATE\"]: i"
	  "f '*' is present, must not specify other operations, webhooks[0].rules"
	  "[0].apiGroups: Required value, webhooks[0].rules[0].resources[1]: Inva"
	  "lid value: \"a/b\": if 'a/*' is present, must not specify a/b]" },
	{ "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
	  "\"webhooks\":[{\"name\":\"a.b.c\",\"clientConfig\":{\"url\":\"https://"
	  "h\"},\"sideEffects\":\"Some\",\"admissionReviewVersions\":[]}]",
	  NULL, "", NULL,
	  "[webhooks[0].sideEffects: Unsupported value: \"Some\": supported value"
	  "s: \"None\", \"NoneOnDryRun\", webhooks[0].admissionReviewVersions: Re"
	  "quired value: must specify one of v1, v1beta1]" },
	{ "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy",
	  "\"spec\":{\"matchConstraints\":{\"resourceRules\":[{\"operations\":[\""
	  "*\"],\"apiGroups\":[\"*\"],\"apiVersions\":[\"*\"],\"resources\":[\"*\""
	  "]}]},\"validations\":[{\"expression\":\"true\"}]}",
	  NULL, "", NULL, "" },
	{ "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "\"spec\":{}", NULL, "",
	  NULL,
	  "[spec.matchConstraints: Required value, spec.validations: Required val"
	  "ue: validations or auditAnnotations must contain at least one item, sp"
	  "ec.auditAnnotations: Required value: validations or auditAnnotations m"
	  "ust contain at least one item]" },
	{ "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy",
	  "\"spec\":{\"matchConstraints\":{\"resourceRules\":[{\"operations\":[\""
	  "*\"],\"apiGroups\":[\"*\"],\"apiVersions\":[\"*\"],\"resources\":[\"*\""
	  "]}]},\"paramKind\":{\"apiVersion\":\"a/b/c\"},\"variables\":[{\"name\""
	  ":\"if\",\"expression\":\"\"}],\"validations\":[{\"expression\":\" \",\""
	  "reason\":\"x\"}]}",
	  NULL, "", NULL,
	  "[spec.paramKind.apiVersion: Invalid value: \"a/b/c\": unexpected Group"
	  "Version string: a/b/c, spec.paramKind.kind: Required value, spec.varia"
	  "bles[0].name: Invalid value: \"if\": name is not a valid CEL identifie"
	  "r, spec.variables[0].expression: Required value: expression is not spe"
	  "cified, spec.validations[0].expression: Required value: expression is "
	  "not specified, spec.validations[0].reason: Unsupported value: \"x\": s"
	  "upported values: \"Forbidden\", \"Invalid\", \"RequestEntityTooLarge\""
	  ", \"Unauthorized\"]" },
	{ "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy",
	  "\"spec\":{\"matchConstraints\":{\"resourceRules\":[{\"operations\":[\""
	  "*\"],\"apiGroups\":[\"*\"],\"apiVersions\":[\"*\"],\"resources\":[\"*\""
	  "]}]},\"reinvocationPolicy\":\"Never\",\"mutations\":[{\"patchType\":\""
	  "JSONPatch\",\"jsonPatch\":{\"expression\":\"[JSONPatch{}]\"}}]}",
	  NULL, "", NULL, "" },
	{ "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy",
	  "\"spec\":{\"matchConstraints\":{\"resourceRules\":[{\"operations\":[\""
	  "*\"],\"apiGroups\":[\"*\"],\"apiVersions\":[\"*\"],\"resources\":[\"*\""
	  "]}]}}",
	  NULL, "", NULL,
	  "[spec.mutations: Required value: mutations must contain at least one i"
	  "tem, spec.reinvocationPolicy: Required value]" },
	{ "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding",
	  "\"spec\":{\"policyName\":\"p\",\"validationActions\":[\"Deny\"]}", NULL, "", NULL, "" },
	{ "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding",
	  "\"spec\":{\"paramRef\":{},\"validationActions\":[\"Deny\",\"Warn\",\"D"
	  "eny\"]}",
	  NULL, "", NULL,
	  "[spec.policyName: Required value, spec.paramRef: Required value: one o"
	  "f name or selector must be specified, spec.validationActions[2]: Dupli"
	  "cate value: \"Deny\", spec.validationActions: Invalid value: [\"Deny\""
	  ",\"Warn\",\"Deny\"]: must not contain both Deny and Warn (repeating th"
	  "e same validation failure information in the API response and headers "
	  "serves no purpose)]" },
	{ "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicyBinding",
	  "\"spec\":{\"policyName\":\"p\"}", NULL, "", NULL, "" },
	{ "authorization.k8s.io/v1", "SubjectAccessReview",
	  "\"spec\":{\"user\":\"u\",\"resourceAttributes\":{}}", NULL, "", "", "" },
	{ "authorization.k8s.io/v1", "SubjectAccessReview", "\"spec\":{}", NULL, "", "",
	  "[spec.resourceAttributes: Invalid value: \"null\": exactly one of nonR"
	  "esourceAttributes or resourceAttributes must be specified, spec.user: "
	  "Invalid value: \"\": at least one of user or group must be specified]" },
	{ "authorization.k8s.io/v1", "SelfSubjectAccessReview",
	  "\"spec\":{\"nonResourceAttributes\":{}}", NULL, "", "", "" },
	{ "authorization.k8s.io/v1", "SelfSubjectAccessReview",
	  "\"spec\":{\"nonResourceAttributes\":{}}", NULL, "", NULL,
	  "metadata: Invalid value: {\"name\":\"x\"}: must be empty" },
	{ "authorization.k8s.io/v1", "SelfSubjectRulesReview", "\"spec\":{}", NULL, "", "", "" },
	{ "authentication.k8s.io/v1", "TokenReview", "\"spec\":{\"token\":\"t\"}", NULL, "", "",
	  "" },
	{ "authorization.k8s.io/v1", "LocalSubjectAccessReview",
	  "\"spec\":{\"user\":\"u\",\"resourceAttributes\":{\"namespace\":\"m\"}}", NULL, "", NULL,
	  "[metadata: Invalid value: {\"name\":\"x\",\"namespace\":\"n\"}: must b"
	  "e empty except for namespace, spec.resourceAttributes.namespace: Inval"
	  "id value: \"m\": must match metadata.namespace]" },
	{ "apiregistration.k8s.io/v1", "APIService",
	  "\"spec\":{\"group\":\"g\",\"version\":\"v1\",\"groupPriorityMinimum\":"
	  "1,\"versionPriority\":1}",
	  NULL, "", "v1.g", "" },
	{ "apiregistration.k8s.io/v1", "APIService",
	  "\"spec\":{\"version\":\"v2\",\"groupPriorityMinimum\":0,\"versionPrior"
	  "ity\":1001,\"insecureSkipTLSVerify\":true}",
	  NULL, "", NULL,
	  "[metadata.name: Invalid value: \"x\": must be `spec.version+\".\"+spec"
	  ".group`: \"v2.\", spec.group: Required value: only v1 may have an empt"
	  "y group and it better be legacy kube, spec.groupPriorityMinimum: Inval"
	  "id value: 0: must be positive and less than 20000, spec.versionPriorit"
	  "y: Invalid value: 1001: must be positive and less than 1000, spec.inse"
	  "cureSkipTLSVerify: Invalid value: true: local APIServices may not have"
	  " insecureSkipTLSVerify]" },
	{ "apiregistration.k8s.io/v1", "APIService",
	  "\"spec\":{\"group\":\"g\",\"version\":\"v1\",\"groupPriorityMinimum\":"
	  "1,\"versionPriority\":1,\"service\":{}}",
	  NULL, "", "v1.g",
	  "[spec.service.namespace: Required value, spec.service.name: Required v"
	  "alue]" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}",
	  NULL, "", "ps.g.io", "" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}",
	  NULL, "", "x",
	  "metadata.name: Invalid value: \"x\": must be spec.names.plural+\".\"+s"
	  "pec.group" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"k8s.io\",\"scope\":\"Namespaced\",\"names\":{\"p"
	  "lural\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\""
	  "},\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sc"
	  "hema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}",
	  NULL, "", "ps.k8s.io",
	  "metadata.annotations[api-approved.kubernetes.io]: Required value: prot"
	  "ected groups must have approval annotation \"api-approved.kubernetes.i"
	  "o\", see https://github.com/kubernetes/enhancements/pull/1111" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"io\",\"scope\":\"Namespaced\",\"names\":{\"plura"
	  "l\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"},\""
	  "versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"schema"
	  "\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}",
	  NULL, "", "ps.io",
	  "spec.group: Invalid value: \"io\": should be a domain with at least on"
	  "e dot" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":false,\"sc"
	  "hema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions: Invalid value: must have exactly one version marked as "
	  "storage version" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"P\"},\"v"
	  "ersions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"schema\""
	  ":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.names.listKind: Invalid value: \"P\": kind and listKind may not b"
	  "e the same" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.type: Required value: must not"
	  " be empty at the root" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"string\"}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.type: Invalid value: \"string\""
	  ": must be object at the root" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"additionalProperties"
	  "\":true}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.additionalProperties: Forbidde"
	  "n: must not be used at the root" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"a\":"
	  "{}}}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.properties[a].type: Required v"
	  "alue: must not be empty for specified object fields" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"a\":"
	  "{\"type\":\"array\"}}}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.properties[a].items: Required "
	  "value: must be specified" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"a\":"
	  "{\"type\":\"x\"}}}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.properties[a].type: Unsupporte"
	  "d value: \"x\": supported values: \"array\", \"boolean\", \"integer\","
	  " \"number\", \"object\", \"string\"" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"nullable\":true}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.nullable: Forbidden: nullable "
	  "cannot be true at the root" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"$ref\":\"x\",\"uniqu"
	  "eItems\":true}}}]}",
	  NULL, "", "ps.g.io",
	  "[spec.versions[0].schema.openAPIV3Schema.$ref: Forbidden: $ref is not "
	  "supported, spec.versions[0].schema.openAPIV3Schema.uniqueItems: Forbid"
	  "den: uniqueItems cannot be set to true since the runtime complexity be"
	  "comes quadratic]" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"meta"
	  "data\":{\"type\":\"object\",\"properties\":{\"labels\":{\"type\":\"obj"
	  "ect\"}}}}}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.properties[metadata]: Forbidde"
	  "n: must not specify anything other than name and generateName, but met"
	  "adata is implicitly specified" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"kind"
	  "\":{\"type\":\"integer\"}}}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.properties[kind].type: Invalid"
	  " value: \"integer\": must be string" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"anyOf\":[{\"type\":\""
	  "object\",\"description\":\"d\"}]}}}]}",
	  NULL, "", "ps.g.io",
	  "[spec.versions[0].schema.openAPIV3Schema.anyOf[0].type: Forbidden: mus"
	  "t be empty to be structural, spec.versions[0].schema.openAPIV3Schema.a"
	  "nyOf[0].description: Forbidden: must be empty to be structural]" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"a\":"
	  "{\"x-kubernetes-int-or-string\":true,\"anyOf\":[{\"type\":\"integer\"}"
	  ",{\"type\":\"string\"}]}}}}}]}",
	  NULL, "", "ps.g.io", "" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"a\":"
	  "{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\",\"items\":{\"ty"
	  "pe\":\"object\",\"properties\":{\"k\":{\"type\":\"string\"}}},\"x-kube"
	  "rnetes-list-map-keys\":[\"k\"]}}}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.properties[a].items.properties"
	  "[k].default: Required value: this property is in x-kubernetes-list-map"
	  "-keys, so it must have a default or be a required property" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"a\":"
	  "{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\",\"items\":{\"ty"
	  "pe\":\"string\"}}}}}}]}",
	  NULL, "", "ps.g.io",
	  "[spec.versions[0].schema.openAPIV3Schema.properties[a].x-kubernetes-li"
	  "st-map-keys: Required value: must not be empty if x-kubernetes-list-ty"
	  "pe is map, spec.versions[0].schema.openAPIV3Schema.properties[a].items"
	  ".type: Invalid value: \"string\": must be object if parent array's x-k"
	  "ubernetes-list-type is map]" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"a\":"
	  "{\"type\":\"array\",\"x-kubernetes-list-type\":\"set\",\"items\":{\"ty"
	  "pe\":\"object\"}}}}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.properties[a].items.x-kubernet"
	  "es-map-type: Invalid value: \"\": must be atomic as item of a list wit"
	  "h x-kubernetes-list-type=set" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"x-kubernetes-list-ty"
	  "pe\":\"set\"}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.type: Invalid value: \"object\""
	  ": must be array if x-kubernetes-list-type is specified" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"a\":"
	  "{\"x-kubernetes-embedded-resource\":true,\"type\":\"object\"}}}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.properties[a].properties: Requ"
	  "ired value: must not be empty if x-kubernetes-embedded-resource is tru"
	  "e without x-kubernetes-preserve-unknown-fields" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"x-kubernetes-validat"
	  "ions\":[{\"rule\":\"  \"}]}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.x-kubernetes-validations[0].ru"
	  "le: Required value: rule is not specified" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"kind"
	  "\":{\"type\":\"string\",\"default\":\"x\"}}}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema.properties[kind].default: Forb"
	  "idden: must not be set in top-level kind" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}},\"subresources\":{\""
	  "scale\":{\"specReplicasPath\":\"x\",\"statusReplicasPath\":\".spec.x\""
	  "}}}]}",
	  NULL, "", "ps.g.io",
	  "[spec.versions[0].subresources.scale.specReplicasPath: Invalid value: "
	  "\"x\": must be a simple json path starting with ., spec.versions[0].su"
	  "bresources.scale.statusReplicasPath: Invalid value: \".spec.x\": shoul"
	  "d be a json path under .status]" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}},\"additionalPrinterC"
	  "olumns\":[{\"name\":\"\",\"type\":\"x\",\"jsonPath\":\"y\"}]}]}",
	  NULL, "", "ps.g.io",
	  "[spec.versions[0].additionalPrinterColumns[0].name: Required value, sp"
	  "ec.versions[0].additionalPrinterColumns[0].type: Invalid value: \"x\":"
	  " must be one of boolean,date,integer,number,string, spec.versions[0].a"
	  "dditionalPrinterColumns[0].JSONPath: Invalid value: \"y\": must be a s"
	  "imple json path starting with .]" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}},\"selectableFields\""
	  ":[{\"jsonPath\":\".spec.a\"},{\"jsonPath\":\".metadata.name\"}]}]}",
	  NULL, "", "ps.g.io",
	  "[spec.versions[0].selectableFields[0].jsonPath: Invalid value: \".spec"
	  ".a\": is an invalid path: does not refer to a valid field, spec.versio"
	  "ns[0].selectableFields[1].jsonPath: Invalid value: \".metadata.name\":"
	  " must not point to fields in metadata]" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"spec"
	  "\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}}"
	  "}},\"selectableFields\":[{\"jsonPath\":\".spec.a\"}]}]}",
	  NULL, "", "ps.g.io", "" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}},\"deprecationWarning"
	  "\":\"x\"}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].deprecationWarning: Invalid value: \"x\": can only be"
	  " set for deprecated versions" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"nullable\":false,\"a"
	  "llOf\":[{}]}},\"subresources\":{\"status\":{}}}]}",
	  NULL, "", "ps.g.io",
	  "spec.versions[0].schema.openAPIV3Schema: Invalid value: only [Descript"
	  "ion Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimu"
	  "m MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf"
	  " Required Items Properties ExternalDocs Example XPreserveUnknownFields"
	  " XValidations] fields are allowed at the root of the schema if the sta"
	  "tus subresource is enabled" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}],\"conversion\":{\""
	  "strategy\":\"Webhook\"}}",
	  NULL, "", "ps.g.io",
	  "[spec.conversion.webhookClientConfig: Required value: required when st"
	  "rategy is set to Webhook, spec.conversion.conversionReviewVersions: Re"
	  "quired value]" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}],\"conversion\":{\""
	  "strategy\":\"x\"}}",
	  NULL, "", "ps.g.io",
	  "spec.conversion.strategy: Unsupported value: \"x\": supported values: "
	  "\"None\", \"Webhook\"" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}],\"preserveUnknownF"
	  "ields\":true}",
	  NULL, "", "ps.g.io",
	  "spec.preserveUnknownFields: Invalid value: true: cannot set to true, s"
	  "et x-kubernetes-preserve-unknown-fields to true in spec.versions[*].sc"
	  "hema instead" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"qs\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}",
	  "", "ps.g.io", "spec.names.plural: Invalid value: \"qs\": field is immutable" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Cluster\",\"names\":{\"plural"
	  "\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"},\""
	  "versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"schema"
	  "\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]},\"status\":{\"con"
	  "ditions\":[{\"type\":\"Established\",\"status\":\"True\"}],\"acceptedN"
	  "ames\":{\"plural\":\"\",\"kind\":\"\"},\"storedVersions\":[\"v1\"]}",
	  "", "ps.g.io", "spec.scope: Invalid value: \"Cluster\": field is immutable" },
	{ "apiextensions.k8s.io/v1", "CustomResourceDefinition",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]},\"status\":{\"con"
	  "ditions\":[],\"acceptedNames\":{\"plural\":\"\",\"kind\":\"\"},\"store"
	  "dVersions\":[\"v0\"]}",
	  "\"spec\":{\"group\":\"g.io\",\"scope\":\"Namespaced\",\"names\":{\"plu"
	  "ral\":\"ps\",\"singular\":\"p\",\"kind\":\"P\",\"listKind\":\"PList\"}"
	  ",\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"sch"
	  "ema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}]}",
	  "", "ps.g.io",
	  "status.storedVersions[0]: Invalid value: \"v0\": missing from spec.ver"
	  "sions; v0 was previously a storage version, and must remain in spec.ve"
	  "rsions until a storage migration ensures no data remains persisted in "
	  "v0 and removes v0 from status.storedVersions" },
	{ "resource.k8s.io/v1", "ResourceClaim", "\"spec\":{\"devices\":{}}", NULL, "", NULL, "" },
	{ "resource.k8s.io/v1", "ResourceClaim",
	  "\"spec\":{\"devices\":{\"requests\":[{\"name\":\"r\",\"exactly\":{\"de"
	  "viceClassName\":\"c\"}}]}}",
	  NULL, "", NULL, "" },
	{ "resource.k8s.io/v1", "ResourceClaim",
	  "\"spec\":{\"devices\":{\"requests\":[{\"name\":\"r\"},{\"name\":\"r\","
	  "\"exactly\":{\"deviceClassName\":\"\",\"allocationMode\":\"All\",\"cou"
	  "nt\":2}}]}}",
	  NULL, "", NULL,
	  "[spec.devices.requests[0]: Required value: exactly one of `exactly` or"
	  " `firstAvailable` is required, spec.devices.requests[1].exactly.device"
	  "ClassName: Required value, spec.devices.requests[1].exactly.count: Inv"
	  "alid value: 2: must not be specified when allocationMode is 'All', spe"
	  "c.devices.requests[1]: Duplicate value: \"r\"]" },
	{ "resource.k8s.io/v1", "ResourceClaim",
	  "\"spec\":{\"devices\":{\"constraints\":[{\"requests\":[\"x\"],\"matchA"
	  "ttribute\":\"a\"}],\"config\":[{}]}}",
	  NULL, "", NULL,
	  "[spec.devices.constraints[0].matchAttribute: Invalid value: \"a\": a f"
	  "ully qualified name must be a domain and a name separated by a slash, "
	  "spec.devices.config[0].opaque: Required value, spec.devices.constraint"
	  "s[0].requests[0]: Invalid value: \"x\": must be the name of a request "
	  "in the claim or the name of a request and a subrequest separated by '/"
	  "']" },
	{ "resource.k8s.io/v1", "ResourceClaim",
	  "\"spec\":{\"devices\":{\"requests\":[{\"name\":\"r\",\"exactly\":{\"de"
	  "viceClassName\":\"c\"}}]}}",
	  "\"spec\":{\"devices\":{}}", "", NULL,
	  "spec: Invalid value: {\"devices\":{\"requests\":[{\"name\":\"r\",\"exa"
	  "ctly\":{\"deviceClassName\":\"c\",\"allocationMode\":\"ExactCount\",\""
	  "count\":1}}]}}: field is immutable" },
	{ "resource.k8s.io/v1", "ResourceClaim",
	  "\"spec\":{\"devices\":{}},\"status\":{\"reservedFor\":[{\"resource\":\""
	  "pods\",\"name\":\"p\",\"uid\":\"u\"}]}",
	  "\"spec\":{\"devices\":{}}", "status", NULL,
	  "status.reservedFor: Forbidden: may not be specified when `allocated` i"
	  "s not set" },
	{ "resource.k8s.io/v1", "ResourceClaimTemplate", "\"spec\":{\"spec\":{\"devices\":{}}}",
	  NULL, "", NULL, "" },
	{ "resource.k8s.io/v1", "ResourceClaimTemplate",
	  "\"spec\":{\"spec\":{\"devices\":{\"requests\":[{\"name\":\"R\"}]}}}", NULL, "", NULL,
	  "[spec.spec.devices.requests[0].name: Invalid value: \"R\": a lowercase"
	  " RFC 1123 label has lower case letters, digits and '-', and begins and"
	  " ends with a letter or digit (e.g. 'my-name',  or '123-abc', regex use"
	  "d for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.spec.device"
	  "s.requests[0]: Required value: exactly one of `exactly` or `firstAvail"
	  "able` is required]" },
	{ "resource.k8s.io/v1", "DeviceClass", "\"spec\":{}", NULL, "", NULL, "" },
	{ "resource.k8s.io/v1", "DeviceClass",
	  "\"spec\":{\"selectors\":[{}],\"extendedResourceName\":\"x\"}", NULL, "", NULL,
	  "[spec.selectors[0].cel: Required value, spec.extendedResourceName: Inv"
	  "alid value: \"x\": must be a valid extended resource name]" },
	{ "resource.k8s.io/v1", "ResourceSlice",
	  "\"spec\":{\"driver\":\"d.io\",\"pool\":{\"name\":\"p\",\"generation\":"
	  "0,\"resourceSliceCount\":1},\"nodeName\":\"n\"}",
	  NULL, "", NULL, "" },
	{ "resource.k8s.io/v1", "ResourceSlice",
	  "\"spec\":{\"driver\":\"d.io\",\"pool\":{\"name\":\"p\",\"generation\":"
	  "0,\"resourceSliceCount\":1}}",
	  NULL, "", NULL,
	  "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allN"
	  "odes`, `perDeviceNodeSelection` is required" },
	{ "resource.k8s.io/v1", "ResourceSlice",
	  "\"spec\":{\"driver\":\"d.io\",\"pool\":{\"name\":\"p\",\"generation\":"
	  "0,\"resourceSliceCount\":1},\"allNodes\":false,\"nodeName\":\"n\"}",
	  NULL, "", NULL,
	  "spec.allNodes: Invalid value: false: must be either unset or set to tr"
	  "ue" },
	{ "resource.k8s.io/v1", "ResourceSlice",
	  "\"spec\":{\"driver\":\"d.io\",\"pool\":{\"name\":\"p\",\"generation\":"
	  "0,\"resourceSliceCount\":1},\"allNodes\":true,\"devices\":[{\"name\":\""
	  "d\",\"attributes\":{\"a\":{},\"b/\":{\"int\":1,\"version\":\"x\"}},\"t"
	  "aints\":[{\"key\":\"\"}]},{\"name\":\"d\"}]}",
	  NULL, "", NULL,
	  "[spec.devices[0].attributes[a]: Invalid value: \"\": exactly one value"
	  " must be specified, spec.devices[0].attributes: Invalid value: \"\": t"
	  "he name must not be empty, spec.devices[0].attributes[b/].version: Inv"
	  "alid value: \"x\": must be a string compatible with semver.org spec 2."
	  "0.0, spec.devices[0].attributes[b/]: Invalid value: {\"int\":1,\"versi"
	  "on\":\"x\"}: exactly one value must be specified, spec.devices[0].tain"
	  "ts[0].key: Invalid value: \"\": name part must be non-empty, spec.devi"
	  "ces[0].taints[0].effect: Required value, spec.devices[1]: Duplicate va"
	  "lue: \"d\"]" },
	{ "resource.k8s.io/v1", "ResourceSlice",
	  "\"spec\":{\"driver\":\"\",\"pool\":{\"name\":\"\",\"generation\":-1,\""
	  "resourceSliceCount\":0},\"allNodes\":true}",
	  NULL, "", NULL,
	  "[spec.driver: Required value, spec.pool.name: Required value, spec.poo"
	  "l.resourceSliceCount: Invalid value: 0: must be greater than zero, spe"
	  "c.pool.generation: Invalid value: -1: must be greater than or equal to"
	  " zero]" },
};
