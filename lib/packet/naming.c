/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of a name, each a text or a field. */
#include "packet/naming.h"

#include "base/error.h"
#include "base/near.h"
#include "base/sip.h"
#include "packet/flow.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALUE_MAX 200
#define HASH_TEXT 17 /* "-" and sixteen digits */
#define TEXT_MAX  128
#define S_NS      1000000000

struct look {
	const struct pt_msg *m;
	bool high;
	struct packet_view view;
	struct packet_flow flow;
};

struct part {
	char *text; /* as it is; or of time, its format */
	/* NULL: it is text. Adds what the message has, in bytes or as text; false: nothing. */
	bool (*add)(struct naming *, const struct part *, const struct look *, bool text,
	            struct buf *);
	const struct packet_field *field;
};

struct naming {
	struct part *parts;
	unsigned count;
	bool dissects, flows;
	struct packet_parts *fragments;
	int64_t second;           /* of which … */
	const struct part *dated; /* … this part … */
	char date[TEXT_MAX];      /* … is this */
};

/* ---- fields ---- */

static bool add_field(struct naming *n, const struct part *p, const struct look *l, bool text,
                      struct buf *b)
{
	struct packet_value value = {0};
	char words[TEXT_MAX];
	if (!packet_read(l->m->bytes, &l->view, p->field, &value))
		return false;
	if (!text) {
		buf_add(b, &value, sizeof value);
		return true;
	}
	packet_value_print(p->field, &value, words, sizeof words);
	buf_adds(b, words);
	return true;
}

static bool add_flow(struct naming *n, const struct part *p, const struct look *l, bool text,
                     struct buf *b)
{
	char words[PACKET_FLOW_TEXT];
	if (text)
		buf_add(b, words, packet_flow_text(&l->flow, words));
	else
		buf_add(b, l->flow.bytes, packet_flow_size(&l->flow));
	return true;
}

static bool add_iface(struct naming *n, const struct part *p, const struct look *l, bool text,
                      struct buf *b)
{
	const char *name = pt_msg_iface(l->m);
	if (name)
		buf_add(b, name, strlen(name) + !text);
	return name;
}

static bool add_canal(struct naming *n, const struct part *p, const struct look *l, bool text,
                      struct buf *b)
{
	buf_adds(b, l->high ? "high" : "low");
	return true;
}

static bool add_time(struct naming *n, const struct part *p, const struct look *l, bool text,
                     struct buf *b)
{
	int64_t ns = l->m->time_ns, s = ns / S_NS - (ns % S_NS < 0);
	struct tm tm;
	if (!pt_msg_is_packet(l->m) && !ns)
		return false;
	if (n->dated != p || n->second != s) {
		time_t at = (time_t)s;
		gmtime_r(&at, &tm);
		n->date[strftime(n->date, sizeof n->date, p->text, &tm)] = 0;
		n->dated = p;
		n->second = s;
	}
	buf_add(b, n->date, strlen(n->date) + !text);
	return true;
}

/* ---- reading a name ---- */

static struct part *add_part(struct naming *n)
{
	n->parts = must_realloc(n->parts, n->count + 1, sizeof *n->parts);
	n->parts[n->count] = (struct part){0};
	return &n->parts[n->count++];
}

static int take_time(struct part *p, const char *format, struct pt_error *err)
{
	char words[TEXT_MAX];
	const struct tm tm = {.tm_mday = 1};
	p->add = add_time;
	p->text = must_strdup(format);
	if (strftime(words, sizeof words, format, &tm))
		return 0;
	return pt_fail(err, -EINVAL, "fname", "'{time:%s}' gives no text, or too much of it",
	               format);
}

static int take_field(struct naming *n, const char *name, struct pt_error *err)
{
	struct part *p = add_part(n);
	if (!strncmp(name, "time:", 5))
		return take_time(p, name + 5, err);
	p->add = !strcmp(name, "flow")    ? add_flow
	         : !strcmp(name, "iface") ? add_iface
	         : !strcmp(name, "canal") ? add_canal
	                                  : add_field;
	n->flows |= p->add == add_flow;
	n->dissects |= p->add == add_field;
	if (p->add != add_field)
		return 0;
	struct pt_error why = PT_ERROR_INIT;
	p->field = packet_field_get(name, &why);
	if (!p->field) {
		pt_fail(err, -EINVAL, "fname", "'{%s}' is no field: %s", name,
		        pt_error_text(&why, "it is not known"));
		pt_hint(err, "{flow}, {iface}, {canal}, {time:%%Y%%m%%d-%%H} or one of ptctl help "
		             "fields; a brace is written {{");
	}
	pt_error_clear(&why);
	return p->field ? 0 : -EINVAL;
}

