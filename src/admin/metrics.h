/*
 * Prometheus' text format, version 0.0.4: the document of GET /metrics.
 */
#ifndef ADIT_ADMIN_METRICS_H
#define ADIT_ADMIN_METRICS_H

#include "admin/status.h"

char *metrics_text(const struct manager *m, const struct status_daemon *daemon); /* gives */

#endif
