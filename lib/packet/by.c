/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of packets: each part is its value, behind a byte that says whether there is one. */
#include "packet/by.h"

#include "base/sip.h"
#include "packet/inside.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HOST_SIZE = 17 }; /* behind the version */

static size_t field_size(const struct packet_field *f)
{
	return f->kind == PACKET_NUMBER || f->kind == PACKET_FLAG ? sizeof(uint64_t) : f->size;
}

static int read_part(struct packet_by_part *part, const char *word, const char *param,
                     struct pt_error *err)
{
	struct pt_error fault = PT_ERROR_INIT;
	*part = (struct packet_by_part){.kind = PACKET_BY_FLOW, .size = PACKET_FLOW_SIZE};
	if (!strcmp(word, "flow"))
		return 0;
	*part = (struct packet_by_part){.kind = PACKET_BY_HOST, .size = HOST_SIZE};
	if (!strcmp(word, "host"))
		return 0;
	*part = (struct packet_by_part){PACKET_BY_FIELD, packet_field_get(word, &fault), 0};
	if (part->field) {
		part->size = 1 + field_size(part->field);
		return 0;
	}
	int rc = pt_fail(err, -PT_EPARAM, param, "'%s' is neither flow nor host, and %s", word,
	                 pt_error_text(&fault, "no field"));
	pt_error_clear(&fault);
	return rc;
}

int packet_by_read(struct packet_by *by, char *const *words, const char *param,
                   struct pt_error *err)
{
	*by = (struct packet_by){0};
	for (; *words; words++) {
		if (by->count == PACKET_BY_MOST)
			return pt_fail(err, -PT_EPARAM, param, "at most %d words", PACKET_BY_MOST);
		int rc = read_part(&by->parts[by->count], *words, param, err);
		if (rc)
			return rc;
		const struct packet_by_part *part = &by->parts[by->count++];
		by->dissects |= part->kind != PACKET_BY_FLOW;
		by->looks_behind |= part->field && part->field->in != PACKET_ETH &&
		                    part->field->in != PACKET_IP;
		by->size += part->size;
	}
	if (!by->count)
		return pt_fail(err, -PT_EPARAM, param, "give one word at least, as in 'ip.src'");
	if (by->size > PACKET_BY_SIZE)
		return pt_fail(err, -PT_EPARAM, param,
		               "so much together is too long: %zu bytes "
		               "in place of %d; leave something out",
		               by->size, PACKET_BY_SIZE);
	by->fragments = packet_parts_new();
	return by->fragments ? 0 : pt_fail(err, -ENOMEM, param, "no memory is left");
}

void packet_by_free(struct packet_by *by)
{
	packet_parts_free(by->fragments);
	by->fragments = NULL;
}

bool packet_by_is(const struct packet_by *a, const struct packet_by *b)
{
	bool same = a->count == b->count;
	for (unsigned i = 0; same && i < a->count; i++)
		same = a->parts[i].kind == b->parts[i].kind &&
		       a->parts[i].field == b->parts[i].field;
	return same;
}

void packet_by_swap(struct packet_by *a, struct packet_by *b)
{
	struct packet_parts *fragments = a->fragments;
	a->fragments = b->fragments;
	b->fragments = fragments;
}

/* ---- keys ---- */

static void put_host(const struct pt_msg *m, const struct packet_view *v, uint8_t *key)
{
	bool six = packet_has(v, PACKET_IP6);
	if (six || packet_has(v, PACKET_IP)) {
		const uint8_t *ip = m->bytes + v->offset[six ? PACKET_IP6 : PACKET_IP];
		key[0] = six ? 6 : 4;
		memcpy(key + 1, ip + (six ? 8 : 12), six ? 16 : 4);
	}
}

static void put_value(const struct packet_field *f, const struct packet_value *value, uint8_t *key)
{
	size_t size = field_size(f);
	key[0] = 1;
	if (f->kind == PACKET_NUMBER || f->kind == PACKET_FLAG)
		for (size_t i = 0; i < size; i++)
			key[1 + i] = (uint8_t)(value->number >> 8 * (size - 1 - i));
	else
		memcpy(key + 1, value->bytes, size);
}

