/* SPDX-License-Identifier: Apache-2.0 */
/* holdings: signed objects, from elad or from its folder (see holdings.h). */
#include "holdings.h"
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPREAD_TRIES 40
#define SPREAD_US 50000

typedef int (*offer_fn)(struct ela_membership *m, const void *bytes, size_t len, GError **error);

/* ---- from elad ---- */

static GBytes *decode(const char *base64)
{
	gsize len;
	guchar *bytes = g_base64_decode(base64, &len);

	return g_bytes_new_take(bytes, len);
}

static int offer_credential(struct ela_membership *m, const void *bytes, size_t len, GError **error)
{
	return ela_membership_offer_credential(m, bytes, len, 0, true, NULL, error);
}

/* Of what lost meanwhile, and of forks, the membership says no: that is not worth a word. */
static void offer_all(struct ela_membership *m, const struct ela_json *all, offer_fn offer)
{
	for (guint i = 0; i < ela_json_length(all); i++) {
		const struct ela_json *item = ela_json_item(all, i);
		g_autoptr(GBytes) bytes = item->type == ELA_JSON_STRING ? decode(item->string) : NULL;

		if (bytes)
			(void)offer(m, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL);
	}
}

static int offer_one(
	struct ela_membership *m, const struct ela_json *objects, const char *key, offer_fn offer, GError **error)
{
	const char *base64 = ela_json_get_string(objects, key);
	g_autoptr(GBytes) bytes = base64 ? decode(base64) : NULL;

	return bytes ? offer(m, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error) : 0;
}

/* The network's id is the hash of its genesis, and this machine's elad vouches for that. */
static int take_objects(const struct ela_json *objects, struct ela_membership **ret, GError **error)
{
	const char *base64 = ela_json_get_string(objects, "genesis");
	g_autoptr(GBytes) genesis = base64 ? decode(base64) : NULL;
	uint8_t id[ELA_NETWORK_LEN];
	int err = 0;

	if (!genesis)
		return ela_object_refuse(error, ENOENT, "this node has not joined the network yet");
	if (ela_object_hash(g_bytes_get_data(genesis, NULL), g_bytes_get_size(genesis), id) != 0)
		return ela_object_refuse(error, EIO, "libcrypto makes no hash");
	err = ela_membership_new(id, &ela_file_system, -1, ret, error);
	if (err != 0)
		return err;
	ela_membership_set_judged(*ret, true);
	err = offer_one(*ret, objects, "genesis", ela_membership_offer_genesis, error);
	if (err == 0)
		err = offer_one(*ret, objects, "list", ela_membership_offer_list, error);
	offer_all(*ret, ela_json_get(objects, "forks"), ela_membership_offer_list);
	offer_all(*ret, ela_json_get(objects, "enrolments"), ela_membership_offer_enrolment);
	offer_all(*ret, ela_json_get(objects, "credentials"), offer_credential);
	ela_membership_set_judged(*ret, false);
	return err;
}

/* ---- from the folder ---- */

/* Root goes there as whose it is: he may have put anything there, and must be able to read what is written. */
static void become(const struct ela_holdings *holdings)
{
	if (geteuid() == 0 && holdings->uid != 0 && (setegid(holdings->gid) != 0 || seteuid(holdings->uid) != 0))
		g_error("cannot become uid %u: %s", (unsigned)holdings->uid, g_strerror(errno));
}

static void be_oneself_again(void)
{
	if (getuid() == 0 && (seteuid(0) != 0 || setegid(0) != 0))
		g_error("cannot become root again: %s", g_strerror(errno));
}

static int load(struct ela_holdings *holdings, GError **error)
{
	g_autoptr(GBytes) genesis = NULL;
	uint8_t id[ELA_NETWORK_LEN];
	int err = ela_file_get(holdings->dirfd, "genesis", ELA_OBJECT_MAX, &genesis);

	if (err == -ENOENT)
		return ela_object_refuse(error, ENOENT, "%s: no elad runs, and this node has not joined a network with users",
			holdings->place->state_dir);
	if (err != 0)
		return ela_object_refuse(error, -err, "%s/genesis: %s", holdings->place->state_dir, g_strerror(-err));
	if (ela_object_hash(g_bytes_get_data(genesis, NULL), g_bytes_get_size(genesis), id) != 0)
		return ela_object_refuse(error, EIO, "libcrypto makes no hash");
	return ela_membership_new(id, &ela_file_system, holdings->dirfd, &holdings->membership, error);
}

