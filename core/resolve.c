/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve: getaddrinfo() on threads of its own, so that a slow name server never holds the control loop. A thread lives
 * while there are questions. It cannot be stopped inside getaddrinfo(): a cancelled question stays with its thread, and
 * a freed resolver with the last of them. Control thread and workers; everything shared is under the one lock.
 */
#include "resolve.h"

#include "loop.h"

#include <ela/host.h>
#include <errno.h>
#include <glib.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_WORKERS 8u /* names that a dead name server can hold up before the next one waits */

enum state { ASKED, AT_WORK, ANSWERED };

struct ela_lookup {
	struct ela_resolver *resolver;
	char *host;
	ela_resolve_done done; /* NULL once cancelled at work: the caller may be gone */
	void *data;
	enum state state;
	uint16_t port;
	/* The answer. Its worker's until the state is ANSWERED. */
	struct ela_addr addrs[ELA_RESOLVE_MAX];
	uint32_t n;
	char *reason;
};

struct ela_resolver {
	pthread_mutex_t lock;
	GQueue lookups; /* struct ela_lookup *, those that still owe an answer, in the order they came */
	uint32_t workers;
	int answers_fd; /* semaphore: one count for each answer, so that a turn of the loop gives one; -1 once freed */
	struct ela_loop *loop;
	struct ela_watch *watch;
};

static void lock(struct ela_resolver *resolver)
{
	(void)pthread_mutex_lock(&resolver->lock); /* a default mutex cannot fail */
}

static void unlock(struct ela_resolver *resolver)
{
	(void)pthread_mutex_unlock(&resolver->lock);
}

static void lookup_free(struct ela_lookup *lookup)
{
	g_free(lookup->host);
	g_free(lookup->reason);
	g_free(lookup);
}

static void resolver_free(struct ela_resolver *resolver)
{
	(void)pthread_mutex_destroy(&resolver->lock); /* nobody holds it */
	g_free(resolver);
}

/* ---- asking ---- */

/* False for a family that no transport of ours dials. */
static bool to_addr(const struct sockaddr *sa, uint16_t port, struct ela_addr *ret)
{
	struct ela_addr addr = {.port = port};

	if (sa->sa_family == AF_INET) {
		addr.family = ELA_ADDR_IP4;
		memcpy(addr.ip, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct in6_addr *ip6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
		bool mapped = IN6_IS_ADDR_V4MAPPED(ip6);

		addr.family = mapped ? ELA_ADDR_IP4 : ELA_ADDR_IP6;
		if (mapped)
			memcpy(addr.ip, ip6->s6_addr + 12, 4);
		else
			memcpy(addr.ip, ip6->s6_addr, 16);
	} else {
		return false;
	}
	*ret = addr;
	return true;
}

/* /etc/hosts may name an address several times. */
static bool has_addr(const struct ela_addr *addrs, uint32_t n, const struct ela_addr *addr)
{
	for (uint32_t i = 0; i < n; i++)
		if (memcmp(&addrs[i], addr, sizeof *addr) == 0)
			return true;
	return false;
}

/* This machine, with and without a line in /etc/hosts (RFC 6761 section 6.3). */
static bool is_localhost(const char *host)
{
	return g_ascii_strcasecmp(host, "localhost") == 0 || g_ascii_strcasecmp(host, "localhost.") == 0;
}

/* Worker. A literal needs no name server, and none of its family's addresses on this machine (AI_ADDRCONFIG). */
static int ask(const char *host, struct addrinfo **ret)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	int rc = is_localhost(host) ? getaddrinfo(NULL, "0", &hints, ret) : getaddrinfo(host, NULL, &hints, ret);

	if (rc != EAI_NONAME)
		return rc;
	hints.ai_flags = AI_ADDRCONFIG;
	return getaddrinfo(host, NULL, &hints, ret);
}

/* Worker; the lookup is AT_WORK, so its answer is this thread's alone. */
static void look_up(struct ela_lookup *lookup)
{
	struct addrinfo *list = NULL;
	g_autofree char *ascii = g_hostname_to_ascii(lookup->host); /* names in other scripts (RFC 3490) */
	int rc = ascii ? ask(ascii, &list) : EAI_NONAME;
	int saved_errno = errno;

	if (rc != 0) {
		lookup->reason = g_strdup(rc == EAI_SYSTEM ? g_strerror(saved_errno) : gai_strerror(rc));
		return;
	}
	for (struct addrinfo *ai = list; ai && lookup->n < ELA_RESOLVE_MAX; ai = ai->ai_next)
		if (to_addr(ai->ai_addr, lookup->port, &lookup->addrs[lookup->n]) &&
			!has_addr(lookup->addrs, lookup->n, &lookup->addrs[lookup->n]))
			lookup->n++;
	freeaddrinfo(list);
	if (lookup->n == 0)
		lookup->reason = g_strdup("no IPv4 or IPv6 address");
}

