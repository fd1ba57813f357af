/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invite: tokens, made from the folders of a node and its user's key: for new users, by the owner or by who may invite,
 * and for further machines of one's own. Control thread; 0 or a negative errno with error: -ENOENT: no such network, or
 * one that this node has not joined yet; -EACCES: the user may not.
 */
#ifndef ELA_CORE_INVITE_H
#define ELA_CORE_INVITE_H

#include "token.h"

#define ELA_INVITE_NODES 4u /* of a new user, unless he is given others */
#define ELA_INVITE_MIN_S 60u
#define ELA_INVITE_MAX_S (365u * 86400u)
#define ELA_INVITE_DEFAULT_S (7u * 86400u)

struct ela_inviter;

/* Reads the folders, and changes nothing in them. */
int ela_inviter_new(
	const char *config_dir, const char *state_dir, uint64_t now_s, struct ela_inviter **ret, GError **error);
void ela_inviter_free(struct ela_inviter *inviter); /* takes NULL; wipes the keys */

/* Where newcomers call this node: what its ela.ini says of ports, or the default. 0: it has no such transport. */
void ela_inviter_ports(const struct ela_inviter *inviter, uint16_t *ret_tcp, uint16_t *ret_udp);
/*
 * Enters an address of this node into the tokens, three at most; the ports are TCP's and UDP's. -EINVAL: not one that
 * can be called from elsewhere, or inside the network; -EALREADY: entered before; -ENOSPC.
 */
int ela_inviter_add_place(struct ela_inviter *inviter, const struct ela_place *place, GError **error);
uint32_t ela_inviter_places(const struct ela_inviter *inviter);
/*
 * Enters other cores that this node has met, the latest first, each with one address, so that the token is good when
 * this node is away. least of its own addresses stay, the others give way. A file "cores" of the state folder that
 * cannot be read is no reason to make no token.
 */
void ela_inviter_add_known(struct ela_inviter *inviter, uint32_t least);
/* For an address that nobody asked for: 2 of the Internet, 1 of a private network, 0 not to be given to anybody. */
uint32_t ela_inviter_rank(const struct ela_inviter *inviter, const struct ela_addr *addr);

/* A token for a new user; ela_wipe() and g_free. -EEXIST: the list has one of that name. */
int ela_invite_user(struct ela_inviter *inviter, const char *name, const struct ela_rights *rights, uint64_t expires_s,
	char **ret, GError **error);
/*
 * A token for a further machine of the inviter's own user, with a slot that no node and no other such token has: it is
 * noted in the state folder until the token expires. -ENOSPC: he may have no more nodes.
 */
int ela_invite_machine(
	struct ela_inviter *inviter, const char *node_name, uint64_t expires_s, char **ret, GError **error);

#endif
