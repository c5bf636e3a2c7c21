/* SPDX-License-Identifier: Apache-2.0 */
/* The create body: each refusal by code and words, each field through JSON and back. */
#include "engine/config.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int decode(struct arena *a, const char *json, struct create_spec *spec, struct err *err)
{
	struct doc *d;

	if (json_read(a, slice_str(json), NULL, &d, err) < 0)
		fail_msg("%s: %s", json, err->msg);
	return create_spec_decode(d, a, spec, err);
}

struct refusal_case {
	const char *json, *text;
	enum err_code code;
};

#define BAD ERR_BAD_REQUEST
#define NOT ERR_UNSUPPORTED
#define HC(x) "{\"Image\":\"i\",\"HostConfig\":{" x "}}"
#define NC(x) "{\"Image\":\"i\",\"NetworkingConfig\":{\"EndpointsConfig\":{" x "}}}"

static const struct refusal_case refusals[] = {
	{ "[]", "config cannot be empty", BAD },
	{ "{\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"]}}", "Healthcheck: ", NOT },
	{ "{\"Volumes\":{\"/data\":{}}}", "Volumes: ", NOT },
	{ HC("\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"80\"}]}"), "PortBindings: ", NOT },
	{ HC("\"PublishAllPorts\":true"), "PortBindings: ", NOT },
	{ HC("\"VolumeDriver\":\"nfs\""), "VolumeDriver: ", NOT },
	{ HC("\"VolumesFrom\":[\"a\"]"), "VolumesFrom: ", NOT },
	{ HC("\"Links\":[\"a:b\"]"), "Links: ", NOT },
	{ HC("\"StorageOpt\":{\"size\":\"1G\"}"), "StorageOpt: ", NOT },
	{ HC("\"DeviceRequests\":[{\"Count\":-1}]"), "DeviceRequests: ", NOT },
	{ HC("\"Cgroup\":\"x\""), "Cgroup: ", NOT },
	{ HC("\"Isolation\":\"hyperv\""), "Isolation: ", NOT },
	{ HC("\"Runtime\":\"kata\""), "Runtime: ", NOT },
	{ HC("\"UsernsMode\":\"private\""), "UsernsMode: ", NOT },
	{ HC("\"CpuCount\":2"), "CpuCount", NOT },
	{ HC("\"IOMaximumIOps\":2"), "IOMaximum", NOT },
	{ HC("\"KernelMemory\":20000000"), "KernelMemory: ", NOT },
	{ HC("\"CpuRealtimeRuntime\":1000"), "CpuRealtimeRuntime: ", NOT },
	{ HC("\"Init\":true"), "Init: ", NOT },
	{ HC("\"BlkioWeightDevice\":[{\"Path\":\"/dev/vda\",\"Weight\":10}]"),
	  "BlkioWeightDevice: ", NOT },
	{ "{\"MacAddress\":\"02:42:00:00:00:01\"}", "MacAddress: ", NOT },
	/* mounts */
	{ HC("\"Mounts\":[{\"Target\":\"/x\"}]"), "mount type is required", BAD },
	{ HC("\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/x\"}]"), "type 'volume'", NOT },
	{ HC("\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"x\"}]"),
	  "mount path must be absolute", BAD },
	{ HC("\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"a\",\"Target\":\"/x\"}]"),
	  "'a' mount path must be absolute", BAD },
	{ HC("\"Mounts\":[{\"Type\":\"tmpfs\",\"Source\":\"/a\",\"Target\":\"/x\"}]"),
	  "field Source must not be specified", BAD },
	{ HC("\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/\"}]"), "destination can't be '/'",
	  BAD },
	{ HC("\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/x\",\"BindOptions\":{}}]"),
	  "BindOptions must not be specified", BAD },
	{ HC("\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/x\",\"TmpfsOptions\":{"
	     "}}]"),
	  "TmpfsOptions must not be specified", BAD },
	{ HC("\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/x\",\"BindOptions\":{"
	     "\"Propagation\":\"up\"}}]"),
	  "invalid propagation: up", BAD },
	{ HC("\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/x\",\"TmpfsOptions\":{\"Options\":[["
	     "\"a,b\"]]}}]"),
	  "Options is a list", BAD },
	{ HC("\"Binds\":[\"/a\"]"), "invalid volume specification: '/a'", BAD },
	{ HC("\"Binds\":[\"data:/x\"]"), "named volumes are not supported yet", NOT },
	{ HC("\"Binds\":[\"/a:x\"]"), "'x' mount path must be absolute", BAD },
	{ HC("\"Binds\":[\"/a:/\"]"), "destination can't be '/'", BAD },
	{ HC("\"Binds\":[\"/a:/x:rw,fast\"]"), "invalid mode: fast", BAD },
	{ HC("\"Binds\":[\"/a:/x\",\"/b:/x/\"]"), "Duplicate mount point: /x", BAD },
	{ HC("\"Tmpfs\":{\"run\":\"\"}"), "'run' mount path must be absolute", BAD },
	/* resources */
	{ HC("\"Memory\":1000"), "Minimum memory limit allowed is 6MB", BAD },
	{ HC("\"Memory\":10000000,\"MemorySwap\":9000000"), "Minimum memoryswap limit", BAD },
	{ HC("\"MemorySwap\":9000000"), "always set the Memory limit", BAD },
	{ HC("\"Memory\":10000000,\"MemoryReservation\":20000000"), "memory reservation", BAD },
	{ HC("\"NanoCpus\":1000"), "range of CPUs is from 0.01 to ", BAD },
	{ HC("\"NanoCpus\":90000000000000"), "CPUs available", BAD },
	{ HC("\"NanoCpus\":500000000,\"CpuQuota\":1000"), "Nano CPUs and CPU Period", BAD },
	{ HC("\"CpuPeriod\":10"), "CPU cfs period", BAD },
	{ HC("\"CpuQuota\":10"), "CPU cfs quota", BAD },
	{ HC("\"BlkioWeight\":5"), "range of blkio weight", BAD },
	{ HC("\"CpusetCpus\":\"one\""), "Invalid value one for cpuset cpus", BAD },
	{ HC("\"CpusetMems\":\",\""), "Invalid value , for cpuset mems", BAD },
	{ HC("\"PidsLimit\":-5"), "PidsLimit", BAD },
	{ HC("\"CgroupParent\":\"../x\""), "CgroupParent", BAD },
	{ HC("\"OomScoreAdj\":2000"), "OomScoreAdj", BAD },
	{ HC("\"ShmSize\":-1"), "ShmSize", BAD },
	{ HC("\"Ulimits\":[{\"Name\":\"speed\",\"Soft\":1,\"Hard\":1}]"),
	  "invalid ulimit type: speed", BAD },
	{ HC("\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":9,\"Hard\":1}]"), "ulimit soft limit",
	  BAD },
	/* modes */
	{ HC("\"IpcMode\":\"free\""), "invalid IPC mode: free", BAD },
	{ HC("\"IpcMode\":\"container:x\""), "sharing the IPC of another container", NOT },
	{ HC("\"PidMode\":\"private\""), "invalid PID mode: private", BAD },
	{ HC("\"UTSMode\":\"x\""), "invalid UTS mode: x", BAD },
	{ HC("\"CgroupnsMode\":\"x\""), "invalid cgroup namespace mode: x", BAD },
	{ "{\"Hostname\":\"h\",\"HostConfig\":{\"UTSMode\":\"host\"}}",
	  "conflicting options: hostname and the UTS mode", BAD },
	{ "{\"Hostname\":\"h\",\"HostConfig\":{\"NetworkMode\":\"container:a\"}}",
	  "conflicting options: hostname and the network mode", BAD },
	{ HC("\"NetworkMode\":\"container:a\",\"Dns\":[\"1.1.1.1\"]"),
	  "conflicting options: dns and the network mode", BAD },
	{ HC("\"NetworkMode\":\"container:a\",\"ExtraHosts\":[\"a:1.1.1.1\"]"),
	  "custom host-to-IP mapping", BAD },
	{ "{\"ExposedPorts\":{\"80/tcp\":{}},\"HostConfig\":{\"NetworkMode\":\"container:a\"}}",
	  "port exposing", BAD },
	{ NC("\"bridge\":{\"Aliases\":[\"x\"]}"), "network-scoped alias", BAD },
	{ NC("\"bridge\":{\"IPAMConfig\":{\"IPv4Address\":\"172.17.0.9\"}}"),
	  "user specified IP address", BAD },
	{ NC("\"bridge\":{\"MacAddress\":\"02:42:00:00:00:01\"}"), "MAC addresses", NOT },
	{ NC("\"host\":{}"), "only the network of NetworkMode", NOT },
	{ HC("\"Dns\":[\"not-an-ip\"]"), "Dns", BAD },
	/* process */
	{ "{\"StopSignal\":\"SIGNOTHING\"}", "invalid signal: SIGNOTHING", BAD },
	{ "{\"Env\":[\"=x\"]}", "invalid environment variable: =x", BAD },
	{ "{\"WorkingDir\":\"tmp\"}", "the working directory 'tmp' is invalid", BAD },
	{ "{\"ExposedPorts\":\"80\"}", "ExposedPorts", BAD },
	{ HC("\"MaskedPaths\":[1]"), "MaskedPaths", BAD },
	{ HC("\"ConsoleSize\":[-1,80]"), "ConsoleSize", BAD },
	/* policies, log */
	{ HC("\"RestartPolicy\":{\"Name\":\"often\"}"), "unknown policy 'often'", BAD },
	{ HC("\"RestartPolicy\":{\"Name\":\"always\",\"MaximumRetryCount\":3}"),
	  "maximum retry count can only be used with 'on-failure'", BAD },
	{ HC("\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":-3}"),
	  "maximum retry count cannot be negative", BAD },
	{ HC("\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}"),
	  "can't create 'AutoRemove' container with restart policy", BAD },
	{ HC("\"Annotations\":{\"io.teu.rootfs.upper\":\"/\"}"), "io.teu.", BAD },
	{ HC("\"LogConfig\":{\"Type\":\"syslog\"}"), "log driver 'syslog'", NOT },
	{ HC("\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"tag\":\"x\"}}"),
	  "log option 'tag'", NOT },
	{ HC("\"LogConfig\":{\"Config\":{\"max-size\":\"99999999999g\"}}"), "max-size", BAD },
	{ HC("\"LogConfig\":{\"Config\":{\"max-file\":\"0\"}}"), "max-file", BAD },
	/* types */
	{ "{\"Cmd\":7}", "Cmd", BAD },
	{ "{\"Env\":{\"A\":\"b\"}}", "Env", BAD },
	{ "{\"Tty\":\"yes\"}", "Tty", BAD },
	{ HC("\"Memory\":1.5"), "Memory", BAD },
};