static void take_text(struct naming *n, struct buf *text)
{
	if (text->length)
		add_part(n)->text = buf_steal(text);
	*text = (struct buf)BUF_INIT;
}

bool naming_has_fields(const char *name)
{
	return strchr(name, '{') || strstr(name, "}}");
}

int naming_new(const char *name, struct naming **result, struct pt_error *err)
{
	struct naming *n = must_calloc(1, sizeof *n);
	struct buf text = BUF_INIT;
	int rc = 0;
	for (const char *at = name; *at && !rc; at++) {
		bool twice = (*at == '{' || *at == '}') && at[1] == *at;
		const char *end = *at == '{' && !twice ? strchr(at, '}') : NULL;
		if (*at != '{' || twice) {
			buf_addc(&text, *at);
			at += twice;
			continue;
		}
		if (!end) {
			rc = pt_fail(err, -EINVAL, "fname",
			             "'%s' has a brace that is not closed; {{ is a brace", name);
			break;
		}
		take_text(n, &text);
		char *field = must_printf("%.*s", (int)(end - at - 1), at + 1);
		rc = take_field(n, field, err);
		free(field);
		at = end;
	}
	take_text(n, &text);
	buf_free(&text);
	if (!rc && n->flows)
		n->fragments = packet_parts_new();
	*result = rc ? NULL : n;
	if (rc)
		naming_free(n);
	return rc;
}

void naming_free(struct naming *n)
{
	if (!n)
		return;
	for (unsigned i = 0; i < n->count; i++)
		free(n->parts[i].text);
	free(n->parts);
	packet_parts_free(n->fragments);
	free(n);
}

/* ---- naming ---- */

static void look_at(struct naming *n, const struct pt_msg *m, bool high, struct look *l)
{
	l->m = m;
	l->high = high;
	if (n->dissects)
		packet_dissect(m, &l->view);
	if (n->flows)
		packet_flow(n->fragments, m, &l->flow);
}

void naming_key(void *naming, const struct pt_msg *m, bool high, struct buf *key)
{
	struct naming *n = naming;
	struct look l;
	look_at(n, m, high, &l);
	for (unsigned i = 0; i < n->count; i++)
		if (n->parts[i].add)
			buf_addc(key, n->parts[i].add(n, &n->parts[i], &l, false, key));
}

static bool is_plain(char c, bool first)
{
	if (c == '.')
		return !first;
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_:@+-", c));
}

static void add_value(struct buf *path, const char *value, size_t length)
{
	static const uint64_t key[2];
	size_t begin = path->length, cut = 0;
	for (size_t i = 0; i < length; i++) {
		if (is_plain(value[i], i == 0))
			buf_addc(path, value[i]);
		else
			buf_addf(path, "%%%02X", (unsigned char)value[i]);
		if (path->length - begin <= VALUE_MAX - HASH_TEXT)
			cut = path->length;
	}
	if (path->length - begin <= VALUE_MAX)
		return;
	path->length = cut;
	buf_addf(path, "-%016llx", (unsigned long long)sip_hash(key, value, length));
}

void naming_path(void *naming, const struct pt_msg *m, bool high, struct buf *path)
{
	struct naming *n = naming;
	struct buf value = BUF_INIT;
	struct look l;
	look_at(n, m, high, &l);
	for (unsigned i = 0; i < n->count; i++) {
		const struct part *p = &n->parts[i];
		value.length = 0;
		if (!p->add)
			buf_adds(path, p->text);
		else if (p->add(n, p, &l, true, &value) && value.length)
			add_value(path, value.data, value.length);
		else
			buf_adds(path, "none");
	}
	buf_free(&value);
}

void naming_other(void *naming, struct buf *path)
{
	struct naming *n = naming;
	for (unsigned i = 0; i < n->count; i++)
		buf_adds(path, n->parts[i].add ? "other" : n->parts[i].text);
}
