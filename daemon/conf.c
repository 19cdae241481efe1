/* SPDX-License-Identifier: BSD-2-Clause */
/* inih takes lines apart; the tables say what may stand there. */
#include "daemon/conf.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "base/near.h"
#include "fleet/gate.h"
#include "fleet/label.h"
#include "paths.h"
#include "type/param.h"
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILE_MAX = 1024 * 1024 };

static const char *const levels[] = {"error", "warning", "info", "debug", NULL};

/* clang-format off */
static const struct pt_param daemon_rows[] = {
	{"socket", "The control socket's path.", PT_PATH(struct conf, socket), .fallback = "None"},
	{"viewer_socket", "The path of a second socket, by which every local user may look, and no "
	 "more.",
	 PT_PATH(struct conf, viewer_socket), .fallback = "None"},
	{"engines", "The folder of the engines that are started with the daemon.",
	 PT_PATH(struct conf, engines), .fallback = PIPETOOL_CONFIG_DIR "/engines.d"},
	{"blocks", "The folder of custom blocks in Lua.",
	 PT_PATH(struct conf, blocks), .fallback = PIPETOOL_CONFIG_DIR "/blocks.d"},
	{"state", "The folder in which the daemon keeps what must survive it.",
	 PT_PATH(struct conf, state), .fallback = "None"},
	{"retry", "How long until an engine that could not be started is tried again; twice as "
	 "long after each try, up to a minute.",
	 PT_SECONDS(struct conf, retry_s), .fallback = "2s", .min = 0.01, .max = 3600},
	{"log_level", "What is logged: this and what is worse.",
	 PT_CHOICE(struct conf, log_level), .fallback = "info", .choices = levels},
	{0}
};

static const struct pt_param access_rows[] = {
	{"admin", "Users and @groups who may do everything; root and the daemon's own user always "
	 "may.",
	 PT_STRINGS(struct conf, admin), .fallback = "@pipetool"},
	{"operator", "Users and @groups who may look, send, receive, start and stop.",
	 PT_STRINGS(struct conf, operator), .fallback = "None"},
	{"viewer", "Users and @groups who may look.",
	 PT_STRINGS(struct conf, viewer), .fallback = "None"},
	{0}
};

static const struct pt_param files_rows[] = {
	{"allow", "Folders, separated by ':', in which blocks may open files.",
	 PT_STRINGS(struct conf, files), .fallback = "/"},
	{0}
};

static const struct pt_param programs_rows[] = {
	{"allow", "Programs that blocks may run; * is any.", PT_STRINGS(struct conf, programs),
	 .fallback = "[\"wireshark\", \"tshark\", \"xterm\", \"tmux\"]"},
	{0}
};

static const struct pt_param limits_rows[] = {
	{"connections", "Connections to the control socket at the same time.",
	 PT_INT(struct conf, connections), .fallback = "1024", .min = 1, .max = 65536},
	{"engines", "Engines at the same time.",
	 PT_INT(struct conf, engines_max), .fallback = "1024", .min = 1, .max = 65536},
	{"blocks", "Blocks in one engine.",
	 PT_INT(struct conf, blocks_max), .fallback = "16384", .min = 1, .max = 65536},
	{"line", "Bytes of one request; those of more than 1 MiB share 64 MiB over all "
	         "connections.",
	 PT_SIZE(struct conf, line), .fallback = "16MiB", .min = 1024, .max = 1073741824},
	{"memory", "Bytes of messages that one engine may hold.",
	 PT_SIZE(struct conf, memory), .fallback = "256MiB", .min = 1048576, .max = -1},
	{0}
};

static const struct pt_param http_rows[] = {
	{"listen", "Where the counts and the page are served: 127.0.0.1:8739, [::1]:8739 or the "
	 "path of a Unix socket. Whoever can reach it may look, and no more.",
	 PT_STRING(struct conf, http_listen), .fallback = "None"},
	{"taps", "Whether messages are shown and traced there, too, where it is no Unix socket.",
	 PT_BOOL(struct conf, http_taps), .fallback = "false"},
	{"public", "Whether it may be another address than this host's own.",
	 PT_BOOL(struct conf, http_public), .fallback = "false"},
	{"hosts", "Names that it is called by, beside its address and localhost.",
	 PT_STRINGS(struct conf, http_hosts), .fallback = "None"},
	{0}
};

static const struct pt_param fleet_rows[] = {
	{"from", "A folder of graphs for many hosts: the daemon itself makes of its engines what "
	 "lies there, at the start, at a reload, and when it changes.",
	 PT_PATH(struct conf, fleet_from), .fallback = "None"},
	{"labels", "What this host is, for the graphs that are not for all: role=edge site=north.",
	 PT_STRINGS(struct conf, fleet_labels), .fallback = "None"},
	{"key", "Who may sign: a public key of ssh-keygen, or the path of a file of such or of "
	 "allowed signers. A folder is only taken if its SHA256SUMS.sig is by one of them.",
	 PT_STRING(struct conf, fleet_key), .fallback = "None"},
	{"gate", "What has to hold afterwards, else it goes back.",
	 PT_STRING(struct conf, fleet_gate), .fallback = GATE_USUAL},
	{"soak", "For how long that is watched.",
	 PT_SECONDS(struct conf, fleet_soak_s), .fallback = "10s", .max = 604800},
	{"prune", "Whether engines that came from there and do not lie there any more go.",
	 PT_BOOL(struct conf, fleet_prune), .fallback = "false"},
	{0}
};