static void put_field(const struct packet_field *f, const struct pt_msg *m,
                      const struct packet_view *v, uint8_t *key)
{
	struct packet_value value;
	if (!packet_has(v, f->in))
		return;
	if (f->kind == PACKET_IPV4) {
		key[0] = 1;
		memcpy(key + 1, m->bytes + v->offset[f->in] + f->offset, 4);
	} else if (packet_read(m->bytes, v, f, &value)) {
		put_value(f, &value, key);
	}
}

static void put_part(struct packet_by *by, const struct packet_by_part *part,
                     const struct pt_msg *m, const struct packet_view *v, uint8_t *key)
{
	switch (part->kind) {
	case PACKET_BY_HOST: put_host(m, v, key); break;
	case PACKET_BY_FIELD: put_field(part->field, m, v, key); break;
	case PACKET_BY_FLOW: packet_flow(by->fragments, m, (struct packet_flow *)key);
	}
}

/* Of most packets the two headers in front, which is all that is asked for. */
static bool usual_view(const struct pt_msg *m, struct packet_view *v)
{
	if (m->link_type != PACKET_LINK_EN10MB || m->length < ETH_SIZE + IP_SIZE)
		return false;
	const uint8_t *ip = m->bytes + ETH_SIZE;
	v->present = 1u << PACKET_ETH | 1u << PACKET_IP;
	v->offset[PACKET_ETH] = 0;
	v->offset[PACKET_IP] = ETH_SIZE;
	return be16(ip - 2) == ETHER_TYPE_IP && ip[0] == 0x45;
}

void packet_by_key(struct packet_by *by, const struct pt_msg *m, uint8_t *key)
{
	struct packet_view v;
	memset(key, 0, by->size);
	if (!by->dissects || !pt_msg_is_packet(m))
		v.present = 0;
	else if (by->looks_behind || !usual_view(m, &v))
		packet_dissect(m, &v);
	for (unsigned i = 0; i < by->count; key += by->parts[i++].size)
		put_part(by, &by->parts[i], m, &v, key);
}

uint64_t packet_by_hash(const struct packet_by *by, const uint8_t *key)
{
	static const uint64_t zero[2];
	return sip_hash(zero, key, by->size);
}

void packet_by_keys(struct packet_by *by, const struct recent *table,
                    struct pt_msg *const *messages, unsigned count, struct packet_keys *keys)
{
	for (unsigned i = 0; i < count; i++) {
		uint8_t *key = keys->bytes + i * by->size;
		packet_by_key(by, messages[i], key);
		keys->hashes[i] = recent_hash(table, key);
	}
	recent_expect(table, keys->hashes, count);
}

/* ---- as text ---- */

static void field_text(const struct packet_field *f, const uint8_t *key, char *out)
{
	struct packet_value value = {0};
	size_t size = field_size(f);
	if (f->kind == PACKET_NUMBER || f->kind == PACKET_FLAG)
		for (size_t i = 0; i < size; i++)
			value.number = value.number << 8 | key[1 + i];
	else
		memcpy(value.bytes, key + 1, size);
	packet_value_print(f, &value, out, PACKET_FLOW_TEXT);
}

void packet_by_text(const struct packet_by *by, unsigned part, const uint8_t *key, char *out)
{
	const struct packet_by_part *p = &by->parts[part];
	for (unsigned i = 0; i < part; i++)
		key += by->parts[i].size;
	if (!key[0])
		snprintf(out, PACKET_FLOW_TEXT, "none");
	else if (p->kind == PACKET_BY_FLOW)
		packet_flow_text((const struct packet_flow *)key, out);
	else if (p->kind == PACKET_BY_HOST)
		inet_ntop(key[0] == 6 ? AF_INET6 : AF_INET, key + 1, out, PACKET_FLOW_TEXT);
	else
		field_text(p->field, key, out);
}
