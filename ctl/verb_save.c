/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl save: the daemon tells what the file is to say, and ptctl writes it, with the user's
   rights. */
#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "base/path.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/read.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot(const char *path, int code, struct pt_error *err)
{
	pt_fail(err, code == -EACCES || code == -EPERM ? -PT_EPERMITTED : -EIO, NULL,
	        "cannot write '%s': %s", path, error_words(code));
	if (code == -EACCES || code == -EPERM)
		pt_hint(err, "as who may write there, or to another FILE");
	return -EIO;
}

/* The owner and the group of the file that it takes the place of, as far as this user may; returns
   the mode, which gives nothing to another group. */
static mode_t inherit(int fd, const struct stat *was)
{
	if (!fchown(fd, was->st_uid, was->st_gid) || !fchown(fd, (uid_t)-1, was->st_gid))
		return was->st_mode & 07777;
	return was->st_mode & 07707;
}

static mode_t usual_mode(void)
{
	mode_t now = umask(0);
	umask(now);
	return 0666 & ~now;
}

/* Beside it, and renamed: whoever reads it meanwhile finds the old or the new. was: NULL: there is
   none. */
static int write_beside(const char *path, const char *text, const struct stat *was)
{
	char *fresh = must_printf("%s.XXXXXX", path);
	int fd = mkostemp(fresh, O_CLOEXEC), code = fd < 0 ? -errno : 0;
	if (!code)
		code = io_write(fd, text, strlen(text));
	if (!code && (fchmod(fd, was ? inherit(fd, was) : usual_mode()) || fsync(fd)))
		code = -errno;
	if (fd >= 0 && close(fd) && !code)
		code = -errno;
	if (!code && rename(fresh, path))
		code = -errno;
	if (code && fd >= 0)
		unlink(fresh);
	free(fresh);
	return code;
}

static int write_into(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC), code = fd < 0 ? -errno : 0;
	if (!code)
		code = io_write(fd, text, strlen(text));
	if (fd >= 0 && close(fd) && !code)
		code = -errno;
	return code;
}

/* A link goes on leading there, and a device or a pipe stays one. */
static int write_file(const char *path, const char *text, struct pt_error *err)
{
	struct stat st;
	bool is = !stat(path, &st);
	char *real = realpath(path, NULL);
	int code = is ? 0 : path_make_folders(NULL, path, 0755);
	if (!code && is && !S_ISREG(st.st_mode))
		code = write_into(path, text);
	else if (!code)
		code = write_beside(real ? real : path, text, is ? &st : NULL);
	free(real);
	return code ? cannot(path, code, err) : 0;
}

static int ask(struct ctl *ctl, const char *old, json_t **told, struct pt_error *err)
{
	json_t *params = ctl_engine(ctl);
	if (old)
		json_object_set_new(params, "text", json_string(old));
	json_decref(*told);
	*told = NULL;
	return ctl_call(ctl, "engine.text", params, told, err);
}

static int find_path(const struct ctl *ctl, const json_t *told, const char **path,
                     struct pt_error *err)
{
	*path = ctl_text(ctl, "file");
	if (*path)
		return 0;
	*path = text_of(told, "file");
	if (ctl->host) {
		pt_fail(err, -PT_EREQUEST, NULL,
		        "the engine's file is on %s, and ptctl writes on this host", ctl->host);
		pt_hint(err, "ssh %s ptctl save %s, or name a FILE", ctl->host, ctl->engine);
	} else if (!**path) {
		pt_fail(err, -PT_ESTATE, NULL,
		        "engine '%s' can be of no file: its name has a '.', which parts an engine "
		        "from its block",
		        ctl->engine);
	}
	return err->count ? err->faults[0].code : 0;
}

/* What a file says already tells how it is to be written. */
static int save(struct ctl *ctl, const char *path, json_t **told, struct pt_error *err)
{
	struct stat st;
	struct buf old = BUF_INIT;
	bool is = !stat(path, &st) && S_ISREG(st.st_mode);
	int code = is ? read_file(path, READ_MAX, -PT_EREQUEST, &old, err) : 0;
	if (!code && is)
		code = ask(ctl, old.data ? old.data : "", told, err);
	const char *text = text_of(*told, "text");
	bool same = is && !strcmp(text, old.data ? old.data : "");
	if (!code && !same)
		code = write_file(path, text, err);
	if (!code)
		json_object_set_new(*told, "written", json_boolean(!same));
	buf_free(&old);
	return code;
}

static bool is_engines(const char *path, const json_t *told)
{
	char *real = realpath(path, NULL), *own = realpath(text_of(told, "file"), NULL);
	bool is = real && own && !strcmp(real, own);
	free(real);
	free(own);
	return is;
}

void print_save(struct ctl *ctl, struct buf *b, json_t *result)
{
	if (json_object_get(result, "path"))
		buf_addf(b, "%s %s\n", text_of(result, "path"),
		         json_is_true(json_object_get(result, "written")) ? "written"
		                                                          : "is so already");
	else
		buf_adds(b, text_of(result, "text"));
}

int verb_save(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *told = NULL;
	const char *path = NULL;
	int code = ask(ctl, NULL, &told, &err);
	if (!code)
		code = find_path(ctl, told, &path, &err);
	if (code || !strcmp(path, "-"))
		return ctl_end(ctl, code, told, &err);
	char *name = must_strdup(path);
	code = save(ctl, name, &told, &err);
	if (!code)
		json_object_set_new(told, "path", json_string(name));
	if (!code && !ctl->host && is_engines(name, told))
		code = ctl_call(ctl, "engine.follow", ctl_engine(ctl), NULL, &err);
	free(name);
	return ctl_end(ctl, code, told, &err);
}
