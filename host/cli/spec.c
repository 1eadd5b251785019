#include "host/cli/spec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/log.h"

int spec_refuse(const struct spec *spec, const char *format, ...)
{
    char sentence[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    log_error("%s '%.200s': %s; see 'paravane run --help'", spec->what,
              spec->text, sentence);
    return -EINVAL;
}

int spec_no_memory(const struct spec *spec)
{
    spec_refuse(spec, "there is no memory for it");
    return -ENOMEM;
}

int spec_check_backend(const struct spec *spec, const char *domain,
                       const char *devices)
{
    if (strcmp(domain, "0") != 0 && strcmp(domain, "Domain-0") != 0)
        return spec_refuse(spec,
                           "the backend '%.32s' is another domain's: only "
                           "paravane itself, 0, can serve %s",
                           domain, devices);
    return 0;
}
