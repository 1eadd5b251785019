/*
 * sh [-c COMMANDS | FILE]: the shell.
 *
 *     COMMAND [WORD...] [< FILE] [> FILE | >> FILE] [| COMMAND ...]
 *
 * with ; or & (do not wait) or && (if it went well) between such, 'words in
 * quotes', and # before what is not meant. It knows cd, exit and wait itself;
 * every other command is a file in /bin, or at the path it is given by.
 *
 * All that a line starts descends from one process, the job: so the interrupt
 * key ends all of it.
 */
#include "lib/lib.h"

#define LINE      512
#define MAX_WORDS 64

#define NOT_FOUND 127

struct token {
    char *text; /* NULL: an operator */
    char op;    /* | < > a (>>) ; & + (&&) and 0 at the end */
};

static bool interactive;
static int last_status;
static char text[2 * LINE]; /* of the words of a line */
static struct token tokens[MAX_WORDS + 1];

static bool is_operator(char c)
{
    return strchr("|<>;&", c) != NULL;
}

/* The next operator at (line), which has one. */
static const char *take_operator(const char *line, char *op)
{
    bool twice = line[0] == line[1];

    *op = *line;
    if (twice && *line == '>')
        *op = 'a';
    else if (twice && *line == '&')
        *op = '+';
    else
        twice = false;
    return line + 1 + twice;
}

/* The next word at (line) goes to (*to). */
static const char *take_word(const char *line, char **to)
{
    char quote = 0;

    for (; *line; line++) {
        if (quote ? *line == quote : *line == '\'' || *line == '"') {
            if (quote)
                quote = 0;
            else
                quote = *line;
            continue;
        }
        if (!quote && (*line == ' ' || *line == '\t' || is_operator(*line)))
            break;
        *(*to)++ = *line;
    }
    *(*to)++ = '\0';
    return line;
}

/* Cut (line) into (tokens). */
static bool tokenize(const char *line)
{
    char *to = text;
    unsigned nr = 0;

    for (;;) {
        while (*line == ' ' || *line == '\t')
            line++;
        tokens[nr] = (struct token){0};
        if (!*line || *line == '#')
            return true;
        if (nr == MAX_WORDS) {
            fprintf(2, "sh: too many words\n");
            return false;
        }
        if (is_operator(*line)) {
            line = take_operator(line, &tokens[nr].op);
        } else {
            tokens[nr].text = to;
            line = take_word(line, &to);
        }
        nr++;
    }
}

static bool is_end_of_command(const struct token *t)
{
    return !t->text && !strchr("<>a", t->op);
}

static bool is_end_of_job(const struct token *t)
{
    return is_end_of_command(t) && t->op != '|';
}

/* Have (fd) be the file (path); ends the process if it cannot. */
static void redirect(char op, const char *path)
{
    unsigned flags = op == '<'   ? OPEN_READ
                     : op == 'a' ? OPEN_WRITE | OPEN_CREATE | OPEN_APPEND
                                 : OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE;
    long fd;

    if (!path) {
        fprintf(2, "sh: which file?\n");
        exit(2);
    }
    fd = open(path, flags);
    if (fd < 0)
        exit(complain("sh", path, fd));
    dup(fd, op == '<' ? 0 : 1);
    close(fd);
}

/* Become the command at (t). */
static _Noreturn void run_command(const struct token *t)
{
    char *argv[MAX_WORDS + 1], path[PATH_SIZE] = "/bin/";
    unsigned argc = 0;
    long rc;

    for (; !is_end_of_command(t); t++) {
        if (t->text)
            argv[argc++] = t->text;
        else
            redirect(t->op, t[1].text);
        t += !t->text;
    }
    if (!argc)
        exit(0);
    argv[argc] = NULL;
    if (strchr(argv[0], '/')) {
        rc = exec(argv[0], argv);
    } else if (strlen(argv[0]) < NAME_SIZE) {
        memcpy(path + 5, argv[0], strlen(argv[0]) + 1);
        rc = exec(path, argv);
    } else {
        rc = E_NOENT;
    }
    complain("sh", argv[0], rc);
    exit(NOT_FOUND);
}

