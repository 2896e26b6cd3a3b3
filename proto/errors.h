/* One family of negative error codes, one table: the name, what happened, and what to do about it.
 *
 * Every fallible function returns KT_OK (0) or one of these; a failing call leaves its outputs untouched unless its
 * header says otherwise.  Use KT_MUST on every function whose result must not be dropped. */
#ifndef KT_PROTO_ERRORS_H
#define KT_PROTO_ERRORS_H

#define KT_MUST __attribute__((warn_unused_result))

/*      code            number  what happened                                   what to do */
#define KT_ERRORS(X)                                                                                                   \
    X(KT_ENOMEM,        -1,  "out of memory",                                   "give the process more memory")         \
    X(KT_EINVAL,        -2,  "an argument is out of range",                     "see --help")                           \
    X(KT_ELIMIT,        -3,  "a limit was reached",                             "split the input")                      \
    X(KT_ETRUNCATED,    -4,  "the bytes end too early",                         "send them again, whole")               \
    X(KT_EOVERSIZE,     -5,  "longer than the format allows",                   "shorten it")                           \
    X(KT_EMALFORMED,    -6,  "not in the format",                               "check what wrote it")                  \
    X(KT_ESUITE,        -7,  "an unknown cipher suite",                         "upgrade this node")                    \
    X(KT_ELABEL,        -8,  "signed for another use",                          "treat the sender as faulty")           \
    X(KT_ESIGNATURE,    -9,  "a signature does not verify",                     "treat the sender as faulty")           \
    X(KT_EHASH,         -10, "a hash does not match",                           "fetch it from another peer")           \
    X(KT_EKEY,          -11, "a key is missing",                                "wait for the key, or ask the authority") \
    X(KT_EOPEN,         -12, "a sealed value does not open",                    "run kontor verify")                    \
    X(KT_EROSTER,       -13, "the roster named is not here",                    "fetch it first")                       \
    X(KT_ENOTMEMBER,    -14, "not a member of this organisation",               "have the authority admit it")          \
    X(KT_ERIGHTS,       -15, "no right to this compartment",                    "ask the authority for the right")      \
    X(KT_ECUT,          -16, "cut off by a revocation",                         "nothing: it does not count")           \
    X(KT_EGAP,          -17, "something before it is missing",                  "ask for it first")                     \
    X(KT_EDUPLICATE,    -18, "already held",                                    "nothing")                              \
    X(KT_EFORK,         -19, "two different batches carry one number",          "see the runbook on forks")             \
    X(KT_ENOTFOUND,     -20, "no such thing",                                   "check the name")                       \
    X(KT_EIO,           -21, "the disk or the line failed",                     "see the log of the node")              \
    X(KT_EFULL,         -22, "no space is left",                                "free space on the disk of the node")   \
    X(KT_EDAMAGED,      -23, "stored data is damaged",                          "run kontor verify")                    \
    X(KT_ECLUSTER,      -24, "of another organisation",                         "use the files of this organisation")   \
    X(KT_EDEADLINE,     -25, "the deadline passed",                             "try again, or allow more time")        \
    X(KT_EUNREACHABLE,  -26, "the node cannot be reached",                      "check that kontord runs and the URL")  \
    X(KT_EGONE,         -27, "the node went away",                              "check the node, then repeat what was not acknowledged") \
    X(KT_EREFUSED,      -28, "refused",                                         "see the reason given")                 \
    X(KT_ECONFIG,       -29, "the configuration is wrong",                      "correct the line named")               \
    X(KT_EVERSION,      -30, "of another version",                              "upgrade the older side")               \
    X(KT_EAGAIN,        -31, "busy",                                            "try again")                            \
    X(KT_ETOKEN,        -32, "not a token of this organisation",                "use a token as it was given")          \
    X(KT_EFIELD,        -33, "no such field",                                   "kontor fields lists them")  \
    X(KT_ETYPE,         -34, "a value of the wrong type",                       "correct the value")                    \
    X(KT_EUTF8,         -35, "text that is not UTF-8",                          "convert the input to UTF-8")           \
    X(KT_EHELD,         -36, "held until what it needs arrives",                "nothing: it opens by itself")          \
    X(KT_EVOID,         -37, "void: its author may not write it, or it does not open", "nothing: it has no effect")    \
    X(KT_EUNMAPPED,     -38, "no compartment is mapped to this source system",  "have the authority map it")            \
    X(KT_EEND,          -39, "the end",                                         "nothing")                              \
    X(KT_ESNAPSHOT,     -40, "the journal no longer reaches back so far",       "take a snapshot from a peer")          \
    X(KT_EEXPIRED,      -41, "its time has passed",                             "have the authority issue a new one")   \
    X(KT_EBUG,          -99, "a bug in Kontor",                                 "report it with the log")

enum kt_error {
    KT_OK = 0,
#define KT_ERROR_ENUM(name, number, what, todo) name = number,
    KT_ERRORS(KT_ERROR_ENUM)
#undef KT_ERROR_ENUM
};

/* The name ("KT_EOPEN"), the sentence, and the advice for a code; never NULL, static storage. */
const char *kt_error_name(int code);
const char *kt_error_text(int code);
const char *kt_error_advice(int code);

#endif
