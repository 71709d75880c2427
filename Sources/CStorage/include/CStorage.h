#pragma once
#include "CImages.h"
