/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML text to documents and back, as the tools people use read it: not YAML 1.2 by the letter.
 *
 *	               YAML_K8S (sigs.k8s.io/yaml over go-yaml v2)	YAML_COMPOSE (go-yaml v3)
 *	yes no on off y n  booleans				strings
 *	number, bool keys  become strings: 8080: "8080", yes: "true"	refused: non-string key
 *	null key	   refused					refused
 *
 * Both: 0x 0o 0b 017 1_000 are integers; .inf and .nan are refused (JSON has none) except as keys;
 * times are strings; !!binary is decoded and must be UTF-8; a quoted or !!str scalar is a string.
 * "<<" merges maps: what the map itself says wins wherever it stands, earlier sources win over
 * later ones. Duplicate keys (but see on_dup) and tags that do not fit ("!!int x") are errors.
 * Aliases are expanded into copies of their own, so the document may be changed in place. Strings
 * of plain scalars carry DOC_PLAIN. 1.0 and 1e3 become 1 and 1000, as in Go's JSON.
 *
 * Errors: BAD_REQUEST with "line 3 column 7: ..."; QUOTA for depth, nodes, aliasing, memory.
 */
#pragma once

#include "base/str.h"
#include "doc/doc.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;

enum yaml_flavour { YAML_K8S, YAML_COMPOSE };

#define YAML_DEPTH_DEFAULT 200
#define YAML_NODES_DEFAULT (1u << 20)

/* All zero (or a NULL pointer) is the default. */
struct yaml_options {
	enum yaml_flavour flavour;
	uint32_t max_depth; /* after expansion of aliases; at most 900 */
	uint32_t max_nodes; /* in all documents of the stream, after expansion */
	/*
	 * Called for each tag outside YAML's own, such as compose's !reset and !override: `path` is
	 * "services.web.ports". NULL: they are ignored, as the Go readers do. Returns 0 or a
	 * negative code.
	 */
	int (*on_tag)(void *arg, const char *tag, const char *path, struct err *err);
	void *on_tag_arg;
	/* Called for each key that its map has already: then the last value stays, in the place of
	 * the first. NULL: such keys are errors. */
	void (*on_dup)(void *arg, unsigned line, struct slice key);
	void *on_dup_arg;
};

/* The only document of the text (null when there is none); more than one is BAD_REQUEST. */
int yaml_read(struct arena *a, struct slice text, const struct yaml_options *opt, struct doc **ret,
	      struct err *err);

/* All documents of a stream, as the elements of an array. Empty documents are null. */
int yaml_read_all(struct arena *a, struct slice text, const struct yaml_options *opt,
		  struct doc **ret, struct err *err);

/* All zero (or a NULL pointer): as kubectl prints. */
struct yaml_style {
	bool sorted;	   /* members in go-yaml's order: a2 before a10 */
	bool indent_lists; /* "- " two columns in from its key (compose) instead of below it
			      (kubectl) */
	int width; /* long plain and quoted scalars are folded from here; 0 = 80, -1 = never */
};

/*
 * Appends block style YAML to out, each line ended. Scalars are quoted where either flavour would
 * read them as anything but this string. Fails with QUOTA when out's maximum is reached, or the
 * depth is above 900.
 */
int yaml_write(const struct doc *d, const struct yaml_style *style, struct buf *out,
	       struct err *err);

/* Would a plain scalar with this text be read as this string by both flavours? */
bool yaml_plain_is_string(struct slice text);
