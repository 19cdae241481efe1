/* SPDX-License-Identifier: BSD-2-Clause */
/* Each operation: how its argument is read, and what it does. */
#include "script/native.h"

#include "base/date.h"
#include "base/moment.h"
#include "script/anonymize.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX  256 /* members of a set{…} */
#define CHECKSUMS "checksums"

/* A value as a user would write it; nothing is allocated. */
static const char *text_of(lua_State *L, int index, char out[64])
{
	int exact;
	lua_Integer n;
	switch (lua_type(L, index)) {
	case LUA_TSTRING: return lua_tostring(L, index);
	case LUA_TBOOLEAN: return lua_toboolean(L, index) ? "true" : "false";
	case LUA_TNUMBER:
		n = lua_tointegerx(L, index, &exact);
		if (exact)
			snprintf(out, 64, "%lld", (long long)n);
		else
			snprintf(out, 64, "%.14g", lua_tonumber(L, index));
		return out;
	default: return lua_typename(L, lua_type(L, index));
	}
}

static int no_memory(struct pt_error *err)
{
	return pt_fail(err, -ENOMEM, NULL, "the memory limit for messages is reached");
}

static int transform_reverse(struct native *n, struct pt_msg **m, struct pt_error *err)
{
	(void)n;
	uint8_t *bytes = pt_msg_edit(m);
	if (!bytes)
		return no_memory(err);
	for (size_t i = 0, j = (*m)->length; i + 1 < j; i++) {
		uint8_t byte = bytes[i];
		bytes[i] = bytes[--j];
		bytes[j] = byte;
	}
	return 0;
}

/* Turns the case of the ASCII letters from `first` on. */
static int turn_case(struct pt_msg **m, uint8_t first, struct pt_error *err)
{
	uint8_t *bytes = pt_msg_edit(m);
	if (!bytes)
		return no_memory(err);
	size_t length = (*m)->length;
	for (size_t i = 0; i < length; i++)
		bytes[i] ^= (uint8_t)(((uint8_t)(bytes[i] - first) < 26) << 5);
	return 0;
}

static int transform_upper(struct native *n, struct pt_msg **m, struct pt_error *err)
{
	(void)n;
	return turn_case(m, 'a', err);
}

static int transform_lower(struct native *n, struct pt_msg **m, struct pt_error *err)
{
	(void)n;
	return turn_case(m, 'A', err);
}

static int read_truncate(struct native *n, lua_State *L, struct pt_error *err)
{
	char text[64];
	int exact;
	lua_Integer length = lua_tointegerx(L, -1, &exact);
	if (!exact || length < 0 || length > UINT32_MAX)
		return pt_fail(err, -PT_ESCRIPT, NULL,
		               "truncate takes a number of bytes from 0 to 4294967295, not %s",
		               text_of(L, -1, text));
	n->length = (size_t)length;
	return 0;
}

static int transform_truncate(struct native *n, struct pt_msg **m, struct pt_error *err)
{
	return pt_msg_truncate(m, n->length) ? no_memory(err) : 0;
}

static int read_shift(struct native *n, lua_State *L, struct pt_error *err)
{
	char text[64];
	const char *span = text_of(L, -1, text);
	int rc = lua_type(L, -1) == LUA_TSTRING ? moment_parse_span(span, &n->shift_ns) : -EINVAL;
	if (rc)
		return pt_fail(err, -PT_ESCRIPT, NULL,
		               "shift_time takes a time with its units (d h m s ms us ns), as "
		               "'-1h', '1h30m' or '250us', not '%s'",
		               span);
	return 0;
}

static int transform_shift(struct native *n, struct pt_msg **m, struct pt_error *err)
{
	int64_t time_ns;
	if (!(*m)->time_ns && !pt_msg_is_packet(*m))
		return 0;
	if (__builtin_add_overflow((*m)->time_ns, n->shift_ns, &time_ns))
		return pt_fail(err, -ERANGE, NULL,
		               "its time would be shifted out of the years from 1677 to 2262");
	if (pt_msg_own(m))
		return no_memory(err);
	(*m)->time_ns = time_ns;
	return 0;
}

/* What is to be set, as it was written: the value lives in the script's table. */
struct wish {
	char *name;
	const char *text; /* NULL: it was a number, which is in `room` */
	char room[64];
};

struct wishes {
	struct wish *items;
	size_t count;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct wish *)a)->name, ((const struct wish *)b)->name);
}

