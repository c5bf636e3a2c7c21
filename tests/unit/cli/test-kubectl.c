/* SPDX-License-Identifier: Apache-2.0 */
/* teu kubectl without a cluster: its table, columns, ages, forms of objects, answers of commands.
 */
#include "cli-test.h"

#include "base/clock.h"
#include "cli/docs.h"
#include "cli/kubectl/kubectl-plugin.h"
#include "cli/kubectl/kubectl.h"

#include <sys/stat.h>

static struct kubectl kubectl(struct arena *a)
{
	return (struct kubectl){ .arena = a,
				 .out = BUF_INIT(1 << 20),
				 .errors = BUF_INIT(1 << 20) };
}

static void no_row_is_double_or_unfinished(void **state)
{
	struct cmd_program prog = kubectl_program();

	(void)state;
	assert_true(prog.ncmds > 25);
	for (size_t i = 0; i < prog.ncmds; i++) {
		const struct cmd *c = prog.cmds[i];

		assert_non_null(c->run);
		assert_true(c->help && *c->help && c->help[strlen(c->help) - 1] != '.');
		assert_true(!c->opts == !c->opts_size);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(c->path, prog.cmds[j]->path);
		for (const struct opt *o = c->opts; o && o->type != OPT_T_END; o++) {
			assert_true(o->name && o->help && *o->help);
			assert_true((o->flags & OPT_REFUSED) || o->offset < c->opts_size);
			for (const struct opt *p = c->opts; p != o; p++) {
				assert_string_not_equal(o->name, p->name);
				assert_true(!o->letter || o->letter != p->letter);
			}
		}
	}
}

#define MAKE                                                                    \
	"allow-missing-template-keys dry-run field-manager output save-config " \
	"show-managed-fields template "

#define FORM "allow-missing-template-keys output show-managed-fields template "