static const struct pt_param script_rows[] = {
	{"time", "How long a script may take for one message.",
	 PT_SECONDS(struct conf, script_time_s), .fallback = "100ms", .min = 0.001, .max = 3600},
	{"memory", "Bytes of memory that one script may use.",
	 PT_SIZE(struct conf, script_memory), .fallback = "16MiB", .min = 1048576, .max = -1},
	{0}
};
/* clang-format on */

const struct conf_section conf_sections[] = {
	{"daemon", daemon_rows},     {"access", access_rows}, {"files", files_rows},
	{"programs", programs_rows}, {"limits", limits_rows}, {"script", script_rows},
	{"http", http_rows},         {"fleet", fleet_rows},   {0},
};

struct reading {
	const char *text, *end; /* what is left of it */
	unsigned line;
	json_t *values; /* {section: {key: value}} */
	struct pt_error *err;
};

static int complain(struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int complain(struct reading *r, const char *fmt, ...)
{
	struct buf words = BUF_INIT;
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&words, fmt, args);
	va_end(args);
	pt_fail(r->err, -PT_EPARAM, NULL, "line %u: %s", r->line, words.data);
	buf_free(&words);
	return 1;
}

static bool is_comment(const char *at, const char *begin)
{
	return (*at == '#' || *at == ';') && (at == begin || isspace((unsigned char)at[-1]));
}