/* The member on top of the stack, its name below it. */
static int read_member(struct wishes *w, lua_State *L, const char *layer, struct pt_error *err)
{
	char text[64];
	if (w->count == KEYS_MAX)
		return pt_fail(err, -PT_ESCRIPT, NULL, "set takes no more than %d fields",
		               KEYS_MAX);
	if (lua_type(L, -2) != LUA_TSTRING)
		return pt_fail(err, -PT_ESCRIPT, NULL,
		               "set takes fields by name, not '%s' alone: "
		               "set{['ip.src']='1.1.1.1'}",
		               text_of(L, -1, text));
	struct wish *wish = &w->items[w->count++];
	const char *value = text_of(L, -1, wish->room), *name = lua_tostring(L, -2);
	wish->text = value == wish->room ? NULL : value;
	wish->name = layer ? must_printf("%s.%s", layer, name) : must_strdup(name);
	return 0;
}

/* The members of the table on top of the stack: fields, or layers with fields. */
static int read_members(struct wishes *w, lua_State *L, const char *layer, struct pt_error *err)
{
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		bool is_layer = !layer && lua_istable(L, -1) && lua_type(L, -2) == LUA_TSTRING &&
		                !strchr(lua_tostring(L, -2), '.');
		int rc = is_layer ? read_members(w, L, lua_tostring(L, -2), err)
		                  : read_member(w, L, layer, err);
		if (rc) {
			lua_pop(L, 2);
			return rc;
		}
	}
	return 0;
}

/* Besides fields: checksums=true */
static int read_checksums(struct native *n, const struct wish *wish, struct pt_error *err)
{
	const char *text = wish->text ? wish->text : wish->room;
	n->checksums = !strcmp(text, "true");
	if (n->checksums || !strcmp(text, "false"))
		return 0;
	return pt_fail(err, -PT_ESCRIPT, NULL, "set takes true or false for checksums, not %s",
	               text);
}

static int read_field(struct native *n, const struct wish *wish, struct pt_error *err)
{
	const char *name = wish->name;
	if (!strcmp(name, CHECKSUMS))
		return read_checksums(n, wish, err);
	const struct packet_field *f = packet_field_get(name, err);
	if (!f)
		return -PT_EPARAM;
	if (f->read_only)
		return pt_fail(err, -PT_ESCRIPT, NULL,
		               "%s cannot be set: it follows from the packet", name);
	struct packet_set *set = &n->sets[n->set_count];
	set->field = f;
	int rc = packet_value_parse(f, wish->text ? wish->text : wish->room, &set->value, err);
	if (rc)
		return rc;
	n->set_count++;
	n->set_layers |= UINT32_C(1) << f->in;
	return 0;
}

/* In the order of the names, so that faults come in order, too. */
static int read_fields(struct native *n, const struct wishes *w, struct pt_error *err)
{
	int rc = 0;
	qsort(w->items, w->count, sizeof *w->items, by_name);
	n->sets = must_calloc(w->count, sizeof *n->sets);
	for (size_t i = 0; i < w->count; i++) {
		int one = read_field(n, &w->items[i], err);
		if (i && !one && !strcmp(w->items[i - 1].name, w->items[i].name))
			one = pt_fail(err, -PT_ESCRIPT, NULL, "set has '%s' twice",
			              w->items[i].name);
		rc = rc ? rc : one;
	}
	return rc;
}

static int read_set(struct native *n, lua_State *L, struct pt_error *err)
{
	if (!lua_istable(L, -1))
		return pt_fail(err, -PT_ESCRIPT, NULL, "set takes a table: %s", n->op->usage);
	struct wishes w = {must_calloc(KEYS_MAX, sizeof *w.items), 0};
	int rc = lua_checkstack(L, 8) ? read_members(&w, L, NULL, err) : no_memory(err);
	if (!rc && !w.count)
		rc = pt_fail(err, -PT_ESCRIPT, NULL, "set{} sets nothing: %s", n->op->usage);
	if (!rc)
		rc = read_fields(n, &w, err);
	for (size_t i = 0; i < w.count; i++)
		free(w.items[i].name);
	free(w.items);
	return rc;
}

static int rewrite(const struct native *n, struct pt_msg **m, bool checksums, struct pt_error *err)
{
	const uint32_t ip = UINT32_C(1) << PACKET_IP | UINT32_C(1) << PACKET_IP6;
	struct packet_view v;
	if (!pt_msg_is_packet(*m))
		return 0;
	packet_dissect(*m, &v);
	if (!(v.present & (n->set_layers | (checksums ? ip : 0))))
		return 0;
	uint8_t *bytes = pt_msg_edit(m);
	if (!bytes)
		return no_memory(err);
	packet_rewrite(bytes, (*m)->length, &v, n->sets, n->set_count);
	if (checksums) {
		packet_checksums_inside(*m, bytes, &v);
		packet_checksums(bytes, (*m)->length, &v);
	}
	return 0;
}

