/* SPDX-License-Identifier: Apache-2.0 */
/* ecn: setting CE. Pure functions, any thread. */
#include "ecn.h"

#include "checksum.h"
#include "headers.h"

#define MASK 3u
#define SHIFT6 4u /* the ECN bits of an IPv6 traffic class lie in the second byte's upper half */

bool ela_ecn_mark(uint8_t *ip)
{
	uint16_t before, after, sum;

	if (ip[0] >> 4 != 4) {
		if ((ip[1] >> SHIFT6 & MASK) == 0)
			return false;
		ip[1] |= ELA_ECN_CE << SHIFT6;
		return true;
	}
	if ((ip[1] & MASK) == 0)
		return false;
	before = ela_get16(ip);
	ip[1] |= ELA_ECN_CE;
	after = ela_get16(ip);
	sum = (uint16_t)~ela_get16(ip + 10);
	/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m') */
	ela_put16(ip + 10, (uint16_t)~ela_csum_fold((uint64_t)sum + (uint16_t)~before + after));
	return true;
}
