#pragma once
#include <stddef.h>

/// What a library calls its version, such as "1.6.39", as it is linked; what it was compiled with where it does not say.
/// `text` holds 32 bytes.
void storage_hdf5_version(char text[32]);
void storage_png_version(char text[32]);
void storage_jpeg_version(char text[32]);
