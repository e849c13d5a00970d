/*
 * What went wrong, in a class that decides what happens next and in words for a person.
 *
 * A function that can fail returns 0 or a count when it went well, and else the (negative) class. Where a person
 * needs to know more it also fills a struct err that the caller owns. The first error wins: err_set() on one that
 * is set already changes nothing, so that clean-up code cannot hide the cause. Upper layers put their context in
 * front with err_prefix(). An error is logged once, where it is handled.
 */
#ifndef ADIT_BASE_ERR_H
#define ADIT_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum error_class {
	ERR_OK = 0,
	ERR_NETWORK = -1,  /* not reached, or lost; another try may well work */
	ERR_TIMEOUT = -2,  /* a deadline passed; retried like ERR_NETWORK */
	ERR_PEER = -3,     /* the other side broke the protocol, or refused to go on */
	ERR_LOGIN = -4,    /* the server does not accept us; another try will not mend it */
	ERR_HOST_KEY = -5, /* the server is not who it should be; another try will not mend it */
	ERR_CONFIG = -6,   /* the user's configuration, a key file, an argument */
	ERR_LOCAL = -7,    /* a limit or a refusal of this system: descriptors, permissions, disk */
	ERR_CANCELLED = -8 /* we stopped it ourselves */
};

#define ERR_TEXT_MAX 768

/* A value: ERR_INIT or err_clear() before first use. text is never empty once class is not ERR_OK. */
struct err {
	enum error_class class;
	int errno_value; /* that err_set_errno() was given; else 0 */
	char text[ERR_TEXT_MAX];
};

#define ERR_INIT ((struct err){.class = ERR_OK})

/* Each returns the class, so that `return err_set(e, ...)` reads well. e may be NULL: then only the class counts. */
int err_set(struct err *e, enum error_class class, const char *format, ...) PRINTF_LIKE(3, 4);
int err_vset(struct err *e, enum error_class class, const char *format, va_list args)
    PRINTF_LIKE(3, 0);
/* The same, with ": " and the words for errno_value after the text. */
int err_set_errno(struct err *e, enum error_class class, int errno_value, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Puts "prefix: " in front of an error that is set; does nothing to one that is not. */
void err_prefix(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);
void err_clear(struct err *e);
bool err_is_set(const struct err *e);
/* "network", "timeout", "peer", "login", "host-key", "config", "local", "cancelled", "ok" */
const char *err_class_name(enum error_class class);

#endif
