#pragma once
#include "CHDF5Shim.h"
#include "CImages.h"
#include "CVersions.h"
