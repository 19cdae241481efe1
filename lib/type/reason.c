/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of reasons. */
#include "type/reason.h"

#include <stddef.h>
#include <string.h>

const struct reason reasons[] = {
	{"filtered", true, "A predicate was false, or a function gave nothing back."},
	{"closed", true, "A valve was closed."},
	{"unlinked", true, "The exit has no link."},
	{"old", true, "It waited longer in a valve than its `seconds`."},
	{"not-udp", true, "It was no UDP packet, where only those have something to go on."},
	{"sampled", true, "It was not among the part that is to go on."},
	{"duplicate", true, "The same came before."},
	{"beyond", true, "As many as are wanted had come."},
	{"left", true, "It was left to the next daemon, which goes on with it."},

	{"error", false, "A function failed on it."},
	{"overflow", false, "A queue was full."},
	{"write-error", false, "A file could not be written."},
	{"unsent", false,
         "It could not be sent: the other side, the engine or the interface had gone."},
	{"send-error", false, "The kernel could not send it."},
	{"kernel", false, "The kernel had no room for it, as a sink was too slow."},
	{"restart", false, "It came while the daemon started anew."},
	{"poison", false, "Going on with it has ended the daemon three times in a row."},
	{"memory", false, "The engine's memory for messages was used up."},
	{"link-type", false,
         "Its link type does not fit the file or the interface, or it has none."},
	{"too-long", false, "It was longer than what may be sent, or kept."},
	{"too-short", false, "It was too short for a frame."},
	{"truncated", false, "Only a part of it was captured, or came."},
	{"opaque", false, "Addresses may hide where it cannot be looked into."},
	{"not-ip", false, "It had no IP header."},
	{"bad-header", false, "Its IP header is wrong."},
	{"no-ipv6", false, "This machine has no IPv6."},
	{"no-route", false, "The machine knows no way to its destination."},
	{"refused", false, "The firewall or the kernel refused to send it."},
	{"no-buffers", false, "The interface took no packets for too long."},
	{"read-only", false, "The descriptor is open for reading alone."},
	{"viewer-closed", false, "The viewer's user has closed it."},
	{"viewer-stalled", false, "The viewer did not read."},
	{"stopped", false, "It came to a block, or waited in one, that had stopped."},
	{"replaced", false, "It was held by a block whose successor could not take it over."},
	{"too-deep", false, "A trigger came back to its block too often."},
	{"other", false, "The block has more reasons than are told apart."},
	{NULL},
};

bool reason_is_filtered(const char *word)
{
	const struct reason *r = reasons;
	while (r->word && strcmp(r->word, word))
		r++;
	return r->filtered;
}
