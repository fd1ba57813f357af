/* SPDX-License-Identifier: Apache-2.0 */
/*
 * members: the peers of a node in a network with a ring, by what their credentials are worth. Who comes with one
 * becomes a guest: a peer without an address, who may ask and pull objects, and nothing else, for a short time.
 * Accepted, it is a member as long as its credential is good (wire.md, "Joining"; thesis 4.2.2 authentication). Control
 * thread.
 */
#ifndef ELA_CORE_MEMBERS_H
#define ELA_CORE_MEMBERS_H

#include "gate.h"
#include "membership.h"
#include "peer.h"

#define ELA_GUESTS_MAX 32u
#define ELA_GUEST_NS (10 * ELA_SEC) /* after that it is a member, or gone */
#define ELA_GUEST_BYTES 1048576u    /* that it sends and is sent */

struct ela_members;

/*
 * The node's gate from now on; node->gate, until free. node and membership are borrowed and outlive it; credential is
 * this node's own, a reference is taken. network's membership must have its genesis and list.
 */
struct ela_members *ela_members_new(struct ela_node *node, struct ela_membership *membership, GBytes *credential);
/* Its peers stay. Takes NULL. */
void ela_members_free(struct ela_members *members);

/*
 * This node called, and whoever answered is a guest from now on, as if it had called: it may ask to be let in. What is
 * a guest or a member already stays that.
 */
void ela_members_host(struct ela_members *members, struct ela_peer *peer);
/*
 * The peer is a member from now on, known by what spec says (its name is the credential's). Its credential must be good
 * now: 0; as ela_membership_check() with error; as ela_peer_change().
 */
int ela_members_accept(
	struct ela_members *members, struct ela_peer *peer, const struct ela_peer_spec *spec, GError **error);
/*
 * A member whom somebody else told of, by a credential that was taken already (ela_membership_offer_credential()): a
 * peer that may be called. 0, or as ela_peer_add(), ela_members_accept().
 */
int ela_members_add(struct ela_members *members, const struct ela_credential *credential,
	const struct ela_peer_spec *spec, struct ela_peer **ret, GError **error);
/*
 * The same for one who may be here already, as a guest or a member: the credential is his from now on, and what spec
 * says is known of him. *ret is his peer. Of ela.ini: -EINVAL.
 */
int ela_members_know(struct ela_members *members, const struct ela_credential *credential,
	const struct ela_peer_spec *spec, struct ela_peer **ret, GError **error);
/* Ends its sessions; it may come again. */
void ela_members_drop(struct ela_members *members, struct ela_peer *peer);
/* Ends the sessions with all members: this node is none any more. They stay members. */
void ela_members_hang_up(struct ela_members *members);
/* Somebody may have lost his rights: drops those whose credential is not good any more. Cheap when nothing changed. */
void ela_members_recheck(struct ela_members *members);

/* Of a guest or member; NULL = a peer of ela.ini, or its user is not known yet. Borrowed until the next offer. */
const struct ela_credential *ela_members_credential(const struct ela_members *members, const struct ela_peer *peer);
uint32_t ela_members_guests(const struct ela_members *members);

#endif
