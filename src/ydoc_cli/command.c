/* command - the table of commands, their options, and their help. */
#include "ydoc_cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_bit {
    OPT_FROM = 1 << 0, /* --v1, --v2 */
    OPT_TO = 1 << 1,
    OPT_OUTPUT = 1 << 2,
    OPT_ROOT = 1 << 3,
    OPT_KIND = 1 << 4,
    OPT_SV = 1 << 5,
    OPT_FULL = 1 << 6,
    OPT_NO_GC = 1 << 7,
};
#define OPT_RESULT (OPT_FROM | OPT_TO | OPT_OUTPUT)
#define FILES_MAX SIZE_MAX

static const struct command {
    const char *name, *usage, *summary, *help;
    size_t files_min, files_max;
    unsigned options;
    int (*run)(struct command_line *c);
} commands[] = {
    {"apply", "[--no-gc] [--to v1|v2] [-o FILE] UPDATE...",
     "apply updates to a new document and write its state",
     "The updates are applied in the order given; what lacks predecessors waits for them and is\n"
     "written along, as Yjs does. Y.applyUpdate, then Y.encodeStateAsUpdate. The bytes depend on\n"
     "the order; what they say does not.",
     1, FILES_MAX, OPT_RESULT | OPT_NO_GC, command_apply},
    {"merge", "[--to v1|v2] [-o FILE] UPDATE...", "join updates into one without a document",
     "Y.mergeUpdates: nothing is collected or joined. `ydoc apply` gives the smaller result.", 1,
     FILES_MAX, OPT_RESULT, command_merge},
    {"diff", "[--to v1|v2] [-o FILE] NEW (OLD | --sv FILE)",
     "what one update has and another lacks",
     "Y.diffUpdate: the part of NEW that somebody who has OLD does not have, by the state vector\n"
     "of OLD, or by one read from a file. All deletions of NEW are in it.",
     1, 2, OPT_RESULT | OPT_SV, command_diff},
    {"convert", "--to v1|v2 [-o FILE] UPDATE", "from one update format to the other",
     "Y.convertUpdateFormatV1ToV2 and V2ToV1. An update that has the format already is checked\n"
     "and copied.",
     1, 1, OPT_RESULT, command_convert},
    {"sv", "[-o FILE] UPDATE", "the state vector of an update or document",
     "Y.encodeStateVectorFromUpdate: the bytes that SyncStep1 carries and --sv reads.", 1, 1,
     OPT_FROM | OPT_OUTPUT, command_sv},
    {"dump", "[--full] [-o FILE] UPDATE...", "show every struct and deletion, for debugging",
     "One line a struct: CLIENT:CLOCK+LENGTH, kind, left origin, right origin, parent and key,\n"
     "content. The number in front is the byte at which it begins. Contents longer than 60 bytes "
     "are\n"
     "cut, unless --full. Of a broken update everything before the fault is shown. In v2 the\n"
     "fields of a struct lie apart, and no number stands in front of it. At most a million lines.",
     1, FILES_MAX, OPT_FROM | OPT_OUTPUT | OPT_FULL, command_dump},
    {"text", "[--root NAME] [-o FILE] UPDATE...", "the plain text of a document",
     "All updates are applied to one document. --root may be left out if it has one root only.", 1,
     FILES_MAX, OPT_FROM | OPT_OUTPUT | OPT_ROOT, command_text},
    {"json", "[--root NAME [--kind KIND]] [-o FILE] UPDATE...", "a document as JSON",
     "All updates are applied to one document. An update does not say what a root is, so it is\n"
     "guessed from what is in it; --kind says it: array, map, text, element, fragment, xmltext.",
     1, FILES_MAX, OPT_FROM | OPT_OUTPUT | OPT_ROOT | OPT_KIND, command_json},
    {"stat", "[-o FILE] UPDATE...", "sizes, clients, structs by kind, deletions, what is pending",
     "Each file by itself.", 1, FILES_MAX, OPT_FROM | OPT_OUTPUT, command_stat},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void print_overview(FILE *to)
{
    fputs("ydoc " YDOC_VERSION ": Yjs updates and documents in files.\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  ydoc %-8s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "  ydoc oracle   answer requests on standard input, for programs (docs/ydoc-oracle.md)\n"
        "  ydoc help     this page; help COMMAND says more\n"
        "  ydoc version  print the version\n\n"
        "A document is an update too: one that holds everything. FILE - is standard input.\n"
        "The format of an input is found out: what does not begin with a 0 is v1; what does is v1\n"
        "if it reads to its last byte as deletions only, else v2. --v1 and --v2 say what all\n"
        "inputs are. A result has the format of the first input, or that of --to.\n\n"
        "Exit status: 0 done, 1 an input is broken or does not hold what was asked for, 2 the\n"
        "command line makes no sense, 3 a file could not be read or written, or no memory.\n",
        to);
}

static void print_help(const struct command *c)
{
    printf("usage: ydoc %s %s\n\n%s.\n%s\n", c->name, c->usage, c->summary, c->help);
    if (c->options & OPT_FROM)
        puts("\n  --v1, --v2         what the inputs are (found out)");
    if (c->options & OPT_TO)
        puts("  --to v1|v2         what the result is to be (as the first input)");
    if (c->options & OPT_OUTPUT)
        puts("  -o, --output FILE  where the result goes (standard output)");
    if (c->options & OPT_ROOT)
        puts("  --root NAME        the root to be read");
    if (c->options & OPT_SV)
        puts("  --sv FILE          a state vector, in place of OLD");
    if (c->options & OPT_NO_GC)
        puts("  --no-gc            keep deleted content");
}

static int help(int argc, char **argv)
{
    const struct command *c = argc > 0 ? find_command(argv[0]) : NULL;

    if (argc == 0) {
        print_overview(stdout);
    } else if (c != NULL) {
        print_help(c);
    } else {
        command_complain("no help on \"%.40s\": `ydoc help` lists the commands", argv[0]);
        return COMMAND_USAGE;
    }
    return COMMAND_OK;
}

/* ---- options ---- */

static const char *const kinds[] = {
    [YDOC_KIND_ARRAY] = "array",
    [YDOC_KIND_MAP] = "map",
    [YDOC_KIND_TEXT] = "text",
    [YDOC_KIND_XML_ELEMENT] = "element",
    [YDOC_KIND_XML_FRAGMENT] = "fragment",
    [YDOC_KIND_XML_TEXT] = "xmltext",
};

static int set_kind(struct command_line *line, const char *value)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i] != NULL && strcmp(kinds[i], value) == 0) {
            line->kind = (enum ydoc_kind)i;
            return COMMAND_OK;
        }
    }
    command_complain("--kind is array, map, text, element, fragment or xmltext, not \"%.40s\"",
                     value);
    return COMMAND_USAGE;
}

