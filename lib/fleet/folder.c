/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of a folder, and what their first comments say. */
#include "fleet/folder.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "base/name.h"
#include "base/utf8.h"
#include "fleet/label.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX   ".pipe"
#define FILE_MAX ((size_t)16 * 1024 * 1024)
#define ALL_MAX  ((size_t)64 * 1024 * 1024)

/* ---- comments ---- */

/* What stands behind "# WORD:", without blanks around it; NULL: the line is another. */
static char *said(const char *line, size_t length, const char *word)
{
	char *text = must_printf("%.*s", (int)length, line), *found = NULL;
	const char *at = text + strspn(text, "# \t");
	if (!strncmp(at, word, strlen(word))) {
		at += strlen(word);
		at += strspn(at, " \t");
		size_t end = strlen(at);
		while (end && strchr(" \t\r", at[end - 1]))
			end--;
		found = must_printf("%.*s", (int)end, at);
	}
	free(text);
	return found;
}

static int take_comment(struct folder_file *f, const char *line, size_t length,
                        struct pt_error *err)
{
	char *on = said(line, length, "on:"), *engine = on ? NULL : said(line, length, "engine:");
	int rc = 0;
	if (on && !label_want(&f->on, on))
		rc = pt_fail(err, -PT_EREQUEST, NULL, "%s: '# on:' names no label", f->name);
	if (engine) {
		free(f->engine);
		f->engine = must_strdup(engine);
	}
	free(on);
	free(engine);
	return rc;
}

static int take_comments(struct folder_file *f, struct pt_error *err)
{
	int rc = 0;
	for (const char *line = f->text + utf8_mark(f->text, strlen(f->text)); *line && !rc;) {
		size_t length = strcspn(line, "\n"), blank = strspn(line, " \t\r");
		if (blank < length && line[blank] != '#')
			break;
		if (blank < length)
			rc = take_comment(f, line, length, err);
		line += length + (line[length] == '\n');
	}
	return rc;
}

/* ---- files ---- */

/* Of at most so many bytes, which become fewer. */
static int read_one(struct folder *folder, const char *path, const char *name, size_t *left,
                    struct pt_error *err)
{
	struct buf text = BUF_INIT;
	char *whole = must_printf("%s/%s", path, name);
	int rc = io_read_file(whole, O_NONBLOCK, *left < FILE_MAX ? *left : FILE_MAX, &text);
	*left -= rc ? 0 : text.length;
	if (rc == -EFBIG && *left < FILE_MAX)
		pt_fail(err, -PT_EREQUEST, NULL, "with '%s' the files are more than %zu MiB", whole,
		        ALL_MAX >> 20);
	else if (rc)
		pt_fail(err, -PT_EREQUEST, NULL, "cannot read '%s': %s", whole, error_words(rc));
	else if (!utf8_is_text(text.data, text.length))
		rc = pt_fail(err, -PT_EREQUEST, NULL, "'%s' is no UTF-8 text", whole);
	free(whole);
	if (rc) {
		buf_free(&text);
		return -PT_EREQUEST;
	}
	folder->files = must_realloc(folder->files, folder->count + 1, sizeof *folder->files);
	struct folder_file *f = &folder->files[folder->count++];
	size_t length = text.length;
	*f = (struct folder_file){.name = must_strdup(name), .text = buf_steal(&text)};
	sha256_hex(f->text, length, f->hash);
	f->engine = must_printf("%.*s", (int)(strlen(name) - strlen(SUFFIX)), name);
	rc = take_comments(f, err);
	if (!rc && !name_is_engine(f->engine))
		rc = pt_fail(err, -PT_EREQUEST, NULL,
		             "%s: '%s' is no name of an engine: letters, digits, _ and - inside; a "
		             "comment '# engine: NAME' gives another",
		             name, f->engine);
	return rc;
}

/* As if by: sha256sum *.pipe | sha256sum. */
static void set_hash(struct folder *folder)
{
	struct buf sums = BUF_INIT;
	for (size_t i = 0; i < folder->count; i++)
		buf_addf(&sums, "%s  %s\n", folder->files[i].hash, folder->files[i].name);
	sha256_hex(sums.data, sums.length, folder->hash);
	buf_free(&sums);
}

int folder_read(const char *path, struct folder *folder, struct pt_error *err)
{
	*folder = (struct folder){.files = NULL};
	char **names = io_list(path, SUFFIX);
	size_t left = ALL_MAX;
	int rc = 0;
	if (!names)
		return pt_fail(err, -PT_EREQUEST, NULL, "cannot read the folder '%s': %s", path,
		               error_words(errno));
	for (char **name = names; *name && !rc; name++)
		rc = read_one(folder, path, *name, &left, err);
	if (!*names)
		rc = pt_fail(err, -PT_EREQUEST, NULL, "there is no *.pipe file in the folder '%s'",
		             path);
	texts_free(names);
	set_hash(folder);
	return rc;
}