static void each_refusal_names_its_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
		struct create_spec spec;
		struct err err = ERR_INIT;
		int r = decode(a, refusals[i].json, &spec, &err);

		if (r != -(int)refusals[i].code || !strstr(err.msg, refusals[i].text))
			fail_msg("%s: %d '%s', wanted %d '%s'", refusals[i].json, r, err.msg,
				 -(int)refusals[i].code, refusals[i].text);
	}
}

static const char *const accepted[] = {
	"{}",
	"{\"cmd\":\"true\",\"ENTRYPOINT\":\"sh\"}",
	HC("\"Init\":false"),
	HC("\"PortBindings\":{},\"VolumesFrom\":[],\"Links\":null"),
	HC("\"Memory\":6291456,\"MemorySwap\":-1"),
	HC("\"NanoCpus\":10000000"),
	HC("\"CpusetCpus\":\"0-1,3\""),
	HC("\"PidsLimit\":-1"),
	HC("\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"10m\",\"max-file\":"
	   "\"3\"}}"),
	HC("\"IpcMode\":\"shareable\",\"PidMode\":\"container:x\",\"CgroupnsMode\":\"host\""),
	HC("\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}"),
	NC("\"default\":{}"),
	"{\"NetworkingConfig\":{\"EndpointsConfig\":{\"host\":{}}},\"HostConfig\":{\"NetworkMode\":"
	"\"host\"}}",
	"{\"Healthcheck\":{\"Test\":[\"NONE\"]},\"StopSignal\":\"9\",\"StopTimeout\":-1}",
	HC("\"UsernsMode\":\"host\",\"Runtime\":\"runc\",\"Isolation\":\"default\""),
};

