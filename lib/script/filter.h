/* SPDX-License-Identifier: BSD-2-Clause */
/* libpcap's filters on messages of any link type. */
#ifndef SCRIPT_FILTER_H
#define SCRIPT_FILTER_H

#include <pipetool/error.h>
#include <pipetool/msg.h>

/* A filter is compiled for each link type when its first packet comes; a few are kept. One thread
   at a time. */
struct filter;

/* [any thread] Refused, with libpcap's words, if it is right for no common link type. */
int filter_new(const char *text, struct filter **, struct pt_error *);
void filter_free(struct filter *); /* NULL does nothing */

/* Whether the text begins with a field of packets, as one of Wireshark's display filters does. */
bool filter_is_display(const char *text);

/* 1 or 0; -PT_ESCRIPT where the filter makes no sense for the packet's link type. A message that is
   no packet does not match. */
int filter_test(struct filter *, const struct pt_msg *, struct pt_error *);

/* The same of up to 64 at once: a bit for each that matches, and in *unsure one for each that is to
   be tested by itself. */
uint64_t filter_test_many(struct filter *, struct pt_msg *const *messages, unsigned count,
                          uint64_t *unsure);

#endif
