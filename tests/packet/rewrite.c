/* SPDX-License-Identifier: BSD-2-Clause */
/* What is written is written, and every checksum is what it would be if it were computed anew. */
#include "unit.h"
#include "packet/make.h"

static struct packet_set setting(const char *dotted, const char *text)
{
	struct packet_set set = {.field = packet_field_get(dotted, NULL)};
	ck_assert_ptr_nonnull(set.field);
	ck_assert_int_eq(packet_value_parse(set.field, text, &set.value, NULL), 0);
	return set;
}

static bool rewrite(struct made *m, const struct packet_set *sets, size_t count)
{
	struct packet_view v;
	packet_dissect_bytes(m->bytes, m->length, m->link_type, &v);
	return packet_rewrite(m->bytes, m->length, &v, sets, count);
}

static bool rewrite_one(struct made *m, const char *dotted, const char *text)
{
	struct packet_set set = setting(dotted, text);
	return rewrite(m, &set, 1);
}

static unsigned get16(const struct made *m, size_t at)
{
	return (unsigned)(m->bytes[at] << 8 | m->bytes[at + 1]);
}

/* Writes a field bit by bit, without a thought of checksums. */
static void poke(uint8_t *layer, const struct packet_field *f, const struct packet_value *v)
{
	if (f->kind != PACKET_NUMBER && f->kind != PACKET_FLAG) {
		memcpy(layer + f->offset, v->bytes, f->size);
		return;
	}
	for (unsigned i = 0; i < f->bits; i++) {
		unsigned bit = f->size * 8 - 1 - f->shift - i; /* from the first byte's highest */
		uint8_t *byte = layer + f->offset + bit / 8, mask = (uint8_t)(0x80 >> bit % 8);
		*byte = (uint8_t)(v->number >> i & 1 ? *byte | mask : *byte & ~mask);
	}
}

static struct packet_set random_set(void)
{
	struct packet_set set;
	unsigned count = 0;

	while (packet_fields[count].name)
		count++;
	do
		set.field = &packet_fields[random_below(count)];
	while (set.field->read_only);
	set.value.number = (uint64_t)random() << 31 | (uint64_t)random();
	for (unsigned i = 0; i < 16; i++)
		set.value.bytes[i] = random_below(4) ? (uint8_t)random() : 255 * random_below(2);
	return set;
}

static void poke_all(struct made *m, const struct packet_view *v, const struct packet_set *sets,
                     unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct packet_field *f = sets[i].field;
		uint8_t type = m->bytes[v->offset[f->in]];
		bool query = type == 0 || type == 8 || (type >= 13 && type <= 18);
		if (f->in == PACKET_ICMP6)
			query = type == 128 || type == 129;
		if (packet_has(v, f->in) && (!f->query || query))
			poke(m->bytes + v->offset[f->in], f, &sets[i].value);
	}
	made_fix(m);
}

START_TEST(random_changes_are_as_if_computed_anew)
{
	srandom(2);
	for (unsigned i = 0; i < TIMES(100000); i++) {
		struct made m, wanted;
		struct packet_set sets[6];
		struct packet_view v;
		unsigned count = 1 + random_below(6);

		make_random(&m);
		wanted = m;
		for (unsigned s = 0; s < count; s++)
			sets[s] = random_set();
		packet_dissect_bytes(m.bytes, m.length, m.link_type, &v);
		poke_all(&wanted, &v, sets, count);
		bool changed = memcmp(m.bytes, wanted.bytes, m.length) != 0;
		ck_assert(packet_rewrite(m.bytes, m.length, &v, sets, count) || !changed);
		ck_assert_mem_eq(m.bytes, wanted.bytes, m.length);
	}
}
END_TEST

START_TEST(short_captures_are_the_beginning_of_the_whole)
{
	srandom(3);
	for (unsigned i = 0; i < TIMES(50000); i++) {
		struct made m;
		struct packet_set sets[4];
		struct packet_view v;

		make_random(&m);
		size_t length = random_below((uint32_t)m.length + 1);
		uint8_t *bytes = exact(m.bytes, length);
		for (unsigned s = 0; s < 4; s++)
			sets[s] = random_set();
		packet_dissect_bytes(bytes, length, m.link_type, &v);
		packet_rewrite(bytes, length, &v, sets, 4);
		poke_all(&m, &v, sets, 4);
		bool half = length == made_checksum(&m) + 1; /* which cannot be adjusted */
		ck_assert_mem_eq(bytes, m.bytes, length - half);
		exact_free(bytes, length);
	}
}
END_TEST

