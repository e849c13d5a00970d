/*
 * GET /: one document that shows the status, live. It asks for nothing but /v1/status; its Content-Security-Policy allows its own
 * style and script, by a nonce that is new in each answer, and nothing else.
 */
#ifndef ADIT_ADMIN_PAGE_H
#define ADIT_ADMIN_PAGE_H

#include <event2/http.h>

void page_answer(struct evhttp_request *request);

#endif
