/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/objects/columns.h"

#include "api/custom.h"
#include "apiserver/objects/columns-cell.h"
#include "apiserver/objects/columns-private.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- kinds ---- */

/*
 * types, a letter a column: n the object's name, s text, i integer, b boolean, d a date, m text
 * that has the format of a name. Sorted by kind, then by group and version.
 */
struct printer {
	const char *kind, *api_version;
	columns_fn *print;
	const char *types;
};

#define ADMISSION "admissionregistration.k8s.io/v1"
#define FLOW "flowcontrol.apiserver.k8s.io/v1"
#define NETWORKING "networking.k8s.io/v1"
#define RBAC "rbac.authorization.k8s.io/v1"
#define STORAGE "storage.k8s.io/v1"

static const struct printer printers[] = {
	{ "APIService", "apiregistration.k8s.io/v1", columns_api_service, "nsss" },
	{ "CSIDriver", STORAGE, columns_csi_driver, "nbbbsbss" },
	{ "CSINode", STORAGE, columns_csi_node, "nis" },
	{ "CSIStorageCapacity", STORAGE, columns_capacity, "nss" },
	{ "CertificateSigningRequest", "certificates.k8s.io/v1", columns_csr, "nsssss" },
	{ "ClusterRoleBinding", RBAC, columns_binding, "nsssss" },
	{ "ComponentStatus", "v1", columns_component_status, "nsss" },
	{ "ConfigMap", "v1", columns_config_map, "nss" },
	{ "ControllerRevision", "apps/v1", columns_controller_revision, "nsss" },
	{ "CronJob", "batch/v1", columns_cron_job, "nssbisssss" },
	{ "DaemonSet", "apps/v1", columns_daemon_set, "niiiiisssss" },
	{ "Deployment", "apps/v1", columns_deployment, "nsssssss" },
	{ "DeviceClass", "resource.k8s.io/v1", columns_name_age, "ns" },
	{ "EndpointSlice", "discovery.k8s.io/v1", columns_endpoint_slice, "nssss" },
	{ "Endpoints", "v1", columns_endpoints, "nss" },
	{ "Event", "events.k8s.io/v1", columns_event_v1, "sssssssssn" },
	{ "Event", "v1", columns_event, "sssssssssn" },
	{ "FlowSchema", FLOW, columns_flow_schema, "nsssss" },
	{ "HorizontalPodAutoscaler", "autoscaling/v1", columns_autoscaler_v1, "nssssss" },
	{ "HorizontalPodAutoscaler", "autoscaling/v2", columns_autoscaler_v2, "nssssss" },
	{ "IPAddress", NETWORKING, columns_ip_address, "ns" },
	{ "Ingress", NETWORKING, columns_ingress, "nsssss" },
	{ "IngressClass", NETWORKING, columns_ingress_class, "nsss" },
	{ "Job", "batch/v1", columns_job, "nsssssss" },
	{ "Lease", "coordination.k8s.io/v1", columns_lease, "nss" },
	{ "MutatingAdmissionPolicy", ADMISSION, columns_mutating_policy, "niss" },
	{ "MutatingAdmissionPolicyBinding", ADMISSION, columns_policy_binding, "nsss" },
	{ "MutatingWebhookConfiguration", ADMISSION, columns_webhooks, "nis" },
	{ "Namespace", "v1", columns_namespace, "nss" },
	{ "NetworkPolicy", NETWORKING, columns_network_policy, "nss" },
	{ "Node", "v1", columns_node, "nsssssssss" },
	{ "PersistentVolume", "v1", columns_volume, "nssssssssss" },
	{ "PersistentVolumeClaim", "v1", columns_claim, "nssssssss" },
	{ "Pod", "v1", columns_pod, "nssssssss" },
	{ "PodDisruptionBudget", "policy/v1", columns_disruption_budget, "nssis" },
	{ "PodTemplate", "v1", columns_pod_template, "nsss" },
	{ "PriorityClass", "scheduling.k8s.io/v1", columns_priority_class, "nibss" },
	{ "PriorityLevelConfiguration", FLOW, columns_priority_level, "nssssss" },
	{ "ReplicaSet", "apps/v1", columns_replicas, "niiissss" },
	{ "ReplicationController", "v1", columns_replication_controller, "niiissss" },
	{ "ResourceClaim", "resource.k8s.io/v1", columns_claim_of_devices, "nss" },
	{ "ResourceClaimTemplate", "resource.k8s.io/v1", columns_name_age, "ns" },
	{ "ResourceQuota", "v1", columns_quota, "nsss" },
	{ "ResourceSlice", "resource.k8s.io/v1", columns_resource_slice, "nssss" },
	{ "RoleBinding", RBAC, columns_binding, "nsssss" },
	{ "RuntimeClass", "node.k8s.io/v1", columns_runtime_class, "nss" },
	{ "Scale", "autoscaling/v1", columns_scale_row, "siis" },
	{ "Secret", "v1", columns_secret, "nsss" },
	{ "Service", "v1", columns_service, "nssssss" },
	{ "ServiceAccount", "v1", columns_name_age, "ns" },
	{ "ServiceCIDR", NETWORKING, columns_service_cidr, "nss" },
	{ "StatefulSet", "apps/v1", columns_stateful_set, "nssss" },
	{ "StorageClass", STORAGE, columns_storage_class, "nsssss" },
	{ "StorageVersionMigration", "storagemigration.k8s.io/v1beta1", columns_migration, "sss" },
	{ "ValidatingAdmissionPolicy", ADMISSION, columns_validating_policy, "niss" },
	{ "ValidatingAdmissionPolicyBinding", ADMISSION, columns_policy_binding, "nsss" },
	{ "ValidatingWebhookConfiguration", ADMISSION, columns_webhooks, "nis" },
	{ "VolumeAttachment", STORAGE, columns_volume_attachment, "nmssbs" },
	{ "VolumeAttributesClass", STORAGE, columns_attributes_class, "nss" },
};

