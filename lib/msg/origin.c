/* SPDX-License-Identifier: BSD-2-Clause */
/* Counted descriptions of interfaces and sections. */
#include "msg/origin.h"

#include "base/buf.h"
#include "msg/pool.h"
#include <stdlib.h>
#include <string.h>

/* ---- sections ---- */

uint64_t section_new_file(void)
{
	static _Atomic uint64_t last;
	return atomic_fetch_add(&last, 1) + 1;
}

struct section *section_new(uint64_t file, uint32_t ordinal)
{
	struct section *s = must_calloc(1, sizeof *s);
	s->refs = 1;
	s->file = file;
	s->ordinal = ordinal;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

struct section *section_ref(struct section *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void section_unref(struct section *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	for (uint32_t i = 0; i < s->count; i++)
		free(s->blocks[i].body);
	free(s->blocks);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

bool section_add(struct section *s, uint32_t type, uint8_t *body, uint32_t length)
{
	if (s->bytes + length + sizeof *s->blocks > SECTION_BYTES) {
		free(body);
		return false;
	}
	pthread_mutex_lock(&s->lock);
	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 4;
		s->blocks = must_realloc(s->blocks, s->room, sizeof *s->blocks);
	}
	s->blocks[s->count] = (struct section_block){type, length, body};
	s->bytes += length + sizeof *s->blocks;
	s->count++;
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* ---- origins ---- */

struct pt_origin *origin_new(struct section *section, uint32_t number, const char *name)
{
	struct pt_origin *o = must_calloc(1, sizeof *o);
	o->refs = 1;
	o->number = number;
	o->section = section ? section_ref(section) : NULL;
	o->name = name ? must_strdup(name) : NULL;
	return o;
}

struct pt_origin *pt_origin_new(const char *name)
{
	return origin_new(NULL, 0, name);
}

struct pt_origin *origin_of_packet(struct pt_origin *interface, struct pt_pool *pool,
                                   const uint8_t *options, uint32_t size)
{
	if (!pool_charge(pool, sizeof *interface + size))
		return NULL;
	struct pt_origin *o = must_calloc(1, sizeof *o + size);
	*o = *interface;
	o->refs = 1;
	o->of = interface;
	interface->refs++;
	o->alone = NULL;
	o->pool = pool;
	o->size = size;
	if (size)
		memcpy(o->options, options, size);
	return o;
}

struct pt_origin *origin_tunnelled(struct pt_origin *of, struct pt_pool *pool,
                                   const uint8_t *options, uint32_t size, const uint32_t *tunnel)
{
	struct pt_origin *none = of ? NULL : origin_new(NULL, 0, NULL);
	struct pt_origin *interface = !of ? none : of->of ? of->of : of;
	struct pt_origin *o = origin_of_packet(interface, pool, options, size);
	pt_origin_unref(none);
	if (!o)
		return NULL;
	o->tunnelled = (of && of->tunnelled) || tunnel;
	o->tunnel = of && of->tunnelled ? of->tunnel : tunnel ? *tunnel : 0;
	return o;
}

struct pt_origin *origin_alone(struct pt_origin *o)
{
	if (!o || (!o->section && !o->size))
		return o;
	if (o->of && !o->tunnelled)
		o = o->of;
	if (o->alone)
		return o->alone;
	o->alone = origin_new(NULL, 0, o->name);
	o->alone->untimed = o->untimed;
	o->alone->checked = o->checked;
	o->alone->check_size = o->check_size;
	o->alone->tunnelled = o->tunnelled;
	o->alone->tunnel = o->tunnel;
	return o->alone;
}

struct pt_origin *origin_copy(const struct pt_origin *o)
{
	if (!o)
		return NULL;
	struct pt_origin *copy = must_calloc(1, sizeof *o + o->size);
	memcpy(copy, o, sizeof *o + o->size);
	copy->refs = 1;
	copy->section = o->section ? section_ref(o->section) : NULL;
	copy->name = o->name ? must_strdup(o->name) : NULL;
	copy->of = copy->alone = NULL;
	copy->pool = NULL;
	return copy;
}

void origin_end(struct pt_origin *o)
{
	pt_origin_unref(o->alone);
	if (o->pool)
		pool_discharge(o->pool, sizeof *o + o->size);
	if (o->of) {
		pt_origin_unref(o->of);
	} else {
		free((char *)(uintptr_t)o->name);
		section_unref(o->section);
	}
	free(o);
}

void pt_origin_unref(struct pt_origin *o)
{
	if (o && --o->refs == 0)
		origin_end(o);
}

const char *pt_msg_iface(const struct pt_msg *m)
{
	return m->origin ? m->origin->name : NULL;
}

void pt_msg_set_origin(struct pt_msg *m, struct pt_origin *o)
{
	if (o)
		o->refs++;
	pt_origin_unref(m->origin);
	m->origin = o;
}