/* One's complement: how far the checksum that is there is from the right one. */
static unsigned error_of(const struct made *m)
{
	return (get16(m, made_checksum(m)) + 0xffff - made_transport_sum(m)) % 0xffff;
}

/* As a checksum that is left to the network card is: by chance, here. */
static bool is_sum_of_addresses(const struct made *m)
{
	size_t address = m->version == 6 ? 16 : 4, length = m->end - m->transport;
	uint32_t sum = made_sum(m->bytes + m->source, address) +
	               made_sum(m->bytes + m->destination, address) + m->proto;
	unsigned with = checksum_of(sum + (uint32_t)length), without = checksum_of(sum);
	unsigned there = ~get16(m, made_checksum(m)) & 0xffff;

	return (m->proto == 6 || m->proto == 17) && (there == with || there == without);
}

START_TEST(a_wrong_checksum_stays_as_wrong)
{
	srandom(4);
	for (unsigned i = 0; i < TIMES(20000); i++) {
		struct made m;
		struct packet_set sets[2] = {random_set(), random_set()};

		make_random(&m);
		m.checksum_off = false;
		set16(&m, made_checksum(&m), 1 + random_below(0xfffe));
		if (is_sum_of_addresses(&m))
			continue;
		unsigned before = error_of(&m);
		rewrite(&m, sets, 2);
		ck_assert_uint_eq(error_of(&m), before);
	}
}
END_TEST

START_TEST(no_udp_checksum_stays_none)
{
	struct made m = {.link_type = PACKET_LINK_RAW, .checksum_off = true};
	make_ip(&m, 17, NULL, 0);
	make_udp(&m, 0);
	make_end(&m);
	ck_assert(rewrite_one(&m, "ip.src", "192.0.2.1"));
	ck_assert(rewrite_one(&m, "udp.sport", "99"));
	ck_assert_uint_eq(get16(&m, m.transport + 6), 0);
}
END_TEST

START_TEST(a_udp_checksum_that_becomes_zero_is_written_as_ones)
{
	struct packet_set set = setting("udp.sport", "0");
	unsigned ones = 0;

	for (set.value.number = 0; set.value.number <= 0xffff; set.value.number++) {
		struct made m = {.link_type = PACKET_LINK_RAW};
		make_ip(&m, 17, NULL, 0);
		make_udp(&m, 0);
		make_end(&m);
		rewrite(&m, &set, 1);
		ck_assert_uint_eq(get16(&m, m.transport + 6), made_transport_sum(&m));
		ones += get16(&m, m.transport + 6) == 0xffff;
	}
	ck_assert_uint_gt(ones, 0);
}
END_TEST

START_TEST(later_fragments_change_in_the_ip_header_alone)
{
	struct made m = {0}, before;
	make_tcp4(&m, 40);
	set16(&m, m.ip + 6, 0x2010);
	made_fix(&m);
	before = m;
	ck_assert(rewrite_one(&m, "ip.dst", "192.0.2.77"));
	ck_assert(!rewrite_one(&m, "tcp.dport", "1"));
	ck_assert_mem_eq(m.bytes + 34, before.bytes + 34, m.length - 34);
	m.transport = 0;
	before = m;
	made_fix(&before);
	ck_assert_mem_eq(m.bytes, before.bytes, m.length);
}
END_TEST

START_TEST(of_a_first_fragment_the_checksum_of_the_whole_is_adjusted)
{
	struct made whole = {0}, first;
	make_tcp4(&whole, 100);
	first = whole;
	first.length = 34 + 48; /* what comes later is in another packet */
	set16(&first, first.ip + 2, 20 + 48);
	set16(&first, first.ip + 6, 0x2000);
	ck_assert(rewrite_one(&whole, "ip.src", "203.0.113.5"));
	ck_assert(rewrite_one(&first, "ip.src", "203.0.113.5"));
	ck_assert_uint_eq(get16(&first, made_checksum(&first)), made_transport_sum(&whole));
}
END_TEST

