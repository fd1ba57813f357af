/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim-watch: looks at a world of a ring while its time passes, and ends the test when what must hold always does not:
 * the version of a node's user list never falls, also over restarts; who is revoked at a node stays so and has neither
 * record nor standing there a second later; no record gives way to one of an earlier life; the record of a node that
 * lives stays where it is known; a node keeps its address, unless the one that it wishes is free, and nobody else has
 * it meanwhile. One thread.
 */
#ifndef ELA_TESTS_SIM_WATCH_H
#define ELA_TESTS_SIM_WATCH_H

#include "sim.h"

/* It looks from now on. */
void sim_watch_begin(struct sim *s);
/* The address of whoever is in is its own from now on. */
void sim_watch_addresses(struct sim *s);

/* ---- for sim.c ---- */

void sim_watch_look(struct sim *s); /* after each event; nothing before begin() */
void sim_watch_free(struct sim *s);

#endif
