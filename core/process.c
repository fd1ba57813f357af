/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: the privilege drop. Control thread, once, after device and sockets are open and before any other thread
 * exists. Nothing here can be switched off: the proof (prove.c) ends the process when a step had no effect.
 */
#include "process.h"
#include "landlock.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAX_FILES 8192u /* enough for 1,024 peers with a stream or two each */

/* For people: a name may be cut. */
static void name_or_number(char out[64], const char *name, unsigned int number)
{
	if (name)
		(void)g_strlcpy(out, name, 64);
	else
		(void)g_snprintf(out, 64, "%u", number);
}

static void identity_set(struct ela_identity *identity, const char *name, uid_t uid, gid_t gid)
{
	const struct group *group = getgrgid(gid);

	identity->uid = uid;
	identity->gid = gid;
	name_or_number(identity->name, name, (unsigned int)uid);
	name_or_number(identity->group, group ? group->gr_name : NULL, (unsigned int)gid);
}

int ela_process_identity(const char *user, struct ela_identity *ret)
{
	struct ela_identity identity = {0};
	const struct passwd *entry = getpwnam(user ? user : ELA_PROCESS_USER);

	if (user && !entry)
		return -ENOENT;
	if (geteuid() == 0 && entry) {
		identity_set(&identity, entry->pw_name, entry->pw_uid, entry->pw_gid);
		identity.changes = identity.uid != 0;
	} else {
		identity.missing = geteuid() == 0;
		entry = getpwuid(geteuid());
		identity_set(&identity, entry ? entry->pw_name : NULL, geteuid(), getegid());
	}
	*ret = identity;
	return 0;
}

bool ela_process_has_net_admin(void)
{
	return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
}

static bool failed(GError **error, const char *what, const char *remedy)
{
	int err = errno;

	g_set_error(error, ELA_PROCESS_ERROR, err == EPERM ? ELA_PROCESS_PERMISSION : ELA_PROCESS_FAILED, "%s: %s; %s",
		what, g_strerror(err), remedy);
	return false;
}

/* No core file, and as many descriptors as the hard limit lets us have: both before the right to set limits is gone. */
static bool set_limits(GError **error)
{
	const struct rlimit none = {0, 0};
	struct rlimit files;

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return failed(error, "cannot switch core dumps off", "RLIMIT_CORE must be settable");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < MAX_FILES) {
		files.rlim_cur = MIN(files.rlim_max, MAX_FILES);
		(void)setrlimit(RLIMIT_NOFILE, &files); /* not above the hard limit: cannot fail; if it did, fewer peers fit */
	}
	return true;
}

/* Who has no CAP_SETPCAP cannot empty the bounding set; with no_new_privs it bounds nothing any more. */
static bool drop_bounds(GError **error)
{
	bool may = capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);

	capng_clear(CAPNG_SELECT_ALL);
	if (may && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
		return failed(error, "cannot empty the capability bounding set", "grant CAP_SETPCAP");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return failed(error, "cannot clear the ambient capabilities", "Linux 4.3 or newer is needed");
	return true;
}

static bool change_user(const struct ela_identity *identity, GError **error)
{
	const char *remedy = "grant CAP_SETUID and CAP_SETGID, or start elad as that user with CAP_NET_ADMIN";

	if (!identity->changes) {
		if (geteuid() == 0)
			(void)setgroups(0, NULL); /* as far as root in a container may: he stays root anyway */
		return true;
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return failed(error, "cannot keep capabilities over the change of user", remedy);
	if (setgroups(0, NULL) < 0)
		return failed(error, "cannot leave root's groups", remedy);
	if (setresgid(identity->gid, identity->gid, identity->gid) < 0)
		return failed(error, "cannot change the group", remedy);
	if (setresuid(identity->uid, identity->uid, identity->uid) < 0)
		return failed(error, "cannot change the user", remedy);
	return true;
}

static bool drop_capabilities(bool keep, GError **error)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (keep && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) != 0)
		return failed(error, "cannot choose capabilities", "is libcap-ng older than the kernel?");
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return failed(error, "cannot drop capabilities", "is libcap-ng older than the kernel?");
	return true;
}

/* Without Landlock the rights of the user alone are in the way of a file elsewhere: the proof says whether they are. */
static bool restrict_files(int state_fd, bool *ret_restricted, GError **error)
{
	int err = state_fd < 0 ? -EOPNOTSUPP : ela_landlock_apply(state_fd);

	*ret_restricted = err == 0;
	if (err == 0 || err == -EOPNOTSUPP)
		return true;
	errno = -err;
	return failed(error, "cannot restrict files to the state folder", "a kernel whose Landlock works, or has none");
}

static void report(const struct ela_identity *identity, bool keep, bool restricted, struct ela_log *log)
{
	if (identity->missing)
		ela_logf(log, ELA_LOG_WARN, "process",
			"user-missing user=%s: running as %s with CAP_NET_ADMIN alone; remedy: useradd --system %s",
			ELA_PROCESS_USER, identity->name, ELA_PROCESS_USER);
	if (ELA_SANITIZED)
		ela_logf(log, ELA_LOG_WARN, "process", "sandbox-wide: this build's sanitizer may fork, trace and write files");
	ela_logf(log, ELA_LOG_INFO, "process", "privileges-dropped user=%s uid=%u gid=%u capabilities=%s seccomp=on%s",
		identity->name, (unsigned int)identity->uid, (unsigned int)identity->gid, keep ? "net_admin" : "none",
		restricted ? " landlock=on" : "");
}

bool ela_process_drop(const struct ela_identity *identity, int state_fd, struct ela_log *log, GError **error)
{
	bool keep = ela_process_has_net_admin(), restricted;
	int err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(error, "cannot renounce new privileges", "Linux 3.5 or newer is needed");
	if (!set_limits(error) || !drop_bounds(error) || !change_user(identity, error) || !drop_capabilities(keep, error))
		return false;
	/* Only now: a change of user sets it anew, to what fs.suid_dumpable says. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return failed(error, "cannot forbid dumps and tracing", "PR_SET_DUMPABLE must be settable");
	if (!restrict_files(state_fd, &restricted, error))
		return false;
	err = ela_sandbox_apply(state_fd);
	if (err) {
		errno = -err;
		return failed(error, "cannot restrict system calls", "a kernel with seccomp filters is needed");
	}
	if (!ela_process_prove(identity, state_fd, error))
		return false;
	report(identity, keep, restricted, log);
	return true;
}