static void what_docker_sends_is_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
		struct create_spec spec;
		struct err err = ERR_INIT;

		if (decode(a, accepted[i], &spec, &err) < 0)
			fail_msg("%s: %s", accepted[i], err.msg);
	}
}

/* A value of the right type for each row of a table, unlike its default. */
static void fill(struct arena *a, struct doc *o, const char *key, const char *json)
{
	struct err err = ERR_INIT;
	struct doc *v;

	assert_int_equal(json_read(a, slice_str(json), NULL, &v, &err), 0);
	doc_set(a, o, key, *v);
}

static const char *const config_values[][2] = {
	{ "Hostname", "\"h\"" },
	{ "Domainname", "\"d\"" },
	{ "User", "\"u:g\"" },
	{ "AttachStdin", "true" },
	{ "AttachStdout", "true" },
	{ "AttachStderr", "true" },
	{ "ExposedPorts", "{\"80/tcp\":{}}" },
	{ "Tty", "true" },
	{ "OpenStdin", "true" },
	{ "StdinOnce", "true" },
	{ "Env", "[\"A=b\",\"C\"]" },
	{ "Cmd", "[\"a\",\"\"]" },
	{ "Healthcheck", "{\"Test\":[\"NONE\"]}" },
	{ "ArgsEscaped", "true" },
	{ "Image", "\"i\"" },
	{ "WorkingDir", "\"/w\"" },
	{ "Entrypoint", "[\"e\"]" },
	{ "NetworkDisabled", "true" },
	{ "OnBuild", "[\"RUN x\"]" },
	{ "Labels", "{\"l\":\"v\"}" },
	{ "StopSignal", "\"SIGINT\"" },
	{ "StopTimeout", "7" },
	{ "Shell", "[\"/bin/sh\"]" },
};
static const char *const host_values[][2] = {
	{ "Binds", "[\"/a:/b:ro\"]" },
	{ "ContainerIDFile", "\"/x\"" },
	{ "LogConfig", "{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"1m\"}}" },
	{ "NetworkMode", "\"none\"" },
	{ "RestartPolicy", "{\"Name\":\"on-failure\",\"MaximumRetryCount\":2}" },
	{ "AutoRemove", "false" },
	{ "ConsoleSize", "[24,80]" },
	{ "Annotations", "{\"a\":\"b\"}" },
	{ "CapAdd", "[\"NET_ADMIN\"]" },
	{ "CapDrop", "[\"ALL\"]" },
	{ "CgroupnsMode", "\"private\"" },
	{ "Dns", "[\"1.1.1.1\"]" },
	{ "DnsOptions", "[\"ndots:1\"]" },
	{ "DnsSearch", "[\"x.org\"]" },
	{ "ExtraHosts", "[\"a:1.2.3.4\"]" },
	{ "GroupAdd", "[\"10\"]" },
	{ "IpcMode", "\"host\"" },
	{ "OomScoreAdj", "5" },
	{ "PidMode", "\"host\"" },
	{ "Privileged", "true" },
	{ "ReadonlyRootfs", "true" },
	{ "SecurityOpt", "[\"no-new-privileges\"]" },
	{ "Tmpfs", "{\"/t\":\"size=1m\"}" },
	{ "UTSMode", "\"\"" },
	{ "ShmSize", "1048576" },
	{ "Sysctls", "{\"net.core.somaxconn\":\"100\"}" },
	{ "Runtime", "\"runc\"" },
	{ "CpuShares", "512" },
	{ "Memory", "10000000" },
	{ "CgroupParent", "\"/p\"" },
	{ "BlkioWeight", "100" },
	{ "BlkioDeviceReadBps", "[{\"Path\":\"/dev/x\",\"Rate\":5}]" },
	{ "BlkioDeviceWriteBps", "[{\"Path\":\"/dev/x\",\"Rate\":6}]" },
	{ "BlkioDeviceReadIOps", "[{\"Path\":\"/dev/x\",\"Rate\":7}]" },
	{ "BlkioDeviceWriteIOps", "[{\"Path\":\"/dev/x\",\"Rate\":8}]" },
	{ "CpuPeriod", "50000" },
	{ "CpuQuota", "25000" },
	{ "CpusetCpus", "\"0\"" },
	{ "CpusetMems", "\"0\"" },
	{ "Devices", "[{\"PathOnHost\":\"/dev/fuse\",\"PathInContainer\":\"/dev/"
		     "f\",\"CgroupPermissions\":\"r\"}]" },
	{ "DeviceCgroupRules", "[\"c 1:3 r\"]" },
	{ "MemoryReservation", "9000000" },
	{ "MemorySwap", "-1" },
	{ "MemorySwappiness", "10" },
	{ "OomKillDisable", "true" },
	{ "Init", "false" },
	{ "PidsLimit", "50" },
	{ "Ulimits", "[{\"Name\":\"nofile\",\"Hard\":20,\"Soft\":10}]" },
	{ "Mounts", "[{\"Type\":\"tmpfs\",\"Target\":\"/m\",\"TmpfsOptions\":{\"SizeBytes\":4096,"
		    "\"Mode\":448}},{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/"
		    "q\",\"ReadOnly\":true,\"BindOptions\":{\"Propagation\":\"rslave\"}}]" },
	{ "MaskedPaths", "[\"/proc/x\"]" },
	{ "ReadonlyPaths", "[]" },
};

