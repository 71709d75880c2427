#include "CVersions.h"
#include <hdf5.h>
#include <stdio.h>
#include <jpeglib.h>
#include <png.h>

void storage_hdf5_version(char text[32]) {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, 32, "%u.%u.%u", major, minor, release);
}

void storage_png_version(char text[32]) {
    const unsigned number = png_access_version_number();
    snprintf(text, 32, "%u.%u.%u", number / 10000, number / 100 % 100, number % 100);
}

void storage_jpeg_version(char text[32]) {
#ifdef LIBJPEG_TURBO_VERSION_NUMBER
    const int number = LIBJPEG_TURBO_VERSION_NUMBER;
    snprintf(text, 32, "turbo %d.%d.%d", number / 1000000, number / 1000 % 1000, number % 1000);
#else
    snprintf(text, 32, "%d", JPEG_LIB_VERSION);
#endif
}
