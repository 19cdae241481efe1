/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages as JSON, and from JSON. */
#ifndef MSG_JSON_H
#define MSG_JSON_H

#include <jansson.h>
#include <pipetool/block.h>

/* {"message": "text" | {"base64": "…"}, "canal": "low", and for packets "time": "1.000000000",
   "link_type": 1, "wire_length": 64; "text": true where it is one. A new reference. */
json_t *msg_to_json(const struct pt_msg *, enum pt_canal);

/* A message from a string, {"base64": …}, {"hex": …}, or an object as above, so that what recv gave
   can be sent again. NULL with the fault in `err`. */
struct pt_msg *msg_from_json(struct pt_pool *, const json_t *, struct pt_error *);

/* The same of what is kept for later. */
int given_from_json(struct pt_given *, const json_t *, struct pt_error *);

/* Bytes alone: text where they are UTF-8 without NUL, else {"base64": …}; and back, also from
   {"hex": …}, added to the buffer. */
struct buf;
json_t *bytes_to_json(const void *bytes, size_t length);
int bytes_from_json(struct buf *, const json_t *, struct pt_error *);

const char *canal_name(enum pt_canal); /* "low", "high", "trigger" */
int canal_parse(const char *, enum pt_canal *);

#endif
