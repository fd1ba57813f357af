/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join: what a token makes of a machine: the node's keys, a new user's key or, for a further machine, none; the claim
 * by which it asks to be let in; credential, cores to ask, ela.ini. Nothing is sent. Control thread.
 */
#ifndef ELA_CORE_JOIN_H
#define ELA_CORE_JOIN_H

#include "outfit.h"
#include "token.h"

/*
 * What can be said of the arguments with the token in hand and before anything is made: -EINVAL: a name that is none, a
 * wish that nobody in the network can have, a bootstrap that ela.ini does not take.
 */
int ela_join_check(const struct ela_outfit *outfit, const struct ela_token *token, GError **error);
/*
 * Writes the files: outfit has folders, cipher, wish, bootstraps of one's own and the node's name; the rest is filled
 * in. The token must be one that parse took. 0, or a negative errno with error.
 */
int ela_join(struct ela_outfit *outfit, const struct ela_token *token, GError **error);

#endif