void folder_free(struct folder *folder)
{
	for (size_t i = 0; i < folder->count; i++) {
		struct folder_file *f = &folder->files[i];
		free(f->name);
		free(f->text);
		free(f->engine);
		json_decref(f->on);
	}
	free(folder->files);
	*folder = (struct folder){.files = NULL};
}

/* ---- sums ---- */

/* "HASH  NAME", or "HASH *NAME" of what was read as bytes; NAME may begin with "./". */
static bool read_sum(const char *line, size_t length, char hash[SHA256_HEX], char **name)
{
	const size_t hex = SHA256_HEX - 1;
	if (length < hex + 3 || strspn(line, "0123456789abcdefABCDEF") != hex || line[hex] != ' ')
		return false;
	for (size_t i = 0; i <= hex; i++)
		hash[i] = (char)(i < hex ? tolower((unsigned char)line[i]) : '\0');
	const char *at = line + hex + 2, *end = line + length;
	at += !strncmp(at, "./", 2) ? 2 : 0;
	end -= end > at && end[-1] == '\r';
	*name = must_printf("%.*s", (int)(end - at), at);
	return true;
}

/* {name: hash}, or NULL and the fault. */
static json_t *read_sums(const char *sums, struct pt_error *err)
{
	json_t *all = json_object();
	unsigned number = 1;
	for (const char *line = sums; *line; number++) {
		size_t length = strcspn(line, "\n");
		char hash[SHA256_HEX], *name;
		if (!read_sum(line, length, hash, &name)) {
			json_decref(all);
			pt_fail(err, -PT_EREQUEST, NULL,
			        FOLDER_SUMS ": line %u is not as sha256sum writes it", number);
			return NULL;
		}
		json_object_set_new(all, name, json_string(hash));
		free(name);
		line += length + (line[length] == '\n');
	}
	return all;
}

static bool is_there(const struct folder *folder, const char *name)
{
	for (size_t i = 0; i < folder->count; i++)
		if (!strcmp(folder->files[i].name, name))
			return true;
	return false;
}

static int check_sums(const struct folder *folder, const json_t *sums, struct pt_error *err)
{
	const char *name;
	json_t *hash;
	int rc = 0;
	for (size_t i = 0; i < folder->count; i++) {
		const struct folder_file *f = &folder->files[i];
		const char *wanted = text_of(sums, f->name);
		if (strcmp(wanted, f->hash))
			rc = pt_fail(err, -PT_EREQUEST, NULL,
			             *wanted ? FOLDER_SUMS ": '%s' is another than it says"
			                     : FOLDER_SUMS ": '%s' is not in it",
			             f->name);
	}
	json_object_foreach (json_of(sums), name, hash)
		if (io_lists(name, SUFFIX) && !is_there(folder, name))
			rc = pt_fail(err, -PT_EREQUEST, NULL,
			             FOLDER_SUMS ": '%s' is in it, and not in the folder", name);
	return rc;
}

int folder_check_sums(const struct folder *folder, const char *sums, struct pt_error *err)
{
	json_t *all = read_sums(sums, err);
	int rc = all ? check_sums(folder, all, err) : -PT_EREQUEST;
	json_decref(all);
	return rc;
}

/* ---- for whom ---- */

bool folder_is_for(const struct folder_file *f, const json_t *labels)
{
	return label_fits(labels, f->on);
}

const struct folder_file *folder_find(const struct folder *folder, const char *engine,
                                      const json_t *labels)
{
	for (size_t i = 0; i < folder->count; i++) {
		const struct folder_file *f = &folder->files[i];
		if (!strcmp(f->engine, engine) && folder_is_for(f, labels))
			return f;
	}
	return NULL;
}

int folder_check(const struct folder *folder, const char *host, const json_t *labels,
                 struct pt_error *err)
{
	int rc = 0;
	for (size_t i = 0; i < folder->count; i++) {
		const struct folder_file *f = &folder->files[i];
		const struct folder_file *first = folder_find(folder, f->engine, labels);
		if (first && first != f && folder_is_for(f, labels))
			rc = pt_fail(err, -PT_EREQUEST, NULL,
			             "%s and %s both make engine '%s' on '%s'", first->name,
			             f->name, f->engine, host);
	}
	return rc;
}
