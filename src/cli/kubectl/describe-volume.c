/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes of pods and persistent volumes in `kubectl describe`: a row a source. */
#include "cli/kubectl/describe.h"

#define VOLUME 1
#define PERSISTENT 2
#define BOTH 3

/* clang-format off */
#define ISCSI(secret) \
	"Type:\tISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)\n" \
	"TargetPortal:\t{targetPortal}\nIQN:\t{iqn}\nLun:\t{lun|0}\nISCSIInterface\t{iscsiInterface}\nFSType:\t{fsType}\n" \
	"ReadOnly:\t{readOnly|false}\nPortals:\t{portals|[]}\nDiscoveryCHAPAuth:\t{chapAuthDiscovery|false}\n" \
	"SessionCHAPAuth:\t{chapAuthSession|false}\nSecretRef:\t{" secret "secretRef}\nInitiatorName:\t{initiatorName|<none>}\n"
#define RBD(secret) \
	"Type:\tRBD (a Rados Block Device mount on the host that shares a pod's lifetime)\n" \
	"CephMonitors:\t{monitors|[]}\nRBDImage:\t{image}\nFSType:\t{fsType}\nRBDPool:\t{pool}\nRadosUser:\t{user}\n" \
	"Keyring:\t{keyring}\nSecretRef:\t{" secret "secretRef}\nReadOnly:\t{readOnly|false}\n"
#define CINDER(secret) \
	"Type:\tCinder (a Persistent Disk resource in OpenStack)\n" \
	"VolumeID:\t{volumeID}\nFSType:\t{fsType}\nReadOnly:\t{readOnly|false}\nSecretRef:\t{" secret "secretRef}\n"
#define CEPHFS(secret) \
	"Type:\tCephFS (a CephFS mount on the host that shares a pod's lifetime)\n" \
	"Monitors:\t{monitors|[]}\nPath:\t{path}\nUser:\t{user}\nSecretFile:\t{secretFile}\n" \
	"SecretRef:\t{" secret "secretRef}\nReadOnly:\t{readOnly|false}\n"
#define FLEX(secret) \
	"Type:\tFlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)\n" \
	"Driver:\t{driver}\nFSType:\t{fsType}\nSecretRef:\t{" secret "secretRef}\nReadOnly:\t{readOnly|false}\nOptions:\t{options|map[]}\n"
#define SCALEIO(secret) \
	"Type:\tScaleIO (a persistent volume backed by a block device in ScaleIO)\n" \
	"Gateway:\t{gateway}\nSystem:\t{system}\nProtection Domain:\t{protectionDomain}\nStorage Pool:\t{storagePool}\n" \
	"Storage Mode:\t{storageMode}\nVolumeName:\t{volumeName}\n" secret "FSType:\t{fsType}\nReadOnly:\t{readOnly|false}\n"
#define GLUSTERFS(space) \
	"Type:\tGlusterfs (a Glusterfs mount on the host that shares a pod's lifetime)\n" \
	"EndpointsName:\t{endpoints}\n" space "Path:\t{path}\nReadOnly:\t{readOnly|false}\n"
#define AZURE_FILE(space) \
	"Type:\tAzureFile (an Azure File Service mount on the host and bind mount to the pod)\n" \
	"SecretName:\t{secretName}\n" space "ShareName:\t{shareName}\nReadOnly:\t{readOnly|false}\n"
#define CSI(handle) \
	"Type:\tCSI (a Container Storage Interface (CSI) volume source)\n" \
	"Driver:\t{driver}\nFSType:\t{fsType}\n" handle "ReadOnly:\t{readOnly|false}\n"