static const struct conf_section *find_section(const char *name)
{
	for (const struct conf_section *s = conf_sections; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/* Here, and not at its keys: it may have none. */
static void check_section(struct reading *r, const char *line)
{
	const char *end = strchr(line, ']');
	if (*line != '[' || !end)
		return;
	char *name = must_printf("%.*s", (int)(end - line - 1), line + 1);
	struct near near = near_init(name);
	for (const struct conf_section *s = conf_sections; s->name; s++)
		near_try(&near, s->name);
	near.open = "[", near.close = "]";
	if (!find_section(name))
		complain(r, "unknown section [%s]%s", name, near_say(&near, ""));
	free(name);
}

/* A line for inih: without its indentation, which would make it the line before's continuation,
   and without its comment. */
static char *next_line(char *room, int size, void *stream)
{
	struct reading *r = stream;
	if (r->text == r->end)
		return NULL;
	r->line++;
	const char *newline = memchr(r->text, '\n', (size_t)(r->end - r->text));
	const char *begin = r->text, *end = newline ? newline : r->end;
	r->text = newline ? newline + 1 : r->end;
	while (begin < end && isspace((unsigned char)*begin))
		begin++;
	size_t length = 0;
	while (begin + length < end && !is_comment(begin + length, begin))
		length++;
	room[0] = '\0';
	if (length + 2 > (size_t)size) {
		complain(r, "longer than %d bytes", size - 2);
	} else if (memchr(begin, '\0', length)) {
		complain(r, "a NUL byte");
	} else {
		memcpy(room, begin, length);
		memcpy(room + length, "\n", 2);
		check_section(r, room);
	}
	return room;
}

/* NULL: not UTF-8. */
static json_t *list_value(const char *text, const char *separators)
{
	json_t *list = json_array();
	char *copy = must_strdup(text), *rest = copy, *item;
	bool good = true;
	while ((item = strsep(&rest, separators)))
		if (*item)
			good &= !json_array_append_new(list, json_string(item));
	free(copy);
	if (good)
		return list;
	json_decref(list);
	return NULL;
}

/* A list of folders: with colons between them, as everywhere. */
static bool has_folders(const struct pt_param *row)
{
	return row->kind == PT_KIND_STRINGS && row->fallback[0] == '/';
}

static json_t *value_of(const struct pt_param *row, const char *text)
{
	char *end;
	if (row->kind == PT_KIND_STRINGS)
		return list_value(text, has_folders(row) ? ":" : ", \t");
	if (row->kind == PT_KIND_BOOL && (!strcasecmp(text, "yes") || !strcasecmp(text, "true")))
		return json_true();
	if (row->kind == PT_KIND_BOOL && (!strcasecmp(text, "no") || !strcasecmp(text, "false")))
		return json_false();
	if (row->kind == PT_KIND_INT) {
		errno = 0;
		long long n = strtoll(text, &end, 10);
		if (*text && !*end && !errno)
			return json_integer(n);
	}
	return json_string(text); /* NULL: not UTF-8 */
}

static const struct pt_param *find_key(struct reading *r, const struct conf_section *section,
                                       const char *name)
{
	const struct pt_param *row = param_find(section->rows, name);
	if (row)
		return row;
	struct near near = near_init(name);
	for (row = section->rows; row->name; row++)
		near_try(&near, row->name);
	complain(r, "unknown key '%s' in [%s]%s", name, section->name, near_say(&near, ""));
	return NULL;
}

static void check_folders(struct reading *r, const json_t *list)
{
	json_each (folder, list)
		if (*json_string_value(folder) != '/')
			complain(r, "'%s' is no folder from / on, as in /srv/captures",
			         json_string_value(folder));
}

static int handle(void *user, const char *section_name, const char *key, const char *text)
{
	struct reading *r = user;
	const struct conf_section *section = find_section(section_name);
	if (!*section_name)
		complain(r, "a key before the first [section]");
	const struct pt_param *row = section ? find_key(r, section, key) : NULL;
	if (!row)
		return 1;
	json_t *values = json_object_get(r->values, section->name);
	json_t *earlier = json_object_get(values, key), *value = value_of(row, text);
	struct pt_error faults = PT_ERROR_INIT;
	if (!value || (!*text && row->kind != PT_KIND_STRINGS)) {
		json_decref(value);
		return complain(r, value ? "'%s' has no value" : "'%s' is not UTF-8", key);
	}
	if (param_check_value(row, value, &faults)) {
		complain(r, "%s", faults.faults[0].message);
		if (faults.faults[0].hint)
			pt_hint(r->err, "%s", faults.faults[0].hint);
	} else if (has_folders(row))
		check_folders(r, value);
	pt_error_clear(&faults);
	if (!earlier)
		json_object_set(values, key, value);
	else if (row->kind == PT_KIND_STRINGS) /* a list may go on in further lines */
		json_array_extend(earlier, value);
	else
		complain(r, "'%s' is given twice", key);
	json_decref(value);
	return 1;
}

static int check_labels(char *const *texts, struct pt_error *err)
{
	json_t *labels = json_object();
	int code = 0;
	for (; texts && *texts && !code; texts++)
		if (!label_set(labels, *texts))
			code = pt_fail(err, -PT_EPARAM, NULL,
			               "[fleet] labels: '%s' has no name, or is there twice",
			               *texts);
	json_decref(labels);
	return code;
}

static int check_fleet(const struct conf *conf, struct pt_error *err)
{
	struct gate *gate = NULL;
	size_t before = err->count;
	const char *from = conf->fleet_from;
	int code = gate_read(conf->fleet_gate, &gate, err);
	error_introduce(err, before, "[fleet] gate");
	gate_free(gate);
	if (!code && from && *from != '/')
		code = pt_fail(err, -PT_EPARAM, NULL,
		               "[fleet] from: '%s' is no folder from / on, as /srv/graphs", from);
	return code ? code : check_labels(conf->fleet_labels, err);
}

static int fill(json_t *values, struct conf *conf, struct pt_error *err)
{
	const struct param_env env = {0};
	struct conf read = {0};
	int code = 0;
	for (const struct conf_section *s = conf_sections; s->name && !code; s++)
		code = param_read(s->rows, json_object_get(values, s->name), &read, &env, err);
	if (!code)
		code = check_fleet(&read, err);
	if (code)
		conf_clear(&read);
	else
		*conf = read;
	return code;
}

int conf_read_text(const char *text, size_t length, struct conf *conf, struct pt_error *err)
{
	struct pt_error faults = PT_ERROR_INIT;
	struct reading r = {text, text + length, 0, json_object(), &faults};
	for (const struct conf_section *s = conf_sections; s->name; s++)
		json_object_set_new(r.values, s->name, json_object());
	int bad_line = ini_parse_stream(next_line, &r, handle, &r);
	if (bad_line > 0) {
		r.line = (unsigned)bad_line;
		complain(&r, "neither [section] nor key = value");
	}
	int code = faults.count ? faults.faults[0].code : fill(r.values, conf, &faults);
	error_move(err, &faults);
	json_decref(r.values);
	return code;
}

void conf_default(struct conf *conf)
{
	if (conf_read_text("", 0, conf, NULL))
		abort(); /* a table that contradicts itself */
}

int conf_read(const char *path, bool optional, struct conf *conf, struct pt_error *err)
{
	struct buf text = BUF_INIT;
	int code = io_read_file(path, 0, FILE_MAX, &text);
	if (code == -ENOENT && optional) {
		conf_default(conf);
		return 0;
	}
	if (code)
		pt_fail(err, code, NULL, "cannot be read: %s", error_words(code));
	else
		code = conf_read_text(text.data, text.length, conf, err);
	buf_free(&text);
	return code;
}

void conf_clear(struct conf *conf)
{
	for (const struct conf_section *s = conf_sections; s->name; s++)
		param_release(s->rows, conf, NULL);
}
