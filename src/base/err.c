#include "base/err.h"

#include <stdio.h>
#include <string.h>

int err_vset(struct err *e, enum error_class class, const char *format, va_list args)
{
	if (e && e->class == ERR_OK) {
		e->class = class;
		e->errno_value = 0;
		vsnprintf(e->text, sizeof(e->text), format, args);
	}
	return class;
}

int err_set(struct err *e, enum error_class class, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	err_vset(e, class, format, args);
	va_end(args);
	return class;
}

int err_set_errno(struct err *e, enum error_class class, int errno_value, const char *format, ...)
{
	va_list args;

	if (!e || e->class != ERR_OK)
		return class;
	va_start(args, format);
	err_vset(e, class, format, args);
	va_end(args);
	e->errno_value = errno_value;
	size_t used = strlen(e->text);
	snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(errno_value));
	return class;
}

void err_prefix(struct err *e, const char *format, ...)
{
	char old[ERR_TEXT_MAX];
	va_list args;

	if (!e || e->class == ERR_OK)
		return;
	memcpy(old, e->text, sizeof(old));
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	size_t used = strlen(e->text);
	snprintf(e->text + used, sizeof(e->text) - used, ": %s", old);
}

void err_clear(struct err *e)
{
	e->class = ERR_OK;
	e->errno_value = 0;
	e->text[0] = '\0';
}

bool err_is_set(const struct err *e)
{
	return e->class != ERR_OK;
}

const char *err_class_name(enum error_class class)
{
	switch (class) {
	case ERR_OK:
		return "ok";
	case ERR_NETWORK:
		return "network";
	case ERR_TIMEOUT:
		return "timeout";
	case ERR_PEER:
		return "peer";
	case ERR_LOGIN:
		return "login";
	case ERR_HOST_KEY:
		return "host-key";
	case ERR_CONFIG:
		return "config";
	case ERR_LOCAL:
		return "local";
	case ERR_CANCELLED:
		return "cancelled";
	}
	return "unknown";
}
