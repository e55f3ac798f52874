// Takes times apart and puts them together again.
#include <stdio.h>
#include <time.h>

int main(void) {
    const long long moments[] = {0, 86399, 951782400, 1000000000, 1709164800, 2147483647, 4102444800, -1};
    for (unsigned i = 0; i < sizeof moments / sizeof *moments; i++) {
        time_t moment = (time_t)moments[i];
        struct tm parts;
        char text[64];
        gmtime_r(&moment, &parts);
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %j %U", &parts);
        printf("%s %d\n", text, timegm(&parts) == moment);
    }
    struct tm parts = {.tm_year = 124, .tm_mon = 13, .tm_mday = -3, .tm_hour = 49};
    time_t moment = timegm(&parts);
    printf("%lld %d %d %d\n", (long long)moment, parts.tm_year, parts.tm_mon, parts.tm_mday);
    struct tm read = {0};
    printf("%s|%d\n", strptime("17 Mar 2031 rest", "%d %b %Y", &read), read.tm_year * 100 + read.tm_mon);
    printf("%.0f %d\n", difftime(moment, moment - 90), time(NULL) >= 0);
    return 0;
}
