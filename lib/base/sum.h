/* SPDX-License-Identifier: BSD-2-Clause */
/* A fast checksum that tells damaged bytes; not one that withstands malice. */
#ifndef BASE_SUM_H
#define BASE_SUM_H

#include <stddef.h>
#include <stdint.h>

/* Of what comes before (0: nothing) and of these bytes. Pieces give the sum of the whole where the
   lengths of all but the last are multiples of 8. */
uint64_t sum_add(uint64_t before, const void *bytes, size_t length);

#endif
