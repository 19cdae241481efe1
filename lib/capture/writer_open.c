/* SPDX-License-Identifier: BSD-2-Clause */
/* The opening of a capture that is written: anew, or where another process was. */
#include "capture/writing.h"

#include "base/error.h"
#include "base/path.h"
#include "capture/rotate.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static int open_output(const struct capture_writer_config *config, struct output *output,
                       struct pt_error *err)
{
	if (config->begun == CAPTURE_NOTED)
		return output_noted(config, output, err);
	if (config->begun == CAPTURE_FOUND)
		return output_find(config, output, err);
	if (config->begun)
		return output_go_on(config, output, err);
	if (config->fd >= 0)
		return output_take(config, output, err);
	return output_open(config, output, err);
}

/* Who writes a ring writes the file of its highest number. */
static int check_ring(const struct capture_writer_config *config, struct pt_error *err)
{
	uint64_t highest = rotate_highest(config->folders, config->path);
	char *last = rotate_name(config->path, highest);
	bool is_free = !highest || output_is_free(config, last);
	free(last);
	return is_free ? 0 : output_failed(config, config->path, -EBUSY, err);
}

static char *name_beside(const struct capture_writer_config *config, const char *path)
{
	struct stat st;
	if (path_stat(config->folders, path, &st) == -ENOENT)
		return must_strdup(path);
	return rotate_name(path, rotate_highest(config->folders, path) + 1);
}

/* In place of *path, which is another kind of file, or is there no more. */
static int open_aside(struct capture_writer_config *config, char **path, struct output *output,
                      char **words, const struct pt_error *why, struct pt_error *err)
{
	char *beside = name_beside(config, *path);
	*words = must_printf("%s; the capture goes on in '%s'", pt_error_text(why, ""), beside);
	free(*path);
	*path = beside;
	config->path = beside;
	config->fd = -1;
	config->begun = CAPTURE_NEW;
	config->append = false;
	return output_open(config, output, err);
}

/* What came after goes. */
static void take_note(struct capture_writer *w)
{
	const struct capture_note *note = w->config.note;
	w->bytes = w->aside ? 0 : note->bytes;
	if (note->tail_length && !w->aside) {
		w->bytes -= note->tail_length;
		buf_add(&w->tail, w->config.tail, note->tail_length);
	}
	if (w->ring)
		rotate_delete_after(w->config.folders, w->ring, w->number);
	w->config.note = NULL;
	w->config.tail = NULL;
}

static struct capture_writer *make(const struct capture_writer_config *config, char *path,
                                   char *aside, const struct output *output)
{
	struct capture_writer *w = must_calloc(1, sizeof *w);
	w->config = *config;
	w->config.format = output->format;
	w->format = config->raw == CAPTURE_BYTES      ? &format_bytes
	            : config->raw == CAPTURE_NEWLINES ? &format_newlines
	                                              : formats[output->format];
	w->path = path;
	w->aside = aside;
	w->ring = config->number ? must_strdup(config->path) : NULL;
	w->number = config->number;
	w->interface_name = config->interface_name ? must_strdup(config->interface_name) : NULL;
	w->application = config->application ? must_strdup(config->application) : NULL;
	w->map.name = w->interface_name;
	w->map.application = w->application;
	w->output = *output;
	w->fd = output->fd;
	w->link_type = output->link_type >= 0 ? output->link_type : config->link_type;
	w->headed = output->headed;
	pthread_mutex_init(&w->owner, NULL);
	return w;
}

int capture_writer_open(const struct capture_writer_config *config, struct capture_writer **result,
                        struct pt_error *err)
{
	struct capture_writer_config of_file = *config;
	struct output output = {.fd = -1, .link_type = -1, .format = config->format};
	if (config->append && config->pack)
		return pt_fail(
			err, -EINVAL, "append",
			"cannot append to a compressed file; leave out append or the compression");
	bool noted = config->begun == CAPTURE_NOTED;
	int rc = config->number && !noted ? check_ring(config, err) : 0;
	if (rc)
		return rc;
	char *path = config->number ? rotate_name(config->path, config->number)
	                            : must_strdup(config->path);
	of_file.path = path;
	char *aside = NULL;
	struct pt_error why = PT_ERROR_INIT;
	if (!config->later)
		rc = open_output(&of_file, &output, &why);
	if (rc == -EMEDIUMTYPE && config->begun)
		rc = open_aside(&of_file, &path, &output, &aside, &why, err);
	else
		error_move(err, &why);
	pt_error_clear(&why);
	if (rc) {
		free(path);
		free(aside);
		return rc;
	}
	*result = make(config, path, aside, &output);
	if (noted)
		take_note(*result);
	return 0;
}
