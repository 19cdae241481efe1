/* SPDX-License-Identifier: BSD-2-Clause */
/* Sections and interfaces that came in, and what they became. */
#include "capture/mapping.h"

#include "capture/pcapng_block.h"
#include <stdlib.h>

#define NONE         UINT32_MAX
#define SECTIONS_MAX 64    /* whose messages may all have gone; others are always known */
#define NAMES_MAX    65536 /* interfaces; what comes beyond has none of its own */

struct mapped {
	char *name; /* of those without a section; or NULL */
	struct pcapng_clock clock;
	uint32_t snaplen; /* 0: no limit */
	uint32_t next;    /* of the same interface */
	uint16_t link_type;
	bool own; /* as it was described */
};

/* The first one is of messages without a section. */
struct mapped_section {
	struct section *section;     /* NULL: forgotten */
	uint32_t seen;               /* blocks of it that are written */
	uint32_t interfaces, shared; /* so many of them; the first of which are another's, too */
	uint32_t *heads;             /* of each: its first one in what is written */
};

/* ---- the whole ---- */

static void forget(struct mapped_section *s)
{
	section_unref(s->section);
	free(s->heads);
	*s = (struct mapped_section){0};
}

void mapping_reset(struct mapping *m)
{
	for (uint32_t i = 0; i < m->section_count; i++)
		forget(&m->sections[i]);
	for (uint32_t i = 0; i < m->count; i++)
		free(m->interfaces[i].name);
	m->section_count = m->count = m->last = 0;
	m->headed = m->again.found = false;
}

void mapping_fini(struct mapping *m)
{
	mapping_reset(m);
	free(m->sections);
	free(m->interfaces);
	buf_free(&m->before);
	*m = (struct mapping){0};
}

void mapping_head(struct mapping *m)
{
	if (!m->headed)
		pcapng_put_section(&m->before, m->application);
	m->headed = true;
}

static struct mapped_section *add_section(struct mapping *m, struct section *section)
{
	m->sections = must_realloc(m->sections, m->section_count + 1, sizeof *m->sections);
	struct mapped_section *s = &m->sections[m->section_count++];
	*s = (struct mapped_section){.section = section ? section_ref(section) : NULL};
	return s;
}

static uint32_t *add_head(struct mapped_section *s)
{
	s->heads = must_realloc(s->heads, s->interfaces + 1, sizeof *s->heads);
	s->heads[s->interfaces] = NONE;
	return &s->heads[s->interfaces++];
}

/* ---- interfaces ---- */

static uint32_t add_interface(struct mapping *m, uint32_t *head, const struct mapped *one)
{
	if (m->count == m->room) {
		m->room = m->room ? m->room * 2 : 4;
		m->interfaces = must_realloc(m->interfaces, m->room, sizeof *m->interfaces);
	}
	m->interfaces[m->count] = *one;
	m->interfaces[m->count].next = NONE;
	while (*head != NONE)
		head = &m->interfaces[*head].next;
	*head = m->count;
	return m->count++;
}

static bool fits(const struct mapped *i, const struct pt_msg *msg, uint16_t link_type,
                 int64_t time_ns, struct pcapng_place *place)
{
	return i->link_type == link_type && (!i->snaplen || msg->length <= i->snaplen) &&
	       pcapng_units(&i->clock, time_ns, &place->units);
}

static bool is_named(const struct mapped *i, const struct pt_msg *msg)
{
	const char *name = msg->origin ? msg->origin->name : NULL;
	return name == i->name || (name && i->name && strcmp(name, i->name) == 0);
}

/* A simple packet says neither when it was nor how much of it was captured. */
static bool is_simple(const struct mapped *i, const struct pt_msg *msg)
{
	uint32_t most = i->snaplen ? i->snaplen : UINT32_MAX;
	return i->own && msg->origin && msg->origin->untimed && !msg->time_ns &&
	       msg->length == (msg->wire_length < most ? msg->wire_length : most);
}

static bool look(struct mapping *m, uint32_t head, bool named, const struct pt_msg *msg,
                 uint16_t link_type, int64_t time_ns, struct pcapng_place *place)
{
	for (uint32_t i = head; i != NONE; i = m->interfaces[i].next) {
		const struct mapped *one = &m->interfaces[i];
		if (!fits(one, msg, link_type, time_ns, place) || (named && !is_named(one, msg)))
			continue;
		place->interface = i;
		place->simple = i == 0 && is_simple(one, msg);
		return true;
	}
	return false;
}

