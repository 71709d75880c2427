#pragma once

/// How many processors this thread may run on (sched_getaffinity); those online where the system does not tell.
int diptych_affinity_count(void);

/// The processor's name as it gives it itself, such as "AMD EPYC 9654 96-Core Processor"; empty where it has none.
/// `text` holds 49 bytes.
void diptych_processor_name(char text[49]);
