/* SPDX-License-Identifier: BSD-2-Clause */
/* Arbitrary text as a function of either kind, on a packet and on a plain message: it is refused or
   it works, in bounded time and memory, and what is shared stays as it was. */
#include "msg/pool.h"
#include "script/func.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t packet[] = "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0"
				"\x45\0\0\x21\0\x01\0\0\x40\x11\x66\xc9\x0a\0\0\x01\x0a\0\0\x02"
				"\x00\x35\x10\x00\x00\x0d\x97\xcahello";

static const struct func_limits limits = {.time_ns = 20000000, .memory = 4 << 20};

static void check_error(int rc, struct pt_error *err)
{
	assert(rc >= 0 ? !err->count : err->count > 0);
	for (size_t i = 0; i < err->count; i++)
		assert(err->faults[i].code < 0 && err->faults[i].message);
	pt_error_clear(err);
}

static void apply(struct pt_func *f, enum pt_kind kind, struct pt_msg *m)
{
	struct pt_error err = PT_ERROR_INIT;
	size_t length = m->length;
	struct pt_msg *mine = pt_msg_ref(m);
	int rc = kind == PT_KIND_TRANSFORM ? func_transform(f, &mine, &err)
	                                   : func_test(f, mine, &err);
	assert(rc <= 1);
	check_error(rc, &err);
	assert(m->length == length && !memcmp(m->bytes, packet, length));
	assert(rc >= 0 || (mine->length == length && !memcmp(mine->bytes, packet, length)));
	pt_msg_unref(mine);
	pt_msg_unref(m);
}

static void try_kind(struct pt_pool *pool, enum pt_kind kind, const char *text)
{
	struct pt_func *f = NULL;
	struct pt_error err = PT_ERROR_INIT;
	int rc = func_compile(kind, text, &limits, &f, &err);
	assert(!rc == !!f);
	check_error(rc, &err);
	if (rc)
		return;
	size_t length = sizeof packet - 1;
	for (int i = 0; i < 2; i++) {
		apply(f, kind, pt_msg_packet(pool, packet, length, length, 1, 1500000000));
		apply(f, kind, pt_msg_new(pool, packet, length));
	}
	func_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pt_pool *pool = pool_new(0);
	char *text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	try_kind(pool, PT_KIND_TRANSFORM, text);
	try_kind(pool, PT_KIND_PREDICATE, text);
	free(text);
	pool_free(pool);
	return 0;
}
