/* user/lib/string.c: bytes and strings. */
#include "lib.h"

size_t strlen(const char *s)
{
    size_t len = 0;

    while (s[len])
        len++;
    return len;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

char *strchr(const char *s, int c)
{
    for (; *s; s++)
        if (*s == c)
            return (char *)(uintptr_t)s;
    return NULL;
}

char *strstr(const char *in, const char *what)
{
    size_t len = strlen(what);

    for (; *in || !len; in++) {
        size_t i = 0;

        while (i < len && in[i] == what[i])
            i++;
        if (i == len)
            return (char *)(uintptr_t)in;
    }
    return NULL;
}

void *memcpy(void *to, const void *from, size_t len)
{
    void *start = to;

    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len)::"memory");
    return start;
}

void *memmove(void *to, const void *from, size_t len)
{
    char *t = to;
    const char *f = from;

    if (t <= f || t >= f + len)
        return memcpy(to, from, len);
    while (len--)
        t[len] = f[len];
    return to;
}

void *memset(void *to, int value, size_t len)
{
    void *start = to;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(value) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < len; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

long number(const char *text)
{
    long value = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > 1000000000000)
            return -1;
        value = value * 10 + (*text - '0');
    }
    return value;
}
