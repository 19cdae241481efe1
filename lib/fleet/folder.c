/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of a folder, and what their first comments say. */
#include "fleet/folder.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"
#include "base/name.h"
#include "base/utf8.h"
#include "fleet/label.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX   ".pipe"
#define FILE_MAX ((size_t)16 * 1024 * 1024)

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
	for (const char *line = f->text; *line && !rc;) {
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

static int read_one(struct folder *folder, const char *path, const char *name, struct pt_error *err)
{
	struct buf text = BUF_INIT;
	char *whole = must_printf("%s/%s", path, name);
	int rc = io_read_file(whole, O_RDONLY | O_NONBLOCK | O_CLOEXEC, FILE_MAX, &text);
	if (rc)
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
	*f = (struct folder_file){.name = must_strdup(name), .text = buf_steal(&text)};
	f->engine = must_printf("%.*s", (int)(strlen(name) - strlen(SUFFIX)), name);
	rc = take_comments(f, err);
	if (!rc && !name_is_engine(f->engine))
		rc = pt_fail(err, -PT_EREQUEST, NULL,
		             "%s: '%s' is no name of an engine: letters, digits, _ and - inside; a "
		             "comment '# engine: NAME' gives another",
		             name, f->engine);
	return rc;
}

static int is_pipe(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name), end = strlen(SUFFIX);
	return *entry->d_name != '.' && length > end &&
	       !strcmp(entry->d_name + length - end, SUFFIX);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int folder_read(const char *path, struct folder *folder, struct pt_error *err)
{
	struct dirent **entries;
	*folder = (struct folder){NULL, 0};
	int count = scandir(path, &entries, is_pipe, by_name), rc = 0;
	if (count < 0)
		return pt_fail(err, -PT_EREQUEST, NULL, "cannot read the folder '%s': %s", path,
		               error_words(errno));
	for (int i = 0; i < count; i++) {
		if (!rc)
			rc = read_one(folder, path, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	if (!rc && !count)
		rc = pt_fail(err, -PT_EREQUEST, NULL, "there is no *.pipe file in the folder '%s'",
		             path);
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
	*folder = (struct folder){NULL, 0};
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
