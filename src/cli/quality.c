/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/log.h"
#include "cli/cat.h"
#include "cli/cli.h"
#include "cli/confine.h"
#include "cli/options.h"
#include "cli/quality_print.h"
#include "delta/log.h"
#include "follow/quality.h"
#include "follow/table.h"
#include "object/open.h"
#include "verify/table.h"

/* In the order of enum quality_column. */
#define COLUMNS                                                                   \
    "timestamp_ns,event_id,event_type_key,event_payload,worker_id,simulation_id," \
    "payload_format_hint,stream_seq,stream_time"
static const enum parquet_type column_types[QUALITY_COLUMNS] = {
    PARQUET_TYPE_INT64,      PARQUET_TYPE_BYTE_ARRAY, PARQUET_TYPE_BYTE_ARRAY,
    PARQUET_TYPE_BYTE_ARRAY, PARQUET_TYPE_BYTE_ARRAY, PARQUET_TYPE_BYTE_ARRAY,
    PARQUET_TYPE_BYTE_ARRAY, PARQUET_TYPE_INT64,      PARQUET_TYPE_INT64,
};

struct asked {
    struct cli_options options;
    struct filter filter;
    bool json, save;
};

static int parse(struct asked *a, struct cli_words *w)
{
    struct err err = {0};
    int option;
    while ((option = cli_next(w)) > 0) {
        int taken = cli_options_take(&a->options, w, option);
        if (taken < 0)
            return CLI_USAGE;
        a->json = a->json || option == 'j';
        a->save = a->save || option == 'S';
        bool chooses = option == 'w' || option == 'f' || option == 't';
        if (chooses && filter_take_option(&a->filter, option, w->value, &err) != 0)
            return cli_usage("quality", "%s", err.text);
    }
    if (option == CLI_STOP)
        return w->status;
    if (a->save && a->filter.terms.count > 0)
        return cli_usage("quality", "--save is for whole runs, without --where, --from and --to");
    return w->count == 1 ? CLI_GO_ON : cli_usage("quality", "it takes one PATH");
}

static void expect(void *context, uint64_t rows)
{
    quality_expect_ids(context, rows);
}

static void begin_stream(void *context)
{
    quality_begin_stream(context);
}

static void take(void *context, const struct slice *values)
{
    quality_take(context, values);
}

static void see(void *context, const struct slice *values, void *record)
{
    quality_see(context, values, record);
}

static void count(void *context, const void *record)
{
    quality_count(context, record);
}

static void take_id(void *context, const struct slice *values)
{
    quality_take_id(context, values);
}

/* All rows once. */
static int read_rows(struct cat *cat, const char *path, struct err *err)
{
    struct object_config config = {.root = path, .entries = DELTA_LOG_FOLDER};
    struct object_store *store = NULL;
    bool flat = true;
    int result = 0;
    if (!verify_table_exists(path))
        result = cat_plain(cat, path, &flat, err);
    else if ((store = object_open(&config, err)) == NULL || cat_table(cat, store, &flat, err) != 0)
        result = err_prefix(err, "%s", path);
    object_store_close(store);
    if (result != 0 || flat)
        return result;
    return err_set(err, ERR_FORMAT, "%s: these are no events: there is no stream_seq", path);
}

static int look(struct quality *q, const struct asked *a, const char *path, struct err *err)
{
    struct cat_taker taker = {expect, begin_stream, take, see, count, sizeof(struct quality_seen),
                              q,      column_types};
    struct cat cat = {.left = UINT64_MAX, .filter = a->filter, .columns = COLUMNS, .taker = &taker};
    cat.codec = parquet_codec_new(NULL);
    int result;
    do {
        result = read_rows(&cat, path, err);
        taker.take = take_id;
        taker.make = NULL;
    } while (result == 0 && quality_next_pass(q) == 1);
    parquet_codec_free(cat.codec);
    buf_free(&cat.line);
    return result;
}

static int save(struct quality *q, const char *path, struct err *err)
{
    struct object_config config = {
        .root = path, .entries = DELTA_LOG_FOLDER, .writer = "quality", .writer_name = "%quality"};
    struct object_store *store = object_open(&config, err);
    int result = store == NULL ? -1 : follow_quality_save(q, store, false, err);
    object_store_close(store);
    return result == 0 ? 0 : err_prefix(err, "%s", path);
}

static int confine(char *const *path, bool saves, struct err *err)
{
    if (saves)
        return confine_to_store(path, false, err) == 0 ? 0 : err_prefix(err, "%s", *path);
    struct buf folder = {0};
    cat_append_folder(&folder, *path);
    buf_append_byte(&folder, '\0');
    int result = confine_reading((char *[]){(char *)folder.data}, 1, NULL, err);
    buf_free(&folder);
    return result;
}

static int run(struct asked *a, struct cli_words *w, struct err *err)
{
    struct config config;
    struct payload_types *types[CONFIG_PAYLOADS_MAX] = {0};
    struct quality q = {0};
    uint64_t found = 0;
    config_init(&config);
    int result = cli_options_read(&a->options, &config, err);
    log_configure(config.settings.log_level, config.settings.log_format);
    cli_reach(&config);
    if (result == 0)
        result = follow_types_read_all(&config, types, err);
    if (result == 0)
        result = confine(w->operands, a->save, err);
    if (result == 0)
        result = quality_init(&q, &config, types, QUALITY_IDS_MAX, err);
    if (result == 0) {
        result = look(&q, a, w->operands[0], err);
        if (result == 0 && a->save)
            result = save(&q, w->operands[0], err);
        if (result == 0)
            found = quality_print(&q, w->operands[0], a->json);
        quality_free(&q);
    }
    for (size_t i = 0; i < CONFIG_PAYLOADS_MAX; i++)
        payload_types_free(types[i]);
    config_free(&config);
    if (result != 0)
        return cli_fail(err);
    return found > 0 ? CLI_FAILED : CLI_DONE;
}

int cli_quality(int argc, char **argv)
{
    struct asked a = {0};
    struct cli_words w = cli_words(argc, argv);
    struct err err = {0};
    int status = parse(&a, &w);
    if (status == CLI_GO_ON)
        status = run(&a, &w, &err);
    filter_free(&a.filter);
    cli_options_free(&a.options);
    return status;
}
