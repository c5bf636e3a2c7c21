/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What compile.py makes of kinds/ and load.c reads: numbers only. A text is its place in
 * api_strings; a list of texts (values, names) is its place in api_lists, ended by 0; 0 is the
 * empty text and the empty list, 1 the empty text within a list.
 */
#pragma once

#include <stdint.h>

struct api_row {
	uint32_t name, doc, def, enums, list_keys, merge_key;
	int32_t min, max;
	uint16_t type; /* 1 + index in api_types, behind objects */
	uint16_t elem; /* 1 + index in api_rows: the elements' row */
	uint16_t pb, flags;
	uint8_t kind, elem_kind, width, format, key_format, list, merge, wire, part, word, note;
};

struct api_part {
	uint16_t pb;
	uint8_t up;
};

struct api_object {
	uint32_t name, definition, doc, unions;
	uint16_t row, nrows, part, nparts, group;
	uint8_t atomic, hidden;
};

struct api_version {
	uint32_t group, version, api_version, package, gate;
	uint16_t kind, nkinds;
};

struct api_resource {
	uint32_t kind, list_kind, resource, singular, short_names, categories, columns, selectable;
	uint16_t type, list; /* 1 + index */
	uint16_t verbs, sub, nsubs;
	uint8_t namespaced;
};

struct api_subresource {
	uint32_t name, group, version, kind;
	uint16_t verbs;
};

extern const char api_strings[];
extern const uint32_t api_lists[];
extern const struct api_row api_rows[];
extern const struct api_part api_parts[];
extern const struct api_object api_objects[];
extern const struct api_version api_versions[];
extern const struct api_resource api_resources[];
extern const struct api_subresource api_subresources[];
extern const uint32_t api_nrows, api_nparts, api_nobjects, api_nversions, api_nresources,
	api_nsubresources, api_nlists;
