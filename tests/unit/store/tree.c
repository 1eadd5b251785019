/* Versions of one tree: shared, and yet each its own. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/store/tree.h"

static struct tree_pool pool;
static struct tree tree;

static void some_nodes(void)
{
    pool = (struct tree_pool){0};
    tree_create(&tree, &pool);
    tree_write(&tree, "/a/x", "1", 1, 0);
    tree_write(&tree, "/a/y", "2", 1, 0);
    tree_write(&tree, "/b/z", "3", 1, 5);
}

/* Whatever a test did: nothing is left over. */
static void keep_accounts(void)
{
    tree_release(&tree);
    cr_expect_eq(pool.bytes, 0);
}

TestSuite(store_tree, .init = some_nodes, .fini = keep_accounts);

static const char *value(const struct tree *of, const char *path)
{
    static char text[16];
    const struct node *node = tree_find(of, path);

    if (!node)
        return "(none)";
    snprintf(text, sizeof text, "%.*s", (int)node->value_len, node->value);
    return text;
}

Test(store_tree, a_snapshot_does_not_change)
{
    struct tree snapshot = tree_snapshot(&tree);

    tree_write(&tree, "/a/x", "new", 3, 0);
    tree_write(&tree, "/a/new/deep", "new", 3, 0);
    tree_remove(&tree, "/b");
    cr_expect_str_eq(value(&snapshot, "/a/x"), "1");
    cr_expect_str_eq(value(&snapshot, "/a/new"), "(none)");
    cr_expect_str_eq(value(&snapshot, "/b/z"), "3");
    cr_expect_str_eq(value(&tree, "/a/x"), "new");
    cr_expect_str_eq(value(&tree, "/b/z"), "(none)");
    tree_release(&snapshot);
}

Test(store_tree, what_did_not_change_is_shared)
{
    struct tree snapshot = tree_snapshot(&tree);

    tree_write(&tree, "/a/x", "new", 3, 0);
    cr_expect_eq(tree_find(&tree, "/a/y"), tree_find(&snapshot, "/a/y"));
    cr_expect_eq(tree_find(&tree, "/b"), tree_find(&snapshot, "/b"));
    cr_expect_neq(tree_find(&tree, "/a"), tree_find(&snapshot, "/a"));
    tree_release(&snapshot);
}

Test(store_tree, without_snapshots_changes_happen_in_place)
{
    const struct node *before = tree_find(&tree, "/a/x");

    tree_write(&tree, "/a/x", "new", 3, 0);
    cr_expect_eq(tree_find(&tree, "/a/x"), before);
}

Test(store_tree, a_generation_is_new_after_each_change_of_the_node_itself)
{
    const uint64_t a = tree_find(&tree, "/a")->generation;
    const uint64_t x = tree_find(&tree, "/a/x")->generation;

    tree_write(&tree, "/a/x", "1", 1, 0);
    cr_expect_neq(tree_find(&tree, "/a/x")->generation, x);
    cr_expect_eq(tree_find(&tree, "/a")->generation, a);
    tree_remove(&tree, "/a/x");
    cr_expect_neq(tree_find(&tree, "/a")->generation, a);
}

Test(store_tree, guests_nodes_are_counted)
{
    struct tree snapshot = tree_snapshot(&tree);
    const struct permission list = {.domid = 5};
    struct permissions *perms = permissions_new(&list, 1);

    cr_expect_eq(tree.root->nr_guest, 2);
    tree_write(&tree, "/b/c/d", "", 0, 5);
    cr_expect_eq(tree.root->nr_guest, 4);
    tree_set_permissions(&tree, "/a/x", perms);
    cr_expect_eq(tree.root->nr_guest, 5);
    cr_expect_eq(tree_find(&tree, "/a")->nr_guest, 1);
    tree_remove(&tree, "/b");
    cr_expect_eq(tree.root->nr_guest, 1);
    cr_expect_eq(snapshot.root->nr_guest, 2);
    permissions_unref(perms);
    tree_release(&snapshot);
}

Test(store_tree, walking_visits_all_parents_first_in_order)
{
    char path[PATH_SIZE] = "/", visited[200] = "";

    do {
        strcat(visited, path);
        strcat(visited, " ");
    } while (tree_next(&tree, "/", path));
    cr_expect_str_eq(visited, "/ /a /a/x /a/y /b /b/z ");

    strcpy(path, "/a");
    visited[0] = '\0';
    do {
        strcat(visited, path);
        strcat(visited, " ");
    } while (tree_next(&tree, "/a", path));
    cr_expect_str_eq(visited, "/a /a/x /a/y ");
}

Test(store_tree, the_deepest_tree_can_be_freed)
{
    char path[PATH_SIZE];

    for (size_t at = 0; at + 2 < sizeof path; at += 2)
        memcpy(path + at, "/d", 3);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(tree_mkdir(&tree, path, 0), 0);
        cr_assert_eq(tree_remove(&tree, "/d"), 0);
    }
}

Test(store_tree, many_children_stay_sorted_and_are_found)
{
    char path[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "/many/%d", i * 7919 % 1000);
        tree_mkdir(&tree, path, 0);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "/many/%d", i);
        cr_assert(tree_find(&tree, path));
    }
    cr_expect_eq(tree_find(&tree, "/many")->nr_children, 1000);
}
