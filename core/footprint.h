/* SPDX-License-Identifier: Apache-2.0 */
/* footprint: memory that the start needed and the rest of a daemon's life does not. Control thread. */
#ifndef ELA_CORE_FOOTPRINT_H
#define ELA_CORE_FOOTPRINT_H

/*
 * Gives back free heap, and unmaps what is only read of elad and its libraries: what is needed comes back from the page
 * cache when it is touched, and what the start alone needed stays away. Costs some hundred page faults afterwards.
 */
void ela_footprint_trim(void);

#endif
