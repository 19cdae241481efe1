/* SPDX-License-Identifier: BSD-2-Clause */
/* A letter: what is handed to another thread lies in a structure of its sender's. */
#ifndef PIPETOOL_LETTER_H
#define PIPETOOL_LETTER_H

/* From the sending on until `read` is called, on the thread of the one it is sent to, nobody may
   touch it, nor what it is part of. Then it is the reader's, to be sent again, or freed. */
struct pt_letter {
	struct pt_letter *next;
	void (*read)(struct pt_letter *);
};

#endif
