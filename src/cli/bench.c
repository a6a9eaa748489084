#include "cli/bench.h"

#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static bool size_of(const char *text, uint64_t *size)
{
    char *end = NULL;
    double v = strtod(text, &end);
    double unit = 1;

    switch (*end) {
    case 'K':
    case 'k':
        unit = 1e3;
        end++;
        break;
    case 'M':
    case 'm':
        unit = 1e6;
        end++;
        break;
    case 'G':
    case 'g':
        unit = 1e9;
        end++;
        break;
    default:
        break;
    }
    if (end == text || *end != '\0' || v <= 0 || v * unit > 1e15)
        return false;
    *size = (uint64_t)(v * unit);
    return true;
}

static void usage(FILE *to)
{
    (void)fputs(
        "usage: waybill bench oftp2 [--size 1G] [--tls] [--runs 1] [--directory DIR] [--json]\n"
        "       waybill bench oftp2 --secured [--size 4K] [--count 1000] [--directory DIR] "
        "[--json]\n"
        "       waybill bench cms [--size 1G] [--directory DIR] [--json]\n"
        "       waybill bench as2 [--size 4K] [--runs MESSAGES] [--directory DIR] [--json]\n"
        "       waybill bench search [--documents 1000000] [--runs 200] [--directory DIR] "
        "[--json]\n",
        to);
}

static int misused(const char *what)
{
    (void)fprintf(stderr, "waybill bench: %s\n", what);
    usage(stderr);
    return 2;
}

int bench_main(int argc, char **argv)
{
    static const struct option options[] = {
        { "size", required_argument, NULL, 's' },
        { "tls", no_argument, NULL, 't' },
        { "runs", required_argument, NULL, 'r' },
        { "directory", required_argument, NULL, 'd' },
        { "json", no_argument, NULL, 'j' },
        { "secured", no_argument, NULL, 'x' },
        { "count", required_argument, NULL, 'n' },
        { "documents", required_argument, NULL, 'm' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct bench_options o = { .runs = 1, .count = 1000 };
    int c;

    optind = 1;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 's' && !size_of(optarg, &o.size))
            return misused("--size takes a number with K, M or G, such as 1G");
        else if (c == 's')
            o.size_given = true;
        else if (c == 't')
            o.tls = true;
        else if (c == 'r' && ((o.runs = atoi(optarg)) < 1 || o.runs > 1000000))
            return misused("--runs takes a number from 1 to 1000000");
        else if (c == 'd')
            o.directory = optarg;
        else if (c == 'x')
            o.secured = true;
        else if (c == 'n' && ((o.count = atoi(optarg)) < 1 || o.count > 1000000))
            return misused("--count takes a number from 1 to 1000000");
        else if (c == 'm' && ((o.documents = atoi(optarg)) < 1000 || o.documents > 100000000))
            return misused("--documents takes a number from 1000 to 100000000");
        else if (c == 'j')
            o.json = true;
        else if (c == 'h') {
            usage(stdout);
            return 0;
        } else if (c == '?')
            return misused("unknown option");
    }
    if (o.size == 0)
        o.size = o.secured ? 4000 : 1000000000;
    if (optind < argc && strcmp(argv[optind], "cms") == 0)
        return bench_cms(&o);
    if (optind < argc && strcmp(argv[optind], "as2") == 0)
        return bench_as2(&o);
    if (optind < argc && strcmp(argv[optind], "search") == 0)
        return bench_search(&o);
    if (optind >= argc || strcmp(argv[optind], "oftp2") != 0)
        return misused("name the benchmark: oftp2, cms, as2 or search");
    return o.secured ? bench_secured(&o) : bench_oftp2(&o);
}
