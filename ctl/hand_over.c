/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens what the daemon then need not. */
#include "ctl/hand_over.h"

#include "base/error.h"
#include "base/json.h"
#include "base/path.h"
#include "ctl/hand_over_socket.h"
#include "packet/naming.h"
#include "script/func.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE        0666
#define FOLDER_MODE 0777
#define FILES_MAX   (FRAME_FDS_MAX - 16) /* more are opened by way of their folders */

static bool is_regular(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A file that is appended to is read, too, where that is allowed. A FIFO would wait for nobody. */
static int open_to_write(const char *path, bool *made)
{
	int fd = path_open(NULL, path, O_RDWR | O_CREAT | O_EXCL, MODE);
	*made = fd >= 0;
	if (fd != -EEXIST)
		return fd;
	fd = is_regular(path) ? path_open(NULL, path, O_RDWR, 0) : -EACCES;
	return fd == -EACCES ? path_open(NULL, path, O_WRONLY, 0) : fd;
}

static int open_to_read(const char *path)
{
	struct stat st;
	int fd = path_open(NULL, path, O_RDONLY, 0);
	if (fd < 0 || fstat(fd, &st) || !S_ISDIR(st.st_mode))
		return fd;
	close(fd);
	return -EISDIR;
}

/* The daemon's words, but for whose rights they are. */
static int refuse(const struct pt_param *row, const char *path, int code, struct pt_error *err)
{
	bool writes = row->flags & PT_WRITE;
	if (writes || code == -EISDIR)
		path_write_failed(NULL, row->name, path, code, err);
	else
		path_read_failed(NULL, row->name, path, code, err);
	if (code == -EACCES)
		pt_hint(err, "you need to be allowed to %s it, and to pass its folders",
		        writes ? "write" : "read");
	err->faults[err->count - 1].code = -PT_EIO;
	return -PT_EIO;
}

/* A descriptor of ptctl's own, not opened anew: it is read or written on from where it is. */
static int copy_own(int fd)
{
	int copy = fd == PATH_TERMINAL ? open("/dev/tty", O_RDWR | O_CLOEXEC)
	                               : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? -errno : copy;
}

static int open_path(const struct ctl *ctl, const char *path, bool writes, bool *made)
{
	int own = path_own(path, writes);
	if (own == -1)
		return writes ? open_to_write(path, made) : open_to_read(path);
	if (ctl->host || !strcmp(path, "-"))
		return copy_own(own);
	char *same = own == PATH_TERMINAL ? must_strdup(path) : must_printf("/dev/fd/%d", own);
	int fd = writes ? open_to_write(same, made) : open_to_read(same);
	free(same);
	return fd;
}

/* What is read or written as text would be, but is not. */
static int refuse_terminal(const struct pt_param *row, const char *path, struct pt_error *err)
{
	pt_fail(err, -PT_EIO, row->name, "'%s' is a terminal, and this is not text", path);
	pt_hint(err, row->flags & PT_WRITE
	                     ? "give a file, or a pipe to who can read it (| tcpdump -nr -)"
	                     : "give a file, or a pipe from who writes it (tcpdump -w - |)");
	return -PT_EIO;
}

static void add_fd(struct hand_over *h, struct ctl *ctl, int fd, const char *made)
{
	h->files = must_realloc(h->files, h->count + 1, sizeof *h->files);
	h->files[h->count++].path = made ? must_strdup(made) : NULL;
	ctl->fds[ctl->fd_count++] = fd;
}

static int refuse_more(const struct pt_param *row, const char *path, struct pt_error *err)
{
	pt_fail(err, -PT_ELIMIT, row->name,
	        "'%s' is one file too many: at most %d are handed over with a request", path,
	        FRAME_FDS_MAX);
	pt_hint(err, "ptctl create has the daemon open any number");
	return -PT_ELIMIT;
}

/* *value becomes {"fd": n}, with what it was, as `member`. */
static int open_one(struct hand_over *h, struct ctl *ctl, const struct pt_param *row,
                    const char *path, const char *member, json_t **value, struct pt_error *err)
{
	bool made = false, writes = row->flags & PT_WRITE;
	if (ctl->fd_count == FRAME_FDS_MAX)
		return refuse_more(row, path, err);
	int fd = open_path(ctl, path, writes, &made);
	if (fd < 0)
		return refuse(row, path, fd, err);
	if ((writes || !strcmp(path, "-")) && isatty(fd)) {
		close(fd);
		return refuse_terminal(row, path, err);
	}
	*value = json_pack("{s:i, s:o}", "fd", ctl->fd_count, member, *value);
	add_fd(h, ctl, fd, made ? path : NULL);
	return 0;
}

/* ---- folders ---- */

static int make_folders(struct hand_over *h, const char *path)
{
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		char *folder = must_printf("%.*s", (int)(slash - path), path);
		int code = mkdir(folder, FOLDER_MODE) ? -errno : 0;
		if (!code) {
			h->made = must_realloc(h->made, h->made_count + 1, sizeof *h->made);
			h->made[h->made_count++] = must_strdup(folder);
		}
		free(folder);
		if (code && code != -EEXIST)
			return code;
	}
	return 0;
}

