/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membership-list: which list of users counts. The greater (epoch, version) wins; two of one number, or two handovers
 * to one epoch, are a fork: something that only the owner's key can make and never should. Control thread.
 */
#include "membership-priv.h"

#include <errno.h>
#include <string.h>

void ela_held_list_clear(struct ela_held_list *held)
{
	ela_userlist_free(held->list);
	g_clear_pointer(&held->bytes, g_bytes_unref);
	held->list = NULL;
}

static const struct ela_held_list *newest(const struct ela_membership *m)
{
	return m->waiting.list ? &m->waiting : &m->list;
}

const struct ela_userlist *ela_membership_list(const struct ela_membership *m)
{
	return m->list.list;
}

const struct ela_userlist *ela_membership_newest(const struct ela_membership *m)
{
	return newest(m)->list;
}

GBytes *ela_membership_newest_bytes(const struct ela_membership *m)
{
	return newest(m)->bytes;
}

GBytes *ela_membership_fork(const struct ela_membership *m, uint32_t i)
{
	return i < m->n_forks ? m->forks[i].bytes : NULL;
}

/* Keys stay revoked within an epoch, whatever its lists say later; a new owner begins anew. */
static void take_revoked(struct ela_membership *m, const struct ela_userlist *list)
{
	if (list->epoch > m->revoked_epoch) {
		ela_revoked_clear(&m->revoked);
		m->revoked_epoch = list->epoch;
	}
	if (list->epoch == m->revoked_epoch)
		(void)ela_revoked_merge(&m->revoked, &list->revoked); /* whether it changed makes no difference here */
	ela_membership_trust(m, list->issued_s);
}

/* Forks of what is older than the list say nothing any more. */
static void drop_forks(struct ela_membership *m)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->n_forks; i++) {
		if (ela_userlist_compare(m->forks[i].list, m->list.list) < 0)
			ela_held_list_clear(&m->forks[i]);
		else
			m->forks[kept++] = m->forks[i];
	}
	m->n_forks = kept;
}

int ela_membership_promote(struct ela_membership *m)
{
	struct ela_held_list old = m->list;
	int err = ela_membership_write(m, ELA_STATE_REVOKED);

	m->list = m->waiting;
	m->waiting = (struct ela_held_list){0};
	if (err == 0)
		err = ela_membership_write(m, ELA_STATE_LIST);
	if (err != 0) {
		m->waiting = m->list;
		m->list = old;
		return err;
	}
	ela_held_list_clear(&old);
	drop_forks(m);
	ela_membership_drop_folded(m);
	m->generation++;
	(void)ela_membership_write(m, ELA_STATE_FORKS); /* these only repeat what the list says; the flush tries again */
	(void)ela_membership_write(m, ELA_STATE_ENROLMENTS);
	return 0;
}

/* Takes held over. */
static int adopt(struct ela_membership *m, struct ela_held_list *held, GError **error)
{
	int err;

	take_revoked(m, held->list);
	ela_held_list_clear(&m->waiting);
	m->waiting = *held;
	m->generation++;
	err = ela_membership_promote(m);
	return err == 0 ? 0
					: ela_object_refuse(error, -err,
						  "the new user list cannot be written: %s; what it takes away applies, what it gives waits",
						  g_strerror(-err));
}

/* Takes held over. Both lists are the owner's: who is in both is in, who is revoked by one is revoked. */
static int take_fork(struct ela_membership *m, struct ela_held_list *held, GError **error)
{
	for (uint32_t i = 0; i < m->n_forks; i++) {
		if (memcmp(m->forks[i].list->hash, held->list->hash, ELA_HASH_LEN) != 0)
			continue;
		ela_held_list_clear(held);
		return ela_object_refuse(error, EALREADY, "this fork of the user list is known");
	}
	take_revoked(m, held->list);
	m->generation++;
	if (m->n_forks < ELA_FORKS_MAX)
		m->forks[m->n_forks++] = *held;
	else
		ela_held_list_clear(held);                    /* what it revokes counts all the same */
	(void)ela_membership_write(m, ELA_STATE_REVOKED); /* takes away: applies anyhow, and the flush tries again */
	(void)ela_membership_write(m, ELA_STATE_FORKS);
	return ela_object_refuse(error, ENOTUNIQ,
		"two user lists of one version, both signed by the owner: rights are what both give until he signs a newer "
		"one");
}

/* Two successors of one owner: somebody has the recovery key who should not. */
static bool has_other_owners(const struct ela_userlist *a, const struct ela_userlist *b)
{
	for (uint64_t i = 0; i < MIN(a->epoch, b->epoch); i++)
		if (!g_bytes_equal(a->handover_bytes[i], b->handover_bytes[i]))
			return true;
	return false;
}

/* Takes held over. */
static int take_list(struct ela_membership *m, struct ela_held_list *held, GError **error)
{
	const struct ela_userlist *old = newest(m)->list;
	int order = old ? ela_userlist_compare(held->list, old) : 1, err = 0;

	if (old && has_other_owners(held->list, old)) {
		m->has_two_owners = true;
		err = ela_object_refuse(
			error, ENOTUNIQ, "a user list of another owner of this epoch: the recovery key was used twice");
	} else if (order < 0) {
		err = ela_object_refuse(error, ESTALE, "an older user list: version %u.%u, held is %u.%u",
			(unsigned)held->list->epoch, (unsigned)held->list->version, (unsigned)old->epoch, (unsigned)old->version);
	} else if (order == 0 && memcmp(held->list->hash, old->hash, ELA_HASH_LEN) == 0) {
		err = ela_object_refuse(error, EALREADY, "this user list is the one held");
	}
	if (err != 0) {
		ela_held_list_clear(held);
		return err;
	}
	return order > 0 ? adopt(m, held, error) : take_fork(m, held, error);
}

int ela_membership_offer_list(struct ela_membership *m, const void *bytes, size_t len, GError **error)
{
	struct ela_held_list held = {0};
	int err;

	if (!m->genesis_bytes)
		return ela_object_refuse(error, EAGAIN, "a user list before the genesis");
	err = ela_userlist_parse(&m->genesis, bytes, len, &held.list, error);
	if (err != 0)
		return err;
	held.bytes = g_bytes_new(bytes, len);
	return take_list(m, &held, error);
}
