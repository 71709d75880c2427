#pragma once

/// The types of elements that kernels read and write.
enum diptych_type {
    DIPTYCH_FLOAT32 = 0,
    DIPTYCH_BFLOAT16 = 1,
    DIPTYCH_FLOAT16 = 2,
};
