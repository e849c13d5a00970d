/*
 * Answering a request of evhttp: bodies with their type, errors as JSON, the names and switches of the query.
 */
#ifndef ADIT_ADMIN_HTTP_H
#define ADIT_ADMIN_HTTP_H

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <stdbool.h>

#include "admin/status.h"

/* What evhttp has no name for. */
enum { HTTP_CONFLICT = 409, HTTP_MISDIRECTED = 421, HTTP_TIMED_OUT = 504 };

extern const char http_json[], http_text[]; /* values of Content-Type */

/* Each ends the request; the answer's headers may have got more lines before. type NULL: none. */
void http_answer(struct evhttp_request *request, int code, const char *type, const char *text);
void http_answer_taken(
    struct evhttp_request *request, int code, const char *type, char *text); /* takes text */
void http_answer_error(struct evhttp_request *request, int code, const char *why);
/* 404: no tunnel has that name, or matches that pattern. */
void http_answer_unknown(struct evhttp_request *request, const char *name);
/* 503: adit ends, so that nothing is changed any more, and what is waited for does not come. */
void http_answer_ending(struct evhttp_request *request);
void http_add_header(struct evhttp_request *request, const char *name, const char *value);

/* ---- the query ---- */

enum { HTTP_NAMES_MAX = 256 };

struct http_query {
	struct evkeyvalq values;
	const char *names[HTTP_NAMES_MAX];
	struct status_filter filter; /* of all name=... */
};

/* NULL, or what is wrong with it; to be cleared in both cases. A word without "=" has the value "". */
const char *http_query_read(struct http_query *q, struct evhttp_request *request);
const char *http_query_get(struct http_query *q, const char *key); /* NULL: it is not there */
bool http_query_is(struct http_query *q, const char *key, const char *value);
void http_query_clear(struct http_query *q);

#endif