static int transform_set(struct native *n, struct pt_msg **m, struct pt_error *err)
{
	return rewrite(n, m, n->checksums, err);
}

static int transform_checksums(struct native *n, struct pt_msg **m, struct pt_error *err)
{
	return rewrite(n, m, true, err);
}

static int test_always(struct native *n, const struct pt_msg *m, struct pt_error *err)
{
	(void)n, (void)m, (void)err;
	return 1;
}

static int test_never(struct native *n, const struct pt_msg *m, struct pt_error *err)
{
	(void)n, (void)m, (void)err;
	return 0;
}

static int read_equals(struct native *n, lua_State *L, struct pt_error *err)
{
	if (lua_type(L, -1) != LUA_TSTRING)
		return pt_fail(err, -PT_ESCRIPT, NULL, "equals takes a string: %s", n->op->usage);
	n->bytes.length = lua_rawlen(L, -1);
	n->bytes.data = must_calloc(1, n->bytes.length + 1);
	memcpy(n->bytes.data, lua_tostring(L, -1), n->bytes.length);
	return 0;
}

static int test_equals(struct native *n, const struct pt_msg *m, struct pt_error *err)
{
	(void)err;
	return m->length == n->bytes.length && !memcmp(m->bytes, n->bytes.data, m->length);
}

