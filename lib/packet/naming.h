/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of files that hold fields of packets: "{ip.src}.pcap". */
#ifndef PACKET_NAMING_H
#define PACKET_NAMING_H

#include "base/buf.h"
#include "packet/packet.h"

/*
 * Fields are those of packets (packet.h: of the outer header, and of the outermost tag), and flow,
 * iface, canal and time:FORMAT, as strftime(3) has it, in UTC. "{{" is a brace, and so is "}}" or a
 * "}" alone. What a message has not is "none". In a value bytes but letters, digits and ._:@+- are
 * written %XX, and so is a dot that it begins with; one over 200 bytes is cut, and ends with a hash
 * of the whole.
 */
struct naming;

bool naming_has_fields(const char *name); /* or braces that are to be one */
/* A fault, under fname, of a field that is not known, with the nearest, or a brace that is open. */
int naming_new(const char *name, struct naming **, struct pt_error *);
void naming_free(struct naming *); /* NULL does nothing */

/* `naming` is a struct naming. Where the file of a message stands: as bytes that are equal for the
   same values, and as its name. */
void naming_key(void *naming, const struct pt_msg *, bool high, struct buf *key);
void naming_path(void *naming, const struct pt_msg *, bool high, struct buf *path);
void naming_other(void *naming, struct buf *path); /* "other" in place of all values */

#endif
