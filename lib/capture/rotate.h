/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of files that follow one another: out.pcap becomes out.00001.pcap, out.00002.pcap, … */
#ifndef CAPTURE_ROTATE_H
#define CAPTURE_ROTATE_H

#include <stdint.h>

/* The name with the number before its ending, which may be two: out.00001.pcap.gz; at least five
   digits, so that they sort. Yours to free. */
char *rotate_name(const char *path, uint64_t number);

/* The highest number of a file there is, so that none is overwritten; 0: there is none. Reads the
   folder. In `folders` alone, as the next: see base/path.h. */
uint64_t rotate_highest(const char *const *folders, const char *path);

/* That of the file to begin with: the highest, where nothing was written to it yet, or the next. */
uint64_t rotate_next(const char *const *folders, const char *path);

/* Deletes the files whose number is `last` or less. */
void rotate_delete(const char *const *folders, const char *path, uint64_t last);

/* And those of which it is more. */
void rotate_delete_after(const char *const *folders, const char *path, uint64_t last);

#endif
