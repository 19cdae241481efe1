/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a packet: dissected, summarized, read, rewritten; what is written is there. */
#include "msg/pool.h"
#include "packet/packet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every field is read; each that may be is set to what it was: nothing may change then. */
static void fields(uint8_t *bytes, size_t length, const struct packet_view *view)
{
	uint8_t *before = malloc(length + 1);

	assert(before);
	memcpy(before, bytes, length);
	for (const struct packet_field *field = packet_fields; field->name; field++) {
		struct packet_set set = {.field = field};
		struct packet_value got;
		char text[64];

		if (!packet_read(bytes, view, field, &set.value))
			continue;
		assert(packet_has(view, field->in));
		packet_value_print(field, &set.value, text, sizeof text);
		if (field->read_only)
			continue;
		packet_rewrite(bytes, length, view, &set, 1);
		assert(memcmp(before, bytes, length) == 0);
		set.value.number ^= 1;
		set.value.bytes[3] ^= 1;
		packet_rewrite(bytes, length, view, &set, 1);
		assert(packet_read(bytes, view, field, &got));
		memcpy(bytes, before, length);
	}
	free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	uint16_t link_type = (uint16_t)(data[0] << 8 | data[1]);
	size_t length = size - 2;
	uint8_t *bytes = malloc(length + 1); /* of its own, so that ASan sees every byte beyond */
	struct pt_pool *pool = pool_new(0);
	struct packet_view view;
	char line[128];

	assert(bytes);
	memcpy(bytes, data + 2, length);
	bytes = realloc(bytes, length ? length : 1);
	packet_dissect_bytes(bytes, length, link_type, &view);
	for (int layer = 0; layer < PACKET_LAYERS; layer++)
		assert(!packet_has(&view, layer) || view.offset[layer] <= length);
	assert(!packet_has(&view, PACKET_PAYLOAD) ||
	       view.offset[PACKET_PAYLOAD] + (size_t)view.payload_length <= length);
	fields(bytes, length, &view);

	struct pt_msg *m = pt_msg_packet(pool, bytes, length, length, link_type, 0);

	assert(packet_summary(m, line, sizeof line) < sizeof line);
	assert(packet_summary(m, line, 10) < 10);
	pt_msg_unref(m);
	pool_free(pool);
	free(bytes);
	return 0;
}