/* Flags of kubectl 1.32 for each command, so that none is merely unknown. */
static void all_of_kubectls_flags_are_known(void **state)
{
	static const char *const rows[][2] = {
		{ "get", "all-namespaces allow-missing-template-keys chunk-size field-selector "
			 "filename ignore-not-found kustomize label-columns no-headers output "
			 "output-watch-events raw recursive selector server-print show-kind "
			 "show-labels show-managed-fields sort-by subresource template watch "
			 "watch-only" },
		{ "create", "dry-run edit field-manager filename kustomize output raw recursive "
			    "save-config selector show-managed-fields template validate" },
		{ "apply", "all cascade dry-run field-manager filename force force-conflicts "
			   "grace-period kustomize openapi-patch output overwrite prune "
			   "prune-allowlist recursive selector server-side show-managed-fields "
			   "subresource template timeout validate wait" },
		{ "delete", "all all-namespaces cascade dry-run field-selector filename force "
			    "grace-period ignore-not-found interactive kustomize now output raw "
			    "recursive selector timeout wait" },
		{ "replace", "cascade dry-run field-manager filename force grace-period kustomize "
			     "output raw recursive save-config show-managed-fields subresource "
			     "template timeout validate wait" },
		{ "patch", "dry-run field-manager filename kustomize local output patch patch-file "
			   "recursive show-managed-fields subresource template type" },
		{ "label", "all all-namespaces dry-run field-manager field-selector filename "
			   "kustomize list local output overwrite recursive resource-version "
			   "selector show-managed-fields template" },
		{ "scale", "all current-replicas dry-run filename kustomize output recursive "
			   "replicas resource-version selector show-managed-fields template "
			   "timeout" },
		{ "wait", "all all-namespaces field-selector filename for local output recursive "
			  "selector show-managed-fields template timeout" },
		{ "describe", "all-namespaces chunk-size filename kustomize recursive selector "
			      "show-events" },
		{ "api-resources", "api-group cached categories namespaced no-headers output "
				   "sort-by verbs" },
		{ "explain", "api-version output recursive" },
		{ "events", "all-namespaces allow-missing-template-keys chunk-size for no-headers "
			    "output show-managed-fields template types watch" },
		{ "certificate approve", "allow-missing-template-keys filename force kustomize "
					 "output recursive show-managed-fields template" },
		{ "cluster-info dump",
		  "all-namespaces allow-missing-template-keys namespaces output "
		  "output-directory pod-running-timeout show-managed-fields "
		  "template" },
		{ "top node", "no-headers selector show-capacity sort-by use-protocol-buffers" },
		{ "top pod", "all-namespaces containers field-selector no-headers selector sort-by "
			     "sum use-protocol-buffers" },
		{ "plugin list", "name-only" },
		{ "version", "client output" },
		{ "create clusterrole", MAKE "validate aggregation-rule non-resource-url resource "
					     "resource-name verb" },
		{ "create clusterrolebinding",
		  MAKE "validate clusterrole group serviceaccount user" },
		{ "create configmap",
		  MAKE "validate append-hash from-env-file from-file from-literal" },
		{ "create cronjob", MAKE "validate image restart schedule" },
		{ "create deployment", MAKE "validate image port replicas" },
		{ "create ingress", MAKE "validate annotation class default-backend rule" },
		{ "create job", MAKE "validate from image" },
		{ "create namespace", MAKE "validate" },
		{ "create poddisruptionbudget",
		  MAKE "validate max-unavailable min-available selector" },
		{ "create priorityclass",
		  MAKE "validate description global-default preemption-policy "
		       "value" },
		{ "create quota", MAKE "validate hard scopes" },
		{ "create role", MAKE "validate resource resource-name verb" },
		{ "create rolebinding",
		  MAKE "validate clusterrole group role serviceaccount user" },
		{ "create secret docker-registry",
		  MAKE "validate append-hash docker-email "
		       "docker-password docker-server docker-username "
		       "from-file" },
		{ "create secret generic", MAKE "validate append-hash from-env-file from-file "
						"from-literal type" },
		{ "create secret tls", MAKE "validate append-hash cert key" },
		{ "create service clusterip", MAKE "validate clusterip tcp" },
		{ "create service externalname", MAKE "validate external-name tcp" },
		{ "create service loadbalancer", MAKE "validate tcp" },
		{ "create service nodeport", MAKE "validate node-port tcp" },
		{ "create serviceaccount", MAKE "validate" },
		{ "create token", "allow-missing-template-keys audience bound-object-kind "
				  "bound-object-name bound-object-uid duration output "
				  "show-managed-fields template" },
		{ "diff", "concurrency field-manager filename force-conflicts kustomize prune "
			  "prune-allowlist recursive selector server-side show-managed-fields" },
		{ "edit",
		  FORM "field-manager filename kustomize output-patch recursive save-config "
		       "subresource validate windows-line-endings" },
		{ "apply edit-last-applied", FORM "field-manager filename kustomize recursive "
						  "validate windows-line-endings" },
		{ "apply set-last-applied", FORM "create-annotation dry-run filename" },
		{ "apply view-last-applied", "all filename kustomize output recursive selector" },
		{ "rollout history", FORM "filename kustomize recursive revision selector" },
		{ "rollout pause", FORM "field-manager filename kustomize recursive selector" },
		{ "rollout restart", FORM "field-manager filename kustomize recursive selector" },
		{ "rollout resume", FORM "field-manager filename kustomize recursive selector" },
		{ "rollout status",
		  "filename kustomize recursive revision selector timeout watch" },
		{ "rollout undo",
		  FORM "dry-run filename kustomize recursive selector to-revision" },
		{ "set env",
		  FORM "all containers dry-run env field-manager filename from keys "
		       "kustomize list local overwrite prefix recursive resolve selector" },
		{ "set image", FORM "all dry-run field-manager filename kustomize local recursive "
				    "selector" },
		{ "set resources", FORM "all containers dry-run field-manager filename kustomize "
					"limits local recursive requests selector" },
		{ "set selector", FORM "all dry-run field-manager filename local recursive "
				       "resource-version" },
		{ "set serviceaccount", FORM "all dry-run field-manager filename kustomize local "
					     "recursive" },
		{ "set subject", FORM "all dry-run field-manager filename group kustomize local "
				      "recursive selector serviceaccount user" },
		{ "taint", FORM "all dry-run field-manager overwrite selector validate" },
		{ "cordon", "dry-run selector" },
		{ "uncordon", "dry-run selector" },
		{ "drain", "chunk-size delete-emptydir-data disable-eviction dry-run force "
			   "grace-period ignore-daemonsets pod-selector selector "
			   "skip-wait-for-delete-timeout timeout" },
		{ "expose",
		  MAKE "cluster-ip external-ip filename kustomize labels load-balancer-ip "
		       "name override-type overrides port protocol recursive selector "
		       "session-affinity target-port type" },
		{ "run",
		  MAKE "annotations attach cascade command env expose filename force "
		       "grace-period image image-pull-policy kustomize labels leave-stdin-open "
		       "override-type overrides pod-running-timeout port privileged quiet "
		       "recursive restart rm stdin timeout tty wait" },
		{ "autoscale", MAKE "cpu-percent filename kustomize max min name recursive" },
	};
	struct cmd_program prog = kubectl_program();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice rest = slice_str(rows[i][1]);
		char text[64], *argv[4] = { 0 };
		int n = 0, words;
		const struct cmd *c;

		str_copy(text, sizeof(text), rows[i][0]);
		for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
			argv[n++] = w;
		c = cmd_find(&prog, n, argv, &words);

		assert_non_null(c);
		while (rest.p) {
			struct slice name = slice_split(&rest, ' ');
			const struct opt *o = c->opts;

			while (o->type != OPT_T_END && !slice_is(name, o->name))
				o++;
			if (o->type == OPT_T_END)
				fail_msg("%s --%.*s is missing", rows[i][0], (int)name.n, name.p);
		}
	}
}

