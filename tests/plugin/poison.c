/* SPDX-License-Identifier: BSD-2-Clause */
/* Poison: a message ends the daemon. */
#include <pipetool/block.h>
#include <signal.h>
#include <string.h>

struct poison {
	char *text;
};

static struct pt_msg *act(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	const struct poison *p = pt_state(b);
	size_t length = strlen(p->text);
	for (size_t at = 0; at + length <= m->length; at++)
		if (!memcmp(m->bytes + at, p->text, length))
			raise(SIGKILL);
	return m;
}

static const struct pt_param params[] = {
	{"text", "What it must not see.", PT_STRING(struct poison, text), .flags = PT_REQUIRED},
	{NULL}};

static const struct pt_type poison = {
	.api = PT_API,
	.name = "Poison",
	.summary = "Ends the daemon by a message",
	.picture = "     +--------+\n"
		   "   >-|--------|->\n"
		   "     +--------+\n",
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.routes = PT_ROUTE(PT_LOW, PT_LOW),
	.params = params,
	.size = sizeof(struct poison),
	.act = act,
};

PT_TYPES(poison, &poison);