/* The number of the descriptor by which the folder is lent. */
static int lent_number(struct hand_over *h, struct ctl *ctl, const struct pt_param *row,
                       const char *folder, struct pt_error *err)
{
	bool writes = row->flags & PT_WRITE;
	int theirs, code;
	for (unsigned i = 0; i < h->lend.count; i++) {
		if (strcmp(h->lend.folders[i].path, folder) != 0)
			continue;
		h->lend.folders[i].writes |= writes;
		return h->numbers[i];
	}
	if (ctl->fd_count == FRAME_FDS_MAX)
		return refuse_more(row, folder, err);
	code = lend_add(&h->lend, folder, writes, &theirs, err);
	if (code)
		return code;
	h->numbers[h->lend.count - 1] = ctl->fd_count;
	add_fd(h, ctl, theirs, NULL);
	return ctl->fd_count - 1;
}

/* "/a/b/" → "/a/" */
static void leave_last(char *folder)
{
	size_t length = strlen(folder);
	while (length > 1 && folder[length - 1] == '/')
		length--;
	while (length > 1 && folder[length - 1] != '/')
		length--;
	folder[length] = 0;
}

/* Where a name has fields, it is made; where files are read, what comes is waited for in the
   nearest. */
static int find_folder(struct hand_over *h, const char *path, bool writes, char **folder)
{
	char *whole = path_fixed_folder(path, writes ? "{}" : "*?[");
	int code = writes && naming_has_fields(path) ? make_folders(h, whole) : 0;
	while (!writes && access(whole, F_OK) && whole[1])
		leave_last(whole);
	if (!code && access(whole, X_OK | (writes ? W_OK : 0)))
		code = -errno;
	*folder = whole;
	return code;
}

/* *value becomes {"fd": n, "path": what it was, "folder": …}. */
static int lend_one(struct hand_over *h, struct ctl *ctl, const struct pt_param *row,
                    const char *path, json_t **value, struct pt_error *err)
{
	bool writes = row->flags & PT_WRITE;
	char *folder;
	int number = 0, code = find_folder(h, path, writes, &folder);
	if (code)
		refuse(row, folder, code, err);
	else
		code = number = lent_number(h, ctl, row, folder, err);
	if (code >= 0) {
		*value = json_pack("{s:i, s:o, s:s}", "fd", number, "path", *value, "folder",
		                   folder);
		code = 0;
	}
	free(folder);
	return code;
}

/* The file that a function reads, as anonymize its key_file; yours to free, or NULL. */
static char *file_of_function(const struct pt_param *row, const char *text)
{
	static const struct func_limits usual;
	struct pt_func *func;
	if ((row->kind != PT_KIND_TRANSFORM && row->kind != PT_KIND_PREDICATE) ||
	    func_compile(row->kind, text, &usual, &func, NULL))
		return NULL;
	const char *path = func_file(func);
	char *copy = path ? must_strdup(path) : NULL;
	func_free(func);
	return copy;
}

/* With `rotate`, or fields in the name, the daemon makes them, in the folder of the name. */
static bool makes_files(const json_t *params, const char *path)
{
	const json_t *rotate = json_object_get(params, "rotate");
	return (rotate && !json_is_null(rotate)) || naming_has_fields(path);
}

/* Files of another host are opened over there; and a daemon of one's own has the same rights. */
static bool is_ours(const struct ctl *ctl, const struct pt_param *row, const char *path)
{
	bool elsewhere = ctl->host || ctl_flag(ctl, "private");
	return path && (!elsewhere || path_own(path, row->flags & PT_WRITE) != -1);
}

/* Which file it is, or even whether there is one, is known only later; or there are too many. */
static bool is_lent(const struct ctl *ctl, const struct pt_param *row, const json_t *params,
                    const char *path)
{
	if (path_own(path, row->flags & PT_WRITE) != -1)
		return false;
	if (ctl->fd_count >= FILES_MAX)
		return true;
	if (row->kind == PT_KIND_FILE)
		return makes_files(params, path);
	return path_is_pattern(path) || json_is_true(json_object_get(params, "follow"));
}

