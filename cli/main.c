/* SPDX-License-Identifier: Apache-2.0 */
/* main: the command line of ela, the command for people. */
#include "enter.h"
#include "report.h"
#include "show.h"
#include "talk.h"
#include "users.h"
#include "verbs.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PINGS 4u
#define PINGS_MAX 1000000000u
#define OPTIONS_MAX 32u

struct arguments {
	const char *dir, *network, *elad;
	GPtrArray *plugin_dirs;
	GPtrArray *endpoints; /* char * of argv, NULL at the end when parsed */
	struct ela_enter enter;
	uint32_t count;
	bool json, version, help;
	char given[OPTIONS_MAX]; /* letters of the options that belong to some verbs alone */
	char **words;            /* verb and its arguments, NULL-terminated */
};

struct verb {
	const char *name;
	const char *argument; /* what it takes, for people; NULL = nothing; "X..." = one or more */
	int (*run)(const struct arguments *arguments, const struct ela_network_place *place);
	const char *options; /* letters of those that are not for all verbs; NULL = none */
	bool is_nowhere;     /* it needs no network that is there */
	bool is_optional;    /* it can do without its argument */
};

static const char usage[] =
	"Usage: ela [OPTION]... VERB\n"
	"\n"
	"Makes ELA networks, and shows and steers their elad.\n"
	"\n"
	"  init NETWORK       found a network: its keys, its first user and node; prints a token for the next machine, "
	"and\n"
	"                     starts elad\n"
	"  join TOKEN         make this machine a node of the network that the token is for, and start elad; - reads the "
	"token\n"
	"                     from stdin, where other users of this machine do not see it\n"
	"  join               start elad again in a network that this machine left\n"
	"  invite USER...     a token for each of these new users, a line each\n"
	"  add-node NAME      a token for a further machine of one's own\n"
	"  status             this node, its peers, what is wrong and what to do about it\n"
	"  peers              its peers alone\n"
	"  ping NODE          ask a node over its session; -c N times (4; 0 = until interrupted)\n"
	"  why NODE           why the path to a node is what it is, or why there is none\n"
	"  leases             who has which address, and who is online\n"
	"  users [list]       who is in the network, with which rights\n"
	"  users revoke NAME, reserve NAME NODE IP, set NAME KEY VALUE, renew\n"
	"                     end a user's membership; keep an address for his nodes; may-be-core or may-invite yes or "
	"no,\n"
	"                     max-nodes N; only renew the list, for a year                       (the owner's key)\n"
	"  recover FILE       make a new owner's key, with the recovery key of FILE\n"
	"  check              check ela.ini: silent when it is good\n"
	"  plugins            every plugin with its options\n"
	"  reload             read ela.ini again                               (root or group ela)\n"
	"  log LEVEL          error, warn, info, debug or trace, until reload  (root or group ela)\n"
	"  leave              say good-bye and end elad; keys and address stay (root or group ela)\n"
	"\n"
	"NODE is a name, an overlay address or a node ID. Whoever has a token is in: give it to its user alone.\n"
	"\n"
	"  --dir DIR          the network whose ela.ini is in DIR; init, join: everything goes there (else " ELA_PLACE_ETC
	"/NETWORK\n"
	"                     and " ELA_PLACE_STATE "/NETWORK)\n"
	"  --network NAME     that of " ELA_PLACE_ETC "/NAME; without both: the only one in " ELA_PLACE_ETC "\n"
	"  --json             for programs: docs/json.md\n"
	"  --prefix PREFIX    of init: the overlay's addresses (10.77.0.0/24)\n"
	"  --user NAME        of init: you, the first user (your login)\n"
	"  --no-start         of init and join: make the files and no more; needs no root with --dir\n"
	"  --timeout TIME     of init and join: how long the node may take until it is in (30s)\n"
	"  --endpoint HOST[:PORT]  of init, invite, add-node: where newcomers call this node; up to 3 times (this "
	"machine's\n"
	"                     addresses, port 7450)\n"
	"                     of join: where to ask first, before those of the token\n"
	"  --name NODE        of init and join: what to call this machine (what the token says, else its host name)\n"
	"  --address IP       of join: the overlay address it would like\n"
	"  --dial HOST[:PORT] of invite, add-node: this node calls the newcomer there, who cannot call anybody\n"
	"  --edge-only        of invite: the user's nodes are never core nodes\n"
	"  --may-invite       of invite: the user may invite others\n"
	"  --max-nodes N      of invite: how many nodes the user may have (4)\n"
	"  --expires TIME     of invite and add-node: until when the token is good, such as 30m or 2d (7d)\n"
	"  -c, --count N      of ping\n"
	"  --elad FILE        of init, join, check and plugins: the elad to run (" ELA_ELAD_FILE ")\n"
	"  --plugin-dir DIR   of these: as of elad\n"
	"  --version          print the version and exit\n"
	"  --help             print this and exit\n"
	"\n"
	"Exit codes: 0 ok, 1 failed, 2 usage, 3 elad is not running, 4 not permitted, 5 not found, 6 time-out, 78 bad\n"
	"configuration.\n";