static int read_bpf(struct native *n, lua_State *L, struct pt_error *err)
{
	if (lua_type(L, -1) != LUA_TSTRING || strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
		return pt_fail(err, -PT_ESCRIPT, NULL, "bpf takes a filter as text: %s",
		               n->op->usage);
	return filter_new(lua_tostring(L, -1), &n->filter, err);
}

static int test_bpf(struct native *n, const struct pt_msg *m, struct pt_error *err)
{
	return filter_test(n->filter, m, err);
}

static uint64_t test_bpf_many(struct native *n, struct pt_msg *const *messages, unsigned count,
                              uint64_t *unsure)
{
	return filter_test_many(n->filter, messages, count, unsure);
}

static int read_bound(const struct native *n, lua_State *L, int index, int64_t *ns,
                      struct pt_error *err)
{
	char text[64];
	if (lua_isnil(L, index))
		return 0;
	int rc = lua_type(L, index) == LUA_TSTRING ? date_parse(lua_tostring(L, index), ns)
	                                           : -EINVAL;
	if (rc == -ERANGE)
		return pt_fail(err, -PT_ESCRIPT, NULL, "between: '%s' is from 1678 to 2261",
		               lua_tostring(L, index));
	return rc ? pt_fail(err, -PT_ESCRIPT, NULL, "between takes times, not '%s': %s",
	                    text_of(L, index, text), n->op->usage)
	          : 0;
}

static int read_between(struct native *n, lua_State *L, struct pt_error *err)
{
	n->from_ns = INT64_MIN;
	n->to_ns = INT64_MAX;
	int rc = read_bound(n, L, -2, &n->from_ns, err), to = read_bound(n, L, -1, &n->to_ns, err);
	if (rc || to)
		return rc ? rc : to;
	if (n->from_ns == INT64_MIN && n->to_ns == INT64_MAX)
		return pt_fail(err, -PT_ESCRIPT, NULL, "between takes at least one time: %s",
		               n->op->usage);
	if (n->from_ns >= n->to_ns)
		return pt_fail(err, -PT_ESCRIPT, NULL,
		               "between: '%s' is not before '%s', so nothing would pass",
		               lua_tostring(L, -2), lua_tostring(L, -1));
	return 0;
}

static int test_between(struct native *n, const struct pt_msg *m, struct pt_error *err)
{
	(void)err;
	int64_t ns = (int64_t)m->time_ns;
	return (ns || pt_msg_is_packet(m)) && n->from_ns <= ns && ns < n->to_ns;
}

static int read_every(struct native *n, lua_State *L, struct pt_error *err)
{
	char text[64];
	int exact;
	lua_Integer every = lua_tointegerx(L, -1, &exact);
	if (!exact || every < 1)
		return pt_fail(err, -PT_ESCRIPT, NULL, "every takes a number from 1, not %s: %s",
		               text_of(L, -1, text), n->op->usage);
	n->every = (uint64_t)every;
	return 0;
}

static int test_every(struct native *n, const struct pt_msg *m, struct pt_error *err)
{
	(void)m, (void)err;
	if (++n->seen < n->every)
		return 0;
	n->seen = 0;
	return 1;
}

static void begin_every(struct native *n)
{
	n->seen = 0;
}

#define TRANSFORM PT_KIND_TRANSFORM
#define PREDICATE PT_KIND_PREDICATE

/* clang-format off */
const struct native_op native_ops[] = {
	{"reverse", "reverse", "the bytes in reverse order",
	 TRANSFORM, NULL, transform_reverse, NULL},
	{"upper", "upper", "ASCII letters in upper case",
	 TRANSFORM, NULL, transform_upper, NULL},
	{"lower", "lower", "ASCII letters in lower case",
	 TRANSFORM, NULL, transform_lower, NULL},
	{"truncate", "truncate(64)", "at most so many bytes; the length on the wire stays",
	 TRANSFORM, read_truncate, transform_truncate, NULL},
	{"set", "set{ip={src='1.1.1.1'}}",
	 "fields of a packet, checksums put right; what a packet has not is left alone; also "
	 "set{['ip.src']='1.1.1.1'}",
	 TRANSFORM, read_set, transform_set, NULL},
	{"checksums", "checksums",
	 "all checksums of a packet computed anew, as set{…, checksums=true} does, too",
	 TRANSFORM, NULL, transform_checksums, NULL},
	{"anonymize", "anonymize{key='…'}",
	 "addresses replaced in all layers, prefixes preserved, by Crypto-PAn; alone it takes a "
	 "random key; see pipetool-language(7)",
	 TRANSFORM, anonymize_read, anonymize_transform, NULL, .open = anonymize_open,
	 .file = anonymize_file, .optional = true},
	{"shift_time", "shift_time '-1h'",
	 "an earlier or later time, exactly: 1h30m, 250us; what has no time is left alone",
	 TRANSFORM, read_shift, transform_shift, NULL},
	{"always", "always", "every message", PREDICATE, NULL, NULL, test_always},
	{"never", "never", "no message", PREDICATE, NULL, NULL, test_never},
	{"equals", "equals 'bytes'", "messages of exactly these bytes",
	 PREDICATE, read_equals, NULL, test_equals},
	{"bpf", "bpf 'tcp port 80'", "packets that the filter matches, see pcap-filter(7)",
	 PREDICATE, read_bpf, NULL, test_bpf, test_bpf_many},
	{"between", "between('2026-11-29 10:00', '2026-11-29T11:00:00Z')",
	 "what has a time from the first up to the second, either of which may be nil; UTC unless "
	 "an offset is given", PREDICATE, read_between, NULL, test_between, .pair = true},
	{"every", "every(10)", "every n-th message, counted anew at each start of the engine",
	 PREDICATE, read_every, NULL, test_every, .begin = begin_every},
	{NULL},
};
/* clang-format on */

int native_new(const struct native_op *op, lua_State *L, struct native **result,
               struct pt_error *err)
{
	struct native *n = must_calloc(1, sizeof *n);
	n->op = op;
	int rc = op->read ? op->read(n, L, err) : 0;
	if (rc) {
		native_free(n);
		return rc;
	}
	*result = n;
	return 0;
}

int native_new_filter(const char *text, struct native **result, struct pt_error *err)
{
	struct filter *filter;
	int rc = filter_new(text, &filter, err);
	if (rc)
		return rc;
	*result = must_calloc(1, sizeof **result);
	(*result)->op = native_find("bpf", strlen("bpf"));
	(*result)->filter = filter;
	return 0;
}

const struct native_op *native_find(const char *name, size_t length)
{
	for (const struct native_op *op = native_ops; op->name; op++)
		if (strlen(op->name) == length && !memcmp(op->name, name, length))
			return op;
	return NULL;
}

void native_free(struct native *n)
{
	if (!n)
		return;
	free(n->bytes.data);
	free(n->sets);
	anonymize_free(n->anonymize);
	filter_free(n->filter);
	free(n);
}

void native_list(enum pt_kind kind, struct buf *out)
{
	bool first = true;
	for (const struct native_op *op = native_ops; op->name; op++) {
		if (op->kind != kind)
			continue;
		buf_addf(out, "%s%s", first ? "" : ", ", op->usage);
		first = false;
	}
}
