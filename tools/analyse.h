/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Put in front of every source by `make lint` for clang's analyser alone: tells it what the
 * compiler need not know, that the calls which report an error always return a negative number.
 * Else it follows paths on which an output stays unset.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#define NEGATIVE_(call)                          \
	({                                       \
		int negative_ = (call);          \
		if (negative_ >= 0)              \
			__builtin_unreachable(); \
		negative_;                       \
	})
#define err_set(...) NEGATIVE_(err_set(__VA_ARGS__))
#define err_sys(...) NEGATIVE_(err_sys(__VA_ARGS__))
#define err_sysc(...) NEGATIVE_(err_sysc(__VA_ARGS__))
#define err_wrap(...) NEGATIVE_(err_wrap(__VA_ARGS__))
#define err_hint(...) NEGATIVE_(err_hint(__VA_ARGS__))
#define err_ret(...) NEGATIVE_(err_ret(__VA_ARGS__))
#define arena_quota(...) NEGATIVE_(arena_quota(__VA_ARGS__))
/* It follows calls only so deep, and then takes NULL for a document of any type. */
#define doc_is(d, type)                      \
	({                                   \
		const struct doc *is_ = (d); \
		is_ &&doc_is(is_, (type));   \
	})
