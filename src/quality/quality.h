/* SPDX-License-Identifier: MIT */
#ifndef VARVE_QUALITY_QUALITY_H
#define VARVE_QUALITY_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/map.h"
#include "config/config.h"
#include "event/payload.h"
#include "quality/sketch.h"

/*
 * What to know of a run before believing it: what its events are, by simulation and event type, and
 * which of them break a rule. It looks at rows in the order of their streams and changes nothing.
 */
enum quality_column {
    QUALITY_TIMESTAMP_NS,
    QUALITY_EVENT_ID,
    QUALITY_EVENT_TYPE_KEY,
    QUALITY_EVENT_PAYLOAD,
    QUALITY_WORKER_ID,
    QUALITY_SIMULATION_ID,
    QUALITY_PAYLOAD_FORMAT_HINT,
    QUALITY_STREAM_SEQ,
    QUALITY_STREAM_TIME, /* microseconds */
    QUALITY_COLUMNS,
};

/* A rule that an event breaks. */
enum quality_finding {
    QUALITY_DUPLICATE, /* its event_id was published before in the same simulation */
    QUALITY_BACKWARDS, /* its timestamp is earlier than that of the event before of its worker */
    QUALITY_BAD_TIME,  /* its timestamp is none: not positive, or a day after it was stored */
    QUALITY_SKEW,      /* it was stored earlier or later than its timestamp by quality.max_skew */
    QUALITY_SILENCE,   /* no event of its type came for quality.max_silence before it */
    QUALITY_EMPTY,     /* a field of quality.required is empty */
    QUALITY_TYPE,      /* its type is not in quality.event_types */
    QUALITY_CONTENT,   /* its content type is not in quality.content_types */
    QUALITY_PAYLOAD,   /* its payload is not what `payloads` or its content type says */
    QUALITY_FINDINGS,
};

enum {
    /* Groups, of a simulation and an event type; each takes some KiB. Events of more are counted in
     * one whose names are QUALITY_OTHERS. */
    QUALITY_GROUPS_MAX = 16384,
    QUALITY_SIMULATIONS_MAX = 16384,
    /* Workers, of a simulation, whose last timestamp is remembered; that of more is not. */
    QUALITY_WORKERS_MAX = 262144,
    /* Bytes of a name that count; what differs behind them is the same to us. */
    QUALITY_NAME_MAX = 512,
    QUALITY_CONTENTS_MAX = 256, /* content types, likewise */
    QUALITY_STREAMS_MAX = 4096, /* generations of streams; of more nothing is compared */
    /* What is remembered of the newest event of a worker, or of a type, in a stream. */
    QUALITY_LASTS_MAX = 2 * QUALITY_WORKERS_MAX,
    /* Messages that payloads are decoded as; of those beyond it is looked at whether they are
     * protobuf at all. */
    QUALITY_DECODERS_MAX = 256,
    /* Identities, of 16 bytes each, that are remembered at a time: 256 MiB. */
    QUALITY_IDS_MAX = 1 << 24,
};
#define QUALITY_OTHERS "(others)"

struct quality_count {
    uint64_t rows;
    uint64_t first; /* sequence of the first of them */
};

/* The events of one type of one simulation. Times are nanoseconds since 1970. */
struct quality_group {
    uint32_t simulation, type;     /* numbers in the maps */
    uint64_t rows, bytes;          /* bytes: of payloads */
    int64_t first_time, last_time; /* the least and greatest timestamp that is one, if has_time */
    bool has_time;
    int64_t first_stored, last_stored; /* by the stream */
    uint64_t empty[QUALITY_COLUMNS];   /* rows whose field is empty; of texts and payloads */
    int64_t backwards_max, silence_max, silence_end; /* the longest, and when it ended */
    struct sketch skew, size; /* stored less timestamp, ns; of payloads, bytes */
    struct quality_count findings[QUALITY_FINDINGS];
    uint32_t last; /* when the newest was stored: number in `lasts`, and 1 */
    bool listed;   /* in quality.event_types */
    int payload;   /* number in config->payloads; -1: none */
};

enum quality_format { QUALITY_FORMAT_UNKNOWN, QUALITY_FORMAT_JSON, QUALITY_FORMAT_PROTOBUF };