static int open_value(struct hand_over *h, struct ctl *ctl, const struct pt_param *row,
                      const json_t *params, json_t **value, struct pt_error *err)
{
	const char *text = json_string_value(*value);
	bool file = row->kind == PT_KIND_FILE || row->kind == PT_KIND_FILES;
	char *path = !text ? NULL : file ? must_strdup(text) : file_of_function(row, text);
	int code = 0;
	if (is_ours(ctl, row, path))
		code = file && is_lent(ctl, row, params, path)
		               ? lend_one(h, ctl, row, path, value, err)
		               : open_one(h, ctl, row, path, file ? "path" : "text", value, err);
	free(path);
	return code;
}

static int open_files(struct hand_over *h, struct ctl *ctl, const struct pt_param *row,
                      const json_t *params, json_t **value, struct pt_error *err)
{
	json_t *list = json_is_array(*value) ? json_copy(*value) : json_pack("[O]", *value);
	int code = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *item = json_incref(json_array_get(list, i));
		int c = open_value(h, ctl, row, params, &item, err);
		json_array_set_new(list, i, item);
		code = code ? code : c;
		if (c == -PT_ELIMIT)
			break;
	}
	json_decref(*value);
	*value = list;
	return code;
}

static int open_of_row(struct hand_over *h, struct ctl *ctl, const struct pt_param *row,
                       json_t *params, struct pt_error *err)
{
	json_t *value = json_incref(json_object_get(params, row->name));
	int code = !value                       ? 0
	           : row->kind == PT_KIND_FILES ? open_files(h, ctl, row, params, &value, err)
	                                        : open_value(h, ctl, row, params, &value, err);
	if (value)
		json_object_set_new(params, row->name, value);
	return code;
}

/* Its place takes that of the interface's names. A daemon of one's own may what its user may. */
static int open_interface(struct hand_over *h, struct ctl *ctl, const struct pt_param *rows,
                          json_t *params, struct pt_error *err)
{
	bool ours = !ctl->host && !ctl_flag(ctl, "private") && ctl->fd_count < FRAME_FDS_MAX;
	int fd = ours ? hand_over_socket(rows, params, err) : -ENOENT;
	if (fd < 0)
		return fd == -EPERM || fd == -ENOENT ? 0 : fd;
	json_object_set_new(params, "socket", json_pack("{s:i}", "fd", ctl->fd_count));
	json_object_del(params, "iface");
	json_object_del(params, "netns");
	add_fd(h, ctl, fd, NULL);
	return 0;
}

static int open_of_block(struct hand_over *h, struct ctl *ctl, const struct pt_param *rows,
                         const json_t *op, size_t place, struct pt_error *err)
{
	char *who = must_printf("block '%s'", text_of(op, "name"));
	char *where = must_printf("$.ops[%zu].params", place);
	json_t *params = json_object_get(op, "params");
	size_t before = err->count;
	int code = open_interface(h, ctl, rows, params, err);
	for (; rows && rows->name; rows++) {
		int c = open_of_row(h, ctl, rows, params, err);
		code = code ? code : c;
	}
	error_introduce(err, before, who);
	error_prefix(err, before, where);
	free(who);
	free(where);
	return code;
}

int hand_over(struct hand_over *h, struct pipe_text *pipe, struct ctl *ctl, struct pt_error *err)
{
	size_t i;
	json_t *op;
	int code = 0;
	*h = (struct hand_over){.before = ctl->fd_count};
	json_array_foreach (pipe->program.ops, i, op) {
		const char *type = json_string_value(json_object_get(op, "type"));
		if (!type)
			continue;
		int c = open_of_block(h, ctl, world_params(&pipe->world, type), op, i, err);
		code = code ? code : c;
		if (c == -PT_ELIMIT)
			break;
	}
	if (!code)
		code = lend_begin(&h->lend, err);
	if (code)
		pipe_locate(pipe, err);
	return code;
}

static void remove_empty(const char *path)
{
	struct stat st;
	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && !st.st_size)
		unlink(path);
}

void hand_over_end(struct hand_over *h, struct ctl *ctl, bool used)
{
	for (unsigned i = 0; i < h->count; i++) {
		close(ctl->fds[h->before + (int)i]);
		if (h->files[i].path && !used)
			remove_empty(h->files[i].path);
		free(h->files[i].path);
	}
	if (h->count)
		ctl->fd_count = h->before;
	lend_end(&h->lend);
	for (unsigned i = h->made_count; i-- > 0;) {
		if (!used)
			rmdir(h->made[i]); /* nothing, where something is in it */
		free(h->made[i]);
	}
	free(h->made);
	free(h->files);
	*h = (struct hand_over){.before = ctl->fd_count};
}
