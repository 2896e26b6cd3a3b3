/* kontord.conf: what a file says becomes what the node does, and each mistake is named with line, option and remedy. */
#include "host/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct fixture {
    char dir[64], path[96];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/kontor-config-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/kontord.conf", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static void write_conf(const struct fixture *f, const char *text, size_t len)
{
    FILE *out = fopen(f->path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static struct kt_config load(const struct fixture *f, const char *text)
{
    struct kt_config c;
    char why[KT_CONFIG_WHY_BYTES_MAX];
    write_conf(f, text, strlen(text));
    int rc = kt_config_load(f->path, &c, why);
    if (rc != KT_OK) fail_msg("%s", why);
    return c;
}

static void expect_path(const char *got, const char *prefix, const struct fixture *f, const char *name)
{
    char want[256];
    snprintf(want, sizeof want, "%s%s/%s", prefix, f->dir, name);
    assert_string_equal(got, want);
}

/* An empty file is a whole configuration: a node on its own, in the folder of the file. */
static void an_empty_file_takes_every_default(void **state)
{
    struct fixture *f = *state;
    struct kt_config c = load(f, "");
    expect_path(c.data_dir, "", f, ".");
    assert_int_equal(c.listen.count, 0);
    assert_int_equal(c.dial.count, 0);
    assert_int_equal(c.service.count, 1);
    expect_path(c.service.at[0], "ipc://", f, "kontor.sock");
    assert_int_equal(c.service_users.count, 0);
    assert_int_equal(c.metrics_port, 0);
    assert_string_equal(c.pid_file, "");
    assert_string_equal(c.log_file, "");
    assert_int_equal(c.log_level, KT_LOG_INFO);
    assert_string_equal(c.phone_country, "");
    assert_int_equal(c.redial_ms_max, KT_REDIAL_MS_DEFAULT);
    assert_int_equal(c.keys_map_mib + c.journal_map_mib + c.store_map_mib, 0);
    assert_int_equal(c.checkpoint_minutes, 60);
    assert_int_equal(c.checkpoint_journal_mib, 256);
    assert_int_equal(c.clients_count, 0);
    kt_config_free(&c);
}

/* Every key set: each arrives where it belongs, relative paths from the folder of the file, absolute ones as they are.
 */
static void every_key_arrives(void **state)
{
    struct fixture *f = *state;
    struct kt_config c =
        load(f, "# an office\n"
                "data_dir = data\n"
                "listen = {\"tcp://127.0.0.1:7001\", \"ws://127.0.0.1:7002\"}\n"
                "dial = {\"tls+tcp://b.example:7001\"}\n"
                "service = {\"ipc:///run/kontor/kontor.sock\", \"ipc://near.sock\", \"tcp://[::1]:7003\"}\n"
                "service_users = {\"www-data\"}\n"
                "metrics_port = 9464\n"
                "pid_file = \"kontord.pid\"\nlog_file = /var/log/kontord.log\nlog_level = debug\n"
                "phone_country = 49\nredial_ms_max = 250\n"
                "keys_map_mib = 16\njournal_map_mib = 32\nstore_map_mib = 64\n"
                "checkpoint_minutes = 5\ncheckpoint_journal_mib = 8\n"
                "client \"portal\" { key = \"" HEX64 "\" compartments = {\"core\", \"revenue\"} }\n"
                "client \"kiosk\" { key = \"" HEX64 "\" compartments = {\"core\"} }\n");
    expect_path(c.data_dir, "", f, "data");
    assert_int_equal(c.listen.count, 2);
    assert_string_equal(c.listen.at[1], "ws://127.0.0.1:7002");
    assert_string_equal(c.dial.at[0], "tls+tcp://b.example:7001");
    assert_string_equal(c.service.at[0], "ipc:///run/kontor/kontor.sock");
    expect_path(c.service.at[1], "ipc://", f, "near.sock");
    assert_string_equal(c.service.at[2], "tcp://[::1]:7003");
    assert_string_equal(c.service_users.at[0], "www-data");
    assert_int_equal(c.metrics_port, 9464);
    expect_path(c.pid_file, "", f, "kontord.pid");
    assert_string_equal(c.log_file, "/var/log/kontord.log");
    assert_int_equal(c.log_level, KT_LOG_DEBUG);
    assert_string_equal(c.phone_country, "49");
    assert_int_equal(c.redial_ms_max, 250);
    assert_int_equal(c.keys_map_mib, 16);
    assert_int_equal(c.journal_map_mib, 32);
    assert_int_equal(c.store_map_mib, 64);
    assert_int_equal(c.checkpoint_minutes, 5);
    assert_int_equal(c.checkpoint_journal_mib, 8);
    assert_int_equal(c.clients_count, 2);
    assert_string_equal(c.clients[0].name, "portal");
    assert_int_equal(c.clients[0].key[1], 0x11);
    assert_int_equal(c.clients[0].key[31], 0xff);
    assert_int_equal(c.clients[0].compartments.count, 2);
    assert_string_equal(c.clients[0].compartments.at[1], "revenue");
    assert_string_equal(c.clients[1].compartments.at[0], "core");
    kt_config_free(&c);
}

/* The commented example in ops/ is read by the same reader, and sets nothing but defaults. */
static void the_example_is_the_defaults(void **state)
{
    struct fixture *f = *state;
    struct kt_config bare = load(f, ""), c;
    char why[KT_CONFIG_WHY_BYTES_MAX];
    if (kt_config_load("ops/kontord.conf", &c, why) != KT_OK) fail_msg("%s", why);
    assert_int_equal(c.service.count, 1);
    assert_string_equal(strrchr(c.service.at[0], '/'), strrchr(bare.service.at[0], '/'));
    assert_int_equal(c.listen.count + c.dial.count + c.service_users.count + c.clients_count, 0);
    assert_string_equal(strrchr(c.data_dir, '/'), "/.");
    assert_string_equal(c.pid_file, bare.pid_file);
    assert_string_equal(c.log_file, bare.log_file);
    assert_string_equal(c.phone_country, bare.phone_country);
    assert_int_equal(c.log_level, bare.log_level);
    assert_int_equal(c.metrics_port, bare.metrics_port);
    assert_int_equal(c.redial_ms_max, bare.redial_ms_max);
    assert_int_equal(c.keys_map_mib + c.journal_map_mib + c.store_map_mib, 0);
    assert_int_equal(c.checkpoint_minutes, bare.checkpoint_minutes);
    assert_int_equal(c.checkpoint_journal_mib, bare.checkpoint_journal_mib);
    kt_config_free(&bare);
    kt_config_free(&c);
}

/* Each mistake: the line it is on, the option, and a remedy after the last colon. */
static void mistakes_are_named(void **state)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"\nnosuchkey = 1\n",                                                             ":2: no such option 'nosuchkey': correct this line"                       },
        {"listen = {\"tcp://a:1\",\n\"udp://a:1\"}",                                      ":2: listen: \"udp://a:1\" is not one: give tcp://HOST:PORT"              },
        {"dial = {\"ipc:///a\"}",                                                         ":1: dial: \"ipc:///a\" is not one: give tcp://"                          },
        {"listen = {\"tcp://\"}",                                                         ":1: listen: \"tcp://\" is not one: "                                     },
        {"service = {\"ws://a:1\"}",                                                      ":1: service: \"ws://a:1\" is not one: give ipc://PATH or tcp://"         },
        {"service = {}",                                                                  "service: is empty: give"                                                 },
        {"service_users = {\"\"}",                                                        ":1: service_users: \"\" is not one: give"                                },
        {"metrics_port = 70000",                                                          ":1: metrics_port: 70000 is not between 0 and 65535: give a free TCP port"},
        {"metrics_port = -1",                                                             ":1: metrics_port: -1 is not between"                                     },
        {"metrics_port = web",                                                            ":1: invalid integer value for option 'metrics_port': correct"            },
        {"\n\nredial_ms_max = 99",                                                        ":3: redial_ms_max: 99 is not between 100 and 15000: "                    },
        {"store_map_mib = 99999999999999999999",                                          ":1: integer value for option 'store_map_mib' is out of range: "          },
        {"keys_map_mib = 16777217",                                                       ":1: keys_map_mib: "                                                      },
        {"journal_map_mib = -5",                                                          ":1: journal_map_mib: "                                                   },
        {"checkpoint_minutes = 0",                                                        ":1: checkpoint_minutes: 0 is not between"                                },
        {"checkpoint_journal_mib = 0",                                                    ":1: checkpoint_journal_mib: "                                            },
        {"log_level = loud",                                                              ":1: log_level: \"loud\" is not a level: give error, warn, info or debug" },
        {"phone_country = \"+49\"",                                                       ":1: phone_country: \"+49\" is not a country code: give 1 to 3 digits"    },
        {"phone_country = 0049",                                                          ":1: phone_country: "                                                     },
        {"data_dir = \"\"",                                                               ":1: data_dir: is empty: "                                                },
        {"data_dir \"x\"",                                                                ":1: missing equal sign after option 'data_dir': "                        },
        {"data_dir = {\"x\"}",                                                            ":1: unexpected token"                                                    },
        {"log_file = \"x",                                                                ":1: premature end of file: "                                                 },
        {"listen = {\"tcp://a:1\"",                                                       "premature end of file: "                                                 },
        {"}",                                                                             ":1: unexpected closing brace: "                                          },
        {"client { key = \"" HEX64 "\" }",                                                ":1: missing title for section 'client': "                                },
        {"client \"\" { key = \"" HEX64 "\"\n compartments = {\"core\"} }",               "client: has no name: "                                                   },
        {"client \"p\" {\n}",                                                             ":2: client \"p\": has no key: give"                                      },
        {"client \"p\" {\n key = \"abc\"\n}",                                             ":2: key: is not an X25519 public key: give"                              },
        {"client \"p\" { key = \"" HEX64 "\"\n}",                                         ":2: client \"p\": has no compartments: give"                             },
        {"client \"p\" { nonsense = 1 }",                                                 ":1: no such option 'nonsense': "                                         },
        {"client \"p\" { key = \"" HEX64 "\" compartments = {\"a\"} }\nclient \"p\" { }",
         "found duplicate title 'p': "                                                                                                                              },
        {"\" complaint\" = 1",                                                            ""                                                                        },
        {"client \"p\" { \" complaint\" = 1 }",                                           ""                                                                        },
    };
    struct fixture *f = *state;
    char why[KT_CONFIG_WHY_BYTES_MAX];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct kt_config c = {.metrics_port = 4711};
        write_conf(f, wrong[i].text, strlen(wrong[i].text));
        errno = ERANGE; /* what a caller may have left there */
        assert_int_equal(kt_config_load(f->path, &c, why), KT_ECONFIG);
        assert_int_equal(c.metrics_port, 4711); /* untouched */
        if (strncmp(why, f->path, strlen(f->path)) != 0 || !strstr(why, wrong[i].says))
            fail_msg("'%s' said '%s', not '%s'", wrong[i].text, why, wrong[i].says);
    }
}

