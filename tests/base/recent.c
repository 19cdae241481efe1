/* SPDX-License-Identifier: BSD-2-Clause */
/* A bounded table against a plain list; the hash against another's. */
#include "unit.h"

#include "base/buf.h"
#include "base/recent.h"
#include "base/sip.h"
#include <string.h>

/* What Python 3.11 gives with PYTHONHASHSEED=0. */
START_TEST(hashes_as_python_does)
{
	static const uint64_t key[2];
	uint8_t input[15];
	for (unsigned i = 0; i < sizeof input; i++)
		input[i] = (uint8_t)i;
	ck_assert(sip_hash(key, input, 15) == UINT64_C(0xf30eb725bb91c9ea));
	ck_assert(sip_hash(key, input, 2) == UINT64_C(0x10bac45c41e3669));
	ck_assert(sip_hash(key, input, 7) == UINT64_C(0x2f098ab0c751325a));
	ck_assert(sip_hash(key, input, 8) == UINT64_C(0xead411e67ebe2eea));
	ck_assert(sip_hash(key, input, 9) == UINT64_C(0x75927f9d95124362));
	ck_assert(sip_hash(key, input, 14) == UINT64_C(0x7f86049379fbfe67));
	ck_assert(sip_hash(key, input, 1) == UINT64_C(0x68a914128e01e473));
}
END_TEST

/* Keys with their values, the one seen last first. */
struct model {
	uint32_t keys[512], values[512];
	unsigned used, most;
};

static unsigned model_seek(const struct model *m, uint32_t key)
{
	unsigned at = 0;
	while (at < m->used && m->keys[at] != key)
		at++;
	return at;
}

/* Its value, 0 if it is new. */
static uint32_t model_at(struct model *m, uint32_t key)
{
	unsigned at = model_seek(m, key);
	uint32_t value = at < m->used ? m->values[at] : 0;
	if (at == m->used && m->used < m->most)
		m->used++;
	else if (at == m->used)
		at--;
	memmove(m->keys + 1, m->keys, at * sizeof m->keys[0]);
	memmove(m->values + 1, m->values, at * sizeof m->values[0]);
	m->keys[0] = key;
	m->values[0] = value;
	return value;
}

static void assert_same(const struct recent *r, const struct model *m)
{
	const void *key = NULL;
	unsigned count = 0;
	while ((key = recent_next(r, key))) {
		ck_assert_uint_lt(count, m->used);
		ck_assert_mem_eq(key, &m->keys[count], 4);
		ck_assert_mem_eq(recent_value(r, key), &m->values[count], 4);
		count++;
	}
	ck_assert_uint_eq(count, m->used);
}

static void use(struct recent *r, struct model *m, uint32_t key, uint64_t hash)
{
	bool fresh;
	bool known = model_seek(m, key) < m->used;
	ck_assert(!recent_find(r, hash, &key) == !known);
	uint32_t *value = recent_at(r, hash, &key, &fresh);
	ck_assert_ptr_nonnull(value);
	ck_assert(fresh == !known);
	ck_assert_uint_eq(*value, model_at(m, key));
	*value = m->values[0] = (uint32_t)random();
}

/* As if it had been used for long: soon the log counts from 0 again. */
static void age(struct recent *r)
{
	const uint32_t size = RECENT_LINE << r->bits, by = -(r->newest / size + 1) * size;
	r->oldest += by;
	r->newest += by;
	r->from += by;
	r->to += by;
	for (uint32_t i = 0; i < r->room; i++)
		r->seen[i] += by;
}

/* `poor`: of a hash all of whose values but a few are the same. */
static void try_against_model(unsigned most, unsigned keys, bool poor)
{
	struct recent r;
	struct model m = {.most = most};
	recent_init(&r, sizeof(uint32_t), sizeof(uint32_t), most);
	for (int i = 0; i < TIMES(20000); i++) {
		uint32_t key = (uint32_t)random() % keys;
		use(&r, &m, key, poor ? key % 3 : key);
		if (i % 1000 == 999) {
			assert_same(&r, &m);
			m.most = 1 + (unsigned)random() % most;
			m.used = m.used < m.most ? m.used : m.most;
			recent_bound(&r, m.most);
			age(&r);
			assert_same(&r, &m);
		}
	}
	ck_assert(r.evicted || keys <= most);
	recent_free(&r);
}

START_TEST(forgets_what_was_seen_least_recently)
{
	try_against_model(500, 700, false);
	try_against_model(64, 1000, false);
	try_against_model(2, 5, false);
	try_against_model(100, 150, true);
	try_against_model(512, 400, false); /* all of them fit at first: their log is shortened */
	try_against_model(100, 3, false);
}
END_TEST

START_TEST(expecting_changes_nothing)
{
	struct recent r;
	recent_init(&r, 4, 4, 5000);
	for (uint32_t key = 0; key < 19968; key += 64) {
		uint64_t hashes[64];
		for (uint32_t i = 0; i < 64; i++)
			hashes[i] = key + i;
		recent_expect(&r, hashes, 64);
		for (uint32_t i = 0; i < 64; i++)
			*(uint32_t *)recent_at(&r, hashes[i], &(uint32_t){key + i}, NULL) = key + i;
	}
	for (uint32_t key = 14968; key < 19968; key++)
		ck_assert_uint_eq(*(uint32_t *)recent_find(&r, key, &key), key);
	recent_free(&r);
}
END_TEST

