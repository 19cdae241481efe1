/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder of graphs for many hosts: which engine each file makes, and where. */
#ifndef FLEET_FOLDER_H
#define FLEET_FOLDER_H

#include "base/sha256.h"
#include <jansson.h>
#include <pipetool/error.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Every *.pipe in it that is not hidden, by name. Comments before the first statement may say more:
 *
 *     # on: role=web, site=north     only hosts with both labels; several of these are alternatives
 *     # engine: gate                 else it is the file's name
 */
struct folder_file {
	char *name, *text, *engine;
	char hash[SHA256_HEX];
	json_t *on; /* see label_want; NULL: everywhere */
};

struct folder {
	struct folder_file *files;
	size_t count;
	char hash[SHA256_HEX]; /* of all of it: sha256sum *.pipe | sha256sum */
};

/* Refuses what cannot be read, has no such file in it, or no name of an engine, a file of more than
   16 MiB, and files of more than 64 MiB. The caller calls folder_free in every case. */
int folder_read(const char *path, struct folder *, struct pt_error *);
void folder_free(struct folder *);

/* Whether the files are those of such a list, all of them, and as it says. */
#define FOLDER_SUMS "SHA256SUMS"
int folder_check_sums(const struct folder *, const char *sums, struct pt_error *);

bool folder_is_for(const struct folder_file *, const json_t *labels);
/* Refuses two files that make one engine there. */
int folder_check(const struct folder *, const char *host, const json_t *labels, struct pt_error *);
/* The file that makes this engine there, or NULL. */
const struct folder_file *folder_find(const struct folder *, const char *engine,
                                      const json_t *labels);

#endif
