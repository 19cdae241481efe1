/* SPDX-License-Identifier: BSD-2-Clause */
/* anonymize{…}: what it is told, where its key comes from, and what becomes of a message. */
#include "script/anonymize.h"

#include "base/error.h"
#include "base/io.h"
#include "base/near.h"
#include "msg/origin.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_SIZE = 32, KEEP_MAX = 256, FILE_MAX = 256 };

/* Where the key comes from; RANDOM: the engine, anew at each start. */
enum source { RANDOM, KEY, PASSPHRASE, KEY_FILE };

struct anonymize {
	enum source source;
	char *text; /* the passphrase, the file's path */
	uint8_t key[KEY_SIZE];
	struct packet_prefix *keep;
	struct packet_anonymizer_options options;
	struct packet_anonymizer *anonymizer; /* NULL: not opened yet */
};

static bool from_hex(const char *text, size_t length, uint8_t key[KEY_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	if (length != 2 * KEY_SIZE)
		return false;
	for (size_t i = 0; i < length; i++) {
		const char *digit = text[i] ? strchr(digits, text[i] | 0x20) : NULL;
		if (!digit)
			return false;
		key[i / 2] = (uint8_t)(key[i / 2] << 4 | (digit - digits));
	}
	return true;
}

/* ---- members: the value is on top of the stack ---- */

static int read_key(struct anonymize *a, lua_State *L, struct pt_error *err)
{
	a->source = KEY;
	if (lua_type(L, -1) == LUA_TSTRING &&
	    from_hex(lua_tostring(L, -1), lua_rawlen(L, -1), a->key))
		return 0;
	return pt_fail(err, -PT_ESCRIPT, NULL,
	               "the key of anonymize is 64 hex digits, as "
	               "'openssl rand -hex 32' prints them; a text of "
	               "one's own is its `passphrase`");
}

static int read_text(struct anonymize *a, lua_State *L, enum source source, const char *what,
                     struct pt_error *err)
{
	a->source = source;
	if (lua_type(L, -1) != LUA_TSTRING || !lua_rawlen(L, -1) ||
	    strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
		return pt_fail(err, -PT_ESCRIPT, NULL, "%s of anonymize is a text", what);
	free(a->text);
	a->text = must_strdup(lua_tostring(L, -1));
	return 0;
}

static int read_passphrase(struct anonymize *a, lua_State *L, struct pt_error *err)
{
	return read_text(a, L, PASSPHRASE, "the passphrase", err);
}

static int read_key_file(struct anonymize *a, lua_State *L, struct pt_error *err)
{
	return read_text(a, L, KEY_FILE, "the key_file", err);
}

static int read_prefix(struct anonymize *a, lua_State *L, struct pt_error *err)
{
	if (lua_type(L, -1) != LUA_TSTRING)
		return pt_fail(err, -PT_ESCRIPT, NULL,
		               "anonymize keeps a list of prefixes: keep={'10.0.0.0/8'}");
	if (a->options.keep_count == KEEP_MAX)
		return pt_fail(err, -PT_ESCRIPT, NULL, "anonymize keeps no more than %d prefixes",
		               KEEP_MAX);
	return packet_prefix_parse(lua_tostring(L, -1), &a->keep[a->options.keep_count++], err);
}

static int read_keep(struct anonymize *a, lua_State *L, struct pt_error *err)
{
	int rc = 0;
	free(a->keep);
	a->keep = must_calloc(KEEP_MAX, sizeof *a->keep);
	a->options.keep = a->keep;
	a->options.keep_count = 0;
	if (!lua_istable(L, -1))
		return read_prefix(a, L, err);
	for (lua_Integer i = 1; !rc && i <= (lua_Integer)lua_rawlen(L, -1); i++) {
		lua_rawgeti(L, -1, i);
		rc = read_prefix(a, L, err);
		lua_pop(L, 1);
	}
	return rc;
}

static int read_mac(struct anonymize *a, lua_State *L, struct pt_error *err)
{
	if (!lua_isboolean(L, -1))
		return pt_fail(err, -PT_ESCRIPT, NULL, "mac of anonymize is true or false");
	a->options.mac = lua_toboolean(L, -1);
	return 0;
}

/* The index of the word; -1: it is none of them. */
static int word_of(lua_State *L, const char *const *words)
{
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	for (int i = 0; words[i]; i++)
		if (!strcmp(text, words[i]))
			return i;
	return -1;
}

static int read_payload(struct anonymize *a, lua_State *L, struct pt_error *err)
{
	static const char *const words[] = {
		[PACKET_KEEP] = "keep", [PACKET_ZERO] = "zero", [PACKET_CUT] = "cut", NULL};
	int word = word_of(L, words);
	if (word < 0)
		return pt_fail(err, -PT_ESCRIPT, NULL,
		               "payload of anonymize is 'keep', 'zero' or 'cut'");
	a->options.payload = (unsigned)word;
	return 0;
}

static int read_opaque(struct anonymize *a, lua_State *L, struct pt_error *err)
{
	static const char *const words[] = {"drop", "pass", NULL};
	int word = word_of(L, words);
	if (word < 0)
		return pt_fail(err, -PT_ESCRIPT, NULL, "opaque of anonymize is 'drop' or 'pass'");
	a->options.pass_opaque = word;
	return 0;
}

static const struct member {
	const char *name;
	int (*read)(struct anonymize *, lua_State *, struct pt_error *);
	bool secret; /* it, or where it is; at most one of these is given */
} members[] = {
	{"key", read_key, true},           {"passphrase", read_passphrase, true},
	{"key_file", read_key_file, true}, {"keep", read_keep, false},
	{"mac", read_mac, false},          {"payload", read_payload, false},
	{"opaque", read_opaque, false},
};

enum { MEMBERS = sizeof members / sizeof members[0] };

static const struct member *member_at(lua_State *L, struct pt_error *err)
{
	const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
	struct near near = near_init(name);

	for (unsigned i = 0; i < MEMBERS; i++) {
		near_try(&near, members[i].name);
		if (!strcmp(members[i].name, name))
			return &members[i];
	}
	pt_fail(err, -PT_ESCRIPT, NULL,
	        "anonymize takes key, passphrase or key_file, and keep, mac, payload, opaque, not "
	        "'%s'%s",
	        *name ? name : "a value without a name", near_say(&near, ""));
	return NULL;
}

static int read_members(struct anonymize *a, lua_State *L, struct pt_error *err)
{
	const char *secret = NULL;
	int rc = 0;

	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		const struct member *m = member_at(L, err);
		int one = m ? m->read(a, L, err) : -PT_ESCRIPT;
		if (m && m->secret && secret)
			one = pt_fail(err, -PT_ESCRIPT, NULL,
			              "anonymize takes one of key, passphrase and key_file, not "
			              "two");
		if (m && m->secret)
			secret = m->name;
		rc = rc ? rc : one;
	}
	return rc;
}

int anonymize_read(struct native *n, lua_State *L, struct pt_error *err)
{
	struct anonymize *a = n->anonymize = must_calloc(1, sizeof *a);

	if (lua_isnil(L, -1))
		return 0;
	if (!lua_istable(L, -1))
		return pt_fail(err, -PT_ESCRIPT, NULL, "anonymize takes a table: %s", n->op->usage);
	lua_pushnil(L);
	if (!lua_next(L, -2))
		return pt_fail(
			err, -PT_ESCRIPT, NULL,
			"anonymize{} is told nothing; anonymize alone takes a key of its own");
	lua_pop(L, 2);
	int rc = read_members(a, L, err);
	if (rc || a->source != KEY)
		return rc;
	return packet_anonymizer_new(a->key, &a->options, &a->anonymizer, err);
}

/* ---- keys ---- */

static bool key_from_text(struct anonymize *a, const char *text, size_t size)
{
	if (size == KEY_SIZE) {
		memcpy(a->key, text, KEY_SIZE);
		return true;
	}
	while (size && strchr(" \t\r\n", text[size - 1]) && text[size - 1])
		size--;
	return from_hex(text, size, a->key);
}

static int key_from_file(struct anonymize *a, const struct func_site *site, struct pt_error *err)
{
	struct buf text = BUF_INIT;
	int fd = site->open(site->arg, a->text, err);
	if (fd < 0)
		return fd;
	int rc = io_read(fd, FILE_MAX, &text);
	close(fd);
	if (rc && rc != -EFBIG)
		pt_fail(err, rc, NULL, "the key_file '%s' cannot be read: %s", a->text,
		        error_words(rc));
	else if (rc || !key_from_text(a, text.data, text.length))
		rc = pt_fail(
			err, -PT_ESCRIPT, NULL,
			"the key_file '%s' of anonymize holds neither 64 hex digits nor 32 bytes",
			a->text);
	buf_free(&text);
	return rc;
}

const char *anonymize_file(const struct native *n)
{
	return n->anonymize->source == KEY_FILE ? n->anonymize->text : NULL;
}

static int take_key(struct anonymize *a, const struct func_site *site, struct pt_error *err)
{
	switch (a->source) {
	case KEY: break;
	case RANDOM: memcpy(a->key, site->secret, KEY_SIZE); break;
	case PASSPHRASE: return packet_key_stretch(a->text, a->key, err);
	case KEY_FILE: return key_from_file(a, site, err);
	}
	return 0;
}

int anonymize_open(struct native *n, const struct func_site *site, struct pt_error *err)
{
	struct anonymize *a = n->anonymize;
	int rc = take_key(a, site, err);
	if (rc)
		return rc;
	packet_anonymizer_free(a->anonymizer);
	a->anonymizer = NULL;
	return packet_anonymizer_new(a->key, &a->options, &a->anonymizer, err);
}

void anonymize_free(struct anonymize *a)
{
	if (!a)
		return;
	packet_anonymizer_free(a->anonymizer);
	if (a->text)
		explicit_bzero(a->text, strlen(a->text));
	explicit_bzero(a->key, sizeof a->key);
	free(a->text);
	free(a->keep);
	free(a);
}

/* ---- messages ---- */

int anonymize_transform(struct native *n, struct pt_msg **m, struct pt_error *err)
{
	struct anonymize *a = n->anonymize;
	if (!pt_msg_is_packet(*m))
		return 0;
	if (!a->anonymizer)
		return pt_fail(err, -PT_ESCRIPT, NULL,
		               "anonymize has no key before its block starts");
	uint8_t *bytes = pt_msg_edit(m);
	size_t length = (*m)->length;
	if (!bytes)
		return pt_fail(err, -ENOMEM, NULL, "the memory limit for messages is reached");
	if (packet_anonymize(a->anonymizer, bytes, &length, (*m)->link_type) == PACKET_OPAQUE)
		return FUNC_OPAQUE;
	if (length < (*m)->length && pt_msg_truncate(m, length))
		return pt_fail(err, -ENOMEM, NULL, "the memory limit for messages is reached");
	if ((*m)->origin)
		pt_msg_set_origin(*m, origin_alone((*m)->origin));
	return 0;
}
