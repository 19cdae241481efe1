/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and their pseudonyms. */
#ifndef PACKET_PSEUDONYM_H
#define PACKET_PSEUDONYM_H

#include "packet/packet.h"

/*
 * Crypto-PAn over 32, 128 or 48 bits. Special addresses and kept prefixes are their own pseudonyms;
 * what they embed of another's address is not: see special.c.
 */
struct pseudonyms;
int pseudonyms_new(const uint8_t key[32], const struct packet_prefix *keep, size_t keep_count,
                   struct pseudonyms **, struct pt_error *);
void pseudonyms_free(struct pseudonyms *);

uint32_t pseudonym_of_ip(struct pseudonyms *, uint32_t ip);
void pseudonym_ip(struct pseudonyms *, uint8_t address[4]);
void pseudonym_ip6(struct pseudonyms *, uint8_t address[16], bool mac);
void pseudonym_mac(struct pseudonyms *, uint8_t address[6]); /* groups stay */

/* The same of a solicited-node group, whose last three bytes are those of an address: of `of` if
   they are (NULL: none), else by themselves. */
bool pseudonym_is_solicited(const uint8_t address[16]);
void pseudonym_solicited(struct pseudonyms *, uint8_t group[16], const uint8_t *of, bool mac);

#endif