static int cmp_printers(const void *a, const void *b)
{
	const struct printer *x = a, *y = b;
	int r = strcmp(x->kind, y->kind);

	return r ? r : strcmp(x->api_version, y->api_version);
}

static const struct printer *find(const struct api_kind *k)
{
	static const struct printer none = { "", "", columns_created, "nd" };
	const struct printer key = { k->kind, k->group->api_version, NULL, NULL };
	const struct printer *p =
		bsearch(&key, printers, ARRAY_LEN(printers), sizeof(key), cmp_printers);

	return p ? p : &none;
}

const struct api_kind *columns_scale(void)
{
	static const struct api_group group = { .group = "autoscaling",
						.version = "v1",
						.api_version = "autoscaling/v1" };
	static const struct api_column columns[] = {
		{ "Name", false }, { "Desired", false }, { "Available", false }, { "Age", false }
	};
	static const struct api_kind scale = {
		.group = &group, .kind = "Scale", .columns = columns, .ncolumns = ARRAY_LEN(columns)
	};

	return &scale;
}

/* ---- definitions ---- */

/* Sorted. */
static const struct word {
	const char *column, *doc;
} words[] = {
	{ "Access Modes", "How the volume may be mounted, and by how many." },
	{ "Active", "How many jobs run." },
	{ "Address", "Where the load balancer can be reached." },
	{ "AddressType", "The kind of addresses: IPv4, IPv6 or FQDN." },
	{ "Age", "How long ago it was created." },
	{ "AllowVolumeExpansion", "Whether volumes of the class can grow." },
	{ "Allowed Disruptions", "How many pods may be disrupted now." },
	{ "AttachRequired", "Whether volumes must be attached before they are mounted." },
	{ "Attached", "Whether the volume is attached." },
	{ "Attacher", "The driver that attaches it." },
	{ "Available", "What is available." },
	{ "CIDRs", "The ranges of addresses." },
	{ "Capacity", "How much it holds." },
	{ "Claim", "The claim that the volume is bound to." },
	{ "Class", "The class of controllers that serve it." },
	{ "Cluster-IP", "The address within the cluster." },
	{ "Completions", "How many pods have succeeded, of how many that must." },
	{ "Condition", "Whether it was approved, denied, issued or failed." },
	{ "Container-Runtime", "The container runtime and its version." },
	{ "Containers", "Names of the containers of the template." },
	{ "Controller", "The controller that it belongs to." },
	{ "Count", "How often it was seen." },
	{ "Created At", "When it was created." },
	{ "Current", "How many there are." },
	{ "Data", "How many entries it has." },
	{ "Desired", "How many there should be." },
	{ "DistinguisherMethod", "What tells flows of the schema apart." },
	{ "Driver", "The driver of the devices." },
	{ "DriverName", "The driver of the class." },
	{ "Drivers", "How many drivers are registered on the node." },
	{ "Duration", "How long the job ran, or has been running." },
	{ "Endpoints", "Addresses, with ports where they have them." },
	{ "Error", "The error of the health condition." },
	{ "External-IP", "Addresses for clients outside the cluster." },
	{ "First Seen", "How long ago it was seen first." },
	{ "Global-Default", "Whether pods without a class get this one." },
	{ "Groups", "The groups that are bound." },
	{ "HandSize", "How many queues a flow is dealt." },
	{ "Handler", "The runtime's configuration that it stands for." },
	{ "Holder", "Who holds the lease." },
	{ "Hosts", "Host names that its rules are for." },
	{ "IP", "The address of the pod." },
	{ "Images", "Images of the containers of the template." },
	{ "Internal-IP", "The address within the cluster." },
	{ "Kernel-Version", "The version of the kernel." },
	{ "Last Schedule", "How long ago a job was begun last." },
	{ "Last Seen", "How long ago it was seen last." },
	{ "Limit", "Use and bound of what is limited." },
	{ "MatchingPrecedence", "Which schema goes first: the lowest number." },
	{ "Max Unavailable", "How many pods may be unavailable." },
	{ "MaxPods", "The highest number of replicas." },
	{ "Message", "What there is to say, for people." },
	{ "Min Available", "How many pods must be available." },
	{ "MinPods", "The lowest number of replicas." },
	{ "MissingPL", "Whether its priority level does not exist." },
	{ "Modes", "How long volumes of the driver live." },
	{ "Mutations", "How many mutations the policy has." },
	{ "Name", "Name of the object, unique within its namespace and kind." },
	{ "Node", "The node that it is on." },
	{ "Node Selector", "Labels of the nodes that it runs on." },
	{ "NominalConcurrencyShares", "Its share of all requests at once." },
	{ "Nominated Node", "The node where room is being made for the pod." },
	{ "OS-Image", "The operating system." },
	{ "Object", "What the event is about." },
	{ "PV", "The volume to attach." },
	{ "ParamKind", "The kind of the policy's parameters." },
	{ "ParamRef", "The parameters of the policy." },
	{ "Parameters", "Where further settings are." },
	{ "ParentRef", "The object that the address belongs to." },
	{ "Pod Labels", "Labels of pods of the template." },
	{ "Pod-Selector", "The pods that the policy is for." },
	{ "PodInfoOnMount", "Whether the driver is told of the pod." },
	{ "PolicyName", "The policy that is bound." },
	{ "Pool", "The pool that the devices are of." },
	{ "Port(s)", "Ports of the service." },
	{ "Ports", "The ports." },
	{ "PreemptionPolicy", "Whether pods of the class may take the place of others." },
	{ "PriorityLevel", "The priority level of its requests." },
	{ "Provisioner", "Who makes volumes of the class." },
	{ "QueueLengthLimit", "How many requests may wait in a queue." },
	{ "Queues", "How many queues it has." },
	{ "Readiness Gates", "Conditions that must hold beside those of the containers." },
	{ "Ready", "How many are ready." },
	{ "Reason", "Why, in a word." },
	{ "Reclaim Policy", "What becomes of the volume when its claim goes." },
	{ "ReclaimPolicy", "What becomes of volumes when their claims go." },
	{ "Reference", "What is scaled." },
	{ "Replicas", "How many there are." },
	{ "Request", "Use and bound of what may be requested." },
	{ "RequestedDuration", "How long the certificate should be valid." },
	{ "Requestor", "Who asked for it." },
	{ "RequiresRepublish", "Whether volumes are published again and again." },
	{ "Resource", "The resource whose objects are written again." },
	{ "Restarts", "How often containers were restarted, and how long ago the last time." },
	{ "Revision", "The number of the revision." },
	{ "Role", "The role that is bound." },
	{ "Roles", "Roles of the node." },
	{ "Schedule", "When jobs begin, in cron's form." },
	{ "Selector", "Labels of what belongs to it." },
	{ "Service", "The service behind it, or Local." },
	{ "ServiceAccounts", "The service accounts that are bound." },
	{ "SignerName", "Who signs it." },
	{ "Source", "Who reported it." },
	{ "State", "Whether it is allocated, reserved, pending or deleted." },
	{ "Status", "How it is, in a word." },
	{ "StorageCapacity", "Whether the driver tells how much room is left." },
	{ "StorageClass", "The storage class." },
	{ "StorageClassName", "The storage class that it is for." },
	{ "Subobject", "The part of the object that the event is about." },
	{ "Suspend", "Whether no further jobs begin." },
	{ "Targets", "Metrics as they are, and as they should be." },
	{ "Timezone", "The time zone of the schedule." },
	{ "TokenRequests", "Audiences of the tokens that the driver gets." },
	{ "Type", "Its type." },
	{ "Up-to-date", "How many are of the newest template." },
	{ "Users", "The users that are bound." },
	{ "Validations", "How many rules the policy has." },
	{ "Value", "The priority of pods of the class." },
	{ "Version", "The version of the node's agent." },
	{ "Volume", "The volume that the claim is bound to." },
	{ "VolumeAttributesClass", "The class of the volume's attributes." },
	{ "VolumeBindingMode", "When a volume is made and bound." },
	{ "VolumeMode", "Whether it is a file system or a block device." },
	{ "Webhooks", "How many webhooks it has." },
};