/* ---- verbs ---- */

int ela_run_refuse(const struct ela_answer *answer, bool json)
{
	if (json)
		(void)puts(answer->text->str); /* stdout is checked at the end */
	else
		ela_show_refusal(answer->json);
	return answer->code;
}

static bool wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (!no_colour || !*no_colour);
}

/* One question; show prints a good reply for people, NULL = it has nothing to say. */
static int ask(const struct arguments *arguments, const struct ela_network_place *place, const char *key,
	bool until_end, void (*show)(const struct ela_json *reply, bool colour))
{
	struct ela_answer answer = {0};
	int code;

	ela_talk(place, arguments->words[0], key, arguments->words[1], until_end, &answer);
	code = answer.code;
	if (code != ELA_CODE_OK)
		(void)ela_run_refuse(&answer, arguments->json); /* the code is known */
	else if (arguments->json)
		(void)puts(answer.text->str); /* stdout is checked at the end */
	else if (show)
		show(answer.json, wants_colour());
	ela_answer_clear(&answer);
	return code;
}

static void show_why(const struct ela_json *reply, bool colour)
{
	(void)colour;
	ela_show_why(reply);
}

static int run_status(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ask(arguments, place, NULL, false, ela_show_status);
}

static int run_peers(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ask(arguments, place, NULL, false, ela_show_peers);
}

static int run_why(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ask(arguments, place, "node", false, show_why);
}

static int run_reload(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ask(arguments, place, NULL, false, NULL);
}

static int run_log(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ask(arguments, place, "level", false, NULL);
}

static int run_leave(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ask(arguments, place, NULL, true, NULL);
}

static int run_ping(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ela_run_ping(place, arguments->words[1], arguments->count, arguments->json);
}

static int run_leases(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ask(arguments, place, NULL, false, ela_show_leases);
}

static int run_users(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ela_run_users(place, arguments->words + 1, arguments->json, wants_colour());
}

static int run_recover(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ela_run_recover(place, arguments->words[1], arguments->json);
}

static int run_check(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ela_run_check(place, arguments->elad, (char **)arguments->plugin_dirs->pdata, arguments->json);
}

static int run_plugins(const struct arguments *arguments, const struct ela_network_place *place)
{
	(void)place;
	return ela_run_plugins(arguments->elad, (char **)arguments->plugin_dirs->pdata, arguments->json);
}

static int run_init(const struct arguments *arguments, const struct ela_network_place *place)
{
	(void)place;
	return ela_run_init(&arguments->enter, arguments->words[1]);
}

static int run_join(const struct arguments *arguments, const struct ela_network_place *place)
{
	struct ela_network_place there = {0};
	GString *refusal = NULL;
	int code;

	(void)place;
	if (arguments->words[1])
		return ela_run_join(&arguments->enter, arguments->words[1]);
	if (!ela_place_find(ELA_PLACE_ETC, arguments->dir, arguments->network, &there, &refusal))
		return ela_run_fail(refusal, arguments->json);
	code = ela_run_back(&arguments->enter, &there);
	ela_place_clear(&there);
	return code;
}

static int run_invite(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ela_run_invite(&arguments->enter, place, arguments->words + 1);
}

static int run_add_node(const struct arguments *arguments, const struct ela_network_place *place)
{
	return ela_run_add_node(&arguments->enter, place, arguments->words[1]);
}

