/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths and the folders that they may lie in. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>

/* Whether the file, which need not exist yet, lies in one of the folders (NULL-terminated) when
   every link and `..` on the way is followed. Asks the file system. True for what cannot be opened
   or made anyway, since its folder cannot be reached: whoever tries is told why. */
bool path_is_within(const char *path, const char *const *folders);

#endif