static int open_folder(struct ela_holdings *holdings, GError **error)
{
	const char *dir = holdings->place->state_dir;
	struct stat st;
	int err;

	holdings->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (holdings->dirfd < 0 || fstat(holdings->dirfd, &st) != 0)
		return ela_object_refuse(error, errno, "%s: %s", dir, g_strerror(errno));
	holdings->uid = st.st_uid;
	holdings->gid = st.st_gid;
	become(holdings);
	err = load(holdings, error);
	be_oneself_again();
	return err;
}

/* ---- both ---- */

static GString *refuse(int err, const GError *error)
{
	if (err == -EACCES || err == -EPERM)
		return ela_refusal(ELA_CODE_PERMISSION, "as root", "%s", error->message);
	if (err == -ENOENT)
		return ela_refusal(ELA_CODE_NOT_FOUND, "ela join, or start its elad", "%s", error->message);
	return ela_refusal(ELA_CODE_FAILED, NULL, "%s", error->message);
}

bool ela_holdings_get(const struct ela_network_place *place, struct ela_holdings *ret, GString **ret_refusal)
{
	struct ela_answer answer = {0};
	g_autoptr(GError) error = NULL;
	int err = 0;

	*ret = (struct ela_holdings){.place = place, .dirfd = -1};
	ela_talk(place, "objects", NULL, NULL, false, &answer);
	if (answer.code == ELA_CODE_OK)
		err = take_objects(ela_json_get(answer.json, "objects"), &ret->membership, &error);
	else if (answer.code == ELA_CODE_NOT_RUNNING)
		err = open_folder(ret, &error);
	else
		*ret_refusal = g_string_new_len(answer.text->str, (gssize)answer.text->len);
	if (err != 0)
		*ret_refusal = refuse(err, error);
	if (err != 0 || (answer.code != ELA_CODE_OK && answer.code != ELA_CODE_NOT_RUNNING))
		ela_holdings_clear(ret);
	ela_answer_clear(&answer);
	return ret->membership != NULL;
}

static GString *offer_request(GBytes *list)
{
	g_autofree char *base64 = g_base64_encode(g_bytes_get_data(list, NULL), g_bytes_get_size(list));
	GString *request = g_string_new(NULL);

	ela_json_open(request, NULL, '{');
	ela_json_put(request, "verb", "offer");
	ela_json_put(request, "kind", "list");
	ela_json_put(request, "object", base64);
	ela_json_close(request, '}');
	return request;
}

/* This node may die now, and the network has the list all the same: one neighbour is enough, for he tells his. */
static bool has_spread(const struct ela_network_place *place)
{
	struct ela_answer answer = {0};
	const struct ela_json *list;
	bool has;

	ela_talk(place, "status", NULL, NULL, false, &answer);
	list = answer.json ? ela_json_get(ela_json_get(answer.json, "network"), "list") : NULL;
	has = !list || ela_json_get_number(list, "neighbours", 0) < 1 || ela_json_get_number(list, "held_by", 1) >= 1;
	ela_answer_clear(&answer);
	return has;
}

static GString *give_to_elad(const struct ela_holdings *holdings, GBytes *list)
{
	struct ela_answer answer = {0};
	GString *refusal = NULL;

	ela_talk_request(holdings->place, offer_request(list), false, &answer);
	if (answer.code != ELA_CODE_OK)
		refusal = g_string_new_len(answer.text->str, (gssize)answer.text->len);
	ela_answer_clear(&answer);
	for (int i = 0; !refusal && i < SPREAD_TRIES && !has_spread(holdings->place); i++)
		g_usleep(SPREAD_US);
	return refusal;
}

GString *ela_holdings_give(struct ela_holdings *holdings, GBytes *list)
{
	g_autoptr(GError) error = NULL;
	GString *refusal;
	int err;

	if (holdings->dirfd < 0)
		return give_to_elad(holdings, list);
	become(holdings);
	err = ela_membership_offer_list(holdings->membership, g_bytes_get_data(list, NULL), g_bytes_get_size(list), &error);
	be_oneself_again();
	if (err != 0)
		return refuse(err, error);
	/* One that was started meanwhile may have read the folder before. It is not there, as a rule, or has the list. */
	refusal = give_to_elad(holdings, list);
	if (refusal)
		(void)g_string_free(refusal, TRUE); /* which returns NULL */
	return NULL;
}

void ela_holdings_clear(struct ela_holdings *holdings)
{
	ela_membership_free(holdings->membership);
	if (holdings->dirfd >= 0)
		(void)close(holdings->dirfd); /* what was written is on the disk */
	*holdings = (struct ela_holdings){.dirfd = -1};
}
