/* SPDX-License-Identifier: BSD-2-Clause */
/* What somebody may have meant by a text that is no function. */
#include "script/meant.h"

#include "base/buf.h"
#include "script/native.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t word_length(const char *s)
{
	size_t n = 0;
	while (is_word(s[n]))
		n++;
	return n;
}

static const char *pass_space(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

/* ---- capture filters ---- */

static bool begins_filter(const char *s)
{
	static const char *const words[] = {
		"ah",     "arp",     "broadcast", "carp",    "dst",       "esp",    "ether",
		"fddi",   "gateway", "geneve",    "greater", "host",      "icmp",   "icmp6",
		"ifname", "igmp",    "igrp",      "inbound", "ip",        "ip6",    "iso",
		"len",    "less",    "llc",       "mpls",    "multicast", "net",    "outbound",
		"pim",    "port",    "portrange", "ppp",     "pppoed",    "pppoes", "proto",
		"radio",  "rarp",    "sctp",      "src",     "stp",       "tcp",    "type",
		"udp",    "vlan",    "vrrp",      "wlan"};
	s += strspn(s, " \t\r\n(!");
	if (!strncmp(s, "not", 3) && !is_word(s[3]))
		s += 3 + strspn(s + 3, " \t\r\n(!");
	size_t length = word_length(s);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i]) == length && !memcmp(words[i], s, length))
			return true;
	return false;
}

bool meant_filter(const char *text)
{
	struct filter *filter = NULL;
	if (!begins_filter(text) || filter_new(text, &filter, NULL))
		return false;
	filter_free(filter);
	return true;
}

/* ---- operations ---- */

/* Past the text in quotes that begins here. */
static const char *pass_quoted(const char *s)
{
	char quote = *s++;
	while (*s && *s != quote)
		s += *s == '\\' && s[1] ? 2 : 1;
	return *s ? s + 1 : s;
}

/* The name of a member that begins here, bare or in quotes: "ip.src", and the place behind the sign
   that gives it its value; NULL: there is none. */
static const char *read_key(const char *s, const char **name, size_t *length)
{
	bool quoted = *s == '\'' || *s == '"';
	const char *end = quoted ? pass_quoted(s) : s;
	while (!quoted && (is_word(*end) || *end == '.'))
		end++;
	*name = s + quoted;
	*length = (size_t)(end - s) - (quoted ? 2 : 0);
	if (end - s < 1 + 2 * quoted)
		return NULL;
	s = pass_space(end);
	return (*s == '=' && s[1] != '=') || *s == ':' ? s + 1 : NULL;
}

/* The members of a set{…}, from its bracket on, with their names as Lua wants them. */
static char *mended_set(const char *s)
{
	struct buf b = BUF_INIT;
	const char *end = s + strlen(s), *name;
	size_t length;
	char before = '{';
	while (isspace((unsigned char)end[-1]))
		end--;
	bool round = *s == '(' && end[-1] == ')' && *pass_space(s + 1) != '{';
	buf_addf(&b, "set%c", round ? '{' : *s);
	for (s++; s < end - 1;) {
		const char *value = strchr("{,", before) ? read_key(s, &name, &length) : NULL;
		const char *next = *s == '"' || *s == '\'' ? pass_quoted(s) : s + 1;
		bool space = isspace((unsigned char)*s);
		if (value) {
			bool bare = !memchr(name, '.', length);
			buf_addf(&b, bare ? "%.*s=" : "['%.*s']=", (int)length, name);
			next = pass_space(value);
		} else {
			buf_add(&b, s, (size_t)(next - s));
		}
		before = value ? '=' : space ? before : *s;
		s = next;
	}
	buf_addc(&b, round ? '}' : end[-1]);
	return buf_steal(&b);
}

/* The rest of the text as the operation's argument. */
static char *mended_call(const struct native_op *op, const char *rest)
{
	size_t length = strlen(rest);
	while (length && isspace((unsigned char)rest[length - 1]))
		length--;
	bool number = length && strspn(rest, "0123456789") == length;
	if (!length || memchr(rest, '\'', length))
		return NULL;
	return must_printf(number ? "%s(%.*s)" : "%s '%.*s'", op->name, (int)length, rest);
}

static bool is_lua(struct sandbox *s, const char *text)
{
	int top = lua_gettop(s->lua);
	char *expression = must_printf("return %s", text);
	bool good = !sandbox_load(s, expression, strlen(expression), NULL);
	lua_settop(s->lua, top);
	free(expression);
	return good;
}

char *meant_operation(struct sandbox *s, const char *text)
{
	text = pass_space(text);
	size_t length = word_length(text);
	const struct native_op *op = native_find(text, length);
	if (!op || !op->read || is_lua(s, text))
		return NULL;
	const char *rest = pass_space(text + length);
	bool is_table = *rest == '{' || *rest == '(';
	char *mended = !is_table                  ? mended_call(op, rest)
	               : !strcmp(op->name, "set") ? mended_set(rest)
	                                          : NULL;
	if (mended && is_lua(s, mended))
		return mended;
	free(mended);
	return must_strdup(op->usage);
}
