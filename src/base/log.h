/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_LOG_H
#define VARVE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * One line an event on stderr: logfmt, or JSON lines. Any thread may log; a line is one write.
 *
 * Warnings and errors that repeat are limited, whoever logs them: of an event and what of the
 * configuration it is about (the fields "stream" and "key") LOG_BURST lines at once, then one each
 * LOG_REPEAT. The next line says how many were kept back, as "suppressed". So no peer and no event
 * can fill the log.
 */
enum { LOG_BURST = 8 };
#define LOG_REPEAT (INT64_C(10) * 1000000000)

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR,
    LOG_OFF, /* for log_configure alone: a command that tells its errors itself */
};
enum log_format { LOG_LOGFMT, LOG_JSON };

/* It also finds out whether stderr is the journal of systemd (JOURNAL_STREAM, systemd.exec(5)).
 * Then each line begins with its priority, which the journal takes off (sd-daemon(3)). */
void log_configure(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

/* What stands in front of a line of this level: "<3>" and so on in the journal, else "". */
const char *log_priority(enum log_level level);

/*
 * A line is begun, filled and ended:
 *
 *     struct log_line line;
 *     log_begin(&line, LOG_INFO, "committed");
 *     log_text(&line, "stream", name);
 *     log_u64(&line, "rows", rows);
 *     log_end(&line);
 *
 * Below the level all of it costs a compare. Values of any content are safe: they are quoted and
 * escaped, invalid UTF-8 becomes U+FFFD, and a line that gets longer than LOG_LINE_MAX is cut at a
 * field. `event` and keys are literals of the form [a-z_]+.
 */
enum { LOG_LINE_MAX = 4096 };

struct log_line {
    bool on;
    bool full;
    bool json;      /* the format that it was begun with */
    uint32_t topic; /* of the limit: a checksum of stream and key */
    enum log_level level;
    const char *event;
    size_t head; /* bytes before the first field */
    size_t len;
    char text[LOG_LINE_MAX];
};

void log_begin(struct log_line *line, enum log_level level, const char *event);
void log_text(struct log_line *line, const char *key, const char *value);
void log_bytes(struct log_line *line, const char *key, const void *value, size_t len);
void log_u64(struct log_line *line, const char *key, uint64_t value);
void log_i64(struct log_line *line, const char *key, int64_t value);

/* A duration, written in seconds with three decimals. */
void log_seconds(struct log_line *line, const char *key, int64_t ns);
void log_end(struct log_line *line);

/* A whole line with one field, "text". */
void log_message(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What was not written: lines that nobody took in time, and lines that said the same again. */
struct log_losses {
    uint64_t dropped, suppressed;
};

struct log_losses log_losses(void);

/*
 * Write on a thread from now on, so that whoever logs never waits for who reads stderr, a terminal
 * that is stopped, or a full disk. What waits is bounded by LOG_QUEUE_BYTES; what does not fit is
 * dropped, and the log says how many lines once it is read again.
 */
enum { LOG_QUEUE_BYTES = 256 * 1024 };
int log_start(struct err *err) __attribute__((warn_unused_result));

/* Write what waits, for at most `ns`, and what was suppressed; then each line is written at once,
 * as before log_start. False if something is left: nobody reads, and writing to stderr would block.
 */
bool log_stop(int64_t ns) __attribute__((warn_unused_result));

#endif
