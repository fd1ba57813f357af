/* SPDX-License-Identifier: Apache-2.0 */
/* classification-priv: what asking (classification.c) and answering (classification-answer.c) share. Control thread. */
#ifndef ELA_CORE_CLASSIFICATION_PRIV_H
#define ELA_CORE_CLASSIFICATION_PRIV_H

#include "classification.h"
#include "probe.h"

#define ELA_CLASSIFY_WAYS 2u    /* TCP, UDP: kind - 1 */
#define ELA_CLASSIFY_FOREIGN 4u /* nonces of a kind from addresses that are no asked core's */
#define ELA_CLASSIFY_KEPT 64u

_Static_assert(ELA_CLASSIFY_CORES + ELA_CLASSIFY_FOREIGN <= ELA_MESSAGE_NONCES, "they must fit into the request");
_Static_assert(ELA_PROBE_NONCE_LEN == ELA_MESSAGE_NONCE_LEN, "the same nonce");
_Static_assert(ELA_PROBE_TCP == 1u << (ELA_PROBE_BY_TCP - 1) && ELA_PROBE_UDP == 1u << (ELA_PROBE_BY_UDP - 1) &&
				   ELA_PROBE_BOTH == (ELA_PROBE_TCP | ELA_PROBE_UDP),
	"what failed is a set of bits");

enum ela_asked_state { ELA_ASKED_PORTS, ELA_ASKED_PROBED, ELA_ASKED_VERDICT, ELA_ASKED_DONE };

/* A core that this node has asked. */
struct ela_asked {
	struct ela_node *node;
	enum ela_asked_state state;
	uint32_t peer;      /* its number: it may be gone */
	uint64_t ticket;    /* of the request under way */
	struct ela_addr at; /* where its session leads, family NONE: through another node */
	bool has[ELA_CLASSIFY_WAYS];
	uint8_t nonces[ELA_CLASSIFY_WAYS][ELA_PROBE_NONCE_LEN]; /* that came from there */
	bool answered;
	enum ela_role role;
	enum ela_probe_failed failed;
};

/* A node that asked this one. Kept for a minute, for the limits. */
struct ela_tested {
	uint64_t born_ns; /* 0 = free */
	uint8_t key[ELA_KEY_LEN];
	struct ela_message_endpoint at;
	bool guest; /* it was one when it asked */
	bool waits; /* its nonces were not said yet */
	uint8_t nonces[ELA_CLASSIFY_WAYS][ELA_PROBE_NONCE_LEN];
};

struct ela_classification {
	struct ela_node *node;

	/* asking */
	uint32_t n_asked; /* 0 = nothing is under way */
	struct ela_asked asked[ELA_CLASSIFY_CORES];
	uint8_t foreign[ELA_CLASSIFY_WAYS][ELA_CLASSIFY_FOREIGN][ELA_PROBE_NONCE_LEN];
	uint32_t n_foreign[ELA_CLASSIFY_WAYS];
	uint8_t key[ELA_PROBE_KEY_LEN];
	uint64_t end_ns; /* no verdict counts after that */
	struct ela_timer *timer;
	struct ela_message_endpoint observed;
	struct ela_addr seen[ELA_CLASSIFY_CORES]; /* as struct ela_classified has it */
	uint32_t n_seen;
	ela_classified_fn fn;
	void *data;

	/* answering */
	struct ela_tested tested[ELA_CLASSIFY_KEPT];
};

#endif