static void columns_are_as_wide_as_they_need(void **state)
{
	static const char *const cells[] = { "NAME", "READY",	       "x",   "a", "1/1",
					     "",     "\303\244bcdefg", "0/1", "y" };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct columns c = { 0 };

	(void)state;
	columns_print(&c, cells, 3, 3, &b);
	assert_string_equal(buf_str(&b), "NAME      READY   x\n"
					 "a         1/1     \n"
					 "\303\244bcdefg   0/1     y\n");
	buf_clear(&b);
	/* widths are remembered: what a watch adds stands below */
	columns_print(&c, (const char *const[]){ "b", "2/2", "z" }, 1, 3, &b);
	assert_string_equal(buf_str(&b), "b         2/2     z\n");
}

static void ages_are_human(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} rows[] = {
		{ 0, "0s" },
		{ 119, "119s" },
		{ 120, "2m" },
		{ 125, "2m5s" },
		{ 599, "9m59s" },
		{ 600, "10m" },
		{ 3600 * 3, "3h" },
		{ 3660 * 3, "3h3m" },
		{ 3600 * 9, "9h" },
		{ 3600 * 50, "2d2h" },
		{ 86400 * 9, "9d" },
		{ 86400 * 400, "400d" },
		{ 86400 * 365 * 3, "3y" },
		{ 86400 * (365 * 3 + 5), "3y5d" },
		{ 86400LL * 365 * 9, "9y" },
		{ -60, "<invalid>" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char when[CLOCK_TEXT_MAX], age[32];

		/* half a second back: the clock goes on meanwhile */
		clock_rfc3339nano(when, clock_real() - rows[i].s * NS_PER_SEC - NS_PER_SEC / 2);
		assert_string_equal(kubectl_age(age, slice_str(when)), rows[i].text);
	}
	assert_string_equal(kubectl_age((char[32]){ 0 }, SLICE("")), "<unknown>");
}

static void values_are_printed_as_go_does(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"b\":[1,\"x\"],\"a\":null}", "map[a:<nil> b:[1 x]]" },
		{ "\"text\"", "text" },
		{ "1.50", "1.5" },
		{ "1000000.5", "1.0000005e+06" },
		{ "true", "true" },
		{ "[]", "[]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

		kubectl_go_value(doc_of(*state, rows[i][0]), &b);
		assert_string_equal(buf_str(&b), rows[i][1]);
	}
}

