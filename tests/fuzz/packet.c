/* SPDX-License-Identifier: BSD-2-Clause */
/* Arbitrary bytes of arbitrary link types as a packet: looked at, told, rewritten, anonymized. */
#include "packet/packet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct packet_anonymizer *anonymizer(void)
{
	static const uint8_t key[32] = {1, 2, 3};
	static struct packet_anonymizer *one;

	if (!one && packet_anonymizer_new(key, NULL, &one, NULL))
		abort();
	return one;
}

static void check_view(const struct packet_view *v, size_t length)
{
	size_t end = (size_t)v->offset[PACKET_PAYLOAD] + v->payload_length;

	assert(end <= length);
	for (int layer = 0; layer < PACKET_LAYERS; layer++)
		assert(!packet_has(v, layer) || v->offset[layer] < end || layer == PACKET_PAYLOAD);
	assert(v->checksum + 2 <= end || !v->checksum);
	assert(v->mac_count <= PACKET_MACS);
	for (unsigned i = 0; i < v->mac_count; i++)
		assert(v->mac[i] + 6u <= length);
}

/* A value is itself again by way of its text, and written where it came from changes nothing. */
static void check_fields(uint8_t *bytes, size_t length, const struct packet_view *v)
{
	for (const struct packet_field *f = packet_fields; f->name; f++) {
		struct packet_set set = {.field = f};
		struct packet_value value;
		char text[64];
		if (!packet_read(bytes, v, f, &value))
			continue;
		packet_value_print(f, &value, text, sizeof text);
		assert(!packet_value_parse(f, text, &set.value, NULL));
		assert(!memcmp(&value, &set.value, sizeof value));
		assert(!packet_rewrite(bytes, length, v, &set, 1));
	}
}

/* Every field is written, all at once; then each reads as it was written. */
static void check_rewrite(uint8_t *bytes, size_t length, const struct packet_view *v, uint8_t seed)
{
	struct packet_set sets[128];
	size_t count = 0;

	for (const struct packet_field *f = packet_fields; f->name; f++) {
		assert(count < sizeof sets / sizeof sets[0]);
		sets[count].field = f;
		sets[count].value.number = seed * 0x9e3779b97f4a7c15ull;
		memset(sets[count].value.bytes, seed, 16);
		count++;
	}
	packet_rewrite(bytes, length, v, sets, count);
	for (size_t i = 0; i < count; i++) {
		const struct packet_field *f = sets[i].field;
		struct packet_value value;
		packet_rewrite(bytes, length, v, &sets[i], 1);
		if (f->read_only || f->bits >= 64 || !packet_read(bytes, v, f, &value))
			continue;
		assert(f->kind == PACKET_NUMBER || f->kind == PACKET_FLAG
		               ? value.number == (sets[i].value.number & ((1ull << f->bits) - 1))
		               : !memcmp(value.bytes, sets[i].value.bytes, f->size));
	}
}

/* The first two bytes are the link type, the others the packet; the last is what is written. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_view v;
	char line[256];

	if (size < 2)
		return 0;
	uint16_t link_type = (uint16_t)(data[0] << 8 | data[1]);
	uint8_t last = data[size - 1];
	size_t length = size - 2;
	uint8_t *bytes = malloc(length ? length : 1);
	memcpy(bytes, data + 2, length);

	struct pt_msg msg = {.bytes = bytes,
	                     .length = (uint32_t)length,
	                     .wire_length = (uint32_t)length,
	                     .link_type = link_type};
	packet_dissect(&msg, &v);
	check_view(&v, length);
	check_fields(bytes, length, &v);
	assert(packet_summary(&msg, line, sizeof line) < sizeof line);
	packet_anonymize(anonymizer(), bytes, &length, link_type);
	check_rewrite(bytes, length, &v, last);
	packet_dissect(&msg, &v);
	check_view(&v, length);
	packet_summary(&msg, line, last);
	free(bytes);
	return 0;
}