static const struct verb verbs[] = {
	{"init", "NETWORK", run_init, .options = "aPuENt", .is_nowhere = true},
	{"join", "TOKEN", run_join, .options = "aAENt", .is_nowhere = true, .is_optional = true},
	{"invite", "USER...", run_invite, .options = "DEgimx"},
	{"add-node", "NAME", run_add_node, .options = "DEx"},
	{"status", NULL, run_status},
	{"peers", NULL, run_peers},
	{"ping", "NODE", run_ping, .options = "c"},
	{"why", "NODE", run_why},
	{"leases", NULL, run_leases},
	{"users", "ACTION...", run_users, .is_optional = true},
	{"recover", "FILE", run_recover},
	{"check", NULL, run_check},
	{"plugins", NULL, run_plugins, .is_nowhere = true},
	{"reload", NULL, run_reload},
	{"log", "LEVEL", run_log},
	{"leave", NULL, run_leave},
};

/* ---- the command line ---- */

int ela_run_fail(GString *refusal, bool json)
{
	struct ela_answer answer = {0};
	int code;

	ela_answer_refuse(refusal, &answer);
	code = ela_run_refuse(&answer, json);
	ela_answer_clear(&answer);
	return code;
}

static int refuse(const struct arguments *arguments, GString *refusal)
{
	return ela_run_fail(refusal, arguments->json);
}