struct quality_content {
    enum quality_format format;
    bool listed; /* in quality.content_types */
};

/* A time of the newest event of a worker or a type in a stream. */
struct quality_last {
    uint32_t stream;
    uint32_t other; /* of the same in another stream: number, and 1; 0: there is none */
    int64_t at;
};

struct quality_simulation {
    uint32_t workers;
    bool changed; /* rows came since whoever sets this to false did */
};

/* An event's identity: the number of its simulation in 16 bits, and a hash of its event_id. */
struct quality_id {
    uint64_t hash[2]; /* both 0: an empty slot */
};

/* One that is looked up soon: the memory of its slot is on its way meanwhile. */
struct quality_due {
    struct quality_id id;
    uint64_t sequence;
    uint32_t group;
};
enum { QUALITY_DUE = 128 };

/* What an event is, whatever came before it. */
struct quality_seen {
    uint64_t sequence;
    int64_t time, stored; /* timestamp and stream_time, ns since 1970; stored: 0 if it is none */
    struct quality_id id; /* without that of the simulation; both 0: it has none */
    uint32_t group, worker, size; /* worker: number and 1, 0: there are too many; size: payload's */
    uint16_t empty;               /* a bit for each column that is */
    bool unlisted, bad;           /* its content type; its payload */
};

/* A short name that was looked up, with what it is of, and what it was found to be. Columns have
 * few names, and a dictionary has each at one place. */
enum { QUALITY_MEMO_NAME_MAX = 44, QUALITY_MEMO_BITS = 7 };
struct quality_memo {
    const uint8_t *at;
    uint32_t of, number;
    uint32_t len; /* and 1; 0: there is none */
    uint8_t name[QUALITY_MEMO_NAME_MAX];
};

/* What payloads are decoded as, and the rows that they become, to be forgotten. */
struct quality_decoder {
    struct payload_type *type; /* NULL: it can't be described */
    struct schema schema;
    struct batch *rows;
};

/* See quality_init; a zeroed struct can be freed. What is here is for reports to read. */
struct quality {
    const struct config *config;
    struct payload_types *const *types; /* for each of config->payloads; NULL: of JSON */
    struct account account;
    struct map simulations, type_map, group_map, worker_map, contents, streams, decoder_map;
    ARRAY(struct quality_simulation) simulation_list;
    ARRAY(struct quality_group) groups;
    ARRAY(uint32_t) workers; /* the timestamp of the newest event: number in `lasts`, and 1; or 0 */
    ARRAY(struct quality_last) lasts;
    ARRAY(struct quality_content) content_list;
    uint64_t rows;
    uint32_t stream;
    uint32_t rules;        /* a check sum of those that the rows were looked at by; 0: of no row */
    int64_t rules_changed; /* when there were others before, ns since 1970; 0: there were none */
    bool required[QUALITY_COLUMNS];

    uint64_t seed;                   /* of hashes of identities: nobody can guess it */
    ARRAY(struct quality_due) noted; /* with `keeps_ids`: what quality_note_id was told */
    bool keeps_ids;
    struct quality_id *ids;
    uint64_t ids_slots, ids_count, ids_max; /* in all, taken, and at most */
    uint32_t pass, passes;                  /* over the identities */
    bool ids_full;                          /* there are more than could be remembered */
    struct quality_due due[QUALITY_DUE];
    uint32_t due_count;

    struct buf key;
    ARRAY(struct quality_decoder *) decoders;
    struct quality_memo memo[QUALITY_COLUMNS][1 << QUALITY_MEMO_BITS];
};

/* The columns that are looked at, by enum quality_column. */
extern const char *const quality_columns[QUALITY_COLUMNS];

/* "duplicate_ids"...: a literal, for JSON and metrics; and a phrase for people, behind a count. */
const char *quality_finding_name(enum quality_finding finding);
const char *quality_finding_text(enum quality_finding finding);

/* Begin. `config` is finished, and borrowed, as are `types`, the messages of config->payloads;
 * NULL: payloads are not decoded. At most `ids_max` identities are remembered; 0:
 * they are kept in `noted`, for the caller to look up (quality/state.h). ERR_SYSTEM where there is
 * no random number to be had. */
