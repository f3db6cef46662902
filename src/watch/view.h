/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_VIEW_H
#define VARVE_WATCH_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "drain/counters.h"
#include "nats/client.h"
#include "object/s3_client.h"
#include "quality/quality.h"
#include "watch/alerts.h"

/*
 * What the pipeline says of itself, new for each turn: plain values, so that what shows them needs
 * to know nothing of how they come about. Texts are borrowed for the turn.
 */
enum {
    /* A row that waits longer than this many times batching.max_age is stuck, whatever the reason:
     * one for its epoch to fill, one for the epoch before, one for slow disks. */
    VIEW_AGES_MAX = 3,
};

/* Names of what is numbered from 0: literals. */
struct view_names {
    const char *(*name)(uint32_t index);
    uint32_t count;
};

/* One source. */
struct view_source {
    bool known;         /* the server has said how far its consumer is, at some time */
    const char *stream; /* as configured; lives as long as the configuration */
    const char *state;  /* for people: "pulling" */
    const struct source_counters *counters;
    const char *refusal;       /* why it can't go on until a human has acted; NULL: it can */
    bool stalled;              /* nothing comes, and nobody paused it */
    const char *waits_because; /* then: what the server said to it last; "": nothing */
    bool fetching;             /* events that the store lacks are being fetched again */
    int64_t oldest;    /* when the oldest message was received whose ack is not confirmed, by
                          clock_monotonic; INT64_MAX: there is none */
    uint32_t raised;   /* alerts whose cause was seen since the last turn, as 1 << alert_kind */
    uint32_t resolved; /* alerts whose cause is gone */
};

enum { VIEW_FOLLOWER_REASONS = 4 };

/* One follower. */
struct view_follower {
    const char *name, *kind; /* live as long as the configuration */
    bool known;              /* it has looked at the store; else what follows is zeroed */
    uint64_t position;       /* the newest sequence that it has */
    uint64_t lag_rows;       /* committed, and not brought to its target */
    int64_t lag;             /* for how long the oldest of these has been committed, ns; 0: none */
    uint64_t rows, refused;  /* brought in this run; those whose payload did not fit */
    uint64_t notes_removed;  /* files about what was refused, since there were too many */
    uint64_t memory;         /* bytes that it holds */
    uint64_t files_fed, files_read; /* that it has opened: straight from the commit; in the store */
    uint64_t errors[VIEW_FOLLOWER_REASONS]; /* by index of follower_reasons */
    const char *failure;                    /* why the last attempt failed; NULL: it did not */
    uint64_t alarms;                        /* findings in this run that quality.alerts chooses */
    const struct quality_summary *quality;  /* what there is to say of runs; NULL: not its kind */
    bool late;                              /* the lag is more than followers[].max_lag */
};

struct view {
    const char *instance; /* nats.name */
    bool stopping;
    struct nats_client *client; /* NULL: not connected */
    const char *server;         /* that is connected, or was tried last */
    struct slice version;       /* of the server */
    int64_t down_since;         /* clock_wall, while not connected */
    const char *tls;            /* the version that the connection is encrypted with; NULL: none */
    bool tls_insecure;          /* without a look at the server's certificate */
    int64_t server_expires;     /* the server's certificate, ns since 1970; 0: none */
    int64_t own_expires;        /* our own one */
    const char *down_because;   /* the same: of each server that was tried, why not; NULL: none */
    uint32_t trouble; /* the same: why the newest attempt failed, index of trouble_names */
    struct view_names trouble_names;
    int64_t login_expires; /* clock_wall, by the credentials; 0: never */
    bool login_expiring;   /* that is soon, and nobody has renewed them */

    const char *denied; /* a line for each subject that the server does not let us use */

    const char *commit_failure; /* why commits fail; NULL: they don't */
    uint32_t pauses;            /* what keeps from asking for more, as 1 << index of pause_names */
    bool disk_low;              /* output.min_free is among them */
    struct view_names pause_names;
    struct view_names reason_names; /* why an epoch is sealed; STATS_REASONS at most */

    const char *output;
    int64_t max_age;       /* batching.max_age in force */
    uint32_t partitions;   /* of the open epoch */
    uint64_t open_rows;    /* in it */
    uint64_t memory;       /* as memory_limit counts it */
    uint64_t memory_limit; /* in force */
    uint64_t disk_free;    /* UINT64_MAX: unknown */
    uint64_t min_free;
    bool in_bucket; /* the output: */
    struct s3_counters objects;
    uint64_t expired_files, expired_bytes; /* by retention */
    uint64_t compactions;                  /* folders whose small files were merged */
    uint64_t compaction_memory;            /* bytes; beside those of memory_limit */
    uint64_t files_live;                   /* of the table, as of late; UINT64_MAX: unknown */

    struct view_source *sources;
    uint32_t source_count;

    const struct view_follower *followers;
    uint32_t follower_count;
    struct view_names follower_reasons; /* why one fails; VIEW_FOLLOWER_REASONS at most */
};

/* How long the oldest message of a source waits for its commit and, where it is owed one, for its
 * ack; nanoseconds, 0 if none waits. */
int64_t view_oldest_unacked(const struct view_source *s, int64_t now);

/* Readiness: do rows become durable? If not, one line for each reason is appended, without a full
 * stop. */
bool view_is_ready(const struct view *v, int64_t now, struct buf *reasons);

/* Append a line for each follower: how far it is. It is no part of readiness. */
void view_append_followers(const struct view *v, struct buf *out);

/* Append a line for each source that has lost events in this run. */
void view_append_lost(const struct view *v, struct buf *out);

#endif