static void objects_have_forms(void **state)
{
	static const char pod[] = "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
				  "\"x\",\"managedFields\":[{}],\"a\":\"<\"}}";
	static const char *const rows[][2] = {
		{ "name", "pod/x\n" },
		{ "json", "{\n    \"apiVersion\": \"v1\",\n    \"kind\": \"Pod\",\n    "
			  "\"metadata\": {\n        \"a\": \"\\u003c\",\n        \"name\": \"x\"\n"
			  "    }\n}\n" },
		{ "yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  a: <\n  name: x\n" },
		{ "jsonpath={.metadata.name}", "x" },
		{ "jsonpath-as-json={.kind}", "[\n    \"Pod\"\n]\n" },
		{ "custom-columns=N:.metadata.name,M:.no", "N     M\nx     <none>\n" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kubectl k = kubectl(a);
		struct kubectl_print p;
		struct err err = ERR_INIT;

		assert_int_equal(kubectl_print_init(&p, &k, rows[i][0], NULL, &err), 0);
		assert_int_equal(kubectl_print_doc(&p, doc_of(a, pod), &err), 0);
		assert_string_equal(buf_str(&k.out), rows[i][1]);
		buf_fini(&k.out);
	}
}

static void forms_that_are_none_are_told(void **state)
{
	static const char *const rows[][2] = {
		{ "foo", "unable to match a printer suitable for the output format \"foo\"" },
		{ "json=x", "unable to match a printer" },
		{ "jsonpath", "template format specified but no template given" },
		{ "jsonpath={.x", "error parsing jsonpath {.x, unclosed action" },
		{ "custom-columns", "no custom columns given" },
		{ "custom-columns=N", "unexpected custom-columns spec: N" },
		{ "custom-columns-file=/no/such", "/no/such" },
		{ "go-template={{.x", "error parsing template {{.x, template: output:1: unclosed "
				      "action" },
		{ "go-template-file=/no/such",
		  "error reading --template /no/such, open /no/such: no "
		  "such file or directory" },
		{ "template=", "template format specified but no template given" },
		{ "templatefile=/", "error reading --template /, read /: is a directory" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kubectl k = kubectl(*state);
		struct kubectl_print p;
		struct err err = ERR_INIT;

		assert_true(kubectl_print_init(&p, &k, rows[i][0], NULL, &err) < 0);
		assert_part(err.msg, rows[i][1]);
	}
}

static void several_complaints_have_no_prefix(void **state)
{
	struct kubectl k = kubectl(*state);
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_INVALID, "one");
	kubectl_note(&k, &err);
	assert_string_equal(buf_str(&k.errors), "error: one\n");
	(void)err_set(&err, ERR_INVALID, "two");
	kubectl_note(&k, &err);
	assert_string_equal(buf_str(&k.errors), "one\ntwo\n");
	buf_fini(&k.errors);
}

static void the_last_applied_note_is_go_s_json(void **state)
{
	struct kubectl k = kubectl(*state);
	struct doc *d =
		doc_of(*state, "{\"kind\":\"X\",\"a\":\"<\",\"metadata\":{\"name\":\"x\"}}");
	const char *want = "{\"a\":\"\\u003c\",\"kind\":\"X\",\"metadata\":{\"annotations\":{},"
			   "\"name\":\"x\"}}\n";

	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(kubectl_save_config(&k, d, NULL), 0);
		assert_string_equal(doc_cstr(*state, doc_get(doc_find(d, "metadata.annotations"),
							     "kubectl.kubernetes.io/"
							     "last-applied-configuration")),
				    want);
	}
}

static void completion_knows_commands_and_flags(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct cmd_program prog = kubectl_program();

	(void)state;
	docs_bash(&prog, &b);
	assert_part(buf_str(&b), "get-contexts");
	assert_part(buf_str(&b), "--field-selector");
	assert_part(buf_str(&b), "complete -F _kubectl kubectl");
}

static void write_program(const char *dir, const char *name, mode_t mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void a_plugin_is_named_by_as_many_words_as_can_be(void **state)
{
	static const char *const files[] = { "kubectl-a", "kubectl-a-b_c", "kubectl-x" };
	char dir[] = "/tmp/teu-plugins-XXXXXX", value[200], path[128];
	char *old = strdup(getenv("PATH")), *words[] = { (char *)"a", (char *)"b-c", (char *)"d" };
	char *none[] = { (char *)"x" }, *up[] = { (char *)"../a" };
	size_t used;

	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		write_program(dir, files[i], i < 2 ? 0755 : 0644);
	snprintf(value, sizeof(value), "/nowhere::%s", dir);
	setenv("PATH", value, 1);
	assert_part(kubectl_plugin_find(*state, words, 3, &used), "/kubectl-a-b_c");
	assert_int_equal(used, 2);
	assert_part(kubectl_plugin_find(*state, words, 1, &used), "/kubectl-a");
	assert_int_equal(used, 1);
	/* what cannot be run is none, and no word leads elsewhere */
	assert_null(kubectl_plugin_find(*state, none, 1, &used));
	assert_null(kubectl_plugin_find(*state, up, 1, &used));
	setenv("PATH", old, 1);
	free(old);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(no_row_is_double_or_unfinished),
		ARENA_CASE(all_of_kubectls_flags_are_known),
		ARENA_CASE(columns_are_as_wide_as_they_need),
		ARENA_CASE(ages_are_human),
		ARENA_CASE(values_are_printed_as_go_does),
		ARENA_CASE(objects_have_forms),
		ARENA_CASE(forms_that_are_none_are_told),
		ARENA_CASE(several_complaints_have_no_prefix),
		ARENA_CASE(the_last_applied_note_is_go_s_json),
		ARENA_CASE(completion_knows_commands_and_flags),
		ARENA_CASE(a_plugin_is_named_by_as_many_words_as_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