/* Each byte counts, whatever the size is, and the place of a byte. */
START_TEST(its_own_hash_tells_keys_apart)
{
	for (size_t size = 1; size <= RECENT_KEY_MAX; size++) {
		struct recent r;
		uint8_t keys[RECENT_KEY_MAX + 1][RECENT_KEY_MAX] = {0};
		uint64_t hashes[RECENT_KEY_MAX + 1];
		recent_init(&r, size, 4, 1000);
		for (size_t i = 0; i <= size; i++) {
			if (i)
				keys[i][i - 1] = 1;
			hashes[i] = recent_hash(&r, keys[i]);
			*(uint32_t *)recent_at(&r, hashes[i], keys[i], NULL) = (uint32_t)i + 1;
		}
		for (size_t i = 0; i <= size; i++) {
			ck_assert(hashes[i] == recent_hash(&r, keys[i]));
			ck_assert_uint_eq(*(uint32_t *)recent_find(&r, hashes[i], keys[i]), i + 1);
		}
		unsigned met = 0;
		for (size_t i = 0; i < size; i++)
			met += hashes[i] == hashes[i + 1];
		ck_assert_uint_lt(met, 3);
		recent_free(&r);
	}
}
END_TEST

/* What fits takes no more than it may, and not much less. */
START_TEST(as_many_fit_as_there_is_memory_for)
{
	for (uint64_t bytes = 1 << 16; bytes < 1 << 30; bytes += bytes / 7) {
		size_t fit = recent_fit(5, 16, bytes), places = 128;
		while (places < 2 * fit)
			places *= 2;
		uint64_t taken = fit * (32 + 4) + places * 12;
		ck_assert_uint_le(taken, bytes);
		ck_assert_uint_ge(taken, bytes / 2);
	}
	ck_assert_uint_eq(recent_fit(5, 16, 1), 64);
	ck_assert_uint_ge(recent_fit(5, 16, 64 << 20), 1000000);
}
END_TEST

/* The order of age and the values are the same, in a table of less room as far as it goes. */
START_TEST(packed_and_unpacked_it_is_the_same)
{
	struct buf packed = BUF_INIT;
	struct recent r, same, smaller, other, none;
	recent_init(&r, 4, 4, 100);
	for (uint32_t key = 0; key < 300; key++)
		*(uint32_t *)recent_at(&r, key * 7919, &key, NULL) = key + 1;
	recent_pack(&r, &packed);
	recent_init(&same, 4, 4, 100);
	recent_init(&smaller, 4, 4, 64);
	recent_init(&other, 8, 4, 100);
	ck_assert(recent_unpack(&same, packed.data, packed.length));
	ck_assert(recent_unpack(&smaller, packed.data, packed.length));
	ck_assert(!recent_unpack(&other, packed.data, packed.length));
	recent_init(&none, 4, 4, 100);
	for (size_t length = 0; length < packed.length; length++)
		ck_assert(!recent_unpack(&none, packed.data, length));
	uint32_t *version = (void *)packed.data;
	--*version;
	ck_assert(!recent_unpack(&none, packed.data, packed.length));
	++*version;
	ck_assert_uint_eq(none.used, 0);
	ck_assert_uint_eq(same.evicted, 200);
	recent_clear(&same);
	ck_assert_uint_eq(same.evicted, 0);
	ck_assert(recent_unpack(&same, packed.data, packed.length));
	const void *key = NULL, *copy = NULL, *lesser = NULL;
	while ((key = recent_next(&r, key))) {
		copy = recent_next(&same, copy);
		lesser = lesser || copy == recent_next(&same, NULL) ? recent_next(&smaller, lesser)
		                                                    : NULL;
		ck_assert_mem_eq(copy, key, 4);
		ck_assert_mem_eq(recent_value(&same, copy), recent_value(&r, key), 4);
		if (lesser)
			ck_assert_mem_eq(lesser, key, 4);
		uint32_t number = *(const uint32_t *)key;
		ck_assert_ptr_nonnull(recent_find(&same, number * 7919, &number));
		ck_assert(recent_hash(&same, &number) == recent_hash(&r, &number));
	}
	unsigned count = 0;
	for (key = NULL; (key = recent_each(&same, key)); count++)
		ck_assert_ptr_nonnull(recent_find(&r, *(const uint32_t *)key * 7919, key));
	ck_assert_uint_eq(count, 100);
	ck_assert_ptr_null(recent_each(&other, NULL));
	ck_assert_uint_eq(same.used, 100);
	ck_assert_uint_eq(smaller.used, 64);
	recent_free(&r), recent_free(&same), recent_free(&smaller), recent_free(&other);
	buf_free(&packed);
}
END_TEST

UNIT_TESTS("base/recent", hashes_as_python_does, forgets_what_was_seen_least_recently,
           its_own_hash_tells_keys_apart, as_many_fit_as_there_is_memory_for,
           expecting_changes_nothing, packed_and_unpacked_it_is_the_same)
