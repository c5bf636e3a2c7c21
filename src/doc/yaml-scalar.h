/* SPDX-License-Identifier: Apache-2.0 */
/* Private to yaml*.c: what a scalar's text means. */
#pragma once

#include "doc/yaml.h"

enum yaml_kind {
	YAML_STR,
	YAML_NULL,
	YAML_BOOL,
	YAML_INT,
	YAML_FLOAT,
	YAML_SPECIAL,
	YAML_TIME,
	YAML_MERGE
};

struct yaml_value {
	enum yaml_kind kind; /* SPECIAL: .inf, .nan; `text` is its normal form */
	bool b;
	bool negative; /* INT: the value is -u */
	uint64_t u;
	double f;
	const char *text;
};

/* What the readers make of a plain scalar. */
struct yaml_value yaml_resolve(enum yaml_flavour flavour, struct slice s);
