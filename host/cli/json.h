/*
 * host/cli/json.h: writing JSON to stdout, a value at a time: commas and
 * escapes are its care, balance is the caller's.
 */
#ifndef HOST_CLI_JSON_H
#define HOST_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

/* (key) is NULL for elements of arrays and for the outermost value. */
void json_open(const char *key, char bracket); /* '{' or '[' */
void json_close(char bracket);                 /* '}' or ']' */
void json_string(const char *key, const char *value);
void json_number(const char *key, uint64_t value);
void json_bool(const char *key, bool value);

#endif
