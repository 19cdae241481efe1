/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses are those of Crypto-PAn's reference, prefixes stay prefixes, and packets stay valid. */
#include "unit.h"
#include "packet/inside.h"
#include "packet/make.h"

#include <arpa/inet.h>

/* The key of the reference implementation's sample. */
static const uint8_t key[32] = {21,  34, 23,  141, 51, 164, 207, 128, 19,  10,  91,
                                22,  73, 144, 125, 16, 216, 152, 143, 131, 121, 121,
                                101, 39, 98,  87,  76, 45,  42,  132, 34,  2};

static struct packet_anonymizer *anonymizer(void)
{
	struct packet_anonymizer *a = NULL;
	ck_assert_int_eq(packet_anonymizer_new(key, NULL, &a, NULL), 0);
	return a;
}

START_TEST(as_the_reference_does)
{
	static const char *rows[][2] = {
		{"128.11.68.132", "135.242.180.132"},
		{"129.118.74.4", "134.136.186.123"},
		{"130.132.252.244", "133.68.164.234"},
	};
	struct packet_anonymizer *a = anonymizer();

	for (unsigned i = 0; i < 6; i++) { /* each twice: computed, and remembered */
		uint8_t address[4], wanted[4];
		inet_pton(AF_INET, rows[i % 3][0], address);
		inet_pton(AF_INET, rows[i % 3][1], wanted);
		packet_anonymize_address(a, address, 4);
		ck_assert_mem_eq(address, wanted, 4);
	}
	packet_anonymizer_free(a);
}
END_TEST

static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned size)
{
	unsigned bits = 0;
	while (bits < size * 8 && !((a[bits / 8] ^ b[bits / 8]) >> (7 - bits % 8) & 1))
		bits++;
	return bits;
}

/* Those that stay as they are. */
static bool is_special(const uint8_t *address, unsigned size)
{
	if (size == 16)
		return address[0] == 0xff || (address[0] == 0xfe && address[1] >> 6 == 2);
	return address[0] == 0 || address[0] == 127 || address[0] >> 4 == 14 ||
	       (address[0] == 169 && address[1] == 254) || address[0] == 255;
}

START_TEST(common_prefixes_stay_as_long)
{
	struct packet_anonymizer *a = anonymizer();
	srandom(7);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned size = i % 2 ? 4 : 16, flip = random_below(size * 8);
		uint8_t one[16], two[16];
		for (unsigned k = 0; k < 16; k++)
			one[k] = two[k] = random_below(3) ? (uint8_t)random() : 0;
		two[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
		for (unsigned k = flip / 8 + 1; k < 16; k++)
			two[k] = (uint8_t)random();
		if (is_special(one, size) || is_special(two, size))
			continue;
		packet_anonymize_address(a, one, size);
		packet_anonymize_address(a, two, size);
		ck_assert_uint_eq(common_bits(one, two, size), flip);
	}
	packet_anonymizer_free(a);
}
END_TEST

/* As the paper has it (Xu et al., 2002): a block for each bit. */
static void crypto_pan(struct cipher *c, const uint8_t pad[16], uint8_t *address, unsigned size)
{
	uint8_t before[16], block[16], out[16];
	memcpy(before, address, size);
	for (unsigned bit = 0; bit < size * 8; bit++) {
		memcpy(block, pad, sizeof block);
		for (unsigned i = 0; i < bit; i++) {
			uint8_t mask = (uint8_t)(0x80 >> i % 8);
			block[i / 8] = (uint8_t)((block[i / 8] & ~mask) | (before[i / 8] & mask));
		}
		cipher_encrypt(c, block, out, 1);
		address[bit / 8] ^= (uint8_t)((out[0] >> 7) << (7 - bit % 8));
	}
}

START_TEST(each_bit_is_as_it_would_be_alone)
{
	struct packet_anonymizer *a = anonymizer();
	struct cipher *c = NULL;
	uint8_t pad[16];
	ck_assert_int_eq(cipher_new(key, &c, NULL), 0);
	cipher_encrypt(c, key + 16, pad, 1);
	srandom(9);
	for (unsigned i = 0; i < TIMES(4000); i++) {
		unsigned size = i % 3 ? 4 : 16,
			 same = random_below(size + 1); /* bytes of a prefix */
		uint8_t one[16], two[16];
		for (unsigned k = 0; k < 16; k++)
			one[k] = two[k] = k < same ? 10 : (uint8_t)random_below(i % 2 ? 256 : 3);
		crypto_pan(c, pad, one, size);
		if (is_special(two, size) || is_special(one, size))
			continue;
		packet_anonymize_address(a, two, size);
		ck_assert_mem_eq(two, one, size);
	}
	cipher_free(c);
	packet_anonymizer_free(a);
}
END_TEST

START_TEST(the_cache_does_not_show)
{
	struct packet_anonymizer *warm = anonymizer();
	srandom(8);
	for (unsigned i = 0; i < 200000; i++) { /* more than are remembered */
		uint8_t address[4] = {10, (uint8_t)random(), (uint8_t)random(), (uint8_t)random()};
		packet_anonymize_address(warm, address, 4);
	}
	for (unsigned i = 0; i < 50; i++) {
		struct packet_anonymizer *cold = anonymizer();
		uint8_t one[16], two[16];
		for (unsigned k = 0; k < 16; k++)
			one[k] = two[k] = (uint8_t)random();
		one[0] = two[0] = 10;
		packet_anonymize_address(cold, one, i % 2 ? 16 : 4);
		packet_anonymize_address(warm, two, i % 2 ? 16 : 4);
		ck_assert_mem_eq(one, two, 16);
		packet_anonymizer_free(cold);
	}
	packet_anonymizer_free(warm);
}
END_TEST

