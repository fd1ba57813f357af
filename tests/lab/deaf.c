/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deaf: elad as a revoked user may build it for himself: the first user list that it has is its last. So it goes on as
 * if it were in, speaks to everybody, and as a parent holds back every newer list from its children. The linker puts
 * this in place of core's own (--wrap). Control thread.
 */
#include "membership.h"

#include <errno.h>

/* The names that the linker gives them. */
int __real_ela_membership_offer_list(struct ela_membership *m, const void *bytes, size_t len, GError **error);
int __wrap_ela_membership_offer_list(struct ela_membership *m, const void *bytes, size_t len, GError **error);

int __wrap_ela_membership_offer_list(struct ela_membership *m, const void *bytes, size_t len, GError **error)
{
	if (ela_membership_newest(m))
		return ela_object_refuse(error, ESTALE, "this node does not hear of new lists");
	return __real_ela_membership_offer_list(m, bytes, len, error);
}
