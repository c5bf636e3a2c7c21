/* SPDX-License-Identifier: Apache-2.0 */
/* Each flag of run to its place in the body, and each that is refused. */
#include "cli-test.h"

#include "cli/cli.h"
#include "cli/run-opts.h"

#define WORDS_MAX 16

/* Splits "--env A=1 busybox true" at blanks; "\x01" stands for a blank inside a word. */
static int body_of(struct arena *a, const char *line, struct doc **ret, struct err *err)
{
	char *words[WORDS_MAX + 1], **argv = words;
	struct slice rest = slice_str(line);
	struct run_opts *o = ARENA_NEW(a, struct run_opts);
	int argc = 0, r;

	*err = ERR_INIT;
	while (rest.p) {
		struct slice w = slice_split(&rest, ' ');

		words[argc] = arena_strndup(a, w.p, w.n);
		for (char *c = words[argc]; *c; c++)
			*c = *c == '\x01' ? ' ' : *c;
		assert_true(++argc < WORDS_MAX);
	}
	words[argc] = NULL;
	r = cmd_parse_opts(a, run_opts, o, true, &argc, &argv, err);
	if (r == 0)
		r = run_body(a, o, argv, 24, 80, ret, err);
	return r;
}

struct mapping {
	const char *flags, *path, *json;
};