START_TEST(keys_differ)
{
	uint8_t other[32], one[4] = {10, 1, 2, 3}, two[4] = {10, 1, 2, 3};
	struct packet_anonymizer *a = anonymizer(), *b = NULL;

	memcpy(other, key, sizeof other);
	other[31] ^= 1; /* of the pad */
	ck_assert_int_eq(packet_anonymizer_new(other, NULL, &b, NULL), 0);
	packet_anonymize_address(a, one, 4);
	packet_anonymize_address(b, two, 4);
	ck_assert_mem_ne(one, two, 4);
	packet_anonymizer_free(a);
	packet_anonymizer_free(b);
}
END_TEST

static bool anonymize(struct packet_anonymizer *a, uint8_t *bytes, size_t length, uint16_t link)
{
	return packet_anonymize(a, bytes, &length, link) == PACKET_CHANGED;
}

START_TEST(packets_stay_valid)
{
	struct packet_anonymizer *a = anonymizer();
	srandom(9);
	for (unsigned i = 0; i < 20000; i++) {
		struct made m, fixed;
		uint8_t source[16];
		make_random(&m);
		unsigned size = m.version == 6 ? 16 : 4;
		memcpy(source, m.bytes + m.source, size);
		ck_assert(anonymize(a, m.bytes, m.length, m.link_type));
		packet_anonymize_address(a, source, size);
		ck_assert_mem_eq(m.bytes + m.source, source, size);
		fixed = m;
		made_fix(&fixed);
		ck_assert_mem_eq(m.bytes, fixed.bytes, m.length);
	}
	packet_anonymizer_free(a);
}
END_TEST

START_TEST(routes_are_anonymized)
{
	static const uint8_t options[] = {1, 7, 11, 8, 10, 9, 8, 7, 0, 0, 0, 0};
	struct packet_anonymizer *a = anonymizer();
	uint8_t hop[16] = {10, 9, 8, 7}, segment[16] = {0x20, 1, 0xd, 0xb8, 5};
	struct made m = {.link_type = PACKET_LINK_RAW};

	make_ip(&m, 253, options, sizeof options);
	make_end(&m);
	ck_assert(anonymize(a, m.bytes, m.length, m.link_type));
	packet_anonymize_address(a, hop, 4);
	ck_assert_mem_eq(m.bytes + 24, hop, 4);
	ck_assert_mem_eq(m.bytes + 28, "\0\0\0\0", 4); /* not recorded yet */

	struct made six = {.link_type = PACKET_LINK_RAW};
	make_ip6(&six, 43);
	put8(&six, 59), put8(&six, 2), put8(&six, 4), put8(&six, 0), put32(&six, 0);
	memcpy(six.bytes + six.length, segment, 16);
	six.length += 16;
	make_end(&six);
	ck_assert(anonymize(a, six.bytes, six.length, six.link_type));
	packet_anonymize_address(a, segment, 16);
	ck_assert_mem_eq(six.bytes + 48, segment, 16);
	packet_anonymizer_free(a);
}
END_TEST

START_TEST(cut_headers_give_no_address_away)
{
	struct packet_anonymizer *a = anonymizer();
	static const struct {
		unsigned ether_type, first, second, size;
	} rows[] = {{0x0800, 12, 16, 4}, {0x86dd, 8, 24, 16}, {0x0806, 14, 24, 4}};

	for (unsigned i = 0; i < 3; i++) {
		struct made m = {0}, whole;
		make_ethernet(&m, rows[i].ether_type);
		if (i == 0)
			make_ip(&m, 6, NULL, 0);
		else if (i == 1)
			make_ip6(&m, 6);
		else
			put16(&m, 1), put16(&m, 0x0800), put8(&m, 6), put8(&m, 4),
				put_random(&m, 22);
		whole = m;
		ck_assert(anonymize(a, whole.bytes, whole.length, 1));
		for (size_t length = 14; length < m.length; length++) {
			uint8_t *bytes = exact(m.bytes, length);
			bool changed = anonymize(a, bytes, length, 1);
			ck_assert_int_eq(changed, memcmp(bytes, m.bytes, length) != 0);
			for (size_t at = 14; at < length; at++) {
				size_t in = at - 14;
				bool address = (in >= rows[i].first &&
				                in < rows[i].first + rows[i].size) ||
				               (in >= rows[i].second &&
				                in < rows[i].second + rows[i].size);
				ck_assert_uint_eq(bytes[at],
				                  address ? whole.bytes[at] : m.bytes[at]);
			}
			exact_free(bytes, length);
		}
	}
	packet_anonymizer_free(a);
}
END_TEST

START_TEST(garbage_is_survived)
{
	struct packet_anonymizer *a = anonymizer();
	srandom(10);
	for (unsigned i = 0; i < 50000; i++) {
		struct made m;
		make_random(&m);
		for (unsigned hits = random_below(8); hits--;)
			m.bytes[random_below((uint32_t)m.length)] = (uint8_t)random();
		size_t length = random_below((uint32_t)m.length + 1);
		uint8_t *bytes = exact(m.bytes, length);
		anonymize(a, bytes, length, random_below(4) ? 1 : (uint16_t)random_below(300));
		exact_free(bytes, length);
	}
	packet_anonymizer_free(a);
}
END_TEST

UNIT_TESTS("packet/anonymize", as_the_reference_does, common_prefixes_stay_as_long,
           each_bit_is_as_it_would_be_alone, the_cache_does_not_show, keys_differ,
           packets_stay_valid, routes_are_anonymized, cut_headers_give_no_address_away,
           garbage_is_survived)
