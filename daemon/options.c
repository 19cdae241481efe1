/* SPDX-License-Identifier: BSD-2-Clause */
/* One table for reading and for --help. */
#include "daemon/options.h"

#include "paths.h"
#include "type/argv.h"
#include "type/param.h"
#include <string.h>

static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const yes_no[] = {"no", "yes", NULL};

/* clang-format off */
const struct pt_param options_rows[] = {
	{"socket", "Listen on this path, whatever $PIPETOOL_SOCKET and the configuration say.",
	 PT_PATH(struct options, socket), .fallback = "None", .flags = PT_OPTION, .letter = 's'},
	{"config", "Read this configuration; without it "
	 PIPETOOL_CONFIG_DIR "/pipetoold.conf, if it is there.",
	 PT_PATH(struct options, config), .fallback = "None", .flags = PT_OPTION, .letter = 'c'},
	{"engines", "Start the engines in this folder, one for each *.pipe file.",
	 PT_PATH(struct options, engines), .fallback = "None", .flags = PT_OPTION},
	{"blocks", "Take custom blocks from this folder.",
	 PT_PATH(struct options, blocks), .fallback = "None", .flags = PT_OPTION},
	{"state", "Keep in this folder what must survive the daemon.",
	 PT_PATH(struct options, state), .fallback = "None", .flags = PT_OPTION},
	{"log-level", "Log this and what is worse.",
	 PT_CHOICE(struct options, log_level), .fallback = "None", .flags = PT_OPTION,
	 .choices = levels},
	{"log-times", "Whether each line of the log begins with the time; without this, where it "
	 "does not go to the journal, which has its own.",
	 PT_CHOICE(struct options, log_times), .fallback = "None", .flags = PT_OPTION,
	 .choices = yes_no},
	{"ends-with", "End when this descriptor can be read or is closed at its other end: a pidfd "
	 "of whoever started it, or a pipe.",
	 PT_INT(struct options, ends_with), .fallback = "-1", .flags = PT_OPTION, .min = -1,
	 .max = 65535},
	{"check", "Try configuration, blocks and engines without starting any, say what is wrong, "
	 "and end.",
	 PT_BOOL(struct options, check), .fallback = "false", .flags = PT_OPTION},
	{"version", "Print the version and end.",
	 PT_BOOL(struct options, version), .fallback = "false", .flags = PT_OPTION, .letter = 'V'},
	{"help", "Print this and end.",
	 PT_BOOL(struct options, help), .fallback = "false", .flags = PT_OPTION, .letter = 'h'},
	{0}
};
/* clang-format on */

int options_read(int argc, char *const *argv, struct options *options, struct pt_error *err)
{
	const struct argv all = {.program = "pipetoold", .own = options_rows};
	json_t *values = json_object();
	int code = argv_read(&all, argc - 1, argv + 1, values, err);
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
	case PT_KIND_CHOICE: return row->choices == levels ? "LEVEL" : "WHETHER";
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