static int cmp_words(const void *a, const void *b)
{
	const struct word *x = a, *y = b;

	return strcmp(x->column, y->column);
}

static const char *doc_of(const char *column)
{
	const struct word key = { column, NULL };
	const struct word *w = bsearch(&key, words, ARRAY_LEN(words), sizeof(key), cmp_words);

	return w ? w->doc : "";
}

static void put_definition(struct arena *a, struct doc *list, const struct api_column *c, char type)
{
	struct doc *to = doc_append_object(a, list);
	const char *name = type == 'i'	 ? "integer"
			   : type == 'b' ? "boolean"
			   : type == 'd' ? "date"
					 : "string";

	doc_set_str(a, to, "name", c->name);
	doc_set_str(a, to, "type", name);
	doc_set_str(a, to, "format", type == 'n' || type == 'm' ? "name" : "");
	doc_set_str(a, to, "description", doc_of(c->name));
	doc_set_int(a, to, "priority", c->wide);
}

int columns_definitions(const struct api_kind *kind, struct arena *a, struct doc *ret,
			struct err *err)
{
	static const struct api_column plain[] = { { "Name", false }, { "Created At", false } };
	const struct printer *p = find(kind);
	const struct api_column *v = kind->ncolumns ? kind->columns : plain;

	if (kind->custom)
		return custom_columns(kind, a, ret, err);
	*ret = doc_array();
	for (size_t i = 0; p->types[i]; i++)
		put_definition(a, ret, &v[i], p->types[i]);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

int columns_cells(const struct api_kind *kind, const struct doc *obj, int64_t now, struct arena *a,
		  struct doc *ret, struct doc *ret_conditions, struct err *err)
{
	struct cells c = { obj, now, a, ret, ret_conditions };

