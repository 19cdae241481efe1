/* SPDX-License-Identifier: BSD-2-Clause */
/* pcapng blocks, written into room that the caller has. */
#ifndef CAPTURE_PCAPNG_WRITE_H
#define CAPTURE_PCAPNG_WRITE_H

#include <pipetool/msg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAPNG_TEXT_MAX 1024 /* of names and applications; what is longer is cut */

/* How many bytes a block takes, and the block written to `at`. In the byte order of this machine;
   times in nanoseconds. NULL leaves a text out. */
size_t pcapng_section_size(const char *application);
void pcapng_section_write(uint8_t *at, const char *application);
/* `before`: of packets from before 1970, whose times are counted from a moment before all of them
   (if_tsoffset): their own interface, since times of a file have no sign. */
size_t pcapng_interface_size(const char *name, bool before);
void pcapng_interface_write(uint8_t *at, uint16_t link_type, uint32_t snaplen, const char *name,
                            bool before);
size_t pcapng_packet_size(uint32_t captured);
void pcapng_packet_write(uint8_t *at, uint32_t interface, const struct pt_msg *, int64_t time_ns,
                         uint32_t captured);

#endif
