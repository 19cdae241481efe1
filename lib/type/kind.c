/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of kinds, and what it says in words. */
#include "type/kind.h"

#include "base/buf.h"
#include <errno.h>
#include <string.h>

#define CAN(check, read, schema) kind_check_##check, kind_read_##read, schema_##schema
#define FUNC                     sizeof(struct pt_func *), KIND_TEXT

/* clang-format off */
static const struct kind kinds[] = {
	[PT_KIND_BOOL] = {"bool", "true or false", "", sizeof(bool), 0, CAN(bool, bool, bool)},
	[PT_KIND_INT] = {"int", "an integer", "N", sizeof(int64_t), KIND_RANGE,
	 CAN(number, int, int)},
	[PT_KIND_NUMBER] = {"number", "a number", "TEXT", sizeof(double), KIND_RANGE,
	 CAN(number, number, number)},
	[PT_KIND_SIZE] = {"size", "a size such as 4096 or '64MiB'", "TEXT", sizeof(uint64_t),
	 KIND_RANGE, CAN(number, size, size)},
	[PT_KIND_SECONDS] = {"seconds", "a time such as 0.5 (seconds) or '100ms'", "SECONDS",
	 sizeof(double), KIND_RANGE, CAN(number, seconds, seconds)},
	[PT_KIND_RATE] = {"rate", "bits a second, as '10Mbit' or '2.5Gbit'", "TEXT", sizeof(double),
	 KIND_TEXT, CAN(rate, rate, text)},
	[PT_KIND_STRING] = {"string", "text", "TEXT", sizeof(char *), KIND_TEXT,
	 CAN(text, string, text), kind_release_string},
	[PT_KIND_PATH] = {"path", "a file's path", "FILE", sizeof(char *), KIND_TEXT,
	 CAN(text, path, text), kind_release_string},
	[PT_KIND_FILE] = {"file", "a file's path, or a descriptor that comes with the request: "
	 "{\"fd\": 0}", "TEXT", sizeof(struct pt_file), KIND_TEXT, CAN(file, file, file),
	 kind_release_file},
	[PT_KIND_FILES] = {"files", "a file's path, a glob, a descriptor {\"fd\": 0}, or a list of "
	 "them", "TEXT", sizeof(struct pt_files), KIND_TEXT, CAN(files, files, files),
	 kind_release_files},
	[PT_KIND_CHOICE] = {"choice", "one of", "TEXT", sizeof(int), KIND_TEXT | KIND_MINUS,
	 CAN(choice, choice, choice)},
	[PT_KIND_BYTES] = {"bytes", "text, {\"hex\": …} or {\"base64\": …}", "TEXT",
	 sizeof(struct pt_bytes), 0, CAN(bytes, bytes, bytes), kind_release_bytes},
	[PT_KIND_MESSAGE] = {"message", "a message: text, {\"hex\": …}, {\"base64\": …}, or one "
	 "that block.recv gave", "TEXT", sizeof(struct pt_given), 0,
	 CAN(message, message, message), kind_release_message},
	[PT_KIND_MESSAGES] = {"messages", "a message or a list of messages: text, {\"hex\": …}, "
	 "{\"base64\": …}, or what block.recv gave", "TEXT", sizeof(struct pt_given_list), 0,
	 CAN(messages, messages, messages), kind_release_messages},
	[PT_KIND_STRINGS] = {"strings", "text or a list of texts", "TEXT", sizeof(char **), 0,
	 CAN(strings, strings, strings), kind_release_strings},
	[PT_KIND_TRANSFORM] = {"transform", "the text of a function, as 'reverse' or 'function(m) "
	 "return m end'", "TEXT", FUNC, CAN(func, func, func), kind_release_func},
	[PT_KIND_PREDICATE] = {"predicate", "the text of a predicate, as 'always' or 'function(m) "
	 "return #m > 100 end'", "TEXT", FUNC, CAN(func, func, func), kind_release_func},
	[PT_KIND_FILTER] = {"filter", "a capture filter, as 'tcp port 443'", "TEXT", FUNC,
	 CAN(text, func, text), kind_release_func},
	[PT_KIND_LINKTYPE] = {"linktype", "a link type: a number from 0 to 65535, a name such as "
	 "'EN10MB', or None", "TEXT", sizeof(int), KIND_MINUS, CAN(linktype, linktype, linktype)},
	[PT_KIND_FD] = {"fd", "a descriptor that comes with the request: its number from 0, or "
	 "{\"fd\": 0}; or the name of one that the daemon was started with", "TEXT", sizeof(int),
	 KIND_MINUS, CAN(fd, fd, fd), kind_release_fd},
	[PT_KIND_OBJECT] = {"object", "an object", "TEXT", 0, 0, CAN(object, object, object),
	 kind_release_object},
	[PT_KIND_LIST] = {"list", "a list", "TEXT", sizeof(json_t *), 0, CAN(list, json, list),
	 kind_release_json},
	[PT_KIND_VARIANTS] = {"variants", "a list of objects, each with its \"op\"", "TEXT",
	 sizeof(json_t *), 0, CAN(variants, json, variants), kind_release_json},
	[PT_KIND_JSON] = {"json", "any value", "TEXT", sizeof(json_t *), 0, CAN(any, json, any),
	 kind_release_json},
};
/* clang-format on */

#define KINDS (sizeof kinds / sizeof *kinds)

static const struct kind *kind_numbered(enum pt_kind kind)
{
	static const struct kind unknown = {
		"unknown", "of a known kind",   "TEXT",           sizeof(json_t *),
		0,         CAN(any, json, any), kind_release_json};
	return (size_t)kind < KINDS && kinds[kind].name ? &kinds[kind] : &unknown;
}

const struct kind *kind_of(const struct pt_param *row)
{
	return kind_numbered(row->kind);
}

const char *param_kind_name(enum pt_kind kind)
{
	return kind_numbered(kind)->name;
}

int param_kind_parse(const char *name, enum pt_kind *kind)
{
	for (unsigned i = 1; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name)) {
			*kind = (enum pt_kind)i;
			return 0;
		}
	return -EINVAL;
}

void param_range_doc(struct buf *b, double min, double max)
{
	if (max > min && max < 1e9)
		buf_addf(b, " From %.16g to %.16g.", min, max);
	else if (min != 0)
		buf_addf(b, " At least %.16g.", min);
}

static void add_range(struct buf *b, const struct pt_param *row)
{
	if (row->min == 0 && row->max == 0)
		return;
	if (row->max < row->min)
		buf_addf(b, " of at least %.16g", row->min);
	else
		buf_addf(b, " from %.16g to %.16g", row->min, row->max);
}

char *param_kind_words(const struct pt_param *row)
{
	struct buf b = BUF_INIT;
	buf_adds(&b, kind_of(row)->words);
	for (const struct pt_param *m = row->kind == PT_KIND_OBJECT ? row->members : NULL;
	     m && m->name; m++)
		buf_addf(&b, "%s '%s'",
		         m == row->members ? " with"
		         : m[1].name       ? ","
		                           : " or",
		         m->name);
	if (row->kind == PT_KIND_OBJECT && row->choices)
		buf_adds(&b, ", or one of");
	if (row->kind == PT_KIND_STRINGS && row->choices)
		buf_adds(&b, ", each one of");
	for (const char *const *c = row->choices; c && *c; c++)
		buf_addf(&b, "%s '%s'", c == row->choices ? "" : ",", *c);
	if (kind_of(row)->traits & KIND_RANGE)
		add_range(&b, row);
	return buf_steal(&b);
}
