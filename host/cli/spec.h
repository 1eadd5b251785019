/*
 * host/cli/spec.h: what is wrong with a SPEC of the command line, xl's syntax
 * for a device.
 */
#ifndef HOST_CLI_SPEC_H
#define HOST_CLI_SPEC_H

struct spec {
    const char *what; /* the option: "disk", "net" */
    const char *text; /* as it was given */
};

/* Say one sentence about it. Returns -EINVAL. */
int spec_refuse(const struct spec *spec, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Say that there is no memory for it. Returns -ENOMEM. */
int spec_no_memory(const struct spec *spec);

/*
 * Its backend is (domain), which must be the one where paravane itself serves
 * (devices): 0, or -EINVAL with a sentence.
 */
int spec_check_backend(const struct spec *spec, const char *domain,
                       const char *devices);

#endif
