#pragma once
#include <stddef.h>
#include <stdint.h>

#include "ElementKernels.h"
#include "InstructionSet.h"
#include "Processors.h"
#include "RowKernels.h"
#include "attention.h"
#include "conv.h"
#include "ThreadPool.h"
#include "TileEmulation.h"
#include "gemm.h"
#include "pages.h"
#include "quantization.h"
