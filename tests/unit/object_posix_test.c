/* SPDX-License-Identifier: MIT */
#include "object/posix.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store_fixture.h"

struct faults {
    enum system_call call;
    int error;
    uint64_t skip; /* calls that still work */
};

static int fail(void *context, enum system_call call, bool after)
{
    struct faults *faults = context;
    if (after || call != faults->call || faults->error == 0)
        return 0;
    if (faults->skip > 0) {
        faults->skip--;
        return 0;
    }
    return faults->error;
}

static void temporary_path(char out[static 128], const struct object_staged *file)
{
    (void)snprintf(out, 128, "root/.varve/i/%s.inprogress", file->id);
}

TEST(posix_hides_what_is_staged)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    char path[128];
    struct object_staged *file = object_stage(store->objects, &err);
    EXPECT(object_write(file, "ab", 2, &err) == 0);
    EXPECT(object_write(file, "", 0, &err) == 0);
    EXPECT(object_write(file, "c", 1, &err) == 0);
    EXPECT(object_finish(store->objects, &file, 1, &err) == 0);
    EXPECT(object_is_finished(file));
    EXPECT_U64(object_staged_size(file), 3);
    temporary_path(path, file);
    char *text = fixture_read(path);
    EXPECT_TEXT(text, "abc");
    free(text);
    object_abandon(file);
    EXPECT(!fixture_is_file(path));
    store_close(store);
}

TEST(posix_ids_are_distinct)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    struct object_staged *a = object_stage(store->objects, &err);
    struct object_staged *b = object_stage(store->objects, &err);
    EXPECT(strcmp(a->id, b->id) != 0);
    object_abandon(a);
    object_abandon(b);
    object_abandon(NULL);
    object_staged_free(NULL);
    store_close(store);
}

/* Fails one call alone, which is not `skip`. */
static int fail_once(void *context, enum system_call call, bool after)
{
    struct faults *faults = context;
    int error = fail(context, call, after);
    if (error != 0)
        faults->error = 0;
    return error;
}

static void lend_in_pieces(struct object_staged *file, const char *content, size_t len)
{
    struct slice pieces[64];
    struct err err = {0};
    size_t count = 0;
    for (size_t at = 0; at < len; count++) {
        size_t most = count % 3 == 0 ? 1 << 20 : 5000, size = test_random() % most;
        if (size > len - at || count == 63)
            size = len - at;
        pieces[count] = (struct slice){(const uint8_t *)content + at, size};
        at += size;
    }
    EXPECT(object_lend(file, pieces, count, &err) == 0);
}

/* Past the kernel's cache where the file system can, from wherever it can't; from however many
 * pieces. */
TEST(posix_writes_large_content_whole)
{
    static const struct faults cases[] = {
        {SYSTEM_CALL_PWRITE, 0, 0},
        {SYSTEM_CALL_PWRITE, EINVAL, 0},
        {SYSTEM_CALL_PWRITE, EINVAL, 1},
        {SYSTEM_CALL_PWRITE, ENOSPC, 2},
    };
    enum { LARGE = 3 * 1024 * 1024 + 5 };
    char *content = malloc(LARGE + 1);
    for (size_t i = 0; i < LARGE; i++)
        content[i] = (char)('a' + i * 7 % 23 + i / 4096 % 3);
    content[LARGE] = '\0';
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store *store = fixture_open("i");
        struct faults faults = cases[i];
        struct err err = {0};
        char path[128];
        fixture_hook(store, fail_once, &faults);
        for (size_t before = 0; before < 2; before++) { /* aligned, and not */
            struct object_staged *file = object_stage(store->objects, &err);
            EXPECT(object_write(file, "x", before, &err) == 0);
            lend_in_pieces(file, content + 1, LARGE - 1);
            EXPECT(object_write(file, "end", 3, &err) == 0);
            EXPECT(object_finish(store->objects, &file, 1, &err) == 0);
            temporary_path(path, file);
            char *text = fixture_read(path);
            EXPECT(text != NULL && strlen(text) == before + LARGE + 2);
            EXPECT(memcmp(text + before, content + 1, LARGE - 1) == 0);
            EXPECT_TEXT(text + before + LARGE - 1, "end");
            free(text);
            object_abandon(file);
        }
        EXPECT(faults.error == 0);
        store_close(store);
    }
    free(content);
}

