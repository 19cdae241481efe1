/* SPDX-License-Identifier: BSD-2-Clause */
/* One table for reading and for --help. */
#include "daemon/options.h"

#include "base/error.h"
#include "base/near.h"
#include "paths.h"
#include "type/param.h"
#include <string.h>

static const char *const levels[] = {"error", "warning", "info", "debug", NULL};

/* clang-format off */
const struct pt_param options_rows[] = {
	{"socket", "Listen on this path, whatever $PIPETOOL_SOCKET and the configuration say.",
	 PT_PATH(struct options, socket), .fallback = "None", .letter = 's'},
	{"config", "Read this configuration; without it "
	 PIPETOOL_CONFIG_DIR "/pipetoold.conf, if it is there.",
	 PT_PATH(struct options, config), .fallback = "None", .letter = 'c'},
	{"engines", "Start the engines in this folder, one for each *.pipe file.",
	 PT_PATH(struct options, engines), .fallback = "None"},
	{"blocks", "Take custom blocks from this folder.",
	 PT_PATH(struct options, blocks), .fallback = "None"},
	{"state", "Keep in this folder what must survive the daemon.",
	 PT_PATH(struct options, state), .fallback = "None"},
	{"log-level", "Log this and what is worse.",
	 PT_CHOICE(struct options, log_level), .fallback = "None", .choices = levels},
	{"check", "Try configuration, blocks and engines without starting any, say what is wrong, "
	 "and end.",
	 PT_BOOL(struct options, check), .fallback = "false"},
	{"version", "Print the version and end.",
	 PT_BOOL(struct options, version), .fallback = "false", .letter = 'V'},
	{"help", "Print this and end.",
	 PT_BOOL(struct options, help), .fallback = "false", .letter = 'h'},
	{0}
};
/* clang-format on */

static const struct pt_param *find(const char *name, size_t length)
{
	for (const struct pt_param *row = options_rows; row->name; row++)
		if (strlen(row->name) == length && !memcmp(row->name, name, length))
			return row;
	return NULL;
}

static const struct pt_param *find_letter(char letter)
{
	for (const struct pt_param *row = options_rows; row->name; row++)
		if (row->letter && row->letter == letter)
			return row;
	return NULL;
}

static int unknown(const char *word, struct pt_error *err)
{
	char *name = must_strdup(word + strspn(word, "-"));
	name[strcspn(name, "=")] = '\0';
	struct near near = near_init(name);
	for (const struct pt_param *row = options_rows; row->name; row++)
		near_try(&near, row->name);
	near.open = "'--";
	pt_fail(err, -PT_EPARAM, NULL, "unknown option '%s'%s", word, near_say(&near, ""));
	free(name);
	return -PT_EPARAM;
}

/* Adds the option at argv[*at], and its value, to `values`. */
static int read_one(int argc, char *const *argv, int *at, json_t *values, struct pt_error *err)
{
	const char *word = argv[*at], *value = NULL;
	const struct pt_param *row = NULL;
	if (!strncmp(word, "--", 2)) {
		size_t length = strcspn(word + 2, "=");
		row = find(word + 2, length);
		value = word[2 + length] ? word + 2 + length + 1 : NULL;
	} else if (word[0] == '-' && word[1]) {
		row = find_letter(word[1]);
		value = word[2] ? word + 2 : NULL;
	} else {
		return pt_fail(err, -PT_EPARAM, NULL,
		               "'%s' is no option; there is nothing but options", word);
	}
	if (!row)
		return unknown(word, err);
	if (row->kind == PT_KIND_BOOL && value)
		return pt_fail(err, -PT_EPARAM, NULL, "--%s takes no value", row->name);
	if (row->kind == PT_KIND_BOOL)
		return json_object_set_new(values, row->name, json_true());
	if (!value && *at + 1 < argc)
		value = argv[++*at];
	if (!value || !*value)
		return pt_fail(err, -PT_EPARAM, NULL, "--%s needs a value", row->name);
	if (json_object_set_new(values, row->name, json_string(value)))
		return pt_fail(err, -PT_EPARAM, NULL, "the value of --%s is not UTF-8", row->name);
	return 0;
}

int options_read(int argc, char *const *argv, struct options *options, struct pt_error *err)
{
	json_t *values = json_object();
	int code = 0;
	for (int i = 1; i < argc && !code; i++)
		code = read_one(argc, argv, &i, values, err);
	if (!code)
		code = param_check(options_rows, values, err);
	if (!code)
		code = param_read(options_rows, values, options, NULL, err);
	json_decref(values);
	return code;
}

void options_clear(struct options *options)
{
	param_release(options_rows, options, NULL);
}

const char *options_value_word(const struct pt_param *row)
{
	switch (row->kind) {
	case PT_KIND_BOOL: return "";
	case PT_KIND_CHOICE: return "LEVEL";
	default: return strcmp(row->name, "socket") && strcmp(row->name, "config") ? "DIR" : "PATH";
	}
}

static void add_choices(struct buf *out, const struct pt_param *row)
{
	const char *before = " One of ";
	for (const char *const *c = row->choices; c && *c; c++, before = ", ")
		buf_addf(out, "%s%s", before, *c);
	if (row->choices)
		buf_addc(out, '.');
}

void options_help(struct buf *out)
{
	buf_adds(out,
	         "usage: pipetoold [OPTION]…\n\n"
	         "Runs engines that move messages through graphs of blocks, told what to do by "
	         "ptctl.\nStays in the foreground.\n\n");
	for (const struct pt_param *row = options_rows; row->name; row++) {
		const char *value = options_value_word(row);
		char *words = must_printf("--%s%s%s", row->name, *value ? " " : "", value);
		char letter[8] = "    ";
		if (row->letter)
			snprintf(letter, sizeof letter, "-%c, ", row->letter);
		buf_addf(out, "  %s%-20s %s", letter, words, row->doc);
		add_choices(out, row);
		buf_addc(out, '\n');
		free(words);
	}
	buf_adds(out, "\nSIGHUP reads the configuration and the files of blocks and"
	              " engines again; SIGTERM and "
	              "SIGINT end it.\n");
}
