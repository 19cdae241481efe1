/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's tables: block types, functions, fields, kinds of error; and where things lie. */
#include "docs/page.h"
#include "packet/packet.h"
#include "paths.h"
#include "script/native.h"
#include "type/man.h"
#include "type/reason.h"
#include "type/type.h"
#include <string.h>

static void version(struct buf *b)
{
	buf_adds(b, PIPETOOL_VERSION);
}

static void run_dir(struct buf *b)
{
	man_inline(b, PIPETOOL_RUN_DIR);
}

static void config_dir(struct buf *b)
{
	man_inline(b, PIPETOOL_CONFIG_DIR);
}

static void state_dir(struct buf *b)
{
	man_inline(b, PIPETOOL_STATE_DIR);
}

static void plugin_dir(struct buf *b)
{
	man_inline(b, PIPETOOL_PLUGIN_DIR);
}

/* ---- block types ---- */

struct types {
	struct buf *b;
	enum pt_role role;
};

static int add_type(void *arg, const struct pt_type *type)
{
	const struct types *t = arg;
	if (type->role == t->role)
		man_type(t->b, type);
	return 0;
}

static void sources(struct buf *b)
{
	type_each(add_type, &(struct types){b, PT_SOURCE});
}

static void drains(struct buf *b)
{
	type_each(add_type, &(struct types){b, PT_DRAIN});
}

static void sinks(struct buf *b)
{
	type_each(add_type, &(struct types){b, PT_SINK});
}

/* ---- functions ---- */

static void add_operations(struct buf *b, enum pt_kind kind)
{
	for (const struct native_op *op = native_ops; op->name; op++) {
		if (op->kind != kind)
			continue;
		buf_addc(b, '*');
		man_inline(b, op->usage);
		buf_adds(b, "*\n\t");
		man_sentence(b, op->doc);
		buf_adds(b, "\n\n");
	}
}

static void transforms(struct buf *b)
{
	add_operations(b, PT_KIND_TRANSFORM);
}

static void predicates(struct buf *b)
{
	add_operations(b, PT_KIND_PREDICATE);
}

/* "src (MAC)", "ttl (8 bits)", "len (16 bits, read only)". */
static void add_field(struct buf *b, const struct packet_field *f)
{
	static const char *const kinds[] = {
		[PACKET_MAC] = "MAC",
		[PACKET_IPV4] = "IPv4",
		[PACKET_IPV6] = "IPv6",
		[PACKET_FLAG] = "flag",
	};
	buf_adds(b, "*");
	man_inline(b, f->name);
	if (f->kind == PACKET_NUMBER)
		buf_addf(b, "* (%u", f->bits);
	else
		buf_addf(b, "* (%s", kinds[f->kind]);
	buf_adds(b, f->read_only ? ", read only)" : ")");
}

static void fields(struct buf *b)
{
	const char *layer = "";
	for (const struct packet_field *f = packet_fields; f->name; f++) {
		bool same = !strcmp(f->layer, layer);
		if (!same) {
			buf_addf(b, "%s*m.%s*\n\t", *layer ? ".\n\n" : "", f->layer);
			layer = f->layer;
		}
		buf_adds(b, same ? ", " : "");
		add_field(b, f);
	}
	buf_adds(b, ".\n\n");
}

/* ---- reasons ---- */

static void add_reasons(struct buf *b, bool filtered)
{
	for (const struct reason *r = reasons; r->word; r++) {
		if (r->filtered != filtered)
			continue;
		buf_addc(b, '*');
		man_inline(b, r->word);
		buf_adds(b, "*\n\t");
		man_inline(b, r->doc);
		buf_adds(b, "\n\n");
	}
}

static void filtered(struct buf *b)
{
	add_reasons(b, true);
}

static void dropped(struct buf *b)
{
	add_reasons(b, false);
}

const struct page_part page_common[] = {
	{"version", version},       {"run_dir", run_dir},
	{"config_dir", config_dir}, {"state_dir", state_dir},
	{"plugin_dir", plugin_dir}, {"sources", sources},
	{"drains", drains},         {"sinks", sinks},
	{"transforms", transforms}, {"predicates", predicates},
	{"fields", fields},         {"filtered", filtered},
	{"dropped", dropped},       {NULL},
};
