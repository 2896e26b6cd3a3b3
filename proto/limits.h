/* Every bound of Kontor.  A decoder refuses what is beyond its bound before it allocates for it. */
#ifndef KT_PROTO_LIMITS_H
#define KT_PROTO_LIMITS_H

/* on a link */
#define KT_FRAME_BYTES_MAX            (256u << 10) /* one frame inside a session, clear text */
#define KT_HANDSHAKE_FRAME_BYTES_MAX  4096u        /* before authentication */
#define KT_NOISE_MESSAGE_BYTES_MAX    65535u       /* Noise specification, section 3 */
#define KT_SESSION_BYTES_MAX          (1ull << 30) /* then the link is closed and redialled */
#define KT_SESSION_MS_MAX             (3600u * 1000u)
#define KT_GRANT_BYTES_MAX            (4u << 20)   /* what one pull may ask for */
#define KT_WRAPS_PER_FRAME_MAX        1024u
#define KT_BATCHES_PER_FRAME_MAX      4096u
#define KT_WRAP_BYTES_MAX             256u
#define KT_ERASURE_BYTES_MAX          1024u
#define KT_PULSE_BYTES_MAX            (224u << 10) /* with a whole vector of KT_ORIGINS_MAX heads */
#define KT_SNAPSHOT_ROWS_MAX          8192u        /* rows of one kind in one piece of a snapshot */
#define KT_INBOX_FRAMES_MAX           64u          /* waiting frames per peer; then reading from it stops */
#define KT_LINK_QUEUE_BYTES_MAX       (1u << 20)   /* sealed and not yet sent, per link; then KT_EAGAIN */
#define KT_HALF_OPEN_MAX              128u         /* strangers who have not proved who they are */
#define KT_URL_CHARS_MAX              256u         /* with the final NUL */
#define KT_WHY_CHARS_MAX              256u         /* a reason in words, with the final NUL */

/* in a batch */
#define KT_BATCH_BYTES_MAX            (192u << 10)
#define KT_SEAL_BYTES_MAX             (16u << 10)  /* so that the proof of any fork fits a frame */
#define KT_ENVELOPES_PER_BATCH_MAX    1024u
#define KT_SECTIONS_PER_BATCH_MAX     64u
#define KT_ITEM_BYTES_MAX             (128u << 10) /* clear part and ciphertext of one envelope */
#define KT_CLEAR_BYTES_MAX            128u
#define KT_CHANGE_BYTES_MAX           (112u << 10) /* plaintext of one envelope, after decompression */
#define KT_OPS_PER_CHANGE_MAX         1024u
#define KT_REPLACES_PER_OP_MAX        1024u
#define KT_VALUE_BYTES_MAX            (32u << 10)
#define KT_ELEMENT_BYTES_MAX          32u
#define KT_TEXT_BYTES_MAX             (16u << 10)  /* one column of text */
#define KT_NAME_BYTES_MAX             256u         /* actor, purpose, source system, source id, case number */

/* in an organisation */
#define KT_MEMBERS_MAX                1024u
#define KT_COMPARTMENTS_MAX           64u
#define KT_SYSTEMS_MAX                512u
#define KT_SIGNERS_MAX                16u
#define KT_CUTS_MAX                   4096u
#define KT_BUNDLES_MAX                4096u        /* sealed compartment bundles a roster names */
#define KT_BUNDLE_BYTES_MAX           4096u
#define KT_OFFICE_BYTES_MAX           63u          /* name of an office, an agency, a compartment, a source system */
#define KT_ROSTER_CHAIN_MAX           4096u        /* versions in one admission */
#define KT_ADMISSION_BYTES_MAX        (64u << 20)
#define KT_EPOCHS_MAX                 64u
#define KT_ORIGINS_MAX                8192u        /* (member, incarnation) pairs in a vector */
#define KT_PEERS_MAX                  256u
#define KT_PROOFS_MAX                 256u         /* of forks, kept and passed on until the authority cuts */
#define KT_PROOFS_PER_MEMBER_MAX      16u          /* a rogue member takes nobody else's places */
#define KT_ROSTER_BYTES_MAX           (192u << 10)
#define KT_DIGEST_BUCKETS             1024u
#define KT_GROUP_RECORDS_MAX          256u         /* golden group; a larger one is not joined */

