/* SPDX-License-Identifier: BSD-2-Clause */
/* The ids of the events that systemd/pipetoold.catalog explains to `journalctl -x`. */
#ifndef DAEMON_CATALOG_H
#define DAEMON_CATALOG_H

/* An engine's thread has been in one thing for half of the watchdog's period. */
#define CATALOG_ENGINE_HUNG "4d0f6b0e1c3a4f7a9b52c8de61f0a7d3"
/* A block of an engine met a fault, and went on or gave up. */
#define CATALOG_BLOCK_FAULT "b7c3e5a29d6144d08f10f7b2c4e98a65"
/* An engine that is to be there, by a file or by the journal, is not. */
#define CATALOG_ENGINE_MISSING "0e92d7c8f3b54616a1c5d40b7e8f2391"
/* The configuration cannot be used. */
#define CATALOG_BAD_CONFIGURATION "c51a8e04b7f2493dbe6f0d92a7c3165e"
/* What blocks print is more than its readers take. */
#define CATALOG_TEXT_DROPPED "9a3f14d6c0e84b72853be7d1f6a2c04b"
/* The engines did not stop in time when the daemon ended. */
#define CATALOG_ENGINES_NOT_STOPPED "e6b80d53f9174c2aa4d7c16e3b952f08"

/* What lies in the folder of [fleet] is not what runs. */
#define CATALOG_FLEET "5b1d7e93a0c8462fb3e4907f6c21d8ae"

#endif