static void each_flag_reaches_its_field(void **state)
{
	static const struct mapping rows[] = {
		{ "-i", "OpenStdin", "true" },
		{ "-i", "StdinOnce", "true" },
		{ "-i", "AttachStdin", "true" },
		{ "", "AttachStdout", "true" },
		{ "", "AttachStderr", "true" },
		{ "-a stdout", "AttachStderr", NULL },
		{ "-d", "AttachStdout", NULL },
		{ "-d -i", "StdinOnce", NULL },
		{ "-t", "Tty", "true" },
		{ "-t", "HostConfig.ConsoleSize", "[24,80]" },
		{ "", "HostConfig.ConsoleSize", NULL },
		{ "-h box", "Hostname", "\"box\"" },
		{ "--domainname d", "Domainname", "\"d\"" },
		{ "-u 1:2", "User", "\"1:2\"" },
		{ "-w /tmp", "WorkingDir", "\"/tmp\"" },
		{ "-e A=1 --env B=2", "Env", "[\"A=1\",\"B=2\"]" },
		{ "-l a=b --label c", "Labels", "{\"a\":\"b\",\"c\":\"\"}" },
		{ "--entrypoint /x", "Entrypoint", "[\"/x\"]" },
		{ "--entrypoint=", "Entrypoint", "[\"\"]" },
		{ "--stop-signal INT", "StopSignal", "\"INT\"" },
		{ "--stop-timeout 0", "StopTimeout", "0" },
		{ "--no-healthcheck", "Healthcheck", "{\"Test\":[\"NONE\"]}" },
		{ "--expose 80 --expose 90-91/udp", "ExposedPorts",
		  "{\"80/tcp\":{},\"90/udp\":{},\"91/udp\":{}}" },
		{ "-v /data", "Volumes", "{\"/data\":{}}" },
		{ "-v /a:/b:ro", "HostConfig.Binds", "[\"/a:/b:ro\"]" },
		{ "--cidfile /f", "HostConfig.ContainerIDFile", "\"/f\"" },
		{ "--network host", "HostConfig.NetworkMode", "\"host\"" },
		{ "--net none", "HostConfig.NetworkMode", "\"none\"" },
		{ "--rm", "HostConfig.AutoRemove", "true" },
		{ "--cap-add ALL", "HostConfig.CapAdd", "[\"ALL\"]" },
		{ "--cap-drop A --cap-drop B", "HostConfig.CapDrop", "[\"A\",\"B\"]" },
		{ "--cgroupns host", "HostConfig.CgroupnsMode", "\"host\"" },
		{ "--cgroup-parent /p", "HostConfig.CgroupParent", "\"/p\"" },
		{ "--dns 1.1.1.1", "HostConfig.Dns", "[\"1.1.1.1\"]" },
		{ "--dns-option a --dns-opt b", "HostConfig.DnsOptions", "[\"a\",\"b\"]" },
		{ "--dns-search x", "HostConfig.DnsSearch", "[\"x\"]" },
		{ "--add-host h:1.2.3.4 --add-host i=::1", "HostConfig.ExtraHosts",
		  "[\"h:1.2.3.4\",\"i:::1\"]" },
		{ "--add-host h=[::2]", "HostConfig.ExtraHosts", "[\"h:::2\"]" },
		{ "--group-add 5", "HostConfig.GroupAdd", "[\"5\"]" },
		{ "--ipc host", "HostConfig.IpcMode", "\"host\"" },
		{ "--pid host", "HostConfig.PidMode", "\"host\"" },
		{ "--uts host", "HostConfig.UTSMode", "\"host\"" },
		{ "--userns host", "HostConfig.UsernsMode", "\"host\"" },
		{ "--oom-score-adj -5", "HostConfig.OomScoreAdj", "-5" },
		{ "--oom-kill-disable", "HostConfig.OomKillDisable", "true" },
		{ "--privileged", "HostConfig.Privileged", "true" },
		{ "--read-only", "HostConfig.ReadonlyRootfs", "true" },
		{ "--restart on-failure:3", "HostConfig.RestartPolicy",
		  "{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}" },
		{ "--runtime teu-oci", "HostConfig.Runtime", "\"teu-oci\"" },
		{ "--security-opt no-new-privileges", "HostConfig.SecurityOpt",
		  "[\"no-new-privileges\"]" },
		{ "--security-opt seccomp=unconfined", "HostConfig.SecurityOpt",
		  "[\"seccomp=unconfined\"]" },
		{ "--shm-size 64m", "HostConfig.ShmSize", "67108864" },
		{ "--sysctl a.b=1", "HostConfig.Sysctls", "{\"a.b\":\"1\"}" },
		{ "--annotation k=v", "HostConfig.Annotations", "{\"k\":\"v\"}" },
		{ "--tmpfs /t --tmpfs /u:size=1m", "HostConfig.Tmpfs",
		  "{\"/t\":\"\",\"/u\":\"size=1m\"}" },
		{ "--mount type=tmpfs,dst=/t", "HostConfig.Mounts",
		  "[{\"Type\":\"tmpfs\",\"Target\":\"/t\"}]" },
		{ "--log-driver none", "HostConfig.LogConfig", "{\"Type\":\"none\"}" },
		{ "--log-opt max-size=1m", "HostConfig.LogConfig",
		  "{\"Type\":\"\",\"Config\":{\"max-size\":\"1m\"}}" },
		{ "--device /dev/null", "HostConfig.Devices",
		  "[{\"PathOnHost\":\"/dev/null\",\"PathInContainer\":\"/dev/null\","
		  "\"CgroupPermissions\":\"rwm\"}]" },
		{ "--device /dev/a:/dev/b:r", "HostConfig.Devices",
		  "[{\"PathOnHost\":\"/dev/a\",\"PathInContainer\":\"/dev/b\","
		  "\"CgroupPermissions\":\"r\"}]" },
		{ "--device /dev/a:rw", "HostConfig.Devices",
		  "[{\"PathOnHost\":\"/dev/a\",\"PathInContainer\":\"/dev/a\","
		  "\"CgroupPermissions\":\"rw\"}]" },
		{ "--device-cgroup-rule c\x01"
		  "1:3\x01r",
		  "HostConfig.DeviceCgroupRules", "[\"c 1:3 r\"]" },
		{ "--device-read-bps /dev/a:1mb", "HostConfig.BlkioDeviceReadBps",
		  "[{\"Path\":\"/dev/a\",\"Rate\":1048576}]" },
		{ "--device-write-bps /dev/a:5", "HostConfig.BlkioDeviceWriteBps",
		  "[{\"Path\":\"/dev/a\",\"Rate\":5}]" },
		{ "--device-read-iops /dev/a:7", "HostConfig.BlkioDeviceReadIOps",
		  "[{\"Path\":\"/dev/a\",\"Rate\":7}]" },
		{ "--device-write-iops /dev/a:8", "HostConfig.BlkioDeviceWriteIOps",
		  "[{\"Path\":\"/dev/a\",\"Rate\":8}]" },
		{ "--ulimit nofile=1:2 --ulimit core=-1", "HostConfig.Ulimits",
		  "[{\"Name\":\"nofile\",\"Hard\":2,\"Soft\":1},"
		  "{\"Name\":\"core\",\"Hard\":-1,\"Soft\":-1}]" },
		{ "--blkio-weight 10", "HostConfig.BlkioWeight", "10" },
		{ "--cpu-period 1000", "HostConfig.CpuPeriod", "1000" },
		{ "--cpu-quota -1", "HostConfig.CpuQuota", "-1" },
		{ "-c 512", "HostConfig.CpuShares", "512" },
		{ "--cpus 1.5", "HostConfig.NanoCpus", "1500000000" },
		{ "--cpus .1", "HostConfig.NanoCpus", "100000000" },
		{ "--cpuset-cpus 0-1", "HostConfig.CpusetCpus", "\"0-1\"" },
		{ "--cpuset-mems 0", "HostConfig.CpusetMems", "\"0\"" },
		{ "-m 64m", "HostConfig.Memory", "67108864" },
		{ "--memory-reservation 32m", "HostConfig.MemoryReservation", "33554432" },
		{ "--memory-swap -1", "HostConfig.MemorySwap", "-1" },
		{ "--memory-swappiness 0", "HostConfig.MemorySwappiness", "0" },
		{ "--pids-limit -1", "HostConfig.PidsLimit", "-1" },
		{ "--pull never", "Image", "\"busybox\"" },
		{ "-q", "Cmd", "[\"echo\",\"-n\"]" },
	};
	struct arena *a = *state;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *line = arena_printf(a, "%s%sbusybox echo -n", rows[i].flags,
						*rows[i].flags ? " " : "");
		struct doc *body, *v;

		if (body_of(a, line, &body, &err) < 0)
			fail_msg("%s: %s", rows[i].flags, err.msg);
		v = doc_find(body, rows[i].path);
		if (!v != !rows[i].json)
			fail_msg("%s: %s is %s", rows[i].flags, rows[i].path,
				 v ? "there" : "absent");
		if (v)
			assert_string_equal(json_of(a, v), rows[i].json);
	}
}