static struct section *section_of(const struct pt_msg *msg)
{
	return msg->origin ? msg->origin->section : NULL;
}

static struct mapped_section *find(struct mapping *m, const struct section *section)
{
	if (!section)
		return m->section_count ? &m->sections[0] : NULL;
	if (m->last < m->section_count && m->sections[m->last].section == section)
		return &m->sections[m->last];
	for (uint32_t i = 1; i < m->section_count; i++)
		if (m->sections[i].section == section) {
			m->last = i;
			return &m->sections[i];
		}
	return NULL;
}

/* Those with a name alone have no number that would tell them apart. */
static void keep(struct mapping *m, const struct pt_msg *msg, uint32_t seen, uint32_t interface)
{
	const struct mapped *i = &m->interfaces[interface];
	m->again = (struct mapped_again){.found = !origin_is_known(msg->origin) || section_of(msg),
	                                 .section = section_of(msg),
	                                 .number = msg->origin ? msg->origin->number : 0,
	                                 .seen = seen,
	                                 .interface = interface,
	                                 .snaplen = i->snaplen,
	                                 .link_type = i->link_type,
	                                 .clock = i->clock};
}

bool mapping_look(struct mapping *m, const struct pt_msg *msg, uint16_t link_type, int64_t time_ns,
                  struct pcapng_place *place)
{
	const struct section *section = section_of(msg);
	const struct mapped_section *s = find(m, section);
	uint32_t number = section ? msg->origin->number : 0;
	if (!s || number >= s->interfaces || (section && section->count != s->seen))
		return false;
	if (!look(m, s->heads[number], !section, msg, link_type, time_ns, place))
		return false;
	keep(m, msg, s->seen, place->interface);
	return true;
}

/* ---- sections ---- */

/* The next of that type from *at on; NULL: there is none. */
static const struct section_block *next_of(const struct section *s, uint32_t type, uint32_t *at)
{
	while (*at < s->count)
		if (s->blocks[(*at)++].type == type)
			return &s->blocks[*at - 1];
	return NULL;
}

static bool have_the_same(struct section *a, struct section *b)
{
	uint32_t at = 0, other = 0;
	for (;;) {
		const struct section_block *x = next_of(a, PCAPNG_INTERFACE, &at);
		const struct section_block *y = next_of(b, PCAPNG_INTERFACE, &other);
		if (!x || !y)
			return x == y;
		if (x->length != y->length || memcmp(x->body, y->body, x->length) != 0)
			return false;
	}
}

static void share(struct mapping *m, struct mapped_section *s)
{
	for (uint32_t i = 1; i + 1 < m->section_count; i++) {
		struct mapped_section *other = &m->sections[i];
		if (!other->section || !have_the_same(other->section, s->section))
			continue;
		for (uint32_t n = 0; n < other->interfaces; n++)
			*add_head(s) = other->heads[n];
		s->shared = s->interfaces;
		return;
	}
}

static void put_own(struct mapping *m, struct mapped_section *s, const struct section_block *b)
{
	struct pcapng_facts facts;
	pcapng_facts_of(b->body, b->length, &facts);
	pcapng_put_block(&m->before, b->type, b->body, b->length);
	add_interface(m, add_head(s),
	              &(const struct mapped){.own = true,
	                                     .clock = facts.clock,
	                                     .snaplen = facts.snaplen,
	                                     .link_type = facts.link_type});
}

static void put_statistics(struct mapping *m, const struct mapped_section *s,
                           const struct section_block *b)
{
	uint32_t number = pcapng_load32(false, b->body);
	if (number >= s->interfaces)
		return;
	size_t at = m->before.length + 8;
	pcapng_put_block(&m->before, b->type, b->body, b->length);
	memcpy(m->before.data + at, &s->heads[number], sizeof number);
}

/* What has been added to the section since. */
static void put_new(struct mapping *m, struct mapped_section *s)
{
	uint32_t interfaces = 0;
	pthread_mutex_lock(&s->section->lock);
	for (uint32_t i = 0; i < s->section->count; i++) {
		const struct section_block *b = &s->section->blocks[i];
		bool shared = b->type == PCAPNG_INTERFACE && interfaces++ < s->shared;
		if (i < s->seen || shared || b->type == PCAPNG_SECTION)
			continue;
		if (b->type == PCAPNG_INTERFACE)
			put_own(m, s, b);
		else if (b->type == PCAPNG_STATISTICS)
			put_statistics(m, s, b);
		else
			pcapng_put_block(&m->before, b->type, b->body, b->length);
	}
	s->seen = s->section->count;
	pthread_mutex_unlock(&s->section->lock);
}