static long must_fork(void)
{
    long child = fork();

    if (child < 0)
        exit(complain("sh", "fork", child));
    return child;
}

/* The status of (child), after its end; others end beside it. */
static int wait_for(long child)
{
    int status = 0;
    long ended;

    while ((ended = wait(&status)) != child)
        if (ended < 0)
            return 1;
    return status;
}

/* Become the job at (t): its last command, behind all others. */
static _Noreturn void run_job(const struct token *t)
{
    for (;;) {
        const struct token *end = t;
        long last;
        int ends[2];

        while (!is_end_of_command(end))
            end++;
        if (is_end_of_job(end))
            break;
        if (pipe(ends))
            exit(1);
        if (must_fork() == 0) {
            dup(ends[1], 1);
            close(ends[0]);
            close(ends[1]);
            run_command(t);
        }
        dup(ends[0], 0);
        close(ends[0]);
        close(ends[1]);
        t = end + 1;
        if (is_end_of_job(t)) {
            fprintf(2, "sh: a pipe to whom?\n");
            exit(2);
        }
        /* Who is last must not be the job itself: that waits for all. */
        for (end = t; !is_end_of_command(end);)
            end++;
        if (!is_end_of_job(end))
            continue;
        last = must_fork();
        if (last == 0)
            run_command(t);
        close(0);
        last_status = wait_for(last);
        while (wait(NULL) > 0)
            ;
        exit(last_status);
    }
    run_command(t);
}

/* Commands that change the shell. False: it is none of them. */
static bool run_builtin(const struct token *t)
{
    const char *arg = t->text && t[1].text ? t[1].text : NULL;
    long rc;

    if (!t->text)
        return t->op == 0; /* an empty line */
    if (strcmp(t->text, "exit") == 0)
        exit(arg ? (int)number(arg) : last_status);
    if (strcmp(t->text, "wait") == 0) {
        while (wait(NULL) > 0)
            ;
        return true;
    }
    if (strcmp(t->text, "cd") != 0)
        return false;
    rc = chdir(arg ? arg : "/");
    last_status = rc ? complain("cd", arg, rc) : 0;
    return true;
}

static void start_job(const struct token *t, bool background)
{
    long job = fork();

    if (job < 0) {
        last_status = complain("sh", "fork", job);
        return;
    }
    if (job == 0)
        run_job(t);
    if (background) {
        if (interactive)
            printf("[%ld]\n", job);
        return;
    }
    if (interactive)
        set_front(job);
    last_status = wait_for(job);
    if (interactive)
        set_front(0);
}

static void run_line(const char *line)
{
    const struct token *t = tokens;
    bool skip = false;

    if (!tokenize(line)) {
        last_status = 2;
        return;
    }
    for (;;) {
        const struct token *end = t;

        while (!is_end_of_job(end))
            end++;
        if (end == t && end->op) {
            fprintf(2, "sh: a command is missing\n");
            last_status = 2;
            return;
        }
        if (!skip && !run_builtin(t))
            start_job(t, end->op == '&');
        skip = end->op == '+' && last_status != 0;
        if (!end->op)
            return;
        t = end + 1;
        if (!t->text && !t->op)
            return;
    }
}

int main(int argc, char **argv)
{
    char line[LINE];
    long fd = 0;

    if (argc > 2 && strcmp(argv[1], "-c") == 0) {
        if (strlen(argv[2]) >= LINE)
            return complain("sh", "command", E_TOOBIG);
        run_line(argv[2]);
        return last_status;
    }
    if (argc > 1)
        fd = open(argv[1], OPEN_READ);
    if (fd < 0)
        return complain("sh", argv[1], fd);
    interactive = argc == 1;
    for (;;) {
        if (interactive)
            printf("$ ");
        if (!read_line(fd, line, sizeof line))
            return last_status;
        run_line(line);
    }
}