static struct doc *whole_body(struct arena *a)
{
	struct doc *body = doc_new_object(a), *host;

	for (size_t i = 0; i < ARRAY_LEN(config_values); i++)
		fill(a, body, config_values[i][0], config_values[i][1]);
	host = doc_set_object(a, body, "HostConfig");
	for (size_t i = 0; i < ARRAY_LEN(host_values); i++)
		fill(a, host, host_values[i][0], host_values[i][1]);
	return body;
}

static void expect_members(struct arena *a, const struct doc *o, const char *const (*want)[2],
			   size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct err err = ERR_INIT;
		struct doc *v;

		assert_int_equal(json_read(a, slice_str(want[i][1]), NULL, &v, &err), 0);
		/* false and "" may be left out */
		if (doc_is(v, DOC_BOOL) && !v->n)
			continue;
		if (!doc_equal(doc_get(o, want[i][0]), v))
			fail_msg("%s is lost or changed", want[i][0]);
	}
}

static void every_field_survives_the_database(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 4u << 20);
	struct create_spec one, two;
	struct doc config, host, config2, host2, *body = whole_body(a);
	struct slice text;
	struct doc *again;
	struct err err = ERR_INIT;

	(void)state;
	if (create_spec_decode(body, a, &one, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(create_spec_encode(&one, a, &config, &host, &err), 0);
	expect_members(a, &config, config_values, ARRAY_LEN(config_values));
	expect_members(a, &host, host_values, ARRAY_LEN(host_values));
	/* As text, as a row holds it. */
	assert_int_equal(json_print(a, &host, NULL, &text, &err), 0);
	assert_int_equal(json_read(a, text, NULL, &again, &err), 0);
	assert_int_equal(create_spec_load(&config, again, a, &two, &err), 0);
	assert_int_equal(create_spec_encode(&two, a, &config2, &host2, &err), 0);
	assert_true(doc_equal(&config, &config2));
	assert_true(doc_equal(&host, &host2));
}

static void log_numbers_know_their_units(void **state)
{
	static const struct {
		const char *text;
		int64_t v;
	} cases[] = { { "10", 10 },	  { "10k", 10240 },    { "1m", 1 << 20 },
		      { "1MB", 1 << 20 }, { "2g", 2LL << 30 }, { "5b", 5 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_pair p = { "max-size", cases[i].text };
		struct log_config log = { .config = { &p, 1 } };
		struct host_config h = { .log = &log };

		assert_int_equal(log_option(&h, "max-size", 0), cases[i].v);
		assert_int_equal(log_option(&h, "max-file", 3), 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_refusal_names_its_field),
		cmocka_unit_test(what_docker_sends_is_accepted),
		cmocka_unit_test(every_field_survives_the_database),
		cmocka_unit_test(log_numbers_know_their_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