TEST(posix_write_can_be_repeated)
{
    struct store *store = fixture_open("i");
    struct faults faults = {SYSTEM_CALL_PWRITE, 0, 0};
    struct err err = {0};
    char path[128];
    fixture_hook(store, fail, &faults);
    struct object_staged *file = object_stage(store->objects, &err);
    EXPECT(object_write(file, "one ", 4, &err) == 0);
    faults.error = ENOSPC;
    EXPECT(object_write(file, "two", 3, &err) == -1);
    EXPECT(err.code == ERR_SYSTEM && err.system == ENOSPC);
    EXPECT_U64(object_staged_size(file), 4);
    faults.error = 0;
    err_clear(&err);
    EXPECT(object_write(file, "two", 3, &err) == 0);
    EXPECT(object_finish(store->objects, &file, 1, &err) == 0);
    temporary_path(path, file);
    char *text = fixture_read(path);
    EXPECT_TEXT(text, "one two");
    free(text);
    object_abandon(file);
    store_close(store);
}

/* The first write is cut short by the limit, which is gone before the second. */
static int lift_the_limit(void *context, enum system_call call, bool after)
{
    uint32_t *writes = context;
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    if (call == SYSTEM_CALL_PWRITE && !after && ++*writes == 2)
        EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    return 0;
}

TEST(posix_completes_short_writes)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    char path[128];
    uint32_t writes = 0;
    struct rlimit limit = {5, RLIM_INFINITY};
    fixture_hook(store, lift_the_limit, &writes);
    struct object_staged *file = object_stage(store->objects, &err);
    EXPECT(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &limit) == 0);
    EXPECT(object_write(file, "0123456789", 10, &err) == 0);
    EXPECT_U64(writes, 2);
    EXPECT(object_finish(store->objects, &file, 1, &err) == 0);
    temporary_path(path, file);
    char *text = fixture_read(path);
    EXPECT_TEXT(text, "0123456789");
    free(text);
    object_abandon(file);
    store_close(store);
}

TEST(posix_what_was_not_synced_is_lost)
{
    struct store *store = fixture_open("i");
    struct faults faults = {SYSTEM_CALL_FDATASYNC, EIO, 0};
    struct err err = {0};
    fixture_hook(store, fail, &faults);
    struct object_staged *file = object_stage(store->objects, &err);
    EXPECT(object_write(file, "x", 1, &err) == 0);
    EXPECT(object_finish(store->objects, &file, 1, &err) == -1);
    EXPECT(err.system == EIO && !object_is_finished(file));
    faults.error = 0;
    err_clear(&err);
    EXPECT(object_finish(store->objects, &file, 1, &err) == -1); /* what is lost stays lost */
    object_abandon(file);
    EXPECT_U64(fixture_look().hidden, 0);
    store_close(store);
}

TEST(posix_cannot_stage)
{
    struct store *store = fixture_open("i");
    struct faults faults = {SYSTEM_CALL_OPENAT, ENOSPC, 0};
    struct err err = {0};
    fixture_hook(store, fail, &faults);
    EXPECT(object_stage(store->objects, &err) == NULL);
    EXPECT_TEXT(err.text, "can't make a file in root/.varve: No space left on device");
    store_close(store);
}

static struct object_store *open_as(const char *writer, struct err *err)
{
    struct object_posix_config config = {
        .root = "root", .entries = "log/", .writer = writer, .writer_name = writer};
    return object_posix_open(&config, err);
}

TEST(posix_lock_is_for_one_process)
{
    struct err err = {0};
    struct object_store *store = open_as("w", &err);
    struct object_store *other = open_as("v", &err);
    EXPECT(store != NULL && other != NULL);
    EXPECT(open_as("w", &err) == NULL);
    char expected[128];
    (void)snprintf(expected, sizeof(expected),
                   "instance w is in use by process %d; stop it, or give this one another name",
                   getpid());
    EXPECT(err.code == ERR_REFUSED);
    EXPECT_TEXT(err.text, expected);
    object_store_close(store);
    err_clear(&err);
    store = open_as("w", &err);
    EXPECT(store != NULL);
    object_store_close(store);
    object_store_close(other);
}

static bool is_running(const char *writer, char owner[static OBJECT_POSIX_OWNER_MAX])
{
    struct object_posix_config config = {
        .root = "root", .entries = "log/", .writer = writer, .writer_name = writer};
    struct err err = {0};
    bool running;
    EXPECT(object_posix_is_running(&config, &running, owner, &err) == 0);
    return running;
}

