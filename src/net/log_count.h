/* Warnings and errors of the log, counted by their event, for metrics. */
#ifndef WAYBILL_LOG_COUNT_H
#define WAYBILL_LOG_COUNT_H

#include "net/log.h"

#include <stddef.h>
#include <stdint.h>

enum {
    LOG_COUNTS_MAX = 256, /* kinds; further ones are counted as "other" */
    LOG_EVENT_MAX = 48,
    LOG_CODE_MAX = 64,
};

struct log_count {
    enum log_level level;
    char event[LOG_EVENT_MAX];
    char code[LOG_CODE_MAX]; /* "esid 4", "processed/error: decryption-failed", "" for none */
    uint64_t n;
};
/* In the order in which they came up; at most cap. */
size_t log_counts(struct log_count *list, size_t cap);

/* For log_event: pairs as there. */
void log_count_add(enum log_level level, const char *event, va_list pairs);

#endif
