#include "base/account.h"

#include <grp.h>
#include <pwd.h>
#include <stdint.h>

#include "base/str.h"

static bool number_of(const char *text, uint32_t *ret_id)
{
	uint64_t value;

	if (!str_to_u64(text, 0, UINT32_MAX - 1, &value))
		return false;
	*ret_id = (uint32_t)value;
	return true;
}

bool account_find_user(const char *name, uid_t *ret_uid)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		return number_of(name, ret_uid);
	*ret_uid = user->pw_uid;
	return true;
}

bool account_find_group(const char *name, gid_t *ret_gid)
{
	const struct group *group = getgrnam(name);

	if (!group)
		return number_of(name, ret_gid);
	*ret_gid = group->gr_gid;
	return true;
}