static const struct source {
	const char *member;
	int where;
	const char *lines;
} sources[] = {
	{ "hostPath", BOTH, "Type:\tHostPath (bare host directory volume)\nPath:\t{path}\nHostPathType:\t{type}\n" },
	{ "emptyDir", VOLUME, "Type:\tEmptyDir (a temporary directory that shares a pod's lifetime)\nMedium:\t{medium}\nSizeLimit:\t{~sizeLimit|<unset>}\n" },
	{ "gcePersistentDisk", BOTH, "Type:\tGCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)\n"
	  "PDName:\t{pdName}\nFSType:\t{fsType}\nPartition:\t{partition|0}\nReadOnly:\t{readOnly|false}\n" },
	{ "awsElasticBlockStore", BOTH, "Type:\tAWSElasticBlockStore (a Persistent Disk resource in AWS)\n"
	  "VolumeID:\t{volumeID}\nFSType:\t{fsType}\nPartition:\t{partition|0}\nReadOnly:\t{readOnly|false}\n" },
	{ "gitRepo", VOLUME, "Type:\tGitRepo (a volume that is pulled from git when the pod is created)\nRepository:\t{repository}\nRevision:\t{revision}\n" },
	{ "secret", VOLUME, "Type:\tSecret (a volume populated by a Secret)\nSecretName:\t{secretName}\nOptional:\t{optional|false}\n" },
	{ "configMap", VOLUME, "Type:\tConfigMap (a volume populated by a ConfigMap)\nName:\t{name}\nOptional:\t{optional|false}\n" },
	{ "nfs", BOTH, "Type:\tNFS (an NFS mount that lasts the lifetime of a pod)\nServer:\t{server}\nPath:\t{path}\nReadOnly:\t{readOnly|false}\n" },
	{ "iscsi", VOLUME, ISCSI("&") },
	{ "iscsi", PERSISTENT, ISCSI("%") },
	{ "glusterfs", VOLUME, GLUSTERFS("") },
	{ "glusterfs", PERSISTENT, GLUSTERFS("EndpointsNamespace:\t{endpointsNamespace|<unset>}\n") },
	{ "persistentVolumeClaim", VOLUME, "Type:\tPersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)\n"
	  "ClaimName:\t{claimName}\nReadOnly:\t{readOnly|false}\n" },
	{ "ephemeral", VOLUME, "Type:\tEphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)\n" },
	{ "rbd", VOLUME, RBD("&") },
	{ "rbd", PERSISTENT, RBD("%") },
	{ "quobyte", BOTH, "Type:\tQuobyte (a Quobyte mount on the host that shares a pod's lifetime)\n"
	  "Registry:\t{registry}\nVolume:\t{volume}\nReadOnly:\t{readOnly|false}\n" },
	{ "downwardAPI", VOLUME, "Type:\tDownwardAPI (a volume populated by information about the pod)\nItems:\n" },
	{ "azureDisk", BOTH, "Type:\tAzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)\n"
	  "DiskName:\t{diskName}\nDiskURI:\t{diskURI}\nKind: \t{kind}\nFSType:\t{fsType}\nCachingMode:\t{cachingMode}\nReadOnly:\t{readOnly|false}\n" },
	{ "vsphereVolume", BOTH, "Type:\tvSphereVolume (a Persistent Disk resource in vSphere)\n"
	  "VolumePath:\t{volumePath}\nFSType:\t{fsType}\nStoragePolicyName:\t{storagePolicyName}\n" },
	{ "cinder", VOLUME, CINDER("&") },
	{ "cinder", PERSISTENT, CINDER("%") },
	{ "photonPersistentDisk", BOTH, "Type:\tPhotonPersistentDisk (a Persistent Disk resource in photon platform)\nPdID:\t{pdID}\nFSType:\t{fsType}\n" },
	{ "portworxVolume", BOTH, "Type:\tPortworxVolume (a Portworx Volume resource)\nVolumeID:\t{volumeID}\n" },
	{ "scaleIO", VOLUME, SCALEIO("") },
	{ "scaleIO", PERSISTENT, SCALEIO("SecretName:\t{secretRef.name}\nSecretNamespace:\t{secretRef.namespace}\n") },
	{ "local", PERSISTENT, "Type:\tLocalVolume (a persistent volume backed by local storage on a node)\nPath:\t{path}\n" },
	{ "cephfs", VOLUME, CEPHFS("&") },
	{ "cephfs", PERSISTENT, CEPHFS("%") },
	{ "storageos", BOTH, "Type:\tStorageOS (a StorageOS Persistent Disk resource)\n"
	  "VolumeName:\t{volumeName}\nVolumeNamespace:\t{volumeNamespace}\nFSType:\t{fsType}\nReadOnly:\t{readOnly|false}\n" },
	{ "fc", BOTH, "Type:\tFC (a Fibre Channel disk)\nTargetWWNs:\t{+targetWWNs}\nLUN:\t{lun|<none>}\nFSType:\t{fsType}\nReadOnly:\t{readOnly|false}\n" },
	{ "azureFile", VOLUME, AZURE_FILE("") },
	{ "azureFile", PERSISTENT, AZURE_FILE("SecretNamespace:\t{secretNamespace}\n") },
	{ "flexVolume", VOLUME, FLEX("&") },
	{ "flexVolume", PERSISTENT, FLEX("%") },
	{ "flocker", BOTH, "Type:\tFlocker (a Flocker volume mounted by the Flocker agent)\nDatasetName:\t{datasetName}\nDatasetUUID:\t{datasetUUID}\n" },
	{ "projected", VOLUME, "Type:\tProjected (a volume that contains injected data from multiple sources)\n" },
	{ "csi", VOLUME, CSI("") },
	{ "csi", PERSISTENT, CSI("VolumeHandle:\t{volumeHandle}\n") },
	{ "image", VOLUME, "Type:\tImage (a container image or OCI artifact)\nReference:\t{reference}\nPullPolicy:\t{pullPolicy}\n" },
};
/* clang-format on */

