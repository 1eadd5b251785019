/* Names of nodes as text. */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/store/path.h"

Test(store_path, relative_paths_are_made_absolute)
{
    char path[PATH_SIZE];

    cr_expect_eq(path_canonical(7, "device/vbd", path), 0);
    cr_expect_str_eq(path, "/local/domain/7/device/vbd");
    cr_expect_eq(path_home_length(7), strlen("/local/domain/7/"));
    cr_expect_eq(path_canonical(7, "/device", path), 0);
    cr_expect_str_eq(path, "/device");
    cr_expect_eq(path_canonical(7, "/", path), 0);
    cr_expect_str_eq(path, "/");
}

Test(store_path, the_alphabet_is_small)
{
    char path[PATH_SIZE], text[3] = "/?";
    unsigned nr = 0;

    for (int c = 1; c < 256; c++) {
        text[1] = (char)c;
        nr += path_canonical(0, text, path) == 0;
    }
    cr_expect_eq(nr, 26 + 26 + 10 + 3, "letters, digits, - _ @");
}

Test(store_path, within_means_the_same_or_below)
{
    cr_expect(path_within("/a/b", "/a/b"));
    cr_expect(path_within("/a/b/c", "/a/b"));
    cr_expect_not(path_within("/a/bc", "/a/b"));
    cr_expect_not(path_within("/a", "/a/b"));
    cr_expect(path_within("/a", "/"));
    cr_expect(path_within("/", "/"));
    cr_expect_not(path_within("/", "/a"));
}

Test(store_path, parents)
{
    char parent[PATH_SIZE];

    path_parent("/a/b", parent);
    cr_expect_str_eq(parent, "/a");
    path_parent("/a", parent);
    cr_expect_str_eq(parent, "/");
    path_parent("/", parent);
    cr_expect_str_eq(parent, "/");
}

Test(store_path, components_one_by_one)
{
    const char *cursor = "/ab/c", *name;

    cr_expect_eq(path_next(&cursor, &name), 2);
    cr_expect_eq(strncmp(name, "ab", 2), 0);
    cr_expect_eq(path_next(&cursor, &name), 1);
    cr_expect_eq(path_next(&cursor, &name), 0);
    cursor = "/";
    cr_expect_eq(path_next(&cursor, &name), 0);
}