/* Every row of the table is used above or refused below: a new one cannot be forgotten. */
static void what_is_not_given_is_not_sent(void **state)
{
	struct arena *a = *state;
	struct doc *body;
	struct err err;

	assert_int_equal(body_of(a, "-d busybox", &body, &err), 0);
	assert_string_equal(json_of(a, body), "{\"Image\":\"busybox\",\"HostConfig\":{}}");
}

static void refused_flags_name_themselves(void **state)
{
	struct arena *a = *state;
	unsigned refused = 0;

	for (const struct opt *o = run_opts; o->type != OPT_T_END; o++) {
		struct doc *body;
		struct err err;

		if (!(o->flags & OPT_REFUSED))
			continue;
		refused++;
		assert_int_equal(
			body_of(a, arena_printf(a, "--%s=1 busybox", o->name), &body, &err),
			-ERR_UNSUPPORTED);
		assert_part(err.msg, arena_printf(a, "--%s is not supported: ", o->name));
		if (!o->letter)
			continue;
		assert_int_equal(
			body_of(a, arena_printf(a, "-%c 1 busybox", o->letter), &body, &err),
			-ERR_UNSUPPORTED);
	}
	assert_true(refused >= 30);
}

/* docker 28's list for run, so that none is merely unknown. */
static void all_of_dockers_flags_are_known(void **state)
{
	static const char flags[] =
		"add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop "
		"cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period cpu-quota "
		"cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach "
		"detach-keys device device-cgroup-rule device-read-bps device-read-iops "
		"device-write-bps device-write-iops disable-content-trust dns dns-option "
		"dns-search "
		"domainname entrypoint env env-file expose gpus group-add health-cmd "
		"health-interval health-retries health-start-interval health-start-period "
		"health-timeout hostname init interactive io-maxbandwidth io-maxiops ip ip6 ipc "
		"isolation kernel-memory label label-file link link-local-ip log-driver log-opt "
		"mac-address memory memory-reservation memory-swap memory-swappiness mount name "
		"network network-alias no-healthcheck oom-kill-disable oom-score-adj pid "
		"pids-limit "
		"platform privileged publish publish-all pull quiet read-only restart rm runtime "
		"security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl tmpfs "
		"tty ulimit use-api-socket user userns uts volume volume-driver volumes-from "
		"workdir";
	struct slice rest = SLICE(flags);

	(void)state;
	while (rest.p) {
		struct slice name = slice_split(&rest, ' ');
		const struct opt *o = run_opts;

		while (o->type != OPT_T_END && !slice_is(name, o->name))
			o++;
		if (o->type == OPT_T_END)
			fail_msg("--%.*s is missing", (int)name.n, name.p);
	}
}

