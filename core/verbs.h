/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verbs: what comes over the control socket, done: who may, which peer is meant, what is replied. Control thread.
 */
#ifndef ELA_CORE_VERBS_H
#define ELA_CORE_VERBS_H

#include "console.h"
#include "health.h"
#include "node.h"

struct ela_verbs;

/* The process around the node. */
struct ela_verbs_owner {
	/* Reads ela.ini again; what is wrong (char *, g_free) into errors. 0, or the code of the refusal. */
	int (*reload)(void *data, GPtrArray *errors);
	/* Ends the process, once the reply is out. */
	void (*leave)(void *data);
	/* A user list for the node's network: as ela_network_offer_list(), -ENOSYS without error in one of static peers. */
	int (*offer_list)(void *data, const void *bytes, size_t len, GError **error);
	/* A newcomer whom the node calls: as ela_network_dial(), -ENOSYS likewise. */
	int (*dial)(void *data, const char *endpoint, uint64_t until_s, GError **error);
	/* What the process knows of its own health; calls fn for each. */
	void (*health)(void *data, ela_health_fn fn, void *fn_data);
	void *data;
};

/* owner is copied; node and log are borrowed. */
struct ela_verbs *ela_verbs_new(struct ela_node *node, struct ela_log *log, const struct ela_verbs_owner *owner);
/* No call waits any more: the console is freed before. Takes NULL. */
void ela_verbs_free(struct ela_verbs *verbs);

/* ela_console_fn: data is a struct ela_verbs *. */
void ela_verbs_run(void *data, struct ela_call *call, const char *line, size_t len);

/* Replies for ela_console_new(). */
#define ELA_VERBS_BUSY                                                                                                 \
	"{\"schema\":1,\"error\":{\"code\":1,\"text\":\"elad serves as many as it does at once\",\"remedy\":\"try "        \
	"again\"}}"
#define ELA_VERBS_LONG                                                                                                 \
	"{\"schema\":1,\"error\":{\"code\":2,\"text\":\"a request has 4096 bytes at most, 720896 of who may change "       \
	"something\",\"remedy\":null}}"

#endif
