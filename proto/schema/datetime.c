#include "proto/schema/datetime.h"

#include <stdio.h>

/* `n` digits as a number; -1 where something else stands. */
static int digits(const uint8_t *at, size_t n)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (at[i] < '0' || at[i] > '9') return -1;
        v = v * 10 + (at[i] - '0');
    }
    return v;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static int date_of(struct kt_bytes in, int *year, int *month, int *day)
{
    if (in.len < 10 || in.data[4] != '-' || in.data[7] != '-') return KT_ETYPE;
    *year = digits(in.data, 4);
    *month = digits(in.data + 5, 2);
    *day = digits(in.data + 8, 2);
    if (*year < 1 || *month < 1 || *month > 12 || *day < 1 || *day > days_in_month(*year, *month)) return KT_ETYPE;
    return KT_OK;
}

int kt_date_check(struct kt_bytes in)
{
    int year, month, day;
    return in.len == 10 ? date_of(in, &year, &month, &day) : KT_ETYPE;
}

/* Days since 1970-01-01 of a day of the Gregorian calendar, and back; years are counted from March, so that the leap
 * day is the last of its year. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void day_of(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static int write_seconds(int64_t seconds, const char *fraction, char out[KT_DATETIME_CHARS_MAX])
{
    int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
    int rest = (int)(seconds - days * 86400), year, month, day;
    day_of(days, &year, &month, &day);
    if (year < 1 || year > 9999) return KT_ETYPE;
    snprintf(out, KT_DATETIME_CHARS_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%s%sZ", year, month, day, rest / 3600,
             rest / 60 % 60, rest % 60, *fraction ? "." : "", fraction);
    return KT_OK;
}

/* "Z", "+01:00" or "+0100" to seconds east. */
static int offset_of(struct kt_bytes in, int *east_s)
{
    if (in.len == 1 && (in.data[0] == 'Z' || in.data[0] == 'z')) {
        *east_s = 0;
        return KT_OK;
    }
    if ((in.len != 6 || in.data[3] != ':') && in.len != 5) return KT_ETYPE;
    if (in.data[0] != '+' && in.data[0] != '-') return KT_ETYPE;
    int hours = digits(in.data + 1, 2), minutes = digits(in.data + in.len - 2, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return KT_ETYPE;
    *east_s = (in.data[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return KT_OK;
}

int kt_datetime_canonical(struct kt_bytes in, char out[KT_DATETIME_CHARS_MAX])
{
    int year, month, day, east_s;
    if (in.len < 20 || date_of(in, &year, &month, &day)) return KT_ETYPE;
    const uint8_t *t = in.data + 10;
    if ((t[0] != 'T' && t[0] != 't' && t[0] != ' ') || t[3] != ':' || t[6] != ':') return KT_ETYPE;
    int hour = digits(t + 1, 2), minute = digits(t + 4, 2), second = digits(t + 7, 2);
    /* second 60 is a leap second: it becomes the first of the next minute */
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return KT_ETYPE;

    char fraction[10] = "";
    size_t at = 19, len = 0;
    if (in.data[at] == '.') {
        for (at++; at < in.len && in.data[at] >= '0' && in.data[at] <= '9'; at++) {
            if (len == 9) return KT_ETYPE;
            fraction[len++] = (char)in.data[at];
        }
        if (len == 0) return KT_ETYPE;
        while (len && fraction[len - 1] == '0') len--;
        fraction[len] = 0;
    }
    if (offset_of(kt_bytes(in.data + at, in.len - at), &east_s)) return KT_ETYPE;
    char text[KT_DATETIME_CHARS_MAX];
    int err =
        write_seconds(days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - east_s, fraction, text);
    if (!err) memcpy(out, text, sizeof text);
    return err;
}

void kt_datetime_of_ms(uint64_t ms, bool fraction, char out[KT_DATETIME_CHARS_MAX])
{
    char part[10] = "";
    if (fraction && ms % 1000) snprintf(part, sizeof part, "%03u", (unsigned)(ms % 1000));
    for (size_t len = strlen(part); len && part[len - 1] == '0'; len--) part[len - 1] = 0;
    /* a clock beyond the year 9999 is shown as its last second */
    if (write_seconds((int64_t)(ms / 1000), part, out)) memcpy(out, "9999-12-31T23:59:59Z", 21);
}
