/* SPDX-License-Identifier: Apache-2.0 */
/* sim-wire: what the inner packets of the simulator look like, for the files that make, check and look for them. */
#ifndef ELA_TESTS_SIM_WIRE_H
#define ELA_TESTS_SIM_WIRE_H

#include "frame.h"
#include "sim.h"

/* Behind the transport header of each UDP packet: marker | from | to | 0 0 | number (4) | bytes that depend on all of
 * it. */
#define SIM_MARKER "\xe1\xa5\x1e\x1dinner-sim"
#define SIM_MARKER_LEN 13u

#endif