int quality_init(struct quality *q, const struct config *config, struct payload_types *const *types,
                 uint64_t ids_max, struct err *err) __attribute__((warn_unused_result));

/* So many rows come, or fewer: what remembers their identities need not grow step by step. */
void quality_expect_ids(struct quality *q, uint64_t count);

/* The rows that come are of another stream, or another generation of one. */
void quality_begin_stream(struct quality *q);

/* The rows that come are of the generation with this name, which may have come before. */
void quality_set_stream(struct quality *q, struct slice name);

/* Look at a row: the values of the columns, as PLAIN bytes; a NULL pointer is a null. */
void quality_take(struct quality *q, const struct slice *values);

/* The same in two steps. Rows may be seen in any order, and more often than once; they are counted
 * in the order of their stream. */
void quality_see(struct quality *q, const struct slice *values, struct quality_seen *seen);
void quality_count(struct quality *q, const struct quality_seen *seen);

/* Rows of a group, from `sequence` on, break a rule. */
void quality_find(struct quality_group *g, enum quality_finding finding, uint64_t sequence);

/* Parts of quality_take, for a saved state (quality/state.h): a group without events, of a
 * simulation and a type that are there, false if there is one; what there is to know of the content
 * type that was put last; and the worker with this number, false if its key is none. */
bool quality_add_group(struct quality *q, uint32_t simulation, uint32_t type);
void quality_add_content(struct quality *q, struct slice hint);
bool quality_count_worker(struct quality *q, uint32_t number);

/* Parts of quality_see: what a media type without parameters says; whether a payload is what
 * `payloads` or its content type says; and a number and a name as a key, until the next one. */
enum quality_format quality_format_of(struct slice media);
bool quality_payload_is_right(struct quality *q, const struct quality_group *g,
                              enum quality_format format, struct slice hint, struct slice payload);
struct slice quality_key(struct quality *q, uint32_t number, struct slice name);

/* Parts of quality_see and quality_count: the identity of an event, and noting that of one of a
 * group, if it is of those that this pass is for. */
struct quality_id quality_identify(const struct quality *q, struct slice event_id);
void quality_note_id(struct quality *q, uint32_t group, struct quality_id id, uint64_t sequence);

/*
 * After the last row: 1 if there were more identities than could be remembered, and all rows have
 * to come once more, through quality_take_id, for a part of them; then again. 0: all are counted.
 */
int quality_next_pass(struct quality *q);
void quality_take_id(struct quality *q, const struct slice *values);

/* Numbers of groups, those of a simulation together, by name; until quality_order_free. */
uint32_t *quality_order(const struct quality *q);
void quality_order_free(const struct quality *q, uint32_t *order);

/* How many of the groups from `order[0]` on, at most `left`, are of its simulation; at least one.
 */
uint32_t quality_together(const struct quality *q, const uint32_t *order, uint32_t left);

/* What there is of the simulation whose groups are `order[0]` to `order[count - 1]`: an object. */
void quality_put_json(const struct quality *q, struct json_writer *w, const uint32_t *order,
                      uint32_t count);

/* Look at rows by the configuration's rules from now on, as those before were; true if they were
 * looked at by others. */
bool quality_follow_rules(struct quality *q);

/* All that it says in a few lines. */
enum { QUALITY_LINES = 8, QUALITY_LINE_NAME_MAX = 64 };

struct quality_line {
    char simulation[QUALITY_LINE_NAME_MAX]; /* cut; "": it has none */
    uint64_t events, found;
    enum quality_finding most; /* what was found most often, if anything was: */
    struct quality_count count;
};

struct quality_summary {
    uint64_t simulations, bad;      /* bad: those with findings */
    uint64_t events, found, alarms; /* found: findings; alarms: those that quality.alerts chooses */
    uint64_t findings[QUALITY_FINDINGS];
    uint32_t lines;
    struct quality_line line[QUALITY_LINES]; /* simulations with the most findings, that first */
};

void quality_summarize(const struct quality *q, struct quality_summary *out);

/* Findings of a group that break a rule, in all. */
uint64_t quality_findings(const struct quality_group *g);

void quality_free(struct quality *q);

#endif
