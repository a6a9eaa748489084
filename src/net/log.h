/* One line per fact: `event key=value ...` for people or a JSON object for programs, to standard
 * error. Values from outside are escaped here; secrets are never handed in. Only net, gateway,
 * api and cli log. */
#ifndef WAYBILL_LOG_H
#define WAYBILL_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* level and format as in config_runtime.log; anything unknown means info, text. */
void log_setup(const char *level, const char *format);
void log_level_set(enum log_level level);
bool log_on(enum log_level level);

/* A level of one partner's lines (those that have it as `partner`), or with "" of all, in place of the
 * one of log_setup: at run time, until until_ms (0: as long as the program runs). What is said of a
 * partner counts before what is said of all. False: there are too many, or the name is too long. */
enum { LOG_OVERRIDES_MAX = 64, LOG_PARTNER_MAX = 128 };
struct log_override {
    char partner[LOG_PARTNER_MAX + 1];
    enum log_level level;
    int64_t until_ms;
};
bool log_override_set(const char *partner, enum log_level level, int64_t until_ms);
void log_override_drop(const char *partner);
/* Those in force; the number. */
size_t log_overrides(struct log_override list[LOG_OVERRIDES_MAX]);
/* Whether the level debug was set for this partner itself; NULL: for any. */
bool log_partner_debug(const char *partner);
/* What log_setup set. */
enum log_level log_level_base(void);
const char *log_level_name(enum log_level level);
bool log_level_of(const char *name, enum log_level *level);
/* What counts for a partner, NULL: for lines without one. */
enum log_level log_level_for(const char *partner);

/* event: a word with dots: "oftp2.session.start". Then pairs (const char *key, const char
 * *value), ended by NULL; a NULL value leaves its key out. Use log_num for numbers. */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

/* A number as text, in a ring of buffers of this thread: good until 16 more of them. */
const char *log_num(long long v);

#endif