TEST(posix_tells_whether_a_writer_runs)
{
    struct err err = {0};
    struct stat info;
    char owner[OBJECT_POSIX_OWNER_MAX];
    EXPECT(!is_running("w", owner));
    EXPECT(stat("root", &info) != 0); /* it makes nothing */
    struct object_store *store = open_as("w", &err);
    EXPECT(is_running("w", owner));
    EXPECT_U64(strtoull(owner, NULL, 10), getpid());
    EXPECT(!is_running("v", owner));
    EXPECT(stat("root/.varve/v", &info) != 0);
    object_store_close(store);
    EXPECT(!is_running("w", owner));
    store = open_as("w", &err); /* it keeps no lock */
    EXPECT(store != NULL);
    object_store_close(store);
    EXPECT(unlink("root/.varve/w/lock") == 0 && symlink("/dev/null", "root/.varve/w/lock") == 0);
    struct object_posix_config config = {
        .root = "root", .entries = "log/", .writer = "w", .writer_name = "w"};
    bool running;
    EXPECT(object_posix_is_running(&config, &running, owner, &err) == -1);
    EXPECT(!running && err.system == ELOOP);
}

TEST(posix_lock_of_a_dead_process_is_no_lock)
{
    struct err err = {0};
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        if (open_as("w", &err) != NULL)
            (void)raise(SIGKILL);
        _exit(1);
    }
    int status;
    EXPECT(waitpid(pid, &status, 0) == pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct object_store *store = open_as("w", &err);
    EXPECT(store != NULL);
    char *text = fixture_read("root/.varve/w/lock");
    EXPECT_U64(strtoull(text, NULL, 10), getpid());
    free(text);
    object_store_close(store);
}

TEST(posix_lock_that_says_nothing_useful)
{
    struct err err = {0};
    struct object_store *store = open_as("w", &err);
    fixture_write("root/.varve/w/lock", "\x1b[2J");
    EXPECT(open_as("w", &err) == NULL);
    EXPECT_TEXT(err.text,
                "instance w is in use by process ?; stop it, or give this one another name");
    object_store_close(store);
}

/* Whoever may write to the directory must not make varve write elsewhere. */
TEST(posix_lock_leaves_the_file_of_another_alone)
{
    struct err err = {0};
    EXPECT(mkdir("root", 0755) == 0 && mkdir("root/.varve", 0755) == 0);
    EXPECT(mkdir("root/.varve/w", 0755) == 0);
    fixture_write("precious", "of somebody");
    EXPECT(symlink("../../../precious", "root/.varve/w/lock") == 0);
    EXPECT(open_as("w", &err) == NULL);
    EXPECT(err.system == ELOOP && strstr(err.text, ".varve/w/lock") != NULL);
    EXPECT(unlink("root/.varve/w/lock") == 0 && link("precious", "root/.varve/w/lock") == 0);
    err_clear(&err);
    struct object_store *store = open_as("w", &err);
    EXPECT(store != NULL);
    char *text = fixture_read("precious");
    EXPECT_TEXT(text, "of somebody");
    free(text);
    object_store_close(store);
}

static void put(struct object_store *store, const char *name, const char *text)
{
    struct err err = {0};
    EXPECT(object_put(store, name, slice_of(text), &err) == 0);
    EXPECT_TEXT(err.text, "");
}

TEST(posix_put_and_get)
{
    struct err err = {0};
    struct buf out = {0};
    struct object_info info;
    bool found, taken;
    struct object_store *store = open_as("w", &err);
    put(store, "a/b/c.txt", "first");
    put(store, "a/b/c.txt", "the second");
    EXPECT(object_put_if_absent(store, "a/b/c.txt", slice_of("x"), &taken, &err) == 0 && taken);
    EXPECT(object_put_if_absent(store, "d", slice_of(""), &taken, &err) == 0 && !taken);
    EXPECT(object_get(store, "a/b/c.txt", 4, 3, &out, &found, &err) == 0 && found);
    EXPECT_TEXT(buf_text(&out), "sec");
    buf_reset(&out);
    EXPECT(object_get(store, "a/b/c.txt", 8, UINT64_MAX, &out, &found, &err) == 0 && found);
    EXPECT_TEXT(buf_text(&out), "nd");
    EXPECT(object_get(store, "a/b/c.txt", UINT64_MAX, 1, &out, &found, &err) == 0);
    EXPECT_U64(out.len, 2);
    EXPECT(object_get_all(store, "a/b/c.txt", 9, &out, &found, &err) == -1);
    EXPECT(err.code == ERR_LIMIT && out.len == 2);
    err_clear(&err);
    EXPECT(object_get_all(store, "a/b/c.txt", 10, &out, &found, &err) == 0 && out.len == 12);
    EXPECT(object_head(store, "a/b/c.txt", &info, &found, &err) == 0 && found && info.size == 10);
    EXPECT(info.modified > 0);
    EXPECT(object_head(store, "d", &info, &found, &err) == 0 && found && info.size == 0);
    EXPECT(object_head(store, "a/b", &info, &found, &err) == 0 && !found);
    EXPECT(object_head(store, "a/x/c", &info, &found, &err) == 0 && !found);
    EXPECT(object_get(store, "a/x/c", 0, 1, &out, &found, &err) == 0 && !found);
    EXPECT(object_remove(store, "a/b/c.txt", &err) == 0);
    EXPECT(object_remove(store, "a/b/c.txt", &err) == 0);
    EXPECT(object_get(store, "a/b/c.txt", 0, 1, &out, &found, &err) == 0 && !found);
    EXPECT_U64(fixture_look().hidden, 0);
    buf_free(&out);
    object_store_close(store);
}