START_TEST(before_the_last_hop_the_destination_is_not_summed)
{
	for (unsigned left = 0; left < 2; left++) {
		struct made m = {.link_type = PACKET_LINK_IPV6};
		make_ip6(&m, 43);
		put8(&m, 6), put8(&m, 2), put8(&m, 0), put8(&m, left), put32(&m, 0);
		if (left)
			m.destination = m.length;
		put_random(&m, 16);
		m.proto = 6;
		make_tcp(&m, 2, 0);
		make_end(&m);
		unsigned before = get16(&m, made_checksum(&m));
		ck_assert(rewrite_one(&m, "ip6.dst", "2001:db8:9::1"));
		ck_assert_int_eq(get16(&m, made_checksum(&m)) == before, left == 1);
		ck_assert_uint_eq(get16(&m, made_checksum(&m)), made_transport_sum(&m));
	}
}
END_TEST

START_TEST(checksums_at_the_captures_end_are_adjusted)
{
	struct made m = {0};
	make_tcp4(&m, 0);
	struct made cut = m;
	cut.length = 52; /* the checksum, and not the urgent pointer */
	ck_assert(rewrite_one(&m, "ip.src", "192.0.2.9"));
	ck_assert(rewrite_one(&cut, "ip.src", "192.0.2.9"));
	ck_assert_mem_eq(cut.bytes, m.bytes, 52);
}
END_TEST

START_TEST(what_a_packet_has_not_is_left_alone)
{
	struct made m = {0}, before;
	make_tcp4(&m, 4);
	before = m;
	ck_assert(!rewrite_one(&m, "udp.dport", "1"));
	ck_assert(!rewrite_one(&m, "ip6.src", "::1"));
	ck_assert(!rewrite_one(&m, "vlan.id", "1"));
	ck_assert(!rewrite_one(&m, "ip.len", "1"));        /* read only */
	ck_assert(!rewrite_one(&m, "ip.src", "10.0.0.1")); /* has it already */
	ck_assert_mem_eq(m.bytes, before.bytes, m.length);
}
END_TEST

START_TEST(a_view_of_more_bytes_is_refused)
{
	struct made m = {0};
	struct packet_view v;
	struct packet_set set = setting("ip.src", "192.0.2.1");
	make_tcp4(&m, 4);
	packet_dissect_bytes(m.bytes, m.length, m.link_type, &v);
	ck_assert(!packet_rewrite(m.bytes, m.length - 1, &v, &set, 1));
}
END_TEST

START_TEST(garbage_is_survived)
{
	srandom(5);
	for (unsigned i = 0; i < TIMES(100000); i++) {
		struct made m;
		struct packet_view v;
		struct packet_set set = random_set();

		make_random(&m);
		for (unsigned hits = random_below(8); hits--;)
			m.bytes[random_below((uint32_t)m.length)] = (uint8_t)random();
		size_t length = random_below((uint32_t)m.length + 1);
		uint8_t *bytes = exact(m.bytes, length);
		packet_dissect_bytes(bytes, length, random_below(4) ? 1 : random_below(300), &v);
		ck_assert_uint_le(v.offset[PACKET_PAYLOAD] + v.payload_length, length);
		for (const struct packet_field *f = packet_fields; f->name; f++) {
			struct packet_value value;
			ck_assert(!packet_read(bytes, &v, f, &value) || packet_has(&v, f->in));
		}
		packet_rewrite(bytes, length, &v, &set, 1);
		exact_free(bytes, length);
	}
}
END_TEST

UNIT_TESTS("packet/rewrite", random_changes_are_as_if_computed_anew,
           short_captures_are_the_beginning_of_the_whole, a_wrong_checksum_stays_as_wrong,
           no_udp_checksum_stays_none, a_udp_checksum_that_becomes_zero_is_written_as_ones,
           later_fragments_change_in_the_ip_header_alone,
           of_a_first_fragment_the_checksum_of_the_whole_is_adjusted,
           before_the_last_hop_the_destination_is_not_summed,
           checksums_at_the_captures_end_are_adjusted, what_a_packet_has_not_is_left_alone,
           a_view_of_more_bytes_is_refused, garbage_is_survived)