	*ret_conditions = doc_null();
	if (kind->custom)
		return custom_cells(kind, obj, now, columns_age, a, ret, err);
	*ret = doc_array();
	find(kind)->print(&c);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* ---- ages ---- */

struct span {
	int64_t below; /* seconds: the first row that fits */
	int64_t unit, part;
	char name, part_name; /* 0: the unit alone */
};

#define MINUTE 60LL
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

const char *columns_age(int64_t seconds, char *out, size_t n)
{
	static const struct span spans[] = {
		{ 2 * MINUTE, 1, 1, 's', 0 },	 { 10 * MINUTE, MINUTE, 1, 'm', 's' },
		{ 3 * HOUR, MINUTE, 1, 'm', 0 }, { 8 * HOUR, HOUR, MINUTE, 'h', 'm' },
		{ 2 * DAY, HOUR, 1, 'h', 0 },	 { 8 * DAY, DAY, HOUR, 'd', 'h' },
		{ 2 * YEAR, DAY, 1, 'd', 0 },	 { 8 * YEAR, YEAR, DAY, 'y', 'd' },
		{ INT64_MAX, YEAR, 1, 'y', 0 },
	};
	const struct span *s = spans;
	long long whole, part;

	if (seconds < 0) { /* clocks that differ by a second are the same */
		(void)str_copy(out, n, seconds < -1 ? "<invalid>" : "0s");
		return out;
	}
	while (seconds >= s->below && s < &spans[ARRAY_LEN(spans) - 1])
		s++;
	whole = seconds / s->unit;
	part = seconds % s->unit / s->part;
	if (s->part_name && part)
		(void)snprintf(out, n, "%lld%c%lld%c", whole, s->name, part, s->part_name);
	else
		(void)snprintf(out, n, "%lld%c", whole, s->name);
	return out;
}