/* Files of a host whose clock is wrong: not older than they are. */
TEST(posix_files_of_a_time_that_no_int64_holds)
{
    static const int64_t seconds[] = {1, 7258118400, 9223372036, 9223372037, 16725225600};
    struct err err = {0};
    struct object_store *store = open_as("w", &err);
    struct object_info info;
    bool found;
    int64_t last = 0;
    EXPECT(object_put(store, "x", slice_of("x"), &err) == 0);
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        const struct timespec times[2] = {{.tv_sec = (time_t)seconds[i], .tv_nsec = 900000000},
                                          {.tv_sec = (time_t)seconds[i], .tv_nsec = 900000000}};
        if ((time_t)seconds[i] != seconds[i] || utimensat(AT_FDCWD, "root/x", times, 0) != 0)
            break; /* this machine has no such time; a file system keeps the nearest that it has */
        EXPECT(object_head(store, "x", &info, &found, &err) == 0 && found);
        EXPECT(info.modified >= last && info.modified > 0);
        last = info.modified;
    }
    object_store_close(store);
}

TEST(posix_names_that_could_do_harm)
{
    struct err err = {0};
    struct buf out = {0};
    bool found;
    struct object_store *store = open_as("w", &err);
    static const char *const bad[] = {"../x", "/x", "a/../../x", ""};
    fixture_write("x", "outside");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err refused = {0};
        EXPECT(object_get(store, bad[i], 0, 9, &out, &found, &refused) == -1);
        EXPECT(refused.code == ERR_FORMAT && out.len == 0);
    }
    EXPECT(object_put(store, ".varve/w/lock", slice_of("x"), &err) == -1);
    EXPECT_TEXT(err.text, "'.varve/w/lock' can't be the name of a new object");
    object_store_close(store);
}

static bool note_listed(void *context, struct slice name)
{
    struct buf *out = context;
    buf_append_slice(out, name);
    buf_append_byte(out, ' ');
    return !slice_is(name, "stop");
}

static const char *list(struct object_store *store, const char *folder, const char *after)
{
    static struct buf out;
    struct err err = {0};
    buf_reset(&out);
    EXPECT(object_list(store, folder, after, note_listed, &out, &err) == 0);
    EXPECT_TEXT(err.text, "");
    return buf_text(&out);
}

/* The order is that of whole names: "a-b" and "a.b" come before what is in "a/". */
TEST(posix_lists_in_byte_order)
{
    struct err err = {0};
    struct object_store *store = open_as("w", &err);
    static const char *const names[] = {"a/z", "a/b/c", "a-b", "a.b", "a0", "stop", "\xc3", "t"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        put(store, names[i], "");
    EXPECT(symlink("a0", "root/link") == 0 && symlink("a", "root/b") == 0);
    EXPECT_TEXT(list(store, "", ""), "a-b a.b a/b/c a/z a0 stop ");
    EXPECT_TEXT(list(store, "a/", ""), "a/b/c a/z ");
    EXPECT_TEXT(list(store, "", "a/b"), "a/b/c a/z a0 stop ");
    EXPECT_TEXT(list(store, "", "a/b/c"), "a/z a0 stop ");
    EXPECT_TEXT(list(store, "a/", "a/y"), "a/z ");
    EXPECT_TEXT(list(store, "", "stop"), "t \xc3 ");
    EXPECT_TEXT(list(store, "nowhere/", ""), "");
    EXPECT(object_list(store, "a", "", note_listed, NULL, &err) == -1);
    object_store_close(store);
}

TEST(posix_reads_without_a_lock)
{
    struct err err = {0};
    struct buf out = {0};
    bool found;
    struct object_posix_config config = {.root = "root", .entries = "log/"};
    EXPECT(object_posix_open(&config, &err) == NULL && err.system == ENOENT);
    err_clear(&err);
    struct object_store *writer = open_as("w", &err);
    put(writer, "a", "b");
    struct object_store *reader = object_posix_open(&config, &err);
    EXPECT(object_get_all(reader, "a", 9, &out, &found, &err) == 0 && found && out.len == 1);
    EXPECT_TEXT(list(reader, "", ""), "a ");
    object_store_close(reader);
    object_store_close(writer);
    buf_free(&out);
}
