#include <stdio.h>
#include <string.h>

#include "host/cli/json.h"

static bool needs_comma;

/*
 * Bytes that are not ASCII are written as the Latin-1 characters of the same
 * number: a hostile image must not make the output invalid.
 */
static void put_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void put_key(const char *key)
{
    if (needs_comma)
        putchar(',');
    needs_comma = true;
    if (key) {
        put_string(key);
        putchar(':');
    }
}

void json_open(const char *key, char bracket)
{
    put_key(key);
    putchar(bracket);
    needs_comma = false;
}

void json_close(char bracket)
{
    putchar(bracket);
    needs_comma = true;
}

void json_string(const char *key, const char *value)
{
    put_key(key);
    put_string(value);
}

/* As a number: every address fits, though not in every reader's doubles. */
void json_number(const char *key, uint64_t value)
{
    put_key(key);
    printf("%lu", value);
}

void json_bool(const char *key, bool value)
{
    put_key(key);
    fputs(value ? "true" : "false", stdout);
}
