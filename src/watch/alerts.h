/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_ALERTS_H
#define VARVE_WATCH_ALERTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "nats/api.h"
#include "nats/client.h"

/*
 * What a human should know. An alert is raised once however often its cause is seen, and resolved
 * once; each of the two is published to `alerts.subject` as an event whose payload is JSON. What
 * can't be published, for instance while disconnected, is published later, in order.
 */
enum alert_kind {
    ALERT_NATS_DISCONNECTED,
    ALERT_COMMIT_FAILED,
    ALERT_DISK_LOW,
    ALERT_STREAM_MISSING,
    ALERT_STREAM_RECREATED,
    ALERT_CONSUMER_RECREATED,
    ALERT_CONSUMER_SHARED,
    ALERT_DATA_LOST,
    ALERT_DEAD_LETTERS,
    ALERT_RUN_CLOSED, /* happens, and stands for nothing: see alerts_announce */
    ALERT_FOLLOWER_LATE,
    ALERT_QUALITY,
    ALERT_KINDS,
};

enum {
    ALERT_TEXT_MAX = 256,
    ALERT_SIMULATION_MAX = 128,
    /* Alerts that are over and not published; then the oldest of them goes. */
    ALERTS_WAITING_MAX = 64,
    /* Attempts where nobody listens, or the stream refuses: a server that has just started needs
     * some seconds to have its streams back. */
    ALERT_ATTEMPTS = 12,
    /* That wait for an answer at a time: others have questions, too. */
    ALERTS_AT_ONCE = 16,
};
#define ALERT_TIMEOUT (2 * CLOCK_SECOND) /* subscribers don't confirm, only streams do */
#define ALERT_RETRY (5 * CLOCK_SECOND)

/* "nats_disconnected"...: a literal. */
const char *alert_name(enum alert_kind kind);

/* What it is about: "stream" or "follower". */
const char *alert_object(enum alert_kind kind);

struct alert {
    enum alert_kind kind;
    const char *stream; /* or follower: see alert_object; NULL: of all */
    char text[ALERT_TEXT_MAX];
    char simulation[ALERT_SIMULATION_MAX]; /* that it is about; "": of none in particular */
    char id[NATS_TOKEN_LEN + 1];
    int64_t since, until;  /* clock_wall; until is 0 while it stands */
    int64_t quiet_at;      /* clock_monotonic: it is over when its cause was not seen until then */
    bool raised, resolved; /* published */
    uint64_t request;      /* that publishes the next of the two; 0: none is under way */
    unsigned attempts;
    int64_t not_before;
};

struct alerts {
    const char *subject;  /* "": they are only kept for the status page */
    const char *instance; /* who it is that alerts */
    const char *worker;
    int64_t quiet; /* after which what has no end of its own is over */
    struct nats_random random;
    struct alert *list; /* oldest first */
    uint32_t count, cap;
    struct buf json, event, header; /* scratch */
};

/* Texts are borrowed. `object_count`: streams and followers. */
void alerts_init(struct alerts *a, const char *subject, const char *instance, const char *worker,
                 uint32_t object_count, int64_t quiet, const uint64_t key[static 2]);
void alerts_free(struct alerts *a);

/* The cause was seen. `stream` is NULL or lives as long as this. */
void alerts_raise(struct alerts *a, enum alert_kind kind, const char *stream, const char *text,
                  int64_t now);

/* Something has happened that has no end to wait for: it is published once, as raised. Texts are
 * copied, and cut where they are too long. */
void alerts_announce(struct alerts *a, enum alert_kind kind, const char *simulation,
                     const char *text);

/* Whether it is of those that stand until they are resolved. */
bool alert_stands(enum alert_kind kind);

/* The cause is gone. Nothing if it was not raised. */
void alerts_resolve(struct alerts *a, enum alert_kind kind, const char *stream);

bool alerts_stands(const struct alerts *a, enum alert_kind kind, const char *stream);

/* Resolve what has been quiet for long enough; publish what waits. `client` is NULL while there is
 * no connection. Returns when to call again if no reply comes before. */
int64_t alerts_tick(struct alerts *a, struct nats_client *client, int64_t now);

/* True if the event was the answer to an alert. */
bool alerts_reply(struct alerts *a, const struct nats_event *event, int64_t now);

/* The connection is gone: what is under way is published again. */
void alerts_restart(struct alerts *a);

#endif
