/* SPDX-License-Identifier: Apache-2.0 */
/* transport: what the tests of datagrams and streams share: instances on 127.0.0.1, each on a free port. */
#ifndef ELA_CHECK_TRANSPORT_H
#define ELA_CHECK_TRANSPORT_H

#include "check.h"

struct check_end_point {
	struct check_instance instance;
	struct ela_transport_info info;
	struct ela_addr addr; /* 127.0.0.1 and its port */
	uint32_t n_lanes;
};

/* A started transport of caps (ELA_TRANSPORT_DATAGRAM or _STREAM); the test is skipped if the plugin has not got them.
 */
struct check_end_point check_start(struct check_run *run, uint32_t n_lanes, uint32_t caps);
void check_stop(struct check_run *run, struct check_end_point *end);
/* A host set to listen at port of 127.0.0.1. */
struct check_host *check_listener(struct check_run *run, uint32_t n_lanes, uint16_t port);
struct ela_addr check_loopback(uint16_t port);

#endif