/* of a client */
#define KT_REQUEST_BYTES_MAX          (1u << 20)
#define KT_REPLY_BYTES_MAX            (4u << 20)
#define KT_RECORDS_PER_PUT_MAX        256u
#define KT_RECORD_BYTES_MAX           (96u << 10)  /* one put line, encoded; its change must fit KT_CHANGE_BYTES_MAX */
#define KT_TOKEN_CHARS_MAX            200u
#define KT_TOKENS_PER_LOOKUP_MAX      64u
#define KT_FIELDS_PER_RECORD_MAX      256u
#define KT_VALUES_PER_FIELD_MAX       1024u        /* values to add, or to remove, in one field of a record */
#define KT_CONFLICTS_PER_REPLY_MAX    1024u
#define KT_REASON_BYTES_MAX           1024u
#define KT_CLIENTS_MAX                1000u
#define KT_REQUESTS_IN_FLIGHT_MAX     256u         /* unanswered, per connection; then reading from it stops */
#define KT_CLIENT_QUEUE_BYTES_MAX     (4u * KT_REPLY_BYTES_MAX) /* replies it does not read; then it is closed */
#define KT_BACKTRACE_WORDS_MAX        8u           /* in front of a request (SP), the request id included */
#define KT_MATCHES_MAX                50u
#define KT_VIEW_INTERACTIONS_MAX      50u          /* newest rows of a list in a view; the rest is paged */
#define KT_VIEW_CASES_MAX             200u         /* newest cases of a view, and as many licences */
#define KT_VIEW_SECTION_BYTES_MAX     (384u << 10) /* a section over it shows fewer of each */

/* in time */
#define KT_PULSE_MS                   5000u
#define KT_PULSE_VECTOR_MS            60000u       /* the full vector in a pulse, this often */
#define KT_SILENT_MS                  11000u       /* no pulse of a member for so long: it is silent */
#define KT_REDIAL_MS_MAX              15000u
#define KT_REDIAL_MS_DEFAULT          2000u        /* of redial_ms_max: a mended line is found within so long */
#define KT_HANDSHAKE_MS_MAX           5000u
#define KT_LINK_PING_MS               5000u        /* nothing arrived for so long: ask */
#define KT_LINK_SILENT_MS             15000u       /* nothing arrived for so long: the line is dead */
#define KT_SKEW_MS_MAX                60000u       /* a stamp further ahead is applied, reported, and moves no clock */
#define KT_HLC_CEILING_MS             10000u       /* pulses and stamps stay below a durable bound so far ahead */

/* padding of a sealed change */
#define KT_PAD_SMALL_BYTES            32u          /* up to KT_PAD_SMALL_UP_TO, KT_PAD_LARGE_BYTES above */
#define KT_PAD_SMALL_UP_TO            1024u
#define KT_PAD_LARGE_BYTES            256u

_Static_assert(KT_BATCH_BYTES_MAX < KT_FRAME_BYTES_MAX, "a batch with its wraps travels in one frame");
_Static_assert(KT_ITEM_BYTES_MAX < KT_BATCH_BYTES_MAX, "one envelope fits a batch");
_Static_assert(KT_CHANGE_BYTES_MAX + 1024u < KT_ITEM_BYTES_MAX, "a sealed change fits its item");
_Static_assert(KT_RECORD_BYTES_MAX < KT_CHANGE_BYTES_MAX, "a record fits its change");
_Static_assert(KT_VALUE_BYTES_MAX < KT_RECORD_BYTES_MAX, "a value fits its record");
_Static_assert(KT_TEXT_BYTES_MAX < KT_VALUE_BYTES_MAX, "a column fits its value");
_Static_assert(KT_PULSE_BYTES_MAX + 1024u < KT_FRAME_BYTES_MAX, "a pulse travels in one frame");
_Static_assert(10 * KT_VIEW_SECTION_BYTES_MAX < KT_REPLY_BYTES_MAX, "ten full sections fit one answer");
_Static_assert(KT_ROSTER_BYTES_MAX < KT_FRAME_BYTES_MAX, "a roster travels in one frame");

#endif
