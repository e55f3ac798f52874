// Converts between UTF-8 and wide characters.
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

int main(void) {
    setlocale(LC_ALL, "C.UTF-8");
    const char *text = "Stra\xc3\x9f" "e \xe2\x82\xac 100 \xf0\x9f\x98\x80";
    wchar_t wide[64];
    size_t length = mbstowcs(wide, text, 64);
    printf("%zu %zu\n", strlen(text), length);
    for (size_t i = 0; i < length; i++)
        printf("%x%s", (unsigned)wide[i], i + 1 < length ? " " : "\n");
    char back[64];
    printf("%zu %d\n", wcstombs(back, wide, sizeof back), strcmp(text, back));
    printf("%d %d %d\n", iswalpha(wide[4]) != 0, towupper(L'\xe4') == L'\xc4', iswspace(L'x') != 0);
    printf("%ls|%.3ls|%lc\n", wide, wide, (wint_t)wide[7]);
    printf("%d %ld\n", mblen("\xff\xfe", 2), wcstol(L" -42x", NULL, 10));
    swprintf(wide, 64, L"%d %ls", 7, L"seven");
    printf("%ls %zu\n", wide, wcslen(wide));
    return 0;
}