static int set_to(struct command_line *line, const char *value)
{
    if (strcmp(value, "v1") != 0 && strcmp(value, "v2") != 0) {
        command_complain("--to is v1 or v2, not \"%.40s\"", value);
        return COMMAND_USAGE;
    }
    line->to = value[1] == '1' ? FORMAT_V1 : FORMAT_V2;
    return COMMAND_OK;
}

static int set_value(struct command_line *line, unsigned option, const char *value)
{
    switch (option) {
    case OPT_TO:
        return set_to(line, value);
    case OPT_KIND:
        return set_kind(line, value);
    case OPT_OUTPUT:
        line->output = strcmp(value, "-") == 0 ? NULL : value;
        return COMMAND_OK;
    case OPT_ROOT:
        line->root = value;
        return COMMAND_OK;
    default:
        line->sv = value;
        return COMMAND_OK;
    }
}

static const struct {
    const char *name;
    unsigned option;
    bool has_value;
} options[] = {
    {"--v1", OPT_FROM, false},     {"--v2", OPT_FROM, false},      {"--to", OPT_TO, true},
    {"-o", OPT_OUTPUT, true},      {"--output", OPT_OUTPUT, true}, {"--root", OPT_ROOT, true},
    {"--kind", OPT_KIND, true},    {"--sv", OPT_SV, true},         {"--full", OPT_FULL, false},
    {"--no-gc", OPT_NO_GC, false},
};

static void set_flag(struct command_line *line, unsigned option, const char *name)
{
    if (option == OPT_FROM)
        line->from = name[3] == '1' ? FORMAT_V1 : FORMAT_V2;
    else if (option == OPT_FULL)
        line->full = true;
    else
        line->no_gc = true;
}

/* Takes the option at argv[*i] and moves *i past its value. */
static int take_option(const struct command *c, struct command_line *line, int *i, char **argv)
{
    for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
        if (strcmp(argv[*i], options[k].name) != 0 || !(c->options & options[k].option))
            continue;
        if (!options[k].has_value) {
            set_flag(line, options[k].option, options[k].name);
            return COMMAND_OK;
        }
        if (argv[*i + 1] != NULL)
            return set_value(line, options[k].option, argv[++*i]);
        command_complain("%s wants a value", argv[*i]);
        return COMMAND_USAGE;
    }
    command_complain("`ydoc %s` has no option %.40s: `ydoc help %s` lists them", c->name, argv[*i],
                     c->name);
    return COMMAND_USAGE;
}

static int parse(const struct command *c, struct command_line *line, int argc, char **argv)
{
    bool only_files = false;

    for (int i = 0; i < argc; i++) {
        if (only_files || argv[i][0] != '-' || argv[i][1] == '\0') {
            line->inputs[line->n_inputs++].name = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_files = true;
        } else {
            int status = take_option(c, line, &i, argv);

            if (status != COMMAND_OK)
                return status;
        }
    }
    if (line->n_inputs >= c->files_min && line->n_inputs <= c->files_max)
        return COMMAND_OK;
    command_complain("usage: ydoc %s %s", c->name, c->usage);
    return COMMAND_USAGE;
}

static int read_and_run(const struct command *c, struct command_line *line)
{
    int status = COMMAND_OK;
    size_t n = 0;

    for (; n < line->n_inputs && status == COMMAND_OK; n++)
        status = input_read(&line->inputs[n], line->from);
    if (status == COMMAND_OK)
        status = c->run(line);
    while (n > 0)
        input_fini(&line->inputs[--n]);
    return status;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct command_line line = {.command = c->name, .kind = YDOC_KIND_UNKNOWN};
    int status;

    if (wants_help(argc, argv)) {
        print_help(c);
        return COMMAND_OK;
    }
    line.inputs = calloc((size_t)argc + 1, sizeof(*line.inputs));
    if (line.inputs == NULL) {
        command_complain("out of memory");
        return COMMAND_SYSTEM;
    }
    status = parse(c, &line, argc, argv);
    if (status == COMMAND_OK)
        status = read_and_run(c, &line);
    free(line.inputs);
    return status;
}

int command_run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    const struct command *c = find_command(name);

    if (c != NULL)
        return run(c, argc - 2, argv + 2);
    if (strcmp(name, "oracle") == 0)
        return command_oracle();
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) {
        puts("ydoc " YDOC_VERSION);
        return COMMAND_OK;
    }
    if (argc > 1)
        command_complain("unknown command \"%.40s\"", name);
    print_overview(stderr);
    return COMMAND_USAGE;
}
