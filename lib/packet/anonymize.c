/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets whose addresses are pseudonyms: what the walk begins with, and what came of it. */
#include "packet/walk.h"
#include "base/buf.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct packet_anonymizer {
	struct packet_anonymizer_options options;
	struct pseudonyms *pseudonyms;
	struct fragments *fragments;
};

int packet_anonymizer_new(const uint8_t key[32], const struct packet_anonymizer_options *options,
                          struct packet_anonymizer **anonymizer, struct pt_error *err)
{
	static const struct packet_anonymizer_options defaults;
	struct packet_anonymizer *a = must_calloc(1, sizeof *a);

	a->options = options ? *options : defaults;
	int code = pseudonyms_new(key, a->options.keep, a->options.keep_count, &a->pseudonyms, err);
	if (code) {
		free(a);
		return code;
	}
	a->options.keep = NULL; /* the caller's */
	a->fragments = fragments_new();
	*anonymizer = a;
	return 0;
}

void packet_anonymizer_free(struct packet_anonymizer *a)
{
	if (!a)
		return;
	pseudonyms_free(a->pseudonyms);
	fragments_free(a->fragments);
	free(a);
}

void packet_anonymize_address(struct packet_anonymizer *a, uint8_t *address, size_t length)
{
	assert(length == 4 || length == 6 || length == 16);
	if (length == 4)
		pseudonym_ip(a->pseudonyms, address);
	else if (length == 6)
		pseudonym_mac(a->pseudonyms, address);
	else
		pseudonym_ip6(a->pseudonyms, address, a->options.mac);
}

enum packet_anonymized packet_anonymize(struct packet_anonymizer *a, uint8_t *bytes, size_t *length,
                                        uint16_t link_type)
{
	uint32_t size = *length < UINT32_MAX ? (uint32_t)*length : UINT32_MAX;
	struct walk w = {.pseudonyms = a->pseudonyms,
	                 .options = &a->options,
	                 .fragments = a->fragments,
	                 .bytes = bytes,
	                 .length = size,
	                 .kept = size};

	walk_link(&w, 0, size, link_type);
	if (w.opaque && !a->options.pass_opaque)
		return PACKET_OPAQUE;
	if (w.kept < size) {
		*length = w.kept;
		w.changed = true;
	}
	return w.changed ? PACKET_CHANGED : PACKET_SAME;
}

int packet_prefix_parse(const char *text, struct packet_prefix *prefix, struct pt_error *err)
{
	char address[64];
	size_t length = strcspn(text, "/");
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	unsigned most = family == AF_INET ? 32 : 128;

	*prefix = (struct packet_prefix){.size = (uint8_t)(most / 8), .bits = (uint8_t)most};
	if (length < sizeof address) {
		memcpy(address, text, length);
		address[length] = '\0';
	}
	char *end = NULL;
	unsigned long bits = text[length] ? strtoul(text + length + 1, &end, 10) : most;
	if (length >= sizeof address || inet_pton(family, address, prefix->address) != 1 ||
	    (end && (*end || end == text + length + 1)) || bits > most)
		return pt_fail(err, -PT_EPARAM, NULL, "'%s' is no prefix as 10.0.0.0/8 or fd00::/8",
		               text);
	prefix->bits = (uint8_t)bits;
	return 0;
}