/* NULL when there is none. Under the lock. */
static struct ela_lookup *first(struct ela_resolver *resolver, enum state state)
{
	for (GList *l = resolver->lookups.head; l; l = l->next) {
		struct ela_lookup *lookup = l->data;

		if (lookup->state == state)
			return lookup;
	}
	return NULL;
}

/* Under the lock. */
static void answered(struct ela_resolver *resolver, struct ela_lookup *lookup)
{
	static const uint64_t one = 1;

	lookup->state = ANSWERED;
	(void)!write(resolver->answers_fd, &one, sizeof one); /* far from full: one for each lookup */
}

static void *work(void *data)
{
	struct ela_resolver *resolver = data;
	struct ela_lookup *lookup;
	bool is_last;

	lock(resolver);
	while ((lookup = first(resolver, ASKED))) {
		lookup->state = AT_WORK;
		unlock(resolver);
		look_up(lookup);
		lock(resolver);
		if (lookup->done)
			answered(resolver, lookup);
		else
			lookup_free(lookup);
	}
	resolver->workers--;
	is_last = resolver->answers_fd < 0 && resolver->workers == 0;
	unlock(resolver);
	if (is_last)
		resolver_free(resolver);
	return NULL;
}

/* 0 or an errno. The signals stay with the control thread. */
static int start_worker(struct ela_resolver *resolver)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int rc = pthread_attr_init(&attr);

	if (rc != 0)
		return rc;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED); /* these cannot fail: the values are good */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, work, resolver);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return rc;
}

/* ---- the control thread ---- */

static void on_answer(void *data, uint32_t events)
{
	struct ela_resolver *resolver = data;
	struct ela_lookup *lookup;
	uint64_t count;

	(void)events;
	(void)!read(resolver->answers_fd, &count, sizeof count); /* it was readable */
	lock(resolver);
	lookup = first(resolver, ANSWERED);
	if (lookup)
		(void)g_queue_remove(&resolver->lookups, lookup); /* it is there */
	unlock(resolver);
	if (!lookup)
		return;                                                           /* cancelled after it was answered */
	lookup->done(lookup->data, lookup->addrs, lookup->n, lookup->reason); /* may free the resolver */
	lookup_free(lookup);
}

struct ela_resolver *ela_resolver_new(struct ela_loop *loop)
{
	struct ela_resolver *resolver;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);

	if (fd < 0)
		return NULL;
	resolver = g_new0(struct ela_resolver, 1);
	(void)pthread_mutex_init(&resolver->lock, NULL); /* cannot fail without attributes */
	resolver->answers_fd = fd;
	resolver->loop = loop;
	resolver->watch = loop->ops->watch_new(loop, fd, ELA_EVENT_READ, on_answer, resolver);
	return resolver;
}

/* Takes the lookup off the list. Under the lock. */
static void drop(struct ela_lookup *lookup)
{
	(void)g_queue_remove(&lookup->resolver->lookups, lookup); /* it is there: it has not answered yet */
	if (lookup->state == AT_WORK)
		lookup->done = NULL; /* its worker frees it */
	else
		lookup_free(lookup);
}

void ela_resolver_free(struct ela_resolver *resolver)
{
	bool is_last;

	if (!resolver)
		return;
	resolver->loop->ops->watch_free(resolver->watch);
	lock(resolver);
	while (resolver->lookups.head)
		drop(resolver->lookups.head->data);
	(void)close(resolver->answers_fd); /* nothing written can be lost */
	resolver->answers_fd = -1;
	is_last = resolver->workers == 0;
	unlock(resolver);
	if (is_last)
		resolver_free(resolver);
}

void ela_lookup_cancel(struct ela_lookup *lookup)
{
	struct ela_resolver *resolver;

	if (!lookup)
		return;
	resolver = lookup->resolver;
	lock(resolver);
	drop(lookup);
	unlock(resolver);
}

struct ela_lookup *ela_resolver_start(
	struct ela_resolver *resolver, const char *host, uint16_t port, ela_resolve_done done, void *data)
{
	struct ela_lookup *lookup = g_new0(struct ela_lookup, 1);
	int rc;

	*lookup = (struct ela_lookup){
		.resolver = resolver, .host = g_strdup(host), .port = port, .done = done, .data = data, .state = ASKED};
	lock(resolver);
	g_queue_push_tail(&resolver->lookups, lookup);
	if (resolver->workers < MAX_WORKERS) {
		resolver->workers++;
		rc = start_worker(resolver);
		if (rc != 0 && --resolver->workers == 0) { /* else those there will take it */
			lookup->reason = g_strdup_printf("cannot start a thread: %s", g_strerror(rc));
			answered(resolver, lookup);
		}
	}
	unlock(resolver);
	return lookup;
}