/* Files that cannot be read at all, and a socket path longer than a socket's address can hold. */
static void what_cannot_be_is_said(void **state)
{
    struct fixture *f = *state;
    struct kt_config c;
    char why[KT_CONFIG_WHY_BYTES_MAX], text[512];
    assert_int_equal(kt_config_load("/nowhere/kontord.conf", &c, why), KT_EIO);
    assert_non_null(strstr(why, "/nowhere/kontord.conf: cannot be read: No such file"));
    assert_int_equal(kt_config_load(f->dir, &c, why), KT_EIO);
    assert_non_null(strstr(why, "not a file"));
    int n = snprintf(text, sizeof text, "service = {\"ipc:///tmp/%0200d\"}", 0);
    write_conf(f, text, (size_t)n);
    assert_int_equal(kt_config_load(f->path, &c, why), KT_ECONFIG);
    assert_non_null(strstr(why, "longer than 107 characters: choose a shorter path"));
}

/* Random bytes and random edits of a good file: an answer each time, never a crash or a leak. */
static void noise_is_survived(void **state)
{
    static const char good[] = "listen = {\"tcp://a:1\"}\nmetrics_port = 9464\nclient \"p\" { key = \"" HEX64
                               "\" compartments = {\"core\"} }\nlog_level = warn\n";
    struct fixture *f = *state;
    unsigned seed = 20260301;
    print_message("seed %u\n", seed);
    for (int i = 0; i < 400; i++) {
        char text[sizeof good], why[KT_CONFIG_WHY_BYTES_MAX];
        struct kt_config c;
        memcpy(text, good, sizeof good);
        for (int k = 0; k <= i % 5; k++) {
            seed = seed * 1664525u + 1013904223u;
            text[(seed >> 8) % (sizeof good - 1)] = (char)(seed >> 24);
        }
        write_conf(f, text, sizeof good - 1);
        int rc = kt_config_load(f->path, &c, why);
        if (rc == KT_OK)
            kt_config_free(&c);
        else
            assert_true(why[0] != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_file_takes_every_default, setup, teardown),
        cmocka_unit_test_setup_teardown(every_key_arrives, setup, teardown),
        cmocka_unit_test_setup_teardown(the_example_is_the_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(noise_is_survived, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