static void bad_values_name_flag_and_value(void **state)
{
	static const struct {
		const char *flags, *words;
	} rows[] = {
		{ "--device :x", "--device" },
		{ "--device /dev/a:/b:q", "rights are r, w and m" },
		{ "--device-read-bps x:1", "/path:rate" },
		{ "--device-read-iops /dev/a:1m", "--device-read-iops" },
		{ "--ulimit nofile", "name=soft[:hard]" },
		{ "--ulimit nofile=3:2", "soft limit is over" },
		{ "--expose 0", "--expose" },
		{ "--expose 90-80", "--expose" },
		{ "--expose 80/icmp", "tcp|udp|sctp" },
		{ "--add-host h", "host:ip" },
		{ "--restart on-failure:x", "count is no number" },
		{ "--sysctl =1", "name=value" },
		{ "-e =1", "invalid environment variable" },
		{ "-a stdx", "STDIN, STDOUT and STDERR" },
		{ "--env-file /nonexistent/x", "--env-file" },
		{ "--label-file /nonexistent/x", "--label-file" },
		{ "--security-opt seccomp=/nonexistent/x", "seccomp=/nonexistent/x" },
		{ "--mount type=bind", "target is required" },
		{ "--pull often", "must be one of: always, missing, never" },
		{ "-m 1q", "--memory" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *body;
		struct err err;
		int r = body_of(a, arena_printf(a, "%s busybox", rows[i].flags), &body, &err);

		if (r >= 0)
			fail_msg("%s was accepted", rows[i].flags);
		assert_part(err.msg, rows[i].words);
	}
}

static void options_that_exclude_each_other(void **state)
{
	struct doc *body;
	struct err err;

	assert_int_equal(body_of(*state, "-d -a stdout busybox", &body, &err), -ERR_CONFLICT);
	assert_part(err.msg, "both --attach and --detach");
}

static const char *temp_file(struct arena *a, const char *text)
{
	char *path = arena_strdup(a, "/tmp/teu-run-opts-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

static void files_come_before_the_command_line(void **state)
{
	struct arena *a = *state;
	const char *env = temp_file(a, "# no\n\nA=1\r\n  B=two words\nTEU_T_HERE\nTEU_T_GONE\n");
	const char *labels = temp_file(a, "x=y\nz\n");
	const char *bad = temp_file(a, "\xef\xbb\xbf"
				       "A=1\nB C=2\n");
	const char *marked = temp_file(a, "\xef\xbb\xbf"
					  "A=1\r\n");
	const char *profile = temp_file(a, "{ \"a\" : [ 1 ] }");
	struct doc *body;
	struct err err;

	setenv("TEU_T_HERE", "yes", 1);
	unsetenv("TEU_T_GONE");
	assert_int_equal(body_of(a,
				 arena_printf(a,
					      "--env-file %s -e A=3 -e TEU_T_HERE -e TEU_T_GONE "
					      "--label-file %s -l x=w --security-opt seccomp=%s b",
					      env, labels, profile),
				 &body, &err),
			 0);
	assert_string_equal(
		json_of(a, doc_get(body, "Env")),
		"[\"A=1\",\"B=two words\",\"TEU_T_HERE=yes\",\"A=3\",\"TEU_T_HERE=yes\"]");
	assert_string_equal(json_of(a, doc_get(body, "Labels")), "{\"x\":\"w\",\"z\":\"\"}");
	assert_string_equal(json_of(a, doc_find(body, "HostConfig.SecurityOpt")),
			    "[\"seccomp={\\\"a\\\":[1]}\"]");
	assert_int_equal(body_of(a, arena_printf(a, "--env-file %s b", bad), &body, &err),
			 -ERR_INVALID);
	assert_part(err.msg, "line 2: variable 'B C' contains whitespaces");
	assert_int_equal(body_of(a, arena_printf(a, "--env-file %s b", marked), &body, &err), 0);
	assert_string_equal(json_of(a, doc_get(body, "Env")), "[\"A=1\"]");
	unlink(marked);
	unlink(env);
	unlink(labels);
	unlink(bad);
	unlink(profile);
}

static void relative_sources_become_absolute(void **state)
{
	struct arena *a = *state;
	char cwd[4096];
	struct doc *body;
	struct err err;

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(body_of(a, "-v ./x:/y b", &body, &err), 0);
	assert_string_equal(json_of(a, doc_find(body, "HostConfig.Binds.0")),
			    arena_printf(a, "\"%s/./x:/y\"", cwd));
}

static void a_body_larger_than_the_arena_is_told(void **state)
{
	struct arena *small = arena_new("small", 20000);
	struct doc *body;
	struct err err = ERR_INIT;

	(void)state;
	arena_fail_at(small, 60);
	assert_true(body_of(small, "-e A=1 -l a=b -v /a:/b --expose 1-2000 b c", &body, &err) < 0);
	assert_int_equal(err.code, ERR_QUOTA);
	arena_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(each_flag_reaches_its_field),
		ARENA_CASE(what_is_not_given_is_not_sent),
		ARENA_CASE(refused_flags_name_themselves),
		ARENA_CASE(all_of_dockers_flags_are_known),
		ARENA_CASE(bad_values_name_flag_and_value),
		ARENA_CASE(options_that_exclude_each_other),
		ARENA_CASE(files_come_before_the_command_line),
		ARENA_CASE(relative_sources_become_absolute),
		ARENA_CASE(a_body_larger_than_the_arena_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