void mapping_finish(struct mapping *m)
{
	for (uint32_t i = 1; i < m->section_count; i++)
		if (m->sections[i].section)
			put_new(m, &m->sections[i]);
}

/* Of the oldest one of which nothing can come any more. */
static void make_room(struct mapping *m)
{
	for (uint32_t i = 1; i < m->section_count && m->section_count > SECTIONS_MAX; i++) {
		struct mapped_section *s = &m->sections[i];
		if (s->section && s->section->refs > 1)
			continue;
		if (s->section)
			put_new(m, s);
		m->again.found = false;
		forget(s);
		memmove(s, s + 1, (m->section_count - i - 1) * sizeof *s);
		m->section_count--;
		i--;
	}
}

static bool follows(const struct mapping *m, const struct section *section)
{
	const struct section *before =
		m->section_count > 1 ? m->sections[m->section_count - 1].section : NULL;
	return before && before->file == section->file && before->ordinal + 1 == section->ordinal;
}

static void begin(struct mapping *m, const struct section *section)
{
	bool anew = !m->one_section && follows(m, section);
	if (anew) {
		mapping_finish(m);
		mapping_reset(m);
	}
	if (m->headed)
		return;
	const struct section_block *first = section->count ? &section->blocks[0] : NULL;
	if (first && first->type == PCAPNG_SECTION)
		pcapng_put_block(&m->before, first->type, first->body, first->length);
	else
		pcapng_put_section(&m->before, m->application);
	m->headed = true;
}

static struct mapped_section *new_section(struct mapping *m, struct section *section)
{
	if (section)
		begin(m, section);
	mapping_head(m);
	if (!m->section_count)
		add_head(add_section(m, NULL));
	if (!section)
		return &m->sections[0];
	make_room(m);
	struct mapped_section *s = add_section(m, section);
	share(m, s);
	return s;
}

/* ---- what is not known yet ---- */

static const struct section_block *description_of(const struct section *section, uint32_t number)
{
	uint32_t at = 0;
	const struct section_block *b;
	do
		b = section ? next_of(section, PCAPNG_INTERFACE, &at) : NULL;
	while (b && number--);
	return b;
}

static void add_variant(struct mapping *m, uint32_t *head, const char *name,
                        const struct section_block *b, uint16_t link_type, bool before)
{
	pcapng_put_interface(&m->before, link_type,
	                     b      ? NULL
	                     : name ? name
	                            : m->name,
	                     before, b ? b->body : NULL, b ? b->length : 0);
	add_interface(m, head,
	              &(const struct mapped){.name = !b && name ? must_strdup(name) : NULL,
	                                     .clock = before ? pcapng_before : pcapng_ns,
	                                     .link_type = link_type});
}

void mapping_new(struct mapping *m, const struct pt_msg *msg, uint16_t link_type, int64_t time_ns,
                 struct pcapng_place *place)
{
	struct section *section = section_of(msg);
	struct mapped_section *s = find(m, section);
	struct pt_msg unnamed = *msg;
	if (!s)
		s = new_section(m, section);
	if (section)
		put_new(m, s);
	if (m->count >= NAMES_MAX || (section && msg->origin->number >= s->interfaces)) {
		s = &m->sections[0]; /* what is known of it was too much to be kept */
		unnamed.origin = NULL;
		section = NULL;
	}
	uint32_t number = section ? msg->origin->number : 0;
	if (look(m, s->heads[number], !section, &unnamed, link_type, time_ns, place))
		return;
	if (section)
		pthread_mutex_lock(&section->lock);
	add_variant(m, &s->heads[number], unnamed.origin ? unnamed.origin->name : NULL,
	            description_of(section, number), link_type, time_ns < 0);
	if (section)
		pthread_mutex_unlock(&section->lock);
	look(m, s->heads[number], !section, &unnamed, link_type, time_ns, place);
}

void mapping_describe(struct mapping *m, uint16_t link_type)
{
	struct mapped_section *s = find(m, NULL);
	if (!s)
		s = new_section(m, NULL);
	add_variant(m, &s->heads[0], NULL, NULL, link_type, false);
}

uint64_t mapping_now(const struct mapping *m, uint32_t interface)
{
	const struct pcapng_clock *c = &m->interfaces[interface].clock;
	int64_t now_ns = moment_now();
	uint64_t units;
	for (int64_t step = 1; step <= MOMENT_S; step *= 1000)
		if (pcapng_units(c, now_ns - now_ns % step, &units))
			return units;
	return 0;
}
