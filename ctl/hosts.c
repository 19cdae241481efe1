/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of words become hosts, and items of -H are looked up among them. */
#include "ctl/hosts.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"
#include "base/utf8.h"
#include "fleet/label.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INVENTORY_MAX ((size_t)16 * 1024 * 1024)
#define BLANK         " \t\r"
#define UNIX          "unix:"

static struct host *add(struct hosts *hosts)
{
	hosts->all = must_realloc(hosts->all, hosts->count + 1, sizeof *hosts->all);
	struct host *host = &hosts->all[hosts->count++];
	*host = (struct host){.labels = json_object()};
	return host;
}

static const struct host *by_name(const struct hosts *hosts, const char *name)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (!strcmp(hosts->all[i].name, name))
			return &hosts->all[i];
	return NULL;
}

/* What would be an option of ssh is no host. */
static bool set_way(struct host *host, const char *way)
{
	if (!strncmp(way, UNIX, strlen(UNIX)))
		host->socket = must_strdup(way + strlen(UNIX));
	else
		host->target = must_strdup(way);
	const char *text = host->socket ? host->socket : host->target;
	return *text && *text != '-' && *text != '@';
}

void hosts_free(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->count; i++) {
		struct host *host = &hosts->all[i];
		free(host->name);
		free(host->target);
		free(host->socket);
		json_decref(host->labels);
	}
	free(hosts->all);
	*hosts = (struct hosts){NULL, 0};
}

/* ---- the inventory ---- */

static bool is_name(const char *word)
{
	return *word != '@' && *word != '-' && !strpbrk(word, ",:");
}

static int read_line(struct hosts *hosts, const char *path, size_t number, char *line,
                     struct pt_error *err)
{
	line[strcspn(line, "#")] = 0;
	char *rest, *name = strtok_r(line, BLANK, &rest);
	if (!name)
		return 0;
	char *way = strtok_r(NULL, BLANK, &rest);
	const char *wrong = !is_name(name)         ? "is no name of a host"
	                    : !way                 ? "has no [USER@]HOST or unix:PATH behind it"
	                    : by_name(hosts, name) ? "is there twice"
	                                           : NULL;
	if (wrong)
		return pt_fail(err, -PT_EREQUEST, "host", "%s, line %zu: '%s' %s", path, number,
		               name, wrong);
	struct host *host = add(hosts);
	host->name = must_strdup(name);
	if (!set_way(host, way))
		return pt_fail(err, -PT_EREQUEST, "host",
		               "%s, line %zu: '%s' is neither [USER@]HOST nor unix:PATH", path,
		               number, way);
	int rc = 0;
	for (char *label; !rc && (label = strtok_r(NULL, BLANK, &rest));)
		if (!label_set(host->labels, label))
			rc = pt_fail(
				err, -PT_EREQUEST, "host",
				"%s, line %zu: label '%s' of '%s' has no name, or is there twice",
				path, number, label, name);
	return rc;
}

static int read_lines(struct hosts *hosts, const char *path, char *text, struct pt_error *err)
{
	int rc = 0;
	if (text)
		text += utf8_mark(text, strlen(text));
	for (size_t number = 1; text && !rc; number++) {
		char *end = strchr(text, '\n');
		if (end)
			*end = 0;
		rc = read_line(hosts, path, number, text, err);
		text = end ? end + 1 : NULL;
	}
	return rc;
}

/* Where the inventory is, to be freed, or NULL. */
static char *place(void)
{
	const char *said = getenv("PIPETOOL_HOSTS"), *config = getenv("XDG_CONFIG_HOME"),
		   *home = getenv("HOME");
	if (said && *said)
		return must_strdup(said);
	char *own = config && *config == '/' ? must_printf("%s/pipetool/hosts", config)
	            : home                   ? must_printf("%s/.config/pipetool/hosts", home)
	                                     : NULL;
	if (own && access(own, F_OK) == 0)
		return own;
	free(own);
	return access("/etc/pipetool/hosts", F_OK) == 0 ? must_strdup("/etc/pipetool/hosts") : NULL;
}

int hosts_read(const char *path, struct hosts *hosts, struct pt_error *err)
{
	*hosts = (struct hosts){NULL, 0};
	char *found = path ? must_strdup(path) : place();
	if (!found)
		return 0;
	struct buf text = BUF_INIT;
	int rc = io_read_file(found, O_RDONLY | O_CLOEXEC, INVENTORY_MAX, &text);
	if (rc)
		pt_fail(err, -PT_EREQUEST, "host", "cannot read the inventory '%s': %s", found,
		        error_words(rc));
	else if (!utf8_is_text(text.data, text.length))
		rc = pt_fail(err, -PT_EREQUEST, "host", "the inventory '%s' is no UTF-8 text",
		             found);
	else
		rc = read_lines(hosts, found, text.data, err);
	if (rc)
		hosts_free(hosts);
	buf_free(&text);
	free(found);
	return rc;
}

/* ---- the items of -H ---- */

static void take(struct hosts *found, const struct host *host)
{
	if (by_name(found, host->name))
		return;
	struct host *copy = add(found);
	json_decref(copy->labels);
	*copy = (struct host){
		must_strdup(host->name), host->target ? must_strdup(host->target) : NULL,
		host->socket ? must_strdup(host->socket) : NULL, json_incref(host->labels)};
}

static int take_label(const struct hosts *inventory, const char *label, struct hosts *found,
                      struct pt_error *err)
{
	bool any = false;
	for (size_t i = 0; i < inventory->count; i++) {
		if (!label_held(inventory->all[i].labels, label))
			continue;
		take(found, &inventory->all[i]);
		any = true;
	}
	if (any)
		return 0;
	pt_fail(err, -PT_EREQUEST, "host", "no host of the inventory has the label '@%s'", label);
	pt_hint(err,
	        "$PIPETOOL_HOSTS, ~/.config/pipetool/hosts or /etc/pipetool/hosts has lines of "
	        "NAME [USER@]HOST LABEL=VALUE");
	return -PT_EREQUEST;
}

static int take_item(const struct hosts *inventory, const char *item, struct hosts *found,
                     struct pt_error *err)
{
	if (*item == '@')
		return take_label(inventory, item + 1, found, err);
	const struct host *named = by_name(inventory, item);
	if (named) {
		take(found, named);
		return 0;
	}
	struct hosts one = {NULL, 0};
	struct host *host = add(&one);
	host->name = must_strdup(item);
	int rc = 0;
	if (set_way(host, item))
		take(found, host);
	else
		rc = pt_fail(err, -PT_EREQUEST, "host",
		             "'%s' is no host; -H takes [USER@]HOST, unix:PATH, and the names and "
		             "@LABEL=VALUE of the inventory",
		             item);
	hosts_free(&one);
	return rc;
}

int hosts_find(const char *items, struct hosts *found, struct pt_error *err)
{
	struct hosts inventory;
	*found = (struct hosts){NULL, 0};
	int rc = hosts_read(NULL, &inventory, err);
	char *list = must_strdup(items), *rest = list;
	for (char *item; !rc && (item = strsep(&rest, ","));)
		rc = take_item(&inventory, item, found, err);
	free(list);
	hosts_free(&inventory);
	if (rc)
		hosts_free(found);
	return rc;
}
