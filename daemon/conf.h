/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: /etc/pipetool/pipetoold.conf. */
#ifndef DAEMON_CONF_H
#define DAEMON_CONF_H

#include <pipetool/error.h>
#include <pipetool/param.h>

/* Zeroed, then filled by conf_read or conf_default; conf_clear frees what is inside. */
struct conf {
	char *socket;        /* NULL: not said */
	char *viewer_socket; /* NULL: none */
	char *engines;
	char *blocks;
	char *state;    /* NULL: not said */
	double retry_s; /* until an engine that failed is tried again, at first */
	int log_level;  /* enum log_level */

	char **admin, **operator, ** viewer; /* names of users and @groups; end with NULL */
	char **files;                        /* folders in which blocks may open files */
	char **programs;                     /* what blocks may run */

	char *http_listen; /* NULL: nowhere */
	bool http_taps, http_public;
	char **http_hosts; /* names that it goes by; ends with NULL */

	char *fleet_from; /* the folder of graphs that this host takes by itself; NULL: none */
	char **fleet_labels;
	char *fleet_key; /* NULL: it need not be signed */
	char *fleet_gate;
	double fleet_soak_s;
	bool fleet_prune;

	int64_t connections, engines_max, blocks_max;
	uint64_t line;   /* bytes of a request */
	uint64_t memory; /* bytes of messages that an engine may hold */
	double script_time_s;
	uint64_t script_memory;
};

/* A section and its keys, for the reader and for the manual; the last has no name. */
struct conf_section {
	const char *name;
	const struct pt_param *rows;
};
extern const struct conf_section conf_sections[];

void conf_default(struct conf *);

/* Reads a file, written as INI; a list may be continued by giving its key again. With `optional`,
   one that is not there stands for the defaults. All that is wrong is listed, "line 7: …"; then
   *conf is not touched. */
int conf_read(const char *path, bool optional, struct conf *conf, struct pt_error *);

/* The same from text. */
int conf_read_text(const char *text, size_t length, struct conf *conf, struct pt_error *);

void conf_clear(struct conf *);

#endif
