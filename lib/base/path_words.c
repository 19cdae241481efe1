/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a file could not be opened, and how to mend it. */
#include "base/path.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/lent.h"
#include "base/near.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The name in the path's folder that is nearest to its own; NULL: none is near. */
static char *neighbour(const char *const *folders, const char *path)
{
	const char *name = name_of(path);
	char *folder =
		name > path ? must_printf("%.*s", (int)(name - path), path) : must_strdup(".");
	DIR *dir = path_list(folders, folder);
	struct near near = near_init(name);
	char *found = NULL;
	for (struct dirent *e; dir && (e = readdir(dir));) {
		near_try(&near, e->d_name);
		if (near.best != e->d_name)
			continue;
		free(found);
		near.best = found = must_strdup(e->d_name);
	}
	if (dir)
		closedir(dir);
	free(folder);
	return found;
}

static int outside(const char *const *folders, const char *param, const char *path,
                   struct pt_error *err)
{
	struct buf list = BUF_INIT;
	if (lent_folder(folders))
		return pt_fail(
			err, -PT_EPERMITTED, param,
			"'%s' does not lie in '%s', which is the folder that was handed over", path,
			lent_folder(folders));
	for (const char *const *f = folders; f && *f; f++)
		buf_addf(&list, "%s%s", f == folders ? "" : ", ", *f);
	pt_fail(err, -PT_EPERMITTED, param, "'%s' does not lie in a folder that may be used%s%s",
	        path, list.length ? ": " : "", list.length ? list.data : "");
	pt_hint(err, "add its folder to `allow` under [files] in pipetoold.conf");
	buf_free(&list);
	return -PT_EPERMITTED;
}

static int unsteady(const char *param, const char *path, struct pt_error *err)
{
	return pt_fail(err, -ELOOP, param,
	               "cannot open '%s': the links on its way lead nowhere, or keep changing",
	               path);
}

/* Whoever lent the folder. */
static int left(const char *param, const char *path, struct pt_error *err)
{
	return pt_fail(err, -EOWNERDEAD, param,
	               "cannot open '%s': who handed over its folder answers no more", path);
}

/* Whose rights were not enough. */
static const char *who(const char *const *folders)
{
	return lent_folder(folders) ? "who handed over the folder" : "the daemon's user";
}

/* Which file: for programs. */
static int name_it(const char *path, int code, struct pt_error *err)
{
	json_t *name = json_string(path);
	char *text = json_dumps(name, JSON_ENCODE_ANY);
	if (text)
		error_value(err, text);
	free(text);
	json_decref(name);
	return code;
}

static int read_failed(const char *const *folders, const char *param, const char *path, int code,
                       struct pt_error *err)
{
	if (code == -PT_EPERMITTED)
		return outside(folders, param, path, err);
	if (code == -EOWNERDEAD)
		return left(param, path, err);
	if (code == -ELOOP)
		return unsteady(param, path, err);
	pt_fail(err, code, param, "cannot open '%s': %s", path, error_words(code));
	char *near = code == -ENOENT ? neighbour(folders, path) : NULL;
	if (near && !strcmp(near, name_of(path)))
		pt_hint(err, "it is a link that leads nowhere");
	else if (near)
		pt_hint(err, "did you mean '%s'?", near);
	else if (code == -EACCES)
		pt_hint(err, "%s needs to read the file and to pass its folders", who(folders));
	free(near);
	return code;
}

int path_read_failed(const char *const *folders, const char *param, const char *path, int code,
                     struct pt_error *err)
{
	return name_it(path, read_failed(folders, param, path, code, err), err);
}

static int write_failed(const char *const *folders, const char *param, const char *path, int code,
                        struct pt_error *err)
{
	switch (-code) {
	case EOWNERDEAD: return left(param, path, err);
	case PT_EPERMITTED: return outside(folders, param, path, err);
	case ELOOP: return unsteady(param, path, err);
	case ENXIO:
		return pt_fail(err, code, param,
		               "cannot write '%s': nobody reads the FIFO; start the reader first",
		               path);
	case EISDIR: return pt_fail(err, code, param, "'%s' is a folder; name a file in it", path);
	}
	pt_fail(err, code, param, "cannot write '%s': %s", path, error_words(code));
	if (code == -ENOENT)
		pt_hint(err, "make the folder first");
	else if (code == -EACCES)
		pt_hint(err, "%s needs to write the file or its folder", who(folders));
	return code;
}

int path_write_failed(const char *const *folders, const char *param, const char *path, int code,
                      struct pt_error *err)
{
	return name_it(path, write_failed(folders, param, path, code, err), err);
}