/* ---- what some have besides ---- */

static void describe_projected(struct describe *d, const struct doc *v)
{
	DOC_EACH (s, doc_get(v, "sources")) {
		if (doc_get(s, "secret"))
			describe_put(
				d, 2, doc_get(s, "secret"),
				"SecretName:\t{name}\nSecretOptionalName:\t{optional|<nil>}\n");
		else if (doc_get(s, "downwardAPI"))
			describe_f(d, 2, "DownwardAPI:\ttrue\n");
		else if (doc_get(s, "configMap"))
			describe_put(
				d, 2, doc_get(s, "configMap"),
				"ConfigMapName:\t{name}\nConfigMapOptional:\t{optional|<nil>}\n");
		else if (doc_get(s, "serviceAccountToken"))
			describe_put(d, 2, doc_get(s, "serviceAccountToken"),
				     "TokenExpirationSeconds:\t{expirationSeconds|0}\n");
	}
}

static void describe_downward(struct describe *d, const struct doc *v)
{
	DOC_EACH (i, doc_get(v, "items")) {
		describe_opt(d, 3, i, "fieldRef", "{fieldRef.fieldPath} -> {path}\n");
		describe_opt(d, 3, i, "resourceFieldRef",
			     "{resourceFieldRef.resource} -> {path}\n");
	}
}

/* Blanks as upstream has them: each piece of a line is indented. */
static void describe_attributes(struct describe *d, const struct doc *map)
{
	size_t n;
	struct doc *const *keys = describe_keys(d, map, &n);

	describe_f(d, 2, "VolumeAttributes:\t%s", n ? "" : "<none>\n");
	for (size_t i = 0; i < n; i++) {
		struct slice v = doc_slice(keys[i] + 1);
		CLEANUP(buf_fini) struct buf b = BUF_INIT(DESCRIBE_TEXT_MAX);

		buf_addf(&b, "%.*s=%.*s", (int)keys[i]->n, keys[i]->s, (int)v.n, v.n ? v.p : "");
		if (i) {
			describe_f(d, 2, "%s", "");
			describe_f(d, 2, "\t");
		}
		describe_f(d, 2, "%.140s%s\n", buf_str(&b), b.n > 140 ? "..." : "");
	}
}

static void describe_ephemeral(struct describe *d, const struct doc *v)
{
	const struct doc *claim = doc_get(v, "volumeClaimTemplate");

	d->nest += 2;
	if (claim)
		describe_claim(d, claim, false);
	d->nest -= 2;
}

void describe_source(struct describe *d, const struct doc *from, bool persistent)
{
	static const struct {
		const char *member;
		void (*run)(struct describe *d, const struct doc *v);
	} more[] = {
		{ "projected", describe_projected },
		{ "downwardAPI", describe_downward },
		{ "ephemeral", describe_ephemeral },
	};

	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const struct doc *v = doc_get(from, sources[i].member);

		if (!v || !(sources[i].where & (persistent ? PERSISTENT : VOLUME)))
			continue;
		describe_put(d, 2, v, sources[i].lines);
		for (size_t j = 0; j < ARRAY_LEN(more); j++)
			if (strcmp(more[j].member, sources[i].member) == 0)
				more[j].run(d, v);
		if (strcmp(sources[i].member, "csi") == 0)
			describe_attributes(d, doc_get(v, "volumeAttributes"));
		return;
	}
	describe_f(d, 1, "<unknown>\n");
}

void describe_volumes(struct describe *d, const struct doc *volumes, const char *space)
{
	describe_f(d, 0, "%sVolumes:%s\n", space, doc_len(volumes) ? "" : "\t<none>");
	DOC_EACH (v, volumes) {
		describe_f(d, 1, "%s%s:\n", *space ? " " : "", kubectl_text(d->k, v, "name"));
		describe_source(d, v, false);
	}
}
