/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "object/posix.h"

#include "base/array.h"
#include "store_fixture.h"

struct listed {
    ARRAY(char *);
};

static bool note_listed(void *context, struct slice name)
{
    *array_add((struct listed *)context) = strndup((const char *)name.data, name.len);
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_listed(struct listed *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->list[i]);
    array_free(l);
}

/* What is listed below "root" is `made`, whose whole names are sorted here. */
static void expect_listed(struct listed *made)
{
    const struct object_posix_config config = {.root = "root", .entries = "log/"};
    struct listed l = {0};
    struct err err = {0};
    struct object_store *store = object_posix_open(&config, &err);
    EXPECT(store != NULL && object_list(store, "", "", note_listed, &l, &err) == 0);
    object_store_close(store);
    qsort(made->list, made->count, sizeof(*made->list), by_bytes);
    EXPECT(l.count == made->count);
    for (size_t i = 0; i < l.count; i++)
        EXPECT_TEXT(l.list[i], made->list[i]);
    free_listed(&l);
    free_listed(made);
}

static void make(struct listed *made, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "root/%s", name);
    if (access(path, F_OK) == 0)
        return;
    fixture_write(path, "");
    *array_add(made) = strdup(name);
}

/* A directory that the kernel gives in many pieces: each name once. */
TEST(posix_lists_a_long_log)
{
    enum { NAMES = 10000 };
    struct listed made = {0};
    char name[64];
    EXPECT(mkdir("root", 0755) == 0 && mkdir("root/_delta_log", 0755) == 0);
    for (unsigned i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "_delta_log/%020u.json", i * 97 % NAMES);
        make(&made, name);
    }
    make(&made, "_delta_log/_last_checkpoint");
    make(&made, "_delta_log/00000000000000000100.checkpoint.parquet");
    expect_listed(&made);
}

/* Names that are alike for some bytes, and those that end there, as files and as folders: around
 * the lengths of the pieces by which they are sorted. */
TEST(posix_lists_names_alike)
{
    static const char letters[] = "\x01-.0a\xff";
    struct listed made = {0};
    char name[64], folder[128];
    EXPECT(mkdir("root", 0755) == 0);
    for (unsigned i = 0; i < 500; i++) {
        size_t len = 0, alike = test_random() % 18;
        while (len < alike)
            name[len++] = 'x';
        for (uint64_t more = 1 + test_random() % 3; more > 0; more--)
            name[len++] = letters[test_random() % (sizeof(letters) - 1)];
        name[len] = '\0';
        struct stat st;
        if (name[0] == '.')
            continue; /* hidden */
        (void)snprintf(folder, sizeof(folder), "root/%s", name);
        if (stat(folder, &st) == 0)
            continue;
        if (test_random() % 2 == 0) {
            EXPECT(mkdir(folder, 0755) == 0);
            (void)snprintf(name + len, sizeof(name) - len, "/f");
        }
        make(&made, name);
    }
    expect_listed(&made);
}

/* More than the stack of a thread, as small as musl makes it, would hold of calls in one another.
 */
enum { DEEP = 900, STACK = 128 * 1024 };

static void *list_deep(void *context)
{
    const struct object_posix_config config = {.root = "root", .entries = "log/"};
    struct err err = {0};
    struct object_store *store = object_posix_open(&config, &err);
    EXPECT(store != NULL && object_list(store, "", "", note_listed, context, &err) == 0);
    EXPECT_TEXT(err.text, "");
    object_store_close(store);
    return NULL;
}

TEST(posix_lists_folders_in_folders_to_any_depth)
{
    struct listed l = {0};
    pthread_attr_t attributes;
    pthread_t thread;
    EXPECT(mkdir("root", 0777) == 0);
    int at = open("root", O_RDONLY | O_DIRECTORY);
    EXPECT(at >= 0);
    for (int i = 1; i <= DEEP; i++) {
        EXPECT(mkdirat(at, "a", 0777) == 0);
        int next = openat(at, "a", O_RDONLY | O_DIRECTORY);
        EXPECT(next >= 0 && close(at) == 0);
        at = next;
    }
    int file = openat(at, "f", O_CREAT | O_WRONLY, 0666);
    EXPECT(file >= 0 && close(file) == 0);
    EXPECT(pthread_attr_init(&attributes) == 0 &&
           pthread_attr_setstacksize(&attributes, STACK) == 0);
    EXPECT(pthread_create(&thread, &attributes, list_deep, &l) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(l.count == 1 && strlen(l.list[0]) == 2 * DEEP + 1);
    free_listed(&l);
    /* Who removes what a test leaves goes into less than that. */
    EXPECT(unlinkat(at, "f", 0) == 0);
    for (int i = DEEP; i > 0; i--) {
        int above = openat(at, "..", O_RDONLY | O_DIRECTORY);
        EXPECT(above >= 0 && close(at) == 0);
        at = above;
        EXPECT(unlinkat(at, "a", AT_REMOVEDIR) == 0);
    }
    EXPECT(close(at) == 0 && pthread_attr_destroy(&attributes) == 0);
}
