/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train: packets given to a coalescer, and what must come out of it: each packet once, as its sender meant it, none of
 * a flow before an earlier one, joined only where it may be. For the coalescer's unit test and its fuzz target.
 */
#ifndef ELA_TESTS_TRAIN_H
#define ELA_TESTS_TRAIN_H

#include "coalesce.h"
#include "naive.h"

#define TRAIN_MAX 160u

struct train;

/* What the checks met, added up. */
struct train_counts {
	uint64_t packets; /* given, a superpacket as one */
	uint64_t emitted;
	uint64_t supers;  /* emitted superpackets that the coalescer made */
	uint64_t joined;  /* packets in them */
	uint64_t largest; /* segments in the largest one */
	uint64_t exact;   /* trains whose number of emitted packets was foretold, and met */
	uint64_t singly;  /* superpackets cut again by ela_coalesce_singly() */
};

struct train *train_new(void);
void train_free(struct train *train);
/* Copies the packet (checked by ela_packet_classify()) and adds the copy to co. */
void train_add(struct train *train, struct ela_coalesce *co, const uint8_t *data, uint32_t len, bool partial);
/* The same with a superpacket (checked too). */
void train_add_super(struct train *train, struct ela_coalesce *co, const struct ela_packet *super);
/* Flushes co, checks all that comes out, resets both; naive_fail() when anything is wrong. */
void train_check(struct train *train, struct ela_coalesce *co, uint32_t npd_caps, struct train_counts *counts);

#endif
