/* SPDX-License-Identifier: BSD-2-Clause */
/* The XDG base directories, for who is not the system. */
#include "daemon/places.h"

#include "base/buf.h"
#include "daemon/conf.h"
#include "daemon/options.h"
#include "paths.h"
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENGINES "/engines.d"
#define BLOCKS  "/blocks.d"

static const char *home(void)
{
	const char *said = getenv("HOME");
	const struct passwd *user = said && *said == '/' ? NULL : getpwuid(geteuid());
	return user ? user->pw_dir : said;
}

/* What the variable says, or the place below the home; NULL: there is neither. Relative paths are
   to be ignored, say the rules. */
static char *own(const char *variable, const char *below_home)
{
	const char *said = getenv(variable);
	if (said && *said == '/')
		return must_printf("%s/pipetool", said);
	const char *base = home();
	return base && *base == '/' ? must_printf("%s/%s/pipetool", base, below_home) : NULL;
}

/* A daemon is its user's own if that is not root, and neither --state nor $STATE_DIRECTORY, which a
   service has, says where its state is kept. */
static bool are_own(const struct options *options)
{
	const char *state = getenv("STATE_DIRECTORY");
	return geteuid() && !options->state && !(state && *state);
}

static char *config_folder(const struct options *options)
{
	char *folder = are_own(options) ? own("XDG_CONFIG_HOME", ".config") : NULL;
	return folder ? folder : must_strdup(PIPETOOL_CONFIG_DIR);
}

char *places_config(const struct options *options)
{
	char *folder = config_folder(options);
	char *path = must_printf("%s/pipetoold.conf", folder);
	free(folder);
	return path;
}

static void fill(char **path, const char *usual, const char *folder, const char *name)
{
	if (strcmp(*path, usual))
		return;
	free(*path);
	*path = must_printf("%s%s", folder, name);
}

void places_fill(const struct options *options, struct conf *conf)
{
	char *folder = config_folder(options);
	fill(&conf->engines, PIPETOOL_CONFIG_DIR ENGINES, folder, ENGINES);
	fill(&conf->blocks, PIPETOOL_CONFIG_DIR BLOCKS, folder, BLOCKS);
	free(folder);
}

static void make_folders_above(const char *path)
{
	char *copy = must_strdup(path);
	for (char *slash = copy; (slash = strchr(slash + 1, '/')); *slash = '/') {
		*slash = '\0';
		mkdir(copy, 0700); /* what could not be made is told when the last cannot */
	}
	free(copy);
}

char *places_state(const struct options *options)
{
	const char *said = getenv("STATE_DIRECTORY");
	if (said && *said)
		return must_strdup(said);
	char *folder = are_own(options) ? own("XDG_STATE_HOME", ".local/state") : NULL;
	if (folder)
		make_folders_above(folder);
	return folder ? folder : must_strdup(PIPETOOL_STATE_DIR);
}

bool places_is_usual(const char *engines)
{
	char *folder = own("XDG_CONFIG_HOME", ".config");
	char *usual = must_printf("%s" ENGINES, folder ? folder : "");
	bool is = !strcmp(engines, PIPETOOL_CONFIG_DIR ENGINES) || !strcmp(engines, usual);
	free(usual);
	free(folder);
	return is;
}