static const struct option options[] = {
	{"dir", required_argument, NULL, 'd'},
	{"network", required_argument, NULL, 'n'},
	{"json", no_argument, NULL, 'j'},
	{"count", required_argument, NULL, 'c'},
	{"elad", required_argument, NULL, 'e'},
	{"plugin-dir", required_argument, NULL, 'p'},
	{"prefix", required_argument, NULL, 'P'},
	{"user", required_argument, NULL, 'u'},
	{"no-start", no_argument, NULL, 'N'},
	{"timeout", required_argument, NULL, 't'},
	{"endpoint", required_argument, NULL, 'E'},
	{"dial", required_argument, NULL, 'D'},
	{"edge-only", no_argument, NULL, 'g'},
	{"may-invite", no_argument, NULL, 'i'},
	{"max-nodes", required_argument, NULL, 'm'},
	{"expires", required_argument, NULL, 'x'},
	{"name", required_argument, NULL, 'a'},
	{"address", required_argument, NULL, 'A'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};
/* Those that are not for all verbs: each verb names its own. */
static const char own_options[] = "cPuNtDEgimxaA";

static const char *option_name(int letter)
{
	const struct option *at = options;

	while (at->val != letter)
		at++;
	return at->name;
}

static int take_count(struct arguments *arguments)
{
	guint64 count;

	if (!g_ascii_string_to_unsigned(optarg, 10, 0, PINGS_MAX, &count, NULL))
		return refuse(arguments, ela_refusal(ELA_CODE_USAGE, NULL, "-c %s: expected a whole number", optarg));
	arguments->count = (uint32_t)count;
	return ELA_CODE_OK;
}

static int take_option(struct arguments *arguments, int option)
{
	if (strchr(own_options, option) && !strchr(arguments->given, option))
		arguments->given[strlen(arguments->given)] = (char)option; /* there is room for each once */
	switch (option) {
	case 'P':
		arguments->enter.prefix = optarg;
		break;
	case 'u':
		arguments->enter.user = optarg;
		break;
	case 'D':
		arguments->enter.dial = optarg;
		break;
	case 'E':
		g_ptr_array_add(arguments->endpoints, optarg);
		break;
	case 'N':
		arguments->enter.no_start = true;
		break;
	case 't':
		arguments->enter.timeout = optarg;
		break;
	case 'g':
		arguments->enter.edge_only = true;
		break;
	case 'i':
		arguments->enter.may_invite = true;
		break;
	case 'm':
		arguments->enter.max_nodes = optarg;
		break;
	case 'a':
		arguments->enter.name = optarg;
		break;
	case 'A':
		arguments->enter.address = optarg;
		break;
	case 'x':
		arguments->enter.expires = optarg;
		break;
	case 'd':
		arguments->dir = optarg;
		break;
	case 'n':
		arguments->network = optarg;
		break;
	case 'c':
		return take_count(arguments);
	case 'e':
		arguments->elad = optarg;
		arguments->enter.elad = optarg;
		break;
	case 'p':
		g_ptr_array_add(arguments->plugin_dirs, optarg);
		break;
	case 'j':
		arguments->json = true;
		break;
	case 'V':
		arguments->version = true;
		break;
	default:
		arguments->help = true;
		break;
	}
	return ELA_CODE_OK;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
	int option, code = ELA_CODE_OK;

	opterr = 0;
	while (code == ELA_CODE_OK && (option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		if (option == ':' || option == '?')
			return refuse(arguments, ela_refusal(ELA_CODE_USAGE, "ela --help",
										 option == ':' ? "%s needs a value" : "unknown option %s", argv[optind - 1]));
		code = take_option(arguments, option);
	}
	arguments->words = argv + optind; /* which ends with NULL */
	g_ptr_array_add(arguments->plugin_dirs, NULL);
	g_ptr_array_add(arguments->endpoints, NULL);
	arguments->enter.endpoints = (char **)arguments->endpoints->pdata;
	arguments->enter.plugin_dirs = (char **)arguments->plugin_dirs->pdata;
	arguments->enter.dir = arguments->dir;
	arguments->enter.json = arguments->json;
	return code;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static GString *refuse_verb(const char *name)
{
	const char *names[G_N_ELEMENTS(verbs) + 1] = {0};
	g_autofree char *quoted = ela_report_quote(name), *nearest = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
		names[i] = verbs[i].name;
	nearest = ela_report_suggest(name, names);
	return ela_refusal(ELA_CODE_USAGE, "ela --help", "there is no verb %s%s", quoted, nearest);
}

/* NULL when verb and words fit together. */
static GString *refuse_words(const struct arguments *arguments, const struct verb *verb)
{
	char **words = arguments->words;

	if (!words[0])
		return ela_refusal(ELA_CODE_USAGE, "ela --help", "which verb?");
	if (!verb)
		return refuse_verb(words[0]);
	if (verb->argument && !verb->is_optional && (!words[1] || !*words[1]))
		return ela_refusal(ELA_CODE_USAGE, "ela --help", "%s needs %s", verb->name, verb->argument);
	if (words[1] && !(verb->argument && g_str_has_suffix(verb->argument, "...")) && (!verb->argument || words[2]))
		return ela_refusal(ELA_CODE_USAGE, "ela --help", "unexpected \"%s\"", words[verb->argument ? 2 : 1]);
	for (const char *letter = arguments->given; *letter; letter++)
		if (!verb->options || !strchr(verb->options, *letter))
			return ela_refusal(ELA_CODE_USAGE, "ela --help", "%s takes no --%s", verb->name, option_name(*letter));
	if (arguments->network && (verb->run == run_init || (verb->run == run_join && words[1])))
		return ela_refusal(ELA_CODE_USAGE, "--dir DIR", "%s takes no --network", verb->name);
	return NULL;
}

static int run(const struct arguments *arguments)
{
	struct ela_network_place place = {0};
	const struct verb *verb;
	GString *refusal;
	int code;

	if (arguments->help || arguments->version) {
		(void)fputs(arguments->help ? usage : "ela " ELA_VERSION "\n", stdout); /* checked at the end */
		return ELA_CODE_OK;
	}
	verb = arguments->words[0] ? find_verb(arguments->words[0]) : NULL;
	refusal = refuse_words(arguments, verb);
	if (!refusal && !verb->is_nowhere)
		(void)ela_place_find(ELA_PLACE_ETC, arguments->dir, arguments->network, &place, &refusal); /* refusal tells */
	if (refusal)
		return refuse(arguments, refusal);
	code = verb->run(arguments, &place);
	ela_place_clear(&place);
	return code;
}

/* Everything printed must have arrived: a full disk or a closed pipe is a failure. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	(void)fprintf(stderr, "ela: cannot write to stdout: %s\n", g_strerror(errno)); /* nowhere else to say it */
	return code ? code : ELA_CODE_FAILED;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.elad = ELA_ELAD_FILE, .count = PINGS, .enter = {.plugin_dir = ELA_PLUGINDIR}};
	int code;

	arguments.plugin_dirs = g_ptr_array_new();
	arguments.endpoints = g_ptr_array_new();
	code = parse(&arguments, argc, argv);
	if (code == ELA_CODE_OK)
		code = run(&arguments);
	g_ptr_array_unref(arguments.plugin_dirs);
	g_ptr_array_unref(arguments.endpoints);
	return finish(code);
}
